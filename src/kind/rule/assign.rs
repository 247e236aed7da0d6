//! Which live rule is which of git's, and which priority each is to have.

use super::{comparable, listener_of, own_groups, priority_of};
use crate::core::desired::Resource;
use crate::core::document::Node;
use crate::core::id::{Kind, ResourceId, ServiceName};
use crate::core::observed::Live;
use crate::core::plan::{Hold, Look, Planner, SERVICE_TAG, owner};
use crate::kind::forward;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// "Priorities 1 to 50000" (ELBv2 CreateRule, Priority).
const PRIORITY_MAX: i64 = 50_000;

/// The rules of one listener with what git says of them.
pub(super) struct Assigned<'d> {
    /// Those that are planned now.
    pub own: Vec<Own<'d>>,
    /// Every priority that changes, by the rule's ARN. A rule of another service that git moves as well is among them.
    pub pairs: BTreeMap<String, i64>,
    /// Rules that git does not declare and that touch ours, each with how.
    pub foreign: Vec<(Arc<Live>, String)>,
}

pub(super) struct Own<'d> {
    pub rule: &'d Resource,
    /// The live rule, where there is one.
    pub live: Option<Arc<Live>>,
    /// The priority that it is to have.
    pub priority: i64,
}

/// A rule of any service of the environment.
struct Claim<'d> {
    service: &'d ServiceName,
    rule: &'d Resource,
    conditions: Value,
    priority: Option<i64>,
    live: Option<usize>,
}

/// `None` when something must be read first, or a priority cannot be had: the planner has noted which.
pub(super) fn assign<'p>(planner: &mut Planner<'p>, listener: &str, live: &[Arc<Live>]) -> Option<Assigned<'p>> {
    let mut claims = claims(planner, listener);
    by_conditions(planner, &mut claims, live);
    by_place(planner, &mut claims, live)?;
    let mut pairs = BTreeMap::new();
    let mut own = Vec::new();
    let mut taken: BTreeSet<i64> = live.iter().filter_map(|rule| priority_of(rule)).collect();
    taken.extend(claims.iter().filter_map(|claim| claim.priority));
    let mine: Vec<usize> = (0..claims.len()).filter(|i| *claims[*i].service == planner.declared.name).collect();
    for index in mine {
        let claim = &claims[index];
        let found = claim.live.map(|at| live[at].clone());
        let now = found.as_deref().and_then(priority_of);
        let priority = match (claim.priority, now) {
            (Some(priority), _) | (None, Some(priority)) => priority,
            // Chosen once: from then on it is found with the rule.
            (None, None) => free(&mut taken)?,
        };
        own.push(Own { rule: claim.rule, live: found, priority });
        if now != Some(priority) {
            move_to(planner, &claims, live, index, priority, &mut taken, &mut pairs)?;
        }
    }
    let foreign = foreign(planner, &claims, live);
    Some(Assigned { own, pairs, foreign })
}

fn claims<'p>(planner: &Planner<'p>, listener: &str) -> Vec<Claim<'p>> {
    let shape = planner.inputs.shapes.rule;
    let inputs = planner.inputs;
    let mut claims = Vec::new();
    for declared in inputs.desired.services.values() {
        for rule in declared.of(Kind::ListenerRule).filter(|rule| listener_of(rule) == listener) {
            let mut document = rule.input.to_value();
            document = super::settle::without(&document, &["Actions", "Transforms"]);
            let conditions = comparable(&document, shape).get("Conditions").cloned().unwrap_or_default();
            let priority = rule.input.get("Priority").and_then(Node::as_integer);
            claims.push(Claim { service: &declared.name, rule, conditions, priority, live: None });
        }
    }
    claims
}

/// A rule is what it matches: first with its priority, then wherever it is.
fn by_conditions(planner: &Planner<'_>, claims: &mut [Claim<'_>], live: &[Arc<Live>]) {
    let shape = planner.inputs.shapes.rule;
    let found: Vec<Value> = live
        .iter()
        .map(|rule| comparable(&rule.document, shape).get("Conditions").cloned().unwrap_or_default())
        .collect();
    for exact in [true, false] {
        for index in 0..claims.len() {
            let taken: BTreeSet<usize> = claims.iter().filter_map(|claim| claim.live).collect();
            let claim = &mut claims[index];
            if claim.live.is_some() {
                continue;
            }
            let fits = |at: &usize| {
                let place = claim.priority.is_none() || priority_of(&live[*at]) == claim.priority;
                found[*at] == claim.conditions && !taken.contains(at) && (place || !exact)
            };
            claim.live = (0..live.len()).filter(fits).min_by_key(|at| priority_of(&live[*at]));
        }
    }
}

/// A rule whose conditions differ is still git's where it has git's priority, or is ours by its tags, and forwards where
/// git's rule does.
fn by_place(planner: &mut Planner<'_>, claims: &mut [Claim<'_>], live: &[Arc<Live>]) -> Option<()> {
    for index in 0..claims.len() {
        let taken: BTreeSet<usize> = claims.iter().filter_map(|claim| claim.live).collect();
        let claim = &claims[index];
        if claim.live.is_some() {
            continue;
        }
        let mine = *claim.service == planner.declared.name;
        let groups = if mine { forwards(planner, claim.rule)? } else { Vec::new() };
        let candidates: Vec<usize> = (0..live.len())
            .filter(|at| !taken.contains(at))
            .filter(|at| match claim.priority {
                Some(priority) => priority_of(&live[*at]) == Some(priority),
                None => mine && !groups.is_empty() && forward::groups(&live[*at].document, "Actions") == groups,
            })
            .collect();
        let mut chosen = None;
        for at in candidates {
            let overlap = forward::groups(&live[at].document, "Actions").iter().any(|arn| groups.contains(arn));
            if claim.priority.is_some() && (overlap || !mine) {
                chosen = chosen.or(Some(at));
                continue;
            }
            let service = owner(claim.service).to_owned();
            let tags = planner.tags_of(live[at].arn.as_ref()?)?;
            if planner.is_ours(&tags) && tags.get(SERVICE_TAG) == Some(&service) {
                chosen = chosen.or(Some(at));
            }
        }
        claims[index].live = chosen;
    }
    Some(())
}

