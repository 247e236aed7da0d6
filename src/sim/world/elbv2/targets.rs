//! Targets and their health.

use crate::sim::world::World;

/// What a target does when its health is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Checked {
    /// Answers as the matcher wants it.
    Healthy,
    /// Answers with this HTTP code.
    Code(u16),
    /// Does not answer.
    Silent,
}

/// ECS registers a task; its health is known after the checks of its group.
pub fn register(_world: &mut World, _group: &str, _id: &str, _port: i64, _checked: Checked) {}

/// ECS takes a task away: it drains for the group's deregistration delay.
pub fn deregister(_world: &mut World, _group: &str, _id: &str, _port: i64) {}

/// `initial`, `healthy`, `unhealthy`, `draining`, `unused`; none when it is not registered.
pub fn health(_world: &World, _group: &str, _id: &str, _port: i64) -> Option<&'static str> {
    None
}

/// The targets of a group change their health when it is time.
pub fn settle(_world: &mut World, _group: &str) {}

/// Weights of a rule's (or a default rule's) forward action, moved by a blue/green deployment: (target group, weight).
pub fn shift(_world: &mut World, _rule: &str, _weights: &[(String, i64)]) {}
