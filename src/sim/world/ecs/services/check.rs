//! What CreateService and UpdateService refuse by the request alone, or by what kind of service it is.

use super::super::common::{at_most, invalid, is_empty, one_of};
use super::by_ecs;
use crate::sim::world::Refusal;
use crate::sim::world::input::{list, number, text, texts};
use serde_json::Value;

/// What UpdateService takes for a service that CodeDeploy deploys (UpdateService). Execute command is not listed there, but
/// taken.
const FOR_CODE_DEPLOY: [&str; 10] = [
    "cluster",
    "service",
    "deploymentConfiguration",
    "deploymentController",
    "desiredCount",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
];

/// How AWS calls what it does not update with CodeDeploy (recorded errors).
const CALLED: [(&str, &str); 4] = [
    ("taskDefinition", "task definition"),
    ("networkConfiguration", "network parameters"),
    ("loadBalancers", "load balancers"),
    ("platformVersion", "platform version"),
];

/// The fields of a request.
///
/// # Errors
/// `InvalidParameterException`.
pub fn fields(asked: &Value) -> Result<(), Refusal> {
    one_of(asked, "launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"])?;
    one_of(asked, "schedulingStrategy", &["REPLICA", "DAEMON"])?;
    one_of(asked, "propagateTags", &["TASK_DEFINITION", "SERVICE", "NONE"])?;
    one_of(asked, "availabilityZoneRebalancing", &["ENABLED", "DISABLED"])?;
    if let Some(controller) = asked.get("deploymentController") {
        one_of(controller, "type", &["ECS", "CODE_DEPLOY", "EXTERNAL"])?;
    }
    platform_version(asked)?;
    if number(asked, "desiredCount").is_some_and(|count| count < 0) {
        return Err(invalid("desiredCount must be greater than or equal to 0."));
    }
    if number(asked, "healthCheckGracePeriodSeconds").is_some_and(|seconds| !(0..=2_147_483_647).contains(&seconds)) {
        return Err(invalid("healthCheckGracePeriodSeconds must be between 0 and 2147483647."));
    }
    if asked.get("launchType").is_some() && !is_empty(asked.get("capacityProviderStrategy")) {
        let message =
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.";
        return Err(invalid(message));
    }
    if text(asked, "schedulingStrategy") == Some("DAEMON") {
        daemon(asked)?;
    }
    at_most(asked, "loadBalancers", "load balancers", 5)?;
    at_most(asked, "serviceRegistries", "service registries", 1)?;
    at_most(asked, "gatewayConnectors", "gateway connectors", 1)?;
    placement(asked)?;
    network(asked)?;
    strategy(asked)?;
    volumes(asked)?;
    balancers(asked)
}

/// "Tasks using Fargate or the CODE_DEPLOY or EXTERNAL deployment controller types don't support the DAEMON scheduling
/// strategy" (CreateService, schedulingStrategy).
fn daemon(asked: &Value) -> Result<(), Refusal> {
    let refused = [
        (
            asked.get("desiredCount").is_some(),
            "The daemon scheduling strategy does not support a desired count for services. Remove a desired count value \
             and try again.",
        ),
        (
            !is_empty(asked.get("placementStrategy")),
            "The daemon scheduling strategy does not support placement strategies. Remove placement strategies and try \
             again.",
        ),
        (
            text(asked, "availabilityZoneRebalancing") == Some("ENABLED"),
            "Availability Zone Rebalancing does not support DAEMON services.",
        ),
        (super::on_fargate(asked), "The daemon scheduling strategy is not supported with Fargate."),
        (!is_empty(asked.get("volumeConfigurations")), "Volume configurations do not support DAEMON services."),
        (!by_ecs(asked), "The daemon scheduling strategy is only supported with the ECS deployment controller."),
    ];
    refused.iter().find(|(refused, _)| *refused).map_or(Ok(()), |(_, message)| Err(invalid(*message)))
}

