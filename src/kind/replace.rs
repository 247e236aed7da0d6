//! A target group with another port, protocol or VPC is a new group beside the old one, brought in without a gap.
//!
//! ```text
//! create NAME-digest -> rule: old 1, new 0 -> service: both groups -> rollout -> rule: new -> service: new -> rollout
//!                                                             -> nothing uses the old one -> it is deleted, if it is ours
//! ```
//!
//! ECS refuses a group that no load balancer uses (CreateService, loadBalancers), and a group without healthy targets
//! answers 503: so the new one is attached with weight 0, and gets traffic only when all tasks are registered in both.
//! Nothing of where it stands is remembered: each step is seen in what AWS answers.

use super::settle::{self, against};
use super::target_group::{IMMUTABLE, comparable, live_document};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::Resource;
use crate::core::document::{Entry, Node, Part, Tree};
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::normal::digest;
use crate::core::observed::{Facts, Live};
use crate::core::plan::{Hold, Look, Moving, Note, Planner};
use crate::core::rollout::{Rollout, rollout};
use crate::core::shape::lower_first;
use serde_json::Value;
use std::sync::Arc;

/// Which group is the declared one.
pub(super) enum Standing {
    /// It is there, under this or a derived name.
    Present(Arc<Live>),
    /// It is to be made under this name.
    Absent {
        /// The name.
        name: String,
    },
    /// Not known yet, or it cannot be.
    Later,
}

/// Finds the declared group: by its name or, where that one has other immutable settings, by the name derived from them.
pub(super) fn standing(planner: &mut Planner<'_>, resource: &Resource, written: &Value) -> Standing {
    let shape = planner.inputs.shapes.target_group;
    let desired = comparable(written, shape);
    let differing = |live: &Live| -> Vec<String> {
        let now = comparable(&live_document(&live.document), shape);
        let declared = IMMUTABLE.iter().filter(|field| written.get(**field).is_some());
        declared.filter(|field| desired.get(**field) != now.get(**field)).map(|field| lower_first(field)).collect()
    };
    let name = derived(&resource.id.name, written);
    let derived = ResourceId::new(Kind::TargetGroup, name.as_str());
    let plain = planner.look(&resource.id);
    let fields = match plain {
        Look::Later => return Standing::Later,
        Look::Present(live) => match differing(&live) {
            same if same.is_empty() => return Standing::Present(live),
            fields => fields,
        },
        Look::Absent => Vec::new(),
    };
    match planner.look(&derived) {
        Look::Later => Standing::Later,
        Look::Present(live) if differing(&live).is_empty() => {
            planner.names.insert(resource.id.clone(), name);
            moving(planner, resource, Some(&live), fields);
            Standing::Present(live)
        }
        Look::Absent | Look::Present(_) if fields.is_empty() => Standing::Absent { name: resource.id.name.to_string() },
        Look::Absent if planner.declared.name.is_shared() || is_shifted(planner) => {
            // Who uses a shared group is not known here, and in a blue/green service the two groups change places.
            planner.hold(Hold::Immutable { id: resource.id.clone(), fields });
            Standing::Later
        }
        Look::Absent => {
            planner.names.insert(resource.id.clone(), name.clone());
            moving(planner, resource, None, fields);
            Standing::Absent { name }
        }
        Look::Present(_) => {
            planner.hold(Hold::Immutable { id: derived, fields });
            Standing::Later
        }
    }
}

/// The thing that is read for a declared group.
pub(super) fn read_id(planner: &Planner<'_>, resource: &Resource) -> ResourceId {
    let name = planner.names.get(&resource.id).cloned().unwrap_or_else(|| resource.id.name.to_string());
    ResourceId::new(Kind::TargetGroup, name)
}

/// At most 32 letters, digits and hyphens, and not a hyphen at the end (CreateTargetGroup, Name).
fn derived(name: &str, written: &Value) -> String {
    let fixed = Value::Object(settle::only(written, IMMUTABLE));
    let digest: String = digest(&fixed).chars().take(6).collect();
    let kept: String = name.chars().take(25).collect();
    format!("{}-{digest}", kept.trim_end_matches('-'))
}

/// Whether ECS shifts traffic between two groups of this service.
fn is_shifted(planner: &Planner<'_>) -> bool {
    let balancers = planner.workload().and_then(|workload| workload.service.get("loadBalancers"));
    balancers.map(Node::items).unwrap_or_default().iter().any(|item| item.get("advancedConfiguration").is_some())
}

/// Notes where the replacement stands, as the live service shows it.
fn moving(planner: &mut Planner<'_>, resource: &Resource, new: Option<&Live>, fields: Vec<String>) {
    let service = match planner.look(&planner.service_resource()) {
        Look::Present(live) => live,
        Look::Absent | Look::Later => return,
    };
    let Facts::Service(facts) = &service.facts else { return };
    let registered: Vec<Arn> = registered(&service.document);
    let new_arn = new.and_then(|live| live.arn.clone());
    let is_old = |arn: &&Arn| Some(*arn) != new_arn.as_ref() && is_of(arn, &resource.id.name);
    let Some(old) = registered.iter().find(is_old).cloned() else { return };
    let in_both = new_arn.is_some_and(|new| registered.contains(&new));
    let steady = rollout(facts, None) == Rollout::Completed;
    let attaching = !(in_both && steady);
    let phase = match (in_both, steady) {
        (false, _) => "the new group is attached beside the old one, and tasks are registered in both",
        (true, false) => "tasks are being registered in both groups",
        (true, true) => "traffic goes to the new group, and tasks leave the old one",
    };
    if !fields.is_empty() {
        planner.note(Note::Replacing { id: resource.id.clone(), fields, phase });
    }
    if in_both && !steady {
        planner.hold(Hold::Replacing { id: resource.id.clone() });
    }
    planner.moving.insert(resource.id.clone(), Moving { old, attaching });
}

