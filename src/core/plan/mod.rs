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
mod hold;
mod memory;
mod note;
mod planner;
pub mod text;
mod window;

use super::act::Act;
use super::action::{Action, Effect};
use super::before::Before;
use super::desired::{Declared, Desired, Mode, Section};
use super::diff::Change;
use super::id::{Arn, Kind, RepoPath, ResourceId, Revision, ServiceId, ServiceName, StepId};
use super::observed::{Live, Snapshot};
use super::pause::Pause;
use super::rollback::RolledBack;
use super::rollout::{Rollout, rollout};
use super::shape::Shapes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use hold::Hold;
pub use memory::Memory;
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
