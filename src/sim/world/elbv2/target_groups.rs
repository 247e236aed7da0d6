//! Target groups: CreateTargetGroup, DescribeTargetGroups, ModifyTargetGroup, DeleteTargetGroup.
//!
//! Source: the API Reference (operations of these names, TargetGroup).

use super::{Elbv2, Group, Refusal, attributes, check_name, health_checks, invalid, one_of, page, ranged};
use super::{required, tags, targets, under};
use crate::sim::world::input::{list, text, texts};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// "Quotas for your Application Load Balancers": target groups per Region.
const GROUPS: usize = 3000;
/// The ports that there are (Port, TargetControlPort).
const PORTS: std::ops::RangeInclusive<i64> = 1..=65_535;
const PROTOCOLS: &[&str] = &["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"];

/// Answers an operation on target groups.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateTargetGroup" => create(world, asked),
        "DescribeTargetGroups" => describe(world, asked),
        "ModifyTargetGroup" => modify(world, asked),
        "DeleteTargetGroup" => delete(world, asked),
        _ => return None,
    })
}

/// As DescribeTargetGroups answers it: with the load balancers that use it now.
fn shown(elb: &Elbv2, document: &Value) -> Value {
    let mut shown = health_checks::shown(document);
    shown["LoadBalancerArns"] = json!(elb.balancers_of(text(document, "TargetGroupArn").unwrap_or_default()));
    shown
}

/// "If you attempt to create multiple target groups with the same settings, each call succeeds": it is answered with the
/// group that is there. With other settings it is DuplicateTargetGroupName.
fn create(world: &mut World, asked: &Value) -> Answer {
    let name = required(asked, "Name")?;
    check_name("Target group", name)?;
    let mut document = settings(asked, name)?;
    let tags = tags::taken(list(asked, "Tags"))?;
    let elb = &world.elbv2;
    let prefix = world.arn("elasticloadbalancing", &format!("targetgroup/{name}/"));
    if let Some((arn, group)) = under(&elb.groups, prefix.clone()).next() {
        document["TargetGroupArn"] = json!(arn);
        if group.document == document {
            return Ok(json!({ "TargetGroups": [shown(elb, &document)] }));
        }
        let message = format!("A target group with the same name '{name}' exists, but with different settings");
        return Err(Refusal::new("DuplicateTargetGroupName", message));
    }
    if elb.groups.len() >= GROUPS {
        let message = "You've reached the limit on the number of target groups for your Amazon Web Services account.";
        return Err(Refusal::new("TooManyTargetGroups", message));
    }
    let arn = format!("{prefix}{}", world.hex(16));
    document["TargetGroupArn"] = json!(arn);
    let of = |name: &str| text(&document, name).unwrap_or_default();
    let attributes = attributes::of_group(of("TargetType"), of("Protocol"));
    let answer = json!({ "TargetGroups": [shown(&world.elbv2, &document)] });
    world.elbv2.tags.insert(arn.clone(), tags);
    world.elbv2.groups.insert(arn, Group { document, attributes, targets: Vec::new() });
    Ok(answer)
}

/// "If the target is a Lambda function, this parameter does not apply", of the three; otherwise all are required.
fn check_kind(kind: &str, given: &[(&str, bool)]) -> Result<(), Refusal> {
    for (what, given) in given {
        if kind == "lambda" && *given {
            let message = format!("A {what} cannot be specified for target groups with target type 'lambda'");
            return Err(invalid(message));
        }
        if kind != "lambda" && !given {
            return Err(invalid(format!("A {what} must be specified")));
        }
    }
    Ok(())
}

/// What of a target group is asked for, with the defaults.
fn settings(asked: &Value, name: &str) -> Answer {
    let kind = one_of(asked, "TargetType", &["instance", "ip", "lambda", "alb"])?.unwrap_or("instance");
    let protocol = one_of(asked, "Protocol", PROTOCOLS)?;
    let port = ranged(asked, "Port", PORTS)?;
    let vpc = text(asked, "VpcId");
    check_kind(kind, &[("protocol", protocol.is_some()), ("port", port.is_some()), ("VPC ID", vpc.is_some())])?;
    if kind == "alb" && protocol != Some("TCP") {
        return Err(invalid("Target groups with target type 'alb' must have the protocol TCP"));
    }
    if protocol == Some("GENEVE") && port != Some(6081) {
        return Err(invalid("Target groups with the protocol GENEVE must have the port 6081"));
    }
    let http = matches!(protocol, Some("HTTP" | "HTTPS"));
    let version = one_of(asked, "ProtocolVersion", &["HTTP1", "HTTP2", "GRPC"])?;
    if version.is_some() && !http {
        return Err(invalid("A protocol version can be specified only for the protocols HTTP and HTTPS"));
    }
    let version = version.or(http.then_some("HTTP1"));
    let mut document = health_checks::defaults(kind, protocol.unwrap_or_default(), version.unwrap_or_default());
    document["TargetGroupName"] = json!(name);
    document["TargetType"] = json!(kind);
    if let (Some(protocol), Some(port), Some(vpc)) = (protocol, port, vpc) {
        (document["Protocol"], document["Port"], document["VpcId"]) = (json!(protocol), json!(port), json!(vpc));
    }
    if let Some(version) = version {
        document["ProtocolVersion"] = json!(version);
    }
    document["IpAddressType"] = json!(one_of(asked, "IpAddressType", &["ipv4", "ipv6"])?.unwrap_or("ipv4"));
    if let Some(port) = ranged(asked, "TargetControlPort", PORTS)? {
        document["TargetControlPort"] = json!(port);
    }
    health_checks::set(&mut document, asked)?;
    Ok(document)
}

