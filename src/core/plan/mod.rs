//! Desired and observed -> [`Plan`]. Pure: planning is everything, execution is a loop over typed steps.
//!
//! What has to be read is itself an outcome of planning: a plan that lacks something names it in `wanted`, the shell
//! reads it, and planning starts again from the beginning with the larger snapshot. So there is no second place that
//! knows what a plan looks at.
//!
//! ```text
//! loop { plan(desired, snapshot) -> wanted.is_empty() ? Plan : observe(wanted) -> snapshot }
//! ```

mod check;
mod note;
mod planner;
pub mod text;
mod window;

use super::act::Act;
use super::action::{Action, Call, Effect};
use super::before::{self, Before};
use super::desired::{Declared, Desired, Mode, Section};
use super::diff::Change;
use super::id::{Arn, Kind, RepoPath, ResourceId, Revision, ServiceId, ServiceName, StepId};
use super::image::Digests;
use super::log_lines::LogLines;
use super::observed::{Live, ServiceFacts, Snapshot};
use super::pause::Pause;
use super::rollback::RolledBack;
use super::rollout::{Rollout, rollout};
use super::shape::Shapes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

pub use note::{Moved, Note};
pub use planner::{
    APPLIED_TAG, Applied, COMMIT_TAG, CONTENT_TAG, ENVIRONMENT_TAG, FAILED_TAG, FAILED_UNTOLD, Look, Moving, Output,
    Planner, SERVICE_TAG, declared_tags, owner, retry_tag,
};

/// What is to be done for the services of one environment, and why nothing is done where nothing is.
#[derive(Debug, Clone)]
#[must_use = "an unread plan helps nobody"]
pub struct Plan {
    /// The commit that the desired state is of.
    pub revision: Option<Revision>,
    /// When AWS was read.
    pub read_at: Timestamp,
    /// One for each service that was asked for, by name.
    pub services: Vec<ServicePlan>,
}

/// What is to be done for one service.
#[derive(Debug, Clone)]
pub struct ServicePlan {
    /// The service.
    pub id: ServiceId,
    /// The file that declares it.
    pub file: RepoPath,
    /// Why there is something to do.
    pub cause: Cause,
    /// Every difference with its effect, in the order of the documents.
    pub changes: Vec<(Change, Effect)>,
    /// What would be called, in order.
    pub steps: Vec<Step>,
    /// Why the steps wait. With one hold none of them is done.
    pub holds: Vec<Hold>,
    /// Worth knowing, and nothing to do.
    pub notes: Vec<Note>,
    /// How many declared settings are the same.
    pub same: usize,
    /// The digest of what is declared, by which a later plan knows whether git has changed.
    pub digest: String,
    /// The revision that the service is to run, as far as it is known.
    pub task_definition: Option<Arn>,
    /// The pause that somebody made, while it lasts.
    pub paused: Option<Pause>,
    /// The rollback that is in force: it was planned from that earlier commit.
    pub rolled_back: Option<RolledBack>,
    /// How the tasks before its rollout stand.
    pub before: Before,
    /// What is tidied up while the service is live and nothing else is to be done: it is no difference from git.
    pub chores: Vec<Step>,
    /// What a person did last to the service beside git.
    pub act: Option<Act>,
}

impl ServicePlan {
    /// Whether AWS agrees with git, as far as it was seen.
    pub fn is_in_sync(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty() && self.changes.is_empty()
    }

    /// Whether it decides about a deployment that is under way, and writes no settings: what git says comes after it.
    pub fn is_answer(&self) -> bool {
        self.steps.iter().any(|step| step.action.is_answer())
    }

    /// Whether everything that it depends on could be read.
    pub fn is_whole(&self) -> bool {
        !self.holds.iter().any(|hold| matches!(hold, Hold::Unreadable { .. }))
    }

    /// The action that notes in AWS, where the next process finds it, that ECS could not bring this up.
    pub fn mark_failed(&self, live: &Live) -> Option<Action> {
        let short = self.short_digest();
        if live.tags.get(planner::FAILED_TAG) == Some(&short) {
            return None;
        }
        let tags = BTreeMap::from([(planner::FAILED_TAG.to_owned(), short)]);
        let target = ResourceId::new(Kind::Service, self.id.service.as_str());
        Action::tag(target, live.arn.as_ref()?, &tags)
    }

