//! ECS services: what DescribeServices answers against CreateService's names, one UpdateService a change.

mod comparable;

use comparable::{NOT_COMPARED, NOT_OURS_WHEN_LEFT_OUT, NOT_READABLE};
pub use comparable::{ROWS, comparable, live_document, settings_digest};

use crate::core::action::{Action, Effect, Input};
use crate::core::desired::Declared;
use crate::core::diff::{Change, Differences, Managed, diff};
use crate::core::id::{Kind, ResourceId};
use crate::core::normal::digest;
use crate::core::observed::{Facts, Live, ServiceFacts};
use crate::core::plan::{APPLIED_TAG, Against, Hold, Look, Note, Output, Planner};
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
    let live = match planner.look(&planner.service_resource()) {
        Look::Present(live) => Some(live),
        Look::Absent => None,
        Look::Later => return,
    };
    let live = live.and_then(|live| match &live.facts {
        // An INACTIVE service is gone, its name is free (DeleteService).
        Facts::Service(facts) if facts.status == "INACTIVE" => None,
        Facts::Service(facts) => Some((live.clone(), facts.clone())),
        Facts::None | Facts::Family(_) | Facts::Value(_) | Facts::Revision { .. } => None,
    });
    match live {
        Some((_, facts)) if facts.status == "DRAINING" => planner.hold(Hold::Draining),
        Some((live, facts)) => update(planner, &live, &facts),
        None => create(planner),
    }
}