/// The ARNs of the groups that a declared rule forwards to, as far as they exist; `None` when that must be read first.
fn forwards(planner: &mut Planner<'_>, rule: &Resource) -> Option<Vec<String>> {
    let mut groups = Vec::new();
    for text in forward::groups(&rule.input.to_value(), "Actions") {
        let Some(name) = text.strip_prefix("(ARN of target group ").and_then(|rest| rest.strip_suffix(')')) else {
            groups.push(text);
            continue;
        };
        let id = ResourceId::new(Kind::TargetGroup, name);
        if !planner.outputs.contains_key(&id) {
            match planner.look(&id) {
                Look::Present(_) | Look::Absent => {}
                Look::Later => return None,
            }
        }
        groups.extend(planner.known(&id).map(|arn| arn.as_str().to_owned()));
    }
    groups.sort();
    groups.dedup();
    Some(groups)
}

/// The next free priority: above every other one, where there is room, else the first gap.
fn free(taken: &mut BTreeSet<i64>) -> Option<i64> {
    let next = taken.last().map_or(1, |last| last + 1);
    let free = if next <= PRIORITY_MAX { Some(next) } else { (1..=PRIORITY_MAX).find(|at| !taken.contains(at)) };
    taken.extend(free);
    free
}

/// Gives the rule of claim `index` its priority, and moves whatever of git's is there.
fn move_to(
    planner: &mut Planner<'_>,
    claims: &[Claim<'_>],
    live: &[Arc<Live>],
    index: usize,
    priority: i64,
    taken: &mut BTreeSet<i64>,
    pairs: &mut BTreeMap<String, i64>,
) -> Option<()> {
    let (mut mover, mut priority) = (index, priority);
    // Each turn moves one more live rule; there are no more than there are.
    for _ in 0..=live.len() {
        let arn = |at: usize| live[at].arn.as_ref().map(|arn| arn.as_str().to_owned());
        if let Some(arn) = claims[mover].live.and_then(arn) {
            pairs.insert(arn, priority);
        }
        let there = (0..live.len()).find(|at| priority_of(&live[*at]) == Some(priority));
        let Some(there) = there.filter(|at| claims[mover].live != Some(*at)) else { return Some(()) };
        if arn(there).is_some_and(|arn| pairs.contains_key(&arn)) {
            return Some(());
        }
        let Some(other) = claims.iter().position(|claim| claim.live == Some(there)) else {
            let by = arn(there).unwrap_or_default();
            planner.hold(Hold::PriorityTaken { id: claims[index].rule.id.clone(), by });
            return None;
        };
        priority = match claims[other].priority {
            Some(wanted) if wanted != priority => wanted,
            // Git does not say where it is to be.
            _ => free(taken)?,
        };
        mover = other;
    }
    Some(())
}

/// Live rules that nobody claims and that match what ours match, or forward to our groups.
fn foreign(planner: &Planner<'_>, claims: &[Claim<'_>], live: &[Arc<Live>]) -> Vec<(Arc<Live>, String)> {
    let claimed: BTreeSet<usize> = claims.iter().filter_map(|claim| claim.live).collect();
    let groups = own_groups(planner);
    let shape = planner.inputs.shapes.rule;
    let mut foreign = Vec::new();
    for (_, rule) in live.iter().enumerate().filter(|(at, _)| !claimed.contains(at)) {
        let conditions = comparable(&rule.document, shape).get("Conditions").cloned().unwrap_or_default();
        let twin = claims.iter().find(|c| *c.service == planner.declared.name && c.conditions == conditions);
        let forwards: Vec<&str> = forward::groups(&rule.document, "Actions")
            .iter()
            .filter_map(|arn| groups.get(arn))
            .map(|id| &*id.name)
            .collect::<Vec<_>>();
        let why = match (twin, forwards.as_slice()) {
            (Some(twin), _) => {
                let first = twin.live.is_some_and(|at| priority_of(rule) < priority_of(&live[at]));
                let place = if first { "and takes the traffic before it" } else { "and never gets traffic behind it" };
                format!("it has the same conditions as {} {place}", twin.rule.id)
            }
            (None, []) => continue,
            (None, names) => format!("it forwards to {}, and git does not declare it", names.join(", ")),
        };
        foreign.push((rule.clone(), why));
    }
    foreign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_priority_is_above_all_others() {
        for (taken, next) in [
            (vec![], Some(1)),
            (vec![1], Some(2)),
            (vec![3, 10], Some(11)),
            (vec![49_999], Some(50_000)),
            // The end is taken: the first gap.
            (vec![50_000], Some(1)),
            (vec![1, 2, 4, 50_000], Some(3)),
            ((1..=50_000).collect(), None),
        ] {
            let mut all: BTreeSet<i64> = taken.iter().copied().collect();
            assert_eq!(free(&mut all), next, "beside {:?}", taken.iter().take(5).collect::<Vec<_>>());
            assert!(next.is_none_or(|next| all.contains(&next)), "it is taken now");
        }
    }
}
