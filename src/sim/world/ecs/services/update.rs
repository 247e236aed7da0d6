//! UpdateService: what is left out stays; an empty list takes away.

use super::super::common::{invalid, is_empty, members};
use super::super::state::Service;
use super::super::task_definitions::at_launch;
use super::super::{clusters, deploy, scheduler, task_definitions};
use super::{by_ecs, check, document, fill, fits, named, rollout};
use crate::sim::world::input::{flag, list, number, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};

/// A change of these makes a new service revision, so a deployment ("This parameter triggers a new service deployment",
/// UpdateService). Capacity providers are not among them: they have to be forced.
const RESTARTING: [&str; 10] = [
    "taskDefinition",
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    // Not said, but they are on the service revision only, and that never changes.
    "gatewayConnectors",
    "monitoring",
];

/// Members that simply replace what is there.
const REPLACED: [&str; 15] = [
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "propagateTags",
];

/// UpdateService.
pub fn update(world: &mut World, input: &Value) -> Answer {
    let asked = Value::Object(members(input));
    let cluster = clusters::active(world, &asked)?;
    let service = named(world, &cluster, &asked)?;
    if service.status != "ACTIVE" {
        return Err(Refusal::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    check::fields(&asked)?;
    check::updatable(&service.settings, &asked)?;
    let settings = merged(world, &cluster, &service, &asked)?;
    let forced = flag(&asked, "forceNewDeployment").unwrap_or(false);
    let changed = |field: &str| differ(field, service.settings.get(field), settings.get(field));
    let taken_over = by_ecs(&settings) && !by_ecs(&service.settings);
    let restarts = by_ecs(&settings) && (forced || taken_over || RESTARTING.iter().any(|field| changed(field)));
    if restarts {
        launch_volumes(world, &settings, &asked)?;
    }
    if let Some(known) = world.ecs.services.get_mut(&service.arn) {
        known.settings = settings;
        known.desired = number(&asked, "desiredCount").unwrap_or(known.desired);
    }
    if restarts {
        deploy::begin(world, &service.arn);
    } else {
        scheduler::wake(world, &service.arn);
    }
    Ok(json!({ "service": document(world, &service.arn, false) }))
}

/// Whether a member says something else now: an empty one says what an absent one says, and so does Service Connect that is
/// turned off.
fn differ(field: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    let off = |value: Option<&Value>| {
        is_empty(value)
            || (field == "serviceConnectConfiguration"
                && value.is_some_and(|connect| flag(connect, "enabled") != Some(true)))
    };
    before != after && !(off(before) && off(after))
}

/// The settings as they are after the request.
fn merged(world: &mut World, cluster: &str, service: &Service, asked: &Value) -> Result<Value, Refusal> {
    let mut settings = members(&service.settings);
    for field in REPLACED.iter().chain(&["enableECSManagedTags", "deploymentController"]) {
        settings.extend(asked.get(*field).map(|value| ((*field).to_owned(), value.clone())));
    }
    capacity(&mut settings, asked)?;
    fill::nested(world, cluster, &mut settings)?;
    fill::platform(&mut settings);
    rollout::update(&mut settings, asked.get("deploymentConfiguration"))?;
    let definition = match text(asked, "taskDefinition") {
        Some(reference) => Some(task_definitions::find_active(world, reference)?.clone()),
        // It may be INACTIVE by now: that stops nobody from scaling.
        None => text(&service.settings, "taskDefinition")
            .and_then(|arn| task_definitions::find(world, arn).ok().flatten())
            .cloned(),
    };
    if let Some(definition) = &definition {
        settings.insert("taskDefinition".into(), definition["taskDefinitionArn"].clone());
    }
    fill::role(world, &mut settings, definition.as_ref(), None)?;
    let settings = Value::Object(settings);
    fits::settings(world, cluster, &settings, definition.as_ref())?;
    Ok(settings)
}

/// A strategy takes the place of the launch type, and an empty one gives it back (UpdateService,
/// capacityProviderStrategy). Running tasks would stay where they are, which ECS refuses (recorded error).
fn capacity(settings: &mut Map<String, Value>, asked: &Value) -> Result<(), Refusal> {
    if asked.get("capacityProviderStrategy").is_none() {
        return Ok(());
    }
    let mut strategy = list(asked, "capacityProviderStrategy").to_vec();
    clusters::fill_strategy(&mut strategy);
    let before = settings.get("capacityProviderStrategy").and_then(Value::as_array).cloned().unwrap_or_default();
    if before == strategy {
        return Ok(());
    }
    if !flag(asked, "forceNewDeployment").unwrap_or(false) {
        return Err(invalid(
            "When switching from launch type to capacity provider strategy on an existing service, or making a change to a \
             capacity provider strategy on a service that is already using one, you must force a new deployment.",
        ));
    }
    if strategy.is_empty() {
        let fargate = super::on_fargate(&Value::Object(settings.clone()));
        settings.remove("capacityProviderStrategy");
        settings.insert("launchType".into(), if fargate { "FARGATE" } else { "EC2" }.into());
    } else {
        settings.remove("launchType");
        settings.insert("capacityProviderStrategy".into(), strategy.into());
    }
    if asked.get("platformVersion").is_none() && !super::on_fargate(&Value::Object(settings.clone())) {
        settings.remove("platformVersion");
    }
    Ok(())
}

/// A definition with volumes that are configured at launch needs their configuration in every request that starts a
/// deployment.
fn launch_volumes(world: &World, settings: &Value, asked: &Value) -> Result<(), Refusal> {
    let definition = text(settings, "taskDefinition").and_then(|arn| task_definitions::find(world, arn).ok().flatten());
    let missing = definition.and_then(|definition| at_launch(definition).next());
    match missing {
        Some(name) if asked.get("volumeConfigurations").is_none() => Err(fits::not_configured(name)),
        _ => Ok(()),
    }
}
