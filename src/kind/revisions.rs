//! Revisions that nothing runs any more: of a family the newest stay (`revisions.keep`), older ones that were made here are
//! deregistered, a few at a time, and only while nothing else is to be done.
//!
//! A deregistered revision is INACTIVE: "Existing tasks and services that reference an INACTIVE task definition continue to
//! run without disruption", but nothing new can be started from it (DeregisterTaskDefinition). So none that anything runs is
//! touched. A commit that declares it again registers it anew.

use super::settle::against;
use crate::core::action::{Action, Call};
use crate::core::desired::{Mode, Workload};
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::observed::{Facts, Live, Observed, ServiceFacts};
use crate::core::pause::Pause;
use crate::core::plan::{CONTENT_TAG, Planner, SERVICE_TAG, owner};
use crate::core::rollback::RolledBack;
use crate::core::window::closed;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many revisions behind those that stay are looked at: DescribeTaskDefinition takes one at a time, and others may have
/// made hundreds in the family.
pub const LOOKED_AT_MAX: usize = 10;
/// How many go with one pass: registrations share a rate of one a second (ECS "Request throttling").
const AT_ONCE_MAX: usize = 5;

/// Plans what is tidied up behind a service that is live and has nothing else to do.
pub fn plan(planner: &mut Planner<'_>) {
    let (Some(workload), Some(keep)) = (planner.workload(), planner.declared.keep_revisions) else { return };
    let Some(service) = planner.inputs.snapshot.live(&planner.service_resource()).cloned() else { return };
    let Facts::Service(facts) = &service.facts else { return };
    if !is_idle(planner, &service) || !is_settled(facts) {
        return;
    }
    let family = ResourceId::new(Kind::TaskDefinitionFamily, workload.family.as_str());
    let Some(all) = seen(planner, &family) else { return };
    let Some(Facts::Family(revisions)) = all.as_deref().map(|live| &live.facts) else { return };
    let older: Vec<Arn> = revisions.iter().skip(keep).take(LOOKED_AT_MAX).cloned().collect();
    // All of them are asked for before the answers are looked at: they are read together.
    let looked: Vec<_> = older.iter().map(|arn| (arn, seen(planner, &revision(arn)))).collect();
    let mut made_here = Vec::new();
    for (arn, live) in looked {
        let Some(live) = live else { return };
        made_here.extend(live.filter(|live| is_its_own(planner, live)).map(|_| arn.clone()));
    }
    if made_here.is_empty() {
        return;
    }
    let Some(used) = used(planner, workload, facts) else { return };
    let oldest_first = made_here.into_iter().rev().filter(|arn| !used.contains(arn)).take(AT_ONCE_MAX);
    // A service that goes over to another revision meanwhile may go over to one of these.
    let before = against(planner, &planner.service_resource());
    for arn in oldest_first {
        let document = json!({ "taskDefinition": arn.as_str() });
        planner.chore(Action::new(Call::DeregisterTaskDefinition, revision(&arn), document), before.clone());
    }
}

fn revision(arn: &Arn) -> ResourceId {
    ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str())
}

/// What a look shows; the inner `None` where it is not there. The outer `None` where it is still to be read, or could not be:
/// then nothing is tidied up, and nothing is held.
fn seen(planner: &mut Planner<'_>, id: &ResourceId) -> Option<Option<Arc<Live>>> {
    match planner.inputs.snapshot.get(id) {
        Some(Observed::Present(live)) => Some(Some(live.clone())),
        Some(Observed::Absent) => Some(None),
        Some(Observed::Unknown { .. }) => None,
        None => {
            planner.look(id);
            None
        }
    }
}

/// Whether nothing is to be done, and nothing keeps something from being done.
fn is_idle(planner: &Planner<'_>, service: &Live) -> bool {
    let now = planner.inputs.now;
    let followed = planner.inputs.revision;
    planner.plan.steps.is_empty()
        && planner.plan.changes.is_empty()
        && planner.plan.holds.is_empty()
        && planner.declared.sync.mode == Mode::Auto
        && Pause::of(&service.tags, now).is_none()
        && closed(&planner.declared.sync.windows, now).is_none()
        // What a rollback went back from may come again.
        && followed.is_none_or(|commit| !RolledBack::goes_to(&service.tags, commit))
}

/// Whether one completed deployment is all that there is.
fn is_settled(facts: &ServiceFacts) -> bool {
    let completed = facts.primary().is_some_and(|primary| {
        primary.rollout_state.as_deref() == Some("COMPLETED") && primary.task_definition == facts.task_definition
    });
    facts.status == "ACTIVE" && completed && !facts.is_rolling_out() && facts.running == facts.desired
}

/// Whether a revision's tags say that it was made for this very service of this environment.
fn is_its_own(planner: &Planner<'_>, revision: &Live) -> bool {
    let tags = &revision.tags;
    planner.is_ours(tags)
        && tags.contains_key(CONTENT_TAG)
        && tags.get(SERVICE_TAG).is_some_and(|name| name == owner(&planner.declared.name))
}

/// The revisions that this service runs, those of other services of the same family, and those of all tasks of the family.
/// `None` where any of it is not known.
fn used(planner: &mut Planner<'_>, workload: &Workload, facts: &ServiceFacts) -> Option<BTreeSet<Arn>> {
    let mut used: BTreeSet<Arn> = planner.plan.task_definition.iter().cloned().collect();
    used.extend(runs(facts));
    let of_family = |other: &Workload| other.family == workload.family;
    let services = planner.inputs.desired.services.values();
    let services = services.filter(|other| other.workload.as_ref().is_some_and(of_family));
    let services = services.filter(|other| other.name != planner.declared.name);
    let mut ids: Vec<ResourceId> = services.map(|other| ResourceId::new(Kind::Service, other.name.as_str())).collect();
    ids.push(ResourceId::new(Kind::FamilyTasks, workload.family.as_str()));
    let looked: Vec<_> = ids.iter().map(|id| seen(planner, id)).collect();
    for live in looked {
        match live?.as_deref().map(|live| &live.facts) {
            Some(Facts::Service(facts)) => used.extend(runs(facts)),
            Some(Facts::Running(revisions)) => used.extend(revisions.iter().cloned()),
            _ => {}
        }
    }
    Some(used)
}

/// What a service is set to run, and what any of its deployments runs.
fn runs(facts: &ServiceFacts) -> impl Iterator<Item = Arn> {
    let deployments = facts.deployments.iter().filter_map(|deployment| deployment.task_definition.clone());
    facts.task_definition.iter().cloned().chain(deployments)
}
