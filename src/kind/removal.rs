//! What is deleted of a service that left git, in the reverse of the order in which it is brought up.
//!
//! Nothing is deleted by itself, and nothing that tags, read for this very plan, do not call this environment's and this
//! service's. The ECS service must say in its tag that its last declaration had `sync.prune: true`. Log groups stay: they
//! hold what somebody may still want to read.

use super::forward;
use super::settle::against;
use crate::core::action::{Action, Call, Effect};
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::observed::{Facts, Live};
use crate::core::plan::{Applied, Hold, KindSpec, Look, Note, Planner, SERVICE_TAG, owner};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The one row of a removal.
pub const REMOVAL: &[KindSpec] = &[KindSpec { kind: Kind::Service, plan }];

/// Plans the removal of the service that the planner is about.
pub fn plan(planner: &mut Planner<'_>) {
    let id = planner.service_resource();
    let Look::Present(live) = planner.look(&id) else { return };
    let facts = match &live.facts {
        Facts::Service(facts) if facts.status == "ACTIVE" => facts,
        // DRAINING and INACTIVE: it is gone, or on its way.
        _ => return,
    };
    if !planner.is_ours(&live.tags) {
        let why = "its tags do not say that this environment made it: delete it by hand";
        return planner.hold(Hold::NotPruned { why: why.into() });
    }
    if !Applied::of(&live.tags).is_some_and(|applied| applied.prune) {
        let why = "its last declaration did not have sync.prune: true";
        return planner.hold(Hold::NotPruned { why: why.into() });
    }
    if facts.is_rolling_out() {
        let deployment = facts.primary().map(|primary| primary.id.clone()).unwrap_or_default();
        return planner.hold(Hold::RolloutInProgress { deployment });
    }
    scaling(planner);
    let document = json!({
        "cluster": planner.inputs.desired.environment.scope.cluster.as_str(),
        "service": planner.declared.name.as_str(),
        // Its tasks are stopped: without it ECS refuses a service that has any (DeleteService, force).
        "force": true,
    });
    let before = against(planner, &id);
    planner.step(Action::new(Call::DeleteService, id, document), Effect::NoRestart, before);
    load_balancing(planner, &live);
    discovery(planner, &live);
}

/// Whether a thing's tags, read for this plan, say that it was made from this service's file. `None`: not known yet.
fn is_its_own(planner: &mut Planner<'_>, what: &ResourceId, arn: &Arn) -> Option<bool> {
    let tags: BTreeMap<String, String> = planner.tags_of(arn)?;
    let own = planner.is_ours(&tags) && tags.get(SERVICE_TAG).is_some_and(|name| name == owner(&planner.declared.name));
    if !own {
        planner.note(Note::Foreign { what: what.to_string(), why: "its tags do not call it this service's".into() });
    }
    Some(own)
}

/// The alarms of step policies, then the target with its policies and scheduled actions.
fn scaling(planner: &mut Planner<'_>) {
    let name = planner.declared.name.as_str();
    let (target, policies) =
        (ResourceId::new(Kind::ScalableTarget, name), ResourceId::new(Kind::ScalingPolicies, name));
    let (Look::Present(live), Look::Present(policies)) = (planner.look(&target), planner.look(&policies)) else {
        return;
    };
    let steps = policies.members().iter().filter(|p| p.document.get("PolicyType") == Some(&json!("StepScaling")));
    let alarms = steps.flat_map(|policy| policy.document.get("Alarms").and_then(Value::as_array).into_iter().flatten());
    let names: BTreeSet<String> =
        alarms.filter_map(|alarm| Some(alarm.get("AlarmName")?.as_str()?.to_owned())).collect();
    let mut own = Vec::new();
    for name in names {
        let id = ResourceId::new(Kind::Alarm, name.as_str());
        let Look::Present(alarm) = planner.look(&id) else { continue };
        let Some(arn) = &alarm.arn else { continue };
        if is_its_own(planner, &id, arn) == Some(true) {
            own.push(name);
        }
    }
    let Some(arn) = live.arn.clone() else { return };
    if is_its_own(planner, &target, &arn) != Some(true) {
        return;
    }
    if let Some(first) = own.first() {
        let id = ResourceId::new(Kind::Alarm, first.as_str());
        planner.step(Action::new(Call::DeleteAlarms, id, json!({ "AlarmNames": own })), Effect::NoRestart, None);
    }
    let identity = super::settle::only(&live.document, super::scalable_target::TARGET);
    let before = against(planner, &target);
    let action = Action::new(Call::DeregisterScalableTarget, target, Value::Object(identity));
    planner.step(action, Effect::NoRestart, before);
}

