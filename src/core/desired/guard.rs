//! What no file can see alone: one name in two files, one family for two services, dependencies.

use super::service::Outcome;
use super::{Declared, Desired, Environment};
use crate::core::document::check::closest;
use crate::core::id::{RepoPath, ServiceName};
use crate::core::problem::{self, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Puts the services together; those that are in each other's way are broken.
pub fn gather(environment: Environment, outcomes: Vec<(RepoPath, Outcome)>) -> (Desired, Vec<Problem>) {
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
    let found: Vec<Problem> = shared_families(&services).into_iter().chain(dependencies(&services, &names)).collect();
    for problem in &found {
        if let Some(declared) = problem.service.as_ref().and_then(|name| services.remove(name)) {
            broken.insert(declared.file.clone(), Some(declared.name.clone()));
        }
    }
    problems.extend(found);
    if let Some(place) = &environment.load_balancers {
        let message = "`loadBalancers` is declared and valid, but not converged yet by this version";
        problems.push(Problem::warning(problem::NOT_CONVERGED, place, message));
    }
    (Desired { environment, services, kept: BTreeSet::new(), broken }, problems)
}

fn twice(name: &ServiceName, first: &RepoPath, second: &RepoPath) -> Problem {
    use crate::core::document::Place;
    let message = format!("{first} and {second} both declare the service {name}");
    let mut problem = Problem::error(problem::SERVICE_TWICE, &Place::file(second.clone()), message);
    problem.service = Some(name.clone());
    problem.help("rename one of them; nothing is applied of either until then")
}

/// A prod-app service can never run a prod-api task (desired-state rule 4).
fn shared_families(services: &BTreeMap<ServiceName, Arc<Declared>>) -> Vec<Problem> {
    let mut by_family: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    for declared in services.values() {
        by_family.entry(&declared.family).or_default().push(declared);
    }
    let shared = by_family.into_iter().filter(|(_, users)| users.len() > 1);
    let refused = shared.flat_map(|(family, users)| {
        users
            .clone()
            .into_iter()
            .filter(|user| !user.allow_shared_family)
            .map(move |user| (family, users.clone(), user))
    });
    refused.map(|(family, users, user)| {
        let others: Vec<_> = users.iter().filter(|u| u.name != user.name).map(|u| u.name.as_str()).collect();
        let place = &user.task_definition.get("family").unwrap_or(&user.task_definition).place;
        let message = format!("{} would run the task family {family}, as {} does", user.name, others.join(", "));
        let mut problem = Problem::error(problem::SHARED_FAMILY, place, message)
            .help("give each service a family of its own; to share one on purpose, write `allowSharedFamily: true` in each of them");
        problem.service = Some(user.name.clone());
        problem
    }).collect()
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
