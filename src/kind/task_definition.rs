//! Task definitions: immutable documents. "Update" is: register a revision, point the service at it.
//!
//! Live is the revision that the service runs, not the newest of its family. A new revision is registered only when no
//! ACTIVE one has the same content.

use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Section, Workload};
use crate::core::diff::{Managed, Path, diff};
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::normal::{Literal, Row, Rule, Table, digest, normalise, ordered};
use crate::core::observed::{Facts, Live};
use crate::core::plan::{COMMIT_TAG, CONTENT_TAG, Hold, Look, Note, Output, Planner};
use crate::core::shape::{Order, Shape};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// How many of a family's newest ACTIVE revisions are compared before a new one is registered. DescribeTaskDefinition
/// takes one at a time; a rollback goes back further than this so rarely that a new revision is the cheaper answer.
pub const REVISIONS_COMPARED_MAX: usize = 10;

/// The section's name in paths.
const SECTION: &str = "taskDefinition";

const fn within(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Within(literal) }
}

const fn always(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Always(literal) }
}

const fn presence(path: &'static str) -> Row {
    Row { path, rule: Rule::Presence }
}

/// What AWS fills in, and the spellings that it takes for the same. Sources: ECS API reference (RegisterTaskDefinition,
/// ContainerDefinition and the types named), ECS developer guide ("Task definition parameters"), and recorded answers of
/// DescribeTaskDefinition.
pub const ROWS: &[Row] = &[
    // "The default network mode is bridge on Linux"; Fargate demands awsvpc, so the default never meets it.
    always("networkMode", Literal::Text("bridge")),
    always("enableFaultInjection", Literal::Bool(false)),
    // Not written back when it was left out; both mean the same platform.
    always("runtimePlatform.cpuArchitecture", Literal::Text("X86_64")),
    always("runtimePlatform.operatingSystemFamily", Literal::Text("LINUX")),
    Row { path: "cpu", rule: Rule::Spelling(cpu) },
    Row { path: "memory", rule: Rule::Spelling(memory) },
    within("containerDefinitions.essential", Literal::Bool(true)),
    within("containerDefinitions.cpu", Literal::Int(0)),
    within("containerDefinitions.versionConsistency", Literal::Text("enabled")),
    within("containerDefinitions.privileged", Literal::Bool(false)),
    within("containerDefinitions.interactive", Literal::Bool(false)),
    within("containerDefinitions.pseudoTerminal", Literal::Bool(false)),
    within("containerDefinitions.readonlyRootFilesystem", Literal::Bool(false)),
    within("containerDefinitions.disableNetworking", Literal::Bool(false)),
    within("containerDefinitions.portMappings.protocol", Literal::Text("tcp")),
    presence("containerDefinitions.healthCheck"),
    within("containerDefinitions.healthCheck.interval", Literal::Int(30)),
    within("containerDefinitions.healthCheck.timeout", Literal::Int(5)),
    within("containerDefinitions.healthCheck.retries", Literal::Int(3)),
    within("containerDefinitions.healthCheck.startPeriod", Literal::Int(0)),
    // "You must specify this parameter unless you specify sharingStrategy": what is left out is read as an empty string.
    within("containerDefinitions.resourceRequirements.value", Literal::Text("")),
    within("containerDefinitions.mountPoints.readOnly", Literal::Bool(false)),
    within("containerDefinitions.volumesFrom.readOnly", Literal::Bool(false)),
    presence("containerDefinitions.restartPolicy"),
    within("containerDefinitions.restartPolicy.restartAttemptPeriod", Literal::Int(300)),
    presence("containerDefinitions.firelensConfiguration"),
    within("containerDefinitions.linuxParameters.devices.permissions", Literal::Texts(&["mknod", "read", "write"])),
    within("volumes.configuredAtLaunch", Literal::Bool(false)),
    // Without settings it is a volume of Docker's all the same, and not one of the host.
    presence("volumes.dockerVolumeConfiguration"),
    within("volumes.dockerVolumeConfiguration.scope", Literal::Text("task")),
    within("volumes.dockerVolumeConfiguration.autoprovision", Literal::Bool(false)),
    within("volumes.efsVolumeConfiguration.rootDirectory", Literal::Text("/")),
    within("volumes.efsVolumeConfiguration.transitEncryption", Literal::Text("DISABLED")),
    within("volumes.efsVolumeConfiguration.authorizationConfig.iam", Literal::Text("DISABLED")),
    within("volumes.s3filesVolumeConfiguration.rootDirectory", Literal::Text("/")),
    within("proxyConfiguration.type", Literal::Text("APPMESH")),
];

/// [`ROWS`], arranged.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

