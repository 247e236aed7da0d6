//! `rollout.approval` -> a PAUSE hook of ECS's own deployment (Developer Guide, "Pause lifecycle hooks"): the rollout waits at
//! a stage until a person answers, or until its time is over.

use crate::core::document::check::duration;
use crate::core::document::{Node, Place, Tree};
use crate::core::problem::{self, Problem};
use serde_json::json;

/// "Default: 1440" (`DeploymentLifecycleHookTimeoutConfiguration`, timeoutInMinutes).
const TIMEOUT_MINUTES: u64 = 1440;
/// "Maximum value of 20160": 14 days.
const TIMEOUT_MINUTES_MAX: u64 = 20_160;

/// The service with the hook that its approval needs; a hook of its own at that stage stays alone.
pub fn approved(mut service: Node, top: &Node, problems: &mut Vec<Problem>) -> Node {
    let Some(approval) = top.get("rollout").and_then(|rollout| rollout.get("approval")) else { return service };
    let Some(stage) = approval.get("stage").and_then(Node::as_text) else { return service };
    let place = &approval.place;
    let strategy = service.at("/deploymentConfiguration/strategy").and_then(Node::as_text).unwrap_or("ROLLING");
    if strategy == "ROLLING" {
        let message = "an approval needs a rollout with stages, and this one replaces tasks in place";
        let help =
            "write service.deploymentConfiguration.strategy: BLUE_GREEN, LINEAR or CANARY, with a second target group";
        problems.push(Problem::error(problem::APPROVAL, place, message).help(help));
        return service;
    }
    let Some(minutes) = minutes(approval, problems) else { return service };
    let continues = approval.get("onTimeout").and_then(Node::as_text) == Some("continue");
    let hook = json!({
        "targetType": "PAUSE", "lifecycleStages": [stage],
        "timeoutConfiguration": { "timeoutInMinutes": minutes, "action": if continues { "CONTINUE" } else { "ROLLBACK" } },
    });
    let mut configuration = service.get("deploymentConfiguration").cloned().unwrap_or_else(|| Node::empty_map(place));
    let mut hooks = configuration.get("lifecycleHooks").map(Node::items).unwrap_or_default().to_vec();
    if !hooks.iter().any(|hook| pauses_at(hook, stage)) {
        hooks.push(Node::of_value(&hook, place));
        configuration.set("lifecycleHooks", Node { tree: Tree::List(hooks), place: Place::clone(place) });
        service.set("deploymentConfiguration", configuration);
    }
    service
}

fn pauses_at(hook: &Node, stage: &str) -> bool {
    let stages = hook.get("lifecycleStages").map(Node::items).unwrap_or_default();
    hook.get("targetType").and_then(Node::as_text) == Some("PAUSE")
        && stages.iter().any(|found| found.as_text() == Some(stage))
}

/// ECS counts in minutes.
fn minutes(approval: &Node, problems: &mut Vec<Problem>) -> Option<u64> {
    let Some(node) = approval.get("timeout") else { return Some(TIMEOUT_MINUTES) };
    let minutes = duration(node.as_text()?)?.as_secs().div_ceil(60);
    if (1..=TIMEOUT_MINUTES_MAX).contains(&minutes) {
        return Some(minutes);
    }
    let message = "an approval's timeout is 1 minute to 14 days";
    problems.push(Problem::error(problem::APPROVAL, &node.place, message));
    None
}
