//! Target groups with their attributes. Of a group only the health check can be changed; another port or protocol takes
//! a new group, which is made beside the old one (`replace`).

use super::replace::{self, Standing};
use super::settle::{self, against, complete, fields};
use super::{attributes, settle::compare};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Resource, Section};
use crate::core::id::Kind;
use crate::core::normal::{Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::Planner;
use crate::core::shape::Shape;
use serde_json::{Map, Value, json};

/// Only CreateTargetGroup takes these (ModifyTargetGroup has none of them).
pub const IMMUTABLE: &[&str] =
    &["Protocol", "Port", "VpcId", "TargetType", "ProtocolVersion", "IpAddressType", "TargetControlPort"];

/// The one form of a target group in CreateTargetGroup's names: without name and tags, and with what AWS fills in for its
/// protocol and type.
///
/// Sources: ELBv2 API reference (CreateTargetGroup) and recorded answers; where both differ (the timeout of HTTP checks)
/// the answers are taken.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut normal = normalise(&settle::without(document, &["Name", "Tags"]), shape, &Table::default());
    if let Value::Object(map) = &mut normal {
        fill(map);
    }
    normal
}

fn fill(map: &mut Map<String, Value>) {
    let text =
        |map: &Map<String, Value>, field: &str| map.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    map.entry("TargetType").or_insert(json!("instance"));
    let (target, protocol) = (text(map, "TargetType"), text(map, "Protocol"));
    let http = matches!(protocol.as_str(), "HTTP" | "HTTPS");
    if http {
        map.entry("ProtocolVersion").or_insert(json!("HTTP1"));
    }
    // Of a lambda group as well (documented answer of CreateTargetGroup).
    map.entry("IpAddressType").or_insert(json!("ipv4"));
    let grpc = text(map, "ProtocolVersion") == "GRPC";
    let defaults = defaults(&target, &protocol);
    map.entry("HealthCheckEnabled").or_insert(json!(target != "lambda"));
    if let Some(protocol) = defaults.protocol {
        map.entry("HealthCheckProtocol").or_insert(json!(protocol));
        map.entry("HealthCheckPort").or_insert(json!(defaults.port));
    }
    map.entry("HealthCheckIntervalSeconds").or_insert(json!(defaults.interval));
    map.entry("HealthCheckTimeoutSeconds").or_insert(json!(defaults.timeout));
    map.entry("HealthyThresholdCount").or_insert(json!(5));
    map.entry("UnhealthyThresholdCount").or_insert(json!(2));
    if target == "lambda" || matches!(text(map, "HealthCheckProtocol").as_str(), "HTTP" | "HTTPS") {
        map.entry("HealthCheckPath").or_insert(json!(if grpc { "/AWS.ALB/healthcheck" } else { "/" }));
        let matcher = match (grpc, http || target == "lambda") {
            (true, _) => json!({ "GrpcCode": "12" }),
            (false, true) => json!({ "HttpCode": "200" }),
            (false, false) => json!({ "HttpCode": "200-399" }),
        };
        map.entry("Matcher").or_insert(matcher);
    } else {
        // A TCP check has neither.
        map.remove("HealthCheckPath");
        map.remove("Matcher");
    }
}

/// What a health check is where nobody says.
struct Defaults {
    protocol: Option<&'static str>,
    port: &'static str,
    interval: i64,
    timeout: i64,
}

fn defaults(target: &str, protocol: &str) -> Defaults {
    let of = |protocol, port, interval, timeout| Defaults { protocol: Some(protocol), port, interval, timeout };
    match (target, protocol) {
        ("lambda", _) => Defaults { protocol: None, port: "traffic-port", interval: 35, timeout: 30 },
        ("alb", _) => of("HTTP", "traffic-port", 30, 6),
        (_, "GENEVE") => of("TCP", "80", 10, 5),
        (_, "HTTPS") => of("HTTPS", "traffic-port", 30, 5),
        (_, "HTTP") => of("HTTP", "traffic-port", 30, 5),
        _ => of("TCP", "traffic-port", 30, 10),
    }
}

/// DescribeTargetGroups' answer in CreateTargetGroup's names.
pub fn live_document(live: &Value) -> Value {
    let mut document = settle::without(live, &["TargetGroupArn", "LoadBalancerArns"]);
    if let Value::Object(map) = &mut document
        && let Some(name) = map.remove("TargetGroupName")
    {
        map.insert("Name".into(), name);
    }
    document
}

