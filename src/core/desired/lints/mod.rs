//! Lints of one service: what AWS is sure to refuse or can never work (errors), and what works but is hardly meant
//! (warnings). Each looks at the checked documents alone, and keeps silent where it is not sure.

mod scaling;

use super::Resource;
use crate::core::document::{Node, Part, Tree};
use crate::core::id::Kind;
use crate::core::problem::{self, Problem};
use std::collections::BTreeSet;

/// The checked nodes of one service: AWS's own spelling of every key.
#[derive(Debug)]
pub struct Parts<'n> {
    pub task_definition: &'n Node,
    pub service: &'n Node,
    /// CreateTargetGroup's inputs by name.
    pub target_groups: Vec<(&'n str, &'n Node)>,
    /// The declared attributes of target groups by name.
    pub attributes: Vec<(&'n str, &'n Node)>,
    /// RegisterScalableTarget's input.
    pub scaling: Option<&'n Node>,
    /// PutScalingPolicy's inputs by name.
    pub policies: Vec<(&'n str, &'n Node)>,
    /// PutMetricAlarm's inputs of the policies, by the policy's name.
    pub alarms: Vec<(&'n str, &'n Node)>,
    /// PutScheduledAction's inputs by name.
    pub schedules: Vec<(&'n str, &'n Node)>,
    /// Log groups by name.
    pub logs: Vec<(&'n str, &'n Node)>,
    /// What is done about images.
    pub images: Option<&'n Node>,
}

impl<'n> Parts<'n> {
    /// The parts of a service file: its two documents, its top, and what it declares beside them.
    pub fn of(task_definition: &'n Node, service: &'n Node, top: &'n Node, resources: &'n [Resource]) -> Self {
        let last =
            |resource: &'n Resource| resource.id.name.rsplit_once('/').map_or(&*resource.id.name, |(_, name)| name);
        let of = |kind: Kind| resources.iter().filter(move |resource| resource.id.kind == kind);
        let named = |kind: Kind| of(kind).map(|resource| (last(resource), &resource.input)).collect();
        // An alarm stands behind the policy that it triggers.
        let mut alarms = Vec::new();
        let mut policy = "";
        for resource in resources {
            match resource.id.kind {
                Kind::ScalingPolicy => policy = last(resource),
                Kind::Alarm => alarms.push((policy, &resource.input)),
                _ => {}
            }
        }
        Self {
            task_definition,
            service,
            target_groups: named(Kind::TargetGroup),
            attributes: of(Kind::TargetGroup).filter_map(|r| Some((&*r.id.name, r.attributes.as_ref()?))).collect(),
            scaling: of(Kind::ScalableTarget).next().map(|resource| &resource.input),
            policies: named(Kind::ScalingPolicy),
            alarms,
            schedules: named(Kind::ScheduledAction),
            logs: of(Kind::LogGroup).map(|resource| (&*resource.id.name, &resource.input)).collect(),
            images: top.get("images"),
        }
    }

    fn containers(&self) -> &'n [Node] {
        self.task_definition.get("containerDefinitions").map(Node::items).unwrap_or_default()
    }

    /// Whether ECS replaces the tasks of this service step by step: `minimumHealthyPercent` and `maximumPercent` then
    /// say how. Daemons and the other strategies and controllers have rules of their own.
    fn is_rolling(&self) -> bool {
        let service = self.service;
        let controller = service.get("deploymentController").and_then(|node| text(node, "type"));
        let strategy = service.get("deploymentConfiguration").and_then(|node| text(node, "strategy"));
        text(service, "schedulingStrategy").unwrap_or("REPLICA") == "REPLICA"
            && controller.unwrap_or("ECS") == "ECS"
            && strategy.unwrap_or("ROLLING") == "ROLLING"
    }

    /// The percentage of deploymentConfiguration as it is written, or ECS's default (CreateService).
    fn percent(&self, name: &str, default: i64) -> (Option<&'n Node>, i64) {
        let node = self.service.get("deploymentConfiguration").and_then(|configuration| configuration.get(name));
        (node, node.and_then(Node::as_integer).unwrap_or(default))
    }

    /// The node that asks for Fargate, if one does.
    fn fargate(&self) -> Option<&'n Node> {
        let fargate = |node: &&Node| matches!(node.as_text(), Some("FARGATE" | "FARGATE_SPOT"));
        let asked = self.task_definition.get("requiresCompatibilities").map(Node::items).unwrap_or_default();
        let providers = self.service.get("capacityProviderStrategy").map(Node::items).unwrap_or_default();
        let by_provider = || providers.iter().filter_map(|item| item.get("capacityProvider")).find(fargate);
        asked.iter().find(fargate).or_else(|| self.service.get("launchType").filter(fargate)).or_else(by_provider)
    }

    /// The network mode of the tasks; `bridge` is the default (RegisterTaskDefinition).
    fn network_mode(&self) -> &'n str {
        self.task_definition.get("networkMode").map_or("bridge", |node| node.as_text().unwrap_or_default())
    }
}

