//! One pass over some services of one environment: read together, planned and carried out each on its own.

use super::account::Account;
use super::before;
use super::engine::{PANICKED, Task, followed, look_at_rollouts, panic_text, plan_services, rollout_of};
use super::environment::Environment;
use super::execute::{Stop, execute};
use super::images::{self, look_at_what_ended, running};
use super::intents::Intents;
use super::lines::{keep_last_lines, lines_of};
use super::rebuild::rebuilt;
use super::recorder::Recorder;
use crate::aws::apply::apply;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::aws::tables;
use crate::core::event::{Tasks, What};
use crate::core::id::{Arn, Kind, ResourceId, Revision, ServiceId, ServiceName, SourceName};
use crate::core::log_lines::LogLines;
use crate::core::observed::{Observed, ServiceFacts, Snapshot};
use crate::core::plan::{Cause, Hold, Memory, Policy, ServicePlan, Step};
use crate::core::retry::Class;
use crate::core::rollout::Rollout;
use crate::http::metrics::Outcome;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After a write: time for AWS to show it.
const AFTER_WRITE: Duration = Duration::from_secs(2);
/// How often a rollout is looked at: a failed deployment is gone from DescribeServices soon after ECS rolled it back.
const DURING_ROLLOUT: Duration = Duration::from_secs(3);

/// How long tidying up may keep a service from its next pass: behind many others it would wait for its turn for minutes.
const TIDY_LIMIT: Duration = Duration::from_secs(5);

/// What one pass works with.
#[derive(Clone)]
pub struct Pass {
    pub environment: Arc<Environment>,
    pub account: Arc<Account>,
    pub memory: BTreeMap<ServiceName, Memory>,
    pub intents: Arc<Mutex<Intents>>,
    pub recorder: Arc<Recorder>,
    pub stop: CancellationToken,
}

/// What was seen of a service: itself, its rollout, its images, what the last task wrote that failed.
type Seen = (Option<ServiceFacts>, Option<Rollout>, images::Seen, Option<LogLines>);

/// How the pass over one service ended.
pub struct Ended {
    pub service: ServiceId,
    pub memory: Memory,
    pub next: Next,
    /// The commit that it was made with.
    pub commit: Revision,
}

/// When a service is looked at again.
pub enum Next {
    /// After this time.
    After(Duration),
    /// At the usual interval.
    Interval,
    /// When this moment has come, or at the usual interval where that is sooner.
    At(Timestamp),
    /// It failed.
    Retry {
        /// Why, for people.
        why: String,
        /// What that means.
        class: Class,
    },
}

/// Looks at the services of `pass.memory` and sends one [`Ended`] for each, whatever happens.
pub async fn run(pass: Pass, results: mpsc::UnboundedSender<Ended>, tasks: TaskTracker) {
    let began = Instant::now();
    let source = &pass.environment.source;
    let desired = &pass.environment.desired;
    for name in pass.memory.keys() {
        pass.recorder.record(source, What::Started { service: desired.service_id(name) });
    }
    let observer = match pass.account.observer(&desired.environment.scope).await {
        Ok(observer) => observer,
        Err(refused) => {
            for name in pass.memory.keys() {
                let next = Next::Retry { why: refused.why.clone(), class: refused.class };
                pass.end(name, Outcome::Failed, began, next, None, &results);
            }
            return;
        }
    };
    let (mut plans, mut snapshot) = pass.plan(&observer).await;
    look_at_rollouts(&observer, &pass.wanted(&plans), pass.urgency(), &mut snapshot).await;
    rebuild(&pass, &observer, &plans, &snapshot).await;
    let failed = judge(&pass, &plans, &snapshot);
    if !failed.is_empty() {
        note_failures(&observer, &plans, failed.keys(), &snapshot).await;
        let (again, _) = pass.plan_with(&observer, failed.clone(), snapshot.clone()).await;
        plans.extend(again);
    }
    // Why it failed is kept: ECS shows stopped tasks for an hour only.
    let mut memory = pass.memory.clone().into_iter().chain(failed).collect();
    keep_last_lines(&observer, desired, &pass.wanted(&plans), &mut memory, &mut snapshot).await;
    let pass = Pass { memory, ..pass };
    note_ends(&pass, &observer, &plans, &snapshot).await;
    look_at_what_ended(&observer, &pass.memory, &mut snapshot).await;
    // What git no longer declares, or declares with errors, has no plan.
    for name in pass.memory.keys().filter(|name| !plans.contains_key(*name)) {
        pass.end(name, Outcome::NoChange, began, Next::Interval, None, &results);
    }
    for (name, plan) in plans {
        let (pass, observer, results) = (pass.clone(), observer.clone(), results.clone());
        let facts = snapshot.service(&name).cloned();
        let wanted = pass.wanted_of(&name, plan.as_ref().ok());
        let state = followed(&snapshot, pass.environment.desired.services.get(&name), &name, wanted.as_ref());
        let memory = pass.memory.get(&name);
        let lines = memory.and_then(|memory| memory.last_lines_of(wanted.as_ref())).cloned();
        let images = facts.as_ref().map(|facts| running(&snapshot, &name, facts, memory)).unwrap_or_default();
        // A task each: a panic in one service's pass ends that pass alone.
        let inner = {
            let (pass, name, results) = (pass.clone(), name.clone(), results.clone());
            tokio::spawn(async move {
                pass.carry_out(&observer, &name, plan, (facts, state, images, lines), began, &results).await
            })
        };
        tasks.spawn(async move {
            if let Err(error) = inner.await {
                let text = error.try_into_panic().map_or_else(|_| "cancelled".into(), |panic| panic_text(&*panic));
                pass.recorder.metrics().panicked();
                let next = Next::Retry { why: format!("the pass panicked: {text}"), class: Class::Terminal };
                pass.end(&name, Outcome::Failed, began, next, None, &results);
            }
        });
    }
}