/// What UpdateService does not take for a DAEMON service, or for one that somebody else deploys.
///
/// # Errors
/// `InvalidParameterException`.
pub fn updatable(settings: &Value, asked: &Value) -> Result<(), Refusal> {
    if text(settings, "schedulingStrategy") == Some("DAEMON") {
        daemon(asked)?;
    }
    let controller = settings.get("deploymentController").and_then(|controller| text(controller, "type"));
    let to_ecs = asked.get("deploymentController").is_some_and(by_ecs_type);
    let Some(controller @ ("CODE_DEPLOY" | "EXTERNAL")) = controller else { return Ok(()) };
    let Value::Object(map) = asked else { return Ok(()) };
    if to_ecs {
        return Ok(());
    }
    let code_deploy = controller == "CODE_DEPLOY";
    let takes = |field: &str| {
        field == "propagateTags"
            || (FOR_CODE_DEPLOY.contains(&field) && (code_deploy || field != "deploymentConfiguration"))
    };
    let Some(field) = map.keys().find(|field| !takes(field)) else { return Ok(()) };
    let instead =
        if code_deploy { "Use AWS CodeDeploy to trigger a new deployment." } else { "Create a new task set." };
    let what = match CALLED.iter().find(|(name, _)| name == field) {
        _ if field == "forceNewDeployment" => "Cannot force a new deployment".to_owned(),
        Some((_, called)) => format!("Unable to update {called}"),
        None => format!("Unable to update {field}"),
    };
    Err(invalid(format!("{what} on services with a {controller} deployment controller. {instead}")))
}

fn by_ecs_type(controller: &Value) -> bool {
    text(controller, "type") == Some("ECS")
}

/// "A platform version is specified only for tasks using the Fargate launch type" (CreateService).
fn platform_version(asked: &Value) -> Result<(), Refusal> {
    let Some(version) = text(asked, "platformVersion") else { return Ok(()) };
    if text(asked, "launchType") == Some("EC2") {
        return Err(invalid("The platform version must be null when specifying an EC2 launch type."));
    }
    if matches!(version, "LATEST" | "1.0.0" | "1.1.0" | "1.2.0" | "1.3.0" | "1.4.0") {
        return Ok(());
    }
    Err(Refusal::new("PlatformUnknownException", format!("The specified platform version {version} doesn't exist.")))
}

fn placement(asked: &Value) -> Result<(), Refusal> {
    if list(asked, "placementStrategy").len() > 5 {
        return Err(invalid("Maximum number of strategies is 5."));
    }
    at_most(asked, "placementConstraints", "placement constraints", 10)?;
    for rule in list(asked, "placementStrategy") {
        one_of(rule, "type", &["random", "spread", "binpack"])?;
        let field = text(rule, "field");
        match (text(rule, "type"), field.map(str::to_lowercase).as_deref()) {
            (Some("binpack"), Some("cpu" | "memory")) | (Some("random"), None) | (Some("spread"), Some(_)) => {}
            (kind, _) => {
                let (kind, field) = (kind.unwrap_or_default(), field.unwrap_or_default());
                return Err(invalid(format!("{kind} field '{field}' is invalid.")));
            }
        }
    }
    for constraint in list(asked, "placementConstraints") {
        one_of(constraint, "type", &["distinctInstance", "memberOf"])?;
        if (text(constraint, "type") == Some("memberOf")) == is_empty(constraint.get("expression")) {
            return Err(invalid("A placement constraint has an expression when, and only when, its type is memberOf."));
        }
    }
    Ok(())
}

/// "There's a limit of 16 subnets, and of 5 security groups" (AwsVpcConfiguration).
fn network(asked: &Value) -> Result<(), Refusal> {
    let Some(awsvpc) = asked.get("networkConfiguration").and_then(|network| network.get("awsvpcConfiguration")) else {
        return Ok(());
    };
    if texts(awsvpc, "subnets").next().is_none() {
        return Err(invalid("subnets can not be empty."));
    }
    at_most(awsvpc, "subnets", "subnets", 16)?;
    at_most(awsvpc, "securityGroups", "security groups", 5)?;
    one_of(awsvpc, "assignPublicIp", &["ENABLED", "DISABLED"])
}

/// A capacity provider strategy (CapacityProviderStrategyItem; recorded errors).
fn strategy(asked: &Value) -> Result<(), Refusal> {
    let strategy = list(asked, "capacityProviderStrategy");
    at_most(asked, "capacityProviderStrategy", "capacity provider strategy", 20)?;
    let weight = |item: &Value| number(item, "weight").unwrap_or(0);
    let base = |item: &Value| number(item, "base").unwrap_or(0);
    let fargate = |item: &&Value| matches!(text(item, "capacityProvider"), Some("FARGATE" | "FARGATE_SPOT"));
    let mixed = (1..strategy.len()).contains(&strategy.iter().filter(fargate).count());
    let refused = [
        (
            !strategy.is_empty() && strategy.iter().all(|item| weight(item) == 0),
            "There are no capacity providers in the capacity provider strategy with a weight value greater than zero.",
        ),
        (
            strategy.iter().filter(|item| base(item) > 0).count() > 1,
            "There are multiple capacity providers in the specified capacity provider strategy with a base value defined.",
        ),
        (
            strategy.iter().any(|item| !(0..=1000).contains(&weight(item)) || !(0..=100_000).contains(&base(item))),
            "The weight of a capacity provider must be between 0 and 1000, its base between 0 and 100000.",
        ),
        (
            mixed,
            "The specified capacity provider strategy cannot contain both Auto Scaling group capacity providers and \
             Fargate capacity providers.",
        ),
    ];
    refused.iter().find(|(refused, _)| *refused).map_or(Ok(()), |(_, message)| Err(invalid(*message)))
}

