//! Listeners: CreateListener, DescribeListeners, ModifyListener, DeleteListener.
//!
//! Source: the API Reference (operations of these names, Listener).

use super::{Elbv2, Listener, Refusal, Rule, actions, attributes, certificates, invalid, one_of, page, ranged};
use super::{required, rules, tags};
use crate::sim::world::input::{list, text, texts};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

/// "Quotas for your Application Load Balancers"; a gateway load balancer has one.
const LISTENERS_OF_BALANCER: usize = 50;
/// The ports that there are (Port).
const PORTS: std::ops::RangeInclusive<i64> = 1..=65_535;

/// Answers an operation on listeners.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateListener" => create(world, asked),
        "DescribeListeners" => describe(world, asked),
        "ModifyListener" => modify(world, asked),
        "DeleteListener" => delete(world, asked),
        _ => return None,
    })
}

/// As DescribeListeners answers it: only the default certificate, the others are told by DescribeListenerCertificates.
fn shown(document: &Value, default_actions: &[Value]) -> Value {
    let mut shown = document.clone();
    shown["DefaultActions"] = actions::shown(default_actions);
    shown
}

/// "This operation is idempotent": the same settings again are answered with the listener that is there, others on its
/// port are DuplicateListener.
fn create(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let balancer_arn = required(asked, "LoadBalancerArn")?;
    let kind = elb.balancer(balancer_arn)?.kind();
    let mut document = json!({ "LoadBalancerArn": balancer_arn });
    endpoint(&mut document, asked, kind)?;
    certificates::settle(world, &mut document, asked)?;
    protocol_settings(&mut document, asked)?;
    let listener = Listener { document, certificates: Vec::new(), attributes: attributes::Attributes::new() };
    let before = elb.listeners_of(balancer_arn).find(|(_, other)| other.document["Port"] == listener.document["Port"]);
    let default = before.and_then(|(arn, _)| elb.default_rule(arn));
    let known = default.map_or(&[][..], |rule| &rule.actions);
    if list(asked, "DefaultActions").is_empty() {
        return Err(invalid("A default action must be specified"));
    }
    let actions = actions::take(elb, &rules::place(elb, &listener), list(asked, "DefaultActions"), &[])?;
    let tags = tags::taken(list(asked, "Tags"))?;
    let mut document = listener.document;
    if let Some((arn, before)) = before {
        document["ListenerArn"] = json!(arn);
        if before.document == document && known == actions {
            return Ok(json!({ "Listeners": [shown(&document, &actions)] }));
        }
        let message = "A listener already exists on this port for this load balancer";
        return Err(Refusal::new("DuplicateListener", message));
    }
    let most = if kind == "gateway" { 1 } else { LISTENERS_OF_BALANCER };
    if elb.listeners_of(balancer_arn).count() >= most {
        let message = "You've reached the limit on the number of listeners per load balancer.";
        return Err(Refusal::new("TooManyListeners", message));
    }
    let answer = added(world, document, actions, tags);
    Ok(json!({ "Listeners": [answer] }))
}

/// A new listener with its default rule.
fn added(world: &mut World, mut document: Value, actions: Vec<Value>, tags: Vec<Value>) -> Value {
    let attributes = attributes::of_listener(text(&document, "Protocol").unwrap_or_default());
    let balancer_arn = text(&document, "LoadBalancerArn").unwrap_or_default();
    let arn = format!("{}/{}", balancer_arn.replacen(":loadbalancer/", ":listener/", 1), world.hex(16));
    document["ListenerArn"] = json!(arn);
    let answer = shown(&document, &actions);
    let rule = Rule {
        arn: format!("{}/{}", arn.replacen(":listener/", ":listener-rule/", 1), world.hex(16)),
        listener: arn.clone(),
        priority: None,
        conditions: Vec::new(),
        actions,
        transforms: Vec::new(),
    };
    world.elbv2.tags.insert(arn.clone(), tags);
    world.elbv2.listeners.insert(arn, Listener { document, certificates: Vec::new(), attributes });
    rules::put(world, rule);
    answer
}

