//! Scheduled actions: at a time, another range for the scalable target.

use super::settle::{self, complete};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Resource, Section};
use crate::core::diff::{Path, change};
use crate::core::id::{Kind, ResourceId};
use crate::core::normal::{Literal, Row, Rule, Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Look, Planner};
use crate::core::shape::Shape;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// What AWS takes for the same (Application Auto Scaling API reference, PutScheduledAction): UTC where no time zone is
/// said, outer blanks of an expression, and one instant in every offset.
pub const ROWS: &[Row] = &[
    Row { path: "Timezone", rule: Rule::Always(Literal::Text("UTC")) },
    Row { path: "Schedule", rule: Rule::Spelling(trimmed) },
    Row { path: "StartTime", rule: Rule::Spelling(instant) },
    Row { path: "EndTime", rule: Rule::Spelling(instant) },
    // "Leave that bound" is not the same as any number.
    Row { path: "ScalableTargetAction", rule: Rule::Presence },
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

fn trimmed(value: &Value) -> Option<Value> {
    Some(value.as_str()?.trim().into())
}

fn instant(value: &Value) -> Option<Value> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.to_string().into())
}

const NOT_COMPARED: &[&str] = &["ServiceNamespace", "ResourceId", "ScalableDimension", "ScheduledActionName"];

/// The one form of a scheduled action in PutScheduledAction's names.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    normalise(&settle::without(document, NOT_COMPARED), shape, &TABLE)
}

/// Plans the scheduled actions that a service declares.
pub fn plan(planner: &mut Planner<'_>) {
    if !planner.declared.is_scaled() {
        return;
    }
    let all = ResourceId::new(Kind::ScheduledActions, planner.declared.name.as_str());
    let live = match planner.look(&all) {
        Look::Present(live) => live.members().to_vec(),
        Look::Absent => Vec::new(),
        Look::Later => return,
    };
    let name =
        |live: &Live| live.document.get("ScheduledActionName").and_then(Value::as_str).unwrap_or_default().to_owned();
    for resource in planner.declared.of(Kind::ScheduledAction) {
        let is_it = |live: &&Arc<Live>| *resource.id.name == *format!("{}/{}", planner.declared.name, name(live));
        let found = live.iter().find(is_it);
        one(planner, &all, resource, found.map(|live| &**live));
    }
    for theirs in &live {
        let id = ResourceId::new(Kind::ScheduledAction, format!("{}/{}", planner.declared.name, name(theirs)));
        if planner.declared.resource(&id).is_none() {
            let path = Path::section("scaling").field("schedules").key(name(theirs));
            planner.not_in_git(change(path, Some("a scheduled action"), None));
        }
    }
}

fn one(planner: &mut Planner<'_>, all: &ResourceId, resource: &Resource, live: Option<&Live>) {
    let Some(input) = complete(planner, resource) else { return };
    let mut written = input.document;
    let effect = Effect::NoRestart;
    if let Some(live) = live {
        planner.exists(&resource.id, live);
        let shape = planner.inputs.shapes.scheduled_action;
        let (desired, now) = (comparable(&written, shape), comparable(&live.document, shape));
        let declared = settle::without(&written, NOT_COMPARED);
        let found = settle::compare(planner, &resource.path, shape, &declared, &desired, &now);
        if found.is_empty() || !planner.may_write(Section::Scaling) {
            return;
        }
        // "If you don't specify a start or end time, it is deleted" (PutScheduledAction): all of it is sent.
        let kept = Value::Object(settle::only(
            &live.document,
            &["Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction"],
        ));
        written = settle::over(planner, &resource.path, shape, &kept, &written);
        // Of the action's bounds an absent one means "leave that bound": git's are all of them.
        if let (Value::Object(map), Some(action)) = (&mut written, declared.get("ScalableTargetAction")) {
            map.insert("ScalableTargetAction".into(), action.clone());
        }
    }
    if live.is_none() && !settle::may_create(planner, Section::Scaling, resource) {
        return;
    }
    let against = settle::against(planner, all);
    planner.step(Action::new(Call::PutScheduledAction, resource.id.clone(), written), effect, against);
}
