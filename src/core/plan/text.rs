//! A plan for people and for programs (`driftless plan`, the API, the page).

use super::{Cause, Plan, ServicePlan};
use crate::core::action::Effect;
use crate::core::diff::Shown;
use crate::core::id::Scope;
use crate::core::source::Commit;
use serde_json::{Value, json};
use std::fmt::Write;

/// What a plan does not know of itself and a reader wants to.
#[derive(Debug, Clone, Copy)]
pub struct Header<'h> {
    /// Account, region, cluster.
    pub scope: &'h Scope,
    /// The commit, where there is one.
    pub commit: Option<&'h Commit>,
}

/// How many services are in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Git has something new.
    pub deploy: usize,
    /// AWS was changed.
    pub correct: usize,
    /// The service does not exist yet.
    pub create: usize,
    /// It left git, and somebody asked for its removal.
    pub delete: usize,
    /// Nothing to do.
    pub in_sync: usize,
    /// Something is unreadable.
    pub unknown: usize,
    /// Something stands before the comparison.
    pub blocked: usize,
    /// Of all these, how many wait for something.
    pub held: usize,
}

impl Plan {
    /// Counts the services.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for service in &self.services {
            match service.cause {
                Cause::InSync => summary.in_sync += 1,
                Cause::Drift => summary.correct += 1,
                Cause::Deploy => summary.deploy += 1,
                Cause::Create => summary.create += 1,
                Cause::Remove => summary.delete += 1,
                Cause::Blocked => summary.blocked += 1,
                Cause::Unknown => summary.unknown += 1,
            }
            summary.held += usize::from(!service.holds.is_empty());
        }
        summary
    }

    /// Whether AWS differs from git, or could not be seen whole.
    pub fn has_changes(&self) -> bool {
        self.services.iter().any(|service| !service.is_in_sync())
    }

    /// The plan as text: every line reads live → desired.
    pub fn to_text(&self, header: Header<'_>) -> String {
        let mut out = String::new();
        let _ = self.write_text(&mut out, header);
        out
    }

    fn write_text(&self, out: &mut String, header: Header<'_>) -> std::fmt::Result {
        let Scope { account, region, cluster } = header.scope;
        write!(out, "Live AWS {account} {region} {cluster}, read {}", clock(self.read_at))?;
        match header.commit {
            Some(commit) => {
                let branch = commit.branch.as_deref().unwrap_or("commit");
                writeln!(
                    out,
                    "  →  git {branch}@{} {:?} by {}",
                    commit.revision.short(),
                    commit.subject,
                    commit.author
                )?;
            }
            None => writeln!(out, "  →  the files as they are")?,
        }
        writeln!(out, "Every line reads live → desired.\n")?;
        for service in &self.services {
            service.write_text(out, header.commit)?;
        }
        let Summary { deploy, correct, create, delete, in_sync, unknown, blocked, held } = self.summary();
        write!(
            out,
            "\nPlan: {deploy} to deploy, {correct} to correct, {in_sync} in sync, {create} to create, {delete} to delete"
        )?;
        if unknown > 0 {
            write!(out, ", {unknown} unknown")?;
        }
        if blocked > 0 {
            write!(out, ", {blocked} blocked")?;
        }
        if held > 0 {
            write!(out, "; {held} on hold")?;
        }
        writeln!(out)
    }

    /// The plan as one JSON document (`--output json`).
    pub fn to_json(&self, header: Header<'_>) -> Value {
        let Self { revision, read_at, services } = self;
        let Summary { deploy, correct, create, delete, in_sync, unknown, blocked, held } = self.summary();
        json!({
            "schemaVersion": 1,
            "revision": revision,
            "scope": header.scope,
            "liveReadAt": read_at,
            "summary": {
                "deploy": deploy, "correct": correct, "inSync": in_sync, "create": create, "delete": delete,
                "unknown": unknown, "blocked": blocked, "held": held,
            },
            "services": services.iter().map(ServicePlan::to_json).collect::<Vec<_>>(),
        })
    }
}