/// Services whose last rollout ECS gave up on, or undid, with the memory of it: they are planned again, on hold.
fn judge(
    pass: &Pass,
    plans: &BTreeMap<ServiceName, super::engine::Result>,
    snapshot: &Snapshot,
) -> BTreeMap<ServiceName, Memory> {
    let failed = plans.iter().filter_map(|(name, plan)| {
        let plan = plan.as_ref().ok()?;
        let mut memory = pass.memory.get(name)?.clone();
        // Only what was asked for by this very declaration can have failed: by this process, or by one before it.
        let wanted = match () {
            () if memory.failed.is_some() => None,
            () if memory.applied.as_ref() == Some(&plan.digest) => memory.rolling.clone(),
            () if plan.has_failed() => plan.due().cloned(),
            () => None,
        }?;
        match rollout_of(snapshot, name, Some(&wanted))? {
            Rollout::Failed { reason, .. } => {
                memory.failed = Some((plan.digest.clone(), reason));
                Some((name.clone(), memory))
            }
            _ => None,
        }
    });
    failed.collect()
}

/// Writes down in AWS what ECS could not bring up. When that fails, this process still remembers it.
async fn note_failures(
    observer: &Observer,
    plans: &BTreeMap<ServiceName, super::engine::Result>,
    failed: impl Iterator<Item = &ServiceName>,
    snapshot: &Snapshot,
) {
    for name in failed {
        let live = snapshot.live(&ResourceId::new(Kind::Service, name.as_str()));
        let plan = plans.get(name).and_then(|plan| plan.as_ref().ok());
        let Some(action) = plan.zip(live).and_then(|(plan, live)| plan.mark_failed(live)) else { continue };
        if let Err(error) = apply(&observer.clients, &action, action.input.document.clone(), Priority::Commit).await {
            tracing::warn!(event = "not_noted", service = %name, %error, "the failed rollout could not be noted in AWS");
        }
    }
}

/// Writes down how tasks before rollouts ended.
async fn note_ends(
    pass: &Pass,
    observer: &Observer,
    plans: &BTreeMap<ServiceName, super::engine::Result>,
    snapshot: &Snapshot,
) {
    for plan in plans.values().filter_map(|plan| plan.as_ref().ok()) {
        // Where somebody applies by hand, that notes it.
        if plan.holds.iter().any(|hold| matches!(hold, Hold::Manual | Hold::DetectOnly)) {
            continue;
        }
        let live = snapshot.live(&ResourceId::new(Kind::Service, plan.id.service.as_str()));
        for end in before::note(observer, plan, live.map(|live| &**live)).await {
            let declared = pass.environment.desired.services.get(&plan.id.service);
            let most = declared.map_or(0, |declared| declared.follow.log_lines);
            let lines = if end.failed.is_some() { lines_of(observer, end, most, snapshot).await } else { None };
            let what = What::Ran { service: plan.id.clone(), end: Box::new(end.clone()), lines };
            pass.recorder.record(&pass.environment.source, what);
        }
    }
}

