//! Scaling policies: step, target tracking and predictive. PutScalingPolicy replaces all of one.

use super::scalable_target::TARGET;
use super::settle::{self, complete};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Resource, Section};
use crate::core::diff::change;
use crate::core::id::{Kind, ResourceId};
use crate::core::normal::{Literal, Row, Rule, Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Look, Planner};
use crate::core::shape::Shape;
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};

const fn within(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Within(literal) }
}

/// What AWS fills in (Application Auto Scaling API reference: StepScalingPolicyConfiguration,
/// TargetTrackingScalingPolicyConfiguration and the types named; for ECS a cooldown is 300 seconds).
pub const ROWS: &[Row] = &[
    within("StepScalingPolicyConfiguration.Cooldown", Literal::Int(300)),
    within("StepScalingPolicyConfiguration.MetricAggregationType", Literal::Text("Average")),
    within("StepScalingPolicyConfiguration.MinAdjustmentMagnitude", Literal::Int(0)),
    within("TargetTrackingScalingPolicyConfiguration.ScaleInCooldown", Literal::Int(300)),
    within("TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown", Literal::Int(300)),
    within("TargetTrackingScalingPolicyConfiguration.DisableScaleIn", Literal::Bool(false)),
    within(
        "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics.ReturnData",
        Literal::Bool(true),
    ),
    within("PredictiveScalingPolicyConfiguration.Mode", Literal::Text("ForecastOnly")),
    within("PredictiveScalingPolicyConfiguration.SchedulingBufferTime", Literal::Int(300)),
    within("PredictiveScalingPolicyConfiguration.MaxCapacityBreachBehavior", Literal::Text("HonorMaxCapacity")),
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

/// The one form of a policy in PutScalingPolicy's names.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut document = settle::without(&settle::without(document, TARGET), &["PolicyName"]);
    if let Value::Object(map) = &mut document
        && !map.contains_key("PolicyType")
        && let Some((_, kind)) = TYPES.iter().find(|(configuration, _)| map.contains_key(*configuration))
    {
        map.insert("PolicyType".into(), Value::from(*kind));
    }
    normalise(&document, shape, &TABLE)
}

/// Which configuration a type has (PutScalingPolicy, PolicyType).
const TYPES: &[(&str, &str)] = &[
    ("StepScalingPolicyConfiguration", "StepScaling"),
    ("TargetTrackingScalingPolicyConfiguration", "TargetTrackingScaling"),
    ("PredictiveScalingPolicyConfiguration", "PredictiveScaling"),
];

/// Plans the policies that a service declares.
pub fn plan(planner: &mut Planner<'_>) {
    if !planner.declared.is_scaled() {
        return;
    }
    let all = ResourceId::new(Kind::ScalingPolicies, planner.declared.name.as_str());
    let live = match planner.look(&all) {
        Look::Present(live) => live.members().to_vec(),
        Look::Absent => Vec::new(),
        Look::Later => return,
    };
    let name = |live: &Live| live.document.get("PolicyName").and_then(Value::as_str).unwrap_or_default().to_owned();
    for resource in planner.declared.of(Kind::ScalingPolicy) {
        let is_it = |live: &&Arc<Live>| *resource.id.name == *format!("{}/{}", planner.declared.name, name(live));
        let found = live.iter().find(is_it);
        one(planner, &all, resource, found.map(|live| &**live));
    }
    for theirs in &live {
        let id = ResourceId::new(Kind::ScalingPolicy, format!("{}/{}", planner.declared.name, name(theirs)));
        if planner.declared.resource(&id).is_none() {
            let path = crate::core::diff::Path::section("scaling").field("policies").key(name(theirs));
            planner.not_in_git(change(path, Some("a scaling policy"), None));
        }
    }
}

fn one(planner: &mut Planner<'_>, all: &ResourceId, resource: &Resource, live: Option<&Live>) {
    let Some(input) = complete(planner, resource) else { return };
    let written = input.document;
    let Some(live) = live else {
        if !settle::may_create(planner, Section::Scaling, resource) {
            return;
        }
        let against = settle::against(planner, all);
        let action = Action::new(Call::PutScalingPolicy, resource.id.clone(), written);
        planner.make(action, Effect::NoRestart, against);
        return;
    };
    planner.exists(&resource.id, live);
    let shape = planner.inputs.shapes.scaling_policy;
    let (desired, mut now) = (comparable(&written, shape), comparable(&live.document, shape));
    let others: Vec<&str> =
        TYPES.iter().map(|(configuration, _)| *configuration).filter(|c| written.get(*c).is_none()).collect();
    if desired.get("PolicyType") != now.get("PolicyType") {
        // What it was before goes with the type.
        now = settle::without(&now, &others);
    }
    let declared = settle::without(&settle::without(&written, TARGET), &["PolicyName"]);
    let found = settle::compare(planner, &resource.path, shape, &declared, &desired, &now);
    if found.is_empty() || !planner.may_write(Section::Scaling) {
        return;
    }
    // All of it is replaced: what git leaves out of a configuration stays as it is. Another type is another policy.
    let mut base = Map::new();
    for (configuration, _) in TYPES {
        if let (Some(ours), Some(theirs)) = (written.get(configuration), live.document.get(configuration)) {
            base.insert((*configuration).to_owned(), without_other_metric(theirs, ours));
        }
    }
    let document = settle::over(planner, &resource.path, shape, &Value::Object(base), &written);
    let against = settle::against(planner, all);
    let action = Action::new(Call::PutScalingPolicy, resource.id.clone(), document);
    planner.step(action, Effect::NoRestart, against);
}

/// The live configuration as far as git's can be laid over it. A predefined metric and a customized one exclude each other.
fn without_other_metric(live: &Value, written: &Value) -> Value {
    const METRICS: [&str; 2] = ["PredefinedMetricSpecification", "CustomizedMetricSpecification"];
    let names_one = METRICS.iter().any(|metric| written.get(metric).is_some());
    if names_one { settle::without(live, &METRICS) } else { live.clone() }
}
