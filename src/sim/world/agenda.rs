//! What happens by itself, each at its time: a task that starts, a target that becomes healthy, a bake time that ends.

use super::World;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// ECS's scheduler looks at a service, by ARN.
    Schedule(String),
    /// A task goes on to its next state, by ARN.
    Task(String),
    /// A task that runs is healthy, unhealthy, or ends by itself, by ARN.
    Check(String),
    /// A deployment goes on to its next stage when its time there is over, by the ARN of the service deployment.
    Stage(String),
    /// What is draining is gone, by the ARN of the service.
    Drained(String),
    /// The targets of a group change their health, by the ARN of the group.
    Targets(String),
    /// The autoscaler looks at its targets.
    Scale,
}

/// Entries in the order of time, and of their coming for one time.
#[derive(Debug, Clone, Default)]
pub struct Agenda {
    entries: BinaryHeap<Reverse<(Timestamp, u64, Due)>>,
    came: u64,
}

impl Agenda {
    /// The first entry that is due at `now`, taken out.
    pub fn due(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        if self.entries.peek().is_none_or(|Reverse((at, ..))| *at > now) {
            return None;
        }
        self.entries.pop().map(|Reverse((at, _, due))| (at, due))
    }
}

impl World {
    /// Lets `due` happen in so many seconds.
    pub fn later(&mut self, seconds: f64, due: Due) {
        let wait = SignedDuration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SignedDuration::MAX);
        let at = self.now.checked_add(wait).unwrap_or(Timestamp::MAX);
        self.agenda.came += 1;
        self.agenda.entries.push(Reverse((at, self.agenda.came, due)));
    }
}

/// Lets one entry happen.
pub fn happen(world: &mut World, due: Due) {
    match due {
        Due::Schedule(service) => super::ecs::scheduler::look(world, &service),
        Due::Task(task) => super::ecs::tasks::step(world, &task),
        Due::Check(task) => super::ecs::tasks::change(world, &task),
        Due::Stage(deployment) => super::ecs::stages::step(world, &deployment),
        Due::Drained(service) => super::ecs::services::drained(world, &service),
        Due::Targets(group) => super::elbv2::targets::settle(world, &group),
        Due::Scale => super::scaling::scale(world),
    }
}