/// Where there is no history, what ECS still knows stands for it.
async fn rebuild(
    pass: &Pass,
    observer: &Observer,
    plans: &BTreeMap<ServiceName, super::engine::Result>,
    snapshot: &Snapshot,
) {
    let history = pass.recorder.history();
    for name in pass.memory.keys().filter(|name| !name.is_shared()) {
        let service = pass.environment.desired.service_id(name);
        match snapshot.get(&ResourceId::new(Kind::Service, name.as_str())) {
            Some(Observed::Present(_)) if history.wants_rebuilding(&service) => {}
            Some(Observed::Absent) => {
                history.give_up_rebuilding(&service);
                continue;
            }
            Some(Observed::Present(_) | Observed::Unknown { .. }) | None => continue,
        }
        let plan = plans.get(name).and_then(|plan| plan.as_ref().ok());
        match rebuilt(observer, snapshot, service.clone(), plan, Some(&pass.environment.past)).await {
            Ok(what) => what.into_iter().for_each(|what| pass.recorder.record(&pass.environment.source, what)),
            Err(error) => {
                // What may pass is asked again with the next pass.
                if error.class().is_alarming() {
                    history.give_up_rebuilding(&service);
                }
                tracing::warn!(event = "history_not_rebuilt", %service, %error, "{service}: its history could not be rebuilt");
            }
        }
    }
}

impl Pass {
    async fn plan(&self, observer: &Observer) -> (BTreeMap<ServiceName, super::engine::Result>, Snapshot) {
        if self.only_follows() {
            let recent = observer.recent(Timestamp::now());
            let (plans, snapshot) = self.plan_with(observer, self.memory.clone(), recent).await;
            let writes = |plan: &ServicePlan| !plan.steps.is_empty() && plan.holds.is_empty();
            // What is written is planned from what was read for it.
            if !plans.values().flatten().any(writes) {
                return (plans, snapshot);
            }
        }
        self.plan_with(observer, self.memory.clone(), Snapshot::new(Timestamp::now())).await
    }

    async fn plan_with(
        &self,
        observer: &Observer,
        memory: BTreeMap<ServiceName, Memory>,
        mut snapshot: Snapshot,
    ) -> (BTreeMap<ServiceName, super::engine::Result>, Snapshot) {
        let task = Task {
            desired: &self.environment.desired,
            revision: Some(&self.environment.commit.revision),
            services: memory.keys().cloned().collect(),
            memory,
            policy: Policy::default(),
            priority: self.urgency(),
            kinds: crate::kind::KINDS,
            past: Some(&self.environment.past),
        };
        let plans = plan_services(observer, &tables::shapes(), &task, &mut snapshot).await;
        (plans, snapshot)
    }

    /// Whether everything was written that git says, and only its rollouts are followed.
    fn only_follows(&self) -> bool {
        self.memory.iter().all(|(name, memory)| {
            let declared = self.environment.desired.services.get(name);
            memory.rolling.is_some() && declared.is_some_and(|known| memory.applied.as_ref() == Some(&known.digest))
        })
    }

    /// What a commit changed, and what was not brought up yet, is read before what is only looked at again.
    fn urgency(&self) -> Priority {
        let applied = |(name, memory): (&ServiceName, &Memory)| {
            let declared = self.environment.desired.services.get(name);
            let known = [&memory.applied, &memory.settled];
            declared.is_none_or(|declared| known.iter().any(|digest| digest.as_ref() == Some(&declared.digest)))
        };
        if self.memory.iter().all(applied) { Priority::Drift } else { Priority::Commit }
    }

    /// The revision that a service is to run.
    fn wanted_of(&self, name: &ServiceName, plan: Option<&ServicePlan>) -> Option<Arn> {
        let planned = plan.and_then(|plan| plan.due().cloned());
        planned.or_else(|| self.memory.get(name)?.rolling.clone())
    }

    fn wanted(&self, plans: &BTreeMap<ServiceName, super::engine::Result>) -> BTreeMap<ServiceName, Option<Arn>> {
        plans.iter().map(|(name, plan)| (name.clone(), self.wanted_of(name, plan.as_ref().ok()))).collect()
    }