    /// A plan of nothing but what is tidied up.
    pub fn tidying(&self) -> Self {
        Self { steps: self.chores.clone(), chores: Vec::new(), ..self.clone() }
    }

    /// The digest as tags hold it.
    pub fn short_digest(&self) -> String {
        short_digest(&self.digest)
    }

    /// The revision that the service is to run by now. While something is left to do, and while tasks before the rollout are
    /// waited for, it was not asked for: that something else runs is no failure; unless it is on hold because it failed.
    pub fn due(&self) -> Option<&Arn> {
        let due = !self.before.open && (self.steps.is_empty() || self.has_failed());
        self.task_definition.as_ref().filter(|_| due)
    }

    /// Whether ECS could not bring it up.
    pub fn has_failed(&self) -> bool {
        self.holds.iter().any(|hold| matches!(hold, Hold::RolloutFailed { .. }))
    }

    /// The strongest effect of all changes.
    pub fn effect(&self) -> Effect {
        let anew = self.deploys_anew().then_some(Effect::ForcedRestart);
        self.changes.iter().map(|(_, effect)| *effect).chain(anew).max().unwrap_or(Effect::NoRestart)
    }

    /// The containers whose tags have moved and that are deployed anew because of it, with the digests that are to run.
    pub fn redeployed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.notes.iter().filter_map(|note| match note {
            Note::ImageMoved { container, now, then: Moved::Redeployed, .. } => {
                Some((container.as_str(), now.as_str()))
            }
            _ => None,
        })
    }

    /// When the secret was changed, the last of several, because of which it is deployed anew.
    pub fn rotated(&self) -> Option<Timestamp> {
        let at = self.notes.iter().filter_map(|note| match note {
            Note::SecretRotated { at, then: Moved::Redeployed, .. } => Some(*at),
            _ => None,
        });
        at.max()
    }

    /// Whether a tag of what runs points to another image, as far as that was looked at (`images.onMoved`).
    pub fn has_moved_image(&self) -> bool {
        self.notes.iter().any(|note| matches!(note, Note::ImageMoved { .. }))
    }

    /// What has moved, because of which the revision that runs is deployed once more.
    pub fn why_anew(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| {
            matches!(
                note,
                Note::ImageMoved { then: Moved::Redeployed, .. } | Note::SecretRotated { then: Moved::Redeployed, .. }
            )
        })
    }

    /// Whether the revision that runs is deployed once more.
    pub fn deploys_anew(&self) -> bool {
        self.why_anew().next().is_some()
    }

    /// Since when it waits for an image, if it does.
    pub fn awaits_image(&self) -> Option<Timestamp> {
        self.holds.iter().find_map(|hold| match hold {
            Hold::ImageMissing { since, .. } => Some(*since),
            _ => None,
        })
    }
}

/// A digest as tags hold it: enough to tell declarations apart.
pub fn short_digest(digest: &str) -> String {
    digest.chars().take(16).collect()
}

/// One action with everything that is known about it.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Unique in the plan.
    pub id: StepId,
    /// What is called.
    pub action: Action,
    /// What it does to running tasks.
    pub effect: Effect,
    /// The steps that must be done before.
    pub after: Vec<StepId>,
    /// What the step was planned against: it is not done when this has changed since.
    #[serde(skip)]
    pub against: Option<Against>,
}

/// A thing and the digest of its settings when they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    /// The thing.
    pub id: ResourceId,
    /// Its digest; `None` when it was absent.
    pub digest: Option<String>,
}

/// Why AWS differs from git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It does not differ.
    InSync,
    /// Git did not change since it was last applied: somebody changed AWS.
    Drift,
    /// Git has something that was not applied yet.
    Deploy,
    /// The service does not exist yet.
    Create,
    /// Somebody asked for its removal: it left git.
    Remove,
    /// A hold stands before the comparison: it is not known whether anything differs.
    Blocked,
    /// It could not be told: something is unreadable.
    Unknown,
}

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

