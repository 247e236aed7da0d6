//! ECS's scheduler: looks at a service when something changed, starts and stops tasks, judges its deployment.
//!
//! Developer Guide: "Deploy Amazon ECS services by replacing tasks" (the two percentages), "How the Amazon ECS deployment
//! circuit breaker detects failures", "Service event messages", "Service throttle logic".

use super::common::short;
use super::deploy::{self, Cause};
use super::state::{Deployment, Service, Task};
use super::{tasks, view};
use crate::sim::wire::time;
use crate::sim::world::World;
use crate::sim::world::agenda::Due;
use crate::sim::world::elbv2::targets;
use crate::sim::world::{cloudwatch, input};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// How soon the scheduler looks after a change.
const LOOK_SECONDS: f64 = 1.0;
/// How often it looks at a service that is not steady.
const UNSTEADY_LOOK_SECONDS: f64 = 5.0;
/// "the most recent 100 service events" (DescribeServices).
const EVENTS_MAX: usize = 100;
/// From so many failed tasks in a row on, each start waits longer ("Service throttle logic"; AWS publishes no figures).
const FAILURES_FREE: u32 = 3;
/// The first of these waits, doubled each time, and the longest: 15 minutes.
const THROTTLE_SECONDS: (f64, f64) = (10.0, 900.0);

/// Makes sure that the scheduler looks at a service soon.
pub fn wake(world: &mut World, service: &str) {
    look_in(world, service, LOOK_SECONDS);
}

fn look_in(world: &mut World, service: &str, seconds: f64) {
    if let Some(found) = world.ecs.services.get_mut(service).filter(|found| !found.looks) {
        found.looks = true;
        world.later(seconds, Due::Schedule(service.to_owned()));
    }
}

/// Writes a service event: `(service NAME) MESSAGE.`
pub fn event(world: &mut World, service: &str, message: &str) {
    let (now, id) = (world.now(), world.uuid());
    let Some(found) = world.ecs.services.get_mut(service) else { return };
    let message = format!("(service {}) {message}.", found.name);
    found.events.insert(0, json!({ "id": id, "createdAt": time(now), "message": message }));
    found.events.truncate(EVENTS_MAX);
}

/// Looks at a service.
pub fn look(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    service.looks = false;
    match service.status {
        "DRAINING" => return leave(world, arn),
        "ACTIVE" => {}
        _ => return,
    }
    follow_count(world, arn);
    judge_health(world, arn);
    count_failures(world, arn);
    watch_alarms(world, arn);
    balance(world, arn);
    clear_away(world, arn);
    // Nothing changes in a steady service before something happens to it.
    if !is_steady(world, arn) {
        look_in(world, arn, UNSTEADY_LOOK_SECONDS);
    }
}

/// What the service wants is what its deployments want; one that shifts has all tasks twice.
fn follow_count(world: &mut World, arn: &str) {
    let beside = deploy::under_way(world, arn).is_some_and(super::state::ServiceDeployment::shifts);
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    let desired = service.desired;
    for (at, deployment) in service.deployments.iter_mut().enumerate() {
        let has = if beside { deployment.desired > 0 } else { at == 0 && deployment.rollout != "FAILED" };
        if has {
            deployment.desired = desired;
        } else if !beside {
            deployment.desired = 0;
        }
    }
}

/// A deleted service: its deployment ends, its tasks stop, then it is gone.
fn leave(world: &mut World, arn: &str) {
    if let Some(open) = deploy::under_way(world, arn).map(|deployment| deployment.arn.clone()) {
        deploy::finish(
            world,
            &open,
            "STOPPED",
            "Service deployment stopped because the service was deleted.".to_owned(),
        );
    }
    for task in of_service(world, arn, |task| task.desired == "RUNNING") {
        stop_for_scaling(world, &task);
    }
    let left = of_service(world, arn, |task| task.last != "STOPPED");
    if left.is_empty() {
        world.later(LOOK_SECONDS, Due::Drained(arn.to_owned()));
    } else {
        look_in(world, arn, UNSTEADY_LOOK_SECONDS);
    }
}

fn of_service(world: &World, service: &str, which: impl Fn(&Task) -> bool) -> Vec<Task> {
    let mut all: Vec<Task> = view::tasks(world, service).filter(|task| which(task)).cloned().collect();
    all.sort_by_key(|task| (task.times.created, task.arn.clone()));
    all
}

