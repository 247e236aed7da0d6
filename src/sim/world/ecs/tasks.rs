//! The life of a task (Developer Guide, "Amazon ECS task lifecycle").
//!
//! ```text
//! PROVISIONING -> PENDING (pulls) -> RUNNING -> DEACTIVATING (targets drain) -> STOPPING -> DEPROVISIONING -> STOPPED
//!       \_____________\___________________________________________________________________________/
//! ```

use super::common::short;
use super::images::{Behaviour, ends_of};
use super::scheduler;
use super::state::{Group, Task, Times};
use crate::sim::wire::time;
use crate::sim::world::agenda::Due;
use crate::sim::world::elbv2::targets::{self, Checked};
use crate::sim::world::names::{Image, image, secret_exists};
use crate::sim::world::{World, discovery, input, logs};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A network interface is attached.
const PROVISION_SECONDS: f64 = 4.0;
/// A container handles SIGTERM and ends.
const STOP_SECONDS: f64 = 2.0;
/// The network interface is detached.
const DEPROVISION_SECONDS: f64 = 2.0;
/// How often a task that drains is looked at.
const DRAIN_LOOK_SECONDS: f64 = 1.0;
/// "Stopped tasks … only appear in the returned results for at least one hour" (DescribeTasks).
const STOPPED_SECONDS: f64 = 3600.0;

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Start {
    /// The cluster's name.
    pub cluster: String,
    /// The service, by ARN.
    pub service: Option<String>,
    /// `ecs-svc/DIGITS`, or what RunTask was told.
    pub started_by: String,
    /// The revision, by ARN.
    pub task_definition: String,
    /// Where it is registered once it runs.
    pub groups: Vec<Group>,
    /// What RunTask was told beside.
    pub run: Value,
}

/// Starts a task; gives its ARN.
pub fn start(world: &mut World, start: Start) -> String {
    let id = world.hex(32);
    let arn = world.arn("ecs", &format!("task/{}/{id}", start.cluster));
    let address = format!("10.0.{}.{}", world.chance() % 250, world.chance() % 250 + 4);
    let containers = containers(world, &arn, &start.task_definition);
    let task = Task {
        arn: arn.clone(),
        cluster: start.cluster,
        service: start.service,
        started_by: start.started_by,
        task_definition: start.task_definition,
        last: "PROVISIONING",
        desired: "RUNNING",
        health: "UNKNOWN",
        times: Times { created: Some(world.now()), ..Times::default() },
        address,
        containers,
        stop_code: None,
        stopped_reason: String::new(),
        run: start.run,
        groups: start.groups,
        counted: false,
    };
    if let Some(service) = &task.service {
        world.ecs.tasks_of.entry(service.clone()).or_default().insert(arn.clone());
    }
    world.ecs.tasks.insert(arn.clone(), task);
    world.later(PROVISION_SECONDS, Due::Task(arn.clone()));
    arn
}

/// The container definitions of a revision.
pub fn definitions<'w>(world: &'w World, revision: &str) -> &'w [Value] {
    let document = world.ecs.task_definition(revision);
    document.map_or(&[], |document| input::list(document, "containerDefinitions"))
}

fn containers(world: &mut World, task: &str, revision: &str) -> Vec<Value> {
    let definitions = definitions(world, revision).to_vec();
    let id = short(task).to_owned();
    let mut all = Vec::with_capacity(definitions.len());
    for definition in &definitions {
        let digits = world.digits(10);
        let arn = world.arn("ecs", &format!("container/{id}/{digits}"));
        let mut container = json!({
            "containerArn": arn, "taskArn": task, "name": definition["name"], "image": definition["image"],
            "lastStatus": "PENDING", "healthStatus": "UNKNOWN", "networkInterfaces": [], "cpu": "0",
        });
        for name in ["cpu", "memory", "memoryReservation"] {
            if let Some(number) = input::number(definition, name) {
                container[name] = json!(number.to_string());
            }
        }
        all.push(container);
    }
    all
}

