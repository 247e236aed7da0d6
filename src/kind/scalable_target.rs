//! The scalable target of a service: how few and how many tasks Application Auto Scaling may ask for.

use super::settle::{self, complete, fields};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Resource, Section};
use crate::core::diff::Change;
use crate::core::document::Node;
use crate::core::id::Kind;
use crate::core::normal::{Literal, Row, Rule, Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Hold, Look, Planner};
use crate::core::shape::Shape;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

const fn always(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Always(literal) }
}

/// What AWS fills in (Application Auto Scaling API reference, RegisterScalableTarget and SuspendedState).
pub const ROWS: &[Row] = &[
    always("SuspendedState.DynamicScalingInSuspended", Literal::Bool(false)),
    always("SuspendedState.DynamicScalingOutSuspended", Literal::Bool(false)),
    always("SuspendedState.ScheduledScalingSuspended", Literal::Bool(false)),
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

/// What every input of Application Auto Scaling says of the service.
pub(super) const TARGET: &[&str] = &["ServiceNamespace", "ResourceId", "ScalableDimension"];

/// The one form of a scalable target in RegisterScalableTarget's names. The role is the service-linked one whatever is
/// sent ("you don't have to specify this parameter", RegisterScalableTarget, RoleARN).
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut document = settle::without(document, TARGET);
    if let Value::Object(map) = &mut document {
        map.remove("Tags");
        map.remove("RoleARN");
    }
    normalise(&document, shape, &TABLE)
}

/// Plans the scalable target that a service declares.
pub fn plan(planner: &mut Planner<'_>) {
    for resource in planner.declared.of(Kind::ScalableTarget) {
        one(planner, resource);
    }
}

fn one(planner: &mut Planner<'_>, resource: &Resource) {
    let Some(input) = complete(planner, resource) else { return };
    match planner.look(&resource.id) {
        Look::Later => {}
        Look::Absent if !settle::may_create(planner, Section::Scaling, resource) => {}
        Look::Absent => {
            let mut document = input.document;
            let mut tags = crate::core::plan::declared_tags(&document);
            tags.extend(planner.owner_tags());
            if let Value::Object(map) = &mut document {
                map.insert("Tags".into(), json!(tags));
            }
            let against = settle::against(planner, &resource.id);
            let action = Action::new(Call::RegisterScalableTarget, resource.id.clone(), document);
            planner.make(action, Effect::NoRestart, against);
        }
        Look::Present(live) => update(planner, resource, &input.document, &live),
    }
}

fn update(planner: &mut Planner<'_>, resource: &Resource, written: &Value, live: &Live) {
    planner.exists(&resource.id, live);
    let shape = planner.inputs.shapes.scalable_target;
    let declared = settle::without(&settle::without(written, TARGET), &["Tags", "RoleARN"]);
    let now = comparable(&live.document, shape);
    let mut desired = comparable(written, shape);
    accept_scheduled(planner, &mut desired, &now);
    let found = settle::compare(planner, &resource.path, shape, &declared, &desired, &now);
    let mut found = fields(&resource.path, &found);
    let mut range = now.clone();
    if !found.is_empty() && planner.may_write(Section::Scaling) {
        // "Both are required if you register a new target", and a range that is sent by halves may be upside down.
        if found.contains(&"MinCapacity") || found.contains(&"MaxCapacity") {
            found.extend(["MinCapacity", "MaxCapacity"]);
        }
        // A value that a schedule holds is its own: it is sent as it is. Of a block all is sent.
        range = settle::laid_over(
            shape,
            &now,
            &settle::laid_over(shape, &declared, &Value::Object(settle::only(&desired, RANGE))),
        );
        let whole = match planner.declared.sync.strict {
            true => settle::laid_over(shape, &range, &desired),
            false => range.clone(),
        };
        let mut document: Map<String, Value> = settle::only(written, TARGET);
        document.extend(settle::only(&whole, &found));
        settle::update(planner, Call::RegisterScalableTarget, &resource.id, Value::Object(document), Vec::new());
    }
    out_of_range(planner, &range);
    settle::tag(planner, Section::Scaling, &resource.path, &resource.id, live.arn.as_ref(), written);
}

const RANGE: &[&str] = &["MinCapacity", "MaxCapacity"];

/// A scheduled action changes the range: what a declared one sets is not drift.
fn accept_scheduled(planner: &Planner<'_>, desired: &mut Value, live: &Value) {
    let Value::Object(desired) = desired else { return };
    for field in RANGE.iter().copied() {
        let set = planner
            .declared
            .of(Kind::ScheduledAction)
            .filter_map(|action| action.input.at(&format!("/ScalableTargetAction/{field}")).and_then(Node::as_integer));
        let set: BTreeSet<i64> = set.collect();
        if let Some(value) = live.get(field).filter(|value| value.as_i64().is_some_and(|value| set.contains(&value))) {
            desired.insert(field.to_owned(), value.clone());
        }
    }
}

/// The number of tasks is Application Auto Scaling's within the range. Outside of it somebody else has set it: that is
/// drift, and it is not written, since the autoscaler would fight for it.
fn out_of_range(planner: &mut Planner<'_>, range: &Value) {
    let Some(facts) = planner.inputs.snapshot.service(&planner.declared.name) else { return };
    let live = i64::from(facts.desired);
    let bound = |field: &str| range.get(field).and_then(Value::as_i64);
    let (Some(min), Some(max)) = (bound("MinCapacity"), bound("MaxCapacity")) else { return };
    if (min..=max).contains(&live) || facts.status != "ACTIVE" {
        return;
    }
    let path = crate::core::diff::Path::section("service").field("desiredCount");
    let allowed = format!("{min} to {max}");
    let change: Change = crate::core::diff::change(path, Some(&live.to_string()), Some(&allowed));
    if !planner.change(vec![change], |_| Effect::NoRestart).is_empty() && planner.plan.steps.is_empty() {
        planner.hold(Hold::CountOutOfRange { live, min, max });
    }
}
