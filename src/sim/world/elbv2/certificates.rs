//! The certificates and the security policy of a listener: AddListenerCertificates, RemoveListenerCertificates,
//! DescribeListenerCertificates.
//!
//! Sources: the API Reference (operations of these names, CreateListener, ModifyListener), "SSL certificates for your
//! Application Load Balancer" and "Security policies for your Application Load Balancer". There is no ACM here: every
//! certificate of this account and Region exists.

use super::{Listener, Refusal, invalid, page, required};
use crate::sim::world::input::{list, text};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

/// The policy of a listener that asks for none by the API.
const DEFAULT_POLICY: &str = "ELBSecurityPolicy-2016-08";
/// What the names of the policies go on with after `ELBSecurityPolicy-`.
const POLICIES: &[&str] = &[
    "2016-08",
    "TLS-1-1-2017-01",
    "TLS-1-2-2017-01",
    "TLS-1-2-Ext-2018-06",
    "FS-2018-06",
    "FS-1-1-2019-08",
    "FS-1-2-2019-08",
    "FS-1-2-Res-2019-08",
    "FS-1-2-Res-2020-10",
    "TLS13-1-0-2021-06",
    "TLS13-1-1-2021-06",
    "TLS13-1-2-2021-06",
    "TLS13-1-2-Res-2021-06",
    "TLS13-1-2-Ext1-2021-06",
    "TLS13-1-2-Ext2-2021-06",
    "TLS13-1-3-2021-06",
    "TLS13-1-0-PQ-2025-09",
    "TLS13-1-2-PQ-2025-09",
    "TLS13-1-2-Res-PQ-2025-09",
    "TLS13-1-2-Ext1-PQ-2025-09",
    "TLS13-1-2-Ext2-PQ-2025-09",
    "TLS13-1-3-PQ-2025-09",
];
/// "Quotas for your Application Load Balancers": certificates per load balancer, "not counting default certificates".
const CERTIFICATES: usize = 25;

/// Answers an operation on certificates.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "AddListenerCertificates" => add(world, asked),
        "RemoveListenerCertificates" => remove(world, asked),
        "DescribeListenerCertificates" => describe(world, asked),
        _ => return None,
    })
}

/// Whether a listener's protocol needs a certificate.
pub(super) fn secure(protocol: &str) -> bool {
    matches!(protocol, "HTTPS" | "TLS")
}

/// Default certificate and policy of a listener after CreateListener or ModifyListener. "You must provide exactly one
/// certificate. Set CertificateArn to the certificate ARN but do not set IsDefault."
pub(super) fn settle(world: &World, document: &mut Value, asked: &Value) -> Result<(), Refusal> {
    let protocol = text(document, "Protocol").unwrap_or_default().to_owned();
    let given = list(asked, "Certificates");
    if !secure(&protocol) {
        if !given.is_empty() {
            return Err(invalid(format!("A certificate cannot be specified for {protocol} listeners")));
        }
        if text(asked, "SslPolicy").is_some() {
            return Err(invalid(format!("An SSL policy cannot be specified for {protocol} listeners")));
        }
        if let Value::Object(document) = document {
            document.retain(|name, _| name != "Certificates" && name != "SslPolicy");
        }
        return Ok(());
    }
    if !given.is_empty() {
        document["Certificates"] = json!([{ "CertificateArn": only(world, given)? }]);
    } else if document.get("Certificates").is_none() {
        return Err(invalid(format!("A certificate must be specified for {protocol} listeners")));
    }
    let policy = text(asked, "SslPolicy").or_else(|| text(document, "SslPolicy")).unwrap_or(DEFAULT_POLICY);
    if !policy.strip_prefix("ELBSecurityPolicy-").is_some_and(|rest| POLICIES.contains(&rest)) {
        return Err(Refusal::new("SSLPolicyNotFound", format!("SSL policy '{policy}' not found")));
    }
    document["SslPolicy"] = json!(policy);
    Ok(())
}

/// The one certificate of a list that has to have one.
fn only<'v>(world: &World, given: &'v [Value]) -> Result<&'v str, Refusal> {
    let [certificate] = given else {
        let message = format!("Up to '1' certificate ARNs can be specified, but '{}' were specified", given.len());
        return Err(Refusal::new("TooManyCertificates", message));
    };
    let arn = required(certificate, "CertificateArn")?;
    if certificate.get("IsDefault").is_some() {
        return Err(invalid("IsDefault cannot be specified"));
    }
    if !arn.starts_with("arn:") {
        return Err(invalid(format!("Certificate ARN '{arn}' is not valid")));
    }
    let acm = world.arn("acm", "certificate/");
    let iam = format!("arn:aws:iam::{}:server-certificate/", world.account);
    let known = [acm, iam].iter().any(|prefix| arn.strip_prefix(&**prefix).is_some_and(|id| !id.is_empty()));
    if !known {
        return Err(Refusal::new("CertificateNotFound", format!("Certificate '{arn}' not found")));
    }
    Ok(arn)
}