/// Protocol and port, as the type of the load balancer has them.
fn endpoint(document: &mut Value, asked: &Value, kind: &str) -> Result<(), Refusal> {
    let port = ranged(asked, "Port", PORTS)?;
    let known: &[&str] = match kind {
        "application" => &["HTTP", "HTTPS"],
        "network" => &["TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"],
        _ if port.is_some() => return Err(invalid("A port cannot be specified for gateway listeners")),
        _ if text(asked, "Protocol").is_some() => {
            return Err(invalid("A protocol cannot be specified for gateway listeners"));
        }
        _ => return Ok(()),
    };
    if let Some(protocol) = text(asked, "Protocol") {
        if !known.contains(&protocol) {
            let message = format!("Listener protocol '{protocol}' must be one of '{}'", known.join(", "));
            return Err(invalid(message));
        }
        document["Protocol"] = json!(protocol);
    }
    if let Some(port) = port {
        document["Port"] = json!(port);
    }
    for (name, what) in [("Port", "port"), ("Protocol", "protocol")] {
        if document.get(name).is_none() {
            return Err(invalid(format!("A listener {what} must be specified")));
        }
    }
    Ok(())
}

/// AlpnPolicy of TLS, MutualAuthentication of HTTPS; a protocol that has them not loses them.
fn protocol_settings(document: &mut Value, asked: &Value) -> Result<(), Refusal> {
    let protocol = text(document, "Protocol").unwrap_or_default().to_owned();
    let alpn: Vec<_> = texts(asked, "AlpnPolicy").collect();
    if let [policy, more @ ..] = &*alpn {
        let known = ["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"];
        if !more.is_empty() || !known.contains(policy) || protocol != "TLS" {
            return Err(Refusal::new("ALPNPolicyNotFound", "The specified ALPN policy is not supported."));
        }
        document["AlpnPolicy"] = json!([policy]);
    }
    let mutual = &asked["MutualAuthentication"];
    if mutual.is_object() {
        if protocol != "HTTPS" {
            return Err(invalid(format!("Mutual authentication is not supported for {protocol} listeners")));
        }
        document["MutualAuthentication"] = mutual_authentication(mutual)?;
    } else if protocol == "HTTPS" && document.get("MutualAuthentication").is_none() {
        document["MutualAuthentication"] = json!({ "Mode": "off" });
    }
    if let Value::Object(document) = document {
        let kept = |name: &str| {
            (name != "AlpnPolicy" || protocol == "TLS") && (name != "MutualAuthentication" || protocol == "HTTPS")
        };
        document.retain(|name, _| kept(name));
    }
    Ok(())
}

/// MutualAuthenticationAttributes: with `verify` there is a trust store, and AWS fills in the rest.
fn mutual_authentication(asked: &Value) -> Answer {
    let mode = one_of(asked, "Mode", &["off", "passthrough", "verify"])?.unwrap_or("off");
    if mode != "verify" {
        return match text(asked, "TrustStoreArn") {
            Some(_) => Err(invalid(format!("A trust store cannot be specified in mode '{mode}'"))),
            None => Ok(json!({ "Mode": mode })),
        };
    }
    let store = text(asked, "TrustStoreArn").ok_or_else(|| invalid("A trust store ARN must be specified"))?;
    let ignored = crate::sim::world::input::flag(asked, "IgnoreClientCertificateExpiry").unwrap_or(false);
    let advertised = one_of(asked, "AdvertiseTrustStoreCaNames", &["on", "off"])?.unwrap_or("off");
    Ok(json!({
        "Mode": mode, "TrustStoreArn": store, "IgnoreClientCertificateExpiry": ignored,
        "AdvertiseTrustStoreCaNames": advertised,
    }))
}

