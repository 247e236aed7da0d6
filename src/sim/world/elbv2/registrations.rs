//! RegisterTargets, DeregisterTargets, DescribeTargetHealth.
//!
//! Source: the API Reference (operations of these names, TargetDescription).

use super::targets::{self, Checked, Target};
use super::{Group, Refusal, invalid, ranged, required};
use crate::sim::world::input::{list, number, text, texts};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};
use std::net::IpAddr;

/// "Quotas for your Application Load Balancers": targets per target group; of a function or a load balancer one.
const TARGETS: usize = 1000;

/// Answers an operation on targets.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "RegisterTargets" => register(world, asked),
        "DeregisterTargets" => deregister(world, asked),
        "DescribeTargetHealth" => describe(world, asked),
        _ => return None,
    })
}

/// The targets that a call names: where no port is given, the group's.
fn named(group: &Group, asked: &Value) -> Result<Vec<Target>, Refusal> {
    let target = |asked: &Value| {
        let port = ranged(asked, "Port", 1..=65_535)?.or_else(|| number(&group.document, "Port"));
        let port = port.filter(|_| group.document["TargetType"] != "lambda");
        Ok(Target::new(required(asked, "Id")?, port, text(asked, "AvailabilityZone"), Checked::Healthy))
    };
    list(asked, "Targets").iter().map(target).collect()
}

fn check_id(kind: &str, id: &str) -> Result<(), Refusal> {
    let (valid, what) = match kind {
        "ip" => (id.parse::<IpAddr>().is_ok(), "IP address"),
        "instance" => (id.starts_with("i-"), "Instance ID"),
        "lambda" => (id.starts_with("arn:") && id.contains(":lambda:"), "Lambda function ARN"),
        _ => (id.starts_with("arn:") && id.contains(":loadbalancer/app/"), "Application Load Balancer ARN"),
    };
    if valid { Ok(()) } else { Err(invalid(format!("{what} '{id}' is not valid"))) }
}

/// "You can register each EC2 instance or IP address with the same target group multiple times using different ports."
fn register(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "TargetGroupArn")?;
    let group = world.elbv2.group(arn)?;
    let new = named(group, asked)?;
    if new.is_empty() {
        return Err(invalid("At least one target must be specified"));
    }
    let kind = text(&group.document, "TargetType").unwrap_or_default();
    new.iter().try_for_each(|target| check_id(kind, &target.id))?;
    let most = if matches!(kind, "ip" | "instance") { TARGETS } else { 1 };
    let known = |target: &&Target| group.targets.iter().any(|known| known.id == target.id && known.port == target.port);
    if group.targets.len() + new.iter().filter(|target| !known(target)).count() > most {
        return Err(Refusal::new("TooManyTargets", "You've reached the limit on the number of targets."));
    }
    new.into_iter().for_each(|target| targets::add(world, arn, target));
    Ok(json!({}))
}

/// "If you specified a port override when you registered a target, you must specify both the target ID and the port when
/// you deregister it." "If the specified target does not exist, the action returns successfully."
fn deregister(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "TargetGroupArn")?;
    let gone = named(world.elbv2.group(arn)?, asked)?;
    if gone.is_empty() {
        return Err(invalid("At least one target must be specified"));
    }
    gone.into_iter().for_each(|target| targets::take_away(world, arn, &target.id, target.port));
    Ok(json!({}))
}

/// "The specified targets or all of your targets"; one that is not registered is `unused`.
fn describe(world: &mut World, asked: &Value) -> Answer {
    let group = world.elbv2.group(required(asked, "TargetGroupArn")?)?;
    let named = named(group, asked)?;
    let find = |wanted: &Target| {
        let known = group.targets.iter().find(|target| target.id == wanted.id && target.port == wanted.port);
        known.cloned().unwrap_or_else(|| wanted.clone())
    };
    let targets: Vec<Target> = if named.is_empty() { group.targets.clone() } else { named.iter().map(find).collect() };
    let anomalies = texts(asked, "Include").any(|what| matches!(what, "AnomalyDetection" | "All"));
    let shown = |target: &Target| {
        let mut shown = json!({
            "Target": { "Id": target.id },
            "TargetHealth": targets::shown(target, &group.document, world.now()),
        });
        if let Some(port) = target.port {
            shown["Target"]["Port"] = json!(port);
            let check = text(&group.document, "HealthCheckPort").filter(|check| *check != "traffic-port");
            shown["HealthCheckPort"] = json!(check.map_or_else(|| port.to_string(), str::to_owned));
        }
        if let Some(zone) = &target.zone {
            shown["Target"]["AvailabilityZone"] = json!(zone);
        }
        if anomalies {
            shown["AnomalyDetection"] = json!({ "Result": "normal", "MitigationInEffect": "no" });
        }
        shown
    };
    Ok(json!({ "TargetHealthDescriptions": targets.iter().map(shown).collect::<Vec<_>>() }))
}
