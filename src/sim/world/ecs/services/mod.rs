//! ECS: services, as they are asked for. What runs is the scheduler's.
//!
//! ```text
//! CreateService -> check -> fill -> fits --+--> deploy::begin   a new service revision
//! UpdateService -> check -> merge -> fits -+--> scheduler::wake the count, and what only new tasks get
//! DeleteService -> DRAINING, no task wanted ... no task left -> drained -> INACTIVE
//! ```
//!
//! [`Service::settings`] has everything that was asked for, also what DescribeServices shows elsewhere
//! ([`REVISION_ONLY`]).

mod check;
mod create;
mod fill;
mod fits;
mod rollout;
mod update;

use super::common::{INVALID, at_most, invalid, one_of, pages, short};
use super::state::Service;
use super::{clusters, scheduler, tags, view};
use crate::sim::world::agenda::Due;
use crate::sim::world::input::{flag, list, required, text, texts};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};

/// Members that are not on the service: the first three are on its deployments, all are on its service revisions
/// (Deployment, ServiceRevision).
pub const REVISION_ONLY: [&str; 5] = [
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
];

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateService" => create::create(world, input),
        "UpdateService" => update::update(world, input),
        "DeleteService" => delete(world, input),
        "DescribeServices" => describe(world, input),
        "ListServices" => list_services(world, input),
        "ListServicesByNamespace" => in_namespace(world, input),
        _ => return None,
    })
}

/// Whether tasks with these settings run on Fargate; settings of a service, or what RunTask was told.
pub fn on_fargate(settings: &Value) -> bool {
    let strategy = list(settings, "capacityProviderStrategy");
    let providers = strategy.iter().filter_map(|item| text(item, "capacityProvider"));
    text(settings, "launchType") == Some("FARGATE")
        || providers.into_iter().any(|name| matches!(name, "FARGATE" | "FARGATE_SPOT"))
}

/// Whether ECS itself deploys the service; CodeDeploy and external controllers are not simulated.
pub fn by_ecs(settings: &Value) -> bool {
    settings.get("deploymentController").and_then(|controller| text(controller, "type")).unwrap_or("ECS") == "ECS"
}

/// A deleted service has no tasks any more: it is INACTIVE. "When a service is deleted, the tags are deleted as well"
/// (CreateService); "Amazon ECS deletes the service revision when you delete a service" (Developer Guide).
pub fn drained(world: &mut World, service: &str) {
    // "After all tasks have transitioned to either STOPPING or STOPPED" (DeleteService).
    let stopping = ["STOPPING", "DEPROVISIONING", "STOPPED"];
    let mut tasks = world.ecs.tasks.values().filter(|task| task.service.as_deref() == Some(service));
    let left = tasks.any(|task| !stopping.contains(&task.last));
    let Some(known) = world.ecs.services.get_mut(service).filter(|known| known.status == "DRAINING") else { return };
    if left {
        return world.later(1.0, Due::Drained(service.to_owned()));
    }
    known.status = "INACTIVE";
    known.deployments.clear();
    world.ecs.tags.remove(service);
    world.ecs.created_by.remove(service);
    world.ecs.revisions.retain(|_, revision| revision["serviceArn"] != service);
}

/// The ARN of a service of this cluster that is named by its name or ARN, whether it is there or not.
fn arn_of(world: &World, cluster: &str, reference: &str) -> String {
    let short_form = world.arn("ecs", "service/");
    match reference.strip_prefix(&short_form) {
        Some(name) if name.contains('/') => reference.to_owned(),
        None if reference.starts_with("arn:") => reference.to_owned(),
        _ => world.arn("ecs", &format!("service/{cluster}/{}", short(reference))),
    }
}

/// The service that a request is about.
fn named(world: &World, cluster: &str, input: &Value) -> Result<Service, Refusal> {
    let arn = arn_of(world, cluster, required(input, "service", INVALID)?);
    let found = world.ecs.services.get(&arn).filter(|service| service.cluster == cluster);
    found.cloned().ok_or_else(|| Refusal::new("ServiceNotFoundException", "Service not found."))
}

