//! One-off tasks before a rollout (`rollout.before`): with the new revision, one after the other, and nothing of the rollout
//! before all of them have exited with 0.
//!
//! ```text
//! register -> run first -> (hold: it runs) -> run second -> (hold) -> update, rules, scaling, …
//!                                          \-> it failed: hold, until git, retry or apply says more
//! ```
//!
//! Which of them have run is a fact of AWS: the tasks themselves while ECS shows them, the revision's tag after that. What
//! succeeded with a revision is not run with it again; what failed is run again only for another declaration, or when
//! somebody asks. A task of the service that runs already, for whatever commit, is waited for: never two at a time.

use super::service::live_document;
use super::settle::late_in;
use crate::core::action::{Action, Call, Input};
use crate::core::before::{Attempt, BEFORE_TAG, End, Failure, Noted, OneOff, Run, started_by};
use crate::core::desired::BeforeTask;
use crate::core::id::{Kind, ResourceId};
use crate::core::normal::digest;
use crate::core::observed::{Facts, Live};
use crate::core::plan::{CONTENT_TAG, FAILED_UNTOLD, Hold, Look, Output, Planner, declared_tags};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a task gets of the service that it runs for: where it is placed, and its network.
const AS_THE_SERVICE: &[&str] = &[
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "enableECSManagedTags",
    "volumeConfigurations",
];

/// Plans the tasks before the rollout, where the plan brings the service to another revision.
pub fn plan(planner: &mut Planner<'_>) {
    let (Some(workload), tasks) = (planner.workload(), &planner.declared.before) else { return };
    let family = ResourceId::new(Kind::TaskDefinition, workload.family.as_str());
    let Some(output) = planner.outputs.get(&family).cloned() else { return };
    // What was applied once and is put back is no new rollout.
    if tasks.is_empty() || planner.applied_already() || !moves(planner, &output) {
        return;
    }
    // Of what waits for something else nothing is run; only why it failed is told better than the service's tag can.
    let other = |hold: &Hold| !matches!(hold, Hold::RolloutFailed { reason } if reason == FAILED_UNTOLD);
    let rollout = planner.plan.steps.iter().find(|step| is_rollout(&step.action)).map(|step| step.action.input.clone());
    if planner.plan.holds.iter().any(other) || (rollout.is_none() && planner.plan.holds.is_empty()) {
        return;
    }
    planner.plan.before.open = true;
    let list: String = digest(&tasks.iter().map(BeforeTask::to_value).collect()).chars().take(12).collect();
    let Some(found) = look(planner, tasks, &list, &family.name, &output) else { return };
    let Found { done, failed, ends, running } = found;
    planner.plan.before.ends = ends;
    if done == tasks.len() {
        planner.plan.before.open = false;
        return;
    }
    let declaration = planner.plan.short_digest();
    let mark = planner.retried_at();
    if let Some(failure) = failed.as_ref().filter(|failure| failure.attempt.is_last(&declaration, mark)) {
        planner.plan.before.failed = true;
        planner.plan.holds.retain(other);
        planner.hold(Hold::RolloutFailed { reason: failure.to_string() });
    }
    let Some(rollout) = rollout else { return };
    let again = failed.as_ref().is_some_and(|failure| failure.attempt.declaration == declaration);
    let attempt = Attempt { declaration, mark: mark.filter(|_| again) };
    let start = Start { rollout: &rollout, family: &family, output: &output };
    let mut next = done;
    if let Some(running) = running {
        let run = Run::parse(&running.group).filter(|run| has_revision(&running, &output) && run.list == list);
        if let Some(stop) = follow(planner, tasks, run.as_ref(), &running) {
            return planner.first(vec![stop]);
        }
        next += usize::from(run.is_some_and(|run| run.index == done));
    }
    let mut actions = Vec::new();
    for (index, task) in tasks.iter().enumerate().skip(next) {
        let run = Run { list: list.clone(), index, attempt: attempt.clone() };
        // The one that failed tells this try from that one, also where the declaration is an older one again.
        let after = failed.as_ref().filter(|_| index == done).map(|failure| failure.task.clone());
        actions.push(start.action(planner, task, &run, after));
    }
    planner.first(actions);
}

/// Whether an action begins the rollout of a revision.
fn is_rollout(action: &Action) -> bool {
    match action.call {
        Call::CreateService => true,
        Call::UpdateService => action.input.document.get("taskDefinition").is_some(),
        _ => false,
    }
}

/// The live service, unless it is gone.
fn live_service(planner: &Planner<'_>) -> Option<Arc<Live>> {
    let live = planner.inputs.snapshot.live(&planner.service_resource())?;
    match &live.facts {
        Facts::Service(facts) if facts.status != "INACTIVE" => Some(live.clone()),
        _ => None,
    }
}

