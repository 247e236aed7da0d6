//! ECS: tasks.

use crate::sim::world::{Answer, World};
use serde_json::Value;

/// Answers this part of ECS's operations.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// A task goes on to its next state.
pub fn step(_world: &mut World, _task: &str) {}
