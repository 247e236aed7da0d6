//! What runs, as DescribeServices answers it.

use super::state::Service;
use crate::sim::world::World;
use serde_json::{Map, Value};

/// The members that the scheduler knows: runningCount, pendingCount, desiredCount, deployments, events.
pub fn of_service(_world: &World, _service: &Service) -> Map<String, Value> {
    Map::new()
}
