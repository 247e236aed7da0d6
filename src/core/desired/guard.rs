//! What no file can see alone: one name in two files, one family for two services, dependencies.

use super::service::Outcome;
use super::{Declared, Desired, Environment, Resource, Workload};
use crate::core::document::check::closest;
use crate::core::id::{Kind, RepoPath, ResourceId, ServiceName};
use crate::core::problem::{self, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Puts the services together; those that are in each other's way are broken. `good` is what they said last without an
/// error.
pub fn gather(
    environment: Environment,
    shared: Option<Arc<Declared>>,
    outcomes: Vec<(RepoPath, Outcome)>,
    good: &BTreeMap<ServiceName, Arc<Declared>>,
) -> (Desired, Vec<Problem>) {
    let mut problems: Vec<Problem> = Vec::new();
    let mut broken = BTreeMap::new();
    let mut services: BTreeMap<ServiceName, Arc<Declared>> = BTreeMap::new();
    let mut names: BTreeMap<ServiceName, RepoPath> = BTreeMap::new();
    for (path, Outcome { name, declared, problems: own }) in outcomes {
        problems.extend(own);
        let first = name.as_ref().and_then(|name| names.get(name));
        if let (Some(name), Some(first)) = (&name, first) {
            problems.push(twice(name, first, &path));
            services.remove(name);
            broken.insert(first.clone(), Some(name.clone()));
            broken.insert(path, Some(name.clone()));
            continue;
        }
        names.extend(name.clone().map(|name| (name, path.clone())));
        match declared {
            Some(declared) => {
                services.insert(declared.name.clone(), declared);
            }
            None => {
                broken.insert(path, name);
            }
        }
    }
    services.extend(shared.map(|shared| (shared.name.clone(), shared)));
    let found = shared_families(&services, good).into_iter().chain(dependencies(&services, &names));
    let found: Vec<Problem> = found.chain(declared_twice(&services)).collect();
    for problem in &found {
        if let Some(declared) = problem.service.as_ref().and_then(|name| services.remove(name)) {
            broken.insert(declared.file.clone(), Some(declared.name.clone()));
        }
    }
    problems.extend(found);
    (Desired { environment, services, kept: BTreeSet::new(), broken }, problems)
}

fn twice(name: &ServiceName, first: &RepoPath, second: &RepoPath) -> Problem {
    use crate::core::document::Place;
    let message = format!("{first} and {second} both declare the service {name}");
    let mut problem = Problem::error(problem::SERVICE_TWICE, &Place::file(second.clone()), message);
    problem.service = Some(name.clone());
    problem.help("rename one of them; nothing is applied of either until then")
}

/// A prod-app service can never run a prod-api task (desired-state rule 4). The one that had the family before, as far as
/// that is known, goes on.
fn shared_families(
    services: &BTreeMap<ServiceName, Arc<Declared>>,
    good: &BTreeMap<ServiceName, Arc<Declared>>,
) -> Vec<Problem> {
    let had = |user: &Declared, family: &str| {
        let last = good.get(&user.name).and_then(|last| last.workload.as_ref());
        last.is_some_and(|workload| workload.family == family)
    };
    let mut by_family: BTreeMap<&str, Vec<(&Declared, &Workload)>> = BTreeMap::new();
    for declared in services.values() {
        if let Some(workload) = &declared.workload {
            by_family.entry(&workload.family).or_default().push((declared, workload));
        }
    }
    let shared = by_family.into_iter().filter(|(_, users)| users.len() > 1);
    let refused = shared.flat_map(|(family, users)| {
        users
            .clone()
            .into_iter()
            .filter(|(user, workload)| !workload.allow_shared_family && !had(user, family))
            .map(move |(user, workload)| (family, users.clone(), user, workload))
    });
    refused.map(|(family, users, user, workload)| {
        let others: Vec<_> = users.iter().filter(|(u, _)| u.name != user.name).map(|(u, _)| u.name.as_str()).collect();
        let place = &workload.task_definition.get("family").unwrap_or(&workload.task_definition).place;
        let message = format!("{} would run the task family {family}, as {} does", user.name, others.join(", "));
        let mut problem = Problem::error(problem::SHARED_FAMILY, place, message)
            .help("give each service a family of its own; to share one on purpose, write `allowSharedFamily: true` in each of them");
        problem.service = Some(user.name.clone());
        problem
    }).collect()
}

/// One thing declared in two files, or twice in one: each would undo what the other says. Log groups may be declared by
/// several services that say the same of them.
fn declared_twice(services: &BTreeMap<ServiceName, Arc<Declared>>) -> Vec<Problem> {
    let mut first: BTreeMap<&ResourceId, (&Declared, &Resource)> = BTreeMap::new();
    let mut problems = Vec::new();
    for declared in services.values() {
        for resource in &declared.resources {
            let Some((other, earlier)) = first.get(&resource.id) else {
                first.insert(&resource.id, (declared, resource));
                continue;
            };
            let same = other.name != declared.name && earlier.to_value() == resource.to_value();
            if resource.id.kind == Kind::LogGroup && same {
                continue;
            }
            let message = format!("the {} is declared twice", resource.id);
            let mut problem = Problem::error(problem::RESOURCE_TWICE, &resource.place, message)
                .related(&earlier.place, "the first one")
                .help("declare it once; what several services use belongs into environment.yaml");
            problem.service = Some(declared.name.clone());
            problems.push(problem);
        }
    }
    problems
}

/// Unknown names and circles in `dependsOn`.
fn dependencies(
    services: &BTreeMap<ServiceName, Arc<Declared>>,
    names: &BTreeMap<ServiceName, RepoPath>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for declared in services.values() {
        for (name, place) in &declared.depends_on {
            let message = if !names.contains_key(name) {
                format!("dependsOn names {name}, which this environment does not declare")
            } else if reaches(services, name, &declared.name) {
                format!("{} and {name} wait for each other", declared.name)
            } else {
                continue;
            };
            let mut problem = Problem::error(problem::DEPENDS_ON, place, message);
            if let Some(near) = closest(name.as_str(), names.keys().map(ServiceName::as_str)) {
                problem = problem.help_if(!names.contains_key(name), &format!("did you mean `{near}`?"));
            }
            problem.service = Some(declared.name.clone());
            problems.push(problem);
        }
    }
    problems
}

/// Whether `from` depends on `to`, directly or through others.
fn reaches(services: &BTreeMap<ServiceName, Arc<Declared>>, from: &ServiceName, to: &ServiceName) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            open.extend(
                services.get(name).iter().flat_map(|declared| declared.depends_on.iter().map(|(name, _)| name)),
            );
        }
    }
    false
}
