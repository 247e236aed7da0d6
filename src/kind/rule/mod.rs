//! Listener rules. Git's rules are found among the live ones by what they match, so that a rule that exists is adopted;
//! rules of others are shown where they touch ours, and never changed.

mod assign;

use self::assign::{Assigned, assign};
use super::settle::{self, complete, fields, late_in};
use super::{forward, replace};
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::diff::change;
use crate::core::document::{Node, Part, Tree};
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::normal::{Table, normalise};
use crate::core::observed::{Facts, Live};
use crate::core::plan::{Hold, Look, Note, Output, Planner};
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
    let listeners: BTreeSet<String> =
        planner.declared.of(Kind::ListenerRule).map(|rule| listener_of(rule).to_owned()).collect();
    for listener in listeners {
        one_listener(planner, &listener);
    }
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
    let Some(mut input) = completed(planner, rule) else { return };
    settle::owned(planner, &mut input.document);
    if let Value::Object(map) = &mut input.document {
        map.insert("Priority".into(), json!(priority));
    }
    let against = settle::against(planner, rules);
    planner.make(Action { call: Call::CreateRule, target: rule.id.clone(), input }, Effect::NoRestart, against);
}

/// The rule's input, with the old target group beside the new one while one is replaced.
fn completed(planner: &mut Planner<'_>, rule: &Resource) -> Option<Input> {
    let with_old = Resource { input: replace::beside(planner, &rule.input), ..rule.clone() };
    complete(planner, &with_old)
}

fn update(planner: &mut Planner<'_>, rules: &ResourceId, rule: &Resource, live: &Arc<Live>) {
    planner.exists(&rule.id, live);
    let Some(Input { document: mut written, late }) = completed(planner, rule) else { return };
    let shape = planner.inputs.shapes.rule;
    let (mut desired, mut now) = (comparable(&written, shape), comparable(&live.document, shape));
    let shifted = is_shifted(planner, &rule.id, live);
    if shifted {
        forward::without_weights(&mut desired, "Actions");
        forward::without_weights(&mut now, "Actions");
        keep_weights(&mut written, &live.document);
    }
    // Which spelling git uses does not matter: what is declared is what the one form of it holds.
    let mut declared = settle::without(&desired, &[]);
    if let (Value::Object(declared), Some(none)) = (&mut declared, written.get("Transforms")) {
        declared.entry("Transforms").or_insert(none.clone());
    }
    let found = settle::compare(planner, &rule.path, shape, &declared, &desired, &now);
    let found = fields(&rule.path, &found);
    if !found.is_empty() {
        let deployment = planner.inputs.snapshot.service(&planner.declared.name).filter(|facts| facts.is_rolling_out());
        if let (true, Some(facts)) = (shifted, deployment) {
            let deployment = facts.primary().map(|primary| primary.id.clone()).unwrap_or_default();
            planner.hold(Hold::RolloutInProgress { deployment });
        } else if planner.may_write(Section::Rules) {
            modify(planner, rules, rule, live, &written, &late, &found);
        }
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
    let transforms = document.get("Transforms").and_then(Value::as_array);
    if found.contains(&"Transforms") && transforms.is_none_or(Vec::is_empty) {
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

/// Whether ECS, or CodeDeploy, shifts traffic by this rule: its weights are not git's then.
fn is_shifted(planner: &Planner<'_>, id: &ResourceId, rule: &Live) -> bool {
    let Some(workload) = planner.workload() else { return false };
    let names = |node: &Node| match &node.tree {
        Tree::Template(parts) => parts.contains(&Part::Arn(id.clone())),
        Tree::Text(text) => rule.arn.as_ref().is_some_and(|arn| arn.as_str() == text),
        _ => false,
    };
    const FIELDS: [&str; 2] = ["productionListenerRule", "testListenerRule"];
    let balancers = workload.service.get("loadBalancers").map(Node::items).unwrap_or_default().iter();
    let declared = balancers.filter_map(|balancer| balancer.get("advancedConfiguration"));
    if declared.flat_map(|config| FIELDS.map(|field| config.get(field))).flatten().any(names) {
        return true;
    }
    let Some(live) = planner.inputs.snapshot.live(&planner.service_resource()) else { return false };
    if !matches!(&live.facts, Facts::Service(_)) {
        return false;
    }
    let arn = rule.arn.as_ref().map(Arn::as_str);
    let balancers = live.document.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let mut configs = balancers.filter_map(|balancer| balancer.get("advancedConfiguration"));
    let by_ecs = configs
        .any(|config| FIELDS.iter().any(|field| arn.is_some() && config.get(*field).and_then(Value::as_str) == arn));
    by_ecs || live.document.pointer("/deploymentController/type") == Some(&json!("CODE_DEPLOY"))
}

/// The live weights in the place of git's, for a rule by which traffic is shifted.
fn keep_weights(written: &mut Value, live: &Value) {
    let mut weights: BTreeMap<String, Value> = BTreeMap::new();
    each_group(&mut live.clone(), |arn, group| {
        weights.extend(group.get("Weight").map(|weight| (arn.to_owned(), weight.clone())));
    });
    each_group(written, |arn, group| {
        if let (Value::Object(group), Some(weight)) = (group, weights.get(arn)) {
            group.insert("Weight".into(), weight.clone());
        }
    });
}

fn each_group(document: &mut Value, mut with: impl FnMut(&str, &mut Value)) {
    let actions = document.get_mut("Actions").and_then(Value::as_array_mut).into_iter().flatten();
    for action in actions {
        let groups = action.pointer_mut("/ForwardConfig/TargetGroups").and_then(Value::as_array_mut);
        for group in groups.into_iter().flatten() {
            if let Some(arn) = group.get("TargetGroupArn").and_then(Value::as_str).map(str::to_owned) {
                with(&arn, group);
            }
        }
    }
}

/// The ARNs of the target groups that this file declares, as far as they exist.
fn own_groups(planner: &Planner<'_>) -> BTreeMap<String, ResourceId> {
    let known = planner.declared.of(Kind::TargetGroup).filter_map(|group| match planner.outputs.get(&group.id)? {
        Output::Known(arn) => Some((arn.as_str().to_owned(), group.id.clone())),
        Output::Made(_) => None,
    });
    known.collect()
}
