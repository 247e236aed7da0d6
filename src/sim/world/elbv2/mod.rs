//! Elastic Load Balancing v2: load balancers, listeners, rules, target groups, targets.

pub mod targets;

use super::{Answer, World};
use serde_json::Value;

/// Load balancing in one region.
#[derive(Debug, Clone, Default)]
pub struct Elbv2 {}

/// Answers an operation of ELBv2.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}
