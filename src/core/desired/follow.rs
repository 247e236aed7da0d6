//! How a rollout is followed: how long it may take, and whether the last lines of what failed are shown.

use crate::core::document::Node;
use crate::core::document::check::duration;
use crate::core::problem::{self, Problem};
use jiff::SignedDuration;

/// How long ECS may replace tasks in place, unless git says otherwise. Without a circuit breaker it tries for ever.
const ROLLING_MAX: SignedDuration = SignedDuration::from_hours(1);
/// A sentence and its surroundings, not a log viewer.
const LOG_LINES_MAX: i64 = 50;

/// How a rollout is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Follow {
    /// From when ECS was asked until it must be live; `None`: as long as ECS gives it. Waiting for a person is not counted.
    pub timeout: Option<SignedDuration>,
    /// How many of the last lines of a task that failed are read from CloudWatch Logs. 0: none is.
    pub log_lines: u8,
}

/// Reads it from `rollout`, whose values were checked; `strategy` is the deployment's.
pub fn follow(rollout: Option<&Node>, strategy: &str, problems: &mut Vec<Problem>) -> Follow {
    // With stages, baking and approvals a rollout may take days; ECS itself bounds each of them.
    let usual = (strategy == "ROLLING").then_some(ROLLING_MAX);
    let declared = rollout.and_then(|node| node.get("timeout")?.as_text()).and_then(duration);
    let timeout = declared.and_then(|limit| SignedDuration::try_from(limit).ok()).or(usual);
    let lines = rollout.and_then(|node| node.get("logLines"));
    let asked = lines.and_then(Node::as_integer);
    if let (Some(node), Some(asked)) = (lines, asked)
        && !(0..=LOG_LINES_MAX).contains(&asked)
    {
        let message = format!("logLines is 0 to {LOG_LINES_MAX}");
        problems.push(Problem::error(problem::WRONG_VALUE, &node.place, message));
    }
    let log_lines = asked.and_then(|asked| u8::try_from(asked).ok()).unwrap_or(0);
    Follow { timeout, log_lines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::document::Place;
    use serde_json::{Value, json};

    #[test]
    fn how_long_and_how_many_lines() {
        let place = Place::nowhere();
        let read = |rollout: Value, strategy: &str| {
            let mut problems = Vec::new();
            let node = Node::of_value(&rollout, &place);
            let follow = follow(Some(&node), strategy, &mut problems);
            (follow.timeout.map(|limit| limit.as_mins()), follow.log_lines, problems.len())
        };
        assert_eq!(read(json!({}), "ROLLING"), (Some(60), 0, 0));
        assert_eq!(read(json!({}), "CANARY"), (None, 0, 0));
        assert_eq!(read(json!({ "timeout": "2h", "logLines": 50 }), "CANARY"), (Some(120), 50, 0));
        assert_eq!(read(json!({ "logLines": 51 }), "ROLLING"), (Some(60), 51, 1));
        assert_eq!(read(json!({ "logLines": -1 }), "ROLLING"), (Some(60), 0, 1));
    }
}
