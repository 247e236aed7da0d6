//! The six things to try.

use super::prepared::BROKEN;
use super::repository::Demo;
use crate::core::act::{ACT_TAG, Act, Deed};
use crate::core::pause::{PAUSED_TAG, Pause};
use crate::http::panel::{Panel, Step};
use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

const CLUSTER: &str = "prod-convergence-website";
const NEW: &str = "2.1.0";
const OLD: &str = "2.0.1";

/// Title, and what will be seen.
const STEPS: [(&str, &str); 6] = [
    ("Merge 2.1.0 of prod-api", "A commit becomes a rollout; prod-api is live again when ECS has replaced its task."),
    ("Change something in the console", "Somebody sets another health check path. It is shown as drift and put back."),
    (
        "Merge a version that crashes",
        "ECS's circuit breaker ends the rollout and goes back; prod-api is failed, with the reason, and is left alone.",
    ),
    ("Revert it", "Git says again what runs, and nothing is deployed for it."),
    (
        "Merge and approve 2.1.0 of prod-app",
        "Blue/green with a pause: the new tasks run without traffic until this is pressed once more.",
    ),
    ("Pause prod-api", "Drift is shown, and nothing is changed; pressed once more it goes on."),
];

/// The steps, with the commands that do the same.
pub fn steps(page: SocketAddr) -> Vec<Step> {
    let step = |(at, (title, text)): (usize, &(&'static str, &'static str))| Step {
        title,
        text,
        command: format!("curl -X POST http://{page}/demo/{}", at + 1),
    };
    STEPS.iter().enumerate().map(step).collect()
}

/// The steps as buttons.
pub fn panel(demo: Arc<Demo>, page: SocketAddr) -> Panel {
    let act = move |at: usize| -> futures_util::future::BoxFuture<'static, Result<String, String>> {
        let demo = demo.clone();
        Box::pin(async move {
            // git and files block.
            let done = tokio::task::spawn_blocking(move || act(&demo, at)).await;
            done.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))
        })
    };
    Panel::new(steps(page), Arc::new(act))
}

fn act(demo: &Demo, at: usize) -> anyhow::Result<String> {
    match at {
        0 => demo.merge("prod-api", NEW, "prod-api 2.1.0"),
        1 => change_in_console(demo),
        2 => demo.merge("prod-api", BROKEN, "prod-api 2.2.0"),
        3 => demo.revert("prod-api", BROKEN),
        4 => merge_or_approve(demo),
        _ => pause_or_resume(demo),
    }
}

/// What a person does in the console.
fn change_in_console(demo: &Demo) -> anyhow::Result<String> {
    let found = demo.account.call("elbv2", "DescribeTargetGroups", json!({ "Names": ["prod-api"] }))?;
    let group = found["TargetGroups"][0]["TargetGroupArn"].as_str().context("prod-api has no target group yet")?;
    let change = json!({ "TargetGroupArn": group, "HealthCheckPath": "/typo" });
    demo.account.call("elbv2", "ModifyTargetGroup", change)?;
    Ok("the health check path of target group prod-api is /typo now".to_owned())
}

/// The hook that waits, when there is one: service deployment, hook.
fn waiting(demo: &Demo) -> anyhow::Result<Option<(Value, Value)>> {
    let input = json!({ "cluster": CLUSTER, "service": "prod-app", "status": ["IN_PROGRESS"] });
    let listed = demo.account.call("ecs", "ListServiceDeployments", input)?;
    let arn = listed["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    if arn.is_null() {
        return Ok(None);
    }
    let input = json!({ "serviceDeploymentArns": [arn] });
    let described = demo.account.call("ecs", "DescribeServiceDeployments", input)?;
    let hooks = described["serviceDeployments"][0]["lifecycleHookDetails"].as_array().cloned().unwrap_or_default();
    let waits = hooks.into_iter().find(|hook| hook["status"] == "AWAITING_ACTION");
    Ok(waits.map(|hook| (arn, hook["hookId"].clone())))
}

fn merge_or_approve(demo: &Demo) -> anyhow::Result<String> {
    if let Some((arn, hook)) = waiting(demo)? {
        let input = json!({ "serviceDeploymentArn": arn, "hookId": hook, "action": "CONTINUE" });
        demo.account.call("ecs", "ContinueServiceDeployment", input)?;
        return Ok("approved: production traffic goes to 2.1.0".to_owned());
    }
    let input = json!({ "cluster": CLUSTER, "service": "prod-app", "status": ["PENDING", "IN_PROGRESS"] });
    let listed = demo.account.call("ecs", "ListServiceDeployments", input)?;
    ensure!(listed["serviceDeployments"] == json!([]), "prod-app is being deployed: press again when it waits");
    let merged =
        demo.merge("prod-app", NEW, "prod-app 2.1.0").or_else(|_| demo.merge("prod-app", OLD, "prod-app 2.0.1"));
    Ok(format!("{}; press again when it waits for approval", merged?))
}

/// Pauses prod-api, or ends its pause: `driftless pause` does the same with an account of one's own.
fn pause_or_resume(demo: &Demo) -> anyhow::Result<String> {
    let input = json!({ "cluster": CLUSTER, "services": ["prod-api"], "include": ["TAGS"] });
    let found = demo.account.call("ecs", "DescribeServices", input)?;
    let service = &found["services"][0];
    let arn = service["serviceArn"].as_str().context("prod-api does not exist yet")?;
    let pairs = service["tags"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let tags: BTreeMap<String, String> =
        pairs.filter_map(|tag| Some((text(&tag["key"])?, text(&tag["value"])?))).collect();
    let now = Timestamp::now();
    let (pause, deed, did) = match Pause::of(&tags, now) {
        Some(pause) => (Pause { until: now, ..pause }, Deed::Resumed, "resumed prod-api"),
        None => {
            let until = now.checked_add(SignedDuration::from_hours(4))?;
            let pause = Pause { until, by: "you".into(), why: "tried in the demo".into() };
            (pause, Deed::Paused, "paused prod-api for 4 hours")
        }
    };
    let why = if deed == Deed::Paused { pause.why.clone() } else { String::new() };
    let act = Act { at: now, deed, by: "you".to_owned(), why };
    let tags = json!([
        { "key": PAUSED_TAG, "value": pause.tag_value() },
        { "key": ACT_TAG, "value": act.tag_value() },
    ]);
    demo.account.call("ecs", "TagResource", json!({ "resourceArn": arn, "tags": tags }))?;
    Ok(did.to_owned())
}
