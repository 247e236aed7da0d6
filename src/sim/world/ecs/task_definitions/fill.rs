//! What AWS fills into a task definition, and the order in which it returns it.

use super::super::common::in_hash_order;
use crate::sim::world::input::{flag, list, number, text};
use serde_json::{Map, Value, json};

/// `cpu` and `memory` of the task are texts: "0.25 vCPU" is stored as 256 and "1 GB" as 1024 (RegisterTaskDefinition, cpu,
/// memory). What is no size stays as it is.
pub fn sizes(document: &mut Map<String, Value>) {
    for (field, unit) in [("cpu", "vcpu"), ("memory", "gb")] {
        let Some(value) = document.get_mut(field) else { continue };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let lower = text.trim().to_ascii_lowercase();
        let units = lower.strip_suffix(unit).and_then(|number| number.trim().parse::<f64>().ok());
        *value = units.map_or(text, |units| ((units * 1024.0).round() as i64).to_string()).into();
    }
}

/// Fills in what is left out; AWS's model and guides, and recorded answers.
pub fn fill(document: &mut Value) {
    let same_port = matches!(text(document, "networkMode"), Some("awsvpc" | "host"));
    let Value::Object(task) = document else { return };
    for field in ["volumes", "placementConstraints"] {
        task.entry(field).or_insert_with(|| json!([]));
    }
    for volume in items(task, "volumes") {
        fill_volume(volume);
    }
    for container in items(task, "containerDefinitions") {
        fill_container(container, same_port);
    }
    if let Some(Value::Array(containers)) = task.get_mut("containerDefinitions") {
        in_hash_order(containers, |container| text(container, "name").unwrap_or_default().to_owned());
        // Containers that are not essential were seen to come first.
        containers.sort_by_key(|container| flag(container, "essential").unwrap_or(true));
    }
}

fn items<'m>(map: &'m mut Map<String, Value>, field: &str) -> impl Iterator<Item = &'m mut Map<String, Value>> {
    map.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A volume without configuration comes back with `host: {}`, an EFS one with its root directory.
fn fill_volume(volume: &mut Map<String, Value>) {
    let at_launch = volume.get("configuredAtLaunch") == Some(&Value::Bool(true));
    let configured = volume.keys().any(|field| field != "name" && field != "configuredAtLaunch");
    if !configured && !at_launch {
        volume.insert("host".to_owned(), json!({}));
    }
    if let Some(Value::Object(efs)) = volume.get_mut("efsVolumeConfiguration") {
        efs.entry("rootDirectory").or_insert("/".into());
    }
}

fn fill_container(container: &mut Map<String, Value>, same_port: bool) {
    container.entry("cpu").or_insert(0.into());
    container.entry("essential").or_insert(true.into());
    for field in ["environment", "mountPoints", "portMappings", "systemControls", "volumesFrom"] {
        container.entry(field).or_insert_with(|| json!([]));
    }
    for mapping in items(container, "portMappings") {
        mapping.entry("protocol").or_insert("tcp".into());
        if let Some(port) = mapping.get("containerPort").cloned() {
            // "awsvpc or host: the same value as the container port"; a dynamic one is 0 (PortMapping, hostPort).
            let unset = mapping.get("hostPort").is_none_or(|port| *port == 0);
            let host = if same_port { port } else { 0.into() };
            if unset {
                mapping.insert("hostPort".to_owned(), host);
            }
        }
    }
    if let Some(Value::Object(check)) = container.get_mut("healthCheck") {
        for (field, usual) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            check.entry(field).or_insert(usual.into());
        }
    }
    if let Some(Value::Object(parameters)) = container.get_mut("linuxParameters") {
        for field in ["devices", "tmpfs"] {
            parameters.entry(field).or_insert_with(|| json!([]));
        }
        for device in items(parameters, "devices") {
            device.entry("permissions").or_insert_with(|| json!(["read", "write", "mknod"]));
        }
    }
    reorder(container);
}

/// Lists that AWS keeps by name, or by port.
fn reorder(container: &mut Map<String, Value>) {
    for (field, name) in [("environment", "name"), ("secrets", "name"), ("volumesFrom", "sourceContainer")] {
        hashed(container, field, |item| text(item, name).unwrap_or_default().to_owned());
    }
    hashed(container, "links", |link| link.as_str().unwrap_or_default().to_owned());
    hashed(container, "portMappings", |mapping| {
        let range = text(mapping, "containerPortRange").unwrap_or_default();
        let port = number(mapping, "containerPort").unwrap_or_default();
        format!("{port}{range}/{}", text(mapping, "protocol").unwrap_or_default())
    });
}

fn hashed(container: &mut Map<String, Value>, field: &str, key: impl Fn(&Value) -> String) {
    if let Some(Value::Array(items)) = container.get_mut(field) {
        in_hash_order(items, key);
    }
}

/// Names of volumes that a service or task has to configure.
pub fn at_launch(document: &Value) -> impl Iterator<Item = &str> {
    let configured = list(document, "volumes").iter().filter(|volume| flag(volume, "configuredAtLaunch") == Some(true));
    configured.filter_map(|volume| text(volume, "name"))
}
