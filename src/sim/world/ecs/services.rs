//! ECS: services.

use crate::sim::world::{Answer, World};
use serde_json::Value;

/// Answers this part of ECS's operations.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// A deleted service has no tasks any more.
pub fn drained(_world: &mut World, _service: &str) {}
