//! What a deployment does, one step after the other, and the stages that this is shown as.
//!
//! Developer Guide, "Amazon ECS blue/green deployments", "linear", "canary", "Lifecycle hooks", "Pause lifecycle hooks".
//!
//! ```text
//! rolling      RECONCILE_SERVICE PRE_SCALE_UP · Roll · POST_SCALE_UP · bake · Done
//! blue/green   RECONCILE_SERVICE PRE_SCALE_UP SCALE_UP POST_SCALE_UP TEST_TRAFFIC_SHIFT POST_TEST_TRAFFIC_SHIFT
//!              PRODUCTION_TRAFFIC_SHIFT POST_PRODUCTION_TRAFFIC_SHIFT BAKE_TIME CLEAN_UP
//! ```

use super::deploy::{self, Cause};
use super::images::Function;
use super::scheduler;
use super::state::{Group, ServiceDeployment};
use crate::sim::wire::time;
use crate::sim::world::agenda::Due;
use crate::sim::world::elbv2::targets;
use crate::sim::world::{World, input};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// One step of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// From now on it is at this stage.
    Enter(&'static str),
    /// The hooks of this stage are asked, one after the other.
    Hooks(&'static str),
    /// Tasks are replaced within the two percentages.
    Roll,
    /// All tasks of the new revision start beside the others.
    ScaleUp,
    /// Test traffic goes to the new revision.
    Test,
    /// So many percent of production traffic go to the new revision.
    Production(f64),
    /// So many minutes pass.
    Wait(i64),
    /// The tasks of the old revision stop.
    CleanUp,
    /// It was successful.
    Done,
    /// The rollback was successful.
    WentBack,
}

/// Which traffic is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// The rule for users.
    Production,
    /// The rule for tests.
    Test,
    /// Both.
    Both,
}

/// "The default value is 1440" minutes, and what comes then (API Reference, `TimeoutConfiguration`).
const PAUSE_MINUTES: i64 = 1440;

/// What a deployment does.
pub fn program(configuration: &Value, has_source: bool) -> Vec<Step> {
    use Step::{CleanUp, Done, Enter, Hooks, Production, Roll, ScaleUp, Test, Wait};
    let minutes = |name: &str| input::number(configuration, name).unwrap_or(0);
    let bake = minutes("bakeTimeInMinutes");
    let strategy = input::text(configuration, "strategy").unwrap_or("ROLLING");
    if strategy == "ROLLING" || !has_source {
        let mut steps = vec![Hooks("RECONCILE_SERVICE"), Hooks("PRE_SCALE_UP"), Roll, Hooks("POST_SCALE_UP")];
        if strategy == "ROLLING" {
            steps.push(Wait(bake));
        }
        steps.push(Done);
        return steps;
    }
    let mut steps = Vec::new();
    for stage in ["RECONCILE_SERVICE", "PRE_SCALE_UP"] {
        steps.extend([Enter(stage), Hooks(stage)]);
    }
    steps.extend([Enter("SCALE_UP"), ScaleUp, Enter("POST_SCALE_UP"), Hooks("POST_SCALE_UP")]);
    steps.extend([Enter("TEST_TRAFFIC_SHIFT"), Test, Hooks("TEST_TRAFFIC_SHIFT")]);
    steps.extend([Enter("POST_TEST_TRAFFIC_SHIFT"), Hooks("POST_TEST_TRAFFIC_SHIFT")]);
    steps.extend([Hooks("PRE_PRODUCTION_TRAFFIC_SHIFT"), Enter("PRODUCTION_TRAFFIC_SHIFT")]);
    for (percent, minutes) in shifts(strategy, configuration) {
        steps.extend([Production(percent), Hooks("PRODUCTION_TRAFFIC_SHIFT"), Wait(minutes)]);
    }
    steps.extend([Enter("POST_PRODUCTION_TRAFFIC_SHIFT"), Hooks("POST_PRODUCTION_TRAFFIC_SHIFT")]);
    steps.extend([Enter("BAKE_TIME"), Wait(bake), Enter("CLEAN_UP"), CleanUp, Done]);
    steps
}

/// The steps of production traffic: percent, and the minutes that it stays there.
fn shifts(strategy: &str, configuration: &Value) -> Vec<(f64, i64)> {
    let real = |block: &str, name: &str, usual: f64| configuration[block][name].as_f64().unwrap_or(usual);
    let whole = |block: &str, name: &str, usual| input::number(&configuration[block], name).unwrap_or(usual);
    match strategy {
        "CANARY" => {
            let block = "canaryConfiguration";
            vec![(real(block, "canaryPercent", 5.0), whole(block, "canaryBakeTimeInMinutes", 10)), (100.0, 0)]
        }
        "LINEAR" => {
            let block = "linearConfiguration";
            let (step, minutes) = (real(block, "stepPercent", 10.0).max(0.1), whole(block, "stepBakeTimeInMinutes", 6));
            let count = (100.0 / step).ceil() as i64;
            (1..=count).map(|at| if at == count { (100.0, 0) } else { (step * at as f64, minutes) }).collect()
        }
        _ => vec![(100.0, 0)],
    }
}

