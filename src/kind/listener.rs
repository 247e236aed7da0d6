//! Load balancers: their attributes, and their listeners with certificates and attributes. The load balancer itself is
//! made elsewhere.

use super::settle::{self, against, complete, fields, late_in};
use super::shift::{self, Shift};
use super::{attributes, forward, replace};
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::diff::change;
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::normal::{Literal, Row, Rule, Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Hold, Look, Note, Output, Planner};
use crate::core::shape::Shape;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What AWS fills in (ELBv2 API reference, CreateListener; recorded answers of DescribeListeners).
pub const ROWS: &[Row] = &[Row { path: "MutualAuthentication.Mode", rule: Rule::Within(Literal::Text("off")) }];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

/// Identity, and what is compared elsewhere.
const NOT_COMPARED: &[&str] = &["LoadBalancerArn", "Tags"];

/// The one form of a listener in CreateListener's names. Of its certificates the default one, without its mark.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut document = settle::without(document, NOT_COMPARED);
    if let Value::Object(map) = &mut document {
        let secure = matches!(map.get("Protocol").and_then(Value::as_str), Some("HTTPS" | "TLS"));
        if secure {
            map.entry("SslPolicy").or_insert(json!("ELBSecurityPolicy-2016-08"));
        }
        if map.get("Protocol") == Some(&json!("HTTPS")) {
            map.entry("MutualAuthentication").or_insert_with(|| json!({ "Mode": "off" }));
        }
        if let Some(Value::Array(certificates)) = map.get_mut("Certificates") {
            certificates.truncate(1);
            certificates.iter_mut().filter_map(Value::as_object_mut).for_each(|certificate| {
                certificate.remove("IsDefault");
            });
        }
    }
    forward::actions(&mut document, "DefaultActions");
    let mut normal = normalise(&document, shape, &TABLE);
    forward::actions(&mut normal, "DefaultActions");
    normal
}

/// Plans the load balancers that environment.yaml declares.
pub fn plan(planner: &mut Planner<'_>) {
    for resource in planner.declared.of(Kind::LoadBalancer) {
        match planner.look(&resource.id) {
            Look::Present(live) => planner.exists(&resource.id, &live),
            Look::Absent => {
                planner.hold(Hold::Missing { id: resource.id.clone(), named_by: resource.path.to_string() });
                continue;
            }
            Look::Later => continue,
        }
        attributes::plan(planner, resource, &BALANCER);
    }
    for resource in planner.declared.of(Kind::Listener) {
        let (balancer, _) = resource.id.name.rsplit_once(':').unwrap_or_default();
        if planner.outputs.contains_key(&ResourceId::new(Kind::LoadBalancer, balancer)) {
            one(planner, resource);
        }
    }
}

const BALANCER: attributes::Spec = attributes::Spec {
    section: Section::LoadBalancers,
    kind: Kind::LoadBalancerAttributes,
    call: Call::ModifyLoadBalancerAttributes,
    arn: "LoadBalancerArn",
    default: |_| None,
};

const LISTENER: attributes::Spec = attributes::Spec {
    section: Section::LoadBalancers,
    kind: Kind::ListenerAttributes,
    call: Call::ModifyListenerAttributes,
    arn: "ListenerArn",
    default: |_| None,
};

fn one(planner: &mut Planner<'_>, resource: &Resource) {
    let live = match planner.look(&resource.id) {
        Look::Later => return,
        Look::Absent => None,
        Look::Present(live) => Some(live),
    };
    let shifted = match &live {
        Some(live) => shift::shift(planner, &resource.id, &resource.input, live),
        None => Some(None),
    };
    let Some(shifted) = shifted else { return };
    let input = match shifted {
        Some(_) => complete(planner, resource),
        None => staged(planner, resource, live.as_deref()),
    };
    let Some(input) = input else { return };
    let certificates = additional(&input.document);
    match live {
        None if !settle::may_create(planner, Section::LoadBalancers, resource) => return,
        None => create(planner, resource, input),
        Some(live) => update(planner, resource, input, &live, shifted),
    }
    add_certificates(planner, resource, &certificates);
    attributes::plan(planner, resource, &LISTENER);
}

/// The listener's input, in which a group whose tasks are not there yet waits behind what is live.
fn staged(planner: &mut Planner<'_>, resource: &Resource, live: Option<&Live>) -> Option<Input> {
    let (input, waiting) = replace::staged(planner, &resource.input, FORWARDS, live)?;
    for group in waiting {
        planner.note(Note::Staged { id: resource.id.clone(), group });
    }
    complete(planner, &Resource { input, ..resource.clone() })
}

/// The field with the default rule's actions.
const FORWARDS: &str = "DefaultActions";

/// The certificates behind the first one, which is the default.
fn additional(document: &Value) -> Vec<String> {
    let all = document.get("Certificates").and_then(Value::as_array).into_iter().flatten().skip(1);
    all.filter_map(|certificate| certificate.get("CertificateArn")?.as_str().map(str::to_owned)).collect()
}

fn default_only(document: &mut Value) {
    if let Some(Value::Array(certificates)) = document.get_mut("Certificates") {
        certificates.truncate(1);
    }
}

