//! What the API, the page and the metrics show: a fold of events, the same for all of them.

use super::event::{Event, Tasks, What};
use super::id::{ServiceId, SourceName};
use super::plan::{Cause, ServicePlan};
use super::problem::Problem;
use super::rollout::Rollout;
use super::source::Commit;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Everything that is shown.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The sources by name.
    pub sources: BTreeMap<SourceName, SourceStatus>,
    /// The services, by cluster and name.
    pub services: BTreeMap<ServiceId, ServiceStatus>,
}

/// One source.
#[derive(Debug, Clone, Default)]
pub struct SourceStatus {
    /// The commit that is in force.
    pub commit: Option<Commit>,
    /// When git was last asked with success.
    pub fetched_at: Option<Timestamp>,
    /// Why git could not be asked since then.
    pub error: Option<String>,
    /// Whether the branch was rewound, and not moved forward since.
    pub rewound: bool,
    /// What is wrong in the files.
    pub problems: Arc<Vec<Problem>>,
}

/// One service.
#[derive(Debug, Clone)]
pub struct ServiceStatus {
    /// The source that declares it.
    pub source: SourceName,
    /// The last plan.
    pub plan: Option<Arc<ServicePlan>>,
    /// The commit that the last plan was made from.
    pub commit: Option<Commit>,
    /// When AWS was last seen whole.
    pub checked_at: Option<Timestamp>,
    /// How its tasks are doing.
    pub tasks: Option<Tasks>,
    /// Why the last pass did not reach its end, and when it is tried again.
    pub error: Option<(String, Timestamp)>,
    /// Whether its files have errors: what is shown is of the commit before.
    pub broken: bool,
    /// Whether it left git. Nothing of it is deleted.
    pub left: bool,
    /// The state that is shown, and since when.
    pub since: Timestamp,
    last: State,
}

/// One headline state a service, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The last rollout failed; the old version serves, or nothing does.
    Failed,
    /// No fresh data: never shown as green.
    Unknown,
    /// AWS differs from git and git did not change.
    Drifted,
    /// Somebody paused it: nothing is changed.
    Paused,
    /// It was rolled back: an earlier commit is followed for it until git says something new.
    Held,
    /// A rollout waits for a person's approval.
    Waiting,
    /// ECS is replacing tasks.
    Deploying,
    /// Git has something that is not applied.
    Pending,
    /// Git's settings, completed rollout, all tasks running.
    Live,
}

/// All states, for metrics and filters.
pub const STATES: [State; 9] = [
    State::Failed,
    State::Unknown,
    State::Drifted,
    State::Paused,
    State::Held,
    State::Waiting,
    State::Deploying,
    State::Pending,
    State::Live,
];

