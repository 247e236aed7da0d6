//! Events -> rows. A row begins with the first step that is done, is continued by every plan of the same declaration, and
//! ends with the first plan that shows what came of it; so a row that a stop left open is continued after the start.

use super::{CHANGES_MAX, Commit, Deployment, Outcome, STEPS_MAX, TEXT_CHARS_MAX, rebuilt};
use crate::core::act::Act;
use crate::core::action::{Call, Effect};
use crate::core::before::End;
use crate::core::event::{Event, Tasks, What};
use crate::core::id::{Arn, ServiceId, SourceName};
use crate::core::image;
use crate::core::log_lines::LogLines;
use crate::core::plan::{Cause, FAILED_UNTOLD, Hold, Note, ServicePlan};
use crate::core::rollback::RolledBack;
use crate::core::rollout::Rollout;
use crate::core::source;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the next event is laid to: the newest row of each service, and its last plan.
#[derive(Debug, Default)]
pub struct History {
    services: BTreeMap<ServiceId, Service>,
}

#[derive(Debug, Default)]
struct Service {
    /// The act that was seen last.
    act: Option<Act>,
    /// The newest row, open or not.
    newest: Option<Deployment>,
    /// The last plan that had steps, and when and from which commit it was made.
    planned: Option<Planned>,
}

#[derive(Debug)]
struct Planned {
    at: Timestamp,
    plan: Arc<ServicePlan>,
    commit: source::Commit,
    /// How the tasks were doing.
    tasks: Option<Tasks>,
}

impl History {
    /// Continues from the newest row of each service.
    pub fn load(newest: impl IntoIterator<Item = Deployment>) -> Self {
        let service = |row: Deployment| (row.service.clone(), Service { newest: Some(row), ..Service::default() });
        Self { services: newest.into_iter().map(service).collect() }
    }

    /// Takes in what happened; gives the rows that are new or have changed.
    pub fn apply(&mut self, event: &Event) -> Vec<Deployment> {
        let Event { at, source, what } = event;
        match what {
            What::Planned { plan, commit, changed_by, tasks } => {
                let service = self.service(&plan.id);
                let changed = match tasks {
                    Some(tasks) => service.judge(*at, plan, tasks),
                    None => service.judge_unmade(*at, plan),
                };
                let planned = || Planned {
                    at: *at,
                    plan: plan.clone(),
                    commit: changed_by.as_deref().unwrap_or(commit).clone(),
                    tasks: tasks.as_deref().cloned(),
                };
                service.planned = (!plan.steps.is_empty()).then(planned);
                changed.into_iter().collect()
            }
            What::Done { service: id, operation, effect, arn, cause: _ } => {
                self.service(id).done(*at, source, (operation, *effect, arn.as_ref()))
            }
            What::Failed { service: id, why, class, .. } if class.is_alarming() => {
                self.service(id).kept(why).into_iter().collect()
            }
            What::Ran { service: id, end, lines } => self.service(id).ran(end, lines.as_ref()).into_iter().collect(),
            What::Left { service: id } => {
                self.service(id).end(*at, Outcome::Superseded, Some("it left git".into())).into_iter().collect()
            }
            What::Rebuilt { service: id, known } => {
                let service = self.service(id);
                // What was recorded is better than what can be rebuilt.
                if service.newest.is_some() {
                    return Vec::new();
                }
                let rows = rebuilt::rows(id, source, known);
                service.newest = rows.last().cloned();
                rows
            }
            What::Failed { .. }
            | What::Fetched { .. }
            | What::FetchFailed { .. }
            | What::Read { .. }
            | What::Started { .. } => Vec::new(),
        }
    }

    /// The act of a person that an event shows for the first time in this process.
    pub fn act(&mut self, event: &Event) -> Option<(ServiceId, Act)> {
        let What::Planned { plan, .. } = &event.what else { return None };
        let act = plan.act.as_ref()?;
        let service = self.service(&plan.id);
        if service.act.as_ref() == Some(act) {
            return None;
        }
        service.act = Some(act.clone());
        Some((plan.id.clone(), act.clone()))
    }

    fn service(&mut self, id: &ServiceId) -> &mut Service {
        self.services.entry(id.clone()).or_default()
    }
}

