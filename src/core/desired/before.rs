//! `rollout.before`: one-off tasks with the new image before a rollout.

use super::environment::is_name;
use crate::core::document::Node;
use crate::core::document::check::{duration, expected};
use crate::core::problem::{self, Problem};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a task may take where git does not say it, from RunTask to its end. A migration that takes longer is known to.
const TIMEOUT: Duration = Duration::from_secs(900);
/// "A total of 8192 characters are allowed for overrides. This limit includes the JSON formatting characters" (RunTask).
const OVERRIDES_CHARS_MAX: usize = 8192;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeTask {
    /// Its name, one of its kind in the service.
    pub name: String,
    /// The container of the task definition that gets the command, and whose exit counts.
    pub container: String,
    /// The command.
    pub command: Vec<String>,
    /// How long it may take, from RunTask to its end.
    pub timeout: Duration,
}

impl BeforeTask {
    /// RunTask's `overrides`.
    pub fn overrides(&self) -> Value {
        json!({ "containerOverrides": [{ "name": self.container, "command": self.command }] })
    }

    /// What it does; not how long that may take.
    pub fn to_value(&self) -> Value {
        json!([self.name, self.container, self.command])
    }
}

/// Reads the section; its shape was checked.
pub fn before(top: &Node, task_definition: &Node, problems: &mut Vec<Problem>) -> Vec<BeforeTask> {
    let tasks = top.get("rollout").and_then(|rollout| rollout.get("before")).map(Node::items).unwrap_or_default();
    let mut found: Vec<BeforeTask> = Vec::new();
    for node in tasks {
        let Some(task) = task(node, task_definition, problems) else { continue };
        if found.iter().any(|other| other.name == task.name) {
            let message = format!("two tasks before the rollout are called `{}`", task.name);
            problems.push(Problem::error(problem::DUPLICATE, &node.place, message));
            continue;
        }
        found.push(task);
    }
    found
}

fn task(node: &Node, task_definition: &Node, problems: &mut Vec<Problem>) -> Option<BeforeTask> {
    let (name, container, command) = (node.get("name")?, node.get("container")?, node.get("command")?);
    let text = name.as_text()?;
    if !is_name(text) {
        problems.push(expected(name, "a name of letters, digits, `-` and `_`"));
        return None;
    }
    if let Some(word) = command.items().iter().find(|word| word.as_text().is_none()) {
        problems.push(expected(word, "a word that is known from git alone"));
        return None;
    }
    let task = BeforeTask {
        name: text.to_owned(),
        container: container.as_text()?.to_owned(),
        command: command.items().iter().filter_map(|word| word.as_text().map(str::to_owned)).collect(),
        timeout: node.get("timeout").and_then(Node::as_text).and_then(duration).unwrap_or(TIMEOUT),
    };
    let containers = task_definition.get("containerDefinitions").map(Node::items).unwrap_or_default();
    if !containers.iter().any(|known| known.get("name").and_then(Node::as_text) == Some(&task.container)) {
        let message = format!(
            "task `{text}` before the rollout runs in container `{}`, which the task definition does not have",
            task.container
        );
        let problem = Problem::error(problem::NO_CONTAINER, &container.place, message);
        problems.push(problem.related(&task_definition.place, "this task definition"));
        return None;
    }
    if task.command.is_empty() {
        problems.push(expected(command, "a command of at least one word"));
        return None;
    }
    if task.overrides().to_string().chars().count() > OVERRIDES_CHARS_MAX {
        problems.push(expected(command, "a command of less than 8,192 characters (RunTask, overrides)"));
        return None;
    }
    if let Some(timeout) = node.get("timeout").filter(|_| task.timeout.is_zero()) {
        problems.push(expected(timeout, "a duration of more than nothing"));
        return None;
    }
    Some(task)
}
