//! Files of one commit -> [`Desired`] and problems. Reading never fails as a whole: one bad file stops one service.
//!
//! ```text
//! environment.yaml -> Environment, variables, defaults
//! services/**      -> read, extends, defaults, variables, sections checked -> Declared, one a service
//! all of them      -> guard: what no file can see alone (one family for two services, dependsOn)
//! ```

mod environment;
mod extends;
mod guard;
mod lints;
pub mod own;
mod sections;
mod service;
mod task_definition;
mod task_rules;

use super::document::{Node, Place};
use super::id::{RepoPath, ServiceId, ServiceName};
use super::problem::{self, Problem};
use super::shape::Shapes;
use super::source::{Commit, EntryKind, Files};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use environment::Environment;

/// What the team wants, as one commit says it.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The environment that all services belong to.
    pub environment: Environment,
    /// The services that were read without an error, and those that are kept.
    pub services: BTreeMap<ServiceName, Arc<Declared>>,
    /// Services whose files have errors now: what they said last without an error stays in force.
    pub kept: BTreeSet<ServiceName>,
    /// Files of services that have errors, with the service's name where it is known. Nothing is applied of them.
    pub broken: BTreeMap<RepoPath, Option<ServiceName>>,
}

impl Desired {
    /// The id of a service of this environment.
    pub fn service_id(&self, service: &ServiceName) -> ServiceId {
        ServiceId { cluster: self.environment.scope.cluster.clone(), service: service.clone() }
    }

    /// Keeps what broken files said last, and so the names of services that cannot be read from them any more.
    fn keep(&mut self, good: &BTreeMap<ServiceName, Arc<Declared>>) {
        for (path, name) in &mut self.broken {
            let of_file = || good.values().find(|declared| declared.file == *path);
            let Some(last) = name.as_ref().and_then(|name| good.get(name)).or_else(of_file) else { continue };
            name.get_or_insert_with(|| last.name.clone());
            // Another file may have taken over its name or its task family.
            let taken = |other: &Arc<Declared>| other.name == last.name || other.family == last.family;
            if !self.services.values().any(taken) {
                self.kept.insert(last.name.clone());
                self.services.insert(last.name.clone(), last.clone());
            }
        }
    }
}

/// One service as its documents declare it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The service's name.
    pub name: ServiceName,
    /// The file that declares it.
    pub file: RepoPath,
    /// RegisterTaskDefinition's input.
    pub task_definition: Node,
    /// The task definition's family.
    pub family: String,
    /// CreateService's input without cluster, serviceName and taskDefinition.
    pub service: Node,
    /// SHA-256 of both documents: it changes when what is declared does.
    pub digest: String,
    /// Whether the service may run another family than the live one does.
    pub allow_family_change: bool,
    /// Whether another service may run the same family.
    pub allow_shared_family: bool,
    /// Whether the number of tasks belongs to Application Auto Scaling.
    pub scaled: bool,
    /// With how many tasks the service is created where `desiredCount` does not say: `scaling.minCapacity`, else 1.
    pub initial_count: i64,
    /// How far driftless acts by itself.
    pub sync: Sync,
    /// The services that must be live first.
    pub depends_on: Vec<(ServiceName, Place)>,
    /// What is declared and valid and that this version does not converge, for people.
    pub not_converged: Vec<(&'static str, Place)>,
    /// All files that were read for it.
    pub inputs: BTreeSet<RepoPath>,
}

/// How far driftless acts by itself for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// What is done about differences.
    pub mode: Mode,
    /// Whether drift (AWS changed, git did not) is put back, or only reported.
    pub correct_drift: bool,
    /// The least time between two corrections of drift. A commit does not wait for it.
    pub min_interval: Duration,
    /// Whether a value that is set in AWS and not in git is drift.
    pub strict: bool,
    /// Paths that are not compared, as `service.deploymentConfiguration.alarms`.
    pub ignore: Vec<String>,
}

/// What is done about differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Commits and drift are applied.
    Auto,
    /// Nothing is applied until somebody asks for it.
    Manual,
    /// Nothing is ever applied; differences are shown.
    Detect,
}

impl Default for Sync {
    fn default() -> Self {
        // Five minutes: two tools that fight over a service must not restart it each minute.
        let min_interval = Duration::from_secs(300);
        Self { mode: Mode::Auto, correct_drift: true, min_interval, strict: false, ignore: Vec::new() }
    }
}

/// What reading needs beside the files.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    /// The environment's folder.
    pub root: &'c RepoPath,
    /// The commit, where there is one.
    pub commit: Option<&'c Commit>,
    /// The shapes of AWS's inputs.
    pub shapes: &'c Shapes,
    /// The environment variables that documents may use as `env.NAME`.
    pub env: &'c BTreeMap<String, String>,
}