/// Everything that is to be said of one service.
pub fn lint(parts: &Parts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(cannot_roll(parts));
    problems.extend(deployment_gap(parts));
    problems.extend(network_mode(parts));
    problems.extend(host_ports(parts));
    problems.extend(moving_tags(parts));
    problems.extend(target_types(parts));
    problems.extend(group_ports(parts));
    problems.extend(parts.target_groups.iter().flat_map(|(name, group)| health_check(name, group)));
    problems.extend(parts.attributes.iter().flat_map(|(name, attributes)| deregistration_delay(name, attributes)));
    problems.extend(parts.logs.iter().filter_map(|(name, group)| retention(name, group)));
    problems.extend(scaling::lint(parts));
    problems
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::as_text)
}

fn integer(node: &Node, key: &str) -> Option<i64> {
    node.get(key).and_then(Node::as_integer)
}

fn number(node: &Node, key: &str) -> Option<f64> {
    match &node.get(key)?.tree {
        Tree::Number(number) => number.as_f64(),
        _ => None,
    }
}

/// A deployment that may neither stop a task first nor start one first. ECS rounds the least count up and the most down
/// (ECS guide, "Deployment configuration"); it refuses 100 and 100 itself, the others hang.
fn cannot_roll(parts: &Parts<'_>) -> Option<Problem> {
    if !parts.is_rolling() {
        return None;
    }
    let (least_node, least) = parts.percent("minimumHealthyPercent", 100);
    let (most_node, most) = parts.percent("maximumPercent", 200);
    // With more tasks more is possible: what hangs at the largest count hangs at all of them. Schedules change it.
    let count = match parts.scaling {
        Some(_) if !parts.schedules.is_empty() => None,
        Some(scaling) => integer(scaling, "MaxCapacity"),
        None => integer(parts.service, "desiredCount"),
    };
    let (stuck, tasks, help) = match count.filter(|count| *count >= 0) {
        Some(0) => return None,
        Some(count) => {
            // Wide enough for any number that a document can hold.
            let (n, least, most) = (i128::from(count), i128::from(least), i128::from(most));
            let (kept, allowed) = ((n * least + 99).div_euclid(100), (n * most).div_euclid(100));
            let (less, more) = ((n - 1) * 100 / n, ((n + 1) * 100 + n - 1) / n);
            let tasks = match count {
                1 => " and 1 task".to_owned(),
                _ => format!(" and {count} tasks"),
            };
            let help = format!(
                "with minimumHealthyPercent {less} or less a task can stop first, with maximumPercent {more} or more a new one can start first"
            );
            (kept >= n && allowed <= n, tasks, help)
        }
        None => {
            let help = "with minimumHealthyPercent below 100 a task can stop first, with maximumPercent above 100 a new one can start first";
            (least >= 100 && most <= 100, String::new(), help.to_owned())
        }
    };
    let place = &most_node.or(least_node)?.place;
    let message = format!(
        "with minimumHealthyPercent {least}, maximumPercent {most}{tasks} no deployment can proceed: none may stop, and no further one may start"
    );
    stuck.then(|| Problem::error(problem::CANNOT_ROLL, place, message).help(help))
}