fn family(declared: &Declared) -> ResourceId {
    ResourceId::new(Kind::TaskDefinition, declared.family.as_str())
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

fn create(planner: &mut Planner<'_>) {
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
    let Some(mut input) = planner.complete(SECTION, &declared.service, &BTreeMap::new()) else { return };
    let Some(output) = planner.outputs.get(&family(declared)).cloned().filter(|_| cluster_there) else { return };
    point_at(&mut input, &family(declared), &output);
    let mut tags = planner.made_tags();
    tags.insert(APPLIED_TAG.into(), planner.applied_tag());
    if let Value::Object(map) = &mut input.document {
        map.insert("cluster".into(), json!(scope.cluster.as_str()));
        map.insert("serviceName".into(), json!(declared.name.as_str()));
        let given = map.entry("tags").or_insert_with(|| json!([]));
        if let Value::Array(given) = given {
            given.extend(tags.into_iter().map(|(key, value)| json!({ "key": key, "value": value })));
        }
        // REPLICA services must say how many (CreateService, desiredCount).
        if map.get("schedulingStrategy") != Some(&json!("DAEMON")) {
            map.entry("desiredCount").or_insert(json!(declared.initial_count));
        }
        // At most 36 characters (CreateService, clientToken); the same declaration has the same token.
        let place = format!("{}/{}/{}", scope.account, scope.region, scope.cluster);
        let token: String =
            digest(&json!([place, declared.name.as_str(), planner.plan.digest])).chars().take(32).collect();
        map.insert("clientToken".into(), json!(token));
    }
    let against = Some(Against { id: planner.service_resource(), digest: None });
    let action = Action::CreateService { service: declared.name.clone(), input };
    planner.step(action, Effect::Create, against);
}

fn update(planner: &mut Planner<'_>, live: &Live, facts: &ServiceFacts) {
    let declared = planner.declared;
    let Some(input) = planner.complete(SECTION, &declared.service, &BTreeMap::new()) else { return };
    let written = input.document;
    let document = live_document(&live.document);
    let found = compare(&written, &document, planner.inputs.shapes.create_service);
    let Some(found) = desired_count(planner, found, &written, facts) else { return };
    planner.plan.same += found.same;
    for field in NOT_READABLE.iter().filter(|field| written.get(**field).is_some()) {
        planner.plan.notes.push(Note::NotReadable { field: (*field).to_owned() });
    }
    planner.plan.notes.extend(found.undeclared.into_iter().map(|change| Note::NotInGit { change }));
    let first = planner.plan.changes.len();
    planner.change(found.changes, effect);
    let changed: Vec<(Change, Effect)> = planner.plan.changes[first..].to_vec();
    let Some(output) = planner.outputs.get(&family(declared)).cloned() else { return };
    let moves = match &output {
        Output::Known(arn) => facts.task_definition.as_ref() != Some(arn),
        Output::Made(_) => true,
    };
    if !held(planner, facts, &changed, moves) {
        let input = update_input(planner, &written, &document, &changed, moves.then_some(&output));
        if let Some(input) = input {
            let effect = planner.plan.effect();
            let against = Some(Against {
                id: planner.service_resource(),
                digest: Some(settings_digest(live, planner.inputs.shapes.create_service)),
            });
            let action = Action::UpdateService { service: declared.name.clone(), input };
            planner.step(action, effect, against);
        }
        tags(planner, live, &written);
    }
}

/// What git declares, in CreateService's names, against a [`live_document`].
pub fn compare(written: &Value, live: &Value, shape: Shape) -> Differences {
    let mut desired = written.clone();
    let mut live = live.clone();
    // A DAEMON service's defaults are its own, on both sides.
    if let (Value::Object(desired), Some(strategy)) = (&mut desired, live.get("schedulingStrategy")) {
        desired.entry("schedulingStrategy").or_insert(strategy.clone());
    }
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
    let scaled = planner.declared.scaled
        || match planner.look(&ResourceId::new(Kind::ScalableTarget, planner.declared.name.as_str())) {
            Look::Present(_) => true,
            Look::Absent => false,
            Look::Later => return None,
        };
    if scaled {
        found.changes.retain(|change| !is_count(change));
        let desired = written.get("desiredCount").and_then(Value::as_i64).unwrap_or_default();
        if !planner.declared.scaled {
            planner.plan.notes.push(Note::ScaledElsewhere { live: facts.desired.into(), desired });
        }
    }
    Some(found)
}

/// What no update can do now, or at all.
fn held(planner: &mut Planner<'_>, facts: &ServiceFacts, changed: &[(Change, Effect)], moves: bool) -> bool {
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
    let controller = controller(planner);
    if controller != "ECS" {
        let mut fields: Vec<String> = changed.iter().filter_map(|(c, _)| c.path.top()).map(str::to_owned).collect();
        fields.extend(moves.then(|| "taskDefinition".to_owned()));
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
    if let Some(reason) = planner.failed_before().filter(|_| differs) {
        planner.hold(Hold::RolloutFailed { reason });
    } else if differs && planner.applied_already() && facts.is_rolling_out() && !planner.inputs.policy.asked {
        let deployment = facts.primary().map(|primary| primary.id.clone()).unwrap_or_default();
        planner.hold(Hold::RolloutInProgress { deployment });
    }
    planner.plan.holds.len() > holds
}

/// The live deployment controller; left out in some answers, where it is ECS.
fn controller(planner: &Planner<'_>) -> String {
    let live = planner.inputs.snapshot.live(&planner.service_resource());
    let kind = live.and_then(|live| live.document.pointer("/deploymentController/type")?.as_str());
    kind.unwrap_or("ECS").to_owned()
}

/// Only the fields that differ, each in full: UpdateService merges at the top, and inside a block what it replaces and
/// what it keeps differs from member to member, so a block is sent as git says it with the live values of what git
/// leaves out.
fn update_input(
    planner: &Planner<'_>,
    written: &Value,
    live: &Value,
    changed: &[(Change, Effect)],
    task_definition: Option<&Output>,
) -> Option<Input> {
    let scope = &planner.inputs.desired.environment.scope;
    let mut fields: Vec<&'static str> = changed.iter().filter_map(|(change, _)| change.path.top()).collect();
    fields.dedup();
    if fields.is_empty() && task_definition.is_none() {
        return None;
    }
    let mut input = Input::default();
    let mut map = Map::new();
    for field in &fields {
        let value = written.get(*field).cloned().unwrap_or(Value::Null);
        let block = match (live.get(*field), &value) {
            (Some(live @ Value::Object(_)), Value::Object(_)) => laid_over(live, &value),
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
    if changed.iter().any(|(_, effect)| *effect == Effect::ForcedRestart) {
        map.insert("forceNewDeployment".into(), json!(true));
    }
    strategy_blocks(&mut map, written);
    map.insert("cluster".into(), json!(scope.cluster.as_str()));
    map.insert("service".into(), json!(planner.declared.name.as_str()));
    input.document = Value::Object(map);
    if let Some(output) = task_definition {
        point_at(&mut input, &family(planner.declared), output);
    }
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

/// `over` upon `base`: mappings deeply, everything else whole.
fn laid_over(base: &Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            let mut merged = base.clone();
            for (key, value) in over {
                let value = base.get(key).map_or_else(|| value.clone(), |base| laid_over(base, value));
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        _ => over.clone(),
    }
}

/// Declared tags that are missing or different; and, when anything is written, from which declaration. A service that
/// carries that tag with another declaration was updated by a plan that did not come to its end: it is tagged, too.
fn tags(planner: &mut Planner<'_>, live: &Live, written: &Value) {
    let mut tags = planner.missing_tags(SECTION, written, live);
    let unfinished = live.tags.get(APPLIED_TAG).is_some_and(|tag| *tag != planner.applied_tag());
    if tags.is_empty() && planner.plan.steps.is_empty() && !unfinished {
        return;
    }
    let Some(arn) = live.arn.clone() else { return };
    tags.insert(APPLIED_TAG.into(), planner.applied_tag());
    tags.retain(|key, value| live.tags.get(key) != Some(value));
    if !tags.is_empty() {
        planner.step(Action::Tag { target: planner.service_resource(), arn, tags }, Effect::NoRestart, None);
    }
}
