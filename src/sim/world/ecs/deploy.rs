//! Deployments of a service: how one begins, fails, is rolled back, ends.
//!
//! A service deployment has a target revision and, when it is rolled back, goes on as the same service deployment with the
//! revision that was complete before (API Reference, `ServiceDeployment`; Developer Guide, "View service history").

use super::scheduler::{self, event};
use super::stages;
use super::state::{Deployment, Group, Service, ServiceDeployment};
use super::tasks;
use crate::sim::wire::time;
use crate::sim::world::agenda::Due;
use crate::sim::world::{World, input};
use serde_json::{Map, Value, json};

/// Why a deployment fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// Too many of its tasks failed.
    Breaker,
    /// These alarms went off.
    Alarms(Vec<String>),
    /// A lifecycle hook failed, was answered with ROLLBACK, or ran out.
    Hook(String),
    /// StopServiceDeployment.
    Stopped,
}

impl Cause {
    /// As `rolloutStateReason` begins.
    fn words(&self) -> String {
        match self {
            Self::Breaker => "ECS deployment circuit breaker".to_owned(),
            Self::Alarms(_) => "ECS deployment alarm".to_owned(),
            Self::Hook(_) => "ECS deployment lifecycle hook".to_owned(),
            Self::Stopped => "ECS deployment stopped".to_owned(),
        }
    }

    /// What went wrong, as the service's event and the reason of the failed deployment say it.
    fn what(&self) -> String {
        match self {
            Self::Breaker => "tasks failed to start".to_owned(),
            Self::Alarms(_) => "alarm detected".to_owned(),
            Self::Hook(what) => what.clone(),
            Self::Stopped => "stopped by user".to_owned(),
        }
    }

    /// `statusReason` of the service deployment; `did` is "rolled back" or "stopped".
    fn status(&self, did: &str) -> String {
        match self {
            Self::Breaker => format!("Service deployment {did} because the circuit breaker threshold was exceeded."),
            Self::Alarms(names) => format!("Service deployment {did} because of alarms: [{}].", names.join(", ")),
            Self::Hook(what) => format!("Service deployment {did} because a lifecycle hook failed: {what}."),
            Self::Stopped => format!("Service deployment {did} because of a StopServiceDeployment request."),
        }
    }
}

/// What a service revision holds of a service's settings (API Reference, `ServiceRevision`).
const OF_REVISION: &[&str] = &[
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "fargateEphemeralStorage",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
];

impl ServiceDeployment {
    /// Whether it moves traffic between two sets of tasks, rather than replacing tasks.
    pub fn shifts(&self) -> bool {
        self.program.iter().any(|step| matches!(step, stages::Step::ScaleUp))
    }

    /// Whether it is still under way.
    pub fn is_open(&self) -> bool {
        matches!(
            self.status,
            "PENDING" | "IN_PROGRESS" | "STOP_REQUESTED" | "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS"
        )
    }

    /// How many failed tasks it bears: half the tasks, 3 at least and 200 at most, unless it says otherwise
    /// (Developer Guide, "How the Amazon ECS deployment circuit breaker detects failures").
    pub fn threshold(&self, desired: i64) -> i64 {
        let threshold = &self.configuration["deploymentCircuitBreaker"]["thresholdConfiguration"];
        let value = input::number(threshold, "value");
        let part = |percent: i64| (desired * percent + 99).div_euclid(100);
        match (input::text(threshold, "type"), value) {
            (Some("COUNT"), Some(value)) => value,
            (Some("UNBOUNDED_PERCENT"), Some(value)) => part(value).max(1),
            (_, value) => part(value.unwrap_or(50)).clamp(3, 200),
        }
    }
}

/// The service deployment that is under way.
pub fn under_way<'w>(world: &'w World, service: &str) -> Option<&'w ServiceDeployment> {
    let arn = world.ecs.services.get(service)?.under_way.as_ref()?;
    world.ecs.deployments.get(arn)
}

/// Revisions that keep their tasks although none is the target.
pub fn sources(world: &World, service: &str) -> Vec<String> {
    under_way(world, service).filter(|d| d.shifts()).map(|d| d.sources.clone()).unwrap_or_default()
}

