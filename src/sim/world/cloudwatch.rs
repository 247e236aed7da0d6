//! CloudWatch: metric alarms.

use super::{Answer, World};
use serde_json::Value;

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct CloudWatch {}

/// Answers an operation.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// The state of an alarm: OK, ALARM, INSUFFICIENT_DATA.
pub fn state(_world: &World, _name: &str) -> Option<&'static str> {
    None
}
