//! Listener rules. Git's rules are found among the live ones by what they match, so that a rule that exists is adopted;
//! rules of others are shown where they touch ours, and never changed.

mod assign;

use self::assign::{Assigned, assign};
use super::settle::{self, complete, fields, late_in};
use super::{forward, replace, shift};
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::diff::change;
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::normal::{Table, normalise};
use crate::core::observed::Live;
use crate::core::plan::{Look, Note, Output, Planner};
use crate::core::shape::Shape;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Identity, and what is compared elsewhere.
const NOT_COMPARED: &[&str] = &["ListenerArn", "Priority", "Tags"];

/// The one form of a rule: conditions as sets in one spelling, actions in one spelling, without priority and tags.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut document = settle::without(document, NOT_COMPARED);
    forward::conditions(&mut document);
    forward::actions(&mut document, "Actions");
    let mut normal = normalise(&document, shape, &Table::default());
    // The spelling that was walked has every list in order but for the groups of an action, which are a set.
    forward::actions(&mut normal, "Actions");
    normal
}

/// Plans the rules that a file declares, listener by listener.
pub fn plan(planner: &mut Planner<'_>) {
    for listener in listeners(planner) {
        one_listener(planner, &listener);
    }
}

/// The listeners that a file declares rules for.
pub(super) fn listeners(planner: &Planner<'_>) -> BTreeSet<String> {
    planner.declared.of(Kind::ListenerRule).map(|rule| listener_of(rule).to_owned()).collect()
}

/// `LOAD-BALANCER:PORT`, or the listener's ARN.
fn listener_of(rule: &Resource) -> &str {
    rule.id.name.rsplit_once('/').map_or(&*rule.id.name, |(listener, _)| listener)
}

fn one_listener(planner: &mut Planner<'_>, listener: &str) {
    let rules = ResourceId::new(Kind::ListenerRules, listener);
    let live: Vec<Arc<Live>> = match planner.look(&rules) {
        Look::Present(live) => live.members().to_vec(),
        Look::Absent if planner.outputs.contains_key(&ResourceId::new(Kind::Listener, listener)) => Vec::new(),
        Look::Absent => {
            let id = ResourceId::new(Kind::Listener, listener);
            let path = planner.declared.of(Kind::ListenerRule).find(|rule| listener_of(rule) == listener);
            let named_by = path.map(|rule| rule.path.to_string()).unwrap_or_default();
            return planner.missing(&id, named_by);
        }
        Look::Later => return,
    };
    let Some(assigned) = assign(planner, listener, &live) else { return };
    set_priorities(planner, &rules, &assigned);
    for own in &assigned.own {
        match &own.live {
            Some(found) => update(planner, &rules, own.rule, found),
            None => create(planner, &rules, own.rule, own.priority),
        }
    }
    for (rule, why) in &assigned.foreign {
        let what = format!("rule {} of listener {listener}", priority_text(rule));
        planner.note(Note::Foreign { what, why: why.clone() });
    }
}

/// AWS's priority of a live rule.
fn priority_text(rule: &Live) -> &str {
    rule.document.get("Priority").and_then(Value::as_str).unwrap_or_default()
}

fn priority_of(rule: &Live) -> Option<i64> {
    priority_text(rule).parse().ok()
}

/// All priorities that change, in one call: they are applied at once, so that a swap meets no rule in its way.
fn set_priorities(planner: &mut Planner<'_>, rules: &ResourceId, assigned: &Assigned<'_>) {
    let mut wanted = Vec::new();
    for own in &assigned.own {
        let Some(live) = own.live.as_ref().filter(|live| priority_of(live) != Some(own.priority)) else { continue };
        let text = own.priority.to_string();
        let change = change(own.rule.path.field("Priority"), Some(priority_text(live)), Some(&text));
        wanted.extend(planner.change(vec![change], |_| Effect::NoRestart));
    }
    let pairs: Vec<Value> =
        assigned.pairs.iter().map(|(arn, priority)| json!({ "RuleArn": arn, "Priority": priority })).collect();
    if pairs.is_empty() || (wanted.is_empty() && assigned.own.iter().all(|own| own.live.is_some())) {
        return;
    }
    if planner.may_write(Section::Rules) {
        let document = json!({ "RulePriorities": pairs });
        settle::update(planner, Call::SetRulePriorities, rules, document, Vec::new());
    }
}