impl Service {
    fn open(&mut self) -> Option<&mut Deployment> {
        self.newest.as_mut().filter(|row| row.result.is_none())
    }

    /// Ends the row that is open.
    fn end(&mut self, at: Timestamp, result: Outcome, reason: Option<String>) -> Option<Deployment> {
        let row = self.open()?;
        row.result = Some(result);
        row.ended_at = Some(at);
        row.reason = reason.map(shortened);
        Some(row.clone())
    }

    /// Something keeps the row that is open from going on.
    fn kept(&mut self, why: &str) -> Option<Deployment> {
        let row = self.open()?;
        let why = Some(shortened(why.to_owned()));
        (row.reason != why).then(|| {
            row.reason = why;
            row.clone()
        })
    }

    /// A step was done.
    fn done(
        &mut self,
        at: Timestamp,
        source: &SourceName,
        (operation, effect, arn): (&str, Effect, Option<&Arn>),
    ) -> Vec<Deployment> {
        let Some(Planned { at: planned_at, plan, commit, tasks }) = &self.planned else { return Vec::new() };
        // Only a note of what was brought up: nothing changes.
        if plan.changes.is_empty() && plan.steps.iter().all(|step| step.action.is_tag()) {
            return Vec::new();
        }
        let (started_at, plan, commit, tasks) = (*planned_at, plan.clone(), commit.clone(), tasks.clone());
        let declaration = plan.short_digest();
        let mut rows = Vec::new();
        if self.open().is_some_and(|row| row.declaration != declaration) {
            let newer = match &plan.rolled_back {
                Some(rolled) => rolled.to_string(),
                None => format!("commit {} came before its end", commit.revision.short()),
            };
            rows.extend(self.end(at, Outcome::Superseded, Some(newer)));
        }
        if self.open().is_none() {
            // What was live already came with an earlier row.
            let was_live = self.newest.as_ref().is_some_and(|row| {
                row.declaration == declaration && matches!(row.result, Some(Outcome::Live | Outcome::Corrected))
            });
            let merges = plan.rolled_back.is_none() && plan.cause != Cause::Drift && !was_live;
            self.newest = Some(Deployment {
                service: plan.id.clone(),
                number: self.newest.as_ref().map_or(1, |row| row.number + 1),
                source: source.clone(),
                merged_at: merges.then_some(commit.committed_at),
                commit: Some(commit_of(&plan, commit)),
                declaration,
                cause: Some(plan.cause),
                started_at,
                ended_at: None,
                result: None,
                reason: None,
                last_lines: None,
                task_definition: None,
                images: Vec::new(),
                digests: BTreeMap::new(),
                changes: Vec::new(),
                before: Vec::new(),
                steps: Vec::new(),
                restarts: false,
                rebuilt: false,
            });
            let stays = |tasks: &Tasks| plan.task_definition.is_some() && plan.task_definition == tasks.task_definition;
            if let (Some(tasks), Some(row)) = (tasks.filter(stays), self.open()) {
                row.see(&tasks);
            }
        }
        if let Some(row) = self.open() {
            row.take_in(&plan);
            row.restarts |= effect != Effect::NoRestart;
            if operation == Call::RegisterTaskDefinition.operation() {
                row.task_definition = arn.cloned();
            }
            if row.steps.len() < STEPS_MAX {
                row.steps.push(operation.to_owned());
            }
            rows.push(row.clone());
        }
        rows
    }

    /// A one-off task before the rollout has ended.
    fn ran(&mut self, end: &End, lines: Option<&LogLines>) -> Option<Deployment> {
        let row = self.open()?;
        row.last_lines = lines.cloned();
        let text = shortened(end.to_string());
        (!row.before.contains(&text)).then(|| {
            row.before.push(text);
            row.clone()
        })
    }

    /// What a plan shows of the newest row of a service that is not there yet: only that it will not come.
    fn judge_unmade(&mut self, at: Timestamp, plan: &ServicePlan) -> Option<Deployment> {
        let same = self.open()?.declaration == plan.short_digest();
        let reason = failed(plan).filter(|_| same && plan.before.failed)?.to_owned();
        self.end(at, Outcome::Failed, Some(reason))
    }

