//! What RegisterTaskDefinition refuses. Where AWS's words are known from recorded errors, they are AWS's.

use super::super::common::{client, is_empty, is_name};
use super::fargate;
use super::register::containers;
use crate::sim::world::Refusal;
use crate::sim::world::input::{flag, list, number, text, texts};
use serde_json::Value;
use std::collections::BTreeSet;

/// "Containers per task definition: 10" (Developer Guide, "Amazon ECS service quotas").
const MOST_CONTAINERS: usize = 10;

/// The whole definition, as it was sent, with its sizes in numbers.
///
/// # Errors
/// `ClientException`.
pub fn task(document: &Value) -> Result<(), Refusal> {
    let family = text(document, "family").ok_or_else(|| client("Family should not be null or empty."))?;
    if !is_name(family) {
        return Err(client("Family contains invalid characters."));
    }
    known(document, "networkMode", &["bridge", "host", "awsvpc", "none"])?;
    known(document, "pidMode", &["host", "task"])?;
    known(document, "ipcMode", &["host", "task", "none"])?;
    for (field, least) in [("cpu", 128), ("memory", 4)] {
        let size = text(document, field).map(|size| size.parse::<i64>().ok().filter(|size| *size >= least));
        if size.is_some_and(|size| size.is_none()) {
            return Err(client(format!(
                "Invalid '{field}' setting for task. For more information, see the Troubleshooting section of the Amazon \
                 ECS Developer Guide."
            )));
        }
    }
    let all = containers(document);
    if all.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    if all.len() > MOST_CONTAINERS {
        return Err(client("Too many containers."));
    }
    volumes(document)?;
    all.iter().try_for_each(|each| container(document, each))?;
    together(document)?;
    storage(document)?;
    where_to_run(document)
}

/// `requiresCompatibilities`: where it was to be able to run.
fn where_to_run(document: &Value) -> Result<(), Refusal> {
    let awsvpc = text(document, "networkMode") == Some("awsvpc");
    for wanted in texts(document, "requiresCompatibilities") {
        match wanted {
            "FARGATE" => fargate::check(document)?,
            "EXTERNAL" if awsvpc => {
                return Err(client("EXTERNAL compatible task definitions do not support network mode 'awsvpc'."));
            }
            "EC2" | "EXTERNAL" | "MANAGED_INSTANCES" => {}
            other => return Err(client(format!("Unknown compatibility {other:?}."))),
        }
    }
    Ok(())
}

fn known(value: &Value, field: &str, known: &[&str]) -> Result<(), Refusal> {
    match text(value, field) {
        Some(text) if !known.contains(&text) => {
            Err(client(format!("Invalid {field} '{text}'. Must be one of [{}].", known.join(", "))))
        }
        _ => Ok(()),
    }
}

fn within(value: &Value, field: &str, least: i64, most: i64, what: &str) -> Result<(), Refusal> {
    match number(value, field) {
        Some(number) if !(least..=most).contains(&number) => {
            Err(client(format!("Invalid '{field}' setting for {what}. It must be between {least} and {most}.")))
        }
        _ => Ok(()),
    }
}

/// "21 to 200 GiB", for tasks on Fargate (EphemeralStorage).
fn storage(document: &Value) -> Result<(), Refusal> {
    let size = document.get("ephemeralStorage").and_then(|storage| number(storage, "sizeInGiB"));
    match size {
        Some(size) if size < 21 => Err(client("EphemeralStorage size should be at least 21.")),
        Some(size) if size > 200 => Err(client("EphemeralStorage size should be at most 200.")),
        _ => Ok(()),
    }
}

fn volumes(document: &Value) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for volume in list(document, "volumes") {
        let name = text(volume, "name").unwrap_or_default();
        if !is_name(name) {
            return Err(client("Volume.name contains invalid characters."));
        }
        if !names.insert(name) {
            return Err(client(format!("Duplicate volume '{name}'.")));
        }
        let Some(efs) = volume.get("efsVolumeConfiguration") else { continue };
        let point = efs.get("authorizationConfig").and_then(|authorization| text(authorization, "accessPointId"));
        if point.is_some() && text(efs, "rootDirectory").is_some_and(|root| root != "/") {
            let message =
                "When using an EFS access point, the root directory must either be set to \"/\" or be omitted.";
            return Err(client(message));
        }
    }
    Ok(())
}