/// "You must specify either a volume size or a snapshot ID" (ServiceManagedEBSVolumeConfiguration).
fn volumes(asked: &Value) -> Result<(), Refusal> {
    for volume in list(asked, "volumeConfigurations").iter().filter_map(|volume| volume.get("managedEBSVolume")) {
        if volume.get("sizeInGiB").is_none() && volume.get("snapshotId").is_none() {
            return Err(invalid("ECS managed EBS volume configuration was invalid: a size or a snapshot is required."));
        }
        if text(volume, "roleArn").is_none() {
            return Err(invalid("ECS managed EBS volume configuration was invalid: roleArn is required."));
        }
        let kind = text(volume, "volumeType").unwrap_or("gp3");
        if volume.get("throughput").is_some() && kind != "gp3" {
            return Err(invalid("ECS managed EBS volume configuration was invalid: only gp3 has a throughput."));
        }
    }
    Ok(())
}

/// Entries of `loadBalancers` among each other (Developer Guide, "Troubleshooting Amazon ECS blue/green deployments").
fn balancers(asked: &Value) -> Result<(), Refusal> {
    let all = list(asked, "loadBalancers");
    let classic = all.iter().filter(|entry| text(entry, "loadBalancerName").is_some()).count();
    let advanced = all.iter().filter(|entry| !is_empty(entry.get("advancedConfiguration"))).count();
    let mut groups = std::collections::BTreeSet::new();
    for entry in all {
        let (name, group) = (text(entry, "loadBalancerName"), text(entry, "targetGroupArn"));
        match (name, group) {
            (Some(_), Some(_)) => {
                return Err(invalid("loadBalancerName and targetGroupArn cannot both be specified."));
            }
            (None, None) => return Err(invalid("A load balancer needs a loadBalancerName or a targetGroupArn.")),
            _ => {}
        }
        if group.is_some_and(|group| !groups.insert(group)) {
            return Err(invalid(format!("Duplicate targetGroupArn found: {}", group.unwrap_or_default())));
        }
        if text(entry, "containerName").is_none() || number(entry, "containerPort").is_none() {
            return Err(invalid("A load balancer needs a containerName and a containerPort."));
        }
        if name.is_some() && !is_empty(entry.get("advancedConfiguration")) {
            return Err(invalid("advancedConfiguration field is not allowed with ELBv1 loadBalancers"));
        }
        advanced_configuration(entry)?;
    }
    if classic > 0 && classic < all.len() {
        let message = "All loadBalancers must be strictly either ELBv1 (defining loadBalancerName) or ELBv2 (defining targetGroupArn)";
        return Err(invalid(message));
    }
    if advanced > 0 && advanced < all.len() {
        return Err(invalid(
            "Either all or none of the provided loadBalancers must have advancedConfiguration defined",
        ));
    }
    Ok(())
}

fn advanced_configuration(entry: &Value) -> Result<(), Refusal> {
    let Some(advanced) = entry.get("advancedConfiguration").filter(|advanced| !is_empty(Some(advanced))) else {
        return Ok(());
    };
    for field in ["alternateTargetGroupArn", "productionListenerRule", "roleArn"] {
        if text(advanced, field).is_none() {
            return Err(invalid(format!("advancedConfiguration requires {field}.")));
        }
    }
    let (production, test) = (text(advanced, "productionListenerRule"), text(advanced, "testListenerRule"));
    for (field, arn) in [("productionListenerRule", production), ("testListenerRule", test)] {
        let Some(arn) = arn else { continue };
        let rule = arn.contains(":listener-rule/app/") || arn.contains(":listener/net/");
        if !rule {
            let message = format!(
                "{field} has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for NLB. Got: {arn}"
            );
            return Err(invalid(message));
        }
    }
    if production == test {
        let rule = production.unwrap_or_default();
        return Err(invalid(format!(
            "The following rules cannot be used as both production and test listener rules: {rule}"
        )));
    }
    if text(advanced, "alternateTargetGroupArn") == text(entry, "targetGroupArn") {
        let group = text(entry, "targetGroupArn").unwrap_or_default();
        return Err(invalid(format!("Duplicate targetGroupArn found: {group}")));
    }
    Ok(())
}