impl ServicePlan {
    /// The mark, the word and the lines of one service.
    fn write_text(&self, out: &mut String, commit: Option<&Commit>) -> std::fmt::Result {
        let (mark, word) = match self.cause {
            Cause::InSync => ("=", "in sync"),
            Cause::Blocked => ("‖", "BLOCKED"),
            Cause::Drift => ("!", "DRIFT"),
            Cause::Deploy => ("~", "DEPLOY"),
            Cause::Create => ("+", "CREATE"),
            Cause::Remove => ("-", "DELETE"),
            Cause::Unknown => ("?", "UNKNOWN"),
        };
        writeln!(out, "{mark} {}  {word}", self.id.service)?;
        match (self.cause, commit) {
            (Cause::Drift, _) => writeln!(out, "  because AWS was changed outside git")?,
            (Cause::Deploy, _) if self.changes.is_empty() && self.redeployed().next().is_some() => {
                writeln!(out, "  because an image was pushed under a tag that runs")?;
            }
            (Cause::Deploy, _) if self.changes.is_empty() && self.rotated().is_some() => {
                writeln!(out, "  because a secret was changed after the tasks were deployed")?;
            }
            (Cause::Deploy | Cause::Create, Some(commit)) => {
                writeln!(out, "  because of commit {}, {}", commit.revision.short(), self.file)?;
            }
            (Cause::Deploy | Cause::Create, None) => writeln!(out, "  because of {}", self.file)?,
            (Cause::Remove, Some(commit)) => {
                writeln!(out, "  because commit {} does not declare it", commit.revision.short())?
            }
            (Cause::InSync | Cause::Remove | Cause::Blocked | Cause::Unknown, _) => {}
        }
        for (change, effect) in &self.changes {
            writeln!(out, "    {change}  [{effect}]")?;
        }
        if !self.changes.is_empty() && self.same > 0 {
            writeln!(out, "    {} settings unchanged", self.same)?;
        }
        for step in &self.steps {
            writeln!(out, "  step: {}", step.action)?;
        }
        for step in &self.chores {
            writeln!(out, "  tidied up by the daemon: {}", step.action)?;
        }
        for hold in &self.holds {
            writeln!(out, "  on hold: {hold}")?;
        }
        for note in &self.notes {
            writeln!(out, "  note: {note}")?;
        }
        let creates = self.steps.iter().any(|step| step.effect == Effect::Create);
        let effect = match self.effect() {
            _ if creates => "a new service starts its tasks",
            Effect::RollingRestart | Effect::ForcedRestart => {
                "tasks are replaced, as the deployment configuration says"
            }
            Effect::Create => "a new service starts its tasks",
            Effect::NoRestart if !self.changes.is_empty() => "running tasks are left alone",
            Effect::NoRestart | Effect::Replacement => return Ok(()),
        };
        writeln!(out, "  effect: {effect}")
    }

    /// One service of `--output json`, and `/api/v1/services/CLUSTER/NAME/diff`.
    pub fn to_json(&self) -> Value {
        let Self {
            id,
            file,
            cause,
            changes,
            steps,
            holds,
            notes,
            same,
            digest: _,
            task_definition,
            paused,
            rolled_back,
            before: _,
            chores,
            act: _,
        } = self;
        json!({
            "cluster": id.cluster,
            "service": id.service,
            "kind": cause,
            "cause": { "files": [file] },
            "effect": self.effect(),
            "taskDefinition": task_definition,
            "changes": changes.iter().map(|(change, effect)| json!({
                "path": change.path,
                "from": change.live,
                "to": change.desired,
                "effect": effect,
                "secret": matches!(change.live, Shown::Masked(_)) || matches!(change.desired, Shown::Masked(_)),
            })).collect::<Vec<_>>(),
            "steps": steps,
            "holds": holds.iter().map(|hold| described(json!(hold), hold)).collect::<Vec<_>>(),
            "notes": notes.iter().map(|note| described(json!(note), note)).collect::<Vec<_>>(),
            "unchanged": same,
            "paused": paused,
            "rolledBack": rolled_back,
            "tidying": chores,
        })
    }
}

/// Typed data for programs, and the sentence for people beside it.
fn described(mut value: Value, sentence: &dyn std::fmt::Display) -> Value {
    if let Value::Object(map) = &mut value {
        map.insert("message".to_owned(), sentence.to_string().into());
    }
    value
}

/// The time of day in UTC, as logs write it.
fn clock(time: jiff::Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}