/// One task behind a load balancer that may stop before the next one runs.
fn deployment_gap(parts: &Parts<'_>) -> Option<Problem> {
    let balancers = parts.service.get("loadBalancers").map(Node::items).unwrap_or_default();
    let count = match parts.scaling {
        Some(scaling) => scaling.get("MinCapacity"),
        None => parts.service.get("desiredCount"),
    }?;
    let (Some(least), 0) = parts.percent("minimumHealthyPercent", 100) else { return None };
    if balancers.is_empty() || count.as_integer() != Some(1) || !parts.is_rolling() {
        return None;
    }
    let message = "with minimumHealthyPercent 0 the only task may stop before the next one answers: at each deployment the load balancer has none for a while";
    let problem = Problem::warning(problem::DEPLOYMENT_GAP, &least.place, message).related(&count.place, "one task");
    Some(problem.help(
        "minimumHealthyPercent 100 with maximumPercent 200 starts the new task first; where a gap costs less than a second task, leave it as it is",
    ))
}

/// "Fargate only supports network mode 'awsvpc'" (RegisterTaskDefinition, networkMode).
fn network_mode(parts: &Parts<'_>) -> Option<Problem> {
    let asked = parts.fargate()?;
    let (place, found) = match parts.task_definition.get("networkMode") {
        Some(node) => (&node.place, node.as_text().filter(|mode| matches!(*mode, "bridge" | "host" | "none"))?),
        None => (&asked.place, "nothing, which means bridge"),
    };
    let message = format!("Fargate has network mode awsvpc only, the task definition says {found}");
    let problem = Problem::error(problem::NETWORK_MODE, place, message).help("write `networkMode: awsvpc`");
    Some(if place == &asked.place { problem } else { problem.related(&asked.place, "this asks for Fargate") })
}

/// "When networkMode=awsvpc, the host ports and container ports in port mappings must match"; the same goes for host.
fn host_ports(parts: &Parts<'_>) -> Vec<Problem> {
    let mode = parts.network_mode();
    if !matches!(mode, "awsvpc" | "host") {
        return Vec::new();
    }
    let mappings = parts.containers().iter().flat_map(|c| c.get("portMappings").map(Node::items).unwrap_or_default());
    let differ = mappings.filter_map(|mapping| {
        let (node, own) = (mapping.get("hostPort")?, integer(mapping, "containerPort")?);
        // 0 is the same as left out.
        let host = node.as_integer().filter(|host| *host != 0 && *host != own)?;
        let message =
            format!("hostPort {host} is not containerPort {own}, and in network mode {mode} they are one port");
        Some(Problem::error(problem::HOST_PORT, &node.place, message).help("leave `hostPort` out"))
    });
    differ.collect()
}

/// Images by a tag that moves, where `images` does not say what then happens.
fn moving_tags(parts: &Parts<'_>) -> Vec<Problem> {
    if parts.images.is_some_and(|images| images.get("onMoved").is_some()) {
        return Vec::new();
    }
    let moving = parts.containers().iter().filter_map(|container| {
        let node = container.get("image")?;
        let image = node.as_text()?;
        let name = text(container, "name").unwrap_or_default();
        let what = match tag(image)? {
            "" => " without a tag, which means `latest`: that tag",
            "latest" => ": that tag",
            _ => return None,
        };
        let message =
            format!("container `{name}` runs `{image}`{what} moves, and `images` does not say what happens then");
        Some(Problem::warning(problem::MOVING_TAG, &node.place, message).help(
            "name a version or a digest, or say what happens: `images: { onMoved: redeploy }`, `report` or `ignore`",
        ))
    });
    moving.collect()
}

/// The tag of an image; nothing for a digest, which never moves, and for what is no image.
fn tag(image: &str) -> Option<&str> {
    let name = image.rsplit('/').next().filter(|name| !name.is_empty() && !name.contains('@'))?;
    Some(name.split_once(':').map_or("", |(_, tag)| tag))
}