/// Begins a deployment of the service's settings as they are now: a new service revision, a new PRIMARY deployment, a
/// service deployment.
pub fn begin(world: &mut World, service: &str) {
    supersede(world, service);
    let revision = add_revision(world, service);
    let digits = world.digits(19);
    let Some(found) = world.ecs.services.get(service) else { return };
    let sources: Vec<String> = found.deployments.iter().map(|d| d.revision.clone()).collect();
    let configuration = found.settings["deploymentConfiguration"].clone();
    let (cluster, name) = (found.cluster.clone(), found.name.clone());
    let id = format!("ecs-svc/{digits}");
    let token = world.hex(21);
    let arn = world.arn("ecs", &format!("service-deployment/{cluster}/{name}/{token}"));
    let now = world.now();
    let program = stages::program(&configuration, !sources.is_empty());
    let shifts = program.contains(&stages::Step::ScaleUp);
    add_deployment(world, service, &id, &revision, shifts);
    let breaker = input::flag(&configuration["deploymentCircuitBreaker"], "enable") == Some(true);
    let deployment = ServiceDeployment {
        arn: arn.clone(),
        service: service.to_owned(),
        target: revision,
        sources,
        status: "PENDING",
        reason: String::new(),
        created: now,
        started: None,
        finished: None,
        stopped: None,
        updated: now,
        rollback: None,
        configuration,
        program,
        at: 0,
        since: now,
        stage: "",
        production: 0.0,
        test: 0.0,
        hooks: Vec::new(),
        failures: 0,
        breaker: if breaker { "MONITORING" } else { "DISABLED" },
        alarms: Vec::new(),
    };
    world.ecs.deployments.insert(arn.clone(), deployment);
    if let Some(service) = world.ecs.services.get_mut(service) {
        service.under_way = Some(arn.clone());
        (service.steady, service.failures, service.starts_after) = (false, 0, None);
    }
    world.later(1.0, Due::Stage(arn));
    scheduler::wake(world, service);
}

/// A newer deployment ends the one before: traffic goes back to where it was.
fn supersede(world: &mut World, service: &str) {
    let Some(before) = under_way(world, service).cloned().filter(ServiceDeployment::is_open) else { return };
    if before.shifts() {
        elbv2_back(world, service, &before);
        drop_target(world, service, &before.target);
    }
    finish(world, &before.arn, "STOPPED", "Service deployment stopped because a newer deployment started.".to_owned());
}

/// The tasks of a revision that never got its traffic stop.
fn drop_target(world: &mut World, service: &str, revision: &str) {
    if let Some(found) = world.ecs.services.get_mut(service) {
        for deployment in found.deployments.iter_mut().filter(|d| d.revision == *revision) {
            (deployment.status, deployment.desired) = ("ACTIVE", 0);
        }
    }
}

fn add_revision(world: &mut World, service: &str) -> String {
    let digits = world.digits(19);
    let Some(found) = world.ecs.services.get(service) else { return String::new() };
    let arn = world.arn("ecs", &format!("service-revision/{}/{}/{digits}", found.cluster, found.name));
    let mut document = Map::from_iter([
        ("serviceRevisionArn".to_owned(), json!(arn)),
        ("serviceArn".to_owned(), json!(service)),
        ("clusterArn".to_owned(), json!(super::cluster_arn(world, &found.cluster))),
        ("guardDutyEnabled".to_owned(), json!(false)),
        ("createdAt".to_owned(), time(world.now())),
    ]);
    for name in OF_REVISION {
        if let Some(value) = found.settings.get(*name).filter(|value| !value.is_null()) {
            document.insert((*name).to_owned(), value.clone());
        }
    }
    let revision = found.settings["taskDefinition"].as_str().unwrap_or_default();
    let images = tasks::definitions(world, revision).iter().map(|definition| {
        let image = definition["image"].as_str().unwrap_or_default();
        json!({ "containerName": definition["name"], "image": image, "imageDigest": tasks::digest(world, image) })
    });
    document.insert("containerImages".to_owned(), images.collect());
    world.ecs.revisions.insert(arn.clone(), Value::Object(document));
    arn
}