/// Plans the target groups that a file declares.
pub fn plan(planner: &mut Planner<'_>) {
    for resource in planner.declared.of(Kind::TargetGroup) {
        one(planner, resource);
    }
}

fn one(planner: &mut Planner<'_>, resource: &Resource) {
    let Some(mut input) = complete(planner, resource) else { return };
    match replace::standing(planner, resource, &input.document) {
        Standing::Later => return,
        Standing::Absent { name } => {
            let written = input.document.clone();
            if !settle::may_create(planner, Section::TargetGroups, resource) {
                return;
            }
            if let Value::Object(map) = &mut input.document {
                map.insert("Name".into(), json!(name));
            }
            settle::owned(planner, &mut input.document);
            let against = against(planner, &crate::core::id::ResourceId::new(Kind::TargetGroup, name.as_str()));
            let action = Action { call: Call::CreateTargetGroup, target: resource.id.clone(), input };
            planner.make(action, Effect::NoRestart, against);
            attributes::plan(planner, resource, &spec(&written));
            return;
        }
        Standing::Present(live) => update(planner, resource, &input.document, &live),
    }
    attributes::plan(planner, resource, &spec(&input.document));
}

fn update(planner: &mut Planner<'_>, resource: &Resource, written: &Value, live: &Live) {
    planner.exists(&resource.id, live);
    let shape = planner.inputs.shapes.target_group;
    let declared = settle::without(written, &["Name", "Tags"]);
    let now = comparable(&live_document(&live.document), shape);
    let desired = comparable(written, shape);
    let found = compare(planner, &resource.path, shape, &declared, &desired, &now);
    let found = fields(&resource.path, &found);
    // The immutable ones are equal: otherwise this was not the group.
    if !found.is_empty() && planner.may_write(Section::TargetGroups) {
        let mut document = settle::sent(&declared, &desired, &found);
        // The check's protocol decides what its other settings mean: they go together.
        if found.contains(&"HealthCheckProtocol") {
            document.extend(settle::only(&declared, &["HealthCheckPort", "HealthCheckPath", "Matcher"]));
        }
        document.insert("TargetGroupArn".into(), json!(live.arn.as_ref().map(|arn| arn.as_str())));
        let against = against(planner, &replace::read_id(planner, resource));
        let action = Action::new(Call::ModifyTargetGroup, resource.id.clone(), Value::Object(document));
        planner.step(action, Effect::NoRestart, against);
    }
    settle::tag(planner, Section::TargetGroups, &resource.path, &resource.id, live.arn.as_ref(), written);
}

fn spec(document: &Value) -> attributes::Spec {
    let network = !matches!(document.get("Protocol").and_then(Value::as_str), Some("HTTP" | "HTTPS") | None);
    attributes::Spec {
        section: Section::TargetGroups,
        kind: Kind::TargetGroupAttributes,
        call: Call::ModifyTargetGroupAttributes,
        arn: "TargetGroupArn",
        default: if network { |_| None } else { http_attribute },
    }
}

/// The attributes of a new group behind an Application Load Balancer (TargetGroupAttribute, and recorded answers).
fn http_attribute(key: &str) -> Option<&'static str> {
    Some(match key {
        "deregistration_delay.timeout_seconds" => "300",
        "stickiness.enabled" | "stickiness.app_cookie.enabled" => "false",
        "stickiness.type" => "lb_cookie",
        "stickiness.lb_cookie.duration_seconds" | "stickiness.app_cookie.duration_seconds" => "86400",
        "stickiness.app_cookie.cookie_name" => "",
        "slow_start.duration_seconds" => "0",
        "load_balancing.algorithm.type" => "round_robin",
        "load_balancing.algorithm.anomaly_mitigation" => "off",
        "load_balancing.cross_zone.enabled" => "use_load_balancer_configuration",
        "target_group_health.dns_failover.minimum_healthy_targets.count"
        | "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count" => "1",
        "target_group_health.dns_failover.minimum_healthy_targets.percentage"
        | "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage" => "off",
        "lambda.multi_value_headers.enabled" => "false",
        _ => return None,
    })
}