/// "The provided target group has target type instance, which is incompatible with the awsvpc network mode specified in
/// the task definition" (CreateService), and the other way round.
fn target_types(parts: &Parts<'_>) -> Vec<Problem> {
    let mode = parts.network_mode();
    let (right, wrong) = match mode {
        "awsvpc" => ("ip", "instance"),
        // Fargate without awsvpc is said already.
        "bridge" | "host" if parts.fargate().is_none() => ("instance", "ip"),
        _ => return Vec::new(),
    };
    let named: BTreeSet<&str> =
        parts.service.get("loadBalancers").map(Node::items).unwrap_or_default().iter().flat_map(groups).collect();
    let groups = parts.target_groups.iter().filter(|(name, _)| named.contains(name));
    let differ = groups.filter_map(|(name, group)| {
        let node = group.get("TargetType");
        // CreateTargetGroup, TargetType: "The default is instance".
        let found = node.map_or(Some("instance"), Node::as_text)?;
        let message =
            format!("target group `{name}` has targetType {found}, the tasks have network mode {mode}: ECS refuses it");
        let problem = Problem::error(problem::TARGET_TYPE, &node.unwrap_or(group).place, message);
        let mode = parts.task_definition.get("networkMode");
        let problem = mode.map_or(problem.clone(), |mode| problem.related(&mode.place, "the network mode"));
        let help = format!(
            "write `targetType: {right}`; a target group that is live keeps its type, so a new one needs another name"
        );
        (found == wrong).then(|| problem.help(help))
    });
    differ.collect()
}

/// ECS registers each task of an `ip` group with the container's port whatever the group's is (ECS guide, "Use an
/// Application Load Balancer"): another port is never reached, and stands there for something else.
fn group_ports(parts: &Parts<'_>) -> Vec<Problem> {
    let balancers = parts.service.get("loadBalancers").map(Node::items).unwrap_or_default();
    let named: BTreeSet<&str> = balancers.iter().flat_map(groups).collect();
    let mappings = parts.containers().iter().flat_map(|c| c.get("portMappings").map(Node::items).unwrap_or_default());
    let mapped: BTreeSet<i64> = mappings.clone().filter_map(|mapping| integer(mapping, "containerPort")).collect();
    let ranged = mappings.clone().any(|mapping| mapping.get("containerPortRange").is_some());
    let by_address = parts.target_groups.iter().filter(|(name, group)| {
        named.contains(name) && text(group, "TargetType") == Some("ip") && !ranged && !mapped.is_empty()
    });
    let wrong = by_address.filter_map(|(name, group)| {
        let node = group.get("Port")?;
        let port = node.as_integer().filter(|port| !mapped.contains(port))?;
        let message = format!("target group `{name}` has port {port}, which no container maps");
        let ports: Vec<String> = mapped.iter().map(i64::to_string).collect();
        Some(
            Problem::warning(problem::GROUP_PORT, &node.place, message)
                .help(format!("the containers map {}; ECS sends traffic to the container's port", ports.join(", "))),
        )
    });
    wrong.collect()
}

/// The names of the target groups of one load balancer of a service.
fn groups(balancer: &Node) -> impl Iterator<Item = &str> {
    let alternate = balancer.get("advancedConfiguration").and_then(|node| node.get("alternateTargetGroupArn"));
    let arns = balancer.get("targetGroupArn").into_iter().chain(alternate);
    arns.filter_map(|node| match &node.tree {
        Tree::Template(parts) => match parts.as_slice() {
            [Part::Arn(id)] if id.kind == Kind::TargetGroup => Some(&*id.name),
            _ => None,
        },
        _ => None,
    })
}

/// "Health check interval must be greater than the timeout" (CreateTargetGroup for HTTP and HTTPS).
fn health_check(name: &str, group: &Node) -> Option<Problem> {
    if !matches!(text(group, "Protocol"), Some("HTTP" | "HTTPS")) {
        return None;
    }
    let interval = group.get("HealthCheckIntervalSeconds")?;
    let timeout = group.get("HealthCheckTimeoutSeconds");
    // The default timeout, which is sent to no one and still counts.
    let seconds = timeout.map_or(Some(5), Node::as_integer)?;
    let (every, default) = (interval.as_integer()?, if timeout.is_none() { ", its default," } else { "" });
    if seconds < every {
        return None;
    }
    let message = format!(
        "target group `{name}` waits {seconds} s for a health check's answer{default} and checks every {every} s: the timeout must be less than the interval"
    );
    let problem = Problem::error(problem::HEALTH_CHECK, &timeout.unwrap_or(interval).place, message);
    Some(problem.help("lower `healthCheckTimeoutSeconds`, or raise `healthCheckIntervalSeconds`"))
}