fn secure_listener<'w>(world: &'w World, asked: &Value) -> Result<&'w Listener, Refusal> {
    let listener = world.elbv2.listener(required(asked, "ListenerArn")?)?;
    if !secure(listener.protocol()) {
        let protocol = listener.protocol();
        let message = format!("Certificates cannot be added to or removed from {protocol} listeners");
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    Ok(listener)
}

/// "If the certificate is already in the certificate list, the call is successful but the certificate is not added
/// again." The default one may be added as well, and is listed twice from then on.
fn add(world: &mut World, asked: &Value) -> Answer {
    let listener = secure_listener(world, asked)?;
    let arn = only(world, list(asked, "Certificates"))?.to_owned();
    let all: usize = world.elbv2.listeners_of(listener.balancer()).map(|(_, other)| other.certificates.len()).sum();
    if !listener.certificates.contains(&arn) && all >= CERTIFICATES {
        let message = "You've reached the limit on the number of certificates per load balancer.";
        return Err(Refusal::new("TooManyCertificates", message));
    }
    let answer = json!({ "Certificates": [{ "CertificateArn": arn, "IsDefault": false }] });
    if let Some(listener) = world.elbv2.listeners.get_mut(required(asked, "ListenerArn")?)
        && !listener.certificates.contains(&arn)
    {
        listener.certificates.push(arn);
    }
    Ok(answer)
}

/// The default certificate can only be replaced, by ModifyListener.
fn remove(world: &mut World, asked: &Value) -> Answer {
    let listener = secure_listener(world, asked)?;
    let arn = only(world, list(asked, "Certificates"))?.to_owned();
    let is_default = listener.document["Certificates"][0]["CertificateArn"] == *arn;
    if is_default && !listener.certificates.contains(&arn) {
        let message = "Default certificate cannot be removed from a listener";
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    if let Some(listener) = world.elbv2.listeners.get_mut(required(asked, "ListenerArn")?) {
        listener.certificates.retain(|certificate| *certificate != arn);
    }
    Ok(json!({}))
}

/// "If the default certificate is also in the certificate list, it appears twice in the results."
fn describe(world: &mut World, asked: &Value) -> Answer {
    let listener = world.elbv2.listener(required(asked, "ListenerArn")?)?;
    let default = list(&listener.document, "Certificates").iter().map(|known| (&known["CertificateArn"], true));
    let mut certificates: Vec<_> =
        default.map(|(arn, is_default)| json!({ "CertificateArn": arn, "IsDefault": is_default })).collect();
    let added = listener.certificates.iter();
    certificates.extend(added.map(|arn| json!({ "CertificateArn": arn, "IsDefault": false })));
    page("Certificates", certificates, asked)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, arn, not_found};
    use super::*;

    #[test]
    fn added_ones_stand_beside_the_default_one() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let certificates = |names: &[&str]| -> Value {
            let arn = |name: &&str| json!({ "CertificateArn": format!("arn:aws:acm:us-east-1:123456789012:certificate/{name}") });
            names.iter().map(arn).collect()
        };
        let mut asked = json!({ "LoadBalancerArn": balancer, "Protocol": "HTTPS", "Port": "443",
            "Certificates": certificates(&["a", "b"]), "DefaultActions": [not_found()] });
        assert_eq!(lab.code("CreateListener", asked.clone()), "TooManyCertificates");
        asked["Certificates"] = certificates(&["a"]);
        let secure = arn(&lab.ok("CreateListener", asked)["Listeners"][0], "ListenerArn");
        let plain = lab.listener(&balancer, 80);
        let foreign = json!([{ "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/a" }]);
        let on = |listener: &str, certificates: Value| json!({ "ListenerArn": listener, "Certificates": certificates });
        for (operation, asked, expected) in [
            ("AddListenerCertificates", on(&secure, certificates(&["b"])), "ok"),
            ("AddListenerCertificates", on(&secure, certificates(&["b"])), "ok"),
            ("AddListenerCertificates", on(&secure, certificates(&["c", "d"])), "TooManyCertificates"),
            ("AddListenerCertificates", on(&secure, foreign), "CertificateNotFound"),
            ("AddListenerCertificates", on(&plain, certificates(&["b"])), "OperationNotPermitted"),
            ("RemoveListenerCertificates", on(&secure, certificates(&["a"])), "OperationNotPermitted"),
            ("ModifyListener", on(&secure, certificates(&["b"])), "ok"),
        ] {
            assert_eq!(lab.code(operation, asked.clone()), expected, "{operation} {asked}");
        }
        let known = |lab: &mut Lab| {
            lab.ok("DescribeListenerCertificates", json!({ "ListenerArn": secure }))["Certificates"].clone()
        };
        let b = &certificates(&["b"])[0]["CertificateArn"];
        let default = json!({ "CertificateArn": b, "IsDefault": true });
        assert_eq!(known(&mut lab), json!([default, { "CertificateArn": b, "IsDefault": false }]));
        lab.ok("RemoveListenerCertificates", on(&secure, certificates(&["b"])));
        assert_eq!(known(&mut lab), json!([default]));
    }
}
