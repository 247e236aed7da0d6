//! Why nothing is done although there is something to do.

use crate::core::before;
use crate::core::id::{Arn, ResourceId, ServiceName};
use crate::core::pause::Pause;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Why nothing is done although there is something to do. As typed and as visible as a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "hold", rename_all = "camelCase")]
pub enum Hold {
    /// Something that is named does not exist.
    Missing {
        /// What.
        id: ResourceId,
        /// The setting that names it.
        named_by: String,
    },
    /// Something could not be read.
    Unreadable {
        /// What.
        id: ResourceId,
        /// Why not.
        why: String,
    },
    /// The live service runs another family (desired-state rule 4).
    FamilyChange {
        /// What runs.
        live: String,
        /// What git says.
        desired: String,
    },
    /// `keepLive` names a variable that the live revision does not have.
    NothingToKeep {
        /// The container.
        container: String,
        /// The variable.
        variable: String,
    },
    /// What is to run is not in its registry.
    ImageMissing {
        /// The image, as the container definition names it.
        image: String,
        /// Since when it is waited for, as far as this process knows.
        since: Timestamp,
        /// Until when it may still be on its way (`images.wait`).
        until: Timestamp,
        /// Whether that time is over.
        overdue: bool,
    },
    /// A one-off task runs before the rollout (`rollout.before`).
    Before {
        /// Its name in git; that of another rollout's task where git does not have it any more.
        name: String,
        /// The task.
        task: Arn,
        /// ECS's last status of it.
        status: String,
        /// When it was asked for.
        since: Option<Timestamp>,
        /// How long it may take, in seconds.
        at_most_seconds: u64,
    },
    /// Another service of the environment comes first.
    WaitsFor {
        /// The service, or what the services share.
        service: ServiceName,
        /// What it makes and this one names; nothing where `dependsOn` says so.
        id: Option<ResourceId>,
    },
    /// Only a new thing can have these settings, and it is not replaced by itself.
    Immutable {
        /// What.
        id: ResourceId,
        /// The fields.
        fields: Vec<String>,
    },
    /// A rule that is not ours has the priority.
    PriorityTaken {
        /// The rule that git declares.
        id: ResourceId,
        /// The ARN of the one that is there.
        by: String,
    },
    /// The number of tasks is outside of what scaling allows; Application Auto Scaling owns it.
    CountOutOfRange {
        /// How many ECS is to run.
        live: i64,
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A thing takes the place of another, and waits for the rollout that brings tasks to both.
    Replacing {
        /// What.
        id: ResourceId,
    },
    /// It left git, and may not be deleted all the same.
    NotPruned {
        /// Why not.
        why: String,
    },
    /// Only a new service can have these settings.
    Replacement {
        /// The fields.
        fields: Vec<String>,
    },
    /// UpdateService does not take these fields under this deployment controller.
    Controller {
        /// `CODE_DEPLOY` or `EXTERNAL`.
        controller: String,
        /// The fields.
        fields: Vec<String>,
    },
    /// The service is being deleted; its name is taken until it is INACTIVE.
    Draining,
    /// ECS is replacing tasks: drift waits for its end.
    RolloutInProgress {
        /// ECS's id of the deployment.
        deployment: String,
    },
    /// ECS could not bring up what git says; it is not tried again until git changes.
    RolloutFailed {
        /// In ECS's words.
        reason: String,
    },
    /// Somebody paused the service.
    Paused {
        /// Who, until when, why.
        pause: Pause,
    },
    /// `sync.mode: manual`.
    Manual,
    /// `sync.mode: detect`.
    DetectOnly,
    /// `sync.drift: report`.
    DriftReported,
    /// `sync.minInterval`.
    TooSoon {
        /// When drift may be corrected again.
        until: Timestamp,
    },
    /// `sync.windows` lets nothing begin now.
    WindowClosed {
        /// The window that denies it, or those that do not allow it now.
        window: String,
        /// When something may begin again; nothing where that is not within a year.
        until: Option<Timestamp>,
    },
}

impl Hold {
    /// Whether it ends by itself, soon, when ECS or another service has done its part.
    pub fn passes(&self) -> bool {
        match self {
            Hold::Draining | Hold::RolloutInProgress { .. } | Hold::WaitsFor { .. } | Hold::Replacing { .. } => true,
            Hold::Before { .. } => true,
            Hold::ImageMissing { overdue, .. } => !overdue,
            _ => false,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Missing { id, named_by } => {
                write!(f, "{named_by} names the {id}, which does not exist; create it, or correct the name")
            }
            Hold::Unreadable { id, why } => write!(f, "the {id} could not be read: {why}"),
            Hold::FamilyChange { live, desired } => write!(
                f,
                "the live service runs the task family {live}, git says {desired}: if that is meant, write allowFamilyChange: true"
            ),
            Hold::NothingToKeep { container, variable } => write!(
                f,
                "keepLive: container {container} has no live value of {variable} to keep; give it one, or take the line out"
            ),
            Hold::ImageMissing { image, since: _, until, overdue: false } => {
                write!(f, "waits for image {image} to be pushed (until {}, images.wait)", until.strftime("%H:%M:%SZ"))
            }
            Hold::ImageMissing { image, since, until, overdue: true } => write!(
                f,
                "image {image} was not pushed within {:#}: push it, or correct the tag",
                until.duration_since(*since)
            ),
            Hold::Before { name, task, status, since, at_most_seconds } => {
                let at_most =
                    SignedDuration::try_from(Duration::from_secs(*at_most_seconds)).unwrap_or(SignedDuration::MAX);
                write!(f, "runs {name} before the rollout (task {}, {status}", before::short(task.as_str()))?;
                since.iter().try_for_each(|since| write!(f, " since {}", since.strftime("%H:%M:%SZ")))?;
                write!(f, ", at most {at_most:#})")
            }
            Hold::WaitsFor { service, id: Some(id) } if service.is_shared() => {
                write!(f, "environment.yaml makes the {id}: it comes first")
            }
            Hold::WaitsFor { service, id: Some(id) } => write!(f, "{service} makes the {id}: it comes first"),
            Hold::WaitsFor { service, id: None } => write!(f, "dependsOn: waits until {service} is live"),
            Hold::Immutable { id, fields } => write!(
                f,
                "{} of the {id} cannot be changed in place: declare it under a new name, or delete it by hand and it is created anew",
                fields.join(", ")
            ),
            Hold::PriorityTaken { id, by } => write!(
                f,
                "the {id} cannot have its priority: another rule ({by}), which is not driftless's, has it; choose another priority, or leave it out"
            ),
            Hold::CountOutOfRange { live, min, max } => write!(
                f,
                "the service is set to {live} tasks, scaling allows {min} to {max}; the number is Application Auto Scaling's and is not written"
            ),
            Hold::Replacing { id } => {
                write!(f, "the {id} takes the place of another: tasks are being registered in both, then traffic moves")
            }
            Hold::NotPruned { why } => write!(f, "it is not deleted: {why}"),
            Hold::Replacement { fields } => write!(
                f,
                "{} cannot be changed on an existing service; it has to be replaced, with downtime: delete it by hand and it is created anew",
                fields.join(", ")
            ),
            Hold::Controller { controller, fields } => write!(
                f,
                "the deployment controller is {controller}: {} cannot be changed by UpdateService",
                fields.join(", ")
            ),
            Hold::Draining => f.write_str("the service is being deleted; it is created again when ECS says INACTIVE"),
            Hold::RolloutInProgress { deployment } => {
                write!(f, "deployment {deployment} is under way; drift is looked at again after it")
            }
            Hold::RolloutFailed { reason } => {
                write!(
                    f,
                    "the rollout of this commit failed ({reason}); it is not tried again until git changes, or with driftless retry or apply"
                )
            }
            Hold::Paused { pause } => write!(f, "paused {pause}; driftless resume ends it"),
            Hold::Manual => f.write_str("sync.mode is manual: driftless apply does it"),
            Hold::DetectOnly => f.write_str("sync.mode is detect: differences are shown, nothing is changed"),
            Hold::DriftReported => f.write_str("sync.drift is report: drift is shown, not corrected"),
            Hold::TooSoon { until } => {
                write!(f, "drift was corrected moments ago; again after {until} (sync.minInterval)")
            }
            Hold::WindowClosed { window, until } => {
                write!(f, "deploy window closed ({window}); ")?;
                match until {
                    Some(until) => write!(f, "opens {until:.0}")?,
                    None => f.write_str("it does not open within a year")?,
                }
                f.write_str("; driftless apply --override-window \"reason\" goes past it")
            }
        }
    }
}
