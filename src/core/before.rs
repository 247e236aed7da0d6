//! One-off tasks before a rollout (`rollout.before`): how a run is named in AWS, what ECS shows of it, what is written down
//! of its end.
//!
//! Nothing of it is kept on disk. A task is found again by `startedBy` and by its group; ECS shows a stopped task for an
//! hour only, so its end is written into a tag of the revision that it ran.

use super::action::Action;
use super::id::{Arn, last_part};
use super::normal::digest;
use super::stopped::StoppedTask;
use super::tag;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

/// On a revision: which tasks before its rollout have ended, and how. On a task: the name that git gives it.
pub const BEFORE_TAG: &str = "driftless:before";
/// "Up to 128 letters (uppercase and lowercase), numbers, hyphens (-), forward slash (/), and underscores (_) are allowed"
/// (RunTask, startedBy).
const STARTED_BY_CHARS_MAX: usize = 128;

/// `startedBy` of all tasks before rollouts of a service, by which they are listed.
pub fn started_by(service: &str) -> String {
    let plain = format!("driftless/{service}");
    if plain.len() <= STARTED_BY_CHARS_MAX {
        return plain;
    }
    let whole: String = digest(&json!(service)).chars().take(32).collect();
    format!("driftless/{whole}")
}

/// A try of a declaration: `DIGEST`, or `DIGEST-MARK` where somebody asked for it once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The beginning of the declaration's digest.
    pub declaration: String,
    /// When somebody asked for another one, in milliseconds since 1970.
    pub mark: Option<u64>,
}

impl Attempt {
    fn parse(text: &str) -> Self {
        match text.split_once('-') {
            Some((declaration, mark)) => Self { declaration: declaration.into(), mark: mark.parse().ok() },
            None => Self { declaration: text.into(), mark: None },
        }
    }

    /// Whether its failure is the last word on a declaration, for which somebody asked once more at `mark`.
    pub fn is_last(&self, declaration: &str, mark: Option<u64>) -> bool {
        self.declaration == declaration && mark <= self.mark
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { declaration, mark } = self;
        f.write_str(declaration)?;
        mark.iter().try_for_each(|mark| write!(f, "-{mark}"))
    }
}

/// What a task is for: `before:LIST:INDEX:ATTEMPT`, as its group says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The digest of the declared tasks.
    pub list: String,
    /// Which of them, from 0.
    pub index: usize,
    /// The try.
    pub attempt: Attempt,
}

impl Run {
    /// Reads a task's group; `None` for one that is not ours.
    pub fn parse(group: &str) -> Option<Self> {
        let mut parts = group.strip_prefix("before:")?.splitn(3, ':');
        let (list, index, attempt) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        Some(Self { list: list.to_owned(), index, attempt: Attempt::parse(attempt) })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, index, attempt } = self;
        write!(f, "before:{list}:{index}:{attempt}")
    }
}

/// A task that no service started (DescribeTasks).
#[derive(Debug, Clone, PartialEq)]
pub struct OneOff {
    /// Its ARN.
    pub arn: Arn,
    /// The group that it was put into when it was started.
    pub group: String,
    /// `PROVISIONING`, `PENDING`, `RUNNING`, … `STOPPED`.
    pub status: String,
    /// Whether it was asked to stop, or stops by itself.
    pub stopping: bool,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
    /// What it ran, and how it ended once it has.
    pub ended: StoppedTask,
}

impl OneOff {
    /// Whether it is at its end.
    pub fn has_stopped(&self) -> bool {
        self.status == "STOPPED"
    }

    /// The exit code of a container, once there is one.
    pub fn exit(&self, container: &str) -> Option<i32> {
        self.ended.containers.iter().find(|(name, ..)| name == container).and_then(|(_, code, _)| *code)
    }