    /// What a plan shows of the newest row.
    fn judge(&mut self, at: Timestamp, plan: &ServicePlan, tasks: &Tasks) -> Option<Deployment> {
        let row = self.newest.as_mut()?;
        if !plan.is_whole() {
            return None;
        }
        let same = row.declaration == plan.short_digest();
        // What never came to its rollout was not rolled back.
        let other_runs = !plan.before.failed
            && matches!((&tasks.task_definition, &row.task_definition), (Some(runs), Some(wanted)) if runs != wanted);
        let completed = tasks.rollout == Rollout::Completed;
        match row.result {
            // It took longer than it may (rollout.timeout), and came up all the same.
            Some(Outcome::Failed) if same && completed && plan.is_in_sync() && row.restarts && !other_runs => {
                (row.result, row.ended_at, row.reason) = (Some(Outcome::Live), Some(at), None);
                row.see(tasks);
                return Some(row.clone());
            }
            // ECS says that it gave up before it has gone back.
            Some(Outcome::Failed) if same && other_runs && failure(plan, tasks).is_some() => {
                row.result = Some(Outcome::RolledBack);
                return Some(row.clone());
            }
            Some(_) => return None,
            None => {}
        }
        if same && let Some(reason) = failure(plan, tasks) {
            let goes_back = matches!(tasks.rollout, Rollout::Failed { rolled_back: true, .. });
            let result = if other_runs || goes_back { Outcome::RolledBack } else { Outcome::Failed };
            if tasks.last_lines.is_some() {
                row.last_lines.clone_from(&tasks.last_lines);
            }
            return self.end(at, result, Some(reason));
        }
        let drift = row.cause == Some(Cause::Drift);
        let over = match plan.cause {
            Cause::InSync if plan.is_in_sync() => completed || (drift && !row.restarts),
            // What differs now came after it, or is only shown.
            Cause::Drift if drift => plan.steps.is_empty() && (completed || !row.restarts),
            Cause::Drift => completed && !other_runs,
            _ => false,
        };
        if over {
            // Git may have changed while nobody looked: then it counts what runs.
            let came_up = same || (row.restarts && row.task_definition.is_some() && !other_runs);
            let result = match (came_up, drift) {
                (false, _) => Outcome::Superseded,
                (true, true) => Outcome::Corrected,
                (true, false) => Outcome::Live,
            };
            if came_up && completed {
                row.see(tasks);
            }
            let newer = plan.rolled_back.as_ref().filter(|_| result == Outcome::Superseded);
            return self.end(at, result, newer.map(ToString::to_string));
        }
        // The revision and its images, once they are seen.
        let seen = |row: &Deployment| (row.task_definition.clone(), row.images.clone(), row.digests.clone());
        let before = seen(row);
        if same && row.restarts && plan.task_definition.is_some() && plan.task_definition == tasks.task_definition {
            row.see(tasks);
        }
        (before != seen(row)).then(|| row.clone())
    }
}

impl Deployment {
    /// What a plan changes, for people.
    fn take_in(&mut self, plan: &ServicePlan) {
        for step in &plan.steps {
            if step.action.call == Call::RegisterTaskDefinition {
                let containers = step.action.input.document.get("containerDefinitions").and_then(|all| all.as_array());
                let image = |of: &serde_json::Value| of.get("image")?.as_str().map(str::to_owned);
                self.images = containers.into_iter().flatten().filter_map(image).collect();
            }
        }
        if self.task_definition.is_none() && plan.task_definition.is_some() {
            self.task_definition = plan.task_definition.clone();
        }
        let moved = plan.why_anew().map(|note| match note {
            Note::ImageMoved { container, tag, now, runs, then: _ } => {
                let (now, runs, effect) = (image::short(now), image::short(runs), Effect::ForcedRestart);
                format!("~ image of {container}, tag {tag}: {runs} → {now}  [{effect}]")
            }
            note => note.to_string(),
        });
        for text in moved.chain(plan.changes.iter().map(|(change, effect)| format!("{change}  [{effect}]"))) {
            if self.changes.len() > CHANGES_MAX {
                return;
            }
            let text = shortened(text);
            if self.changes.contains(&text) {
                continue;
            }
            let text = if self.changes.len() == CHANGES_MAX { "and more".to_owned() } else { text };
            self.changes.push(text);
        }
    }