/// "The ARN of the load balancer, the names of one or more target groups, or the ARNs of one or more target groups." One
/// that is not found makes the whole call TargetGroupNotFound.
fn describe(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let (arns, names) = (list(asked, "TargetGroupArns"), list(asked, "Names"));
    let balancer = text(asked, "LoadBalancerArn");
    if [balancer.is_some(), !arns.is_empty(), !names.is_empty()].into_iter().filter(|given| *given).count() > 1 {
        let message =
            "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time";
        return Err(invalid(message));
    }
    let wanted: BTreeSet<String> = if let Some(balancer) = balancer {
        elb.balancer(balancer)?;
        elb.rules_below(balancer).flat_map(|rule| super::actions::groups(&rule.actions)).collect()
    } else if !arns.is_empty() {
        texts(asked, "TargetGroupArns").map(|arn| elb.group(arn).map(|_| arn.to_owned())).collect::<Result<_, _>>()?
    } else if !names.is_empty() {
        let find = |name: &str| {
            let prefix = world.arn("elasticloadbalancing", &format!("targetgroup/{name}/"));
            let found = under(&elb.groups, prefix).next().map(|(arn, _)| arn.clone());
            found.ok_or_else(|| Refusal::new("TargetGroupNotFound", "One or more target groups not found"))
        };
        texts(asked, "Names").map(find).collect::<Result<_, _>>()?
    } else {
        elb.groups.keys().cloned().collect()
    };
    let found = wanted.iter().filter_map(|arn| elb.groups.get(arn));
    page("TargetGroups", found.map(|group| shown(elb, &group.document)).collect(), asked)
}

/// Only the health check can be changed, and of it only what is given.
fn modify(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "TargetGroupArn")?;
    let mut document = world.elbv2.group(arn)?.document.clone();
    health_checks::set(&mut document, asked)?;
    let answer = json!({ "TargetGroups": [shown(&world.elbv2, &document)] });
    if let Some(group) = world.elbv2.groups.get_mut(arn) {
        group.document = document;
    }
    targets::recheck(world, arn);
    Ok(answer)
}

