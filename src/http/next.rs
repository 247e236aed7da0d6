//! What a person wants to know first of a service that is not simply live, and what to do about it: facts beside the one
//! sentence, and commands that can be copied as they are.

use crate::core::history::span;
use crate::core::id::ServiceId;
use crate::core::rollout::{Pause, Rollout};
use crate::core::status::{ServiceStatus, State};
use jiff::Timestamp;

/// How many of a task's last lines stand in the table of all services; its own page has all of them.
const LINES: usize = 5;

/// Facts, ways out, and the last lines of the task that failed.
#[derive(Default)]
pub(super) struct Next {
    pub facts: Vec<(&'static str, String)>,
    pub ways: Vec<Way>,
    pub last_lines: Vec<String>,
}

/// Something that a person can do.
pub(super) struct Way {
    pub text: String,
    pub command: Option<String>,
}

/// What runs of it now, as the page shows that.
pub(super) struct Runs<'a> {
    pub images: &'a str,
    pub tasks: &'a str,
}

/// Of one service. `place` are the arguments that lead a command to its environment.
pub(super) fn next(
    id: &ServiceId,
    service: &ServiceStatus,
    state: State,
    runs: &Runs<'_>,
    place: &str,
    now: Timestamp,
) -> Next {
    let (name, mut next) = (&id.service, Next::default());
    if let (Some((_, again_at)), State::Failed | State::Unknown | State::Pending | State::Drifted) =
        (&service.error, state)
    {
        next.facts.push(("tried again", in_time(*again_at, now)));
    }
    // What services share is no service that a command could be about.
    if name.is_shared() {
        return next;
    }
    let way = |text: String, command: String| Way { text, command: Some(format!("driftless {command} {place}")) };
    let rollback = || format!("rollback {name} --reason \"WHY\"");
    let back = || way("Go back to the newest earlier commit that is not known to have failed".into(), rollback());
    let rollout = service.tasks.as_ref().map(|tasks| &tasks.rollout);
    match (state, rollout) {
        (State::Failed, rollout) => {
            let running = service.tasks.as_ref().map_or(0, |tasks| tasks.running);
            next.facts.push((
                "serves now",
                match running {
                    0 => format!("nothing: {} tasks run", runs.tasks),
                    _ => format!("{}, {} tasks", runs.images, runs.tasks),
                },
            ));
            next.ways.push(Way {
                text: format!("Revert the commit, or correct it: the next one that changes {name} is rolled out"),
                command: None,
            });
            if !matches!(rollout, Some(Rollout::Unhealthy { .. })) {
                let again =
                    "The cause is not in git (a secret, an image, a quota)? When it is gone, try the same again";
                next.ways.push(way(again.into(), format!("retry {name}")));
            }
            next.ways.push(back());
            let lines = service.tasks.as_ref().and_then(|tasks| tasks.last_lines.as_ref());
            let lines = lines.map(|log| log.lines.as_slice()).unwrap_or_default();
            next.last_lines = lines[lines.len().saturating_sub(LINES)..].to_vec();
        }
        (State::Waiting, Some(Rollout::Waiting { pause })) => {
            next.facts.extend(waiting(pause, now));
            let answer = |verb: &str| format!("{verb} {name} --deployment {}", pause.deployment.short());
            next.ways.push(way("Let it go on".into(), answer("approve")));
            next.ways.push(way("Roll it back".into(), answer("reject")));
        }
        (State::Held, _) => {
            next.ways.push(way("Follow git again, as it is now".into(), format!("retry {name}")));
            let to = format!("rollback {name} --to COMMIT --reason \"WHY\"");
            next.ways.push(way("Go back to another commit".into(), to));
        }
        (State::Paused, _) => {
            let plan = service.plan.as_ref();
            let pause = plan.and_then(|plan| plan.paused.as_ref());
            next.facts.extend(pause.map(|pause| ("ends", in_time(pause.until, now))));
            let rolled = plan.and_then(|plan| plan.rolled_back.as_ref());
            next.facts.extend(rolled.map(|rolled| ("is also", rolled.to_string())));
            next.ways.push(way("End the pause".into(), format!("resume {name}")));
        }
        (State::Deploying, _) => next.ways.push(back()),
        _ => {}
    }
    next
}

fn waiting(pause: &Pause, now: Timestamp) -> Vec<(&'static str, String)> {
    let stage = pause.stage.as_deref().and_then(|stage| Some((stage, meaning(stage)?)));
    let stage = stage.map(|(stage, meaning)| ("now", format!("{meaning} ({stage})")));
    let until = pause.expires_at.map(|at| {
        let then = if pause.then.as_deref() == Some("CONTINUE") { "goes on" } else { "is rolled back" };
        ("unanswered", format!("it {then} {}", in_time(at, now)))
    });
    stage.into_iter().chain(until).collect()
}

/// What has happened when a deployment pauses at a stage (ECS guide, "Lifecycle hooks for Amazon ECS service deployments").
fn meaning(stage: &str) -> Option<&'static str> {
    Some(match stage {
        "PRE_SCALE_UP" => "no new task was started",
        "POST_SCALE_UP" => "the new tasks run, without traffic",
        "POST_TEST_TRAFFIC_SHIFT" => "the new tasks get the test traffic, the old ones that of production",
        "POST_PRODUCTION_TRAFFIC_SHIFT" => "the new tasks get production traffic, the old ones are still there",
        _ => return None,
    })
}

/// "in 3h 12m", and when that is.
fn in_time(at: Timestamp, now: Timestamp) -> String {
    format!("in {} ({})", span(at.duration_since(now).as_secs()), at.strftime("%Y-%m-%d %H:%MZ"))
}