impl State {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            State::Failed => "failed",
            State::Unknown => "unknown",
            State::Drifted => "drifted",
            State::Paused => "paused",
            State::Held => "held",
            State::Waiting => "waiting",
            State::Deploying => "deploying",
            State::Pending => "pending",
            State::Live => "live",
        }
    }

    /// A mark that does not need colour.
    pub fn mark(self) -> &'static str {
        match self {
            State::Failed => "✕",
            State::Unknown => "?",
            State::Drifted => "≠",
            State::Paused => "‖",
            State::Held => "↩",
            State::Waiting => "!",
            State::Deploying => "▶",
            State::Pending => "…",
            State::Live => "✓",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl ServiceStatus {
    fn new(source: SourceName, at: Timestamp) -> Self {
        Self {
            source,
            plan: None,
            commit: None,
            checked_at: None,
            tasks: None,
            error: None,
            broken: false,
            left: false,
            since: at,
            last: State::Unknown,
        }
    }

    /// The headline state. What was not seen for `stale_after` is unknown.
    pub fn state(&self, now: Timestamp, stale_after: Duration) -> State {
        let age = self.checked_at.map(|at| now.duration_since(at));
        if age.is_none_or(|age| age > SignedDuration::try_from(stale_after).unwrap_or(SignedDuration::MAX)) {
            return State::Unknown;
        }
        self.fresh_state()
    }

    fn fresh_state(&self) -> State {
        let Some(plan) = &self.plan else { return State::Unknown };
        let Some(tasks) = &self.tasks else {
            // What is not there yet has no tasks to be seen.
            return match plan.cause {
                Cause::Create if plan.has_failed() => State::Failed,
                Cause::Create | Cause::Blocked if plan.is_whole() => State::Pending,
                _ => State::Unknown,
            };
        };
        match (&tasks.rollout, plan.cause) {
            (Rollout::Failed { .. }, _) => State::Failed,
            _ if plan.has_failed() => State::Failed,
            // What was not seen whole is neither called fine nor drifted (promise R22); the reason says what is missing.
            _ if !plan.is_whole() => State::Unknown,
            (_, Cause::Unknown) => State::Unknown,
            (Rollout::Waiting { .. }, _) => State::Waiting,
            _ if plan.paused.is_some() => State::Paused,
            (_, Cause::Drift) => State::Drifted,
            (_, Cause::Deploy | Cause::Create | Cause::Remove) => State::Pending,
            (_, Cause::Blocked) => State::Pending,
            (_, Cause::InSync) if !plan.holds.is_empty() || self.broken => State::Pending,
            (Rollout::InProgress { .. }, Cause::InSync) => State::Deploying,
            (Rollout::Unhealthy { .. }, Cause::InSync) => State::Failed,
            (Rollout::Completed, Cause::InSync) if plan.rolled_back.is_some() => State::Held,
            (Rollout::Completed, Cause::InSync) => State::Live,
        }
    }

    /// Whether git is not followed as it stands: something is on hold, or the service is rolled back.
    pub fn is_held(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| !plan.holds.is_empty() || plan.rolled_back.is_some())
    }

    /// One sentence: why it is not live, or what runs.
    pub fn sentence(&self, now: Timestamp, stale_after: Duration) -> String {
        let plan = self.plan.as_deref();
        let hold = plan.and_then(|plan| plan.holds.first()).map(ToString::to_string);
        match self.state(now, stale_after) {
            State::Unknown => match (&self.error, hold) {
                (Some((why, _)), _) => why.clone(),
                (None, Some(hold)) => hold,
                (None, None) => "AWS was not read yet, or too long ago".into(),
            },
            State::Failed => match (hold, self.tasks.as_ref().map(|tasks| &tasks.rollout)) {
                (Some(hold), _) => hold,
                (None, Some(Rollout::Failed { reason, .. } | Rollout::Unhealthy { reason })) => reason.clone(),
                (None, _) => "the rollout failed".into(),
            },
            State::Waiting => match self.tasks.as_ref().map(|tasks| &tasks.rollout) {
                Some(Rollout::Waiting { pause }) => pause.to_string(),
                _ => "waits for approval".into(),
            },
            State::Held => match plan.and_then(|plan| plan.rolled_back.as_ref()) {
                Some(rolled) => format!("{rolled}; held until a newer commit changes it (driftless retry ends it)"),
                None => "held".into(),
            },
            State::Paused => {
                let differences = plan.map_or(0, |plan| plan.changes.len().max(plan.steps.len()));
                let pause = plan.and_then(|plan| plan.paused.as_ref()).map(ToString::to_string).unwrap_or_default();
                if differences > 0 { format!("{pause}; {differences} differences wait") } else { pause }
            }
            State::Drifted | State::Pending => match (hold, &self.error) {
                _ if self.broken => "its files have errors; the commit before stays in force".into(),
                (Some(hold), _) => hold,
                (None, Some((why, _))) => why.clone(),
                (None, None) => {
                    plan.map(|p| format!("{} differences", p.changes.len().max(p.steps.len()))).unwrap_or_default()
                }
            },
            State::Deploying => match self.tasks.as_ref().map(|tasks| &tasks.rollout) {
                Some(Rollout::InProgress { running, desired, failed, note }) => {
                    let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
                    let note = note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
                    format!("{running} of {desired} new tasks run{failed}{note}")
                }
                _ => "deploying".into(),
            },
            State::Live if self.left => "no longer in git; nothing of it is changed or deleted".into(),
            State::Live => {
                let runs = self.tasks.as_ref().and_then(|tasks| tasks.task_definition.as_ref());
                runs.map(|arn| arn.short().to_owned()).unwrap_or_default()
            }
        }
    }
}