    fn see(&mut self, tasks: &Tasks) {
        if tasks.task_definition.is_some() {
            self.task_definition = tasks.task_definition.clone();
            self.images = tasks.images.clone();
            self.digests = tasks.digests.clone();
        }
    }
}

/// The commit of a plan; of a rollback the one that it goes back to, with who did that and why.
fn commit_of(plan: &ServicePlan, commit: source::Commit) -> Commit {
    match &plan.rolled_back {
        Some(RolledBack { to, by, why, held: _ }) => {
            let subject = if why.is_empty() { "rollback".to_owned() } else { format!("rollback: \"{why}\"") };
            Commit { revision: to.clone(), subject, author: by.clone() }
        }
        None => Commit { revision: commit.revision, subject: commit.subject, author: commit.author },
    }
}

/// Why ECS could not bring it up, where a plan shows that. While something is still to be written, what runs is no sign.
fn failure(plan: &ServicePlan, tasks: &Tasks) -> Option<String> {
    let seen = match &tasks.rollout {
        Rollout::Failed { reason, .. } => Some(reason),
        _ => None,
    };
    match (failed(plan), seen) {
        (Some(held), Some(seen)) if held == FAILED_UNTOLD => Some(seen.clone()),
        (Some(held), _) => Some(held.clone()),
        (None, Some(seen)) if plan.steps.is_empty() => Some(seen.clone()),
        (None, _) => None,
    }
}

/// Why a plan says that its rollout failed, if it does.
fn failed(plan: &ServicePlan) -> Option<&String> {
    plan.holds.iter().find_map(|hold| match hold {
        Hold::RolloutFailed { reason } => Some(reason),
        _ => None,
    })
}