/// What the planner may do, beside what the documents say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy<'p> {
    /// Whether somebody asked for this now: manual mode, reported drift and minInterval do not hold it.
    pub asked: bool,
    /// Why somebody goes past a closed deploy window.
    pub override_window: Option<&'p str>,
    /// When somebody asked for it, in milliseconds since 1970: a task before the rollout that failed before that is run once
    /// more.
    pub attempt: Option<u64>,
}

/// What is remembered of a service between two plans. Disposable: without it a plan is careful, not wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// The digest of what was last seen in sync, or was applied.
    pub applied: Option<String>,
    /// When drift was last corrected.
    pub corrected_at: Option<Timestamp>,
    /// What ECS could not bring up: the digest, and why.
    pub failed: Option<(String, String)>,
    /// The revision that was registered and not deployed yet: nothing has failed that ECS was not asked for.
    pub registered: Option<Arn>,
    /// The revision that was asked for and has not been live yet.
    pub rolling: Option<Arn>,
    /// The declaration whose images were missing when it was last looked at, and since when they are waited for.
    pub awaited: Option<(String, Timestamp)>,
    /// The images that the service was last deployed anew for, because tags moved: not twice for the same.
    pub redeployed: Digests,
    /// When the newest of those secrets was changed for which the service was last deployed anew.
    pub rotated: Option<Timestamp>,
    /// ECS's id of the deployment that was last seen completed, and the images that it brought up.
    pub runs: Option<(String, Digests)>,
    /// The digest of what git declared when all was last seen in sync, with it or with what was gone back to.
    pub settled: Option<String>,
    /// The revision whose failed tasks' log was looked at, and what the last of them wrote, where that could be read.
    pub last_lines: Option<(Arn, Option<LogLines>)>,
    /// The digest of what was begun and not seen in sync since: it may be finished when its deploy window has closed.
    pub begun: Option<String>,
}

impl Memory {
    /// Notes since when images of a declaration are waited for.
    pub fn await_images(&mut self, plan: &ServicePlan) {
        self.awaited = plan.awaits_image().map(|since| (plan.digest.clone(), since));
    }

    /// Notes a step that was done, with the ARN of what it made.
    pub fn done(&mut self, plan: &ServicePlan, step: &Step, arn: Option<&Arn>) {
        match step.action.call {
            Call::RegisterTaskDefinition => self.registered = arn.cloned(),
            Call::CreateService | Call::UpdateService if step.action.input.document.get("taskDefinition").is_some() => {
                self.rolling = plan.task_definition.clone().or_else(|| self.registered.take());
            }
            _ => {}
        }
    }

    /// Notes a plan that was carried out to its end.
    pub fn carried_out(&mut self, plan: &ServicePlan) {
        self.applied = Some(plan.digest.clone());
        self.deployed_anew(plan);
        self.rolling = plan.task_definition.clone().or(self.rolling.take());
    }

    fn deployed_anew(&mut self, plan: &ServicePlan) {
        let anew: Digests = plan.redeployed().map(|(container, now)| (container.to_owned(), now.to_owned())).collect();
        if !anew.is_empty() {
            self.redeployed = anew;
        }
        self.rotated = plan.rotated().or(self.rotated);
    }

    /// What the last task of a revision wrote that failed.
    pub fn last_lines_of(&self, revision: Option<&Arn>) -> Option<&LogLines> {
        self.last_lines.as_ref().filter(|(ran, _)| Some(ran) == revision)?.1.as_ref()
    }

    /// The images that a service runs, where they were seen before.
    pub fn runs(&self, facts: &ServiceFacts) -> Option<&Digests> {
        let (deployment, digests) = self.runs.as_ref()?;
        let same = facts.primary().is_some_and(|primary| primary.id == *deployment);
        (same && !facts.is_rolling_out()).then_some(digests)
    }
}

