//! ECS: clusters, task definitions, services, and what runs.
//!
//! ```text
//! services (control plane) --begin--> deploy --> scheduler <-> tasks <-> image behaviours
//!                                       |  ^         |
//!                                       v  |         v
//!                                     stages      targets of elbv2, instances of Cloud Map, lines of logs
//! ```

pub mod account_settings;
pub mod clusters;
pub mod common;
pub mod deploy;
mod deployment_calls;
pub mod images;
pub mod scheduler;
pub mod services;
pub mod stages;
pub mod state;
pub mod tags;
mod task_calls;
pub mod task_definitions;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod view;

pub use clusters::cluster_arn;
pub use state::Ecs;

use super::{Answer, World};
use serde_json::Value;

/// Answers an operation of ECS.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    let parts = [
        clusters::answer,
        task_definitions::answer,
        services::answer,
        tags::answer,
        account_settings::answer,
        task_calls::answer,
        deployment_calls::answer,
    ];
    parts.into_iter().find_map(|part| part(world, operation, input))
}