/// "You must specify either a load balancer or one or more listeners."
fn describe(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let arns: Vec<_> = texts(asked, "ListenerArns").collect();
    let found: Vec<&Listener> = match (text(asked, "LoadBalancerArn"), arns.is_empty()) {
        (Some(_), false) => {
            return Err(invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time"));
        }
        (None, true) => return Err(invalid("You must specify either listener ARNs or a load balancer ARN")),
        (Some(balancer), true) => {
            elb.balancer(balancer)?;
            elb.listeners_of(balancer).map(|(_, listener)| listener).collect()
        }
        (None, false) => arns.into_iter().map(|arn| elb.listener(arn)).collect::<Result<_, _>>()?,
    };
    page("Listeners", found.into_iter().map(|listener| with_actions(elb, listener)).collect(), asked)
}

fn with_actions(elb: &Elbv2, listener: &Listener) -> Value {
    let default = elb.default_rule(text(&listener.document, "ListenerArn").unwrap_or_default());
    shown(&listener.document, default.map_or(&[], |rule| &rule.actions))
}

/// "Any properties that you do not specify remain unchanged. Changing the protocol from HTTPS to HTTP, or from TLS to TCP,
/// removes the security policy and default certificate properties. If you change the protocol from HTTP to HTTPS, or from
/// TCP to TLS, you must add the security policy and default certificate properties."
fn modify(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let arn = required(asked, "ListenerArn")?;
    let mut listener = elb.listener(arn)?.clone();
    let (balancer_arn, before) = (listener.balancer().to_owned(), listener.protocol().to_owned());
    endpoint(&mut listener.document, asked, elb.balancer(&balancer_arn)?.kind())?;
    let port = &listener.document["Port"];
    let taken = |(other, document): (&String, &Listener)| *other != *arn && document.document["Port"] == *port;
    let clash = elb.listeners_of(&balancer_arn).any(taken);
    if clash {
        let message = "A listener already exists on this port for this load balancer";
        return Err(Refusal::new("DuplicateListener", message));
    }
    let turned = certificates::secure(listener.protocol()) && !certificates::secure(&before);
    if turned && text(asked, "SslPolicy").is_none() {
        return Err(invalid(format!("A security policy must be specified for {} listeners", listener.protocol())));
    }
    certificates::settle(world, &mut listener.document, asked)?;
    protocol_settings(&mut listener.document, asked)?;
    if !certificates::secure(listener.protocol()) {
        listener.certificates.clear();
    }
    if listener.protocol() != before {
        let mut new = attributes::of_listener(listener.protocol());
        for (key, value) in listener.attributes {
            new.entry(key).and_modify(|now| *now = value);
        }
        listener.attributes = new;
    }
    let mut rule = elb.default_rule(arn).cloned();
    if let Some(rule) = rule.as_mut().filter(|_| !list(asked, "DefaultActions").is_empty()) {
        rule.actions = actions::take(elb, &rules::place(elb, &listener), list(asked, "DefaultActions"), &rule.actions)?;
    }
    world.elbv2.listeners.insert(arn.to_owned(), listener.clone());
    if let Some(rule) = rule {
        rules::put(world, rule);
    }
    Ok(json!({ "Listeners": [with_actions(&world.elbv2, &listener)] }))
}

fn delete(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "ListenerArn")?;
    world.elbv2.listener(arn)?;
    remove(world, arn);
    Ok(json!({}))
}

