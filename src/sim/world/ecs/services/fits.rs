//! Whether a service fits its cluster, its task definition, its load balancers and its registries.

use super::super::clusters;
use super::super::common::{client, invalid, is_empty, short};
use super::super::task_definitions::at_launch;
use super::{by_ecs, fill, on_fargate};
use crate::sim::world::input::{flag, list, number, text};
use crate::sim::world::{Refusal, World, discovery, elbv2};
use serde_json::{Value, json};

/// Whether an external controller deploys the service: its task sets name what runs.
pub fn external(settings: &Value) -> bool {
    settings.get("deploymentController").and_then(|controller| text(controller, "type")) == Some("EXTERNAL")
}

/// The whole service, as it is to be.
///
/// # Errors
/// `InvalidParameterException` and `ClientException`; AWS's words where they are known from recorded errors.
pub fn settings(world: &mut World, cluster: &str, all: &Value, definition: Option<&Value>) -> Result<(), Refusal> {
    providers(world, cluster, all)?;
    controller(all)?;
    if text(all, "availabilityZoneRebalancing") == Some("ENABLED") && !fill::can_rebalance(all) {
        let message = "Availability Zone Rebalancing does not support this service: it needs the REPLICA scheduling \
                       strategy, a maximumPercent above 100, no Classic Load Balancer, and no placement strategy before a \
                       spread over Availability Zones.";
        return Err(invalid(message));
    }
    fargate(all)?;
    let Some(definition) = definition else { return Ok(()) };
    launch_type(all, definition)?;
    network(all, definition)?;
    balancers(world, all, definition)?;
    registries(world, all)?;
    connect(all, definition)?;
    volumes(all, definition)
}

/// Its capacity providers have to be the cluster's.
fn providers(world: &World, cluster: &str, all: &Value) -> Result<(), Refusal> {
    let cluster = world.ecs.clusters.get(cluster);
    let known = cluster.map(|cluster| list(cluster, "capacityProviders")).unwrap_or_default();
    let strange = list(all, "capacityProviderStrategy").iter().any(|item| !known.contains(&item["capacityProvider"]));
    if strange { Err(clusters::not_associated()) } else { Ok(()) }
}

/// What goes with a deployment controller and a strategy.
fn controller(all: &Value) -> Result<(), Refusal> {
    let balancers = list(all, "loadBalancers");
    let configuration = all.get("deploymentConfiguration").unwrap_or(&Value::Null);
    if external(all) {
        let set = ["taskDefinition", "networkConfiguration"].into_iter().find(|field| !is_empty(all.get(*field)));
        if let Some(field) = set {
            return Err(invalid(format!("{field} must be blank with the EXTERNAL deployment controller.")));
        }
        if !balancers.is_empty() {
            return Err(invalid("LoadBalancers must be empty or null."));
        }
    }
    if !by_ecs(all) {
        let set = ["deploymentCircuitBreaker", "alarms", "lifecycleHooks"].into_iter();
        if let Some(field) = set.into_iter().find(|field| !is_empty(configuration.get(*field))) {
            return Err(invalid(format!("{field} is only supported with the ECS deployment controller.")));
        }
        if balancers.is_empty() && !external(all) {
            let message = "When using the CODE_DEPLOY deployment controller, the service requires an Application Load Balancer or \
                 Network Load Balancer.";
            return Err(invalid(message));
        }
    }
    let strategy = match text(configuration, "strategy") {
        Some("BLUE_GREEN") => "Blue/green",
        Some("LINEAR") => "linear",
        Some("CANARY") => "canary",
        _ => return Ok(()),
    };
    if balancers.iter().any(|entry| is_empty(entry.get("advancedConfiguration"))) {
        return Err(client(format!(
            "advancedConfiguration field is required for all loadBalancers when using the {strategy} deployment strategy"
        )));
    }
    Ok(())
}