/// A text of a row, not longer than it may be.
pub(super) fn shortened(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::action::Action;
    use crate::core::before::Before;
    use crate::core::diff::{Path, change};
    use crate::core::history::StillKnown;
    use crate::core::id::{Kind, ResourceId, StepId};
    use crate::core::observed::ServiceDeployment;
    use crate::core::plan::{Applied, Step};
    use serde_json::json;

    fn id() -> ServiceId {
        ServiceId { cluster: "c".into(), service: "web".into() }
    }

    fn revision(number: &str) -> Arn {
        Arn::from(format!("arn:aws:ecs:r:1:task-definition/web:{number}"))
    }

    /// A plan as `CAUSE DECLARATION REVISION`; `deploy` and `create` register that revision, `scale` and `drift` change
    /// what needs no restart, `redo` is drift that replaces tasks, `note` only tags. `failed` is a hold.
    fn plan(cause: &str, declaration: &str, wanted: &str) -> ServicePlan {
        let step = |call, document, effect| {
            let target = ResourceId::new(Kind::Service, "web");
            Step {
                id: StepId::new("s"),
                action: Action::new(call, target, document),
                effect,
                after: vec![],
                against: None,
            }
        };
        let image = json!({ "containerDefinitions": [{ "image": format!("registry/web:{wanted}") }] });
        let register = || step(Call::RegisterTaskDefinition, image.clone(), Effect::NoRestart);
        let update = |effect| step(Call::UpdateService, json!({}), effect);
        let (cause_of, steps) = match cause {
            "deploy" => (Cause::Deploy, vec![register(), update(Effect::RollingRestart)]),
            "create" => (Cause::Create, vec![register(), step(Call::CreateService, json!({}), Effect::Create)]),
            "scale" => (Cause::Deploy, vec![update(Effect::NoRestart)]),
            "drift" => (Cause::Drift, vec![update(Effect::NoRestart)]),
            "redo" => (Cause::Drift, vec![update(Effect::RollingRestart)]),
            "note" => (Cause::Deploy, vec![step(Call::TagEcs, json!({}), Effect::NoRestart)]),
            "failed" => (Cause::Deploy, vec![update(Effect::RollingRestart)]),
            "shown" => (Cause::Drift, vec![]),
            _ => (Cause::InSync, vec![]),
        };
        let changes = match cause {
            "sync" | "note" | "shown" => vec![],
            _ => vec![(change(Path::section("service").field("image"), Some("a"), Some(wanted)), Effect::NoRestart)],
        };
        let holds = match cause {
            "failed" => vec![Hold::RolloutFailed { reason: "circuit breaker".into() }],
            _ => vec![],
        };
        ServicePlan {
            id: id(),
            file: "services/web.yaml".into(),
            cause: cause_of,
            changes,
            steps,
            holds,
            notes: vec![],
            same: 0,
            digest: declaration.repeat(20),
            task_definition: (!matches!(cause, "deploy" | "create")).then(|| revision(wanted)),
            paused: None,
            rolled_back: None,
            before: Before::default(),
            chores: vec![],
            act: None,
        }
    }

    fn tasks(runs: &str, rollout: &str) -> Tasks {
        Tasks {
            desired: 1,
            running: 1,
            pending: 0,
            task_definition: Some(revision(runs)),
            images: vec![format!("registry/web:{runs}")],
            digests: BTreeMap::new(),
            rollout: match rollout {
                "completed" => Rollout::Completed,
                "gave-up" => Rollout::Failed { reason: "gave up".into(), rolled_back: false },
                "goes-back" => Rollout::Failed { reason: "gave up".into(), rolled_back: true },
                _ => Rollout::InProgress { running: 0, desired: 1, failed: 0, note: None },
            },
            events: vec![],
            last_lines: None,
        }
    }

    /// Events, one a line: `plan CAUSE DECLARATION REVISION runs REVISION ROLLOUT`, `absent …` for a service that is not
    /// there, `done [OPERATION [REVISION]]`, `refused`, `left`, `restart`. Gives one line a row.
    fn rows_of(lines: &str) -> Vec<String> {
        let mut history = History::default();
        let mut rows: BTreeMap<u64, Deployment> = BTreeMap::new();
        for (second, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            let what = match words[..] {
                ["plan", cause, declaration, wanted, "runs", runs, rollout] => {
                    planned(plan(cause, declaration, wanted), declaration, Some(tasks(runs, rollout)))
                }
                ["absent", cause, declaration, wanted] => planned(plan(cause, declaration, wanted), declaration, None),
                ["done"] => done("UpdateService", Effect::NoRestart, None),
                ["done", "register", made] => done("RegisterTaskDefinition", Effect::NoRestart, Some(revision(made))),
                ["done", "roll"] => done("UpdateService", Effect::RollingRestart, None),
                ["refused"] => What::Failed {
                    service: id(),
                    why: "denied".into(),
                    class: crate::core::retry::Class::Denied,
                    again_at: Timestamp::UNIX_EPOCH,
                },
                ["left"] => What::Left { service: id() },
                ["restart"] => {
                    history = History::load(rows.values().last().cloned());
                    continue;
                }
                _ => panic!("{line}"),
            };
            let at = Timestamp::from_second(second as i64).unwrap();
            for row in history.apply(&Event { at, source: "prod".into(), what }) {
                rows.insert(row.number, row);
            }
        }
        rows.values().map(row_text).collect()
    }

    fn planned(plan: ServicePlan, commit: &str, tasks: Option<Tasks>) -> What {
        let commit = source::Commit {
            revision: commit.repeat(40).into(),
            branch: None,
            tag: None,
            subject: format!("commit {commit}"),
            author: "ana".into(),
            committed_at: Timestamp::UNIX_EPOCH,
        };
        What::Planned { plan: Arc::new(plan), commit, changed_by: None, tasks: tasks.map(Box::new) }
    }

    fn done(operation: &'static str, effect: Effect, arn: Option<Arn>) -> What {
        What::Done { service: id(), operation, cause: Cause::Deploy, effect, arn }
    }

    fn row_text(row: &Deployment) -> String {
        let (ended, reason) = (row.ended_at.map(|at| at.as_second()), row.reason.as_deref().unwrap_or("-"));
        let commit = row.commit.as_ref().map_or("?", |commit| commit.revision.as_str().get(..1).unwrap_or("?"));
        format!(
            "{} {commit} {} {} {}..{} steps {} {reason}",
            row.number,
            row.runs(),
            row.outcome().1,
            row.started_at.as_second(),
            ended.map_or("".to_owned(), |at| at.to_string()),
            row.steps.len(),
        )
    }

    #[test]
    fn events_become_rows() {
        let deployed = "plan deploy a 2 runs 1 completed\n done register 2\n done roll\n";
        let rows: &[(&str, &[&str])] = &[
            // Nothing is done: no row.
            ("plan sync a 1 runs 1 completed\n plan deploy b 2 runs 1 completed\n", &[]),
            ("plan note a 1 runs 1 completed\n done\n", &[]),
            ("done roll\n left\n refused\n", &[]),
            // A commit that comes up.
            (deployed, &["1 a web:2 under way 0.. steps 2 -"]),
            (
                &format!("{deployed} plan sync a 2 runs 2 rolling\n plan sync a 2 runs 2 completed"),
                &["1 a web:2 live 0..4 steps 2 -"],
            ),
            // A new service.
            (
                "absent create a 1\n done register 1\n done roll\n plan sync a 1 runs 1 rolling\n plan sync a 1 runs 1 completed",
                &["1 a web:1 live 0..4 steps 2 -"],
            ),
            // AWS shows the state before for a while: no end, and no second row.
            (
                &format!(
                    "{deployed} plan deploy a 2 runs 1 gave-up\n plan sync a 2 runs 2 rolling\n plan sync a 2 runs 2 completed"
                ),
                &["1 a web:2 live 0..5 steps 2 -"],
            ),
            // ECS gives up: before it goes back, and after.
            (&format!("{deployed} plan sync a 2 runs 2 gave-up"), &["1 a web:2 failed 0..3 steps 2 gave up"]),
            (&format!("{deployed} plan sync a 2 runs 2 goes-back"), &["1 a web:2 rolled back 0..3 steps 2 gave up"]),
            (
                &format!("{deployed} plan failed a 2 runs 1 gave-up\n plan failed a 2 runs 1 completed"),
                &["1 a web:2 rolled back 0..3 steps 2 circuit breaker"],
            ),
            (
                &format!("{deployed} plan failed a 2 runs 2 gave-up\n plan failed a 2 runs 1 gave-up"),
                &["1 a web:2 rolled back 0..3 steps 2 circuit breaker"],
            ),
            // A newer commit comes first.
            (
                &format!(
                    "{deployed} plan deploy b 3 runs 2 rolling\n done register 3\n done roll\n plan sync b 3 runs 3 completed"
                ),
                &[
                    "1 a web:2 superseded 0..4 steps 2 commit bbbbbbb came before its end",
                    "2 b web:3 live 3..6 steps 2 -",
                ],
            ),
            // A newer commit that changes nothing of it.
            (
                &format!("{deployed} plan sync b 2 runs 2 rolling\n plan sync b 2 runs 2 completed"),
                &["1 a web:2 live 0..4 steps 2 -"],
            ),
            // A step is refused, then not.
            (
                "plan deploy a 2 runs 1 completed\n done register 2\n refused",
                &["1 a web:2 under way 0.. steps 1 denied"],
            ),
            (
                "plan deploy a 2 runs 1 completed\n done register 2\n refused\n plan failed a 2 runs 1 completed",
                &["1 a web:2 rolled back 0..3 steps 1 circuit breaker"],
            ),
            // What needs no restart.
            (
                "plan scale a 1 runs 1 completed\n done\n plan sync a 1 runs 1 completed",
                &["1 a web:1 live 0..2 steps 1 -"],
            ),
            // The next commit takes it back, while nobody looked.
            (
                "plan scale a 1 runs 1 completed\n done\n refused\n plan sync b 1 runs 1 completed",
                &["1 a web:1 superseded 0..3 steps 1 -"],
            ),
            // It left git.
            (&format!("{deployed} left"), &["1 a web:2 superseded 0..3 steps 2 it left git"]),
            // A stop between any two of them.
            (
                &format!(
                    "{deployed} restart\n plan sync a 2 runs 2 rolling\n restart\n plan sync a 2 runs 2 completed"
                ),
                &["1 a web:2 live 0..6 steps 2 -"],
            ),
            (
                "plan deploy a 2 runs 1 completed\n done register 2\n restart\n plan deploy a 2 runs 1 completed\n done roll\n plan sync a 2 runs 2 completed",
                &["1 a web:2 live 0..5 steps 2 -"],
            ),
            (
                &format!("{deployed} restart\n plan failed a 2 runs 1 completed"),
                &["1 a web:2 rolled back 0..4 steps 2 circuit breaker"],
            ),
            // Git and AWS went back together while nobody looked.
            (&format!("{deployed} restart\n plan sync b 1 runs 1 completed"), &["1 a web:2 superseded 0..4 steps 2 -"]),
        ];
        for (events, expected) in rows {
            assert_eq!(rows_of(events), *expected, "{events}");
        }
    }

    #[test]
    fn drift_has_rows_of_its_own() {
        let rows: &[(&str, &[&str])] = &[
            // It need not wait for a rollout that it did not begin.
            (
                "plan drift a 1 runs 1 completed\n done\n plan sync a 1 runs 1 rolling",
                &["1 a web:1 corrected 0..2 steps 1 -"],
            ),
            (
                "plan redo a 1 runs 2 completed\n done roll\n plan sync a 1 runs 1 rolling\n plan sync a 1 runs 1 completed",
                &["1 a web:1 corrected 0..3 steps 1 -"],
            ),
            // What is only shown does not keep it.
            (
                "plan drift a 1 runs 1 completed\n done\n plan shown a 1 runs 1 completed",
                &["1 a web:1 corrected 0..2 steps 1 -"],
            ),
            // Drift during a rollout is a part of it; after it, a row.
            (
                "plan deploy a 2 runs 1 completed\n done roll\n plan drift a 2 runs 2 rolling\n done\n plan sync a 2 runs 2 completed\n plan drift a 2 runs 2 completed\n done\n plan sync a 2 runs 2 completed",
                &["1 a web:2 live 0..4 steps 2 -", "2 a web:2 corrected 5..7 steps 1 -"],
            ),
        ];
        for (events, expected) in rows {
            assert_eq!(rows_of(events), *expected, "{events}");
        }
    }

    #[test]
    fn what_never_came_to_its_rollout_has_failed_and_was_not_rolled_back() {
        let failed = || ServicePlan {
            before: Before { open: true, failed: true, ends: Vec::new() },
            ..plan("failed", "a", "2")
        };
        let end = |failed: Option<&str>| What::Ran {
            service: id(),
            end: Box::new(End {
                name: "migrate".into(),
                container: "web".into(),
                task: "arn:aws:ecs:r:1:task/c/5f1c0a2b3c4d".into(),
                exit: Some(i32::from(failed.is_some())),
                failed: failed.map(str::to_owned),
                note: Action::new(Call::TagEcs, ResourceId::new(Kind::TaskDefinitionRevision, "web:2"), json!({})),
            }),
            lines: failed.map(|_| LogLines { group: "g".into(), stream: "s".into(), lines: vec!["no table".into()] }),
        };
        // Whether the service is there, and runs the revision before, or is still to be made.
        for runs in [Some(tasks("1", "completed")), None] {
            let mut history = History::default();
            let mut apply = |what| history.apply(&Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what });
            apply(planned(plan("deploy", "a", "2"), "a", runs.clone()));
            apply(done("RegisterTaskDefinition", Effect::NoRestart, Some(revision("2"))));
            apply(done("RunTask", Effect::NoRestart, None));
            apply(end(None));
            apply(end(Some("migrate exited with code 1")));
            let rows = apply(planned(failed(), "a", runs.clone()));
            let [row] = rows.as_slice() else { panic!("{rows:?}") };
            assert_eq!((row.result, row.reason.as_deref()), (Some(Outcome::Failed), Some("circuit breaker")));
            let ran = ["migrate exited with code 0 (task 5f1c0a2b)", "migrate exited with code 1 (task 5f1c0a2b)"];
            assert_eq!(row.before, ran);
            assert_eq!(row.last_lines.as_ref().map(|log| log.lines.as_slice()), Some(&["no table".to_owned()][..]));
            assert_eq!(apply(planned(failed(), "a", runs)), [], "it stays that");
        }
    }

    #[test]
    fn a_rollback_is_a_row_with_who_and_why() {
        let rolled = RolledBack { to: "c".repeat(40).into(), held: "b".into(), by: "marc".into(), why: "500s".into() };
        let back = ServicePlan { rolled_back: Some(rolled), ..plan("deploy", "c", "1") };
        let mut history = History::default();
        let mut apply = |what| history.apply(&Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what });
        apply(planned(plan("deploy", "b", "2"), "b", None));
        apply(done("UpdateService", Effect::RollingRestart, None));
        apply(planned(back, "b", None));
        let rows = apply(done("UpdateService", Effect::RollingRestart, None));
        assert_eq!(rows[0].reason.as_deref(), Some("rolled back to ccccccc by marc: \"500s\""));
        assert_eq!((rows[1].what().as_str(), rows[1].by()), ("ccccccc rollback: \"500s\"", "marc"));
    }

    #[test]
    fn only_what_a_commit_brings_has_its_time() {
        let mut history = History::default();
        let mut merged = |cause: &str, declaration: &str, revision: &str, runs: &str| {
            let mut apply = |what| history.apply(&Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what });
            apply(planned(plan(cause, declaration, revision), declaration, Some(tasks(runs, "completed"))));
            let rows = apply(done("UpdateService", Effect::RollingRestart, None));
            apply(planned(plan("sync", declaration, revision), declaration, Some(tasks(revision, "completed"))));
            rows.last().and_then(|row| row.merged_at).is_some()
        };
        assert!(merged("deploy", "a", "2", "1"), "a commit");
        assert!(!merged("redo", "a", "2", "2"), "drift");
        assert!(!merged("failed", "a", "2", "2"), "the same once more, as for a tag that moved");
        assert!(merged("deploy", "b", "3", "2"), "the next commit");
    }

    #[test]
    fn what_is_kept_of_a_row_is_bounded() {
        let mut large = plan("deploy", "a", "2");
        for number in 0..200 {
            let path = Path::section("service").field("x").key(number.to_string());
            large.changes.push((change(path, None, Some(&"ü".repeat(5000))), Effect::NoRestart));
        }
        let mut history = History::default();
        let event = |what| Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what };
        history.apply(&event(planned(large, "a", None)));
        let mut rows = Vec::new();
        for _ in 0..300 {
            rows = history.apply(&event(done("UpdateService", Effect::NoRestart, None)));
        }
        let row = &rows[0];
        assert_eq!((row.changes.len(), row.steps.len()), (CHANGES_MAX + 1, STEPS_MAX));
        assert_eq!(row.changes.last().map(String::as_str), Some("and more"));
        assert!(row.changes.iter().all(|change| change.chars().count() <= TEXT_CHARS_MAX + 1));
    }

    #[test]
    fn what_was_rebuilt_is_continued() {
        let newest = ServiceDeployment {
            arn: Arn::from("arn:of:a:deployment"),
            status: "IN_PROGRESS".into(),
            reason: None,
            task_definition: Some(revision("4")),
            sources: Vec::new(),
            images: BTreeMap::new(),
            stage: None,
            production_percent: None,
            hooks: vec![],
            created_at: Timestamp::from_second(400).ok(),
            finished_at: None,
        };
        let known = StillKnown {
            deployments: vec![newest],
            applied: Applied::of(&BTreeMap::from([(
                "driftless:applied".to_owned(),
                "aaaaaaaaaaaaaaaa bbbb".to_owned(),
            )])),
            runs: Some(revision("4")),
            ..StillKnown::default()
        };
        let mut history = History::default();
        let event = |what| Event { at: Timestamp::from_second(500).unwrap(), source: "prod".into(), what };
        let past = || What::Rebuilt { service: id(), known: Box::new(known.clone()) };
        assert_eq!(history.apply(&event(past())).len(), 1);
        let rows = history.apply(&event(planned(plan("sync", "a", "4"), "a", Some(tasks("4", "completed")))));
        assert_eq!(rows.iter().map(row_text).collect::<Vec<_>>(), ["1 b web:4 live 400..500 steps 0 -"]);
        assert_eq!(history.apply(&event(past())), [], "only where there is nothing");
    }
}