fn container(document: &Value, container: &Value) -> Result<(), Refusal> {
    let name = text(container, "name").ok_or_else(|| client("Container.name should not be null or empty."))?;
    if !is_name(name) {
        return Err(client("Container.name contains invalid characters."));
    }
    if text(container, "image").is_none() {
        return Err(client("Container.image should not be null or empty."));
    }
    memory(document, container, name)?;
    ports(document, container, name)?;
    if let Some(check) = container.get("healthCheck") {
        if list(check, "command").is_empty() {
            return Err(client(format!("Invalid health check for container '{name}'. A command is required.")));
        }
        let what = format!("health check of container '{name}'");
        for (field, least, most) in
            [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)]
        {
            within(check, field, least, most, &what)?;
        }
    }
    if let Some(policy) = container.get("restartPolicy") {
        within(policy, "restartAttemptPeriod", 60, 1800, &format!("container '{name}'"))?;
    }
    if text(document, "networkMode") == Some("awsvpc") {
        for (what, used) in [
            ("Links are", !is_empty(container.get("links"))),
            ("Hostname is", text(container, "hostname").is_some()),
            ("Extra hosts are", !is_empty(container.get("extraHosts"))),
            ("Disable Networking is", flag(container, "disableNetworking") == Some(true)),
        ] {
            if used {
                return Err(client(format!("{what} not supported on container when networkMode=awsvpc.")));
            }
        }
    }
    secrets(document, container)?;
    logs(container)?;
    let volumes = list(document, "volumes");
    for mount in list(container, "mountPoints") {
        let source = text(mount, "sourceVolume").unwrap_or_default();
        if !volumes.iter().any(|volume| text(volume, "name") == Some(source)) {
            return Err(client(format!("Unknown volume '{source}'.")));
        }
    }
    Ok(())
}

/// "If a task-level memory value is not specified, you must specify a non-zero integer for one or both of memory or
/// memoryReservation" (ContainerDefinition, memory).
fn memory(document: &Value, container: &Value, name: &str) -> Result<(), Refusal> {
    let invalid = |why: String| client(format!("Invalid setting for container '{name}'. {why}"));
    let task = text(document, "memory").and_then(|memory| memory.parse::<i64>().ok());
    let (hard, soft) = (number(container, "memory"), number(container, "memoryReservation"));
    if task.is_none() && hard.is_none() && soft.is_none() {
        return Err(invalid("At least one of 'memory' or 'memoryReservation' must be specified.".to_owned()));
    }
    if hard.zip(soft).is_some_and(|(hard, soft)| hard < soft) {
        return Err(invalid("'memory' must be greater than or equal to 'memoryReservation'.".to_owned()));
    }
    let greater = |value: Option<i64>| value.zip(task).is_some_and(|(value, task)| value > task);
    for (field, value) in [("memory", hard), ("memoryReservation", soft)] {
        if value.is_some_and(|value| value < 4) {
            return Err(invalid(format!("'{field}' must be at least 4.")));
        }
        if greater(value) {
            return Err(client(format!("The '{field}' setting for container '{name}' is greater than for the task.")));
        }
    }
    Ok(())
}

fn ports(document: &Value, container: &Value, name: &str) -> Result<(), Refusal> {
    let mode = text(document, "networkMode").unwrap_or("bridge");
    for mapping in list(container, "portMappings") {
        within(mapping, "containerPort", 1, 65535, &format!("container '{name}'"))?;
        within(mapping, "hostPort", 0, 65535, &format!("container '{name}'"))?;
        let (inside, outside) = (number(mapping, "containerPort"), number(mapping, "hostPort").unwrap_or(0));
        if inside.is_some() == text(mapping, "containerPortRange").is_some() {
            return Err(client(match inside {
                Some(_) => "Invalid port mapping: cannot specify both single port and port range.".to_owned(),
                None => format!("Invalid port mapping for container '{name}': it has no container port."),
            }));
        }
        if matches!(mode, "awsvpc" | "host") && outside != 0 && inside.is_some_and(|inside| inside != outside) {
            return Err(client(format!(
                "When networkMode={mode}, the host ports and container ports in port mappings must match."
            )));
        }
        known(mapping, "protocol", &["tcp", "udp"])?;
        known(mapping, "appProtocol", &["http", "http2", "grpc"])?;
    }
    Ok(())
}

