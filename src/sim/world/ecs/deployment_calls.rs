//! Service deployments and service revisions: List, Describe, Stop, Continue.

use super::common::short;
use super::deploy::{self, Cause};
use super::state::{Service, ServiceDeployment};
use super::{stages, view};
use crate::sim::wire::time;
use crate::sim::world::agenda::Due;
use crate::sim::world::input::{self, Pages};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};

const BAD: &str = "InvalidParameterException";
/// "You can specify a maximum of 20 ARNs" (DescribeServiceDeployments, DescribeServiceRevisions).
const DESCRIBE_MAX: usize = 20;

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "ListServiceDeployments" => list(world, input),
        "DescribeServiceDeployments" => describe(world, input),
        "DescribeServiceRevisions" => revisions(world, input),
        "StopServiceDeployment" => stop(world, input),
        "ContinueServiceDeployment" => go_on(world, input),
        _ => return None,
    })
}

fn service<'w>(world: &'w World, input: &Value) -> Result<&'w Service, Refusal> {
    let asked = input::required(input, "service", BAD)?;
    let cluster = input::text(input, "cluster").unwrap_or("default");
    let arn = if asked.starts_with("arn:") {
        asked.to_owned()
    } else {
        world.arn("ecs", &format!("service/{}/{}", short(cluster), short(asked)))
    };
    let found = world.ecs.services.get(&arn);
    found.ok_or_else(|| Refusal::new("ServiceNotFoundException", "Service not found."))
}

/// The newest first.
fn list(world: &mut World, input: &Value) -> Answer {
    let service = service(world, input)?;
    let states: Vec<&str> = input::texts(input, "status").collect();
    let range = &input["createdAt"];
    let within = |at: f64| {
        range["after"].as_f64().is_none_or(|after| at >= after) && range["before"].as_f64().is_none_or(|b| at <= b)
    };
    let mut all: Vec<&ServiceDeployment> = world
        .ecs
        .deployments
        .values()
        .filter(|d| d.service == service.arn && (states.is_empty() || states.contains(&d.status)))
        .filter(|d| within(d.created.as_millisecond() as f64 / 1000.0))
        .collect();
    all.sort_by(|a, b| (b.created, &b.arn).cmp(&(a.created, &a.arn)));
    let brief = |d: &&ServiceDeployment| {
        let mut members = common(world, d);
        members.insert("targetServiceRevisionArn".to_owned(), json!(d.target));
        Value::Object(members)
    };
    let pages = Pages {
        into: "serviceDeployments",
        token: "nextToken",
        next: "nextToken",
        size: "maxResults",
        usual: 20,
        most: 100,
        code: BAD,
    };
    pages.page(all.iter().map(brief).collect(), input)
}

/// What both forms have.
fn common(world: &World, deployment: &ServiceDeployment) -> Map<String, Value> {
    let cluster = deployment.service.split('/').nth(1).unwrap_or_default();
    let mut members = Map::from_iter([
        ("serviceDeploymentArn".to_owned(), json!(deployment.arn)),
        ("serviceArn".to_owned(), json!(deployment.service)),
        ("clusterArn".to_owned(), json!(super::cluster_arn(world, cluster))),
        ("createdAt".to_owned(), time(deployment.created)),
        ("status".to_owned(), json!(deployment.status)),
    ]);
    for (name, at) in [("startedAt", deployment.started), ("finishedAt", deployment.finished)] {
        members.extend(at.map(|at| (name.to_owned(), time(at))));
    }
    if !deployment.reason.is_empty() {
        members.insert("statusReason".to_owned(), json!(deployment.reason));
    }
    members
}

fn arns<'i>(input: &'i Value, name: &str) -> Result<Vec<&'i str>, Refusal> {
    let all: Vec<&str> = input::texts(input, name).collect();
    if all.is_empty() || all.len() > DESCRIBE_MAX {
        return Err(Refusal::new(BAD, format!("{name} must have between 1 and {DESCRIBE_MAX} items.")));
    }
    Ok(all)
}