/// The rules that forward to the service's groups, then the groups.
fn load_balancing(planner: &mut Planner<'_>, service: &Live) {
    for arn in groups(&service.document) {
        // `arn:...:targetgroup/NAME/ID`
        let Some(name) = arn.as_str().split('/').nth(1).map(str::to_owned) else { continue };
        let id = ResourceId::new(Kind::TargetGroup, name.as_str());
        let Look::Present(group) = planner.look(&id) else { continue };
        let Some(free) = rules(planner, &group, &arn) else { continue };
        if is_its_own(planner, &id, &arn) != Some(true) {
            continue;
        }
        if !free {
            let why = "a rule or listener that is not this service's forwards to it".to_owned();
            planner.note(Note::Foreign { what: id.to_string(), why });
            continue;
        }
        let document = json!({ "TargetGroupArn": arn.as_str() });
        planner.step(Action::new(Call::DeleteTargetGroup, id, document), Effect::NoRestart, None);
    }
}

/// The target groups of a live service, those of its other colour as well.
fn groups(service: &Value) -> BTreeSet<Arn> {
    let balancers = service.get("loadBalancers").and_then(Value::as_array).into_iter().flatten();
    let both = balancers.flat_map(|balancer| {
        [balancer.get("targetGroupArn"), balancer.pointer("/advancedConfiguration/alternateTargetGroupArn")]
    });
    both.flatten().filter_map(Value::as_str).map(Arn::from).collect()
}

/// Deletes the service's own rules that forward to a group; whether nothing else does then. `None`: not known yet.
fn rules(planner: &mut Planner<'_>, group: &Live, arn: &Arn) -> Option<bool> {
    let mut free = true;
    let balancers = group.document.get("LoadBalancerArns").and_then(Value::as_array).into_iter().flatten();
    let balancers: Vec<String> = balancers.filter_map(Value::as_str).map(str::to_owned).collect();
    for balancer in balancers {
        let listeners: Vec<Arc<Live>> = match planner.look(&ResourceId::new(Kind::Listeners, balancer.as_str())) {
            Look::Present(live) => live.members().to_vec(),
            Look::Absent => continue,
            Look::Later => return None,
        };
        for listener in listeners {
            free &= !forward::groups(&listener.document, "DefaultActions").iter().any(|to| to == arn.as_str());
            let id = ResourceId::new(Kind::ListenerRules, listener.arn.as_ref()?.as_str());
            let rules = match planner.look(&id) {
                Look::Present(live) => live.members().to_vec(),
                Look::Absent => continue,
                Look::Later => return None,
            };
            for rule in rules {
                if !forward::groups(&rule.document, "Actions").iter().any(|to| to == arn.as_str()) {
                    continue;
                }
                let rule_arn = rule.arn.clone()?;
                let priority = rule.document.get("Priority").and_then(Value::as_str).unwrap_or_default();
                let what = ResourceId::new(Kind::ListenerRule, format!("{}/{priority}", id.name));
                if !is_its_own(planner, &what, &rule_arn)? {
                    free = false;
                } else if !planner.plan.steps.iter().any(|step| step.action.target == what) {
                    let before = against(planner, &id);
                    let action = Action::new(Call::DeleteRule, what, json!({ "RuleArn": rule_arn.as_str() }));
                    planner.step(action, Effect::NoRestart, before);
                }
            }
        }
    }
    Some(free)
}

/// The Cloud Map services that the ECS service is registered in: `arn:...:service/ID`.
fn discovery(planner: &mut Planner<'_>, service: &Live) {
    let registries = service.document.get("serviceRegistries").and_then(Value::as_array).into_iter().flatten();
    let arns: Vec<Arn> = registries.filter_map(|r| r.get("registryArn")?.as_str().map(Arn::from)).collect();
    for arn in arns {
        let id = ResourceId::new(Kind::DiscoveryService, arn.as_str());
        if is_its_own(planner, &id, &arn) == Some(true) {
            let document = json!({ "Id": arn.last_part() });
            planner.step(Action::new(Call::DeleteDiscoveryService, id, document), Effect::NoRestart, None);
        }
    }
}
