//! ECS: clusters.

use crate::sim::world::{Answer, World};
use serde_json::Value;

/// Answers this part of ECS's operations.
pub fn answer(_world: &mut World, _operation: &str, _input: &Value) -> Option<Answer> {
    None
}

/// The ARN of a cluster that is named by its name or ARN.
pub fn cluster_arn(world: &World, name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { world.arn("ecs", &format!("cluster/{name}")) }
}
