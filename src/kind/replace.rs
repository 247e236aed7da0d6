//! A target group with another port or protocol is a new group beside the old one, and a service goes from one group to
//! another without a gap.
//!
//! ```text
//! create NAME-digest -> rules: old as it was, new 0 -> service: both groups -> rollout -> rules: new
//!     -> nothing forwards to the old one -> service: new -> rollout -> the old one is deleted, if it is ours
//! ```
//!
//! ECS refuses a group that no load balancer uses (CreateService, loadBalancers), and a group without healthy targets
//! answers 503: so the new one is attached with weight 0, and gets traffic only when all tasks are registered in both.
//! Nothing of where it stands is remembered: each step is seen in what AWS answers.

use super::settle::{self, against};
use super::target_group::{IMMUTABLE, comparable, live_document};
use super::{forward, shift};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Declared, Resource};
use crate::core::document::{Entry, Node, Part, Tree};
use crate::core::id::{Arn, Kind, ResourceId, ServiceName};
use crate::core::normal::digest;
use crate::core::observed::{Facts, Live};
use crate::core::plan::{Hold, Look, Moving, Note, Output, Planner, SERVICE_TAG, owner};
use crate::core::rollout::{Rollout, rollout};
use crate::core::shape::lower_first;
use serde_json::Value;
use std::collections::BTreeMap;
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
    let found = match planner.look(&resource.id) {
        Look::Later => return Standing::Later,
        Look::Present(live) => Some((differing(planner, written, &live), live)),
        Look::Absent => None,
    };
    let (name, chosen, fields) = match found {
        Some((same, live)) if same.is_empty() => (resource.id.name.to_string(), Some(live), same),
        found => {
            let name = derived(&resource.id.name, written);
            let id = ResourceId::new(Kind::TargetGroup, name.as_str());
            match (planner.look(&id), found) {
                (Look::Later, _) => return Standing::Later,
                (Look::Present(live), found) => {
                    let differ = differing(planner, written, &live);
                    if !differ.is_empty() {
                        planner.hold(Hold::Immutable { id, fields: differ });
                        return Standing::Later;
                    }
                    (name, Some(live), found.map(|(fields, _)| fields).unwrap_or_default())
                }
                (Look::Absent, Some((fields, _))) => (name, None, fields),
                (Look::Absent, None) => (resource.id.name.to_string(), None, Vec::new()),
            }
        }
    };
    if *name != *resource.id.name {
        planner.names.insert(resource.id.clone(), name.clone());
    }
    match leaves(planner, resource, written, chosen.as_deref(), &fields) {
        Some(true) => match chosen {
            Some(live) => Standing::Present(live),
            None => Standing::Absent { name },
        },
        Some(false) | None => Standing::Later,
    }
}