/// The one form of a task definition: without tags, which belong to the revision and not to its content.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut normal = normalise(document, shape, &TABLE);
    if let Value::Object(map) = &mut normal {
        map.remove("tags");
        for role in ["taskRoleArn", "executionRoleArn"] {
            if map.get(role) == Some(&json!("")) {
                map.remove(role);
            }
        }
    }
    host_ports(&mut normal);
    swappiness(&mut normal);
    normal
}

/// The one form of a live revision.
fn live_comparable(live: &Live, shape: Shape) -> &Value {
    live.comparable.get_or_init(|| comparable(&live.document, shape))
}

/// `hostPort` left out: the container's port under awsvpc and host, 0 (a dynamic port) under bridge (PortMapping).
fn host_ports(document: &mut Value) {
    let mode = document.get("networkMode").and_then(Value::as_str).unwrap_or("bridge");
    let same = matches!(mode, "awsvpc" | "host");
    for container in document.get_mut("containerDefinitions").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(mappings) = container.get_mut("portMappings").and_then(Value::as_array_mut) else { continue };
        for mapping in mappings.iter_mut() {
            let Value::Object(mapping) = mapping else { continue };
            if mapping.contains_key("containerPortRange") || mapping.contains_key("hostPort") {
                continue;
            }
            // With awsvpc a written 0 is refused by AWS; it is left as it is.
            let filled = if same { mapping.get("containerPort").cloned() } else { Some(json!(0)) };
            mapping.extend(filled.map(|port| ("hostPort".to_owned(), port)));
        }
        *mappings = ordered(std::mem::take(mappings), Order::By(&["containerPort", "hostPort", "protocol"]));
    }
}

/// "If the maxSwap parameter is specified, swappiness is 60 by default" (LinuxParameters).
fn swappiness(document: &mut Value) {
    for container in document.get_mut("containerDefinitions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::Object(linux)) = container.get_mut("linuxParameters")
            && linux.get("maxSwap").is_some_and(|swap| !swap.is_null())
        {
            linux.entry("swappiness").or_insert(json!(60));
        }
    }
}

/// `0.25 vCPU` is stored as `256`.
fn cpu(value: &Value) -> Option<Value> {
    sized(value, "vcpu", 1024.0)
}

/// `1 GB` is stored as `1024`.
fn memory(value: &Value) -> Option<Value> {
    sized(value, "gb", 1024.0)
}

fn sized(value: &Value, unit: &str, factor: f64) -> Option<Value> {
    if value.is_number() {
        return Some(value.to_string().into());
    }
    let text = value.as_str()?.trim().to_lowercase();
    let number = text.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
    Some(format!("{}", (number * factor).round()).into())
}

/// Plans the service's task definition: the running revision, another ACTIVE one with the same content, or a new one.
pub fn plan(planner: &mut Planner<'_>) {
    let Some(workload) = planner.workload() else { return };
    let shape = planner.inputs.shapes.task_definition;
    let service = match planner.look(&planner.service_resource()) {
        Look::Present(live) => Some(live),
        Look::Absent => None,
        Look::Later => return,
    };
    let running = service.as_ref().and_then(|live| match &live.facts {
        Facts::Service(facts) if facts.status != "INACTIVE" => facts.task_definition.clone(),
        _ => None,
    });
    if let Some(running) = &running
        && !same_family(planner, workload, running)
    {
        return;
    }
    let live = match &running {
        None => None,
        Some(arn) => match planner.look(&revision_resource(arn)) {
            Look::Present(live) => Some(live),
            Look::Absent => None,
            Look::Later => return,
        },
    };
    let Some(input) =
        planner.complete(SECTION, &workload.task_definition, &live.as_deref().map(environment).unwrap_or_default())
    else {
        return;
    };
    let desired = comparable(&input.document, shape);
    let id = ResourceId::new(Kind::TaskDefinition, workload.family.as_str());
    if let (Some(live), Some(running)) = (&live, &running) {
        let found = diff(SECTION, shape, Managed::Whole, &desired, live_comparable(live, shape));
        planner.plan.same += found.same;
        let differs = !planner.change(found.changes, |_| Effect::RollingRestart).is_empty();
        if !differs || !planner.may_write(Section::TaskDefinition) {
            // Tags belong to the revision, not to its content: they change without a new one.
            let tags = planner.missing_tags(&Path::section(SECTION), &input.document, &live.tags);
            let action = Action::tag(revision_resource(running), running, &tags);
            if let Some(action) = action.filter(|_| !tags.is_empty() && planner.may_write(Section::TaskDefinition)) {
                planner.step(action, Effect::NoRestart, None);
            }
            planner.plan.task_definition = Some(running.clone());
            planner.outputs.insert(id, Output::Known(running.clone()));
            return;
        }
    }
    match reusable(planner, workload, &desired, shape) {
        Reuse::Later => {}
        Reuse::Revision(arn) => {
            planner.plan.notes.push(Note::Reused { task_definition: arn.clone() });
            planner.plan.task_definition = Some(arn.clone());
            planner.outputs.insert(id, Output::Known(arn));
        }
        Reuse::None => {
            let mut input = input;
            let commit = planner.inputs.revision.map(|commit| (COMMIT_TAG.to_owned(), commit.as_str().to_owned()));
            tag(&mut input.document, planner.owner_tags().into_iter().chain(commit), &desired);
            let effect = if running.is_some() { Effect::RollingRestart } else { Effect::Create };
            planner.make(Action { call: Call::RegisterTaskDefinition, target: id, input }, effect, None);
        }
    }
}

