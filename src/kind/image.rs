//! Container images: what a service is to run must be in its registry, and a tag may point to another image than it did.
//!
//! Read only, and only from Amazon ECR. Nothing is asked where nothing moves and git does not say `onMoved`.

use crate::core::action::Call;
use crate::core::desired::{OnMoved, Workload};
use crate::core::document::Node;
use crate::core::id::{Kind, ResourceId};
use crate::core::image::{Digests, EcrImage, Pushed, registry, running};
use crate::core::observed::{Facts, Observed, ServiceDeployment, ServiceFacts};
use crate::core::plan::{FAILED_UNTOLD, Hold, Look, Moved, Note, Planner};
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;

/// Holds a rollout until the images that it names are there: ECS would try to pull them, and give the deployment up.
pub fn plan(planner: &mut Planner<'_>) {
    let (Some(workload), images) = (planner.workload(), planner.declared.images) else { return };
    if images.declared && (images.on_moved != OnMoved::Ignore || !images.wait.is_zero()) {
        not_asked(planner, workload);
    }
    // What does not come to a rollout waits for nothing.
    if images.wait.is_zero() || !planner.plan.holds.is_empty() {
        return;
    }
    let names: Vec<String> = to_run(planner).map(|(_, image)| image.to_owned()).collect();
    for image in names.into_iter().filter(|image| EcrImage::of(image).is_some()) {
        if let Some(None) = look(planner, &image) {
            let now = planner.inputs.now;
            let awaited = planner.memory.awaited.as_ref().filter(|(digest, _)| *digest == planner.plan.digest);
            let since = awaited.map_or(now, |(_, since)| *since);
            let wait = SignedDuration::try_from(images.wait).unwrap_or(SignedDuration::MAX);
            let until = since.checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
            planner.hold(Hold::ImageMissing { image, since, until, overdue: now >= until });
        }
    }
}

/// What a registry has under a name: the outer `None` where that is not known.
fn look(planner: &mut Planner<'_>, image: &str) -> Option<Option<Pushed>> {
    let id = ResourceId::new(Kind::Image, image);
    // A permission that only this needs is no reason to hold: ECS itself finds out.
    if let Some(Observed::Unknown { why }) = planner.inputs.snapshot.get(&id) {
        planner.note(Note::ImageUnread { image: image.to_owned(), why: why.clone() });
        return None;
    }
    match planner.look(&id) {
        Look::Present(live) => match &live.facts {
            Facts::Image(pushed) => Some(Some(pushed.clone())),
            _ => None,
        },
        Look::Absent => Some(None),
        Look::Later => None,
    }
}

/// The registries of declared images of which nothing can be said.
fn not_asked(planner: &mut Planner<'_>, workload: &Workload) {
    let containers = workload.task_definition.get("containerDefinitions").map(Node::items).unwrap_or_default();
    for image in containers.iter().filter_map(|container| container.get("image")?.as_text()) {
        if EcrImage::of(image).is_none() {
            planner.note(Note::RegistryNotAsked { registry: registry(image).to_owned() });
        }
    }
}

/// The containers with their images of a revision that a step of the plan brings in.
fn to_run<'p>(planner: &'p Planner<'_>) -> impl Iterator<Item = (&'p str, &'p str)> {
    let steps = || planner.plan.steps.iter();
    let revision = steps().find_map(|step| match step.action.call {
        Call::CreateService | Call::UpdateService => step.action.input.document.get("taskDefinition"),
        _ => None,
    });
    let document = revision.and_then(|revision| match revision.as_str() {
        Some(arn) => {
            planner.inputs.snapshot.live(&ResourceId::new(Kind::TaskDefinitionRevision, arn)).map(|live| &live.document)
        }
        // A step registers it.
        None => steps()
            .find(|step| step.action.call == Call::RegisterTaskDefinition)
            .map(|step| &step.action.input.document),
    });
    document.into_iter().flat_map(containers)
}

/// Names and images of a task definition's containers.
fn containers(document: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = document.get("containerDefinitions").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|container| Some((container.get("name")?.as_str()?, container.get("image")?.as_str()?)))
}

/// A container whose tag points to another image than the one that runs.
struct Tag {
    container: String,
    tag: String,
    pushed: Pushed,
    runs: String,
}

