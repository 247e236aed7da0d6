//! Cloud Map services: the name under which a service is found inside its VPC.

use super::settle::{self, against, complete, fields, immutable};
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::id::{Kind, ResourceId};
use crate::core::normal::{Literal, Row, Rule, Table, digest, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Hold, Look, Planner};
use crate::core::shape::Shape;
use serde_json::{Value, json};
use std::sync::LazyLock;

const fn within(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Within(literal) }
}

/// What Cloud Map fills in (Cloud Map API reference: DnsConfig, HealthCheckConfig, HealthCheckCustomConfig).
pub const ROWS: &[Row] = &[
    within("DnsConfig.RoutingPolicy", Literal::Text("MULTIVALUE")),
    within("HealthCheckConfig.FailureThreshold", Literal::Int(1)),
    within("HealthCheckCustomConfig.FailureThreshold", Literal::Int(1)),
    Row { path: "HealthCheckCustomConfig", rule: Rule::Presence },
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

/// Identity, and what is compared elsewhere. `Type` is `DNS_HTTP` wherever there are records, and `DnsConfig.NamespaceId`
/// repeats the namespace.
const NOT_COMPARED: &[&str] = &["Name", "NamespaceId", "CreatorRequestId", "Tags", "Type"];

/// The one form of a Cloud Map service in CreateService's names.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut normal = normalise(&settle::without(document, NOT_COMPARED), shape, &TABLE);
    if let Some(Value::Object(dns)) = normal.get_mut("DnsConfig") {
        dns.remove("NamespaceId");
    }
    // "If you don't specify a value for ResourcePath, the default value is /" (HealthCheckConfig); a TCP check has none.
    if let Some(Value::Object(check)) = normal.get_mut("HealthCheckConfig")
        && check.get("Type") != Some(&json!("TCP"))
    {
        check.entry("ResourcePath").or_insert(json!("/"));
    }
    normal
}

/// Plans the Cloud Map services that a file declares.
pub fn plan(planner: &mut Planner<'_>) {
    for resource in planner.declared.of(Kind::DiscoveryService) {
        one(planner, resource);
    }
}

fn one(planner: &mut Planner<'_>, resource: &Resource) {
    let Some(input) = complete(planner, resource) else { return };
    match planner.look(&resource.id) {
        Look::Later => {}
        Look::Absent if !settle::may_create(planner, Section::Discovery, resource) => {}
        Look::Absent => create(planner, resource, input),
        Look::Present(live) => update(planner, resource, &input.document, &live),
    }
}

fn create(planner: &mut Planner<'_>, resource: &Resource, mut input: Input) {
    let (namespace, _) = resource.id.name.rsplit_once('/').unwrap_or_default();
    let id = ResourceId::new(Kind::Namespace, namespace);
    let namespace = match planner.look(&id) {
        Look::Present(live) => live.document.get("Id").cloned().unwrap_or_default(),
        Look::Absent => {
            planner.hold(Hold::Missing { id, named_by: resource.path.to_string() });
            return;
        }
        Look::Later => return,
    };
    let scope = &planner.inputs.desired.environment.scope;
    // The same declaration has the same token (CreateService, CreatorRequestId: at most 64 characters).
    let token: String =
        digest(&json!([scope.account.as_str(), &*resource.id.name, input.document])).chars().take(32).collect();
    settle::owned(planner, &mut input.document);
    if let Value::Object(map) = &mut input.document {
        map.insert("NamespaceId".into(), namespace);
        map.insert("CreatorRequestId".into(), token.into());
    }
    let against = against(planner, &resource.id);
    let action = Action { call: Call::CreateDiscoveryService, target: resource.id.clone(), input };
    planner.make(action, Effect::NoRestart, against);
}

fn update(planner: &mut Planner<'_>, resource: &Resource, written: &Value, live: &Live) {
    planner.exists(&resource.id, live);
    let shape = planner.inputs.shapes.discovery_service;
    let declared = settle::without(written, NOT_COMPARED);
    let mut declared = declared;
    if let Some(Value::Object(dns)) = declared.get_mut("DnsConfig") {
        dns.remove("NamespaceId");
    }
    let (desired, now) = (comparable(written, shape), comparable(&live.document, shape));
    let found = settle::compare(planner, &resource.path, shape, &declared, &desired, &now);
    if !found.is_empty() {
        // UpdateService changes description, TTLs and health check values.
        let kinds = |document: &Value| -> Vec<Value> {
            let records = document.pointer("/DnsConfig/DnsRecords").and_then(Value::as_array);
            records.into_iter().flatten().filter_map(|record| record.get("Type").cloned()).collect()
        };
        // Where git leaves it out it is as it is.
        let routed = declared.pointer("/DnsConfig/RoutingPolicy").is_some();
        let routing = |document: &Value| document.pointer("/DnsConfig/RoutingPolicy").filter(|_| routed).cloned();
        let mut fixed = fields(&resource.path, &found);
        let same_records = kinds(&desired) == kinds(&now) && routing(&desired) == routing(&now);
        fixed.retain(|field| match *field {
            "Description" => false,
            "DnsConfig" => !same_records,
            "HealthCheckConfig" => desired.get("HealthCheckConfig").is_none() != now.get("HealthCheckConfig").is_none(),
            _ => true,
        });
        if !immutable(planner, &resource.id, &fixed.clone(), &fixed) && planner.may_write(Section::Discovery) {
            let document =
                json!({ "Id": live.document.get("Id"), "Service": service_change(planner, resource, &declared, &now) });
            settle::update(planner, Call::UpdateDiscoveryService, &resource.id, document, Vec::new());
        }
    }
    settle::tag(planner, Section::Discovery, &resource.path, &resource.id, live.arn.as_ref(), written);
}

/// All of it: "if you omit any existing DnsRecords or HealthCheckConfig, they are deleted" (UpdateService).
fn service_change(planner: &Planner<'_>, resource: &Resource, declared: &Value, live: &Value) -> Value {
    let shape = planner.inputs.shapes.discovery_service;
    let whole = settle::over(planner, &resource.path, shape, live, declared);
    let mut change = settle::only(&whole, &["Description", "HealthCheckConfig"]);
    if let Some(records) = whole.pointer("/DnsConfig/DnsRecords") {
        change.insert("DnsConfig".into(), json!({ "DnsRecords": records }));
    }
    Value::Object(change)
}