/// A task goes on to its next state.
pub fn step(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    match task.last {
        "PROVISIONING" => pull(world, arn),
        "PENDING" => run(world, arn),
        // It changes by its checks, or when it is asked to stop.
        "RUNNING" => {}
        "DEACTIVATING" => drain(world, arn),
        "STOPPING" => {
            exit_containers(world, arn, 137);
            set(world, arn, "DEPROVISIONING");
            world.later(DEPROVISION_SECONDS, Due::Task(arn.to_owned()));
        }
        "DEPROVISIONING" => {
            set(world, arn, "STOPPED");
            let now = world.now();
            if let Some(task) = world.ecs.tasks.get_mut(arn) {
                task.times.stopped = Some(now);
            }
            world.later(STOPPED_SECONDS, Due::Task(arn.to_owned()));
            wake(world, arn);
        }
        _ => {
            // What was due of it before it was stopped comes to nothing.
            let stopped = task.times.stopped.unwrap_or_default();
            if world.now().duration_since(stopped).as_secs_f64() < STOPPED_SECONDS {
                return;
            }
            let service = world.ecs.tasks.remove(arn).and_then(|task| task.service);
            if let Some(all) = service.and_then(|service| world.ecs.tasks_of.get_mut(&service)) {
                all.remove(arn);
            }
        }
    }
}

fn set(world: &mut World, arn: &str, last: &'static str) {
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        task.last = last;
        let of_container = match last {
            "PROVISIONING" | "PENDING" => "PENDING",
            "RUNNING" | "DEACTIVATING" | "STOPPING" => "RUNNING",
            _ => "STOPPED",
        };
        for container in &mut task.containers {
            container["lastStatus"] = json!(of_container);
        }
    }
}

fn wake(world: &mut World, arn: &str) {
    if let Some(service) = world.ecs.tasks.get(arn).and_then(|task| task.service.clone()) {
        scheduler::wake(world, &service);
    }
}

/// Each container's definition with what its image does.
fn behaviours(world: &World, arn: &str) -> Vec<(Value, Behaviour)> {
    let Some(task) = world.ecs.tasks.get(arn) else { return Vec::new() };
    let does = |definition: &Value| {
        let behaviour = world.ecs.images.does(definition["image"].as_str().unwrap_or_default());
        let overrides = input::list(&task.run["overrides"], "containerOverrides").iter();
        let own = overrides.filter(|found| found["name"] == definition["name"]).find_map(|found| found.get("command"));
        match own.and_then(Value::as_array) {
            Some(words) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                Behaviour { exits: Some(ends_of(&words, &behaviour)), ..behaviour }
            }
            None => behaviour,
        }
    };
    definitions(world, &task.task_definition).iter().map(|d| (d.clone(), does(d))).collect()
}

fn pull(world: &mut World, arn: &str) {
    let now = world.now();
    let all = behaviours(world, arn);
    if all.iter().any(|(_, behaviour)| behaviour.nowhere) {
        // The words of Fargate ("Service event messages", unable to place a task).
        let reason = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
        return fail_to_start(world, arn, reason.to_owned());
    }
    let secrets = all.iter().flat_map(|(definition, _)| input::list(definition, "secrets"));
    let values: Vec<String> = secrets.filter_map(|s| input::text(s, "valueFrom")).map(str::to_owned).collect();
    if let Some(missing) = values.iter().find(|value| !secret_exists(world, value)) {
        return fail_to_start(world, arn, missing_secret(missing));
    }
    set(world, arn, "PENDING");
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        task.times.pulling = Some(now);
    }
    let longest = all.iter().map(|(_, behaviour)| behaviour.pull).fold(0.0, f64::max);
    world.later(longest, Due::Task(arn.to_owned()));
}

/// Developer Guide, "Stopped task error messages": ResourceInitializationError.
fn missing_secret(value: &str) -> String {
    let ssm = !value.contains(":secretsmanager:");
    let detail = if ssm {
        format!(
            "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: {value}"
        )
    } else {
        format!(
            "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {value} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
        )
    };
    format!(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: {detail}"
    )
}

fn fail_to_start(world: &mut World, arn: &str, reason: String) {
    stop(world, arn, "TaskFailedToStart", reason);
}

