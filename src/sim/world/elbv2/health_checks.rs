//! The health check of a target group: its defaults by what it balances, and what AWS refuses.
//!
//! Sources: the API Reference (CreateTargetGroup, ModifyTargetGroup, Matcher) and, where they differ from it, the answers
//! that Terraform's AWS provider has recorded.

use super::{Refusal, conflicting, invalid, one_of, ranged};
use crate::sim::world::input::{flag, number, text};
use serde_json::{Value, json};

/// Members of a health check, all of which but the matcher are plain.
const MEMBERS: &[&str] = &[
    "HealthCheckEnabled",
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];
const HTTP: &[&str] = &["HTTP", "HTTPS"];

/// The health check of a new group with the defaults of its type and protocol; what is not there is null.
pub(super) fn defaults(target_type: &str, protocol: &str, version: &str) -> Value {
    let (interval, timeout, path, matcher, check, port) = match (target_type, protocol) {
        ("lambda", _) => (35, 30, json!("/"), json!({ "HttpCode": "200" }), Value::Null, Value::Null),
        ("alb", _) => (30, 6, json!("/"), json!({ "HttpCode": "200-399" }), json!("HTTP"), json!("traffic-port")),
        (_, "GENEVE") => (10, 5, Value::Null, Value::Null, json!("TCP"), json!("80")),
        (_, "HTTP" | "HTTPS") if version == "GRPC" => {
            let (path, matcher) = (json!("/AWS.ALB/healthcheck"), json!({ "GrpcCode": "12" }));
            (30, 5, path, matcher, json!(protocol), json!("traffic-port"))
        }
        (_, "HTTP" | "HTTPS") => {
            (30, 5, json!("/"), json!({ "HttpCode": "200" }), json!(protocol), json!("traffic-port"))
        }
        _ => (30, 10, Value::Null, Value::Null, json!("TCP"), json!("traffic-port")),
    };
    json!({
        "HealthCheckEnabled": target_type != "lambda", "HealthCheckProtocol": check, "HealthCheckPort": port,
        "HealthCheckPath": path, "HealthCheckIntervalSeconds": interval, "HealthCheckTimeoutSeconds": timeout,
        "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "Matcher": matcher,
    })
}

/// Sets what is asked for in the document of a group that has a health check. Path and matcher come and go with the
/// protocol of the check.
pub(super) fn set(document: &mut Value, asked: &Value) -> Result<(), Refusal> {
    let before = text(document, "HealthCheckProtocol").map(str::to_owned);
    for (name, range) in [
        ("HealthCheckIntervalSeconds", 5..=300),
        ("HealthCheckTimeoutSeconds", 2..=120),
        ("HealthyThresholdCount", 2..=10),
        ("UnhealthyThresholdCount", 2..=10),
    ] {
        if let Some(value) = ranged(asked, name, range)? {
            document[name] = json!(value);
        }
    }
    let known = ["HTTP", "HTTPS", "TCP"];
    if let Some(protocol) = one_of(asked, "HealthCheckProtocol", &known)? {
        document["HealthCheckProtocol"] = json!(protocol);
    }
    if document["HealthCheckProtocol"] == "TCP" {
        if text(asked, "HealthCheckPath").is_some() || asked["Matcher"].is_object() {
            let message = "You cannot specify a health check path or a matcher with the health check protocol TCP";
            return Err(conflicting(message));
        }
        (document["HealthCheckPath"], document["Matcher"]) = (Value::Null, Value::Null);
    } else if before.as_deref() == Some("TCP") {
        document["HealthCheckPath"] = json!("/");
        document["Matcher"] = json!({ "HttpCode": "200-399" });
    }
    for name in ["HealthCheckPath", "HealthCheckPort"] {
        if let Some(value) = text(asked, name) {
            document[name] = json!(value);
        }
    }
    if let Some(enabled) = flag(asked, "HealthCheckEnabled") {
        document["HealthCheckEnabled"] = json!(enabled);
    }
    set_matcher(document, asked)?;
    check(document)
}

