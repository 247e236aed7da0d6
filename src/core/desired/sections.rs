//! The sections of a service file that hold AWS inputs: names become references, and everything is checked.

use super::own;
use crate::core::document::check::{Beside, check, check_with, expected, spelt};
use crate::core::document::{Entry, Node, Part, Place, Tree};
use crate::core::id::{Arn, Kind, ResourceId, Scope};
use crate::core::problem::{self, Problem};
use crate::core::shape::{Shape, Shapes};

/// Keys of ours that stand for an ARN of AWS's, and what they name.
const ALIASES: &[(&str, &str, Kind)] = &[
    ("targetGroup", "targetGroupArn", Kind::TargetGroup),
    ("alternateTargetGroup", "alternateTargetGroupArn", Kind::TargetGroup),
    // In `serviceRegistries`: `NAMESPACE/NAME`.
    ("discovery", "registryArn", Kind::DiscoveryService),
];

/// Names of target groups and of Cloud Map services become references, under AWS's own key.
pub fn with_references(node: &Node) -> Node {
    let tree = match &node.tree {
        Tree::List(items) => Tree::List(items.iter().map(with_references).collect()),
        Tree::Map(entries) => Tree::Map(entries.iter().map(aliased).collect()),
        other => other.clone(),
    };
    Node { tree, place: node.place.clone() }
}

fn aliased(entry: &Entry) -> Entry {
    let alias = ALIASES.iter().find(|(ours, aws, _)| entry.key == *ours || entry.key.eq_ignore_ascii_case(aws));
    let node = match (alias, entry.node.as_text()) {
        (Some((_, _, kind)), Some(name)) if !Arn::is_arn(name) => Node {
            tree: Tree::Template(vec![Part::Arn(ResourceId::new(*kind, name))]),
            place: entry.node.place.clone(),
        },
        _ => with_references(&entry.node),
    };
    let key = match alias {
        Some((ours, aws, _)) if entry.key == *ours => (*aws).to_owned(),
        _ => entry.key.clone(),
    };
    Entry { key, key_place: entry.key_place.clone(), node }
}