    async fn carry_out(
        &self,
        observer: &Observer,
        name: &ServiceName,
        plan: super::engine::Result,
        (facts, state, images, lines): Seen,
        began: Instant,
        results: &mpsc::UnboundedSender<Ended>,
    ) {
        let source: &SourceName = &self.environment.source;
        let plan = match plan {
            Ok(plan) => Arc::new(plan),
            Err(why) => {
                if why.starts_with(PANICKED) {
                    self.recorder.metrics().panicked();
                }
                return self.end(
                    name,
                    Outcome::Failed,
                    began,
                    Next::Retry { why, class: Class::Terminal },
                    None,
                    results,
                );
            }
        };
        let mut memory = self.memory.get(name).cloned().unwrap_or_default();
        remember(&mut memory, &plan, state.as_ref());
        if plan.is_in_sync() {
            memory.settled = self.environment.desired.services.get(name).map(|declared| declared.digest.clone());
        }
        // What the tasks died of is shown by ECS for an hour, and remembered here.
        let state = match (state, &memory.failed) {
            (Some(Rollout::Failed { rolled_back, .. }), Some((_, reason))) => {
                Some(Rollout::Failed { reason: reason.clone(), rolled_back })
            }
            (state, _) => state,
        };
        if let Some(facts) = &facts {
            images.remember(&mut memory, facts);
        }
        // What failed was seen: ECS had taken it on.
        if plan.is_in_sync() || plan.has_failed() {
            lock(&self.intents).seen(name);
        }
        // What services share has no tasks: it is done when it is as git says.
        let nothing = || (ServiceFacts::default(), Rollout::Completed);
        let shown = facts.zip(state.clone()).or_else(|| name.is_shared().then(nothing));
        let tasks = shown.map(|(facts, rollout)| Tasks::new(facts, rollout, images.shown, lines));
        let commit = self.environment.commit.clone();
        let changed_by = self.environment.changed_by.get(name).cloned().map(Box::new);
        let tasks = tasks.map(Box::new);
        self.recorder.record(source, What::Planned { plan: plan.clone(), commit, changed_by, tasks });
        let unreadable = plan.holds.iter().find(|hold| matches!(hold, Hold::Unreadable { .. }));
        let (outcome, next) = match (unreadable, plan.steps.is_empty(), plan.holds.is_empty()) {
            (Some(hold), _, _) => (Outcome::Failed, Next::Retry { why: hold.to_string(), class: Class::Transient }),
            (None, true, true) => {
                if state == Some(Rollout::Completed) && !plan.chores.is_empty() {
                    self.tidy_up(observer, &plan).await;
                }
                (Outcome::NoChange, quiet(state.as_ref()))
            }
            (None, _, false) => (Outcome::Held, held(&plan, state.as_ref())),
            (None, false, true) => self.write(observer, &plan, &mut memory).await,
        };
        self.end(name, outcome, began, next, Some(memory), results);
    }

    /// Does what is left to do behind a service that is live. Nothing depends on it: what fails is tried with another pass.
    async fn tidy_up(&self, observer: &Observer, plan: &ServicePlan) {
        let record = |step: &Step, arn: Option<&Arn>| {
            let (service, operation) = (plan.id.clone(), step.action.call.operation());
            let what = What::Done { service, operation, cause: plan.cause, effect: step.effect, arn: arn.cloned() };
            self.recorder.record(&self.environment.source, what);
        };
        let chores = plan.tidying();
        let done = execute(observer, &chores, &self.intents, Priority::Sweep, &self.stop, record);
        // A call that is given up may have been done: the next pass reads what is there, and to do it twice is no harm.
        if let Ok(Err(Stop::Refused(error))) = tokio::time::timeout(TIDY_LIMIT, done).await {
            let service = &plan.id;
            tracing::warn!(event = "not_tidied", %service, %error, "{service}: an old revision could not be deregistered");
        }
    }

    /// Carries out the steps.
    async fn write(&self, observer: &Observer, plan: &Arc<ServicePlan>, memory: &mut Memory) -> (Outcome, Next) {
        let priority = if plan.cause == Cause::Drift { Priority::Drift } else { Priority::Commit };
        let mut written = 0;
        let done = execute(observer, plan, &self.intents, priority, &self.stop, |step, arn| {
            written += 1;
            memory.done(plan, step, arn);
            let what = What::Done {
                service: plan.id.clone(),
                operation: step.action.call.operation(),
                cause: plan.cause,
                effect: step.effect,
                arn: arn.cloned(),
            };
            self.recorder.record(&self.environment.source, what);
        })
        .await;
        if written > 0 {
            memory.begun = Some(plan.digest.clone());
        }
        if written > 0 && plan.cause == Cause::Drift {
            memory.corrected_at = Some(Timestamp::now());
        }
        match done {
            // What is gone back to is applied when ECS has done its part.
            Ok(()) if plan.is_answer() => (Outcome::Changed, Next::After(AFTER_WRITE)),
            Ok(()) => {
                // A correction is done at once; a rollout has steps that follow it.
                memory.begun.take_if(|_| plan.cause == Cause::Drift);
                memory.carried_out(plan);
                // It is tried again: what becomes of it is judged anew.
                memory.failed = None;
                memory.last_lines = None;
                // An image or a secret that fails is no failure of what git says: ECS's own history remembers it.
                if plan.deploys_anew() {
                    memory.rolling = None;
                }
                (Outcome::Changed, Next::After(AFTER_WRITE))
            }
            Err(Stop::Waiting(_)) => (Outcome::Held, Next::After(AFTER_WRITE)),
            Err(stop) => (Outcome::Failed, Next::Retry { class: stop.class(), why: stop.to_string() }),
        }
    }