/// Whether a service that runs the revision that git says is to be deployed anew, because a tag points to another image by
/// now; `None` where something is still to be read. It is said in the notes.
pub fn moved(planner: &mut Planner<'_>, facts: &ServiceFacts) -> Option<bool> {
    let on_moved = planner.declared.images.on_moved;
    // A deployment that is under way resolves the tags itself.
    if on_moved == OnMoved::Ignore || facts.is_rolling_out() {
        return Some(false);
    }
    let arn = facts.task_definition.as_ref();
    let live =
        arn.and_then(|arn| planner.inputs.snapshot.live(&ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str())));
    let by_tag = |(_, image): &(&str, &str)| EcrImage::of(image).is_some_and(|image| image.digest.is_none());
    let own = |(container, image): (&str, &str)| (container.to_owned(), image.to_owned());
    let images: Vec<(String, String)> =
        live.into_iter().flat_map(|live| containers(&live.document)).filter(by_tag).map(own).collect();
    if images.is_empty() {
        return Some(false);
    }
    let Some(runs) = runs(planner, facts)? else { return Some(false) };
    let (mut found, mut later) = (Vec::new(), false);
    for (container, image) in images {
        let Some(digest) = runs.get(&container) else { continue };
        let unseen = planner.inputs.snapshot.get(&ResourceId::new(Kind::Image, image.as_str())).is_none();
        let pushed = look(planner, &image);
        later |= unseen;
        if let (Some(Some(pushed)), Some(name)) = (pushed, EcrImage::of(&image))
            && !pushed.is(digest)
        {
            found.push(Tag { container, tag: name.tag.to_owned(), pushed, runs: digest.clone() });
        }
    }
    if later {
        return None;
    }
    if found.is_empty() {
        return Some(false);
    }
    let then = match on_moved {
        OnMoved::Redeploy => redeploy(planner, facts, &found)?,
        OnMoved::Report | OnMoved::Ignore => Moved::Reported,
    };
    let anew = then == Moved::Redeployed;
    for Tag { container, tag, pushed, runs } in found {
        planner.note(Note::ImageMoved { container, tag, now: pushed.digest, runs, then: then.clone() });
    }
    Some(anew)
}

/// What is done about tags that moved: once for each image, and not again what ECS could not bring up.
fn redeploy(planner: &mut Planner<'_>, facts: &ServiceFacts, found: &[Tag]) -> Option<Moved> {
    let deployments = deployments(planner)?.unwrap_or_default();
    let of_these = |deployment: &&ServiceDeployment| {
        let brought = |tag: &Tag| deployment.images.get(&tag.container).is_some_and(|digest| tag.pushed.is(digest));
        deployment.task_definition == facts.task_definition && found.iter().all(brought)
    };
    let reason = |deployment: &ServiceDeployment| Moved::Failed {
        reason: deployment.reason.as_deref().map_or(FAILED_UNTOLD, |reason| reason.trim_end_matches('.')).to_owned(),
    };
    let failed = deployments.iter().find(of_these).filter(|deployment| deployment.has_failed());
    if let Some(failed) = failed.filter(|_| !planner.inputs.policy.asked) {
        return Some(reason(failed));
    }
    let these: Digests = found.iter().map(|tag| (tag.container.clone(), tag.pushed.digest.clone())).collect();
    if planner.memory.redeployed != these {
        return Some(Moved::Redeployed);
    }
    // ECS may not say which image a deployment was of that did not get as far as pulling it.
    let newest = deployments.first().filter(|deployment| deployment.has_failed());
    Some(newest.map_or(Moved::Tried, reason))
}

/// The images that run: remembered, or as ECS's service deployments say. The outer `None` where they are still to be read.
fn runs(planner: &mut Planner<'_>, facts: &ServiceFacts) -> Option<Option<Digests>> {
    if let Some(runs) = planner.memory.runs(facts) {
        return Some(Some(runs.clone()));
    }
    let Some(all) = deployments(planner)? else { return Some(None) };
    if all.is_empty() {
        planner.note(Note::RunsUnknown {
            why: "its last deployment is more than 90 days old, ECS keeps no older ones".into(),
        });
    }
    Some(running(facts, &all))
}

/// The newest service deployments; the inner `None` where they cannot be read, the outer where they are still to be.
fn deployments(planner: &mut Planner<'_>) -> Option<Option<Vec<ServiceDeployment>>> {
    let id = ResourceId::new(Kind::ServiceDeployments, planner.declared.name.as_str());
    if let Some(Observed::Unknown { why }) = planner.inputs.snapshot.get(&id) {
        planner.note(Note::RunsUnknown { why: why.clone() });
        return Some(None);
    }
    match planner.look(&id) {
        Look::Present(live) => match &Arc::clone(&live).facts {
            Facts::Deployments(all) => Some(Some(all.clone())),
            _ => Some(None),
        },
        Look::Absent => Some(Some(Vec::new())),
        Look::Later => None,
    }
}
