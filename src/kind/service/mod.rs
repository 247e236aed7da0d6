//! ECS services: what DescribeServices answers against CreateService's names, one UpdateService a change.

mod back;
mod comparable;

pub use back::back;
use comparable::{NOT_COMPARED, NOT_OURS_WHEN_LEFT_OUT, NOT_READABLE, in_live_namespace};
pub use comparable::{ROWS, comparable, live_document, settings_digest};

use super::settle::laid_over;
use super::{image, replace, secret, shift};
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Section, Workload};
use crate::core::diff::{Change, Differences, Managed, diff};
use crate::core::id::{Kind, ResourceId};
use crate::core::normal::digest;
use crate::core::observed::{Facts, Live, ServiceFacts};
use crate::core::plan::{APPLIED_TAG, Against, Applied, FAILED_UNTOLD, Hold, Look, Note, Output, Planner};
use crate::core::shape::Shape;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The section's name in paths.
const SECTION: &str = "service";

/// What changing a field takes (ECS API reference, UpdateService: "triggers a new service deployment").
fn effect(change: &Change) -> Effect {
    match change.path.top() {
        Some("launchType" | "schedulingStrategy" | "role") => Effect::Replacement,
        // ECS leaves running tasks where they are until a deployment is forced.
        Some("capacityProviderStrategy") => Effect::ForcedRestart,
        Some(
            "networkConfiguration"
            | "platformVersion"
            | "loadBalancers"
            | "serviceRegistries"
            | "serviceConnectConfiguration"
            | "volumeConfigurations"
            | "vpcLatticeConfigurations",
        ) => Effect::RollingRestart,
        Some(_) | None => Effect::NoRestart,
    }
}

/// What UpdateService takes for a service that CodeDeploy or an external controller deploys (UpdateService).
const BY_OTHER_CONTROLLERS: &[&str] = &[
    "desiredCount",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
];

/// Plans the service: create, update, or why not.
pub fn plan(planner: &mut Planner<'_>) {
    let Some(workload) = planner.workload() else { return };
    let live = match planner.look(&planner.service_resource()) {
        Look::Present(live) => Some(live),
        Look::Absent => None,
        Look::Later => return,
    };
    let live = live.and_then(|live| match &live.facts {
        // An INACTIVE service is gone, its name is free (DeleteService).
        Facts::Service(facts) if facts.status == "INACTIVE" => None,
        Facts::Service(facts) => Some((live.clone(), facts.clone())),
        _ => None,
    });
    match live {
        Some((_, facts)) if facts.status == "DRAINING" => planner.hold(Hold::Draining),
        Some((live, facts)) => update(planner, workload, &live, &facts),
        None => create(planner, workload),
    }
}

fn family(workload: &Workload) -> ResourceId {
    ResourceId::new(Kind::TaskDefinition, workload.family.as_str())
}

/// The document with every name resolved, and the old target group beside the new one while one is replaced.
fn complete(planner: &mut Planner<'_>, workload: &Workload) -> Option<Input> {
    let node = replace::beside(planner, &workload.service);
    planner.complete(SECTION, &node, &BTreeMap::new())
}

/// The ARN of the task definition, or a place for it in the input.
fn point_at(input: &mut Input, id: &ResourceId, output: &Output) {
    let Value::Object(map) = &mut input.document else { return };
    match output {
        Output::Known(arn) => {
            map.insert("taskDefinition".into(), json!(arn.as_str()));
        }
        Output::Made(_) => {
            map.insert("taskDefinition".into(), Value::Null);
            input.late.push(("/taskDefinition".into(), id.clone()));
        }
    }
}