/// Names of roles, secrets and parameters become ARNs or references, in this account and region.
pub fn resolve_names(node: &mut Node, scope: &Scope, problems: &mut Vec<Problem>) {
    match &mut node.tree {
        Tree::List(items) => items.iter_mut().for_each(|item| resolve_names(item, scope, problems)),
        Tree::Map(entries) => {
            for Entry { key, node, .. } in entries {
                match (key.as_str(), node.as_text()) {
                    (_, None) => resolve_names(node, scope, problems),
                    (key, Some(text)) if Arn::is_arn(text) && holds_arn(key) => {
                        problems.extend(foreign(&Arn::from(text), &node.place, scope));
                    }
                    (_, Some(text)) if Arn::is_arn(text) => {}
                    ("taskRoleArn" | "executionRoleArn" | "roleArn" | "role" | "RoleARN" | "roleARN", Some(name))
                        if !name.is_empty() =>
                    {
                        let arn = format!("arn:{}:iam::{}:role/{name}", scope.partition(), scope.account);
                        node.tree = Tree::Text(arn);
                    }
                    ("productionListenerRule" | "testListenerRule", Some(name)) if !name.is_empty() => {
                        match listener_rule(name) {
                            Some(id) => node.tree = Tree::Template(vec![Part::Arn(id)]),
                            None => {
                                problems.push(expected(node, "an ARN, or LOAD-BALANCER:PORT/PRIORITY as web:443/10"))
                            }
                        }
                    }
                    ("valueFrom", Some(name)) if !name.is_empty() => node.tree = secret(name),
                    _ => {}
                }
            }
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::Template(_) => {}
    }
}

/// A rule by where it is: `web:443/10` is the rule of priority 10 of the listener on port 443 of the load balancer web.
fn listener_rule(name: &str) -> Option<ResourceId> {
    let (listener, priority) = name.rsplit_once('/')?;
    let (balancer, port) = listener.rsplit_once(':')?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (!balancer.is_empty() && number(port) && number(priority)).then(|| ResourceId::new(Kind::ListenerRule, name))
}

/// Whether a field of this name holds the ARN of something that the service uses.
fn holds_arn(key: &str) -> bool {
    key.ends_with("Arn")
        || key.ends_with("ARN")
        || matches!(key, "valueFrom" | "credentialsParameter" | "role" | "kmsKeyId")
}

/// An ARN of another account or region is refused (desired-state rule 7, promise S11).
fn foreign(arn: &Arn, place: &Place, scope: &Scope) -> Option<Problem> {
    let (account, region) = (arn.account(), arn.region());
    let message = if !account.is_empty() && account != "aws" && account != scope.account.as_str() {
        format!("{arn} is of account {account}, the environment's is {}", scope.account)
    } else if !region.is_empty() && region != scope.region.as_str() {
        format!("{arn} is of region {region}, the environment's is {}", scope.region)
    } else {
        return None;
    };
    Some(
        Problem::error(problem::FOREIGN_ARN, place, message)
            .help("name a resource of the environment's account and region"),
    )
}

/// `/path` and `ssm:name` are Systems Manager parameters, anything else is a Secrets Manager secret, with the JSON key,
/// version stage and version id that ECS takes behind the ARN (ECS guide, "Pass Secrets Manager secrets").
fn secret(name: &str) -> Tree {
    if name.starts_with('/') || name.starts_with("ssm:") {
        let name = name.strip_prefix("ssm:").unwrap_or(name);
        return Tree::Template(vec![Part::Arn(ResourceId::new(Kind::Parameter, name))]);
    }
    let (name, suffix) = name.split_once(':').unwrap_or((name, ""));
    let mut parts = vec![Part::Arn(ResourceId::new(Kind::Secret, name))];
    if !suffix.is_empty() {
        let mut fields = suffix.split(':');
        let mut next = || fields.next().unwrap_or_default();
        parts.push(Part::Text(format!(":{}:{}:{}", next(), next(), next())));
    }
    Tree::Template(parts)
}

/// The `service` section: CreateService's names, or what `aws ecs describe-services` prints.
pub fn service(node: &Node, scope: &Scope, shapes: &Shapes, problems: &mut Vec<Problem>) -> Node {
    let (node, described) = described_service(node, shapes);
    let mut node = with_references(&spelt(&node, shapes.create_service));
    if !described {
        for (key, why) in [
            ("cluster", "the cluster is the environment's"),
            ("serviceName", "the name is `name` at the top of the file"),
            ("taskDefinition", "the task definition is `taskDefinition` at the top of the file"),
            ("clientToken", "driftless makes its own"),
        ] {
            if let Some(entry) = node.take(key) {
                let message = format!("`service.{key}` cannot be declared: {why}");
                problems.push(Problem::error(problem::NOT_OURS, &entry.key_place, message));
            }
        }
    }
    resolve_names(&mut node, scope, problems);
    let checked = check_with(&node, shapes.create_service, Beside { own: &[], implied: &["serviceName"] }, problems);
    if checked.get("schedulingStrategy").and_then(Node::as_text) == Some("DAEMON")
        && let Some(entry) = checked.entry("desiredCount")
    {
        let message = "`desiredCount` cannot be declared for a DAEMON service: ECS runs one task per instance";
        problems.push(Problem::error(problem::NOT_OURS, &entry.key_place, message));
    }
    if let Some(count) = checked.get("desiredCount").filter(|node| node.as_integer().is_some_and(|n| n < 0)) {
        problems.push(expected(count, "0 or more"));
    }
    checked
}

/// Takes the wrapper and the read-only fields off what `describe-services` prints.
fn described_service(node: &Node, shapes: &Shapes) -> (Node, bool) {
    let inner = match (node.get("services").map(Node::items), node.get("service")) {
        (Some([only]), _) => only,
        (_, Some(inner)) if matches!(inner.tree, Tree::Map(_)) => inner,
        _ => node,
    };
    if inner.get("serviceArn").is_none() {
        return (node.clone(), false);
    }
    let primary = inner.get("deployments").map(Node::items).unwrap_or_default().iter();
    let primary = primary.clone().find(|d| d.get("status").and_then(Node::as_text) == Some("PRIMARY"));
    let mut service = Node::empty_map(&inner.place);
    for entry in inner.entries() {
        let identity = matches!(entry.key.as_str(), "serviceName" | "taskDefinition");
        if entry.key == "roleArn" {
            // The service-linked role is AWS's own choice and cannot be asked for (CreateService, role).
            if !entry.node.as_text().is_some_and(|role| role.contains("/aws-service-role/")) {
                service.set("role", entry.node.clone());
            }
        } else if !identity
            && (shapes.create_service.field(&entry.key).is_some() || shapes.service_answer.field(&entry.key).is_none())
        {
            service.set(&entry.key, entry.node.clone());
        }
    }
    // These three are on the deployment, not on the service (DescribeServices).
    for key in ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"] {
        if let Some(value) = primary.and_then(|deployment| deployment.get(key)) {
            service.set(key, value.clone());
        }
    }
    (service, true)
}

/// The shape of a section, for merging by key.
pub fn shape(shapes: &Shapes, section: &str) -> Option<Shape> {
    match section {
        "taskDefinition" => Some(shapes.task_definition),
        "service" => Some(shapes.create_service),
        _ => Shape::find(own::service().fields(), section).map(|field| (field.shape)()),
    }
}

/// Checks the top of a service file and gives it back.
pub fn top(node: &Node, problems: &mut Vec<Problem>) -> Node {
    check(node, own::service(), problems)
}