/// A new PRIMARY deployment of a revision; the others are ACTIVE from now on.
fn add_deployment(world: &mut World, service: &str, id: &str, revision: &str, shifts: bool) {
    let now = world.now();
    let settings = world.ecs.revisions.get(revision).cloned().unwrap_or_default();
    let groups = groups(world, service, &settings, shifts);
    let Some(found) = world.ecs.services.get_mut(service) else { return };
    for older in &mut found.deployments {
        older.status = "ACTIVE";
    }
    let deployment = Deployment {
        id: id.to_owned(),
        revision: revision.to_owned(),
        task_definition: settings["taskDefinition"].as_str().unwrap_or_default().to_owned(),
        status: "PRIMARY",
        // A shifting deployment starts its tasks at its stage.
        desired: if shifts { 0 } else { found.desired },
        failed: 0,
        created: now,
        updated: now,
        rollout: "IN_PROGRESS",
        reason: format!("ECS deployment {id} in progress."),
        settings,
        groups,
    };
    found.deployments.insert(0, deployment);
}

/// Where a revision's tasks are registered: in the group without production traffic when it gets the traffic later.
fn groups(world: &World, service: &str, settings: &Value, shifts: bool) -> Vec<Group> {
    let taken: Vec<Group> = world
        .ecs
        .services
        .get(service)
        .and_then(|s| s.deployments.first())
        .map(|d| d.groups.clone())
        .unwrap_or_default();
    let of = |balancer: &Value| {
        let first = input::text(balancer, "targetGroupArn")?;
        let other = input::text(&balancer["advancedConfiguration"], "alternateTargetGroupArn");
        let is_taken = |arn: &str| taken.iter().any(|group| group.arn == arn);
        let arn = match other {
            Some(other) if shifts && is_taken(first) => other,
            Some(other) if !shifts && is_taken(other) => other,
            _ => first,
        };
        Some(Group { arn: arn.to_owned(), port: input::number(balancer, "containerPort")? })
    };
    input::list(settings, "loadBalancers").iter().filter_map(of).collect()
}

/// A task of the PRIMARY deployment failed.
pub fn task_failed(world: &mut World, service: &str) {
    let Some(found) = world.ecs.services.get(service) else { return };
    let (desired, arn) = (found.desired, found.under_way.clone());
    let Some(deployment) = arn.and_then(|arn| world.ecs.deployments.get_mut(&arn)) else { return };
    if deployment.status != "IN_PROGRESS" {
        return;
    }
    deployment.failures += 1;
    if deployment.breaker == "MONITORING" && deployment.failures >= deployment.threshold(desired) {
        deployment.breaker = "TRIGGERED";
        fail(world, service, Cause::Breaker);
    }
}

/// The deployment that is under way fails: it is rolled back when that is wanted and there is something to go back to.
pub fn fail(world: &mut World, service: &str, cause: Cause) {
    let now = world.now();
    let Some(found) = world.ecs.services.get(service) else { return };
    let Some(deployment) = under_way(world, service).cloned() else { return };
    let before = found.completed.clone().filter(|revision| *revision != deployment.target);
    let wants = match &cause {
        Cause::Breaker => input::flag(&deployment.configuration["deploymentCircuitBreaker"], "rollback"),
        Cause::Alarms(_) => input::flag(&deployment.configuration["alarms"], "rollback"),
        Cause::Hook(_) | Cause::Stopped => Some(true),
    };
    if let Cause::Alarms(names) = &cause
        && let Some(deployment) = world.ecs.deployments.get_mut(&deployment.arn)
    {
        deployment.alarms.clone_from(names);
    }
    let id = mark_failed(world, service, &deployment.target, &cause);
    event(world, service, &format!("(deployment {id}) deployment failed: {}", cause.what()));
    match before {
        Some(revision) if wants == Some(true) => {
            let reason = cause.status("rolled back");
            if let Some(open) = world.ecs.deployments.get_mut(&deployment.arn) {
                open.status = "ROLLBACK_IN_PROGRESS";
                open.rollback = Some((reason.clone(), now, revision.clone()));
                (open.reason, open.updated, open.at, open.since) = (reason, now, 0, now);
                open.program = stages::back(open.shifts());
            }
            go_back(world, service, &deployment, &revision, &cause);
        }
        _ => {
            if deployment.shifts() {
                elbv2_back(world, service, &deployment);
            }
            finish(world, &deployment.arn, "STOPPED", cause.status("stopped"));
        }
    }
    scheduler::wake(world, service);
}

fn mark_failed(world: &mut World, service: &str, revision: &str, cause: &Cause) -> String {
    let now = world.now();
    let Some(found) = world.ecs.services.get_mut(service) else { return String::new() };
    let Some(deployment) = found.deployments.iter_mut().find(|d| d.revision == *revision) else { return String::new() };
    (deployment.rollout, deployment.updated, deployment.desired) = ("FAILED", now, 0);
    deployment.reason = format!("{}: {}.", cause.words(), cause.what());
    deployment.id.clone()
}