/// A prod-app service can never run a prod-api task unless it is said on purpose (desired-state rule 4).
fn same_family(planner: &mut Planner<'_>, workload: &Workload, running: &Arn) -> bool {
    let live = family(running);
    let desired = workload.family.clone();
    if live == desired || workload.allow_family_change {
        return true;
    }
    planner.hold(Hold::FamilyChange { live: live.to_owned(), desired });
    false
}

/// The family in a revision's ARN, `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:REVISION`.
fn family(arn: &Arn) -> &str {
    let text = arn.as_str().rsplit('/').next().unwrap_or_default();
    text.split(':').next().unwrap_or_default()
}

fn revision_resource(arn: &Arn) -> ResourceId {
    ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str())
}

/// The plain environment of a revision by container and name, for `keepLive`.
fn environment(live: &Live) -> BTreeMap<(String, String), String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let containers = live.document.get("containerDefinitions").and_then(Value::as_array).into_iter().flatten();
    containers
        .flat_map(|container| {
            let name = text(container, "name").unwrap_or_default();
            let variables = container.get("environment").and_then(Value::as_array).into_iter().flatten();
            variables.filter_map(move |variable| {
                Some(((name.clone(), text(variable, "name")?), text(variable, "value").unwrap_or_default()))
            })
        })
        .collect()
}

enum Reuse {
    Revision(Arn),
    None,
    Later,
}

/// The newest ACTIVE revision of the family whose content is the desired one.
fn reusable(planner: &mut Planner<'_>, workload: &Workload, desired: &Value, shape: Shape) -> Reuse {
    let family = ResourceId::new(Kind::TaskDefinitionFamily, workload.family.as_str());
    let revisions = match planner.look(&family) {
        Look::Present(live) => match &live.facts {
            Facts::Family(revisions) => revisions.clone(),
            _ => Vec::new(),
        },
        Look::Absent => Vec::new(),
        Look::Later => return Reuse::Later,
    };
    let (mut found, mut later) = (None, false);
    for arn in revisions.into_iter().take(REVISIONS_COMPARED_MAX) {
        match planner.look(&revision_resource(&arn)) {
            Look::Present(live) if is_active(&live) && live_comparable(&live, shape) == desired => {
                found = found.or(Some(arn));
            }
            Look::Present(_) | Look::Absent => {}
            Look::Later => later = true,
        }
    }
    match found {
        _ if later => Reuse::Later,
        Some(arn) => Reuse::Revision(arn),
        None => Reuse::None,
    }
}

fn is_active(live: &Arc<Live>) -> bool {
    !matches!(live.facts, Facts::Revision { active: false })
}

/// Declared tags, and ours: environment, service and commit, and the digest of the content.
fn tag(document: &mut Value, made: impl Iterator<Item = (String, String)>, desired: &Value) {
    let Value::Object(map) = document else { return };
    let ours = made.chain([(CONTENT_TAG.to_owned(), digest(desired))]);
    let tags = map.entry("tags").or_insert_with(|| json!([]));
    if let Value::Array(tags) = tags {
        tags.extend(ours.map(|(key, value)| json!({ "key": key, "value": value })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_form() {
        for (size, written, stored) in [
            (cpu as fn(&Value) -> Option<Value>, "0.25 vCPU", "256"),
            (cpu, ".5vcpu", "512"),
            (cpu, "1 vCPU", "1024"),
            (memory, "1 GB", "1024"),
            (memory, "4GB", "4096"),
            (memory, "0.5 gb", "512"),
        ] {
            assert_eq!(size(&json!(written)), Some(json!(stored)), "{written}");
        }
        assert_eq!(cpu(&json!("256")), None);
        assert_eq!(cpu(&json!(256)), Some(json!("256")));
    }
}