    /// Why the run of `name` in `container` failed, in one sentence; `None` where it did not. Of a task that has stopped.
    pub fn failure(&self, name: &str, container: &str) -> Option<String> {
        let StoppedTask { code, reason, containers, .. } = &self.ended;
        let said = containers.iter().find(|(found, ..)| found == container).and_then(|(.., said)| said.as_deref());
        let reason = reason.trim_end_matches('.');
        match (self.exit(container), code.as_str()) {
            // A container that is told to stop may end with 0 as well.
            (Some(0), "EssentialContainerExited" | "") => None,
            (exit, "EssentialContainerExited" | "") => Some(match (said, exit) {
                (Some(said), _) => format!("{name}: {said}"),
                (None, Some(exit)) if exit != 0 => format!("{name} exited with code {exit}"),
                (None, _) => format!("{name} did not come to its end: {reason}"),
            }),
            (_, "TaskFailedToStart") => Some(format!("{name} could not be started: {reason}")),
            _ => Some(format!("{name} was stopped: {reason}")),
        }
    }
}

/// What [`BEFORE_TAG`] says on a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The digest of the declared tasks.
    pub list: String,
    /// How many of them, from the first on, have exited with 0.
    pub done: usize,
    /// The one behind them failed.
    pub failed: Option<Failure>,
}

/// A task before a rollout that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The try.
    pub attempt: Attempt,
    /// Its id.
    pub task: String,
    /// Why, in one sentence.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt: _, task, reason } = self;
        write!(f, "{reason} (task {})", short(task))
    }
}

impl Noted {
    /// Reads it from a revision's tags: `LIST DONE`, or `LIST DONE failed ATTEMPT TASK REASON…`.
    pub fn of(tags: &BTreeMap<String, String>) -> Option<Self> {
        let text = tags.get(BEFORE_TAG)?;
        let mut words = text.splitn(6, ' ');
        let (list, done) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        let failure = |attempt: &str, task: &str, reason: &str| Failure {
            attempt: Attempt::parse(attempt),
            task: task.to_owned(),
            reason: reason.to_owned(),
        };
        let failed = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("failed"), Some(attempt), Some(task), Some(reason)) => Some(failure(attempt, task, reason)),
            _ => None,
        };
        Some(Self { list, done, failed })
    }

    /// The tag's value.
    pub fn tag_value(&self) -> String {
        let Self { list, done, failed } = self;
        match failed {
            Some(Failure { attempt, task, reason }) => {
                tag::value(&format!("{list} {done} failed {attempt}"), task, reason)
            }
            None => format!("{list} {done}"),
        }
    }
}

/// How the tasks before a rollout stand, as a plan found them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Before {
    /// Not all of them have ended well: nothing of the rollout itself was asked for.
    pub open: bool,
    /// One of them failed, and is not tried again by itself.
    pub failed: bool,
    /// Ends that are not written down yet, in order.
    pub ends: Vec<End>,
}

/// The end of a task before a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The name that git gives it.
    pub name: String,
    /// The container whose exit counts.
    pub container: String,
    /// The task.
    pub task: Arn,
    /// The container's exit code, where it came to one.
    pub exit: Option<i32>,
    /// Why it failed, if it did.
    pub failed: Option<String>,
    /// What writes it down.
    pub note: Action,
}

/// `migrate exited with code 0 (task 5f1c0a2b)`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, container: _, task, exit: _, failed, note: _ } = self;
        match failed {
            Some(reason) => f.write_str(reason)?,
            None => write!(f, "{name} exited with code 0")?,
        }
        write!(f, " (task {})", short(task.as_str()))
    }
}