/// What a rollback does: traffic is back already.
pub fn back(beside: bool) -> Vec<Step> {
    if beside { vec![Step::CleanUp, Step::WentBack] } else { vec![Step::Roll, Step::WentBack] }
}

/// A deployment goes on as far as it can.
pub fn step(world: &mut World, arn: &str) {
    let now = world.now();
    if let Some(deployment) = world.ecs.deployments.get_mut(arn).filter(|d| d.status == "PENDING") {
        (deployment.status, deployment.started, deployment.updated, deployment.since) =
            ("IN_PROGRESS", Some(now), now, now);
    }
    loop {
        let Some(deployment) = world.ecs.deployments.get(arn).cloned().filter(ServiceDeployment::is_open) else {
            return;
        };
        let Some(step) = deployment.program.get(deployment.at).cloned() else { return };
        if !act(world, &deployment, &step) {
            return;
        }
        // A failure has begun another program meanwhile.
        let Some(open) = world.ecs.deployments.get_mut(arn).filter(|open| open.at == deployment.at) else { return };
        if open.program != deployment.program {
            return;
        }
        (open.at, open.since, open.updated) = (open.at + 1, now, now);
    }
}

/// Does a step; false while it is not over.
fn act(world: &mut World, deployment: &ServiceDeployment, step: &Step) -> bool {
    let service = &deployment.service;
    match step {
        Step::Enter(stage) => {
            if let Some(open) = world.ecs.deployments.get_mut(&deployment.arn) {
                open.stage = stage;
            }
            true
        }
        Step::Hooks(stage) => hooks(world, deployment, stage),
        Step::Roll => is_alone(world, service),
        Step::ScaleUp => scale_up(world, deployment),
        Step::Test => {
            let (blue, green) = colours(world, deployment);
            shift(world, service, (&blue, &green), Traffic::Test, 100.0);
            if let Some(open) = world.ecs.deployments.get_mut(&deployment.arn) {
                open.test = 100.0;
            }
            true
        }
        Step::Production(percent) => {
            let (blue, green) = colours(world, deployment);
            shift(world, service, (&blue, &green), Traffic::Production, *percent);
            if let Some(open) = world.ecs.deployments.get_mut(&deployment.arn) {
                open.production = *percent;
            }
            true
        }
        Step::Wait(minutes) => waited(world, deployment, *minutes),
        Step::CleanUp => clean_up(world, deployment),
        Step::Done => {
            deploy::complete(world, service, "SUCCESSFUL");
            false
        }
        Step::WentBack => {
            deploy::complete(world, service, "ROLLBACK_SUCCESSFUL");
            false
        }
    }
}

/// The PRIMARY deployment is up, and no task of another one is left.
fn is_alone(world: &World, service: &str) -> bool {
    let Some(found) = world.ecs.services.get(service) else { return false };
    let Some(primary) = found.deployments.first() else { return false };
    let others = super::view::tasks(world, service).any(|t| t.started_by != primary.id && t.last != "STOPPED");
    !others && scheduler::is_up(world, found, primary)
}

fn scale_up(world: &mut World, deployment: &ServiceDeployment) -> bool {
    let Some(found) = world.ecs.services.get_mut(&deployment.service) else { return false };
    let desired = found.desired;
    for each in &mut found.deployments {
        if each.revision == deployment.target && each.desired != desired {
            each.desired = desired;
        }
    }
    let Some(found) = world.ecs.services.get(&deployment.service) else { return false };
    let Some(green) = found.deployments.iter().find(|d| d.revision == deployment.target) else { return false };
    let up = scheduler::is_up(world, found, green);
    scheduler::wake(world, &deployment.service);
    up
}

/// The groups of the old and the new revision.
pub fn colours(world: &World, deployment: &ServiceDeployment) -> (Vec<Group>, Vec<Group>) {
    let found = world.ecs.services.get(&deployment.service);
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<Group> {
        let all = found.into_iter().flat_map(|s| s.deployments.iter().filter(|d| wanted(&d.revision)));
        all.flat_map(|d| d.groups.clone()).collect()
    };
    (of(&|revision| deployment.sources.iter().any(|s| s == revision)), of(&|revision| revision == deployment.target))
}

/// Moves traffic: `percent` goes to green, the rest to blue.
pub fn shift(world: &mut World, service: &str, (blue, green): (&[Group], &[Group]), traffic: Traffic, percent: f64) {
    let Some(found) = world.ecs.services.get(service) else { return };
    let rules = deploy::rules(found);
    for (at, (production, test)) in rules.into_iter().enumerate() {
        let (Some(blue), Some(green)) = (blue.get(at), green.get(at)) else { continue };
        let green_part = percent.round() as i64;
        let weights = [(blue.arn.clone(), 100 - green_part), (green.arn.clone(), green_part)];
        if traffic != Traffic::Test {
            targets::shift(world, &production, &weights);
        }
        if let Some(test) = test.filter(|_| traffic != Traffic::Production) {
            targets::shift(world, &test, &weights);
        }
    }
}