/// Takes a listener away with all its rules.
pub(super) fn remove(world: &mut World, arn: &str) {
    let below: Vec<_> = world.elbv2.rules_below(arn).map(|rule| rule.arn.clone()).collect();
    below.iter().for_each(|rule| rules::remove(world, rule));
    world.elbv2.listeners.remove(arn);
    world.elbv2.tags.remove(arn);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, forward, not_found};
    use super::*;

    #[test]
    fn what_a_listener_has_comes_and_goes_with_its_protocol() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let plain = lab.listener(&balancer, 80);
        let certificate = json!([{ "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1" }]);
        let before = lab.ok("DescribeListeners", json!({ "ListenerArns": [plain] }))["Listeners"][0].clone();
        let modify = |changes: Value| {
            let mut asked = changes;
            asked["ListenerArn"] = json!(plain);
            asked
        };
        let policy = "ELBSecurityPolicy-TLS13-1-2-2021-06";
        for (asked, expected) in [
            (json!({ "Protocol": "HTTPS", "Certificates": certificate }), "ValidationError"),
            (json!({ "Protocol": "HTTPS", "SslPolicy": policy }), "ValidationError"),
            (json!({ "Certificates": certificate }), "ValidationError"),
            (json!({ "Protocol": "TCP" }), "ValidationError"),
            (json!({ "Protocol": "HTTPS", "SslPolicy": "none", "Certificates": certificate }), "SSLPolicyNotFound"),
            (json!({ "Protocol": "HTTPS", "SslPolicy": policy, "Certificates": certificate }), "ok"),
        ] {
            assert_eq!(lab.code("ModifyListener", modify(asked.clone())), expected, "{asked}");
        }
        let secure = lab.ok("DescribeListeners", json!({ "LoadBalancerArn": balancer }))["Listeners"][0].clone();
        assert_eq!((&secure["Certificates"], &secure["SslPolicy"]), (&certificate, &json!(policy)));
        assert_eq!(secure["MutualAuthentication"], json!({ "Mode": "off" }));
        let attributes = lab.ok("DescribeListenerAttributes", modify(json!({})));
        assert!(list(&attributes, "Attributes").len() > 11, "those of HTTPS as well");
        lab.ok("ModifyListener", modify(json!({ "Protocol": "HTTP" })));
        assert_eq!(lab.ok("DescribeListeners", json!({ "ListenerArns": [plain] }))["Listeners"][0], before);
    }

    #[test]
    fn a_port_has_one_listener() {
        let mut lab = Lab::new();
        let (balancer, network, gateway) =
            (lab.balancer("application"), lab.balancer("network"), lab.balancer("gateway"));
        let (first, web, stream) = (lab.listener(&balancer, 80), lab.group("HTTP"), lab.group("TCP"));
        let second = lab.listener(&balancer, 81);
        let create = |balancer: &str, protocol: &str, port: &str, action: Value| json!({ "LoadBalancerArn": balancer, "Protocol": protocol, "Port": port, "DefaultActions": [action] });
        for (operation, asked, expected) in [
            ("CreateListener", create(&balancer, "HTTP", "80", not_found()), "ok"),
            ("CreateListener", create(&balancer, "HTTP", "80", forward(&web)), "DuplicateListener"),
            ("ModifyListener", json!({ "ListenerArn": second, "Port": "80" }), "DuplicateListener"),
            ("CreateListener", create(&balancer, "HTTP", "65536", not_found()), "ValidationError"),
            ("CreateListener", create(&balancer, "", "82", not_found()), "ValidationError"),
            ("CreateListener", create(&network, "TCP", "80", not_found()), "InvalidConfigurationRequest"),
            ("CreateListener", create(&network, "TCP", "80", forward(&web)), "IncompatibleProtocols"),
            ("CreateListener", create(&gateway, "TCP", "80", forward(&web)), "ValidationError"),
            ("CreateListener", create(&network, "TCP", "80", forward(&stream)), "ok"),
            ("DescribeListeners", json!({}), "ValidationError"),
            ("DescribeListeners", json!({ "ListenerArns": [first, format!("{first}0")] }), "ListenerNotFound"),
            ("DescribeListeners", json!({ "LoadBalancerArn": format!("{balancer}0") }), "LoadBalancerNotFound"),
        ] {
            assert_eq!(lab.code(operation, asked.clone()), expected, "{operation} {asked}");
        }
        assert_eq!(lab.world.elbv2.listeners_of(&balancer).count(), 2, "the same again is the same listener");
        let shown = lab.ok("DescribeListeners", json!({ "LoadBalancerArn": network }));
        let config = json!({ "TargetGroups": [{ "TargetGroupArn": stream }] });
        assert_eq!(shown["Listeners"][0]["DefaultActions"][0]["ForwardConfig"], config);
        lab.ok("DeleteListener", json!({ "ListenerArn": first }));
        assert_eq!(lab.code("DeleteListener", json!({ "ListenerArn": first })), "ListenerNotFound");
        assert_eq!(lab.world.elbv2.rules_below(&first).count(), 0);
    }
}