/// The beginning of a task's id: enough to find it in the console.
pub fn short(task: &str) -> &str {
    let id = last_part(task);
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: &str, reason: &str, exit: Option<i32>, said: Option<&str>) -> OneOff {
        OneOff {
            arn: Arn::from("arn:aws:ecs:r:1:task/c/5f1c0a2b3c4d"),
            group: String::new(),
            status: "STOPPED".into(),
            stopping: true,
            created_at: None,
            ended: StoppedTask {
                code: code.into(),
                reason: reason.into(),
                containers: vec![("sidecar".into(), Some(137), None), ("api".into(), exit, said.map(str::to_owned))],
                ..StoppedTask::default()
            },
        }
    }

    #[test]
    fn only_an_exit_of_its_own_with_0_is_no_failure() {
        let exited = "Essential container in task exited";
        let memory = "OutOfMemoryError: Container killed due to memory usage";
        let pull = "CannotPullContainerError: not found";
        for (code, reason, exit, said, expected) in [
            ("EssentialContainerExited", exited, Some(0), None, None),
            ("", "", Some(0), None, None),
            ("EssentialContainerExited", exited, Some(3), None, Some("migrate exited with code 3")),
            (
                "EssentialContainerExited",
                exited,
                Some(137),
                Some(memory),
                Some("migrate: OutOfMemoryError: Container killed due to memory usage"),
            ),
            (
                "EssentialContainerExited",
                exited,
                None,
                None,
                Some("migrate did not come to its end: Essential container in task exited"),
            ),
            (
                "TaskFailedToStart",
                pull,
                None,
                None,
                Some("migrate could not be started: CannotPullContainerError: not found"),
            ),
            ("UserInitiated", "by hand.", Some(0), None, Some("migrate was stopped: by hand")),
            ("SpotInterruption", "Spot", Some(0), None, Some("migrate was stopped: Spot")),
        ] {
            assert_eq!(
                ended(code, reason, exit, said).failure("migrate", "api").as_deref(),
                expected,
                "{code} {exit:?}"
            );
        }
    }

    #[test]
    fn a_run_and_what_is_noted_are_read_as_they_were_written() {
        let plain = Attempt { declaration: "0123456789abcdef".into(), mark: None };
        let again = Attempt { mark: Some(1_764_118_000_123), ..plain.clone() };
        for attempt in [&plain, &again] {
            let run = Run { list: "aa11".into(), index: 2, attempt: attempt.clone() };
            assert_eq!(Run::parse(&run.to_string()), Some(run));
        }
        assert_eq!(Run::parse("family:web"), None);
        assert_eq!(Run::parse("before:x"), None);
        let done = Noted { list: "aa11".into(), done: 1, failed: None };
        let failure =
            Failure { attempt: again, task: "5f1c0a2b3c4d".into(), reason: "migrate exited with code 1".into() };
        let failed = Noted { failed: Some(failure.clone()), ..done.clone() };
        for noted in [done, failed] {
            assert_eq!(Noted::of(&[(BEFORE_TAG.to_owned(), noted.tag_value())].into()), Some(noted));
        }
        assert_eq!(Noted::of(&BTreeMap::new()), None);
        assert_eq!(failure.to_string(), "migrate exited with code 1 (task 5f1c0a2b)");
    }

    #[test]
    fn a_failure_is_the_last_word_until_git_or_somebody_says_more() {
        let attempt = |mark| Attempt { declaration: "a".into(), mark };
        for (made, declaration, mark, expected) in [
            (None, "a", None, true),
            (None, "b", None, false),
            (None, "a", Some(5), false),
            (Some(5), "a", Some(5), true),
            (Some(5), "a", Some(4), true),
            (Some(5), "a", Some(6), false),
            // What asked for the try is gone by now.
            (Some(5), "a", None, true),
            (Some(5), "b", None, false),
        ] {
            assert_eq!(attempt(made).is_last(declaration, mark), expected, "{made:?} {declaration} {mark:?}");
        }
    }

    #[test]
    fn what_a_task_was_started_by_fits() {
        assert_eq!(started_by("prod-api"), "driftless/prod-api");
        let long = started_by(&"a".repeat(255));
        assert!(long.len() <= STARTED_BY_CHARS_MAX && long != started_by(&"a".repeat(254)), "{long}");
    }
}
