//! What AWS fills into a service (recorded answers, and the API reference).

use super::super::clusters;
use super::super::common::{client, invalid, is_empty, members};
use super::{by_ecs, on_fargate, rollout};
use crate::sim::world::input::{list, number, text};
use crate::sim::world::{Refusal, World};
use serde_json::{Map, Value, json};

/// Everything that a new service leaves out.
///
/// # Errors
/// Its deployment configuration or its namespace is none that AWS takes.
pub fn new(world: &mut World, cluster: &str, settings: &mut Map<String, Value>) -> Result<(), Refusal> {
    for (field, value) in members(&json!({
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": "ECS" },
        "healthCheckGracePeriodSeconds": 0,
        "enableECSManagedTags": false,
        "enableExecuteCommand": false,
        "propagateTags": "NONE",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
    })) {
        settings.entry(field).or_insert(value);
    }
    let strategy = clusters::default_strategy(world, cluster);
    if is_empty(settings.get("capacityProviderStrategy")) {
        settings.remove("capacityProviderStrategy");
    }
    if !settings.contains_key("launchType") && !settings.contains_key("capacityProviderStrategy") {
        if strategy.is_empty() {
            settings.insert("launchType".into(), "EC2".into());
        } else {
            settings.insert("capacityProviderStrategy".into(), strategy.into());
        }
    }
    nested(world, cluster, settings)?;
    platform(settings);
    rollout::create(settings)?;
    let rebalances = if can_rebalance(&Value::Object(settings.clone())) { "ENABLED" } else { "DISABLED" };
    settings.entry("availabilityZoneRebalancing").or_insert(rebalances.into());
    Ok(())
}

/// `LATEST` on Fargate; elsewhere there is no platform version.
pub fn platform(settings: &mut Map<String, Value>) {
    let fargate = on_fargate(&Value::Object(settings.clone()));
    if fargate {
        settings.entry("platformVersion").or_insert("LATEST".into());
        settings.entry("platformFamily").or_insert("Linux".into());
    } else {
        settings.remove("platformFamily");
    }
}

/// Where AWS turns Availability Zone rebalancing on by itself (Developer Guide, "Balancing an Amazon ECS service across
/// Availability Zones").
pub fn can_rebalance(settings: &Value) -> bool {
    let first = list(settings, "placementStrategy").first();
    let spreads = first.is_none_or(|first| {
        text(first, "type") == Some("spread") && text(first, "field") == Some("attribute:ecs.availability-zone")
    });
    let classic = list(settings, "loadBalancers").iter().any(|balancer| text(balancer, "loadBalancerName").is_some());
    let percent =
        settings.get("deploymentConfiguration").and_then(|configuration| number(configuration, "maximumPercent"));
    text(settings, "schedulingStrategy") == Some("REPLICA")
        && text(settings, "launchType") != Some("EXTERNAL")
        && by_ecs(settings)
        && percent.is_some_and(|percent| percent > 100)
        && spreads
        && !classic
}

/// The same in blocks that are replaced whole, so that creating and updating fill them in alike.
///
/// # Errors
/// Service Connect's namespace does not exist, or there is none.
pub fn nested(world: &mut World, cluster: &str, settings: &mut Map<String, Value>) -> Result<(), Refusal> {
    let awsvpc = settings.get_mut("networkConfiguration").and_then(|network| network.get_mut("awsvpcConfiguration"));
    if let Some(Value::Object(awsvpc)) = awsvpc {
        awsvpc.entry("assignPublicIp").or_insert("DISABLED".into());
        awsvpc.entry("securityGroups").or_insert_with(|| json!([]));
    }
    if let Some(Value::Array(strategy)) = settings.get_mut("capacityProviderStrategy") {
        clusters::fill_strategy(strategy);
    }
    for volume in settings.get_mut("volumeConfigurations").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::Object(volume)) = volume.get_mut("managedEBSVolume") {
            volume.entry("filesystemType").or_insert("xfs".into());
        }
    }
    connect(world, cluster, settings)
}

/// Service Connect: "if this parameter isn't specified, the default value of discoveryName.namespace is used; if the
/// discoveryName isn't specified, the port mapping name" (ServiceConnectClientAlias); without a namespace it is the
/// cluster's.
fn connect(world: &mut World, cluster: &str, settings: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(Value::Object(connect)) = settings.get_mut("serviceConnectConfiguration") else { return Ok(()) };
    if connect.get("enabled") != Some(&Value::Bool(true)) {
        return Ok(());
    }
    if is_empty(connect.get("namespace")) {
        let usual = clusters::default_namespace(world, cluster).ok_or_else(|| invalid("Namespace is missing."))?;
        connect.insert("namespace".into(), usual.into());
    }
    let named = connect.get("namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
    let found = clusters::namespace(world, &named)?;
    // Alone, without Cloud Map, a name is taken as it is.
    let name = found.as_ref().and_then(|found| text(found, "Name")).unwrap_or(&named);
    for service in connect.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        let Value::Object(service) = service else { continue };
        let port = service.get("portName").cloned().unwrap_or_default();
        let discovery = service.entry("discoveryName").or_insert(port).as_str().unwrap_or_default().to_owned();
        for alias in service.get_mut("clientAliases").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(alias) = alias {
                alias.entry("dnsName").or_insert_with(|| format!("{discovery}.{name}").into());
            }
        }
    }
    if let Some(Value::Object(logs)) = connect.get_mut("accessLogConfiguration") {
        logs.entry("includeQueryParameters").or_insert("DISABLED".into());
    }
    Ok(())
}

/// `roleArn`: the service-linked role, "required if your task definition uses the awsvpc network mode or if the service is
/// configured to use service discovery, an external deployment controller, multiple target groups" (CreateService, role).
///
/// # Errors
/// A role is given where the service-linked one is required, or nothing needs one.
pub fn role(
    world: &World,
    settings: &mut Map<String, Value>,
    definition: Option<&Value>,
    given: Option<&str>,
) -> Result<(), Refusal> {
    let whole = Value::Object(settings.clone());
    let awsvpc = definition.is_some_and(|definition| text(definition, "networkMode") == Some("awsvpc"));
    let balancers = list(&whole, "loadBalancers").len();
    let linked = awsvpc || balancers > 1 || !list(&whole, "serviceRegistries").is_empty() || !by_ecs(&whole);
    let arn = match given {
        Some(_) if linked => {
            let message = "You cannot specify an IAM role for services that require a service linked role.";
            return Err(invalid(message));
        }
        Some(_) if balancers == 0 => return Err(client("A role can be specified only with a load balancer.")),
        Some(role) if role.starts_with("arn:") => role.to_owned(),
        Some(role) => format!("arn:aws:iam::{}:role/{}", world.account, role.trim_start_matches('/')),
        None if linked || balancers > 0 => {
            format!("arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", world.account)
        }
        None => return Ok(()),
    };
    if given.is_some() || !settings.contains_key("roleArn") {
        settings.insert("roleArn".into(), arn.into());
    }
    Ok(())
}