/// The target groups of a live service.
fn registered(service: &Value) -> Vec<Arn> {
    let balancers = service.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    balancers.filter_map(|balancer| balancer.get("targetGroupArn")?.as_str().map(Arn::from)).collect()
}

/// All that a live service names, those of its other colour as well.
fn named(service: &Value) -> Vec<Arn> {
    let balancers = service.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let others = balancers.filter_map(|b| b.pointer("/advancedConfiguration/alternateTargetGroupArn")?.as_str());
    registered(service).into_iter().chain(others.map(Arn::from)).collect()
}

/// Whether an ARN is of the group of this name, or of one derived from it:
/// `arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID`.
fn is_of(arn: &Arn, name: &str) -> bool {
    let Some(found) = arn.as_str().split('/').nth(1) else { return false };
    let kept: String = name.chars().take(25).collect();
    let derived = found.strip_prefix(kept.trim_end_matches('-')).and_then(|rest| rest.strip_prefix('-'));
    found == name || derived.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The service's or the rule's document with the old group beside the new one where a replacement is under way.
pub(super) fn beside(planner: &Planner<'_>, node: &Node) -> Node {
    if planner.moving.is_empty() {
        return node.clone();
    }
    let tree = match &node.tree {
        Tree::List(items) => Tree::List(items.iter().flat_map(|item| doubled(planner, item)).collect()),
        Tree::Map(entries) => Tree::Map(
            entries.iter().map(|entry| Entry { node: beside(planner, &entry.node), ..entry.clone() }).collect(),
        ),
        other => other.clone(),
    };
    Node { tree, place: node.place.clone() }
}

/// One element of a list: a load balancer of the service, a forward action, or one of its groups.
fn doubled(planner: &Planner<'_>, item: &Node) -> Vec<Node> {
    let key = ["targetGroupArn", "TargetGroupArn"].into_iter().find(|key| item.get(key).is_some());
    let moving = key.and_then(|key| referred(item.get(key)?)).and_then(|id| planner.moving.get(&id));
    let (Some(key), Some(Moving { old, attaching: true })) = (key, moving) else { return vec![beside(planner, item)] };
    let with = |arn: Node, weight: Option<i64>| {
        let mut copy = item.clone();
        copy.set(key, arn);
        if let Some(weight) = weight {
            copy.set("Weight", Node::of_value(&weight.into(), &item.place));
        }
        copy
    };
    let old = Node::text(old.as_str(), &item.place);
    let new = item.get(key).cloned().unwrap_or_else(|| old.clone());
    if item.get("containerPort").is_some() || item.get("containerName").is_some() {
        return vec![with(new, None), with(old, None)];
    }
    if item.get("Type").is_none() {
        // One of several groups of a forward action: the old one keeps the weight.
        return vec![with(new, Some(0)), with(old, None)];
    }
    let mut action = item.clone();
    action.take(key);
    let tuple = |arn: Node, weight: i64| {
        let mut tuple = Node::empty_map(&item.place);
        tuple.set("TargetGroupArn", arn);
        tuple.set("Weight", Node::of_value(&weight.into(), &item.place));
        tuple
    };
    let mut config = Node::empty_map(&item.place);
    let groups = Tree::List(vec![tuple(old, 1), tuple(new, 0)]);
    config.set("TargetGroups", Node { tree: groups, place: item.place.clone() });
    action.set("ForwardConfig", config);
    vec![action]
}

/// The target group that a value refers to.
fn referred(node: &Node) -> Option<ResourceId> {
    match &node.tree {
        Tree::Template(parts) => match parts.as_slice() {
            [Part::Arn(id)] if id.kind == Kind::TargetGroup => Some(id.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Deletes the old group of a replacement that is at its end: nothing uses it, and its tags, read for this plan, say that
/// this environment made it.
pub fn clear(planner: &mut Planner<'_>) {
    let replaced: Vec<&Resource> = planner
        .declared
        .of(Kind::TargetGroup)
        .filter(|resource| planner.names.contains_key(&resource.id) && !planner.moving.contains_key(&resource.id))
        .collect();
    for resource in replaced {
        let Look::Present(old) = planner.look(&resource.id) else { continue };
        let used = old.document.get("LoadBalancerArns").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let facts = planner.inputs.snapshot.service(&planner.declared.name);
        let steady = facts.is_none_or(|facts| rollout(facts, None) == Rollout::Completed);
        // The other colour of a service need not have a load balancer for the moment.
        let live = planner.inputs.snapshot.live(&planner.service_resource());
        let named = |arn: &Arn| live.is_some_and(|live| named(&live.document).contains(arn));
        let Some(arn) = old.arn.clone().filter(|arn| !used && steady && !named(arn)) else { continue };
        let Some(tags) = planner.tags_of(&arn) else { continue };
        if !planner.is_ours(&tags) {
            let why = "it was replaced, nothing uses it any more, and driftless did not make it".to_owned();
            planner.note(Note::Foreign { what: resource.id.to_string(), why });
            continue;
        }
        let document = serde_json::json!({ "TargetGroupArn": arn.as_str() });
        let against = against(planner, &resource.id);
        planner.step(Action::new(Call::DeleteTargetGroup, resource.id.clone(), document), Effect::NoRestart, against);
    }
}