/// What Fargate does not do, and what only it does.
fn fargate(all: &Value) -> Result<(), Refusal> {
    let awsvpc = all.get("networkConfiguration").and_then(|network| network.get("awsvpcConfiguration"));
    let public = awsvpc.and_then(|awsvpc| text(awsvpc, "assignPublicIp")) == Some("ENABLED");
    if !on_fargate(all) {
        if public {
            return Err(invalid("Assign public IP is not supported for this launch type."));
        }
        if all.get("platformVersion").is_some() {
            return Err(invalid("The platform version must be null when specifying an EC2 launch type."));
        }
        return Ok(());
    }
    for (field, called) in [("placementConstraints", "constraints"), ("placementStrategy", "strategies")] {
        if !list(all, field).is_empty() {
            return Err(invalid(format!("Placement {called} are not supported with FARGATE launch type.")));
        }
    }
    if list(all, "loadBalancers").iter().any(|balancer| text(balancer, "loadBalancerName").is_some()) {
        return Err(invalid("Classic Load Balancers are not supported with Fargate."));
    }
    Ok(())
}

fn launch_type(all: &Value, definition: &Value) -> Result<(), Refusal> {
    let launch = if on_fargate(all) { "FARGATE" } else { text(all, "launchType").unwrap_or("EC2") };
    if list(definition, "compatibilities").contains(&launch.into()) {
        return Ok(());
    }
    Err(invalid(format!("Task definition does not support launch_type {launch}.")))
}

