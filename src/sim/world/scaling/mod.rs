//! Application Auto Scaling.

use super::{Answer, World};
use serde_json::Value;

/// Scaling in one region.
#[derive(Debug, Clone, Default)]
pub struct Scaling {}

/// Answers an operation of Application Auto Scaling.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// The autoscaler looks at its targets.
pub fn scale(_world: &mut World) {}