fn secrets(document: &Value, container: &Value) -> Result<(), Refusal> {
    let secrets = list(container, "secrets");
    if !secrets.is_empty() && text(document, "executionRoleArn").is_none() {
        let message =
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.";
        return Err(client(message));
    }
    let environment = list(container, "environment").iter().filter_map(|variable| text(variable, "name"));
    let mut names: BTreeSet<&str> = environment.collect();
    for name in secrets.iter().filter_map(|secret| text(secret, "name")) {
        if !names.insert(name) {
            return Err(client(format!(
                "The secret name must be unique and not shared with any new or existing environment variables set on the \
                 container, such as '{name}'."
            )));
        }
    }
    Ok(())
}

fn logs(container: &Value) -> Result<(), Refusal> {
    let Some(log) = container.get("logConfiguration").filter(|log| text(log, "logDriver") == Some("awslogs")) else {
        return Ok(());
    };
    let has = |option: &&str| log.get("options").and_then(|options| text(options, option)).is_some();
    let missing: Vec<&str> = ["awslogs-region", "awslogs-group"].into_iter().filter(|option| !has(option)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(client(format!("Log driver awslogs requires options: {}", missing.join(", "))))
}

/// What the containers of one task must not do together.
fn together(document: &Value) -> Result<(), Refusal> {
    let all = containers(document);
    let essential = |container: &Value| flag(container, "essential").unwrap_or(true);
    if !all.iter().any(essential) {
        return Err(client("Task definition doesn't have any essential container."));
    }
    let (mut names, mut ports, mut port_names) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let awsvpc = text(document, "networkMode") == Some("awsvpc");
    for container in all {
        let name = text(container, "name").unwrap_or_default();
        if !names.insert(name) {
            return Err(client("Container names must be unique within a task definition."));
        }
        for mapping in list(container, "portMappings") {
            let port = (number(mapping, "containerPort"), text(mapping, "protocol").unwrap_or("tcp"));
            // With awsvpc all containers share one network interface.
            let shared = if awsvpc { "" } else { name };
            if port.0.is_some() && !ports.insert((shared, port)) {
                let port = port.0.unwrap_or_default();
                return Err(client(format!("The container port {port} is used multiple times in task.")));
            }
            if text(mapping, "name").is_some_and(|name| !port_names.insert(name)) {
                return Err(client("The port mapping name is already used."));
            }
        }
    }
    let cpu: i64 = all.iter().filter_map(|container| number(container, "cpu")).sum();
    if text(document, "cpu").and_then(|cpu| cpu.parse::<i64>().ok()).is_some_and(|task| cpu > task) {
        let message = "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.";
        return Err(client(message));
    }
    all.iter().flat_map(|container| list(container, "dependsOn")).try_for_each(|dependency| {
        let name = text(dependency, "containerName").unwrap_or_default();
        let Some(other) = all.iter().find(|container| text(container, "name") == Some(name)) else {
            return Err(client(format!("Cannot depend on container {name} because it does not exist.")));
        };
        match text(dependency, "condition") {
            Some("COMPLETE" | "SUCCESS") if essential(other) => {
                let message =
                    "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container";
                Err(client(message))
            }
            Some("HEALTHY") if other.get("healthCheck").is_none() => {
                Err(client(format!("Cannot depend on container {name} being HEALTHY: it has no health check.")))
            }
            _ => known(dependency, "condition", &["START", "COMPLETE", "SUCCESS", "HEALTHY"]),
        }
    })
}
