//! One service file -> [`Declared`], or why not.

use super::environment::{Read as Environment, is_name};
use super::extends::Reader;
use super::resources::{Reader as Resources, reference};
use super::{Cached, Declared, Remembered, Workload, lints, sections, task_definition};
use crate::core::document::check::expected;
use crate::core::document::merge::merge_sections;
use crate::core::document::{Node, Tree};
use crate::core::id::{Kind, RepoPath, ServiceName};
use crate::core::normal::digest;
use crate::core::problem::{self, Problem};
use crate::core::shape::Shapes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What became of one service file.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The service's name, where it could be read.
    pub name: Option<ServiceName>,
    /// The service; `None` when it has errors.
    pub declared: Option<Arc<Declared>>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// Reads one service file and everything it names.
pub fn read(files: &mut Cached<'_>, path: &RepoPath, environment: &Environment, shapes: &Shapes) -> Remembered {
    let section = |name: &str| sections::shape(shapes, name);
    let mut reader = Reader { files, inputs: BTreeSet::new(), section: &section };
    let mut service = Service { environment, shapes, used: BTreeSet::new(), problems: Vec::new(), name: None };
    let declared = service.read(&mut reader, path);
    let inputs = std::mem::take(&mut reader.inputs);
    let Service { used, mut problems, name, .. } = service;
    for problem in &mut problems {
        problem.service = name.clone();
    }
    let declared = declared.filter(|_| !problems.iter().any(Problem::is_error));
    let inputs: BTreeMap<_, _> =
        inputs.into_iter().map(|path| (path.clone(), files.read(&path).ok().flatten())).collect();
    let declared = declared.map(|declared| Arc::new(Declared { inputs: inputs.keys().cloned().collect(), ..declared }));
    let used = used.into_iter().filter(|name| name != "service");
    Remembered {
        used: used.map(|name| (name.clone(), environment.variables.value(&name).cloned())).collect(),
        defaults: environment.defaults.clone(),
        outcome: Outcome { name, declared, problems },
        inputs,
    }
}

struct Service<'s> {
    environment: &'s Environment,
    shapes: &'s Shapes,
    used: BTreeSet<String>,
    problems: Vec<Problem>,
    name: Option<ServiceName>,
}

impl Service<'_> {
    fn read(&mut self, reader: &mut Reader<'_, '_>, path: &RepoPath) -> Option<Declared> {
        let mut node = self.keep(reader.extended(path))?;
        if let Some(defaults) = &self.environment.defaults {
            node = merge_sections((**defaults).clone(), &node, reader.section);
        }
        let mut variables = self.environment.variables.clone();
        let name = self.read_name(&mut node)?;
        self.name = Some(name.clone());
        variables.set("service", name.as_str());
        variables.substitute(&mut node, &mut self.used, &mut self.problems);
        let top = sections::top(&node, &mut self.problems);
        let scope = &self.environment.environment.scope;
        let task_definition = top.get("taskDefinition").and_then(|node| {
            let mut found = self.keep(task_definition::find(reader, node))?;
            // An inline one was substituted with the file that it stands in.
            if matches!(node.tree, Tree::Text(_)) {
                variables.substitute(&mut found, &mut self.used, &mut self.problems);
            }
            let containers = top.get("containers");
            Some(task_definition::read(&found, containers, scope, self.shapes, &mut self.problems))
        });
        let empty = Node::empty_map(&top.place);
        let service = top.get("service").unwrap_or(&empty);
        let service = match &service.tree {
            Tree::Text(_) => {
                let mut file = self.keep(reader.path(service).and_then(|p| reader.file(&p, Some(&service.place))))?;
                variables.substitute(&mut file, &mut self.used, &mut self.problems);
                file
            }
            _ => service.clone(),
        };
        let service = sections::service(&service, scope, self.shapes, &mut self.problems);
        let mut resources = Resources { scope, shapes: self.shapes, problems: &mut self.problems, found: Vec::new() };
        resources.service(&top, &name);
        let resources = resources.found;
        let keep_revisions = kept(&top, &mut self.problems);
        let sync = super::sync::sync(top.get("sync"), &mut self.problems);
        let task_definition = task_definition?;
        let service = registered(service, &task_definition, &resources, &mut self.problems);
        let service = super::approval::approved(service, &top, &mut self.problems);
        let before = super::before::before(&top, &task_definition, &mut self.problems);
        let strategy = service.at("/deploymentConfiguration/strategy").and_then(Node::as_text).unwrap_or("ROLLING");
        let follow = super::follow::follow(top.get("rollout"), strategy, &mut self.problems);
        let least = resources.iter().find(|resource| resource.id.kind == Kind::ScalableTarget);
        self.cross_check(&task_definition, &service, least.is_some());
        let parts = lints::Parts::of(&task_definition, &service, &top, &resources);
        self.problems.extend(lints::lint(&parts));
        let initial_count = least.and_then(|target| target.input.get("MinCapacity")).and_then(Node::as_integer);
        let family = task_definition.get("family").and_then(Node::as_text)?.to_owned();
        let flag = |name: &str| top.get(name).and_then(Node::as_bool).unwrap_or(false);
        let depends_on = top.get("dependsOn").map(Node::items).unwrap_or_default().iter();
        let depends_on = depends_on.filter_map(|n| Some((ServiceName::from(n.as_text()?), n.place.clone()))).collect();
        let mut documents = vec![task_definition.to_value(), service.to_value()];
        documents.extend(resources.iter().map(super::Resource::to_value));
        if !before.is_empty() {
            documents.push(before.iter().map(super::BeforeTask::to_value).collect());
        }
        Some(Declared {
            name,
            file: path.clone(),
            digest: digest(&Value::Array(documents)),
            workload: Some(Workload {
                task_definition,
                family,
                service,
                allow_family_change: flag("allowFamilyChange"),
                allow_shared_family: flag("allowSharedFamily"),
                initial_count: initial_count.unwrap_or(1),
            }),
            resources,
            sync,
            images: super::images::images(top.get("images")),
            keep_revisions,
            on_secret_rotated: super::OnMoved::of(
                top.get("rollout").and_then(|rollout| rollout.get("onSecretRotated")),
            ),
            follow,
            depends_on,
            before,
            left: BTreeSet::new(),
            inputs: BTreeSet::new(),
            of_each_commit: self.used.iter().any(|name| name.starts_with("git.")),
        })
    }

    fn keep<T>(&mut self, read: Result<T, Problem>) -> Option<T> {
        read.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// The name comes first: everything else may use `${service}`.
    fn read_name(&mut self, node: &mut Node) -> Option<ServiceName> {
        let Some(mut name) = node.get("name").cloned() else {
            self.problems.push(crate::core::document::check::missing(&node.place, "a service file", "name"));
            return None;
        };
        self.environment.variables.substitute(&mut name, &mut self.used, &mut self.problems);
        let text = name.as_text().filter(|text| is_name(text)).map(ServiceName::from);
        if text.is_none() && self.problems.is_empty() {
            self.problems.push(expected(&name, "a service name of at most 255 letters, digits, `-` and `_`"));
        }
        node.set("name", name);
        text
    }

    /// What the sections say of each other: ports, containers, counts.
    fn cross_check(&mut self, task_definition: &Node, service: &Node, scaled: bool) {
        for balancer in service.get("loadBalancers").map(Node::items).unwrap_or_default() {
            let name = balancer.get("containerName");
            let Some((name, text)) = name.and_then(|node| Some((node, node.as_text()?))) else { continue };
            let containers = task_definition.get("containerDefinitions").map(Node::items).unwrap_or_default();
            let container = containers.iter().find(|c| c.get("name").and_then(Node::as_text) == Some(text));
            let Some(container) = container else {
                let message = format!(
                    "the load balancer sends traffic to container `{text}`, which the task definition does not have"
                );
                let problem = Problem::error(problem::NO_PORT, &name.place, message);
                self.problems.push(problem.related(&task_definition.place, "this task definition"));
                continue;
            };
            let Some(port) = balancer.get("containerPort") else { continue };
            let mappings = container.get("portMappings").map(Node::items).unwrap_or_default();
            let ranged = mappings.iter().any(|mapping| mapping.get("containerPortRange").is_some());
            let mapped =
                mappings.iter().any(|m| m.get("containerPort").and_then(Node::as_integer) == port.as_integer());
            if !mapped && !ranged {
                let message = format!(
                    "the load balancer sends traffic to port {}, which container `{text}` does not map",
                    port.to_value()
                );
                let problem = Problem::error(problem::NO_PORT, &port.place, message);
                self.problems.push(problem.related(&container.place, "this container"));
            }
        }
        if let (true, Some(entry)) = (scaled, service.entry("desiredCount")) {
            let message = "with `scaling` the number of tasks belongs to Application Auto Scaling: desiredCount is used only when the service is created";
            self.problems.push(Problem::warning(problem::NOT_OURS, &entry.key_place, message));
        }
    }
}

