//! The attributes of load balancers, listeners and target groups: Describe…Attributes, Modify…Attributes.
//!
//! They are texts by key. What is not set keeps its value, and when one cannot be set, none is ("If any of the specified
//! attributes can't be modified as requested, the call fails", ModifyLoadBalancerAttributes).

use super::attribute_tables as tables;
use super::attribute_tables::{Row, Values};
use super::{Refusal, conflicting, invalid, required};
use crate::sim::world::input::list;
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Attributes by key.
pub type Attributes = BTreeMap<String, String>;

/// LoadBalancerAttributes: "Maximum number of 20 items".
const MOST: usize = 20;

/// What has attributes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Thing {
    Balancer,
    Listener,
    Group,
}

/// Answers an operation on attributes.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "DescribeLoadBalancerAttributes" => describe(world, Thing::Balancer, asked),
        "DescribeListenerAttributes" => describe(world, Thing::Listener, asked),
        "DescribeTargetGroupAttributes" => describe(world, Thing::Group, asked),
        "ModifyLoadBalancerAttributes" => modify(world, Thing::Balancer, asked),
        "ModifyListenerAttributes" => modify(world, Thing::Listener, asked),
        "ModifyTargetGroupAttributes" => modify(world, Thing::Group, asked),
        _ => return None,
    })
}

type Tables = &'static [&'static [Row]];

fn balancer_tables(kind: &str) -> Tables {
    match kind {
        "gateway" => &[tables::EVERY_BALANCER],
        "network" => &[tables::EVERY_BALANCER, tables::BALANCER, tables::NETWORK],
        _ => &[tables::EVERY_BALANCER, tables::BALANCER, tables::APPLICATION],
    }
}

/// A gateway load balancer's listener has no protocol.
fn listener_tables(protocol: &str) -> Tables {
    match protocol {
        "HTTP" => &[tables::HTTP_LISTENER],
        "HTTPS" => &[tables::HTTP_LISTENER, tables::HTTPS_LISTENER],
        "TCP" | "" => &[tables::TCP_LISTENER],
        _ => &[],
    }
}

/// A function's group has no protocol.
fn group_tables(protocol: &str) -> Tables {
    match protocol {
        "" => &[tables::FUNCTION, tables::COOKIES, tables::GROUP_HEALTH, tables::CROSS_ZONE],
        "HTTP" | "HTTPS" => {
            &[tables::DELAY, tables::COOKIES, tables::ALGORITHM, tables::CROSS_ZONE, tables::GROUP_HEALTH]
        }
        "GENEVE" => &[tables::DELAY, tables::GATEWAY_GROUP, tables::CROSS_ZONE],
        _ => &[tables::DELAY, tables::NETWORK_GROUP, tables::CROSS_ZONE, tables::GROUP_HEALTH],
    }
}

/// The row of a key; a later table's where two have it.
fn row(tables: Tables, key: &str) -> Option<&'static Row> {
    tables.iter().copied().flatten().rfind(|(known, ..)| *known == key)
}

fn defaults(tables: Tables) -> Attributes {
    let rows = tables.iter().copied().flatten();
    rows.map(|(key, default, _)| ((*key).to_owned(), (*default).to_owned())).collect()
}

/// Those of a new load balancer.
pub(super) fn of_balancer(kind: &str, internal: bool) -> Attributes {
    let mut attributes = defaults(balancer_tables(kind));
    // "It is set to false for internet-facing load balancers and true for internal load balancers."
    if let Some(denied) = attributes.get_mut("ipv6.deny_all_igw_traffic") {
        *denied = internal.to_string();
    }
    attributes
}

/// Those of a new listener.
pub(super) fn of_listener(protocol: &str) -> Attributes {
    defaults(listener_tables(protocol))
}

/// Those of a new target group.
pub(super) fn of_group(target_type: &str, protocol: &str) -> Attributes {
    let mut attributes = defaults(group_tables(protocol));
    let stream = matches!(protocol, "TCP" | "TLS");
    let mut set = |key: &str, value: bool| {
        if let Some(attribute) = attributes.get_mut(key) {
            *attribute = value.to_string();
        }
    };
    // "For new UDP/TCP_UDP target groups the default is true." "The default is disabled if the target group type is IP
    // address and the target group protocol is TCP or TLS."
    set("deregistration_delay.connection_termination.enabled", !stream);
    set("preserve_client_ip.enabled", target_type != "ip" || !stream);
    attributes
}