fn network(all: &Value, definition: &Value) -> Result<(), Refusal> {
    let awsvpc = text(definition, "networkMode") == Some("awsvpc");
    match (awsvpc, is_empty(all.get("networkConfiguration"))) {
        (true, true) => Err(invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")),
        (false, false) => {
            Err(invalid("Network Configuration is not valid for the given networkMode of this task definition."))
        }
        _ => Ok(()),
    }
}

fn balancers(world: &mut World, all: &Value, definition: &Value) -> Result<(), Refusal> {
    let awsvpc = text(definition, "networkMode") == Some("awsvpc");
    for entry in list(all, "loadBalancers") {
        let (name, port) = (text(entry, "containerName").unwrap_or_default(), number(entry, "containerPort"));
        container(definition, name, port)?;
        let Some(group) = text(entry, "targetGroupArn") else { continue };
        // The alternate one has to be known; it gets a listener when the strategy needs one.
        let alternate = entry.get("advancedConfiguration").and_then(|more| text(more, "alternateTargetGroupArn"));
        for (arn, attached) in [(Some(group), true), (alternate, false)] {
            if let Some(arn) = arn {
                target_group(world, arn, attached, awsvpc)?;
            }
        }
    }
    Ok(())
}

fn container(definition: &Value, name: &str, port: Option<i64>) -> Result<(), Refusal> {
    let containers = list(definition, "containerDefinitions");
    let Some(container) = containers.iter().find(|container| text(container, "name") == Some(name)) else {
        return Err(invalid(format!("The container {name} does not exist in the task definition.")));
    };
    let port = port.unwrap_or_default();
    let published = |mapping: &Value| {
        let range = text(mapping, "containerPortRange").and_then(|range| range.split_once('-'));
        let range = range.and_then(|(first, last)| Some(first.parse().ok()?..=last.parse().ok()?));
        number(mapping, "containerPort") == Some(port) || range.is_some_and(|range| range.contains(&port))
    };
    if list(container, "portMappings").iter().any(published) {
        return Ok(());
    }
    Err(invalid(format!("The container {name} did not have a container port {port} defined.")))
}

/// A target group has to be there, to be of IPs for tasks with their own network interface, and to have a load balancer.
fn target_group(world: &mut World, arn: &str, attached: bool, awsvpc: bool) -> Result<(), Refusal> {
    let asked = json!({ "TargetGroupArns": [arn] });
    let Some(answer) = elbv2::answer(world, "DescribeTargetGroups", &asked) else { return Ok(()) };
    let found = answer.ok().and_then(|found| list(&found, "TargetGroups").first().cloned());
    let Some(group) = found else {
        return Err(invalid(format!("The target group with targetGroupArn {arn} does not exist.")));
    };
    let kind = text(&group, "TargetType").unwrap_or("instance");
    if awsvpc && kind != "ip" {
        return Err(invalid(format!(
            "The provided target group {arn} has target type {kind}, which is incompatible with the awsvpc network mode \
             specified in the task definition."
        )));
    }
    if attached && list(&group, "LoadBalancerArns").is_empty() {
        return Err(invalid(format!(
            "The target group with targetGroupArn {arn} does not have an associated load balancer."
        )));
    }
    Ok(())
}

fn registries(world: &mut World, all: &Value) -> Result<(), Refusal> {
    for registry in list(all, "serviceRegistries") {
        let arn = text(registry, "registryArn").unwrap_or_default();
        let Some(answer) = discovery::answer(world, "GetService", &json!({ "Id": short(arn) })) else { continue };
        if answer.is_err() {
            return Err(invalid(format!("The service registry {arn} does not exist.")));
        }
    }
    Ok(())
}

/// Service Connect names ports of the definition.
fn connect(all: &Value, definition: &Value) -> Result<(), Refusal> {
    let Some(connect) = all.get("serviceConnectConfiguration") else { return Ok(()) };
    if flag(connect, "enabled") != Some(true) {
        return Ok(());
    }
    let containers = list(definition, "containerDefinitions").iter();
    let ports: Vec<&str> = containers
        .flat_map(|container| list(container, "portMappings"))
        .filter_map(|mapping| text(mapping, "name"))
        .collect();
    for service in list(connect, "services") {
        let port = text(service, "portName").unwrap_or_default();
        if !ports.contains(&port) {
            let message =
                format!("portName({port}) does not refer to any named PortMapping in the container definitions.");
            return Err(invalid(message));
        }
        let aliases = list(service, "clientAliases").len();
        if aliases > 1 {
            return Err(invalid(format!("{aliases} clientAliases exceeds the max limit of 1.")));
        }
    }
    Ok(())
}

/// "The name of the volume must match the name from the task definition" (UpdateService, volumeConfigurations).
fn volumes(all: &Value, definition: &Value) -> Result<(), Refusal> {
    let wanted: Vec<&str> = at_launch(definition).collect();
    let given: Vec<&str> = list(all, "volumeConfigurations").iter().filter_map(|volume| text(volume, "name")).collect();
    if let Some(name) = given.iter().find(|name| !wanted.contains(name)) {
        return Err(invalid(format!(
            "The volume name '{name}' in your request does not have a matching volume in your Task Definition."
        )));
    }
    wanted.iter().find(|name| !given.contains(name)).map_or(Ok(()), |name| Err(not_configured(name)))
}

/// A volume that is configured at launch has no configuration.
pub fn not_configured(name: &str) -> Refusal {
    invalid(format!("The volume '{name}' is configured at launch: volumeConfigurations must be specified."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    /// A target group behind a listener, and one that nothing forwards to; none where load balancing is not simulated.
    fn target_groups(world: &mut World) -> Option<[String; 2]> {
        let mut made = |operation: &str, input: Value, pointer: &str| {
            let answer = world.answer("elbv2", operation, &input).ok()?;
            answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
        };
        let balancer = json!({ "Name": "lb", "Subnets": ["subnet-1", "subnet-2"] });
        let balancer = made("CreateLoadBalancer", balancer, "/LoadBalancers/0/LoadBalancerArn")?;
        let groups = ["web", "loose"].map(|name| {
            let group = json!({ "Name": name, "Protocol": "HTTP", "Port": "80", "VpcId": "vpc-1", "TargetType": "ip" });
            made("CreateTargetGroup", group, "/TargetGroups/0/TargetGroupArn").unwrap_or_default()
        });
        let forward = json!([{ "Type": "forward", "TargetGroupArn": groups[0] }]);
        let listener =
            json!({ "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": "80", "DefaultActions": forward });
        made("CreateListener", listener, "/Listeners/0/ListenerArn")?;
        Some(groups)
    }

    #[test]
    fn a_target_group_has_to_have_a_load_balancer() {
        let mut world = World::new("123456789012", "us-east-1", Timestamp::UNIX_EPOCH, 1);
        let Some([attached, loose]) = target_groups(&mut world) else { return };
        let mut check = |arn: &str, attached: bool, words: Option<&str>| {
            let refused = target_group(&mut world, arn, attached, true).err();
            let fits = |refusal: &Refusal| words.is_some_and(|words| refusal.message.ends_with(words));
            assert!(refused.as_ref().map_or(words.is_none(), fits), "{arn}: {refused:?}");
        };
        check(&attached, true, None);
        check(&loose, true, Some("does not have an associated load balancer."));
        check(&loose, false, None);
        check(&format!("{loose}0"), false, Some("does not exist."));
    }
}