/// GrpcCode where the protocol version is GRPC, HttpCode elsewhere.
fn set_matcher(document: &mut Value, asked: &Value) -> Result<(), Refusal> {
    let grpc = document["ProtocolVersion"] == "GRPC";
    for (name, fits) in [("HttpCode", !grpc), ("GrpcCode", grpc)] {
        match text(&asked["Matcher"], name) {
            Some(_) if !fits => {
                let message = format!("The matcher '{name}' is not supported for the protocol version of this group");
                return Err(conflicting(message));
            }
            Some(codes) => document["Matcher"] = json!({ name: codes }),
            None => {}
        }
    }
    Ok(())
}

fn check(document: &Value) -> Result<(), Refusal> {
    let protocol = text(document, "Protocol").unwrap_or_default();
    let interval = number(document, "HealthCheckIntervalSeconds").unwrap_or_default();
    let timeout = number(document, "HealthCheckTimeoutSeconds").unwrap_or_default();
    if timeout > interval || (timeout == interval && HTTP.contains(&protocol)) {
        return Err(invalid("Health check interval must be greater than the timeout."));
    }
    let kind = text(document, "TargetType").unwrap_or_default();
    if kind != "lambda" && document["HealthCheckEnabled"] == false {
        let message = format!("Health check enabled must be true for target groups with target type '{kind}'");
        return Err(conflicting(message));
    }
    let checked = text(document, "HealthCheckProtocol").unwrap_or_default();
    if HTTP.contains(&protocol) && checked == "TCP" {
        let message =
            format!("Health check protocol 'TCP' is not supported for target groups with the protocol {protocol}");
        return Err(conflicting(message));
    }
    if text(document, "HealthCheckPath").is_some_and(|path| !path.starts_with('/') || path.len() > 1024) {
        return Err(invalid("Health check path must start with '/' and be at most 1024 characters long"));
    }
    if let Some(port) = text(document, "HealthCheckPort")
        && port != "traffic-port"
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(invalid(format!("Health check port '{port}' must be 'traffic-port' or between 1 and 65535")));
    }
    check_matcher(document)
}

/// CreateTargetGroup, Matcher: "For target groups with a protocol of HTTP or HTTPS, the range is 200-499", "of TCP … the
/// range is 200-599", "of GENEVE, the range is 200-399"; GrpcCode 0 to 99.
fn check_matcher(document: &Value) -> Result<(), Refusal> {
    let most = match text(document, "Protocol").unwrap_or_default() {
        "HTTP" | "HTTPS" | "" => 499,
        "GENEVE" => 399,
        _ => 599,
    };
    for (name, range) in [("HttpCode", 200..=most), ("GrpcCode", 0..=99)] {
        let Some(codes) = text(&document["Matcher"], name) else { continue };
        let within = |(from, to): &(u16, u16)| from <= to && range.contains(from) && range.contains(to);
        if !ranges(codes).is_some_and(|all| all.iter().all(within)) {
            let (low, high) = (range.start(), range.end());
            return Err(invalid(format!("Health check matcher code '{codes}' must be within '{low}-{high}'")));
        }
    }
    Ok(())
}

/// `200,301-303` as ranges.
fn ranges(codes: &str) -> Option<Vec<(u16, u16)>> {
    let one = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    codes.split(',').map(one).collect()
}

/// Whether an answer with an HTTP code passes the check of a group. A TCP check looks at no code.
pub(super) fn passes(document: &Value, code: u16) -> bool {
    let matcher = &document["Matcher"];
    let Some(codes) = text(matcher, "HttpCode") else { return matcher.is_null() };
    ranges(codes).is_some_and(|all| all.iter().any(|(from, to)| (from..=to).contains(&&code)))
}

/// Takes the members of a health check that are null out of a document: AWS does not answer them.
pub(super) fn shown(document: &Value) -> Value {
    let mut shown = document.clone();
    if let Value::Object(shown) = &mut shown {
        shown.retain(|name, value| !MEMBERS.contains(&name.as_str()) || !value.is_null());
    }
    shown
}