/// What an attribute operation is about: its attributes, and the tables that hold for it.
fn found<'w>(world: &'w mut World, thing: Thing, asked: &Value) -> Result<(&'w mut Attributes, Tables), Refusal> {
    let elb = &mut world.elbv2;
    let text = |document: &Value, name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let name = match thing {
        Thing::Balancer => "LoadBalancerArn",
        Thing::Listener => "ListenerArn",
        Thing::Group => "TargetGroupArn",
    };
    let arn = required(asked, name)?;
    let (tables, attributes) = match thing {
        Thing::Balancer => {
            let tables = balancer_tables(elb.balancer(arn)?.kind());
            (tables, elb.balancers.get_mut(arn).map(|balancer| &mut balancer.attributes))
        }
        Thing::Listener => {
            let tables = listener_tables(elb.listener(arn)?.protocol());
            (tables, elb.listeners.get_mut(arn).map(|listener| &mut listener.attributes))
        }
        Thing::Group => {
            let tables = group_tables(&text(&elb.group(arn)?.document, "Protocol"));
            (tables, elb.groups.get_mut(arn).map(|group| &mut group.attributes))
        }
    };
    attributes.map(|attributes| (attributes, tables)).ok_or_else(|| invalid(format!("'{arn}' not found")))
}

fn describe(world: &mut World, thing: Thing, asked: &Value) -> Answer {
    found(world, thing, asked).map(|(attributes, _)| shown(attributes))
}

/// Answers with all attributes, not only with those that were set.
fn modify(world: &mut World, thing: Thing, asked: &Value) -> Answer {
    let given = list(asked, "Attributes");
    if given.is_empty() {
        return Err(invalid("At least one attribute must be specified"));
    }
    if thing == Thing::Balancer && given.len() > MOST {
        return Err(invalid(format!("Up to '{MOST}' attributes can be specified")));
    }
    let (attributes, tables) = found(world, thing, asked)?;
    let mut new = attributes.clone();
    for attribute in given {
        let key = required(attribute, "Key")?;
        let value = attribute.get("Value").and_then(Value::as_str).unwrap_or_default();
        check(thing, tables, key, value)?;
        new.insert(key.to_owned(), value.to_owned());
    }
    check_together(&new)?;
    attributes.clone_from(&new);
    Ok(shown(&new))
}

fn shown(attributes: &Attributes) -> Value {
    let pairs = attributes.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    json!({ "Attributes": pairs.collect::<Vec<_>>() })
}

/// A key that nothing of its kind has is a ValidationError, one that only another type or protocol has
/// InvalidConfigurationRequest.
fn check(thing: Thing, own: Tables, key: &str, value: &str) -> Result<(), Refusal> {
    let (what, known) = match thing {
        Thing::Balancer => {
            ("Load balancer", ["application", "network"].iter().any(|kind| row(balancer_tables(kind), key).is_some()))
        }
        Thing::Listener => ("Listener", ["HTTPS", "TCP"].iter().any(|kind| row(listener_tables(kind), key).is_some())),
        Thing::Group => {
            let protocols = ["", "HTTP", "TCP", "GENEVE"];
            ("Target group", protocols.iter().any(|protocol| row(group_tables(protocol), key).is_some()))
        }
    };
    match row(own, key) {
        None if known => {
            let message = format!("{what} attribute key '{key}' is not supported for this {}", what.to_lowercase());
            Err(conflicting(message))
        }
        None => Err(invalid(format!("{what} attribute key '{key}' is not recognized"))),
        Some((.., values)) if takes(*values, value) => Ok(()),
        Some((.., values)) => Err(refused(key, value, *values)),
    }
}

fn takes(values: Values, value: &str) -> bool {
    let within = |low, high| value.parse::<i64>().is_ok_and(|number| (low..=high).contains(&number));
    match values {
        Values::Flag => matches!(value, "true" | "false"),
        Values::Number(low, high) => within(low, high),
        Values::NumberOrOff(low, high) => value == "off" || within(low, high),
        Values::Word(words) => words.contains(&value),
        Values::Text => value.len() <= 1024,
    }
}

fn refused(key: &str, value: &str, values: Values) -> Refusal {
    match values {
        Values::Number(low, high) | Values::NumberOrOff(low, high) => {
            invalid(format!("'{key}' value '{value}' must be between '{low}-{high}' inclusive"))
        }
        Values::Word(words) => invalid(format!("'{key}' value '{value}' must be one of [{}]", words.join(", "))),
        Values::Flag => invalid(format!("'{key}' value '{value}' must be one of [true, false]")),
        Values::Text => invalid(format!("'{key}' value cannot be longer than '1024' characters")),
    }
}