/// A kind that is planned: one row of [`crate::kind::KINDS`].
#[derive(Clone, Copy)]
pub struct KindSpec {
    /// The kind.
    pub kind: Kind,
    /// Plans the kind's resources of one service.
    pub plan: fn(&mut Planner<'_>),
}

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'i> {
    /// What git says.
    pub desired: &'i Desired,
    /// The commit.
    pub revision: Option<&'i Revision>,
    /// What AWS said.
    pub snapshot: &'i Snapshot,
    /// The shapes of AWS's inputs.
    pub shapes: &'i Shapes,
    /// What may be done.
    pub policy: Policy<'i>,
    /// What is remembered, by service.
    pub memory: &'i BTreeMap<ServiceName, Memory>,
    /// The kinds, in their order.
    pub kinds: &'i [KindSpec],
    /// The rollbacks that are in force: what `desired` says of these services is of an earlier commit.
    pub rolled_back: &'i BTreeMap<ServiceName, RolledBack>,
    /// Now.
    pub now: Timestamp,
}

/// Either a plan, or what must be read before there can be one.
#[derive(Debug)]
pub enum Planned {
    /// Everything was known.
    Plan(Plan),
    /// These must be looked at first.
    Wanted(BTreeSet<ResourceId>),
}

/// Plans `services`, or all of them when `None`.
pub fn plan(inputs: &Inputs<'_>, services: Option<&BTreeSet<ServiceName>>) -> Planned {
    let chosen =
        inputs.desired.services.values().filter(|declared| services.is_none_or(|s| s.contains(&declared.name)));
    let mut wanted = BTreeSet::new();
    let mut plans = Vec::new();
    for declared in chosen {
        let (plan, wants) = plan_service(inputs, declared);
        wanted.extend(wants);
        plans.push(plan);
    }
    if !wanted.is_empty() {
        return Planned::Wanted(wanted);
    }
    let plan = Plan { revision: inputs.revision.cloned(), read_at: inputs.snapshot.taken_at, services: plans };
    Planned::Plan(plan)
}

fn plan_service(inputs: &Inputs<'_>, declared: &Declared) -> (ServicePlan, BTreeSet<ResourceId>) {
    let memory = inputs.memory.get(&declared.name).cloned().unwrap_or_default();
    let mut planner = Planner::new(inputs, declared, memory);
    for kind in inputs.kinds {
        (kind.plan)(&mut planner);
    }
    let (mut plan, mut wanted) = planner.finish();
    if !plan.steps.is_empty() && matches!(plan.cause, Cause::Deploy | Cause::Create) {
        for (name, _) in &declared.depends_on {
            let (live, wants) = is_live(inputs, name);
            wanted.extend(wants);
            if !live {
                plan.holds.push(Hold::WaitsFor { service: name.clone(), id: None });
            }
        }
    }
    (plan, wanted)
}

/// Whether a service runs what git says, all of it. What is not declared, or with errors, never is. Ends because nothing
/// depends on itself (`desired::guard`).
fn is_live(inputs: &Inputs<'_>, name: &ServiceName) -> (bool, BTreeSet<ResourceId>) {
    let Some(declared) = inputs.desired.services.get(name) else { return (false, BTreeSet::new()) };
    let (plan, wanted) = plan_service(inputs, declared);
    let rollout = inputs.snapshot.service(name).map(|facts| rollout(facts, plan.task_definition.as_ref()));
    (plan.is_in_sync() && rollout == Some(Rollout::Completed), wanted)
}

/// What the whole of the policy holds, once everything else is known.
fn policy_holds(
    plan: &ServicePlan,
    declared: &Declared,
    policy: Policy<'_>,
    memory: &Memory,
    now: Timestamp,
) -> Option<Hold> {
    if plan.steps.is_empty() {
        return None;
    }
    if let Some(pause) = &plan.paused {
        return Some(Hold::Paused { pause: pause.clone() });
    }
    if policy.asked {
        return None;
    }
    match (declared.sync.mode, plan.cause) {
        (Mode::Detect, _) => Some(Hold::DetectOnly),
        (Mode::Manual, _) => Some(Hold::Manual),
        (Mode::Auto, Cause::Drift) if declared.sync.reported.len() == Section::ALL.len() => Some(Hold::DriftReported),
        (Mode::Auto, Cause::Drift) => {
            let until = memory.corrected_at?.checked_add(declared.sync.min_interval).ok()?;
            (now < until).then_some(Hold::TooSoon { until })
        }
        (
            Mode::Auto,
            Cause::InSync | Cause::Deploy | Cause::Create | Cause::Remove | Cause::Blocked | Cause::Unknown,
        ) => None,
    }
}