fn run(world: &mut World, arn: &str) {
    let now = world.now();
    let all = behaviours(world, arn);
    for (definition, behaviour) in &all {
        let name = definition["image"].as_str().unwrap_or_default();
        if behaviour.missing || image(world, name) == Image::Missing {
            let reason = format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {name}: {name}: not found"
            );
            return fail_to_start(world, arn, reason);
        }
    }
    set(world, arn, "RUNNING");
    let digests: Vec<_> = all.iter().map(|(d, _)| digest(world, d["image"].as_str().unwrap_or_default())).collect();
    let Some(task) = world.ecs.tasks.get_mut(arn) else { return };
    (task.times.pulled, task.times.started) = (Some(now), Some(now));
    for (container, digest) in task.containers.iter_mut().zip(digests) {
        let id = short(arn);
        container["runtimeId"] = json!(format!("{id}-{}", &digest[7..17]));
        container["imageDigest"] = json!(digest);
    }
    for (definition, behaviour) in &all {
        write(world, arn, definition, &behaviour.says);
    }
    enter(world, arn, &all);
    for (_, seconds) in changes(&all) {
        world.later(seconds, Due::Check(arn.to_owned()));
    }
    wake(world, arn);
}

/// What becomes of a task that runs, without anybody doing anything.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    /// Its own health checks pass.
    Healthy,
    /// They have failed as often as is borne.
    Unhealthy,
    /// A container ends: its name, its exit code.
    Ends(Value, i64),
}

/// What happens to it and when, in seconds after its start. "UNKNOWN: the container health check is being evaluated"
/// (HealthCheck): one that passes makes it HEALTHY.
fn changes(all: &[(Value, Behaviour)]) -> Vec<(Change, f64)> {
    let mut found = Vec::new();
    for (definition, behaviour) in all {
        if let Some(check) = definition.get("healthCheck").filter(|check| !check.is_null()) {
            let of = |name, usual| input::number(check, name).unwrap_or(usual) as f64;
            // RegisterTaskDefinition: interval 30, retries 3, startPeriod off.
            let interval = of("interval", 30);
            found.push(match behaviour.sick {
                true => (Change::Unhealthy, of("startPeriod", 0) + interval * of("retries", 3)),
                false => (Change::Healthy, interval),
            });
        }
        found.extend(behaviour.exits.map(|(after, code)| (Change::Ends(definition["name"].clone(), code), after)));
    }
    found
}

/// A task that runs becomes healthy or unhealthy, or ends by itself.
pub fn change(world: &mut World, arn: &str) {
    let now = world.now();
    let runs = world.ecs.tasks.get(arn).filter(|task| task.last == "RUNNING");
    let Some(started) = runs.and_then(|task| task.times.started) else { return };
    let ran = now.duration_since(started).as_secs_f64();
    let all = changes(&behaviours(world, arn));
    let due: Vec<Change> = all.into_iter().filter(|(_, at)| *at <= ran + 1e-6).map(|(change, _)| change).collect();
    let Some(task) = world.ecs.tasks.get_mut(arn) else { return };
    if due.contains(&Change::Unhealthy) {
        task.health = "UNHEALTHY";
    } else if due.contains(&Change::Healthy) {
        task.health = "HEALTHY";
    }
    let ended: Vec<(Value, i64)> = due
        .into_iter()
        .filter_map(|change| if let Change::Ends(name, code) = change { Some((name, code)) } else { None })
        .collect();
    for (name, code) in &ended {
        for container in task.containers.iter_mut().filter(|container| container["name"] == *name) {
            container["exitCode"] = json!(code);
        }
    }
    if ended.is_empty() {
        return wake(world, arn);
    }
    stop(world, arn, "EssentialContainerExited", "Essential container in task exited".to_owned());
}

/// Whether containers of a task have health checks of their own.
pub fn checks_itself(world: &World, task: &Task) -> bool {
    definitions(world, &task.task_definition).iter().any(|d| d.get("healthCheck").is_some_and(|check| !check.is_null()))
}

