//! ECS: deploy.

use crate::sim::world::{Answer, World};
use serde_json::Value;

/// Answers this part of ECS's operations.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// Begins a deployment of the service's settings as they are now: a new service revision, a new PRIMARY deployment, a
/// service deployment. `cause` is for people.
pub fn begin(_world: &mut World, _service: &str) {}