/// How AWS's settings relate to git's: one of the two axes that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// They agree.
    InSync,
    /// Git has something that is not applied.
    Pending,
    /// AWS was changed.
    Drifted,
    /// Not known, or not fresh.
    Unknown,
}

/// How the tasks are doing: the other axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All that should run runs.
    Healthy,
    /// ECS is at it.
    Progressing,
    /// ECS gave up, or something else runs.
    Degraded,
    /// Not known, or not fresh.
    Unknown,
}

impl ServiceStatus {
    /// How AWS's settings relate to git's.
    pub fn sync(&self, now: Timestamp, stale_after: Duration) -> Sync {
        let stale = self.state(now, stale_after) == State::Unknown;
        match self.plan.as_ref().map(|plan| plan.cause) {
            _ if stale => Sync::Unknown,
            None | Some(Cause::Unknown) => Sync::Unknown,
            Some(Cause::InSync) if self.broken => Sync::Pending,
            Some(Cause::InSync) => Sync::InSync,
            Some(Cause::Drift) => Sync::Drifted,
            Some(Cause::Deploy | Cause::Create | Cause::Remove | Cause::Blocked) => Sync::Pending,
        }
    }

    /// How the tasks are doing.
    pub fn health(&self, now: Timestamp, stale_after: Duration) -> Health {
        let stale = self.state(now, stale_after) == State::Unknown;
        match self.tasks.as_ref().map(|tasks| &tasks.rollout) {
            _ if stale => Health::Unknown,
            None => Health::Unknown,
            Some(Rollout::Completed) => Health::Healthy,
            Some(Rollout::InProgress { .. } | Rollout::Waiting { .. }) => Health::Progressing,
            Some(Rollout::Failed { .. } | Rollout::Unhealthy { .. }) => Health::Degraded,
        }
    }
}

impl Status {
    /// Takes in what happened.
    pub fn apply(&mut self, event: &Event) {
        let Event { at, source, what } = event;
        let (at, source) = (*at, source.clone());
        match what {
            What::Fetched { commit, rewound } => {
                let status = self.sources.entry(source).or_default();
                // A branch that moves forward again from where it was rewound to is followed.
                let moved = status.commit.as_ref().is_some_and(|old| old.revision != commit.revision);
                status.rewound = *rewound || (status.rewound && !moved);
                status.commit = Some(commit.clone());
                status.fetched_at = Some(at);
                status.error = None;
            }
            What::FetchFailed { why } => self.sources.entry(source).or_default().error = Some(why.clone()),
            What::Read { problems, services, broken } => {
                self.sources.entry(source.clone()).or_default().problems = problems.clone();
                for id in services.iter().chain(broken) {
                    let service =
                        self.services.entry(id.clone()).or_insert_with(|| ServiceStatus::new(source.clone(), at));
                    service.source = source.clone();
                    service.broken = broken.contains(id);
                    service.left = false;
                }
            }
            What::Started { .. } | What::Done { .. } | What::Ran { .. } | What::Rebuilt { .. } => {}
            What::Planned { plan, commit, changed_by: _, tasks } => {
                let service = self.service(&plan.id, &source, at);
                service.commit = Some(commit.clone());
                service.error = None;
                if plan.cause != Cause::Unknown && plan.is_whole() {
                    service.checked_at = Some(at);
                }
                // What is not known now must not look as if it was: the old counts go.
                service.tasks = tasks.as_deref().cloned();
                service.plan = Some(plan.clone());
                service.turn(at);
            }
            What::Failed { service, why, class: _, again_at } => {
                let service = self.service(service, &source, at);
                service.error = Some((why.clone(), *again_at));
                service.turn(at);
            }
            What::Left { service } => self.service(service, &source, at).left = true,
        }
    }

    fn service(&mut self, id: &ServiceId, source: &SourceName, at: Timestamp) -> &mut ServiceStatus {
        self.services.entry(id.clone()).or_insert_with(|| ServiceStatus::new(source.clone(), at))
    }
}

impl ServiceStatus {
    fn turn(&mut self, at: Timestamp) {
        let state = self.fresh_state();
        if state != self.last {
            self.last = state;
            self.since = at;
        }
    }
}