/// What TargetGroupAttribute and LoadBalancerAttribute say of two attributes together.
fn check_together(new: &Attributes) -> Result<(), Refusal> {
    let is = |key: &str, value: &str| new.get(key).is_some_and(|set| set == value);
    if is("stickiness.enabled", "true")
        && is("stickiness.type", "app_cookie")
        && is("stickiness.app_cookie.cookie_name", "")
    {
        let message = "You must set an application cookie name to enable stickiness of type 'app_cookie'";
        return Err(conflicting(message));
    }
    let algorithm = "load_balancing.algorithm.type";
    if is("load_balancing.algorithm.anomaly_mitigation", "on") && !is(algorithm, "weighted_random") {
        return Err(conflicting("Anomaly mitigation is only available for the algorithm 'weighted_random'"));
    }
    let slow = new.get("slow_start.duration_seconds").and_then(|text| text.parse().ok()).unwrap_or(0);
    if (1..30).contains(&slow) {
        let message = format!("'slow_start.duration_seconds' value '{slow}' must be 0, or between '30-900' inclusive");
        return Err(invalid(message));
    }
    if slow > 0 && !is(algorithm, "round_robin") {
        return Err(conflicting("Slow start is only available for the algorithm 'round_robin'"));
    }
    if new.get("target_failover.on_deregistration") != new.get("target_failover.on_unhealthy") {
        return Err(conflicting(
            "'target_failover.on_deregistration' and 'target_failover.on_unhealthy' must be the same",
        ));
    }
    for logs in ["access_logs", "connection_logs", "health_check_logs"] {
        if is(&format!("{logs}.s3.enabled"), "true") && is(&format!("{logs}.s3.bucket"), "") {
            return Err(invalid(format!("An S3 bucket must be specified when '{logs}.s3.enabled' is true")));
        }
    }
    Ok(())
}

/// A number among a group's attributes.
pub(super) fn number(attributes: &Attributes, key: &str) -> Option<i64> {
    attributes.get(key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Lab;
    use super::*;

    #[test]
    fn an_attribute_is_of_its_kind_and_has_its_values() {
        let mut lab = Lab::new();
        let (web, network) = (lab.balancer("application"), lab.balancer("network"));
        let (listener, http, tcp, udp) =
            (lab.listener(&web, 80), lab.group("HTTP"), lab.group("TCP"), lab.group("UDP"));
        let (balancers, groups) = (("LoadBalancer", "LoadBalancerArn"), ("TargetGroup", "TargetGroupArn"));
        let listeners = ("Listener", "ListenerArn");
        for ((kind, name), arn, key, value, expected) in [
            (balancers, &web, "idle_timeout.timeout_seconds", "61", "ok"),
            (balancers, &web, "idle_timeout.timeout_seconds", "4001", "ValidationError"),
            (balancers, &web, "idle_timeout", "1", "ValidationError"),
            (balancers, &web, "load_balancing.cross_zone.enabled", "false", "ValidationError"),
            (balancers, &web, "access_logs.s3.enabled", "true", "ValidationError"),
            (balancers, &network, "idle_timeout.timeout_seconds", "61", "InvalidConfigurationRequest"),
            (balancers, &network, "load_balancing.cross_zone.enabled", "true", "ok"),
            (listeners, &listener, "routing.http.response.server.enabled", "false", "ok"),
            (listeners, &listener, "routing.http.response.x_frame_options.header_value", "DENY", "ok"),
            (listeners, &listener, "tcp.idle_timeout.seconds", "60", "InvalidConfigurationRequest"),
            (groups, &http, "deregistration_delay.timeout_seconds", "0", "ok"),
            (groups, &http, "deregistration_delay.timeout_seconds", "", "ValidationError"),
            (groups, &http, "slow_start.duration_seconds", "29", "ValidationError"),
            (groups, &http, "load_balancing.algorithm.anomaly_mitigation", "on", "InvalidConfigurationRequest"),
            (groups, &http, "preserve_client_ip.enabled", "true", "InvalidConfigurationRequest"),
            (groups, &http, "stickiness.type", "source_ip", "ValidationError"),
            (groups, &tcp, "stickiness.type", "lb_cookie", "ValidationError"),
            (groups, &tcp, "preserve_client_ip.enabled", "true", "ok"),
        ] {
            let asked = json!({ name: arn, "Attributes": [{ "Key": key, "Value": value }] });
            let describe = (format!("Describe{kind}Attributes"), json!({ name: arn }));
            let before = lab.ok(&describe.0, describe.1.clone());
            assert_eq!(lab.code(&format!("Modify{kind}Attributes"), asked), expected, "{key} {value}");
            let after = lab.ok(&describe.0, describe.1);
            assert_eq!(after != before, expected == "ok", "{key} {value}");
            let set = json!({ "Key": key, "Value": value });
            assert_eq!(list(&after, "Attributes").contains(&set), expected == "ok", "{key} {value}");
        }
        let of = |group: &str, key: &str| lab.world.elbv2.groups[group].attributes[key].clone();
        assert_eq!(of(&udp, "preserve_client_ip.enabled"), "true");
        assert_eq!(of(&udp, "deregistration_delay.connection_termination.enabled"), "true");
        assert_eq!(of(&tcp, "deregistration_delay.connection_termination.enabled"), "false");
    }
}
