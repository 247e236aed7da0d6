//! One service file -> [`Declared`], or why not.

use super::environment::{Read as Environment, is_name};
use super::extends::Reader;
use super::{Cached, Declared, Mode, Remembered, Sync, lints, sections, task_definition};
use crate::core::document::check::{duration, expected};
use crate::core::document::merge::merge_sections;
use crate::core::document::{Node, Place, Tree};
use crate::core::id::{RepoPath, ServiceName};
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
        let (mut not_converged, checked) = sections::others(&top, self.shapes, &mut self.problems);
        let sync = self.sync(&top, &mut not_converged);
        for (section, place) in &not_converged {
            let message = format!("`{section}` is declared and valid, but not converged yet by this version");
            self.problems.push(Problem::warning(problem::NOT_CONVERGED, place, message));
        }
        let task_definition = task_definition?;
        let scaled = top.get("scaling").is_some();
        self.cross_check(&task_definition, &service, scaled);
        self.problems.extend(lints::lint(&lints::Parts::of(&task_definition, &service, &top, &checked)));
        let least = top.get("scaling").and_then(|node| node.get("minCapacity").or_else(|| node.get("MinCapacity")));
        let initial_count = least.and_then(Node::as_integer).unwrap_or(1);
        let family = task_definition.get("family").and_then(Node::as_text)?.to_owned();
        let flag = |name: &str| top.get(name).and_then(Node::as_bool).unwrap_or(false);
        let depends_on = top.get("dependsOn").map(Node::items).unwrap_or_default().iter();
        let depends_on = depends_on.filter_map(|n| Some((ServiceName::from(n.as_text()?), n.place.clone()))).collect();
        Some(Declared {
            name,
            file: path.clone(),
            digest: digest(&Value::Array(vec![task_definition.to_value(), service.to_value()])),
            family,
            task_definition,
            service,
            allow_family_change: flag("allowFamilyChange"),
            allow_shared_family: flag("allowSharedFamily"),
            scaled,
            initial_count,
            sync,
            depends_on,
            not_converged,
            inputs: BTreeSet::new(),
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

    fn sync(&mut self, top: &Node, not_converged: &mut Vec<(&'static str, Place)>) -> Sync {
        let default = Sync::default();
        let Some(node) = top.get("sync") else { return default };
        let mode = match node.get("mode").and_then(Node::as_text) {
            Some("manual") => Mode::Manual,
            Some("detect") => Mode::Detect,
            _ => Mode::Auto,
        };
        let correct_drift = match node.get("drift") {
            None => default.correct_drift,
            Some(drift) => match drift.as_text() {
                Some("correct") => true,
                Some("report") => false,
                _ if matches!(drift.tree, Tree::Map(_)) => self.drift_per_resource(drift),
                _ => {
                    self.problems.push(expected(drift, "correct, report, or one of them per resource"));
                    default.correct_drift
                }
            },
        };
        for (name, key) in [("sync.prune", "prune"), ("sync.strict", "strict"), ("sync.windows", "windows")] {
            if let Some(entry) = node.entry(key).filter(|entry| entry.node.as_bool() != Some(false)) {
                not_converged.push((name, entry.key_place.clone()));
            }
        }
        for window in node.get("windows").map(Node::items).unwrap_or_default() {
            self.window(window);
        }
        let min_interval = node.get("minInterval").and_then(Node::as_text).and_then(duration);
        let ignore = node.get("ignore").map(Node::items).unwrap_or_default();
        Sync {
            mode,
            correct_drift,
            min_interval: min_interval.unwrap_or(default.min_interval),
            strict: node.get("strict").and_then(Node::as_bool).unwrap_or(default.strict),
            ignore: ignore.iter().filter_map(Node::as_text).map(str::to_owned).collect(),
        }
    }

    /// `{ deny: "fri 16:00-mon 08:00" }`: one of deny and allow, from a time to a time.
    fn window(&mut self, window: &Node) {
        let spans: Vec<&Node> = ["deny", "allow"].iter().filter_map(|key| window.get(key)).collect();
        if spans.len() != 1 {
            self.problems.push(expected(window, "exactly one of `deny` and `allow`"));
        }
        for span in spans.into_iter().filter(|span| !span.as_text().is_some_and(is_span)) {
            self.problems.push(expected(span, "a span of time, as \"fri 16:00-mon 08:00\" or \"22:00-06:00\""));
        }
    }

    /// `drift: { rules: report }`: of the resources, this version converges the service with its task definition.
    fn drift_per_resource(&mut self, drift: &Node) -> bool {
        const RESOURCES: [&str; 8] =
            ["taskDefinition", "service", "targetGroups", "rules", "scaling", "discovery", "logs", "loadBalancers"];
        let mut correct = true;
        for entry in drift.entries() {
            if !RESOURCES.contains(&entry.key.as_str()) {
                let message = format!("`{}` is no resource of a service", entry.key);
                let problem = Problem::error(problem::UNKNOWN_FIELD, &entry.key_place, message);
                self.problems.push(problem.help(format!("the resources are {}", RESOURCES.join(", "))));
            }
            match entry.node.as_text() {
                Some("correct") => {}
                Some("report") => correct &= !matches!(entry.key.as_str(), "service" | "taskDefinition"),
                _ => self.problems.push(expected(&entry.node, "correct or report")),
            }
        }
        correct
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

/// `fri 16:00-mon 08:00`, or `22:00-06:00` for every day.
fn is_span(text: &str) -> bool {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let clock = |text: &str| {
        let number = |part: &str, most: u32| part.len() == 2 && part.parse::<u32>().is_ok_and(|n| n < most);
        text.split_once(':').is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 60))
    };
    let moment = |text: &str| match text.split_once(' ') {
        Some((day, time)) => DAYS.contains(&day) && clock(time),
        None => clock(text),
    };
    text.split_once('-').is_some_and(|(from, to)| moment(from) && moment(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_ends() {
        for (text, right) in [
            ("fri 16:00-mon 08:00", true),
            ("22:00-06:00", true),
            ("fri 16:00", false),
            ("fri 24:00-mon 08:00", false),
            ("friday 16:00-mon 08:00", false),
            ("16:0-17:00", false),
        ] {
            assert_eq!(is_span(text), right, "{text}");
        }
    }
}
