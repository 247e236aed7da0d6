//! Cloud Map: namespaces, services, instances.

use super::{Answer, World};
use serde_json::Value;

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct Discovery {}

/// Answers an operation.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// ECS registers a task.
pub fn register(_world: &mut World, _service: &str, _instance: &str, _address: &str, _port: Option<i64>) {}

/// ECS takes a task away.
pub fn deregister(_world: &mut World, _service: &str, _instance: &str) {}