/// "You can delete a target group if it is not referenced by any actions." One that is not there counts as deleted:
/// DeleteTargetGroup has no TargetGroupNotFound.
fn delete(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "TargetGroupArn")?;
    if world.elbv2.in_use(arn) {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(Refusal::new("ResourceInUse", message));
    }
    world.elbv2.groups.remove(arn);
    world.elbv2.tags.remove(arn);
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, forward};
    use super::*;

    /// A request for a group of type ip with changes; null takes a member away.
    fn asked(changes: &Value) -> Value {
        let mut asked =
            json!({ "Name": "web", "Protocol": "HTTP", "Port": "80", "VpcId": "vpc-1", "TargetType": "ip" });
        changes.as_object().into_iter().flatten().for_each(|(name, value)| asked[name] = value.clone());
        asked
    }

    #[test]
    fn what_is_not_asked_for_is_filled_in_by_type_and_protocol() {
        let check = |changes: Value, expected: Value| {
            let mut lab = Lab::new();
            let made = lab.ok("CreateTargetGroup", asked(&changes))["TargetGroups"][0].clone();
            let names = ["Protocol", "Port", "IntervalSeconds", "TimeoutSeconds", "Path"]
                .map(|name| format!("HealthCheck{name}"));
            let mut seen: Vec<_> = names.iter().map(|name| made.get(name).cloned().unwrap_or_default()).collect();
            seen.push(made.get("Matcher").cloned().unwrap_or_default());
            assert_eq!(json!(seen), expected, "{changes}");
        };
        let traffic = "traffic-port";
        check(json!({}), json!(["HTTP", traffic, 30, 5, "/", { "HttpCode": "200" }]));
        check(json!({ "Protocol": "HTTPS" }), json!(["HTTPS", traffic, 30, 5, "/", { "HttpCode": "200" }]));
        let grpc = json!(["HTTP", traffic, 30, 5, "/AWS.ALB/healthcheck", { "GrpcCode": "12" }]);
        check(json!({ "ProtocolVersion": "GRPC" }), grpc);
        check(json!({ "Protocol": "TCP" }), json!(["TCP", traffic, 30, 10, null, null]));
        let http = json!({ "Protocol": "TCP", "HealthCheckProtocol": "HTTP" });
        check(http, json!(["HTTP", traffic, 30, 10, "/", { "HttpCode": "200-399" }]));
        let alb = json!({ "Protocol": "TCP", "TargetType": "alb" });
        check(alb, json!(["HTTP", traffic, 30, 6, "/", { "HttpCode": "200-399" }]));
        check(json!({ "Protocol": "GENEVE", "Port": "6081" }), json!(["TCP", "80", 10, 5, null, null]));
        let function = json!({ "TargetType": "lambda", "Protocol": null, "Port": null, "VpcId": null });
        check(function, json!([null, null, 35, 30, "/", { "HttpCode": "200" }]));
    }

    #[test]
    fn what_aws_refuses() {
        let mut lab = Lab::new();
        for (changes, expected) in [
            (json!({}), "ok"),
            (json!({ "HealthCheckPath": "/", "HealthyThresholdCount": "5" }), "ok"),
            (json!({ "Port": "81" }), "DuplicateTargetGroupName"),
            (json!({ "Name": "-web" }), "ValidationError"),
            (json!({ "Name": "web_1" }), "ValidationError"),
            (json!({ "VpcId": null }), "ValidationError"),
            (json!({ "TargetType": "lambda" }), "ValidationError"),
            (json!({ "HealthCheckIntervalSeconds": "5" }), "ValidationError"),
            (json!({ "HealthyThresholdCount": "11" }), "ValidationError"),
            (json!({ "HealthCheckProtocol": "TCP" }), "InvalidConfigurationRequest"),
            (json!({ "HealthCheckEnabled": "false" }), "InvalidConfigurationRequest"),
            (json!({ "Matcher": { "GrpcCode": "0" } }), "InvalidConfigurationRequest"),
            (json!({ "Matcher": { "HttpCode": "200-500" } }), "ValidationError"),
            (json!({ "Matcher": { "HttpCode": "ok" } }), "ValidationError"),
        ] {
            assert_eq!(lab.code("CreateTargetGroup", asked(&changes)), expected, "{changes}");
        }
        assert_eq!(lab.world.elbv2.groups.len(), 1);
        assert_eq!(lab.code("DescribeTargetGroups", json!({ "Names": ["web", "we"] })), "TargetGroupNotFound");
    }

    #[test]
    fn a_group_follows_its_use_and_keeps_what_is_not_modified() {
        let mut lab = Lab::new();
        let changes = json!({ "Protocol": "TCP", "HealthCheckProtocol": "HTTP", "HealthCheckPath": "/health" });
        let mut group = lab.ok("CreateTargetGroup", asked(&changes))["TargetGroups"][0].clone();
        let arn = group["TargetGroupArn"].as_str().unwrap().to_owned();
        lab.ok("ModifyTargetGroup", json!({ "TargetGroupArn": arn, "HealthCheckIntervalSeconds": "15" }));
        group["HealthCheckIntervalSeconds"] = json!(15);
        let (one, two) = (lab.balancer("network"), lab.balancer("network"));
        let create = |balancer: &str| {
            json!({ "LoadBalancerArn": balancer, "Protocol": "TCP", "Port": "80",
            "DefaultActions": [forward(&arn)] })
        };
        let listener = lab.ok("CreateListener", create(&one))["Listeners"][0]["ListenerArn"].clone();
        group["LoadBalancerArns"] = json!([one]);
        assert_eq!(lab.code("CreateListener", create(&two)), "TargetGroupAssociationLimit");
        assert_eq!(lab.code("DeleteTargetGroup", json!({ "TargetGroupArn": arn })), "ResourceInUse");
        assert_eq!(lab.ok("DescribeTargetGroups", json!({ "LoadBalancerArn": one }))["TargetGroups"], json!([group]));
        lab.ok("DeleteListener", json!({ "ListenerArn": listener }));
        let tcp = lab.ok("ModifyTargetGroup", json!({ "TargetGroupArn": arn, "HealthCheckProtocol": "TCP" }));
        let tcp = &tcp["TargetGroups"][0];
        assert_eq!((tcp.get("HealthCheckPath"), tcp.get("Matcher")), (None, None));
        assert_eq!(tcp["LoadBalancerArns"], json!([]));
        lab.ok("DeleteTargetGroup", json!({ "TargetGroupArn": arn }));
        assert_eq!(lab.code("ModifyTargetGroup", json!({ "TargetGroupArn": arn })), "TargetGroupNotFound");
    }
}
