//! Rules and listeners by which ECS or CodeDeploy shifts traffic between two groups: which of them gets it is theirs.
//!
//! ECS rewrites the forward action of the rules that a blue/green, linear or canary service names
//! (`advancedConfiguration`), from one group to a weighted pair and back; with CodeDeploy another group stands there
//! after each deployment. To put git's groups back would send all traffic to a group without tasks.

use super::{forward, replace};
use crate::core::desired::Declared;
use crate::core::document::{Node, Part, Tree};
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::observed::{Facts, Live};
use crate::core::plan::{Hold, Look, Note, Planner};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who shifts traffic by a rule or a listener.
pub(super) struct Shift {
    /// The services, as far as they exist.
    services: Vec<Arc<Live>>,
    /// The two groups of each; `None` where they are known to CodeDeploy alone.
    groups: Option<BTreeSet<String>>,
}

/// The live deployment controller; left out in some answers, where it is ECS.
pub(super) fn controller(live: &Live) -> &str {
    live.document.pointer("/deploymentController/type").and_then(Value::as_str).unwrap_or("ECS")
}

/// Who shifts traffic by the rule or listener `id`, whose declared input is `input`; the inner `None` where nobody does.
/// The outer one: something must be read first.
pub(super) fn shift(planner: &mut Planner<'_>, id: &ResourceId, input: &Node, live: &Live) -> Option<Option<Shift>> {
    let mut found: Option<Shift> = None;
    let units: Vec<Arc<Declared>> = planner.inputs.desired.services.values().cloned().collect();
    for unit in units {
        let Some(workload) = &unit.workload else { continue };
        let balancers = workload.service.get("loadBalancers").map(Node::items).unwrap_or_default();
        let configs = balancers.iter().filter_map(|balancer| balancer.get("advancedConfiguration"));
        let named =
            configs.flat_map(|config| RULES.map(|field| config.get(field))).flatten().any(|n| names(n, id, live));
        let own = unit.name == planner.declared.name;
        let declared =
            workload.service.get("deploymentController").and_then(|node| node.get("Type").or(node.get("type")));
        let code_deploy = declared.and_then(Node::as_text) == Some("CODE_DEPLOY");
        let forwards = own || balancers.iter().any(|balancer| shares_group(balancer, input));
        let concerned = named || own || (code_deploy && forwards);
        if !concerned {
            continue;
        }
        let service = match planner.look(&ResourceId::new(Kind::Service, unit.name.as_str())) {
            Look::Present(live) if matches!(live.facts, Facts::Service(_)) => Some(live),
            Look::Present(_) | Look::Absent => None,
            Look::Later => return None,
        };
        let is_code_deploy = service.as_deref().map_or(code_deploy, |live| controller(live) == "CODE_DEPLOY");
        let by_ecs = named || service.as_deref().is_some_and(|service| names_live(service, live));
        let shifts = by_ecs || (is_code_deploy && forwards);
        if !shifts {
            continue;
        }
        let shift = found.get_or_insert_with(|| Shift { services: Vec::new(), groups: Some(BTreeSet::new()) });
        match &mut shift.groups {
            Some(groups) if !is_code_deploy => {
                groups.extend(service.iter().flat_map(|live| pair(live)));
                for balancer in balancers {
                    let alternate =
                        balancer.get("advancedConfiguration").and_then(|c| c.get("alternateTargetGroupArn"));
                    let both = [balancer.get("targetGroupArn"), alternate];
                    groups.extend(both.into_iter().flatten().filter_map(|node| arn_of(planner, node)));
                }
            }
            groups => *groups = None,
        }
        shift.services.extend(service);
    }
    Some(found)
}

const RULES: [&str; 2] = ["productionListenerRule", "testListenerRule"];

/// Whether a reference is to this rule or listener. The default rule of a listener is named by its own ARN, which begins
/// as the listener's.
fn names(node: &Node, id: &ResourceId, live: &Live) -> bool {
    match &node.tree {
        Tree::Template(parts) => parts.contains(&Part::Arn(id.clone())),
        Tree::Text(text) => is_named(text, live),
        _ => false,
    }
}