fn create(planner: &mut Planner<'_>, workload: &Workload) {
    let scope = planner.inputs.desired.environment.scope.clone();
    let cluster = ResourceId::new(Kind::Cluster, scope.cluster.as_str());
    let cluster_there = match planner.look(&cluster) {
        Look::Present(_) => true,
        Look::Absent => {
            planner.hold(Hold::Missing { id: cluster, named_by: "environment.yaml".into() });
            false
        }
        Look::Later => false,
    };
    let declared = planner.declared;
    let Some(mut input) = complete(planner, workload) else { return };
    let Some(output) = planner.outputs.get(&family(workload)).cloned().filter(|_| cluster_there) else { return };
    point_at(&mut input, &family(workload), &output);
    let mut tags = planner.made_tags();
    // Where more follows, the tag comes when all of it is done.
    if !declared.is_scaled() {
        tags.insert(APPLIED_TAG.into(), planner.applied_tag());
    }
    if let Value::Object(map) = &mut input.document {
        map.insert("cluster".into(), json!(scope.cluster.as_str()));
        map.insert("serviceName".into(), json!(declared.name.as_str()));
        let given = map.entry("tags").or_insert_with(|| json!([]));
        if let Value::Array(given) = given {
            given.extend(tags.into_iter().map(|(key, value)| json!({ "key": key, "value": value })));
        }
        // REPLICA services must say how many (CreateService, desiredCount).
        if map.get("schedulingStrategy") != Some(&json!("DAEMON")) {
            map.entry("desiredCount").or_insert(json!(workload.initial_count));
        }
        // At most 36 characters (CreateService, clientToken); the same declaration has the same token.
        let place = format!("{}/{}/{}", scope.account, scope.region, scope.cluster);
        let token: String =
            digest(&json!([place, declared.name.as_str(), planner.plan.digest])).chars().take(32).collect();
        map.insert("clientToken".into(), json!(token));
    }
    let against = Some(Against { id: planner.service_resource(), digest: None });
    let action = Action { call: Call::CreateService, target: planner.service_resource(), input };
    planner.make(action, Effect::Create, against);
}

fn update(planner: &mut Planner<'_>, workload: &Workload, live: &Live, facts: &ServiceFacts) {
    planner.exists(&planner.service_resource(), live);
    let Some(Input { document: written, late }) = complete(planner, workload) else { return };
    let document = live_document(&live.document);
    let found = compare(&written, &document, planner.inputs.shapes.create_service);
    let Some(found) = desired_count(planner, found, &written, facts) else { return };
    for field in NOT_READABLE.iter().filter(|field| written.get(**field).is_some()) {
        planner.note(Note::NotReadable { field: (*field).to_owned() });
    }
    let changed = planner.found(found, effect);
    let Some(output) = planner.outputs.get(&family(workload)).cloned() else { return };
    let moves = match &output {
        Output::Known(arn) => facts.task_definition.as_ref() != Some(arn),
        Output::Made(_) => true,
    };
    // Who goes back from what is under way waits for nothing of it, also where it was never written down as applied.
    let leaves = moves && facts.is_rolling_out() && planner.inputs.rolled_back.contains_key(&planner.declared.name);
    planner.under_way |= leaves;
    let Some(failed) = failed_before(planner, facts, &output, moves) else { return };
    let Some(anew) = moved_under_it(planner, facts, moves) else { return };
    let update = Update { changed: &changed, moves, anew, leaves };
    if held(planner, facts, update, failed) {
        return;
    }
    let section = if changed.is_empty() { Section::TaskDefinition } else { Section::Service };
    let writes = (moves || !changed.is_empty()) && planner.may_write(section);
    let update = if writes { update } else { Update { changed: &[], moves: false, ..update } };
    let parts = Parts { written: &written, late: &late, live: &document, update };
    if let Some(input) = update_input(planner, workload, &parts, update.moves.then_some(&output)) {
        let effect = planner.plan.effect();
        let digest = Some(settings_digest(live, planner.inputs.shapes.create_service));
        let against = Some(Against { id: planner.service_resource(), digest });
        let action = Action { call: Call::UpdateService, target: planner.service_resource(), input };
        planner.step(action, effect, against);
    }
}

/// Whether the same revision is deployed anew, because something that it names has moved. `None`: not read yet.
fn moved_under_it(planner: &mut Planner<'_>, facts: &ServiceFacts, moves: bool) -> Option<bool> {
    // A new revision resolves the tags anew by itself, and its tasks are given what is there when they start.
    if moves {
        return Some(false);
    }
    // Both, so that what they lack is read together.
    let (image, secret) = (image::moved(planner, facts), secret::rotated(planner, facts));
    let (image, secret) = (image?, secret?);
    Some(image || secret)
}