fn create(planner: &mut Planner<'_>, rules: &ResourceId, rule: &Resource, priority: i64) {
    if !settle::may_create(planner, Section::Rules, rule) {
        return;
    }
    let Some(mut input) = completed(planner, rule, None) else { return };
    settle::owned(planner, &mut input.document);
    if let Value::Object(map) = &mut input.document {
        map.insert("Priority".into(), json!(priority));
    }
    let against = settle::against(planner, rules);
    planner.make(Action { call: Call::CreateRule, target: rule.id.clone(), input }, Effect::NoRestart, against);
}

/// The rule's input, in which a group whose tasks are not there yet waits behind what is live.
fn completed(planner: &mut Planner<'_>, rule: &Resource, live: Option<&Live>) -> Option<Input> {
    let (input, waiting) = replace::staged(planner, &rule.input, "Actions", live)?;
    // A replacement says so itself.
    for group in waiting {
        let said = |note: &Note| matches!(note, Note::Replacing { id, .. } if *id == group);
        if !planner.plan.notes.iter().any(said) {
            planner.note(Note::Staged { id: rule.id.clone(), group });
        }
    }
    complete(planner, &Resource { input, ..rule.clone() })
}

fn update(planner: &mut Planner<'_>, rules: &ResourceId, rule: &Resource, live: &Arc<Live>) {
    planner.exists(&rule.id, live);
    let Some(shifted) = shift::shift(planner, &rule.id, &rule.input, live) else { return };
    let input = match &shifted {
        Some(_) => complete(planner, rule),
        None => completed(planner, rule, Some(live)),
    };
    let Some(Input { document: mut written, mut late }) = input else { return };
    let shape = planner.inputs.shapes.rule;
    let (mut desired, mut now) = (comparable(&written, shape), comparable(&live.document, shape));
    let left =
        shifted.as_ref().map(|shift| shift.leave("Actions", &mut written, &mut desired, &mut now, &live.document));
    if left == Some(true) {
        late = shift::without_late_groups(late, "Actions");
    }
    // Which spelling git uses does not matter: what is declared is what the one form of it holds.
    let mut declared = desired.clone();
    if let (Value::Object(declared), Some(none)) = (&mut declared, written.get("Transforms")) {
        declared.entry("Transforms").or_insert(none.clone());
    }
    let found = settle::compare(planner, &rule.path, shape, &declared, &desired, &now);
    let mut found = fields(&rule.path, &found);
    if left == Some(false) && found.contains(&"Actions") {
        shift::Shift::elsewhere(planner, &rule.id);
        found.retain(|field| *field != "Actions");
    }
    let waits = !found.is_empty() && shifted.is_some_and(|shift| shift.is_moving(planner));
    if !found.is_empty() && !waits && planner.may_write(Section::Rules) {
        modify(planner, rules, rule, live, &written, &late, &found);
    }
    settle::tag(planner, Section::Rules, &rule.path, &rule.id, live.arn.as_ref(), &written);
}

fn modify(
    planner: &mut Planner<'_>,
    rules: &ResourceId,
    rule: &Resource,
    live: &Live,
    written: &Value,
    late: &settle::Late,
    found: &[&str],
) {
    let mut document = settle::only(written, found);
    let none = document.get("Transforms").is_none_or(|all| all.as_array().is_some_and(Vec::is_empty));
    if found.contains(&"Transforms") && none {
        // "To remove all transforms, set this to true; you cannot specify both" (ModifyRule, ResetTransforms).
        document.remove("Transforms");
        document.insert("ResetTransforms".into(), json!(true));
    }
    document.insert("RuleArn".into(), json!(live.arn.as_ref().map(Arn::as_str)));
    let mut document = Value::Object(document);
    forward::keep_client_secrets(&mut document, "Actions");
    let input = Input { document, late: late_in(late, found) };
    let against = settle::against(planner, rules);
    planner.step(Action { call: Call::ModifyRule, target: rule.id.clone(), input }, Effect::NoRestart, against);
}

/// The ARNs of the target groups that this file declares, as far as they exist.
fn own_groups(planner: &Planner<'_>) -> BTreeMap<String, ResourceId> {
    let known = planner.declared.of(Kind::TargetGroup).filter_map(|group| match planner.outputs.get(&group.id)? {
        Output::Known(arn) => Some((arn.as_str().to_owned(), group.id.clone())),
        Output::Made(_) => None,
    });
    known.collect()
}