fn is_named(text: &str, live: &Live) -> bool {
    let Some(arn) = live.arn.as_ref().map(Arn::as_str) else { return false };
    let default_rule = || text.starts_with(&format!("{}/", arn.replacen(":listener/", ":listener-rule/", 1)));
    text == arn || (arn.contains(":listener/") && default_rule())
}

fn names_live(service: &Live, live: &Live) -> bool {
    let balancers = service.document.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let mut configs = balancers.filter_map(|balancer| balancer.get("advancedConfiguration"));
    configs.any(|config| {
        RULES.iter().any(|field| config.get(*field).and_then(Value::as_str).is_some_and(|text| is_named(text, live)))
    })
}

/// The groups of a live service, with those that it changes places with.
fn pair(service: &Live) -> Vec<String> {
    let balancers = service.document.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let both = |balancer: &Value| {
        let alternate = balancer.pointer("/advancedConfiguration/alternateTargetGroupArn");
        [balancer.get("targetGroupArn").cloned(), alternate.cloned()]
    };
    balancers.flat_map(both).flatten().filter_map(|arn| arn.as_str().map(str::to_owned)).collect()
}

fn arn_of(planner: &Planner<'_>, node: &Node) -> Option<String> {
    match &node.tree {
        Tree::Text(text) => Some(text.clone()),
        Tree::Template(parts) => match parts.as_slice() {
            [Part::Arn(id)] => planner.known(id).map(|arn| arn.as_str().to_owned()),
            _ => None,
        },
        _ => None,
    }
}

fn shares_group(balancer: &Node, input: &Node) -> bool {
    let referred = balancer.get("targetGroupArn").map(|node| &node.tree);
    match referred {
        Some(Tree::Template(parts)) => parts.iter().any(|part| match part {
            Part::Arn(id) => replace::refers(input, id),
            _ => false,
        }),
        _ => false,
    }
}

impl Shift {
    /// Takes what is theirs out of the two comparable documents, and puts what is live into the one that is written.
    /// False when traffic goes to a group of neither: which of the two has the tasks is not known here, so that it is not
    /// put back.
    pub fn leave(&self, field: &str, written: &mut Value, desired: &mut Value, now: &mut Value, live: &Value) -> bool {
        let others = match &self.groups {
            Some(ours) => forward::groups(live, field).iter().any(|arn| !ours.contains(arn)),
            None => false,
        };
        if others {
            return false;
        }
        forward::without_groups(desired, field);
        forward::without_groups(now, field);
        forward::keep_groups(written, live, field);
        true
    }

    /// Holds the plan while a deployment is under way: nothing is written to what ECS is rewriting.
    pub fn is_moving(&self, planner: &mut Planner<'_>) -> bool {
        for service in &self.services {
            if let Facts::Service(facts) = &service.facts
                && facts.is_rolling_out()
            {
                let deployment = facts.primary().map(|primary| primary.id.clone()).unwrap_or_default();
                planner.hold(Hold::RolloutInProgress { deployment });
                return true;
            }
        }
        false
    }

    /// Says that traffic goes to a group of neither.
    pub fn elsewhere(planner: &mut Planner<'_>, id: &ResourceId) {
        let why = "ECS shifts traffic by it, and it forwards to a target group that is neither of the service's two: \
                   which of them has the tasks is ECS's to know, put it back by hand";
        planner.note(Note::Foreign { what: id.to_string(), why: why.to_owned() });
    }
}

/// Late ARNs of an input whose forward actions hold the live groups.
pub(super) fn without_late_groups(late: super::settle::Late, field: &str) -> super::settle::Late {
    let inside = format!("/{field}/");
    late.into_iter().filter(|(at, _)| !(at.starts_with(&inside) && at.ends_with("/TargetGroupArn"))).collect()
}