/// What one UpdateService is for.
#[derive(Clone, Copy)]
struct Update<'u> {
    /// What differs.
    changed: &'u [(Change, Effect)],
    /// Whether the service goes over to another revision.
    moves: bool,
    /// Whether the same revision is deployed anew, because a tag points to another image, or a secret has changed.
    anew: bool,
    /// Whether it is a rollback of what is under way.
    leaves: bool,
}

impl Update<'_> {
    fn is_some(self) -> bool {
        self.moves || self.anew || !self.changed.is_empty()
    }
}

/// What an update is made from.
struct Parts<'u> {
    /// What git says.
    written: &'u Value,
    /// What of it is not known yet.
    late: &'u [(String, ResourceId)],
    /// What AWS has.
    live: &'u Value,
    /// What it is for.
    update: Update<'u>,
}

/// What git declares, in CreateService's names, against a [`live_document`].
pub fn compare(written: &Value, live: &Value, shape: Shape) -> Differences {
    let mut desired = written.clone();
    let mut live = live.clone();
    // A DAEMON service's defaults are its own, on both sides.
    if let (Value::Object(desired), Some(strategy)) = (&mut desired, live.get("schedulingStrategy")) {
        desired.entry("schedulingStrategy").or_insert(strategy.clone());
    }
    in_live_namespace(&mut desired, &live);
    let any_version = matches!(written.get("platformVersion").and_then(Value::as_str), None | Some("LATEST"));
    if let Value::Object(live) = &mut live {
        if any_version {
            live.remove("platformVersion");
        }
        for field in NOT_OURS_WHEN_LEFT_OUT.iter().filter(|field| written.get(**field).is_none()) {
            live.remove(*field);
        }
    }
    let mut declared = written.clone();
    if let Value::Object(declared) = &mut declared {
        for field in NOT_COMPARED.iter().chain(NOT_READABLE) {
            declared.remove(*field);
        }
        if any_version {
            declared.remove("platformVersion");
        }
    }
    let (desired, live) = (comparable(&desired, shape), comparable(&live, shape));
    diff(SECTION, shape, Managed::Declared(&declared), &desired, &live)
}

/// One owner for the number of tasks: git, or Application Auto Scaling where there is a scalable target.
fn desired_count(
    planner: &mut Planner<'_>,
    mut found: Differences,
    written: &Value,
    facts: &ServiceFacts,
) -> Option<Differences> {
    let is_count = |change: &Change| change.path.top() == Some("desiredCount");
    if !found.changes.iter().any(is_count) {
        return Some(found);
    }
    let scaled = planner.declared.is_scaled()
        || match planner.look(&ResourceId::new(Kind::ScalableTarget, planner.declared.name.as_str())) {
            Look::Present(_) => true,
            Look::Absent => false,
            Look::Later => return None,
        };
    if scaled {
        found.changes.retain(|change| !is_count(change));
        let desired = written.get("desiredCount").and_then(Value::as_i64).unwrap_or_default();
        if !planner.declared.is_scaled() {
            planner.note(Note::ScaledElsewhere { live: facts.desired.into(), desired });
        }
    }
    Some(found)
}

/// Why ECS could not bring up what git says, if it could not: remembered, written as a tag, or, for a declaration that was
/// applied before, as ECS's own history has it (service deployments are kept for 90 days), so that no start of a process
/// deploys it again. The outer `None`: not read yet.
fn failed_before(
    planner: &mut Planner<'_>,
    facts: &ServiceFacts,
    output: &Output,
    moves: bool,
) -> Option<Option<String>> {
    let remembered = planner.failed_before();
    let (Output::Known(arn), true) = (output, moves && !planner.inputs.policy.asked) else { return Some(remembered) };
    if planner.is_retried() {
        return Some(None);
    }
    let told = remembered.as_ref().is_some_and(|reason| reason != FAILED_UNTOLD);
    if told || !planner.applied_already() || facts.is_rolling_out() {
        return Some(remembered);
    }
    let id = ResourceId::new(Kind::ServiceDeployments, planner.declared.name.as_str());
    // What cannot be read here is no reason to hold: it may be a permission that only the reason of failures needs.
    let history = match planner.look_if_readable(&id) {
        Look::Present(live) => live,
        Look::Absent => return Some(remembered),
        Look::Later => return None,
    };
    let Facts::Deployments(all) = &history.facts else { return Some(remembered) };
    let newest = all.iter().find(|deployment| deployment.task_definition.as_ref() == Some(arn));
    // One that was stopped may have made way for a newer one; one that was rolled back has failed.
    let failed = newest.filter(|deployment| deployment.status.starts_with("ROLLBACK"));
    let said = |reason: &String| reason.trim_end_matches('.').to_owned();
    let reason = failed.map(|d| d.reason.as_ref().map_or_else(|| FAILED_UNTOLD.to_owned(), said));
    Some(reason.or(remembered))
}

