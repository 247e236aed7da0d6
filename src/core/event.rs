//! The closed set of what happens. Logs, metrics and [`Status`](super::status::Status) are made from these alone.

use super::action::Effect;
use super::before::End;
use super::history::StillKnown;
use super::id::{Arn, ServiceId, SourceName};
use super::image::Running;
use super::log_lines::LogLines;
use super::observed::ServiceFacts;
use super::plan::{Cause, ServicePlan};
use super::problem::Problem;
use super::retry::Class;
use super::rollout::Rollout;
use super::source::Commit;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that happened at a time.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In which source.
    pub source: SourceName,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// The source was asked what its reference points to.
    Fetched {
        /// The commit that it points to.
        commit: Commit,
        /// Whether the branch no longer contains what was applied last.
        rewound: bool,
    },
    /// The source could not be reached or read; what was read before stays in force.
    FetchFailed {
        /// Why, for people.
        why: String,
    },
    /// The files of a commit were read.
    Read {
        /// What is wrong with them.
        problems: Arc<Vec<Problem>>,
        /// The services that are declared.
        services: Vec<ServiceId>,
        /// Services whose files have errors.
        broken: Vec<ServiceId>,
    },
    /// A pass over one service began.
    Started {
        /// The service.
        service: ServiceId,
    },
    /// A service was planned.
    Planned {
        /// The plan.
        plan: Arc<ServicePlan>,
        /// The commit that it was made from: by now the source may have moved on.
        commit: Commit,
        /// The commit that last changed what it declares, where that is known.
        changed_by: Option<Box<Commit>>,
        /// How its tasks are doing; `None` when that is not known.
        tasks: Option<Box<Tasks>>,
    },
    /// A step was done.
    Done {
        /// The service.
        service: ServiceId,
        /// AWS's name of the operation.
        operation: &'static str,
        /// Why it was done.
        cause: Cause,
        /// What it did to running tasks.
        effect: Effect,
        /// What it made.
        arn: Option<Arn>,
    },
    /// A one-off task before a rollout has ended.
    Ran {
        /// The service.
        service: ServiceId,
        /// How.
        end: Box<End>,
        /// The last lines that it wrote, where it failed and git allows that they are read.
        lines: Option<LogLines>,
    },
    /// A pass over one service ended without reaching its end.
    Failed {
        /// The service.
        service: ServiceId,
        /// Why, for people.
        why: String,
        /// What happens next.
        class: Class,
        /// When it is tried again.
        again_at: Timestamp,
    },
    /// What ECS still knows of a service's deployments was read, because no history of it was found.
    Rebuilt {
        /// The service.
        service: ServiceId,
        /// What is known.
        known: Box<StillKnown>,
    },
    /// A service left git. Nothing is deleted.
    Left {
        /// The service.
        service: ServiceId,
    },
}

impl Tasks {
    /// Of a service's facts.
    pub fn new(facts: ServiceFacts, rollout: Rollout, images: Running, last_lines: Option<LogLines>) -> Self {
        let Running { names: images, digests } = images;
        let ServiceFacts { desired, running, pending, task_definition, events, .. } = facts;
        Self { desired, running, pending, task_definition, images, digests, rollout, events, last_lines }
    }
}

/// How a service's tasks are doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Tasks {
    /// How many ECS is to run.
    pub desired: i32,
    /// How many run.
    pub running: i32,
    /// How many are on their way.
    pub pending: i32,
    /// The revision that the service is set to run.
    pub task_definition: Option<Arn>,
    /// The images of that revision.
    pub images: Vec<String>,
    /// The digests that run of those images, by image, where they are known.
    pub digests: BTreeMap<String, String>,
    /// How the rollout is getting on.
    pub rollout: Rollout,
    /// ECS's newest events, newest first.
    pub events: Vec<String>,
    /// What the last task wrote that failed in this rollout, where that was read.
    pub last_lines: Option<LogLines>,
}