/// The revision that was complete before becomes PRIMARY again: by a deployment of its own, or, where its tasks still
/// run beside, as it is.
fn go_back(world: &mut World, service: &str, failed: &ServiceDeployment, revision: &str, cause: &Cause) {
    let beside = failed.shifts();
    let id = match world.ecs.services.get(service).and_then(|s| s.deployments.iter().find(|d| d.revision == *revision))
    {
        Some(running) if beside => running.id.clone(),
        _ => format!("ecs-svc/{}", world.digits(19)),
    };
    if beside {
        elbv2_back(world, service, failed);
        let Some(found) = world.ecs.services.get_mut(service) else { return };
        found.deployments.sort_by_key(|deployment| deployment.revision != *revision);
        for (at, deployment) in found.deployments.iter_mut().enumerate() {
            deployment.status = if at == 0 { "PRIMARY" } else { "ACTIVE" };
        }
    } else {
        add_deployment(world, service, &id, revision, false);
    }
    let settings = world.ecs.revisions.get(revision).cloned().unwrap_or_default();
    let words = cause.words();
    let Some(found) = world.ecs.services.get_mut(service) else { return };
    for name in OF_REVISION {
        match settings.get(*name) {
            Some(value) => found.settings[*name] = value.clone(),
            None => {
                if let Value::Object(all) = &mut found.settings {
                    all.remove(*name);
                }
            }
        }
    }
    if let Some(primary) = found.deployments.first_mut() {
        primary.rollout = "IN_PROGRESS";
        primary.reason = format!("{words}: rolling back to deploymentId {id}.");
        primary.desired = found.desired;
    }
    (found.failures, found.starts_after) = (0, None);
    event(world, service, &format!("rolling back to deployment {id}"));
}

/// Production and test traffic go to the revision that had it before.
fn elbv2_back(world: &mut World, service: &str, deployment: &ServiceDeployment) {
    let (blue, green) = stages::colours(world, deployment);
    stages::shift(world, service, (&blue, &green), stages::Traffic::Both, 0.0);
    if let Some(deployment) = world.ecs.deployments.get_mut(&deployment.arn) {
        (deployment.production, deployment.test) = (0.0, 0.0);
    }
}

/// The PRIMARY deployment is complete.
pub fn complete(world: &mut World, service: &str, status: &'static str) {
    let now = world.now();
    let Some(found) = world.ecs.services.get_mut(service) else { return };
    let arn = found.under_way.clone();
    let Some(primary) = found.deployments.first_mut() else { return };
    (primary.rollout, primary.updated) = ("COMPLETED", now);
    primary.reason = format!("ECS deployment {} completed.", primary.id);
    let id = primary.id.clone();
    found.completed = Some(primary.revision.clone());
    event(world, service, &format!("(deployment {id}) deployment completed"));
    if let Some(arn) = arn {
        let reason = world.ecs.deployments.get(&arn).map(|d| d.reason.clone()).unwrap_or_default();
        finish(world, &arn, status, reason);
    }
}

/// A service deployment ends.
pub fn finish(world: &mut World, arn: &str, status: &'static str, reason: String) {
    let now = world.now();
    let Some(deployment) = world.ecs.deployments.get_mut(arn) else { return };
    (deployment.status, deployment.reason, deployment.updated) = (status, reason, now);
    deployment.finished = Some(now);
    if deployment.breaker == "MONITORING" {
        deployment.breaker = "MONITORING_COMPLETE";
    }
    if status == "STOPPED" {
        deployment.stopped = Some(now);
    }
    let service = deployment.service.clone();
    if let Some(service) = world.ecs.services.get_mut(&service)
        && service.under_way.as_deref() == Some(arn)
    {
        service.under_way = None;
    }
}

/// The listener rules of a service: production, test.
pub fn rules(service: &Service) -> Vec<(String, Option<String>)> {
    let of = |balancer: &Value| {
        let advanced = &balancer["advancedConfiguration"];
        let production = input::text(advanced, "productionListenerRule")?.to_owned();
        Some((production, input::text(advanced, "testListenerRule").map(str::to_owned)))
    };
    input::list(&service.settings, "loadBalancers").iter().filter_map(of).collect()
}