/// Tasks whose target group or own health check says that they are not well stop.
fn judge_health(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let grace = input::number(&service.settings, "healthCheckGracePeriodSeconds").unwrap_or(0);
    let now = world.now();
    for task in of_service(world, arn, |task| task.last == "RUNNING" && task.desired == "RUNNING") {
        let ran = task.times.started.map_or(0, |at| now.duration_since(at).as_secs());
        if ran < grace {
            continue;
        }
        let id = short(&task.arn);
        let sick =
            task.groups.iter().find(|g| targets::health(world, &g.arn, &task.address, g.port) == Some("unhealthy"));
        if let Some(group) = sick {
            let (group, port) = (group.arn.clone(), group.port);
            let message =
                format!("(port {port}) is unhealthy in (target-group {group}) due to (reason Health checks failed)");
            event(world, arn, &format!("(task {id}) {message}"));
            let reason = format!("Task failed ELB health checks in (target-group {group})");
            tasks::stop(world, &task.arn, "ServiceSchedulerInitiated", reason);
        } else if task.health == "UNHEALTHY" {
            event(world, arn, &format!("(task {id}) failed container health checks"));
            tasks::stop(
                world,
                &task.arn,
                "ServiceSchedulerInitiated",
                "Task failed container health checks".to_owned(),
            );
        }
    }
}

/// Whether a task stopped because it is no good.
fn failed(task: &Task) -> bool {
    match task.stop_code {
        Some("TaskFailedToStart" | "EssentialContainerExited") => true,
        Some("ServiceSchedulerInitiated") => task.stopped_reason.starts_with("Task failed"),
        _ => false,
    }
}

fn count_failures(world: &mut World, arn: &str) {
    let now = world.now();
    for task in of_service(world, arn, |task| task.desired == "STOPPED" && !task.counted && failed(task)) {
        if let Some(task) = world.ecs.tasks.get_mut(&task.arn) {
            task.counted = true;
        }
        if task.stopped_reason.starts_with("Capacity is unavailable") {
            let message = format!("was unable to place a task. Reason: {}", task.stopped_reason);
            event(
                world,
                arn,
                &format!(
                    "{message}. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide"
                ),
            );
        }
        let Some(service) = world.ecs.services.get_mut(arn) else { return };
        service.failures += 1;
        service.steady = false;
        if service.failures > FAILURES_FREE {
            let (first, longest) = THROTTLE_SECONDS;
            let wait = (first * f64::from(service.failures - FAILURES_FREE - 1).exp2()).min(longest);
            service.starts_after = SignedDuration::try_from_secs_f64(wait).ok().and_then(|w| now.checked_add(w).ok());
        }
        let primary = service.deployments.first().is_some_and(|first| first.id == task.started_by);
        if let Some(deployment) = service.deployments.iter_mut().find(|d| d.id == task.started_by) {
            deployment.failed += 1;
        }
        if primary {
            deploy::task_failed(world, arn);
        }
    }
}

/// A healthy task ends a row of failures ("resetOnHealthyTask").
fn healthy_again(world: &mut World, arn: &str) {
    if let Some(service) = world.ecs.services.get_mut(arn) {
        (service.failures, service.starts_after) = (0, None);
    }
}

fn watch_alarms(world: &mut World, arn: &str) {
    let Some(deployment) = deploy::under_way(world, arn) else { return };
    let alarms = &deployment.configuration["alarms"];
    if input::flag(alarms, "enable") != Some(true) || deployment.status != "IN_PROGRESS" {
        return;
    }
    let names: Vec<String> = input::texts(alarms, "alarmNames").map(str::to_owned).collect();
    let rings: Vec<String> = names.into_iter().filter(|name| cloudwatch::state(world, name) == Some("ALARM")).collect();
    if !rings.is_empty() {
        deploy::fail(world, arn, Cause::Alarms(rings));
    }
}

/// Whether a task serves: it runs, its own check is well, and its targets are healthy.
pub fn is_healthy(world: &World, task: &Task) -> bool {
    let well = |g: &super::state::Group| {
        matches!(targets::health(world, &g.arn, &task.address, g.port), Some("healthy" | "unused"))
    };
    let own = task.health == "HEALTHY" || (task.health != "UNHEALTHY" && !tasks::checks_itself(world, task));
    task.last == "RUNNING" && task.desired == "RUNNING" && own && task.groups.iter().all(well)
}

/// Starts and stops what the deployments want.
fn balance(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn).cloned() else { return };
    let beside = deploy::under_way(world, arn).is_some_and(|deployment| deployment.shifts());
    if beside {
        for deployment in &service.deployments {
            bring_to(world, &service, deployment, deployment.desired, i64::MAX);
        }
    } else {
        roll(world, &service);
    }
}