fn create(planner: &mut Planner<'_>, resource: &Resource, mut input: Input) {
    settle::owned(planner, &mut input.document);
    default_only(&mut input.document);
    let against = against(planner, &resource.id);
    planner.make(Action { call: Call::CreateListener, target: resource.id.clone(), input }, Effect::NoRestart, against);
}

fn update(planner: &mut Planner<'_>, resource: &Resource, input: Input, live: &Live, shifted: Option<Shift>) {
    planner.exists(&resource.id, live);
    let shape = planner.inputs.shapes.listener;
    let Input { document: mut written, mut late } = input;
    default_only(&mut written);
    let (mut desired, mut now) = (comparable(&written, shape), comparable(&live.document, shape));
    let left =
        shifted.as_ref().map(|shift| shift.leave(FORWARDS, &mut written, &mut desired, &mut now, &live.document));
    if left == Some(true) {
        late = shift::without_late_groups(late, FORWARDS);
    }
    let mut declared = desired.clone();
    if let Value::Object(declared) = &mut declared {
        declared.retain(|field, _| written.get(field).is_some());
    }
    let found = settle::compare(planner, &resource.path, shape, &declared, &desired, &now);
    let mut found = fields(&resource.path, &found);
    if left == Some(false) && found.contains(&FORWARDS) {
        Shift::elsewhere(planner, &resource.id);
        found.retain(|field| *field != FORWARDS);
    }
    let waits = !found.is_empty() && shifted.is_some_and(|shift| shift.is_moving(planner));
    if !found.is_empty() && !waits && planner.may_write(Section::LoadBalancers) {
        if found.contains(&"Protocol") {
            // "If you change the protocol from HTTP to HTTPS, you must add a certificate and a policy" (ModifyListener).
            found.extend(["SslPolicy", "Certificates"]);
            found.dedup();
        }
        let mut document = settle::sent(&written, &desired, &found);
        if found.contains(&"AlpnPolicy") {
            // Only a policy takes a policy away (ModifyListener, AlpnPolicy).
            document.entry("AlpnPolicy").or_insert(json!(["None"]));
        }
        document.insert("ListenerArn".into(), json!(live.arn.as_ref().map(Arn::as_str)));
        let late = late_in(&late, &found);
        let mut document = Value::Object(document);
        forward::keep_client_secrets(&mut document, FORWARDS);
        settle::update(planner, Call::ModifyListener, &resource.id, document, late);
    }
    settle::tag(planner, Section::LoadBalancers, &resource.path, &resource.id, live.arn.as_ref(), &written);
}

/// Certificates for SNI are added; those that others have added to a shared listener stay.
fn add_certificates(planner: &mut Planner<'_>, resource: &Resource, declared: &[String]) {
    if declared.is_empty() {
        return;
    }
    let id = ResourceId::new(Kind::ListenerCertificates, resource.id.name.clone());
    let (arn, live) = match planner.outputs.get(&resource.id).cloned() {
        Some(Output::Known(arn)) => match planner.look(&id) {
            Look::Present(live) => (Some(arn), certificates(&live)),
            Look::Absent => (Some(arn), BTreeSet::new()),
            Look::Later => return,
        },
        Some(Output::Made(_)) => (None, BTreeSet::new()),
        None => return,
    };
    let path = resource.path.field("Certificates");
    let missing: Vec<&String> = declared.iter().filter(|certificate| !live.contains(*certificate)).collect();
    planner.plan.same += declared.len() - missing.len();
    for theirs in live.iter().filter(|certificate| !declared.contains(certificate)) {
        planner.not_in_git(change(path.key(theirs.as_str()), Some(theirs), None));
    }
    let changes = missing.iter().map(|certificate| change(path.key(certificate.as_str()), None, Some(certificate)));
    let kept = match arn {
        Some(_) => !planner.change(changes.collect(), |_| Effect::NoRestart).is_empty(),
        None => !missing.is_empty(),
    };
    if !kept || !planner.may_write(Section::LoadBalancers) {
        return;
    }
    let late = match &arn {
        Some(_) => Vec::new(),
        None => vec![("/ListenerArn".to_owned(), resource.id.clone())],
    };
    // "You can specify one certificate per call" (AddListenerCertificates, Certificates).
    for certificate in missing {
        let against = arn.as_ref().and_then(|_| against(planner, &id));
        let added = json!([{ "CertificateArn": certificate }]);
        let document = json!({ "ListenerArn": arn.as_ref().map(Arn::as_str), "Certificates": added });
        let input = Input { document, late: late.clone() };
        let name = format!("{} {}", resource.id.name, Arn::from(certificate.as_str()).short());
        let target = ResourceId::new(Kind::ListenerCertificates, name);
        let action = Action { call: Call::AddListenerCertificates, target, input };
        planner.step(action, Effect::NoRestart, against);
    }
}

fn certificates(live: &Live) -> BTreeSet<String> {
    let all = live.document.get("Certificates").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|certificate| certificate.get("CertificateArn")?.as_str().map(str::to_owned)).collect()
}