/// "The range is 0-3600 seconds" (TargetGroupAttribute).
fn deregistration_delay(name: &str, attributes: &Node) -> Option<Problem> {
    let node = attributes.get("deregistration_delay.timeout_seconds")?;
    let value = node.as_text()?;
    if value.parse::<u32>().is_ok_and(|seconds| seconds <= 3600) {
        return None;
    }
    let message = format!(
        "target group `{name}` has the deregistration delay {value:?}, which is no number of seconds from 0 to 3600"
    );
    Some(
        Problem::error(problem::ATTRIBUTE, &node.place, message)
            .help("write whole seconds in quotes; \"300\" is the default"),
    )
}

/// CloudWatch Logs PutRetentionPolicy, retentionInDays: "possible values are".
const RETENTION_DAYS: &[i64] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

fn retention(name: &str, group: &Node) -> Option<Problem> {
    let node = group.get("retentionInDays")?;
    let days = node.as_integer().filter(|days| !RETENTION_DAYS.contains(days))?;
    let less = RETENTION_DAYS.iter().rev().find(|possible| **possible < days);
    let more = RETENTION_DAYS.iter().find(|possible| **possible > days);
    let help = match (less, more) {
        (Some(less), Some(more)) => format!("the nearest are {less} and {more}"),
        (Some(nearest), None) => format!("the longest is {nearest}; without `retentionInDays` nothing is deleted"),
        (None, nearest) => format!(
            "the shortest is {}; without `retentionInDays` nothing is deleted",
            nearest.copied().unwrap_or_default()
        ),
    };
    let message =
        format!("log group `{name}` cannot keep its logs for {days} days: CloudWatch Logs has fixed numbers of days");
    Some(Problem::error(problem::RETENTION, &node.place, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_images() {
        for (image, expected) in [
            ("nginx", Some("")),
            ("nginx:1.27", Some("1.27")),
            ("localhost:5000/nginx", Some("")),
            ("a.example:5000/team/nginx:latest", Some("latest")),
            ("nginx@sha256:0123", None),
            ("nginx:latest@sha256:0123", None),
            ("", None),
        ] {
            assert_eq!(tag(image), expected, "{image}");
        }
    }

    /// Count, minimumHealthyPercent, maximumPercent; whether a deployment can proceed.
    #[test]
    fn percentages_are_rounded_as_ecs_rounds_them() {
        for (count, least, most, rolls) in [
            (Some(1), 100, 200, true),
            (Some(1), 50, 150, false),
            (Some(1), 0, 100, true),
            (Some(2), 50, 100, true),
            (Some(2), 51, 149, false),
            (Some(2), 51, 150, true),
            (Some(3), 67, 133, false),
            (Some(3), 66, 133, true),
            (Some(4), 100, 125, true),
            (Some(0), 100, 100, true),
            (Some(i64::MAX), 100, 100, false),
            (None, 100, 100, false),
            (None, 99, 100, true),
            (None, 100, 101, true),
        ] {
            let place = crate::core::document::Place::nowhere();
            let mut service = serde_json::json!({
                "deploymentConfiguration": { "minimumHealthyPercent": least, "maximumPercent": most },
            });
            if let Some(count) = count {
                service["desiredCount"] = count.into();
            }
            let (task_definition, service) = (Node::empty_map(&place), Node::of_value(&service, &place));
            let parts = Parts::of(&task_definition, &service, &task_definition, &[]);
            assert_eq!(cannot_roll(&parts).is_none(), rolls, "{count:?} tasks, {least} and {most} percent");
        }
    }
}
