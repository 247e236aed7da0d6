//! Secrets and parameters that containers are given when they start: one that changes reaches no task that runs.
//!
//! Read only, and never a value: when versions were made is all that is asked for, and only where git says
//! `rollout.onSecretRotated`.

use crate::core::desired::OnMoved;
use crate::core::id::{Kind, ResourceId};
use crate::core::observed::{Facts, Observed, ServiceDeployment, ServiceFacts};
use crate::core::plan::{FAILED_UNTOLD, Look, Moved, Note, Planner};
use crate::core::rotation::{Given, started};
use jiff::Timestamp;

/// Whether a service that runs the revision that git says is to be deployed anew, because something that its tasks were
/// given has changed since they were deployed; `None` where something is still to be read. It is said in the notes.
pub fn rotated(planner: &mut Planner<'_>, facts: &ServiceFacts) -> Option<bool> {
    let on_rotated = planner.declared.on_secret_rotated;
    // Of a deployment that is under way some tasks may have started before, some after: it is looked at when it is over.
    if on_rotated == OnMoved::Ignore || facts.is_rolling_out() {
        return Some(false);
    }
    let arn = facts.task_definition.as_ref();
    let live =
        arn.and_then(|arn| planner.inputs.snapshot.live(&ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str())));
    let all = live.map(|live| Given::all(&live.document)).unwrap_or_default();
    if all.is_empty() {
        return Some(false);
    }
    let Some(started) = started(facts) else {
        planner.note(Note::StartUnknown);
        return Some(false);
    };
    let (mut found, mut later) = (Vec::new(), false);
    for given in all {
        let unseen = planner.inputs.snapshot.get(&given.id).is_none();
        let since = since(planner, &given);
        later |= unseen;
        found.extend(since.filter(|since| *since > started).map(|since| (given, since)));
    }
    if later {
        return None;
    }
    let Some(newest) = found.iter().map(|(_, since)| *since).max() else { return Some(false) };
    let then = match on_rotated {
        OnMoved::Redeploy => redeploy(planner, facts, newest)?,
        OnMoved::Report | OnMoved::Ignore => Moved::Reported,
    };
    let anew = then == Moved::Redeployed;
    for (given, at) in found {
        planner.note(Note::SecretRotated { secret: given.to_string(), at, started, then: then.clone() });
    }
    Some(anew)
}

/// Since when it is what it is. What cannot be told is said, and holds nothing.
fn since(planner: &mut Planner<'_>, given: &Given) -> Option<Timestamp> {
    let why = match planner.inputs.snapshot.get(&given.id) {
        Some(Observed::Unknown { why }) => why.clone(),
        Some(Observed::Absent) => "there is none, or it is being deleted".to_owned(),
        _ if given.id.kind == Kind::ParameterVersion && !given.stage.is_empty() => {
            format!("Systems Manager does not say when the label {} was moved", given.stage)
        }
        _ => match planner.look(&given.id) {
            Look::Present(live) => match &live.facts {
                Facts::Since(since) if since.contains_key(&given.stage) => return since.get(&given.stage).copied(),
                _ => format!("it has no version of the stage {}", given.stage),
            },
            Look::Absent | Look::Later => return None,
        },
    };
    planner.note(Note::SecretUnread { secret: given.to_string(), why });
    None
}

/// What is done about something that changed at `at`: once, and not again where ECS could not bring the service up with it.
fn redeploy(planner: &mut Planner<'_>, facts: &ServiceFacts, at: Timestamp) -> Option<Moved> {
    let id = ResourceId::new(Kind::ServiceDeployments, planner.declared.name.as_str());
    // What cannot be read here is no reason to hold: this process remembers what it did.
    let history = match planner.look_if_readable(&id) {
        Look::Present(live) => Some(live),
        Look::Absent => None,
        Look::Later => return None,
    };
    let deployments = match history.as_deref().map(|live| &live.facts) {
        Some(Facts::Deployments(all)) => all.as_slice(),
        _ => &[],
    };
    let with_it = |deployment: &&ServiceDeployment| {
        deployment.task_definition == facts.task_definition && deployment.created_at.is_some_and(|begun| begun > at)
    };
    let failed = deployments.iter().find(with_it).filter(|newest| newest.has_failed());
    let reason = |deployment: &ServiceDeployment| Moved::Failed {
        reason: deployment.reason.as_deref().map_or(FAILED_UNTOLD, |reason| reason.trim_end_matches('.')).to_owned(),
    };
    if let Some(failed) = failed.filter(|_| !planner.inputs.policy.asked) {
        return Some(reason(failed));
    }
    if planner.memory.rotated.is_none_or(|last| last < at) {
        return Some(Moved::Redeployed);
    }
    Some(failed.map_or(Moved::Tried, reason))
}
