//! What Fargate demands of a task definition.

use super::super::common::{client, is_empty};
use super::register::containers;
use crate::sim::world::Refusal;
use crate::sim::world::input::{flag, list, text};
use serde_json::Value;

/// The memory, in MiB, that a task of this many CPU units may have: least, most, step (Developer Guide, "Task size").
const SIZES: [(i64, i64, i64, i64); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

/// "For tasks on Fargate, the supported log drivers are awslogs, splunk, and awsfirelens" (LogConfiguration).
const LOG_DRIVERS: [&str; 3] = ["awslogs", "splunk", "awsfirelens"];

/// Whether a task of this definition can run on Fargate.
///
/// # Errors
/// `ClientException`: why not.
pub fn check(document: &Value) -> Result<(), Refusal> {
    if text(document, "networkMode") != Some("awsvpc") {
        return Err(client("Fargate only supports network mode 'awsvpc'."));
    }
    size(document)?;
    let unsupported = [
        ("constraints", !is_empty(document.get("placementConstraints"))),
        ("inference accelerators", !is_empty(document.get("inferenceAccelerators"))),
    ];
    not_supported(&unsupported)?;
    if text(document, "pidMode") == Some("host") {
        return Err(client("Tasks using the Fargate launch type do not support pidMode 'host'."));
    }
    if text(document, "ipcMode").is_some() {
        return Err(client("Fargate compatible task definitions do not support ipcMode."));
    }
    for volume in list(document, "volumes") {
        let source = volume.get("host").and_then(|host| text(host, "sourcePath")).is_some();
        let docker = volume.get("dockerVolumeConfiguration").is_some();
        not_supported(&[("dockerVolumeConfiguration", docker), ("sourcePath", source)])?;
    }
    let executes = text(document, "executionRoleArn").is_some();
    containers(document).iter().try_for_each(|each| container(each, executes))
}

/// Where Amazon's registry keeps an image: pulling it needs a role.
pub fn is_ecr(image: &str) -> bool {
    image.split('/').next().is_some_and(|host| host.contains(".dkr.ecr.") && host.contains(".amazonaws.com"))
}

fn not_supported(rows: &[(&str, bool)]) -> Result<(), Refusal> {
    match rows.iter().find(|(_, used)| *used) {
        Some((what, _)) => Err(client(format!("Fargate compatible task definitions do not support {what}."))),
        None => Ok(()),
    }
}

fn size(document: &Value) -> Result<(), Refusal> {
    let value = |field: &str| {
        let missing = || client(format!("Fargate requires that '{field}' be defined at the task level."));
        text(document, field).ok_or_else(missing)
    };
    let (cpu, memory) = (value("cpu")?, value("memory")?);
    let fits = |cpu: i64, memory: i64| {
        // 0.25 vCPU has 512, 1024 and 2048 MiB, not 1536.
        let size = SIZES.iter().find(|(units, ..)| *units == cpu);
        (cpu, memory) != (256, 1536)
            && size.is_some_and(|(_, least, most, step)| (*least..=*most).contains(&memory) && memory % step == 0)
    };
    if cpu.parse().ok().zip(memory.parse().ok()).is_some_and(|(cpu, memory)| fits(cpu, memory)) {
        return Ok(());
    }
    Err(client(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation \
         for the valid values."
    )))
}

fn container(container: &Value, executes: bool) -> Result<(), Refusal> {
    let parameter = |field: &str| container.get("linuxParameters").and_then(|parameters| parameters.get(field));
    if flag(container, "privileged") == Some(true) {
        return Err(client("Fargate requires that the 'privileged' setting be 'false'."));
    }
    not_supported(&[
        ("links", !is_empty(container.get("links"))),
        ("dnsServers", !is_empty(container.get("dnsServers"))),
        ("dnsSearchDomains", !is_empty(container.get("dnsSearchDomains"))),
        ("dockerSecurityOptions", !is_empty(container.get("dockerSecurityOptions"))),
        ("devices", !is_empty(parameter("devices"))),
        ("sharedMemorySize", parameter("sharedMemorySize").is_some()),
        ("maxSwap", parameter("maxSwap").is_some()),
    ])?;
    if list(container, "resourceRequirements").iter().any(|need| text(need, "type") == Some("GPU")) {
        return Err(client("Tasks using the Fargate launch type do not support GPU resource requirements."));
    }
    let role =
        |what: &str| client(format!("Fargate requires task definition to have execution role ARN to support {what}."));
    if !executes && text(container, "image").is_some_and(is_ecr) {
        return Err(role("ECR images"));
    }
    let Some(log) = container.get("logConfiguration") else { return Ok(()) };
    let driver = text(log, "logDriver").unwrap_or_default();
    if !LOG_DRIVERS.contains(&driver) {
        let message = format!("{driver} is not a valid log driver. Must be one of [{}]", LOG_DRIVERS.join(", "));
        return Err(client(message));
    }
    if driver != "awslogs" {
        return Ok(());
    }
    if !executes {
        return Err(role("log driver awslogs"));
    }
    if log.get("options").and_then(|options| text(options, "awslogs-stream-prefix")).is_none() {
        return Err(client("Fargate requires log configuration options to include awslogs-stream-prefix."));
    }
    Ok(())
}