/// What no update can do now, or at all.
fn held(planner: &mut Planner<'_>, facts: &ServiceFacts, update: Update<'_>, failed: Option<String>) -> bool {
    let Update { changed, moves, anew, leaves } = update;
    let holds = planner.plan.holds.len();
    let names = |effect: Effect| {
        let mut fields: Vec<String> =
            changed.iter().filter(|(_, e)| *e == effect).filter_map(|(c, _)| c.path.top()).map(str::to_owned).collect();
        fields.dedup();
        fields
    };
    let fields = names(Effect::Replacement);
    if !fields.is_empty() {
        planner.hold(Hold::Replacement { fields });
    }
    let live = planner.inputs.snapshot.live(&planner.service_resource());
    let controller = live.map_or("ECS", |live| shift::controller(live)).to_owned();
    if controller != "ECS" {
        let mut fields: Vec<String> = changed.iter().filter_map(|(c, _)| c.path.top()).map(str::to_owned).collect();
        fields.extend(moves.then(|| "taskDefinition".to_owned()));
        fields.extend(anew.then(|| "forceNewDeployment".to_owned()));
        let code_deploy = controller == "CODE_DEPLOY";
        fields.retain(|f| {
            let taken = BY_OTHER_CONTROLLERS.contains(&f.as_str()) || (code_deploy && f == "deploymentConfiguration");
            !taken
        });
        fields.dedup();
        if !fields.is_empty() {
            planner.hold(Hold::Controller { controller, fields });
        }
    }
    let differs = moves || !changed.is_empty();
    if let Some(reason) = failed.filter(|_| differs) {
        planner.hold(Hold::RolloutFailed { reason });
    } else if differs && !leaves && planner.applied_already() && facts.is_rolling_out() && !planner.inputs.policy.asked
    {
        let deployment = facts.primary().map(|primary| primary.id.clone()).unwrap_or_default();
        planner.hold(Hold::RolloutInProgress { deployment });
    }
    planner.plan.holds.len() > holds
}

/// Only the fields that differ, each in full: UpdateService merges at the top, and inside a block what it replaces and
/// what it keeps differs from member to member, so a block is sent as git says it with the live values of what git
/// leaves out.
fn update_input(
    planner: &Planner<'_>,
    workload: &Workload,
    parts: &Parts<'_>,
    task_definition: Option<&Output>,
) -> Option<Input> {
    let Parts { written, late, live, update } = *parts;
    let Update { changed, anew, .. } = update;
    let scope = &planner.inputs.desired.environment.scope;
    let mut fields: Vec<&'static str> = changed.iter().filter_map(|(change, _)| change.path.top()).collect();
    fields.dedup();
    if !update.is_some() {
        return None;
    }
    let mut input = Input::default();
    let mut map = Map::new();
    for field in &fields {
        let value = written.get(*field).cloned().unwrap_or_else(|| cleared(field));
        let shape = planner.inputs.shapes.create_service.field(field).map(|field| (field.shape)());
        let block = match (live.get(*field), shape) {
            (Some(live), Some(shape)) => laid_over(shape, live, &value),
            _ => value,
        };
        map.insert((*field).to_owned(), block);
    }
    // A change that starts a deployment takes along what cannot be read back.
    for field in NOT_READABLE {
        map.extend(written.get(*field).map(|value| ((*field).to_owned(), value.clone())));
    }
    // "volumeConfigurations are needed with a task definition whose volumes are configured at launch" (UpdateService).
    if task_definition.is_some() {
        map.extend(written.get("volumeConfigurations").map(|value| ("volumeConfigurations".to_owned(), value.clone())));
    }
    if anew || changed.iter().any(|(_, effect)| *effect == Effect::ForcedRestart) {
        map.insert("forceNewDeployment".into(), json!(true));
    }
    strategy_blocks(&mut map, written);
    map.insert("cluster".into(), json!(scope.cluster.as_str()));
    map.insert("service".into(), json!(planner.declared.name.as_str()));
    input.document = Value::Object(map);
    if let Some(output) = task_definition {
        point_at(&mut input, &family(workload), output);
    }
    input.late.extend(super::settle::late_in(&late.to_vec(), &fields));
    Some(input)
}