/// A service as AWS answers it.
fn document(world: &World, arn: &str, with_tags: bool) -> Value {
    let Some(service) = world.ecs.services.get(arn) else { return Value::Null };
    let Value::Object(settings) = &service.settings else { return Value::Null };
    let shown = settings.iter().filter(|(field, _)| !REVISION_ONLY.contains(&field.as_str()));
    let mut shown: Map<String, Value> = shown.map(|(field, value)| (field.clone(), value.clone())).collect();
    shown.insert("status".into(), service.status.into());
    if !by_ecs(&service.settings) {
        shown.insert("taskSets".into(), json!([]));
    }
    shown.extend(view::of_service(world, service));
    if with_tags {
        shown.insert("tags".into(), tags::of(world, arn).into());
    }
    Value::Object(shown)
}

/// DescribeServices: ten at most; tags only with `include=TAGS`. A deleted one is there until its name is used again.
fn describe(world: &World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    if list(input, "services").is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    at_most(input, "services", "service names", 10)?;
    let with_tags = texts(input, "include").any(|field| field == "TAGS");
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for reference in texts(input, "services") {
        let arn = arn_of(world, &cluster, reference);
        if world.ecs.services.get(&arn).is_some_and(|service| service.cluster == cluster) {
            services.push(document(world, &arn, with_tags));
        } else {
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
        }
    }
    Ok(json!({ "services": services, "failures": failures }))
}

/// ListServices: ACTIVE ones only (a DRAINING service "is no longer visible", DeleteService), ten a page unless more are
/// asked for.
fn list_services(world: &World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    one_of(input, "launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"])?;
    one_of(input, "schedulingStrategy", &["REPLICA", "DAEMON"])?;
    one_of(input, "resourceManagementType", &["CUSTOMER", "ECS"])?;
    let filters = ["launchType", "schedulingStrategy", "resourceManagementType"];
    let shown = world.ecs.services.values().filter(|service| {
        let fits = |field: &&str| text(input, field).is_none_or(|asked| text(&service.settings, field) == Some(asked));
        service.cluster == cluster && service.status == "ACTIVE" && filters.iter().all(fits)
    });
    pages("serviceArns", 10).page(shown.map(|service| service.arn.as_str().into()).collect(), input)
}

/// ListServicesByNamespace: those with Service Connect in this namespace, in every cluster.
fn in_namespace(world: &mut World, input: &Value) -> Answer {
    let asked = required(input, "namespace", INVALID)?.to_owned();
    let found = clusters::namespace(world, &asked)?.unwrap_or_default();
    let names = [Some(asked.as_str()), text(&found, "Arn"), text(&found, "Name")];
    let shown = world.ecs.services.values().filter(|service| {
        let connect = service.settings.get("serviceConnectConfiguration");
        let on = connect.filter(|connect| flag(connect, "enabled") == Some(true));
        let namespace = on.and_then(|connect| text(connect, "namespace"));
        service.status == "ACTIVE" && namespace.is_some_and(|namespace| names.contains(&Some(namespace)))
    });
    pages("serviceArns", 10).page(shown.map(|service| service.arn.as_str().into()).collect(), input)
}

/// DeleteService: scaled to 0 before, or with `force`. DRAINING until no task is left; the name is taken until then.
fn delete(world: &mut World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    let service = named(world, &cluster, input)?;
    if service.status == "INACTIVE" {
        return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
    }
    let replica = text(&service.settings, "schedulingStrategy") != Some("DAEMON");
    if replica && service.desired > 0 && !flag(input, "force").unwrap_or(false) {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    if let Some(known) = world.ecs.services.get_mut(&service.arn) {
        known.status = "DRAINING";
        known.desired = 0;
    }
    scheduler::wake(world, &service.arn);
    Ok(json!({ "service": document(world, &service.arn, false) }))
}

#[cfg(test)]
mod tests;