/// Whether the service is to run another revision than it does.
fn moves(planner: &Planner<'_>, output: &Output) -> bool {
    let live = live_service(planner);
    let runs = live.as_deref().and_then(|live| match &live.facts {
        Facts::Service(facts) => facts.task_definition.as_ref(),
        _ => None,
    });
    match output {
        Output::Made(_) => true,
        Output::Known(arn) => runs != Some(arn),
    }
}

/// What is known of the declared tasks with a revision.
#[derive(Default)]
struct Found {
    /// How many of them, from the first on, have exited with 0.
    done: usize,
    /// The last failure of the one behind them.
    failed: Option<Failure>,
    /// Ends that the revision's tag does not say yet.
    ends: Vec<End>,
    /// A task before a rollout of this service that has not stopped.
    running: Option<OneOff>,
}

/// Looks at the tasks, and at what is noted on the revision. `None`: something is still to be read, or not readable.
fn look(planner: &mut Planner<'_>, tasks: &[BeforeTask], list: &str, family: &str, output: &Output) -> Option<Found> {
    let id = ResourceId::new(Kind::OneOffTasks, format!("{}/{family}", planner.declared.name));
    let all: Vec<OneOff> = match planner.look(&id) {
        Look::Present(live) => match &live.facts {
            Facts::OneOffs(all) => all.clone(),
            _ => Vec::new(),
        },
        Look::Absent => Vec::new(),
        Look::Later => return None,
    };
    let running = all.iter().find(|task| !task.has_stopped()).cloned();
    // With a revision that is not there nothing can have run.
    let Output::Known(arn) = output else { return Some(Found { running, ..Found::default() }) };
    let revision = ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str());
    let tags = match planner.look(&revision) {
        Look::Present(live) => live.tags.clone(),
        Look::Absent => BTreeMap::new(),
        Look::Later => return None,
    };
    let noted = Noted::of(&tags).filter(|noted| noted.list == list);
    let (done, failed) = noted.map_or((0, None), |noted| (noted.done, noted.failed));
    let mut found = Found { done, failed, ends: Vec::new(), running };
    let runs = |index: usize| {
        let is_it = move |run: &Run| run.list == list && run.index == index;
        let with = |task: &&OneOff| task.has_stopped() && task.ended.task_definition.as_ref() == Some(arn);
        all.iter().filter(with).filter_map(move |task| Some((task, Run::parse(&task.group).filter(is_it)?)))
    };
    while let Some(task) = tasks.get(found.done) {
        let failure = |one: &OneOff| one.failure(&task.name, &task.container);
        let ended = |found: &mut Found, one: &OneOff, failed: Option<Failure>| {
            let reason = failed.as_ref().map(|failure| failure.reason.clone());
            found.failed = failed;
            let noted = Noted { list: list.to_owned(), done: found.done, failed: found.failed.clone() };
            let tags = BTreeMap::from([(BEFORE_TAG.to_owned(), noted.tag_value())]);
            found.ends.extend(Action::tag(revision.clone(), arn, &tags).map(|note| End {
                name: task.name.clone(),
                container: task.container.clone(),
                task: one.arn.clone(),
                exit: one.exit(&task.container),
                failed: reason,
                note,
            }));
        };
        if let Some((one, _)) = runs(found.done).find(|(one, _)| failure(one).is_none()) {
            found.done += 1;
            ended(&mut found, one, None);
            continue;
        }
        let newest = runs(found.done).max_by_key(|(one, _)| one.created_at);
        if let Some((one, run)) = newest {
            let id = one.arn.short().to_owned();
            if found.failed.as_ref().is_none_or(|noted| noted.task != id) {
                let reason = failure(one).unwrap_or_default();
                ended(&mut found, one, Some(Failure { attempt: run.attempt, task: id, reason }));
            }
        }
        break;
    }
    Some(found)
}

/// Whether a task has the revision that is to be rolled out.
fn has_revision(task: &OneOff, output: &Output) -> bool {
    match output {
        Output::Known(arn) => task.ended.task_definition.as_ref() == Some(arn),
        Output::Made(_) => false,
    }
}

/// A task that has not stopped: it is waited for or, when its time is over, stopped. `run`: which of the declared ones it is.
fn follow(planner: &mut Planner<'_>, tasks: &[BeforeTask], run: Option<&Run>, running: &OneOff) -> Option<Action> {
    let task = run.and_then(|run| tasks.get(run.index));
    // What another commit declared is not known any more.
    let name = task.map_or_else(|| "a task of another commit".to_owned(), |task| task.name.clone());
    let limit = task.map(|task| task.timeout).or_else(|| tasks.iter().map(|task| task.timeout).max())?;
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    let over = running.created_at.is_some_and(|at| planner.inputs.now.duration_since(at) >= limit);
    if over && !running.stopping {
        let scope = &planner.inputs.desired.environment.scope;
        let reason = format!("it took longer than {limit:#} (rollout.before)");
        let document = json!({ "cluster": scope.cluster.as_str(), "task": running.arn.as_str(), "reason": reason });
        let target = task.map_or(running.arn.short(), |task| &task.name);
        let id = ResourceId::new(Kind::OneOffTask, format!("{}/{target}", planner.declared.name));
        return Some(Action::new(Call::StopTask, id, document));
    }
    planner.hold(Hold::Before {
        name,
        task: running.arn.clone(),
        status: running.status.clone(),
        since: running.created_at,
        at_most_seconds: limit.as_secs().unsigned_abs(),
    });
    None
}

