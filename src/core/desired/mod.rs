//! Files of one commit -> [`Desired`] and problems. Reading never fails as a whole: one bad file stops one service.
//!
//! ```text
//! environment.yaml -> Environment, variables, defaults
//! services/**      -> read, extends, defaults, variables, sections checked -> Declared, one a service
//! all of them      -> guard: what no file can see alone (one family for two services, dependsOn)
//! ```

mod approval;
mod before;
mod environment;
mod extends;
mod follow;
mod guard;
mod images;
mod lints;
pub mod own;
mod resources;
mod sections;
mod service;
mod sync;
mod task_definition;
mod task_rules;

use super::document::{Node, Place};
use super::id::{Kind, RepoPath, ResourceId, ServiceId, ServiceName};
use super::problem::{self, Problem};
use super::shape::Shapes;
use super::source::{Commit, EntryKind, Files};
use super::window::Window;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use before::BeforeTask;
pub use environment::Environment;
pub use follow::Follow;
pub use images::{Images, OnMoved};
pub use resources::Resource;

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

    /// The unit that declares a thing, where any does.
    pub fn declarer(&self, id: &ResourceId) -> Option<&Arc<Declared>> {
        self.services.values().find(|declared| declared.resource(id).is_some())
    }

    /// Keeps what broken files said last, and so the names of services that cannot be read from them any more.
    fn keep(&mut self, good: &BTreeMap<ServiceName, Arc<Declared>>) {
        for (path, name) in &mut self.broken {
            let of_file = || good.values().find(|declared| declared.file == *path);
            let Some(last) = name.as_ref().and_then(|name| good.get(name)).or_else(of_file) else { continue };
            name.get_or_insert_with(|| last.name.clone());
            // Another file may have taken over its name or its task family.
            let family = |declared: &Declared| declared.workload.as_ref().map(|workload| workload.family.clone());
            let taken = |other: &Arc<Declared>| {
                other.name == last.name || (family(other).is_some() && family(other) == family(last))
            };
            if !self.services.values().any(taken) {
                self.kept.insert(last.name.clone());
                self.services.insert(last.name.clone(), last.clone());
            }
        }
    }
}

/// One service as its documents declare it, or what the services of an environment share.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The service's name; [`ServiceName::SHARED`] for what environment.yaml declares.
    pub name: ServiceName,
    /// The file that declares it.
    pub file: RepoPath,
    /// The ECS service with its task definition; `None` for what is shared.
    pub workload: Option<Workload>,
    /// Everything beside it, in the order of the file.
    pub resources: Vec<Resource>,
    /// SHA-256 of all of that: it changes when what is declared does.
    pub digest: String,
    /// How far driftless acts by itself.
    pub sync: Sync,
    /// What is done about its images.
    pub images: Images,
    /// What is done when a secret that its tasks were given has changed.
    pub on_secret_rotated: OnMoved,
    /// How many of the newest ACTIVE revisions of its family stay; nothing is deregistered where git does not say.
    pub keep_revisions: Option<usize>,
    /// How its rollouts are followed.
    pub follow: Follow,
    /// The services that must be live first.
    pub depends_on: Vec<(ServiceName, Place)>,
    /// One-off tasks before a rollout, in their order.
    pub before: Vec<BeforeTask>,
    /// Settings that were declared by an earlier reading of this process, and are not any more.
    pub left: BTreeSet<String>,
    /// All files that were read for it.
    pub inputs: BTreeSet<RepoPath>,
    /// Whether it says something of the commit or its tag (`git.…`), so that it may change without its files.
    pub of_each_commit: bool,
}

impl Declared {
    /// The declared things of a kind, in the order of the file.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |resource| resource.id.kind == kind)
    }

    /// The declared thing of this identity.
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == *id)
    }

    /// A service that git does not declare any more.
    pub fn gone(name: ServiceName) -> Self {
        Self {
            name,
            file: RepoPath::new(""),
            workload: None,
            resources: Vec::new(),
            digest: String::new(),
            sync: Sync::default(),
            images: Images::default(),
            on_secret_rotated: OnMoved::Ignore,
            keep_revisions: None,
            follow: Follow::default(),
            depends_on: Vec::new(),
            before: Vec::new(),
            left: BTreeSet::new(),
            inputs: BTreeSet::new(),
            of_each_commit: false,
        }
    }

    /// Whether the number of tasks belongs to Application Auto Scaling.
    pub fn is_scaled(&self) -> bool {
        self.of(Kind::ScalableTarget).next().is_some()
    }
}