/// The rolling update: never more than the maximum, never fewer healthy ones than the minimum.
fn roll(world: &mut World, service: &Service) {
    let Some(primary) = service.deployments.first() else { return };
    let configuration = &service.settings["deploymentConfiguration"];
    let percent = |name, usual| input::number(configuration, name).unwrap_or(usual);
    let most = (service.desired * percent("maximumPercent", 200)).div_euclid(100);
    let least = (service.desired * percent("minimumHealthyPercent", 100) + 99).div_euclid(100);
    let alive = |task: &Task| task.desired == "RUNNING";
    let all = of_service(world, &service.arn, alive);
    let old: Vec<Task> = all.iter().filter(|task| task.started_by != primary.id).cloned().collect();
    if primary.rollout == "FAILED" {
        // "stops launching new tasks"; what served before goes on.
        return bring_to(world, service, primary, 0, 0);
    }
    let healthy = all.iter().filter(|task| is_healthy(world, task)).count() as i64;
    let mut spare = (healthy - least).max(0);
    for task in &old {
        let serves = is_healthy(world, task);
        if !serves || spare > 0 {
            spare -= i64::from(serves);
            stop_for_scaling(world, task);
        }
    }
    let still_old = of_service(world, &service.arn, |task| alive(task) && task.started_by != primary.id).len() as i64;
    bring_to(world, service, primary, service.desired, (most - still_old).max(0));
}

/// Starts or stops tasks of one deployment until it has `wanted`, and never more than `most`.
fn bring_to(world: &mut World, service: &Service, deployment: &Deployment, wanted: i64, most: i64) {
    let own = of_service(world, &service.arn, |t| t.desired == "RUNNING" && t.started_by == deployment.id);
    let (has, wanted) = (own.len() as i64, wanted.min(most));
    for task in own.iter().rev().take((has - wanted).max(0) as usize) {
        stop_for_scaling(world, task);
    }
    let waits = world.ecs.services.get(&service.arn).and_then(|service| service.starts_after);
    if has >= wanted || waits.is_some_and(|at| world.now() < at) {
        return;
    }
    let mut started = Vec::new();
    for _ in has..wanted {
        let task = tasks::start(
            world,
            tasks::Start {
                cluster: service.cluster.clone(),
                service: Some(service.arn.clone()),
                started_by: deployment.id.clone(),
                task_definition: deployment.task_definition.clone(),
                groups: deployment.groups.clone(),
                run: Value::Null,
            },
        );
        started.push(format!("(task {})", short(&task)));
    }
    let message = format!("has started {} tasks: {}", started.len(), started.join(" "));
    event(world, &service.arn, &message);
    if waits.is_some() {
        event(
            world,
            &service.arn,
            "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide",
        );
        if let Some(service) = world.ecs.services.get_mut(&service.arn) {
            service.starts_after = None;
        }
    }
}

fn stop_for_scaling(world: &mut World, task: &Task) {
    let Some(service) = &task.service else { return };
    if !task.groups.is_empty() && task.last == "RUNNING" {
        event(world, service, "has begun draining connections on 1 tasks");
    }
    event(world, service, &format!("has stopped 1 running tasks: (task {})", short(&task.arn)));
    let reason = format!("Scaling activity initiated by (deployment {})", task.started_by);
    tasks::stop(world, &task.arn, "ServiceSchedulerInitiated", reason);
}

/// The tasks that a deployment wants are there, healthy, and nothing else of the service runs.
pub fn is_up(world: &World, service: &Service, deployment: &Deployment) -> bool {
    let own = of_service(world, &service.arn, |t| t.started_by == deployment.id && t.desired == "RUNNING");
    own.len() as i64 == deployment.desired && own.iter().all(|task| is_healthy(world, task))
}

/// Old deployments without tasks go; a rolling deployment that is up and alone is complete.
fn clear_away(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn).cloned() else { return };
    let Some(primary) = service.deployments.first() else { return };
    if is_up(world, &service, primary) && primary.desired > 0 {
        healthy_again(world, arn);
    }
    let has_tasks =
        |id: &str| !of_service(world, arn, |task| task.started_by == id && task.last != "STOPPED").is_empty();
    let keeps = deploy::sources(world, arn);
    let gone: Vec<String> = service.deployments[1..]
        .iter()
        .filter(|old| !has_tasks(&old.id) && !keeps.contains(&old.revision))
        // A deployment that failed is seen beside the one that rolls it back, until that is complete (recorded answers).
        .filter(|old| old.rollout != "FAILED" || service.under_way.is_none())
        .map(|old| old.id.clone())
        .collect();
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.deployments.retain(|deployment| !gone.contains(&deployment.id));
    }
    if let Some(deployment) = service.under_way.clone() {
        super::stages::step(world, &deployment);
    }
    note_steady(world, arn);
}

/// "has reached a steady state" is written once.
fn note_steady(world: &mut World, arn: &str) {
    let steady = is_steady(world, arn);
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    let news = steady && !service.steady;
    service.steady = steady;
    if news {
        event(world, arn, "has reached a steady state");
    }
}

/// One deployment, complete, with all its tasks.
fn is_steady(world: &World, arn: &str) -> bool {
    let Some(service) = world.ecs.services.get(arn) else { return false };
    let [only] = service.deployments.as_slice() else { return false };
    let stopping = of_service(world, arn, |task| task.desired == "STOPPED" && task.last != "STOPPED");
    only.rollout == "COMPLETED" && stopping.is_empty() && is_up(world, service, only)
}
