//! Why tasks stopped, in one sentence: grouped by reason, the most frequent first.

use super::id::Arn;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A task that stopped (DescribeTasks).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoppedTask {
    /// The last part of its ARN.
    pub id: String,
    /// When it stopped.
    pub stopped_at: Option<Timestamp>,
    /// The revision that it ran.
    pub task_definition: Option<Arn>,
    /// `EssentialContainerExited`, `TaskFailedToStart`, `ServiceSchedulerInitiated`, `UserInitiated`, `SpotInterruption`.
    pub code: String,
    /// In ECS's words.
    pub reason: String,
    /// Containers that ended: name, exit code, ECS's reason where it has one (`OutOfMemoryError: …`).
    pub containers: Vec<(String, Option<i32>, Option<String>)>,
}

impl StoppedTask {
    /// Whether it stopped because it is no good, rather than because it was not wanted any more.
    pub fn failed(&self) -> bool {
        match self.code.as_str() {
            "EssentialContainerExited" | "TaskFailedToStart" | "SpotInterruption" => true,
            // "Scaling activity initiated by …" is no failure; "Task failed ELB health checks in …" is one.
            _ => self.reason.starts_with("Task failed"),
        }
    }

    /// The container that it died of, as far as one can tell: the first that ended badly, or the first.
    pub fn container(&self) -> Option<&str> {
        let bad =
            self.containers.iter().find(|(_, code, reason)| reason.is_some() || code.is_some_and(|code| code != 0));
        bad.or(self.containers.first()).map(|(name, ..)| name.as_str())
    }

    /// The failed task of a revision that stopped last.
    pub fn newest<'t>(tasks: &'t [Self], task_definition: &Arn) -> Option<&'t Self> {
        let failed =
            tasks.iter().filter(|task| task.failed() && task.task_definition.as_ref() == Some(task_definition));
        failed.max_by_key(|task| task.stopped_at)
    }

    /// What it died of, without what differs from task to task.
    fn cause(&self) -> String {
        if self.code == "EssentialContainerExited" {
            let said = self.containers.iter().find_map(|(name, code, reason)| match (reason, code) {
                (Some(reason), _) => Some(format!("container {name}: {reason}")),
                (None, Some(code)) if *code != 0 => Some(format!("container {name} exited with code {code}")),
                (None, _) => None,
            });
            let ended = self.containers.first().map(|(name, ..)| format!("container {name} exited with code 0"));
            return said.or(ended).unwrap_or_else(|| self.reason.clone());
        }
        self.reason.clone()
    }
}

/// What the failed tasks of one revision died of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stopped {
    causes: Vec<(String, usize)>,
}

/// A sentence is read, not scrolled.
const CAUSE_CHARS_MAX: usize = 300;

impl Stopped {
    /// Groups the failed tasks of a revision.
    pub fn of(tasks: &[StoppedTask], task_definition: Option<&Arn>) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for task in tasks.iter().filter(|task| task.failed() && task.task_definition.as_ref() == task_definition) {
            *counts.entry(task.cause()).or_default() += 1;
        }
        let mut causes: Vec<(String, usize)> = counts.into_iter().collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self { causes }
    }

    /// "3 tasks stopped: container api exited with code 1", or nothing.
    pub fn sentence(&self) -> Option<String> {
        let (first, count) = self.causes.first()?;
        let short: String = first.chars().take(CAUSE_CHARS_MAX).collect();
        let short = short.trim_end_matches('.');
        let all: usize = self.causes.iter().map(|(_, count)| count).sum();
        let tasks = if all == 1 { "task" } else { "tasks" };
        let share = if *count == all { String::new() } else { format!(", {count} of them") };
        Some(format!("{all} {tasks} stopped{share}: {short}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(code: &str, reason: &str, exit: Option<i32>, said: Option<&str>) -> StoppedTask {
        StoppedTask {
            id: reason.len().to_string(),
            stopped_at: None,
            task_definition: Some(Arn::from("arn:f:2")),
            code: code.into(),
            reason: reason.into(),
            containers: vec![("api".into(), exit, said.map(str::to_owned))],
        }
    }

    #[test]
    fn tasks_are_grouped_by_what_they_died_of() {
        let exited = || task("EssentialContainerExited", "Essential container in task exited", Some(1), None);
        let memory = "OutOfMemoryError: Container killed due to memory usage";
        let killed = task("EssentialContainerExited", "Essential container in task exited", Some(137), Some(memory));
        let scaled =
            task("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", None, None);
        let sick =
            task("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:x)", None, None);
        for (tasks, expected) in [
            (vec![], None),
            (vec![scaled.clone()], None),
            (vec![exited(), exited(), scaled], Some("2 tasks stopped: container api exited with code 1")),
            (
                vec![killed],
                Some("1 task stopped: container api: OutOfMemoryError: Container killed due to memory usage"),
            ),
            (
                vec![exited(), sick.clone(), exited()],
                Some("3 tasks stopped, 2 of them: container api exited with code 1"),
            ),
            (vec![sick], Some("1 task stopped: Task failed ELB health checks in (target-group arn:x)")),
        ] {
            assert_eq!(Stopped::of(&tasks, Some(&Arn::from("arn:f:2"))).sentence().as_deref(), expected);
            assert_eq!(Stopped::of(&tasks, Some(&Arn::from("arn:f:3"))).sentence(), None, "another revision's");
        }
    }
}