/// An ECS service and what it runs.
#[derive(Debug, Clone)]
pub struct Workload {
    /// RegisterTaskDefinition's input.
    pub task_definition: Node,
    /// The task definition's family.
    pub family: String,
    /// CreateService's input without cluster, serviceName and taskDefinition.
    pub service: Node,
    /// Whether the service may run another family than the live one does.
    pub allow_family_change: bool,
    /// Whether another service may run the same family.
    pub allow_shared_family: bool,
    /// With how many tasks the service is created where `desiredCount` does not say: `scaling.minCapacity`, else 1.
    pub initial_count: i64,
}

/// How far driftless acts by itself for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// What is done about differences.
    pub mode: Mode,
    /// The sections whose drift (AWS changed, git did not) is only reported, not put back.
    pub reported: BTreeSet<Section>,
    /// The least time between two corrections of drift. A commit does not wait for it.
    pub min_interval: Duration,
    /// Whether a value that is set in AWS and not in git is drift.
    pub strict: bool,
    /// Whether what left git may be deleted, when somebody confirms it.
    pub prune: bool,
    /// When something may begin; always where there are none.
    pub windows: Vec<Window>,
    /// Paths that are not compared, as `service.deploymentConfiguration.alarms`.
    pub ignore: Vec<String>,
}

/// A section of the documents that `sync.drift` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Section {
    /// What the service runs.
    TaskDefinition,
    /// The ECS service.
    Service,
    /// Its target groups with their attributes.
    TargetGroups,
    /// Its listener rules.
    Rules,
    /// Scalable target, policies, alarms, scheduled actions.
    Scaling,
    /// Its Cloud Map service.
    Discovery,
    /// Its log groups.
    Logs,
    /// Attributes and listeners of load balancers.
    LoadBalancers,
}

impl Section {
    /// All of them.
    pub const ALL: &[Section] = &[
        Section::TaskDefinition,
        Section::Service,
        Section::TargetGroups,
        Section::Rules,
        Section::Scaling,
        Section::Discovery,
        Section::Logs,
        Section::LoadBalancers,
    ];

    /// Its key in the documents.
    pub const fn name(self) -> &'static str {
        match self {
            Section::TaskDefinition => "taskDefinition",
            Section::Service => "service",
            Section::TargetGroups => "targetGroups",
            Section::Rules => "rules",
            Section::Scaling => "scaling",
            Section::Discovery => "discovery",
            Section::Logs => "logs",
            Section::LoadBalancers => "loadBalancers",
        }
    }
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
        Self {
            mode: Mode::Auto,
            reported: BTreeSet::new(),
            min_interval,
            strict: false,
            prune: false,
            windows: Vec::new(),
            ignore: Vec::new(),
        }
    }
}

impl Desired {
    /// A field removed from git is said to be no longer managed (desired-state rule 5). Only a process that has read both
    /// commits knows; another one sees it as "set in AWS, not in git".
    fn remember_what_left(&mut self, before: &BTreeMap<ServiceName, Arc<Declared>>) {
        for (name, declared) in &mut self.services {
            let Some(last) = before.get(name).filter(|last| last.digest != declared.digest || !last.left.is_empty())
            else {
                continue;
            };
            let now = declared.paths();
            let left: BTreeSet<String> =
                last.paths().union(&last.left).filter(|path| !now.contains(*path)).cloned().collect();
            // Of what left as a whole, the whole is named.
            let whole = |path: &String| {
                !left.iter().any(|other| path.len() > other.len() && path.starts_with(&format!("{other}.")))
            };
            let left = left.iter().filter(|path| whole(path)).cloned().collect();
            if declared.left != left {
                Arc::make_mut(declared).left = left;
            }
        }
    }
}

impl Declared {
    /// The paths of all declared settings beside the task definition, which is a whole document; of a list the whole.
    fn paths(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        if let Some(workload) = &self.workload {
            leaves("service", &workload.service, &mut paths);
        }
        for resource in &self.resources {
            let path = resource.path.to_string();
            paths.insert(path.clone());
            leaves(&path, &resource.input, &mut paths);
            if let Some(attributes) = &resource.attributes {
                leaves(&format!("{path}.attributes"), attributes, &mut paths);
            }
        }
        paths
    }
}

fn leaves(at: &str, node: &Node, paths: &mut BTreeSet<String>) {
    match &node.tree {
        super::document::Tree::Map(entries) => {
            for entry in entries {
                leaves(&format!("{at}.{}", super::shape::lower_first(&entry.key)), &entry.node, paths);
            }
        }
        super::document::Tree::Null => {}
        _ => {
            paths.insert(at.to_owned());
        }
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
    let (mut desired, problems) = guard::gather(environment.environment, environment.shared, outcomes, &reading.good);
    desired.keep(&reading.good);
    desired.remember_what_left(&reading.good);
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