/// The declared immutable fields that the group has otherwise.
fn differing(planner: &Planner<'_>, written: &Value, live: &Live) -> Vec<String> {
    let shape = planner.inputs.shapes.target_group;
    let (desired, now) = (comparable(written, shape), comparable(&live_document(&live.document), shape));
    let declared = IMMUTABLE.iter().filter(|field| written.get(**field).is_some());
    declared.filter(|field| desired.get(**field) != now.get(**field)).map(|field| lower_first(field)).collect()
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

/// The service leaves a group of the same name and other settings: whether it can, with a hold where it cannot, and a
/// note of where it stands. `None`: something must be read first.
fn leaves(
    planner: &mut Planner<'_>,
    resource: &Resource,
    written: &Value,
    chosen: Option<&Live>,
    fields: &[String],
) -> Option<bool> {
    let new = chosen.and_then(|live| live.arn.as_ref());
    let service = live_service(planner, &planner.declared.name)?;
    let groups = service.as_deref().map(registered).unwrap_or_default();
    let mut fields = fields.to_vec();
    let mut old = None;
    for (arn, _) in groups.iter().filter(|(arn, _)| Some(arn) != new && is_of(arn, &resource.id.name)) {
        // Where nothing forwards to it, it can be left at once.
        if let Some(live) = by_arn(planner, arn)?.filter(|live| is_attached(live)) {
            fields = differing(planner, written, &live);
            old = Some(arn);
        }
    }
    // Nobody has to leave anything: the group is there as it is to be, or it is the first one of its name.
    if fields.is_empty() || (old.is_none() && new.is_some() && !planner.declared.name.is_shared()) {
        return Some(true);
    }
    if !can_be_replaced(planner, resource, service.as_deref(), old.is_some(), &fields) {
        planner.hold(Hold::Immutable { id: resource.id.clone(), fields });
        return Some(false);
    }
    let steady = service.as_deref().is_none_or(is_steady);
    let in_both = new.is_some_and(|new| groups.iter().any(|(arn, _)| arn == new));
    planner.under_way |= old.is_some();
    planner.begun |= old.is_some() && in_both;
    let phase = match (old, in_both, steady) {
        (None, _, _) => "the group of this name is left as it is, and a new one is made beside it",
        (Some(_), false, _) => "the new group is attached beside the old one, and tasks are registered in both",
        (Some(_), true, false) => "tasks are being registered in both groups; traffic still goes to the old one",
        (Some(_), true, true) => {
            "traffic goes to the new group; tasks leave the old one when no rule or listener forwards to it any more"
        }
    };
    planner.note(Note::Replacing { id: resource.id.clone(), fields, phase });
    Some(true)
}

/// Whether a second group can take over without a gap: tasks can be in both, all that forwards to it is in this file, and
/// nobody else shifts traffic between groups.
fn can_be_replaced(
    planner: &Planner<'_>,
    resource: &Resource,
    service: Option<&Live>,
    registered: bool,
    fields: &[String],
) -> bool {
    let Some(workload) = planner.workload() else { return false };
    // Tasks have addresses of one kind in one VPC: they cannot be registered in both.
    let impossible = |field: &String| matches!(field.as_str(), "targetType" | "vpcId");
    if (registered && fields.iter().any(impossible)) || !moves_groups(planner.declared, service) {
        return false;
    }
    let balancers = workload.service.get("loadBalancers");
    let rules = planner.declared.of(Kind::ListenerRule);
    let used = balancers.is_some_and(|node| refers(node, &resource.id))
        && rules.into_iter().any(|rule| refers(&rule.input, &resource.id));
    used && !is_used_elsewhere(planner, &resource.id)
}

/// Whether another file names the group.
fn is_used_elsewhere(planner: &Planner<'_>, id: &ResourceId) -> bool {
    let others = planner.inputs.desired.services.values().filter(|other| other.name != planner.declared.name);
    others.into_iter().any(|other| {
        other.resources.iter().any(|resource| refers(&resource.input, id))
            || other.workload.as_ref().is_some_and(|workload| refers(&workload.service, id))
    })
}

/// Whether UpdateService changes the groups of the service, and nobody else does.
fn moves_groups(declared: &Declared, service: Option<&Live>) -> bool {
    let Some(workload) = &declared.workload else { return false };
    let by_ecs = service.is_none_or(|live| shift::controller(live) == "ECS");
    let balancers = workload.service.get("loadBalancers").map(Node::items).unwrap_or_default();
    by_ecs && !balancers.iter().any(|balancer| balancer.get("advancedConfiguration").is_some())
}

/// The live service, if it is there; `None` when it must be read first.
fn live_service(planner: &mut Planner<'_>, name: &ServiceName) -> Option<Option<Arc<Live>>> {
    if name.is_shared() {
        return Some(None);
    }
    match planner.look(&ResourceId::new(Kind::Service, name.as_str())) {
        Look::Present(live) => {
            let there = matches!(&live.facts, Facts::Service(facts) if facts.status == "ACTIVE");
            Some(Some(live).filter(|_| there))
        }
        Look::Absent => Some(None),
        Look::Later => None,
    }
}

fn is_steady(service: &Live) -> bool {
    matches!(&service.facts, Facts::Service(facts) if rollout(facts, None) == Rollout::Completed)
}

/// The target groups of a live service, each with the container that is registered in it.
fn registered(service: &Live) -> Vec<(Arn, String)> {
    let balancers = service.document.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let text = |balancer: &Value, field: &str| balancer.get(field).and_then(Value::as_str).map(str::to_owned);
    balancers
        .filter_map(|balancer| {
            let arn = Arn::from(text(balancer, "targetGroupArn")?.as_str());
            Some((arn, text(balancer, "containerName").unwrap_or_default()))
        })
        .collect()
}

/// `arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID`.
fn name_of(arn: &Arn) -> &str {
    arn.as_str().split('/').nth(1).unwrap_or_default()
}

/// Whether an ARN is of the group of this name, or of one derived from it.
fn is_of(arn: &Arn, name: &str) -> bool {
    let found = name_of(arn);
    let kept: String = name.chars().take(25).collect();
    let derived = found.strip_prefix(kept.trim_end_matches('-')).and_then(|rest| rest.strip_prefix('-'));
    found == name || derived.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Which group the service leaves for which: a group that git does not name for one that it does.
pub fn moves(planner: &mut Planner<'_>) {
    let Some(workload) = planner.workload() else { return };
    let Some(Some(service)) = live_service(planner, &planner.declared.name) else { return };
    if !moves_groups(planner.declared, Some(&service)) {
        return;
    }
    let mut declared: Vec<(ResourceId, Option<Arn>, String)> = Vec::new();
    for balancer in workload.service.get("loadBalancers").map(Node::items).unwrap_or_default() {
        let container = balancer.get("containerName").and_then(Node::as_text).unwrap_or_default().to_owned();
        let Some(id) = balancer.get("targetGroupArn").and_then(group) else { continue };
        let Some(arn) = arn_of(planner, &id) else { return };
        declared.push((id, arn, container));
    }
    let live = registered(&service);
    let named = |arn: &Arn| declared.iter().any(|(_, declared, _)| declared.as_ref() == Some(arn));
    let mut gone: Vec<&(Arn, String)> = live.iter().filter(|(arn, _)| !named(arn)).collect();
    for (id, arn, container) in &declared {
        let by_name = gone.iter().position(|(old, _)| is_of(old, &id.name));
        let Some(at) = by_name.or_else(|| gone.iter().position(|(_, other)| other == container)) else { continue };
        let (old, _) = gone.remove(at);
        let in_both = arn.as_ref().is_some_and(|arn| live.iter().any(|(live, _)| live == arn));
        planner.under_way |= by_name.is_some();
        planner.begun |= by_name.is_some() && in_both;
        let steady = is_steady(&service);
        let attaching = !(in_both && steady);
        let needed = match by_name {
            // What else forwards to it is not git's either, and does not know that it is replaced.
            Some(_) => match by_arn(planner, old) {
                Some(group) => group.is_some_and(|group| is_attached(&group)),
                None => return,
            },
            None => {
                let Some(group) = by_arn(planner, old) else { return };
                let same = group.is_some_and(|group| takes_the_same_tasks(planner, id, &group));
                same && attaching && own_listeners_forward_to(planner, old)
            }
        };
        if needed {
            if in_both && !steady {
                planner.hold(Hold::Replacing { id: id.clone() });
            }
            planner.moving.insert(id.clone(), Moving { old: old.clone() });
        }
    }
}

/// The group of this ARN, if it still exists; `None` when it must be read first.
fn by_arn(planner: &mut Planner<'_>, arn: &Arn) -> Option<Option<Arc<Live>>> {
    match planner.look(&ResourceId::new(Kind::TargetGroup, name_of(arn))) {
        Look::Present(live) => Some(Some(live).filter(|live| live.arn.as_ref() == Some(arn))),
        Look::Absent => Some(None),
        Look::Later => None,
    }
}

/// Whether a rule or a listener forwards to a group.
fn is_attached(group: &Live) -> bool {
    group.document.get("LoadBalancerArns").and_then(Value::as_array).is_some_and(|all| !all.is_empty())
}

/// Whether tasks can be registered in both groups: their targets are of one kind, in one VPC.
fn takes_the_same_tasks(planner: &Planner<'_>, id: &ResourceId, old: &Live) -> bool {
    let live = planner.names.get(id).map_or_else(|| id.clone(), |name| ResourceId::new(Kind::TargetGroup, &**name));
    let new = match (planner.inputs.snapshot.live(&live), planner.declared.resource(id)) {
        (Some(live), _) => live.document.clone(),
        (None, Some(declared)) => declared.input.to_value(),
        (None, None) => return false,
    };
    let text = |group: &Value, field: &str| group.get(field).and_then(Value::as_str).map(str::to_owned);
    let kind = |group: &Value| text(group, "TargetType").unwrap_or_else(|| "instance".to_owned());
    let vpc = text(&new, "VpcId").is_none_or(|vpc| text(&old.document, "VpcId").is_none_or(|old| old == vpc));
    vpc && kind(&new) == kind(&old.document)
}

/// Whether a rule of a listener that this file has rules for sends traffic to the group.
fn own_listeners_forward_to(planner: &mut Planner<'_>, arn: &Arn) -> bool {
    let mut found = false;
    for listener in super::rule::listeners(planner) {
        let Look::Present(live) = planner.look(&ResourceId::new(Kind::ListenerRules, listener)) else { continue };
        let sends = |rule: &Arc<Live>| forward::weights(&rule.document, "Actions").get(arn.as_str()) > Some(&0);
        found |= live.members().iter().any(sends);
    }
    found
}

/// The ARN of a group that git names, if it exists; `None` when it must be read first.
fn arn_of(planner: &mut Planner<'_>, id: &ResourceId) -> Option<Option<Arn>> {
    match planner.outputs.get(id) {
        Some(Output::Known(arn)) => Some(Some(arn.clone())),
        Some(Output::Made(_)) => Some(None),
        None => match planner.look(id) {
            Look::Present(live) => Some(live.arn.clone()),
            Look::Absent => Some(None),
            Look::Later => None,
        },
    }
}

/// The service's document with the group that it leaves beside the one it goes to.
pub(super) fn beside(planner: &Planner<'_>, service: &Node) -> Node {
    let mut service = service.clone();
    if let Some(balancers) = service.get("loadBalancers").filter(|_| !planner.moving.is_empty()) {
        let both = balancers.items().iter().flat_map(|item| {
            let moving = item.get("targetGroupArn").and_then(group).and_then(|id| planner.moving.get(&id));
            let old = moving.map(|Moving { old }| {
                let mut copy = item.clone();
                copy.set("targetGroupArn", Node::text(old.as_str(), &item.place));
                copy
            });
            [Some(item.clone()), old].into_iter().flatten()
        });
        let both = Node { tree: Tree::List(both.collect()), place: balancers.place.clone() };
        service.set("loadBalancers", both);
    }
    service
}

/// The input of a rule or a listener in which a group whose tasks are not there yet has no weight, as long as something
/// else takes the traffic: what `live` forwards to now or, where there is nothing yet, the group that is left.
/// Gives the groups that wait as well; `None` when something must be read first.
pub(super) fn staged(
    planner: &mut Planner<'_>,
    input: &Node,
    field: &str,
    live: Option<&Live>,
) -> Option<(Node, Vec<ResourceId>)> {
    let mut input = input.clone();
    let mut waiting = Vec::new();
    let Some(list) = input.get(field).cloned() else { return Some((input, waiting)) };
    let mut actions = Vec::new();
    for action in list.items() {
        match one_staged(planner, action, field, live)? {
            Some((action, groups)) => {
                actions.push(action);
                waiting.extend(groups);
            }
            None => actions.push(action.clone()),
        }
    }
    if !waiting.is_empty() {
        input.set(field, Node { tree: Tree::List(actions), place: list.place.clone() });
    }
    Some((input, waiting))
}

/// The staged action with the groups that wait; the inner `None` when nothing has to wait.
type Staged = Option<(Node, Vec<ResourceId>)>;

fn one_staged(planner: &mut Planner<'_>, action: &Node, field: &str, live: Option<&Live>) -> Option<Staged> {
    let tuples = match action.get("ForwardConfig").and_then(|config| config.get("TargetGroups")) {
        Some(tuples) => tuples.items().to_vec(),
        None if action.get("TargetGroupArn").is_some() => vec![action.clone()],
        None => return Some(None),
    };
    let (mut groups, mut waiting, mut named) = (Vec::new(), Vec::new(), Vec::new());
    for tuple in &tuples {
        let Some(arn) = tuple.get("TargetGroupArn") else { continue };
        let mut weight = tuple.get("Weight").and_then(Node::as_integer).unwrap_or(1);
        match group(arn) {
            Some(id) => {
                let known = arn_of(planner, &id)?;
                if weight > 0 && !is_served(planner, &id, known.as_ref())? {
                    weight = 0;
                    waiting.push(id);
                }
                named.extend(known);
            }
            None => named.extend(arn.as_text().map(Arn::from)),
        }
        groups.push((arn.clone(), weight));
    }
    let now: BTreeMap<String, i64> = match live {
        Some(live) => forward::weights(&live.document, field),
        None => {
            waiting.iter().filter_map(|id| planner.moving.get(id)).map(|m| (m.old.as_str().to_owned(), 1)).collect()
        }
    };
    let leaving = now.iter().filter(|(arn, weight)| **weight > 0 && !named.iter().any(|named| named.as_str() == *arn));
    let before = groups.len();
    groups.extend(leaving.map(|(arn, weight)| (Node::text(arn.as_str(), &action.place), *weight)));
    if waiting.is_empty() || groups.len() == before {
        // It waited, and does not any more.
        let waited = groups.iter().take(before).any(|(arn, weight)| {
            let arn = match group(arn) {
                Some(id) => planner.known(&id).map(|arn| arn.as_str().to_owned()),
                None => arn.as_text().map(str::to_owned),
            };
            *weight > 0 && arn.is_some_and(|arn| now.get(&arn) == Some(&0))
        });
        let goes_over = waited && groups.len() > before;
        planner.under_way |= goes_over;
        planner.begun |= goes_over;
        return Some(None);
    }
    let tuple = |(arn, weight): &(Node, i64)| {
        let mut tuple = Node::empty_map(&action.place);
        tuple.set("TargetGroupArn", arn.clone());
        tuple.set("Weight", Node::of_value(&(*weight).into(), &action.place));
        tuple
    };
    let mut staged = action.clone();
    staged.take("TargetGroupArn");
    let mut config = action.get("ForwardConfig").cloned().unwrap_or_else(|| Node::empty_map(&action.place));
    let tuples = Tree::List(groups.iter().map(tuple).collect());
    config.set("TargetGroups", Node { tree: tuples, place: action.place.clone() });
    staged.set("ForwardConfig", config);
    Some(Some((staged, waiting)))
}

/// Whether the tasks that git puts behind a group are there. `None` when that must be read first.
fn is_served(planner: &mut Planner<'_>, id: &ResourceId, arn: Option<&Arn>) -> Option<bool> {
    let services = planner.inputs.desired.services.values();
    let users: Vec<Arc<Declared>> = services
        .filter(|declared| {
            let balancers = declared.workload.as_ref().and_then(|workload| workload.service.get("loadBalancers"));
            balancers.is_some_and(|node| refers(node, id))
        })
        .cloned()
        .collect();
    for user in users {
        let service = live_service(planner, &user.name)?;
        // Elsewhere traffic is shifted by others, and not by us.
        if !moves_groups(&user, service.as_deref()) {
            continue;
        }
        let there = service.is_some_and(|service| {
            is_steady(&service) && registered(&service).iter().any(|(registered, _)| Some(registered) == arn)
        });
        if !there {
            return Some(false);
        }
    }
    Some(true)
}

/// The target group that a value refers to.
fn group(node: &Node) -> Option<ResourceId> {
    match &node.tree {
        Tree::Template(parts) => match parts.as_slice() {
            [Part::Arn(id)] if id.kind == Kind::TargetGroup => Some(id.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether any value in the document refers to the thing.
pub(super) fn refers(node: &Node, id: &ResourceId) -> bool {
    match &node.tree {
        Tree::List(items) => items.iter().any(|item| refers(item, id)),
        Tree::Map(entries) => entries.iter().any(|Entry { node, .. }| refers(node, id)),
        Tree::Template(parts) => parts.contains(&Part::Arn(id.clone())),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => false,
    }
}

/// Deletes the old group of a replacement that is at its end: nothing uses it, and its tags, read for this plan, say that
/// it was made from this file.
pub fn clear(planner: &mut Planner<'_>) {
    let replaced: Vec<&Resource> = planner
        .declared
        .of(Kind::TargetGroup)
        .filter(|resource| planner.names.contains_key(&resource.id) && !planner.moving.contains_key(&resource.id))
        .collect();
    for resource in replaced {
        let Look::Present(old) = planner.look(&resource.id) else { continue };
        let Some(arn) = old.arn.clone().filter(|_| !is_attached(&old)) else { continue };
        let Some(service) = live_service(planner, &planner.declared.name) else { continue };
        // The new one has taken over, and no task is in the old one.
        let new = match planner.outputs.get(&resource.id) {
            Some(Output::Known(new)) => new.clone(),
            Some(Output::Made(_)) | None => continue,
        };
        let over = service.is_some_and(|service| {
            let groups = registered(&service);
            let is_in = |wanted: &Arn| groups.iter().any(|(arn, _)| arn == wanted);
            is_steady(&service) && is_in(&new) && !is_in(&arn)
        });
        if !over || is_used_elsewhere(planner, &resource.id) {
            continue;
        }
        let Some(tags) = planner.tags_of(&arn) else { continue };
        if !planner.is_ours(&tags) || tags.get(SERVICE_TAG).is_none_or(|name| name != owner(&planner.declared.name)) {
            let why = "it was replaced, nothing uses it any more, and driftless did not make it".to_owned();
            planner.note(Note::Foreign { what: resource.id.to_string(), why });
            continue;
        }
        planner.under_way = true;
        planner.begun = true;
        let document = serde_json::json!({ "TargetGroupArn": arn.as_str() });
        let against = against(planner, &resource.id);
        planner.step(Action::new(Call::DeleteTargetGroup, resource.id.clone(), document), Effect::NoRestart, against);
    }
}