/// The most revisions that can be kept: ECS lists a hundred at once, and some behind them are looked at.
const KEEP_MAX: i64 = 90;

/// `revisions.keep`: how many of the newest revisions stay.
fn kept(top: &Node, problems: &mut Vec<Problem>) -> Option<usize> {
    let keep = top.get("revisions")?.get("keep")?;
    let count = keep.as_integer()?;
    if !(1..=KEEP_MAX).contains(&count) {
        problems.push(expected(keep, &format!("1 to {KEEP_MAX}")));
    }
    usize::try_from(count).ok()
}

/// A service whose file declares its Cloud Map service is registered there, unless the file says how itself. A and AAAA
/// records need the registry alone; SRV records name the container and its port (ECS guide, "Service discovery").
fn registered(mut service: Node, task: &Node, resources: &[super::Resource], problems: &mut Vec<Problem>) -> Node {
    let discovery = resources.iter().find(|resource| resource.id.kind == Kind::DiscoveryService);
    let Some(discovery) = discovery.filter(|_| service.get("serviceRegistries").is_none()) else { return service };
    let mut registry = Node::empty_map(&discovery.place);
    registry.set("registryArn", reference(&discovery.id, &discovery.place));
    let records = discovery.input.at("/DnsConfig/DnsRecords").map(Node::items).unwrap_or_default();
    if records.iter().any(|record| record.get("Type").and_then(Node::as_text) == Some("SRV")) {
        let mapped = task.get("containerDefinitions").map(Node::items).unwrap_or_default().iter();
        let mapped = mapped.flat_map(|container| {
            let ports = container.get("portMappings").map(Node::items).unwrap_or_default().iter();
            ports.filter_map(move |port| Some((container.get("name")?.clone(), port.get("containerPort")?.clone())))
        });
        match mapped.collect::<Vec<_>>().as_slice() {
            [(name, port)] => {
                registry.set("containerName", name.clone());
                registry.set("containerPort", port.clone());
            }
            _ => problems.push(
                Problem::error(problem::NO_PORT, &discovery.place, "an SRV record needs one container with one port")
                    .help("write service.serviceRegistries: [{ discovery: NAMESPACE/NAME, containerName: ..., containerPort: ... }]"),
            ),
        }
    }
    service.set("serviceRegistries", Node { tree: Tree::List(vec![registry]), place: discovery.place.clone() });
    service
}