/// Registers a task that runs in its target groups and in Cloud Map.
fn enter(world: &mut World, arn: &str, all: &[(Value, Behaviour)]) {
    let Some(task) = world.ecs.tasks.get(arn).cloned() else { return };
    let Some(service) = task.service.clone() else { return };
    for group in &task.groups {
        // The container that has the port is asked.
        let serves = |definition: &Value| {
            input::list(definition, "portMappings")
                .iter()
                .any(|p| input::number(p, "containerPort") == Some(group.port))
        };
        let answers = all.iter().find(|(definition, _)| serves(definition)).and_then(|(_, b)| b.answers);
        let checked = match answers {
            Some(200..=299) => Checked::Healthy,
            Some(code) => Checked::Code(code),
            None => Checked::Silent,
        };
        targets::register(world, &group.arn, &task.address, group.port, checked);
        scheduler::event(world, &service, &format!("registered 1 targets in (target-group {})", group.arn));
    }
    for (registry, port) in registries(world, &task) {
        discovery::register(world, &registry, short(arn), &task.address, port);
    }
}

fn registries(world: &World, task: &Task) -> Vec<(String, Option<i64>)> {
    let service = task.service.as_ref().and_then(|service| world.ecs.services.get(service));
    let deployment = service.and_then(|service| service.deployments.iter().find(|d| d.id == task.started_by));
    let registries = deployment.map_or(&[][..], |deployment| input::list(&deployment.settings, "serviceRegistries"));
    let port = |r: &Value| input::number(r, "containerPort").or_else(|| input::number(r, "port"));
    registries.iter().filter_map(|r| Some((input::text(r, "registryArn")?.to_owned(), port(r)))).collect()
}

/// Asks a task to stop; its targets drain first when it runs.
pub fn stop(world: &mut World, arn: &str, code: &'static str, reason: String) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get_mut(arn) else { return };
    if task.desired == "STOPPED" {
        return;
    }
    task.desired = "STOPPED";
    (task.stop_code, task.stopped_reason, task.times.stopping) = (Some(code), reason, Some(now));
    let (task, was) = (task.clone(), task.last);
    for (registry, _) in registries(world, &task) {
        discovery::deregister(world, &registry, short(arn));
    }
    if was == "RUNNING" {
        for group in &task.groups {
            targets::deregister(world, &group.arn, &task.address, group.port);
            if let Some(service) = &task.service {
                scheduler::event(world, service, &format!("deregistered 1 targets in (target-group {})", group.arn));
            }
        }
        if code == "EssentialContainerExited" {
            exit_containers(world, arn, 137);
            set(world, arn, "DEPROVISIONING");
            world.later(DEPROVISION_SECONDS, Due::Task(arn.to_owned()));
        } else {
            set(world, arn, "DEACTIVATING");
            world.later(DRAIN_LOOK_SECONDS, Due::Task(arn.to_owned()));
        }
    } else {
        set(world, arn, "DEPROVISIONING");
        world.later(DEPROVISION_SECONDS, Due::Task(arn.to_owned()));
    }
    wake(world, arn);
}

/// SIGTERM comes when its targets have drained (Developer Guide, "Optimize load balancer connection draining").
fn drain(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let draining = task.groups.iter().any(|g| targets::health(world, &g.arn, &task.address, g.port).is_some());
    if draining {
        return world.later(DRAIN_LOOK_SECONDS, Due::Task(arn.to_owned()));
    }
    set(world, arn, "STOPPING");
    world.later(STOP_SECONDS, Due::Task(arn.to_owned()));
}

fn exit_containers(world: &mut World, arn: &str, code: i64) {
    let Some(task) = world.ecs.tasks.get_mut(arn).filter(|task| task.times.started.is_some()) else { return };
    for container in &mut task.containers {
        if let Value::Object(container) = container {
            container.entry("exitCode").or_insert_with(|| json!(code));
        }
    }
}

/// A container's lines, when its log driver is awslogs.
fn write(world: &mut World, arn: &str, definition: &Value, lines: &[String]) {
    let options = &definition["logConfiguration"]["options"];
    let (Some(group), Some(prefix)) =
        (input::text(options, "awslogs-group"), input::text(options, "awslogs-stream-prefix"))
    else {
        return;
    };
    let name = definition["name"].as_str().unwrap_or_default();
    let (group, stream) = (group.to_owned(), format!("{prefix}/{name}/{}", short(arn)));
    for line in lines {
        logs::write(world, &group, &stream, line);
    }
}