    fn end(
        &self,
        name: &ServiceName,
        outcome: Outcome,
        began: Instant,
        next: Next,
        memory: Option<Memory>,
        results: &mpsc::UnboundedSender<Ended>,
    ) {
        self.recorder.metrics().reconciled(outcome, began.elapsed(), Timestamp::now());
        let memory = memory.or_else(|| self.memory.get(name).cloned()).unwrap_or_default();
        let service = self.environment.desired.service_id(name);
        // Nobody takes it any more only when everything stops.
        let _ = results.send(Ended { service, memory, next, commit: self.environment.commit.revision.clone() });
    }
}

/// What is in sync was applied; what was never brought up before is not judged.
fn remember(memory: &mut Memory, plan: &ServicePlan, state: Option<&Rollout>) {
    memory.await_images(plan);
    if plan.is_in_sync() {
        memory.applied = Some(plan.digest.clone());
        memory.begun = None;
        // What was asked for before is not, any more.
        if memory.rolling.is_some() {
            memory.rolling.clone_from(&plan.task_definition);
        }
        if state == Some(&Rollout::Completed) {
            // It has been live: what happens from here on is drift, not a failed rollout.
            memory.rolling = None;
            memory.failed = None;
        }
    }
    if memory.failed.as_ref().is_some_and(|(digest, _)| *digest != plan.digest) {
        memory.failed = None;
    }
    // Going back is as urgent as a commit until it is done.
    if plan.rolled_back.is_some() && !plan.is_in_sync() {
        memory.applied.take_if(|digest| *digest != plan.digest);
        memory.settled = None;
    }
}

fn quiet(state: Option<&Rollout>) -> Next {
    match state {
        Some(Rollout::InProgress { .. } | Rollout::Waiting { .. }) => Next::After(DURING_ROLLOUT),
        Some(Rollout::Completed | Rollout::Failed { .. } | Rollout::Unhealthy { .. }) | None => Next::Interval,
    }
}

/// What holds a plan decides when it is worth looking again.
fn held(plan: &ServicePlan, state: Option<&Rollout>) -> Next {
    let soon = plan.holds.iter().any(Hold::passes);
    let opens = plan.holds.iter().find_map(|hold| match hold {
        Hold::WindowClosed { until, .. } => *until,
        _ => None,
    });
    match (soon, state, opens) {
        (true, ..) | (_, Some(Rollout::InProgress { .. } | Rollout::Waiting { .. }), _) => Next::After(DURING_ROLLOUT),
        (false, _, Some(opens)) => Next::At(opens),
        (false, _, None) => Next::Interval,
    }
}

fn lock(intents: &Mutex<Intents>) -> std::sync::MutexGuard<'_, Intents> {
    intents.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::before::Before;
    use crate::core::id::RepoPath;

    fn on_hold(holds: Vec<Hold>) -> ServicePlan {
        ServicePlan {
            id: ServiceId { cluster: "main".into(), service: "web".into() },
            file: RepoPath::new("services/web.yaml"),
            cause: Cause::Deploy,
            changes: Vec::new(),
            steps: Vec::new(),
            holds,
            notes: Vec::new(),
            same: 0,
            digest: String::new(),
            task_definition: None,
            paused: None,
            rolled_back: None,
            before: Before::default(),
            chores: Vec::new(),
            act: None,
        }
    }

    #[test]
    fn what_waits_for_a_window_is_looked_at_when_it_opens() {
        let opens: Timestamp = "2026-11-23T07:00:00Z".parse().unwrap();
        let closed = |until| Hold::WindowClosed { window: "deny fri 16:00-mon 08:00 UTC".into(), until };
        let next = |holds, state| held(&on_hold(holds), state);
        assert!(matches!(next(vec![closed(Some(opens))], Some(&Rollout::Completed)), Next::At(at) if at == opens));
        assert!(matches!(next(vec![closed(None)], Some(&Rollout::Completed)), Next::Interval));
        assert!(matches!(next(vec![Hold::Manual], Some(&Rollout::Completed)), Next::Interval));
        // What goes on is looked at sooner.
        let soon = next(vec![closed(Some(opens)), Hold::Draining], Some(&Rollout::Completed));
        assert!(matches!(soon, Next::After(DURING_ROLLOUT)));
    }
}
