//! CloudWatch Logs: log groups, their settings, and the lines that tasks write.

use super::{Answer, World};
use serde_json::Value;

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct Logs {}

/// Answers an operation.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// A task writes a line.
pub fn write(_world: &mut World, _group: &str, _stream: &str, _line: &str) {}
