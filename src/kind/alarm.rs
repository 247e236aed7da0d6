//! The CloudWatch alarms that trigger step policies. Those of target tracking policies are Application Auto Scaling's own.

use super::settle::{self, complete};
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::id::Kind;
use crate::core::normal::{Literal, Row, Rule, Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Look, Planner};
use crate::core::shape::Shape;
use serde_json::Value;
use std::sync::LazyLock;

/// What CloudWatch fills in (PutMetricAlarm and MetricDataQuery; recorded answers of DescribeAlarms).
pub const ROWS: &[Row] = &[
    Row { path: "ActionsEnabled", rule: Rule::Always(Literal::Bool(true)) },
    Row { path: "TreatMissingData", rule: Rule::Always(Literal::Text("missing")) },
    Row { path: "Metrics.ReturnData", rule: Rule::Within(Literal::Bool(true)) },
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

const NOT_COMPARED: &[&str] = &["AlarmName", "Tags"];

/// The one form of an alarm in PutMetricAlarm's names.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut normal = normalise(&settle::without(document, NOT_COMPARED), shape, &TABLE);
    if let Value::Object(map) = &mut normal
        && let Some(periods) = map.get("EvaluationPeriods").cloned()
    {
        // "If you are setting an M out of N alarm, this value is the M": all N where it is left out.
        map.entry("DatapointsToAlarm").or_insert(periods);
    }
    normal
}

/// Plans the alarms of the policies that a service declares.
pub fn plan(planner: &mut Planner<'_>) {
    for resource in planner.declared.of(Kind::Alarm) {
        one(planner, resource);
    }
}

fn one(planner: &mut Planner<'_>, resource: &Resource) {
    let Some(mut input) = complete(planner, resource) else { return };
    match planner.look(&resource.id) {
        Look::Later => {}
        Look::Absent if !settle::may_create(planner, Section::Scaling, resource) => {}
        Look::Absent => {
            settle::owned(planner, &mut input.document);
            let against = settle::against(planner, &resource.id);
            let action = Action { call: Call::PutMetricAlarm, target: resource.id.clone(), input };
            planner.step(action, Effect::NoRestart, against);
        }
        Look::Present(live) => update(planner, resource, input, &live),
    }
}

fn update(planner: &mut Planner<'_>, resource: &Resource, input: Input, live: &Live) {
    let shape = planner.inputs.shapes.alarm;
    let Input { document: mut written, late } = input;
    keep_actions(&mut written, &live.document);
    let (desired, now) = (comparable(&written, shape), comparable(&live.document, shape));
    let declared = settle::without(&written, NOT_COMPARED);
    let found = settle::compare(planner, &resource.path, shape, &declared, &desired, &now);
    if !found.is_empty() && planner.may_write(Section::Scaling) {
        // "When you update an existing alarm, the update completely overwrites the previous configuration"
        // (PutMetricAlarm), and of several ways to say what is watched only git's may be left.
        let mut base = live.document.clone();
        if let Value::Object(map) = &mut base {
            let others = |field: &str| OTHER_METRICS.contains(&field) && written.get(field).is_none();
            map.retain(|name, _| shape.field(name).is_some() && !others(name));
        }
        let document = settle::without(&settle::over(planner, &resource.path, shape, &base, &written), &["Tags"]);
        settle::update(planner, Call::PutMetricAlarm, &resource.id, document, late);
    }
    settle::tag(planner, Section::Scaling, &resource.path, &resource.id, live.arn.as_ref(), &written);
}

/// What is watched: of these only those that git names are sent.
const OTHER_METRICS: [&str; 8] = [
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Metrics",
    "Unit",
    "EvaluationCriteria",
];

/// Actions that somebody added beside the policy's, as a notification, stay.
fn keep_actions(written: &mut Value, live: &Value) {
    let theirs = live.get("AlarmActions").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(ours) = written.get_mut("AlarmActions").and_then(Value::as_array_mut) else { return };
    // A scaling policy that is not git's is not kept: the alarm would move the count twice.
    let others = theirs
        .into_iter()
        .filter(|theirs| !ours.contains(theirs) && !theirs.as_str().is_some_and(|arn| arn.contains(":scalingPolicy:")));
    let others: Vec<Value> = others.collect();
    ours.extend(others);
}
