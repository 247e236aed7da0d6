//! What AWS derives from a task definition: where it can run, and what a container instance needs for it. Output only.

use super::super::common::is_empty;
use super::fargate;
use super::register::containers;
use crate::sim::world::input::{flag, list, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `compatibilities`: "validated against the launch types" (TaskDefinition); the order is that of recorded answers.
pub fn compatibilities(document: &Value) -> Vec<Value> {
    let mode = text(document, "networkMode").unwrap_or("bridge");
    let mut able = if mode == "awsvpc" { vec!["EC2", "MANAGED_INSTANCES"] } else { vec!["EXTERNAL", "EC2"] };
    if fargate::check(document).is_ok() {
        able.push("FARGATE");
    }
    able.into_iter().map(Value::from).collect()
}

/// `requiresAttributes` (Developer Guide, "Container agent attributes").
pub fn attributes(document: &Value) -> Vec<Value> {
    let mut names = BTreeSet::new();
    let executes = text(document, "executionRoleArn").is_some();
    match text(document, "networkMode") {
        Some("awsvpc") => names.extend(["ecs.capability.task-eni".to_owned(), api("1.18")]),
        Some("host") if text(document, "taskRoleArn").is_some() => {
            names.insert("com.amazonaws.ecs.capability.task-iam-role-network-host".to_owned());
        }
        _ => {}
    }
    if text(document, "taskRoleArn").is_some() {
        names.insert("com.amazonaws.ecs.capability.task-iam-role".to_owned());
    }
    if text(document, "pidMode").is_some() || text(document, "ipcMode").is_some() {
        names.insert("ecs.capability.pid-ipc-namespace-sharing".to_owned());
    }
    if list(document, "volumes").iter().any(|volume| volume.get("efsVolumeConfiguration").is_some()) {
        names.extend(["ecs.capability.efs".to_owned(), "ecs.capability.efsAuth".to_owned(), api("1.25")]);
    }
    for container in containers(document) {
        of_container(container, executes, &mut names);
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn api(version: &str) -> String {
    format!("com.amazonaws.ecs.capability.docker-remote-api.{version}")
}

fn of_container(container: &Value, executes: bool, names: &mut BTreeSet<String>) {
    let mut need = |wanted: bool, of: &[&str]| {
        if wanted {
            names.extend(of.iter().map(|name| (*name).to_owned()));
        }
    };
    let ecr = text(container, "image").is_some_and(fargate::is_ecr);
    need(ecr, &["com.amazonaws.ecs.capability.ecr-auth", &api("1.19")]);
    need(ecr && executes, &["ecs.capability.execution-role-ecr-pull"]);
    if let Some(driver) = container.get("logConfiguration").and_then(|log| text(log, "logDriver")) {
        need(true, &[&format!("com.amazonaws.ecs.capability.logging-driver.{driver}"), &api("1.19")]);
        need(driver == "awslogs" && executes, &["ecs.capability.execution-role-awslogs"]);
    }
    for secret in list(container, "secrets") {
        let manager = text(secret, "valueFrom").is_some_and(|from| from.contains(":secretsmanager:"));
        let source = if manager { "asm" } else { "ssm" };
        need(true, &[&format!("ecs.capability.secrets.{source}.environment-variables")]);
    }
    if let Some(kind) = container.get("firelensConfiguration").and_then(|firelens| text(firelens, "type")) {
        need(true, &[&format!("ecs.capability.firelens.{kind}"), &api("1.17")]);
    }
    need(container.get("healthCheck").is_some(), &["ecs.capability.container-health-check", &api("1.24")]);
    need(!is_empty(container.get("dependsOn")), &["ecs.capability.container-ordering"]);
    need(!is_empty(container.get("environmentFiles")), &["ecs.capability.env-files.s3"]);
    need(flag(container, "privileged") == Some(true), &["com.amazonaws.ecs.capability.privileged-container"]);
    need(container.get("memoryReservation").is_some(), &[&api("1.21")]);
}
