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
mod tests;