/// What reading gives.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The desired state; `None` when there is no readable environment.yaml.
    pub desired: Option<Arc<Desired>>,
    /// Everything that is wrong, by file and line.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files_read: usize,
    /// How many services were taken over from the reading before, because nothing of theirs has changed.
    pub reused: usize,
    /// For the next reading: every service file, and every service as it was read last without an error.
    memory: BTreeMap<RepoPath, Remembered>,
    good: BTreeMap<ServiceName, Arc<Declared>>,
}

impl Reading {
    /// Whether nothing is wrong that would stop something.
    pub fn is_valid(&self) -> bool {
        self.desired.is_some() && !self.problems.iter().any(Problem::is_error)
    }
}

/// One service file as it was read: it need not be read again while these are the same.
#[derive(Debug, Clone)]
struct Remembered {
    /// Every file with its text (`None`: the file was looked for and is not there).
    inputs: BTreeMap<RepoPath, Option<Arc<str>>>,
    /// The values of the variables it uses.
    used: BTreeMap<String, Option<Value>>,
    /// The environment's defaults that were merged under it.
    defaults: Option<Arc<Node>>,
    outcome: service::Outcome,
}

/// Reads the environment below `context.root`. `before` is the last reading: what has not changed is taken over, and
/// what is broken now stays as it was.
pub fn read(files: &dyn Files, context: &Context<'_>, before: Option<&Reading>) -> Reading {
    // An environment that cannot be read takes nothing away from the next one that can.
    let good = before.map(|before| before.good.clone()).unwrap_or_default();
    let mut reading = Reading { good, ..Reading::default() };
    let mut cache = Cached { files, texts: BTreeMap::new() };
    let entries = match files.list(context.root) {
        Ok(entries) => entries,
        Err(problem) => {
            reading.problems.push(problem);
            return reading;
        }
    };
    for entry in entries.iter().filter(|entry| entry.kind != EntryKind::File) {
        let what = if entry.kind == EntryKind::Symlink { "a symbolic link" } else { "a submodule" };
        let message = format!("{} is {what}, which is never followed", entry.path);
        let problem = Problem::error(problem::REFUSED_ENTRY, &Place::file(entry.path.clone()), message);
        reading.problems.push(problem.help("commit the file itself"));
    }
    let Some(environment) = environment::read(&mut cache, context, &mut reading.problems) else {
        reading.files_read = cache.texts.len();
        return reading;
    };
    let services = context.root.join("services").unwrap_or_else(|| context.root.clone());
    let mut outcomes: Vec<(RepoPath, service::Outcome)> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File && is_service(&entry.path, &services)) {
        let known = before.and_then(|reading| reading.memory.get(&entry.path));
        let remembered = match known.filter(|known| known.still_holds(&mut cache, &environment)) {
            Some(known) => {
                reading.reused += 1;
                known.clone()
            }
            None => service::read(&mut cache, &entry.path, &environment, context.shapes),
        };
        outcomes.push((entry.path.clone(), remembered.outcome.clone()));
        reading.memory.insert(entry.path.clone(), remembered);
    }
    let (mut desired, problems) = guard::gather(environment.environment, outcomes);
    desired.keep(&reading.good);
    reading.good.clone_from(&desired.services);
    reading.problems.extend(problems);
    reading.problems.sort_by(|a, b| (&a.place, a.code, &a.message).cmp(&(&b.place, b.code, &b.message)));
    // What the environment's defaults say is found once in each service.
    reading.problems.dedup_by(|a, b| (&a.place, a.code, &a.message) == (&b.place, b.code, &b.message) && !a.is_error());
    reading.files_read = cache.texts.len();
    reading.desired = Some(Arc::new(desired));
    reading
}

/// A service file: YAML or JSON below services/, but for task definitions and other pieces (`*.task.json`).
fn is_service(path: &RepoPath, services: &RepoPath) -> bool {
    let name = path.file_name();
    let stem = ["yaml", "yml", "json"].iter().find_map(|ext| name.strip_suffix(ext)?.strip_suffix('.'));
    path.is_in(services) && stem.is_some_and(|stem| !stem.contains('.') && !stem.is_empty())
}

impl Remembered {
    fn still_holds(&self, cache: &mut Cached<'_>, environment: &environment::Read) -> bool {
        let Self { inputs, used, defaults, outcome: _ } = self;
        defaults == &environment.defaults
            && used.iter().all(|(name, value)| environment.variables.value(name) == value.as_ref())
            && inputs.iter().all(|(path, text)| matches!(cache.read(path), Ok(now) if now == *text))
    }
}

/// The files, each read once.
struct Cached<'f> {
    files: &'f dyn Files,
    texts: BTreeMap<RepoPath, Result<Option<Arc<str>>, Problem>>,
}

impl Cached<'_> {
    fn read(&mut self, path: &RepoPath) -> Result<Option<Arc<str>>, Problem> {
        self.texts.entry(path.clone()).or_insert_with(|| self.files.read(path)).clone()
    }
}
