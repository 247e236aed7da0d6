//! What runs, as DescribeServices answers it.

use super::state::{Deployment, Service, Task};
use crate::sim::wire::time;
use crate::sim::world::World;
use serde_json::{Map, Value, json};

/// Settings that stand on a deployment as well as, or instead of, on the service (API Reference, `Deployment`).
const OF_DEPLOYMENT: &[&str] = &[
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "serviceConnectResources",
    "volumeConfigurations",
    "fargateEphemeralStorage",
    "vpcLatticeConfigurations",
];

/// States on the way to RUNNING: `pendingCount` counts them.
const PENDING: &[&str] = &["PROVISIONING", "PENDING", "ACTIVATING"];

/// The tasks of a service.
pub fn tasks<'w>(world: &'w World, service: &'w str) -> impl Iterator<Item = &'w Task> {
    let arns = world.ecs.tasks_of.get(service);
    arns.into_iter().flatten().filter_map(|arn| world.ecs.tasks.get(arn))
}

/// How many tasks of a deployment are running and pending.
pub fn counts(world: &World, service: &str, deployment: Option<&str>) -> (i64, i64) {
    let of = |task: &&Task| deployment.is_none_or(|id| task.started_by == id);
    let (mut running, mut pending) = (0, 0);
    for task in tasks(world, service).filter(of) {
        running += i64::from(task.last == "RUNNING");
        pending += i64::from(PENDING.contains(&task.last));
    }
    (running, pending)
}

/// The members that the scheduler knows: runningCount, pendingCount, desiredCount, deployments, events, and what is
/// current.
pub fn of_service(world: &World, service: &Service) -> Map<String, Value> {
    let (running, pending) = counts(world, &service.arn, None);
    let deployments: Vec<Value> = service.deployments.iter().map(|d| deployment(world, service, d)).collect();
    let mut members = Map::from_iter([
        ("desiredCount".to_owned(), json!(service.desired)),
        ("runningCount".to_owned(), json!(running)),
        ("pendingCount".to_owned(), json!(pending)),
        ("deployments".to_owned(), Value::Array(deployments)),
        ("events".to_owned(), Value::Array(service.events.clone())),
    ]);
    if let Some(under_way) = &service.under_way {
        members.insert("currentServiceDeployment".to_owned(), json!(under_way));
    }
    let revisions: Vec<Value> = service.deployments.iter().map(|d| revision(world, service, d)).collect();
    if !revisions.is_empty() {
        members.insert("currentServiceRevisions".to_owned(), Value::Array(revisions));
    }
    members
}

/// A service revision with its counts, as `currentServiceRevisions` and service deployments answer it.
pub fn revision(world: &World, service: &Service, deployment: &Deployment) -> Value {
    let (running, pending) = counts(world, &service.arn, Some(&deployment.id));
    json!({
        "arn": deployment.revision, "requestedTaskCount": deployment.desired,
        "runningTaskCount": running, "pendingTaskCount": pending,
    })
}

fn deployment(world: &World, service: &Service, deployment: &Deployment) -> Value {
    let (running, pending) = counts(world, &service.arn, Some(&deployment.id));
    let mut members = Map::from_iter([
        ("id".to_owned(), json!(deployment.id)),
        ("status".to_owned(), json!(deployment.status)),
        ("taskDefinition".to_owned(), json!(deployment.task_definition)),
        ("desiredCount".to_owned(), json!(deployment.desired)),
        ("pendingCount".to_owned(), json!(pending)),
        ("runningCount".to_owned(), json!(running)),
        ("failedTasks".to_owned(), json!(deployment.failed)),
        ("createdAt".to_owned(), time(deployment.created)),
        ("updatedAt".to_owned(), time(deployment.updated)),
        ("rolloutState".to_owned(), json!(deployment.rollout)),
        ("rolloutStateReason".to_owned(), json!(deployment.reason)),
    ]);
    for name in OF_DEPLOYMENT {
        if let Some(value) = deployment.settings.get(*name).filter(|value| !value.is_null()) {
            members.insert((*name).to_owned(), value.clone());
        }
    }
    resolve_platform(&mut members);
    Value::Object(members)
}

/// "LATEST" on the service is a version on its deployments and revisions (recorded answers of Fargate services; AWS CLI,
/// describe-service-revisions).
pub fn resolve_platform(members: &mut Map<String, Value>) {
    if members.get("platformVersion") == Some(&json!("LATEST")) {
        members.insert("platformVersion".to_owned(), json!("1.4.0"));
    }
}