fn describe(world: &mut World, input: &Value) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns(input, "serviceDeploymentArns")? {
        match world.ecs.deployments.get(arn) {
            Some(deployment) => found.push(document(world, deployment)),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceDeployments": found, "failures": failures }))
}

fn document(world: &World, deployment: &ServiceDeployment) -> Value {
    let mut members = common(world, deployment);
    let service = world.ecs.services.get(&deployment.service);
    let desired = service.map_or(0, |service| service.desired);
    members.insert("updatedAt".to_owned(), time(deployment.updated));
    members.extend(deployment.stopped.map(|at| ("stoppedAt".to_owned(), time(at))));
    let green = (deployment.production, deployment.test);
    members.insert("targetServiceRevision".to_owned(), revision(world, deployment, &deployment.target, green));
    let blue = (100.0 - deployment.production, 100.0 - deployment.test);
    let sources = deployment.sources.iter().map(|source| revision(world, deployment, source, blue));
    members.insert("sourceServiceRevisions".to_owned(), sources.collect());
    members.insert("deploymentConfiguration".to_owned(), deployment.configuration.clone());
    let breaker = json!({
        "status": deployment.breaker, "failureCount": deployment.failures, "threshold": deployment.threshold(desired),
    });
    members.insert("deploymentCircuitBreaker".to_owned(), breaker);
    members.insert("alarms".to_owned(), alarms(deployment));
    if !deployment.stage.is_empty() {
        members.insert("lifecycleStage".to_owned(), json!(deployment.stage));
    }
    if !deployment.hooks.is_empty() {
        members.insert("lifecycleHookDetails".to_owned(), deployment.hooks.iter().map(shown).collect());
    }
    if let Some((reason, at, revision)) = &deployment.rollback {
        let rollback = json!({ "reason": reason, "startedAt": time(*at), "serviceRevisionArn": revision });
        members.insert("rollback".to_owned(), rollback);
    }
    Value::Object(members)
}

/// Without what only we need.
fn shown(hook: &Value) -> Value {
    let Value::Object(members) = hook else { return Value::Null };
    members.iter().filter(|(name, _)| !name.starts_with('$')).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// Counts as they are while it is under way, and those of the end afterwards.
fn revision(world: &World, deployment: &ServiceDeployment, arn: &str, (production, test): (f64, f64)) -> Value {
    let service = world.ecs.services.get(&deployment.service);
    let running = service.and_then(|s| Some((s, s.deployments.iter().find(|d| d.revision == arn)?)));
    let mut members = match running {
        Some((service, found)) => view::revision(world, service, found),
        None => json!({ "arn": arn, "requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0 }),
    };
    if deployment.shifts() {
        members["requestedProductionTrafficWeight"] = json!(production);
        members["requestedTestTrafficWeight"] = json!(test);
    }
    members
}

fn alarms(deployment: &ServiceDeployment) -> Value {
    let configured = &deployment.configuration["alarms"];
    if input::flag(configured, "enable") != Some(true) {
        return json!({ "status": "DISABLED" });
    }
    let status = match (deployment.alarms.is_empty(), deployment.is_open()) {
        (false, _) => "TRIGGERED",
        (true, true) => "MONITORING",
        (true, false) => "MONITORING_COMPLETE",
    };
    json!({ "status": status, "alarmNames": configured["alarmNames"], "triggeredAlarmNames": deployment.alarms })
}

fn revisions(world: &mut World, input: &Value) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns(input, "serviceRevisionArns")? {
        match world.ecs.revisions.get(arn) {
            Some(revision) => {
                let mut revision = revision.clone();
                if let Value::Object(members) = &mut revision {
                    view::resolve_platform(members);
                }
                found.push(revision);
            }
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

fn open(world: &World, input: &Value) -> Result<ServiceDeployment, Refusal> {
    let arn = input::required(input, "serviceDeploymentArn", BAD)?;
    let found = world.ecs.deployments.get(arn).cloned();
    found.ok_or_else(|| Refusal::new("ServiceDeploymentNotFoundException", "The service deployment was not found."))
}

/// "You can stop a deployment … PENDING or IN_PROGRESS" (StopServiceDeployment): ROLLBACK, the default, goes back to the
/// revision before; ABORT leaves things as they are.
fn stop(world: &mut World, input: &Value) -> Answer {
    let deployment = open(world, input)?;
    if !matches!(deployment.status, "PENDING" | "IN_PROGRESS") {
        let message = format!("The service deployment is {} and cannot be stopped.", deployment.status);
        return Err(Refusal::new("ConflictException", message));
    }
    let now = world.now();
    match input::text(input, "stopType").unwrap_or("ROLLBACK") {
        "ROLLBACK" => deploy::fail(world, &deployment.service, Cause::Stopped),
        "ABORT" => {
            let reason = "Service deployment stopped because of a StopServiceDeployment request.".to_owned();
            deploy::finish(world, &deployment.arn, "STOPPED", reason);
        }
        other => return Err(Refusal::new(BAD, format!("stopType {other} is none of ABORT, ROLLBACK."))),
    }
    // "A user manually stops the deployment" (ServiceDeployment, stoppedAt).
    if let Some(stopped) = world.ecs.deployments.get_mut(&deployment.arn) {
        stopped.stopped = Some(now);
    }
    Ok(json!({ "serviceDeploymentArn": deployment.arn }))
}

/// Answers a PAUSE hook that waits (ContinueServiceDeployment).
fn go_on(world: &mut World, input: &Value) -> Answer {
    let deployment = open(world, input)?;
    let hook = input::required(input, "hookId", BAD)?;
    let waits = deployment.hooks.iter().any(|h| h["hookId"] == hook && h["status"] == "AWAITING_ACTION");
    if !waits {
        return Err(Refusal::new(BAD, format!("The hook {hook} does not await an action.")));
    }
    match input::text(input, "action").unwrap_or("CONTINUE") {
        "CONTINUE" => {
            stages::answer(world, &deployment.arn, &json!(hook), "SUCCEEDED");
            world.later(0.0, Due::Stage(deployment.arn.clone()));
        }
        "ROLLBACK" => {
            stages::answer(world, &deployment.arn, &json!(hook), "FAILED");
            deploy::fail(world, &deployment.service, Cause::Hook("rolled back by a person".to_owned()));
        }
        other => return Err(Refusal::new(BAD, format!("action {other} is none of CONTINUE, ROLLBACK."))),
    }
    Ok(json!({ "serviceDeploymentArn": deployment.arn }))
}
