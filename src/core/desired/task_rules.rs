//! What the API's model does not say of a task definition: sizes that Fargate has, and values that should be secrets.

use crate::core::document::{Node, Tree};
use crate::core::problem::{self, Problem};
use crate::core::secret::{holds_secret, is_secret_name};
use serde_json::Value;

/// CPU units; the least and the most memory in MiB, and its steps (ECS developer guide, "Task CPU and memory" for
/// Fargate). The smallest size has half a GiB, too.
const FARGATE: &[(u64, u64, u64, u64)] = &[
    (256, 1024, 2048, 1024),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];
const SMALLEST: (u64, u64) = (256, 512);

/// The problem of a task that asks for Fargate with a size that does not exist. Sizes above the largest known are left
/// to AWS.
pub fn fargate_size(task: &Node) -> Option<Problem> {
    let asked = task.get("requiresCompatibilities").map(Node::items).unwrap_or_default();
    if !asked.iter().any(|item| item.as_text() == Some("FARGATE")) {
        return None;
    }
    let (cpu_node, memory_node) = (task.get("cpu")?, task.get("memory")?);
    let (cpu, memory) = (size(cpu_node.as_text()?, "vcpu")?, size(memory_node.as_text()?, "gb")?);
    let largest = FARGATE.last().is_some_and(|(largest, ..)| cpu > *largest);
    let Some((_, least, most, step)) = FARGATE.iter().find(|(units, ..)| *units == cpu) else {
        let units: Vec<String> = FARGATE.iter().map(|(units, ..)| units.to_string()).collect();
        let problem = Problem::error(problem::FARGATE_SIZE, &cpu_node.place, format!("Fargate has no {cpu} CPU units"));
        return (!largest).then(|| problem.help(format!("it has {}", units.join(", "))));
    };
    if (cpu, memory) == SMALLEST || ((*least..=*most).contains(&memory) && memory % step == 0) {
        return None;
    }
    let message = format!("Fargate has no {memory} MiB with {cpu} CPU units");
    let problem = Problem::error(problem::FARGATE_SIZE, &memory_node.place, message);
    let also = if cpu == SMALLEST.0 { format!("{}, or ", SMALLEST.1) } else { String::new() };
    Some(problem.help(format!("it has {also}{least} to {most} MiB in steps of {step}")))
}

/// `256`, `0.25 vCPU`; `512`, `0.5 GB`.
fn size(text: &str, unit: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    match text.strip_suffix(unit) {
        Some(number) => number.trim().parse::<f64>().ok().map(|number| (number * 1024.0).round() as u64),
        None => text.parse().ok(),
    }
}

/// Warnings of plain environment values that look like secrets, by their name or their form. They are not repeated.
pub fn plain_secrets(task: &Node) -> Vec<Problem> {
    let containers = task.get("containerDefinitions").map(Node::items).unwrap_or_default().iter();
    let variables = containers.flat_map(|container| container.get("environment").map(Node::items).unwrap_or_default());
    let secrets = variables.filter_map(|variable| {
        let (name, value) = (variable.get("name")?.as_text()?, variable.get("value")?);
        let Tree::Text(text) = &value.tree else { return None };
        // A path or an ARN says where the secret is.
        let elsewhere = text.is_empty() || text.starts_with('/') || text.starts_with("arn:");
        let secret = !elsewhere && (is_secret_name(name) || holds_secret(&Value::String(text.clone())));
        secret.then(|| {
            let message =
                format!("the plain value of `{name}` looks like a secret, and git and the task definition show it");
            Problem::warning(problem::PLAIN_SECRET, &value.place, message)
                .help("keep it in Secrets Manager or Parameter Store, and name it under `secrets`")
        })
    });
    secrets.collect()
}