/// What starting a task takes, the same for all of a plan.
struct Start<'s> {
    /// The input that begins the rollout.
    rollout: &'s Input,
    family: &'s ResourceId,
    output: &'s Output,
}

impl Start<'_> {
    /// RunTask. The same run has the same token and the same input in every process, so that ECS starts it once.
    fn action(&self, planner: &Planner<'_>, task: &BeforeTask, run: &Run, after: Option<String>) -> Action {
        let Self { rollout, family, output } = *self;
        let scope = &planner.inputs.desired.environment.scope;
        let live = live_service(planner);
        let mut map = as_the_service(live.as_deref(), rollout);
        let mut late = late_in(&rollout.late, AS_THE_SERVICE);
        match output {
            Output::Known(arn) => map.insert("taskDefinition".into(), json!(arn.as_str())),
            Output::Made(_) => {
                late.push(("/taskDefinition".into(), family.clone()));
                map.insert("taskDefinition".into(), Value::Null)
            }
        };
        let revision = self.revision(planner);
        let service = live.as_deref().map(|live| &live.tags);
        let mut tags = task_tags(rollout, live.as_deref(), &revision, service);
        tags.extend(planner.owner_tags());
        tags.insert(BEFORE_TAG.into(), task.name.clone());
        let tags: Vec<Value> = tags.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let content = match (revision.get(CONTENT_TAG), output) {
            (Some(content), _) => content.clone(),
            (None, Output::Known(arn)) => arn.as_str().to_owned(),
            (None, Output::Made(_)) => String::new(),
        };
        let place = format!("{}/{}/{}", scope.account, scope.region, scope.cluster);
        // At most 64 characters (RunTask, clientToken).
        let token = digest(&json!([place, planner.declared.name.as_str(), content, run.to_string(), after]));
        map.extend([
            ("cluster".to_owned(), json!(scope.cluster.as_str())),
            ("count".to_owned(), json!(1)),
            ("overrides".to_owned(), task.overrides()),
            ("startedBy".to_owned(), json!(started_by(planner.declared.name.as_str()))),
            ("group".to_owned(), json!(run.to_string())),
            ("clientToken".to_owned(), json!(token.chars().take(32).collect::<String>())),
            ("tags".to_owned(), json!(tags)),
        ]);
        let target = ResourceId::new(Kind::OneOffTask, format!("{}/{}", planner.declared.name, task.name));
        Action { call: Call::RunTask, target, input: Input { document: Value::Object(map), late } }
    }

    /// The tags of the revision, be it there or to be made.
    fn revision(&self, planner: &Planner<'_>) -> BTreeMap<String, String> {
        match self.output {
            Output::Known(arn) => {
                let id = ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str());
                planner.inputs.snapshot.live(&id).map(|live| live.tags.clone()).unwrap_or_default()
            }
            Output::Made(step) => {
                let step = planner.plan.steps.iter().find(|found| found.id == *step);
                step.map(|step| declared_tags(&step.action.input.document)).unwrap_or_default()
            }
        }
    }
}

/// The fields that a task has in common with its service: as the rollout sets them or, where it does not, as they are.
fn as_the_service(live: Option<&Live>, rollout: &Input) -> Map<String, Value> {
    let live = live.map(|live| live_document(&live.document));
    let mut map = Map::new();
    for field in AS_THE_SERVICE {
        let value = rollout.document.get(*field).or_else(|| live.as_ref()?.get(*field));
        map.extend(value.filter(|value| !is_empty(value)).map(|value| ((*field).to_owned(), value.clone())));
    }
    // "If a capacityProviderStrategy is specified, the launchType parameter must be omitted" (RunTask).
    if map.contains_key("capacityProviderStrategy") {
        map.remove("launchType");
    }
    map
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The tags that the service's tasks get by propagation, without ours. RunTask refuses to propagate a service's.
fn task_tags(
    rollout: &Input,
    live: Option<&Live>,
    revision: &BTreeMap<String, String>,
    service: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let from = rollout.document.get("propagateTags").or_else(|| live?.document.get("propagateTags"));
    let tags = match from.and_then(Value::as_str) {
        Some("TASK_DEFINITION") => revision.clone(),
        Some("SERVICE") => service.cloned().unwrap_or_else(|| declared_tags(&rollout.document)),
        _ => BTreeMap::new(),
    };
    tags.into_iter().filter(|(key, _)| !key.starts_with("driftless:")).collect()
}