/// Linear and canary blocks are valid only with their own strategy: live ones are not carried along.
fn strategy_blocks(map: &mut Map<String, Value>, written: &Value) {
    let Some(Value::Object(configuration)) = map.get_mut("deploymentConfiguration") else { return };
    for block in ["linearConfiguration", "canaryConfiguration"] {
        if written.pointer(&format!("/deploymentConfiguration/{block}")).is_none() {
            configuration.remove(block);
        }
    }
}

/// How UpdateService says that a field is to be as if nobody had set it: what is left out stays (recorded answers).
/// Only a strict service asks for that.
fn cleared(field: &str) -> Value {
    match field {
        "healthCheckGracePeriodSeconds" => json!(0),
        "propagateTags" => json!("NONE"),
        "enableECSManagedTags" | "enableExecuteCommand" => json!(false),
        "platformVersion" => json!("LATEST"),
        "serviceConnectConfiguration" => json!({ "enabled": false }),
        "deploymentConfiguration" => json!({}),
        _ => json!([]),
    }
}

/// Declared tags that are missing or different; and, when anything is written, from which declaration. A service that
/// carries that tag with another declaration was updated by a plan that did not come to its end: it is tagged, too. The
/// last of all steps.
pub fn mark(planner: &mut Planner<'_>) {
    let Some(workload) = planner.workload() else { return };
    let id = planner.service_resource();
    let live = match planner.look(&id) {
        Look::Present(live) => live,
        Look::Absent => return mark_created(planner),
        Look::Later => return,
    };
    match &live.facts {
        Facts::Service(facts) if facts.status == "ACTIVE" => {}
        Facts::Service(facts) if facts.status == "INACTIVE" => return mark_created(planner),
        _ => return,
    }
    // What is on hold, or between two groups, is not applied yet.
    if !planner.plan.holds.is_empty() || !planner.moving.is_empty() {
        return;
    }
    let path = crate::core::diff::Path::section(SECTION);
    let mut tags = planner.missing_tags(&path, &workload.service.to_value(), &live.tags);
    if !tags.is_empty() && !planner.may_write(Section::Service) {
        tags.clear();
    }
    let digest: String = planner.declared.digest.chars().take(16).collect();
    let applied = planner.live_applied();
    let same = |applied: &Applied| applied.digest == digest && applied.prune == planner.declared.sync.prune;
    let unfinished = applied.as_ref().is_some_and(|applied| !same(applied));
    if tags.is_empty() && planner.plan.steps.is_empty() && !unfinished {
        return;
    }
    // The same declaration keeps the commit that it was first applied from.
    if !applied.as_ref().is_some_and(same) {
        tags.insert(APPLIED_TAG.into(), planner.applied_tag());
    }
    tags.extend(planner.tried_again());
    let action = live.arn.as_ref().filter(|_| !tags.is_empty()).and_then(|arn| Action::tag(id, arn, &tags));
    if let Some(action) = action {
        planner.step(action, Effect::NoRestart, None);
    }
}

/// A service that was made in this plan, with more behind it.
fn mark_created(planner: &mut Planner<'_>) {
    let id = planner.service_resource();
    let made = matches!(planner.outputs.get(&id), Some(Output::Made(_)));
    if !made || !planner.declared.is_scaled() {
        return;
    }
    let tags = json!([{ "key": APPLIED_TAG, "value": planner.applied_tag() }]);
    let document = json!({ "resourceArn": null, "tags": tags });
    let input = Input { document, late: vec![("/resourceArn".into(), id.clone())] };
    planner.step(Action { call: Call::TagEcs, target: id, input }, Effect::NoRestart, None);
}