/// The digest of an image: the registry's, or for a registry that is not this account's one made from the name.
pub fn digest(world: &World, name: &str) -> String {
    if let Image::Digest(digest) = image(world, name) {
        return digest;
    }
    match name.split_once('@') {
        Some((_, digest)) => digest.to_owned(),
        None => {
            let hash: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha256:{hash}")
        }
    }
}

/// A task as DescribeTasks answers it.
pub fn document(world: &World, task: &Task) -> Value {
    let definition = world.ecs.task_definition(&task.task_definition);
    let of = |name: &str| definition.and_then(|document| document.get(name)).cloned().unwrap_or(Value::Null);
    let family = of("family").as_str().unwrap_or_default().to_owned();
    let group = match &task.service {
        Some(service) => format!("service:{}", short(service)),
        None => input::text(&task.run, "group").map_or_else(|| format!("family:{family}"), str::to_owned),
    };
    let launch = launch_type(world, task);
    let mut members = Map::from_iter([
        ("taskArn".to_owned(), json!(task.arn)),
        ("clusterArn".to_owned(), json!(super::cluster_arn(world, &task.cluster))),
        ("taskDefinitionArn".to_owned(), json!(task.task_definition)),
        ("lastStatus".to_owned(), json!(task.last)),
        ("desiredStatus".to_owned(), json!(task.desired)),
        ("healthStatus".to_owned(), json!(task.health)),
        ("startedBy".to_owned(), json!(task.started_by)),
        ("group".to_owned(), json!(group)),
        ("launchType".to_owned(), json!(launch)),
        ("containers".to_owned(), Value::Array(task.containers.clone())),
        (
            "overrides".to_owned(),
            task.run.get("overrides").cloned().unwrap_or_else(|| json!({ "containerOverrides": [] })),
        ),
        ("tags".to_owned(), task.run.get("tags").cloned().unwrap_or_else(|| json!([]))),
        ("attachments".to_owned(), attachments(task, &of("networkMode"))),
        ("connectivity".to_owned(), json!("CONNECTED")),
        ("version".to_owned(), json!(1)),
    ]);
    for name in ["cpu", "memory"] {
        if !of(name).is_null() {
            members.insert(name.to_owned(), of(name));
        }
    }
    if launch == "FARGATE" {
        members.extend([("platformVersion".to_owned(), json!("1.4.0")), ("platformFamily".to_owned(), json!("Linux"))]);
    }
    let Times { created, pulling, pulled, started, stopping, stopped } = task.times;
    for (name, at) in [
        ("createdAt", created),
        ("pullStartedAt", pulling),
        ("pullStoppedAt", pulled),
        ("startedAt", started),
        ("stoppingAt", stopping),
        ("executionStoppedAt", stopped),
        ("stoppedAt", stopped),
    ] {
        members.extend(at.map(|at| (name.to_owned(), time(at))));
    }
    if let Some(code) = task.stop_code {
        members
            .extend([("stopCode".to_owned(), json!(code)), ("stoppedReason".to_owned(), json!(task.stopped_reason))]);
    }
    Value::Object(members)
}

fn launch_type(world: &World, task: &Task) -> String {
    let service = task.service.as_ref().and_then(|service| world.ecs.services.get(service));
    let settings = service.map_or(&task.run, |service| &service.settings);
    let strategy = input::list(settings, "capacityProviderStrategy");
    let provided =
        strategy.iter().any(|row| input::text(row, "capacityProvider").is_some_and(|p| p.starts_with("FARGATE")));
    if provided { "FARGATE" } else { input::text(settings, "launchType").unwrap_or("EC2") }.to_owned()
}

fn attachments(task: &Task, network: &Value) -> Value {
    if network != "awsvpc" {
        return json!([]);
    }
    json!([{
        "id": short(&task.arn), "type": "ElasticNetworkInterface",
        "status": if task.last == "PROVISIONING" { "ATTACHING" } else { "ATTACHED" },
        "details": [{ "name": "privateIPv4Address", "value": task.address }],
    }])
}