fn waited(world: &mut World, deployment: &ServiceDeployment, minutes: i64) -> bool {
    let passed = world.now().duration_since(deployment.since).as_secs_f64();
    let left = minutes as f64 * 60.0 - passed;
    if left > 0.0 {
        world.later(left, Due::Stage(deployment.arn.clone()));
    }
    left <= 0.0
}

/// The tasks of all others stop; the test rule follows production.
fn clean_up(world: &mut World, deployment: &ServiceDeployment) -> bool {
    let Some(found) = world.ecs.services.get_mut(&deployment.service) else { return false };
    let mut changed = false;
    for each in found.deployments.iter_mut().skip_while(|d| d.status == "PRIMARY") {
        changed |= each.desired != 0;
        each.desired = 0;
    }
    if changed {
        scheduler::wake(world, &deployment.service);
    }
    is_alone(world, &deployment.service)
}

/// The hooks of a stage are asked in their order; false while one has not answered.
fn hooks(world: &mut World, deployment: &ServiceDeployment, stage: &str) -> bool {
    let at_stage = |hook: &&Value| input::texts(hook, "lifecycleStages").any(|found| found == stage);
    let wanted: Vec<Value> =
        input::list(&deployment.configuration, "lifecycleHooks").iter().filter(at_stage).cloned().collect();
    for (at, hook) in wanted.iter().enumerate() {
        let key = format!("{}/{at}", deployment.at);
        let asked = deployment.hooks.iter().find(|asked| asked["$key"] == *key);
        let Some(asked) = asked else {
            ask(world, deployment, hook, &key);
            return false;
        };
        match asked["status"].as_str() {
            Some("SUCCEEDED") => {}
            Some("TIMED_OUT") if asked["timeoutAction"] == "CONTINUE" => {}
            Some("FAILED") => {
                let what = format!("lifecycle hook at {stage} failed");
                deploy::fail(world, &deployment.service, Cause::Hook(what));
                return false;
            }
            _ => return answered_by_time(world, deployment, asked, stage),
        }
    }
    true
}

fn ask(world: &mut World, deployment: &ServiceDeployment, hook: &Value, key: &str) {
    let pause = input::text(hook, "targetType") == Some("PAUSE");
    let id = if pause { format!("ecs-pause-{}", world.hex(43)) } else { world.uuid() };
    let mut details = json!({
        "$key": key, "hookId": id, "targetType": if pause { "PAUSE" } else { "AWS_LAMBDA" },
        "status": if pause { "AWAITING_ACTION" } else { "IN_PROGRESS" },
    });
    let wait = if pause {
        let timeout = &hook["timeoutConfiguration"];
        let minutes = input::number(timeout, "timeoutInMinutes").unwrap_or(PAUSE_MINUTES);
        details["expiresAt"] = time(world.now().saturating_add(SignedDuration::from_mins(minutes)).unwrap_or_default());
        details["timeoutAction"] = json!(input::text(timeout, "action").unwrap_or("ROLLBACK"));
        minutes as f64 * 60.0
    } else {
        details["targetArn"] = hook["hookTargetArn"].clone();
        function(world, &hook["hookTargetArn"]).seconds
    };
    details["$until"] = json!(world.now().as_millisecond() as f64 / 1000.0 + wait);
    if let Some(open) = world.ecs.deployments.get_mut(&deployment.arn) {
        open.hooks.push(details);
    }
    world.later(wait, Due::Stage(deployment.arn.clone()));
}

fn function(world: &World, arn: &Value) -> Function {
    world.ecs.images.hooks.get(arn.as_str().unwrap_or_default()).copied().unwrap_or_default()
}

/// A function answers after a while; a pause ends by itself at its time.
fn answered_by_time(world: &mut World, deployment: &ServiceDeployment, asked: &Value, stage: &str) -> bool {
    let until = asked["$until"].as_f64().unwrap_or(f64::MAX);
    if (world.now().as_millisecond() as f64 / 1000.0) < until {
        return false;
    }
    let pause = asked["targetType"] == "PAUSE";
    let succeeds =
        if pause { asked["timeoutAction"] == "CONTINUE" } else { function(world, &asked["targetArn"]).succeeds };
    let status = match (pause, succeeds) {
        (true, _) => "TIMED_OUT",
        (false, true) => "SUCCEEDED",
        (false, false) => "FAILED",
    };
    answer(world, &deployment.arn, &asked["hookId"], status);
    if !succeeds {
        let what =
            if pause { format!("the pause at {stage} ran out") } else { format!("lifecycle hook at {stage} failed") };
        deploy::fail(world, &deployment.service, Cause::Hook(what));
        return false;
    }
    true
}

/// Notes the answer of a hook.
pub fn answer(world: &mut World, deployment: &str, hook: &Value, status: &str) {
    let Some(open) = world.ecs.deployments.get_mut(deployment) else { return };
    for asked in open.hooks.iter_mut().filter(|asked| asked["hookId"] == *hook) {
        asked["status"] = json!(status);
    }
}
