//! environment.yaml: account, region, cluster, variables, defaults and load balancers.

use super::own;
use super::resources::Reader;
use super::{Cached, Context, Declared};
use crate::core::document::check::{check, expected};
use crate::core::document::read::read as read_text;
use crate::core::document::variables::Variables;
use crate::core::document::{Node, Tree};
use crate::core::id::{EnvironmentName, RepoPath, Scope, ServiceName};
use crate::core::normal::digest;
use crate::core::problem::{self, Problem};
use crate::core::source::Commit;
use crate::core::window::Window;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One environment: where its services live.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Account, region and cluster.
    pub scope: Scope,
    /// The deploy windows of what no file declares any more: those of the defaults.
    pub windows: Vec<Window>,
}

/// The environment with what its services need for reading.
pub struct Read {
    pub environment: Environment,
    pub variables: Variables,
    pub defaults: Option<Arc<Node>>,
    /// What it declares for all of its services.
    pub shared: Option<Arc<Declared>>,
}

/// Reads environment.yaml; `None` when there is none, or none that says where the services live.
pub fn read(files: &mut Cached<'_>, context: &Context<'_>, problems: &mut Vec<Problem>) -> Option<Read> {
    let (path, mut node) = find(files, context.root, problems)?;
    let mut variables = built_in(context.commit, context.env);
    let whole = check(&node, own::environment(), problems);
    for name in ["environment", "account", "region", "cluster"] {
        if let Some(text) = whole.get(name).and_then(Node::as_text) {
            variables.set(name, text);
        }
    }
    let mut used = BTreeSet::new();
    declare_variables(&whole, &mut variables, &mut used, problems);
    // What was just read, and what only a service can complete, is not substituted here.
    node.take("variables");
    node.take("defaults");
    variables.substitute(&mut node, &mut used, problems);
    let valid = check_scope(&node, problems);
    let text = |name: &str| node.get(name).and_then(Node::as_text);
    let scope =
        Scope { account: text("account")?.into(), region: text("region")?.into(), cluster: text("cluster")?.into() };
    let name = EnvironmentName::from(text("environment").unwrap_or_else(|| path.as_str()));
    // Defaults keep their `${...}`: they may use names that only a service has.
    let defaults = whole.get("defaults").cloned().map(Arc::new);
    let sync = default_sync(defaults.as_deref(), &variables);
    let shared = shared(&node, sync.as_ref(), &path, &scope, context, problems);
    let windows = sync.map(|sync| sync.windows).unwrap_or_default();
    valid.then_some(Read { environment: Environment { name, scope, windows }, variables, defaults, shared })
}

/// The defaults' `sync`; `None` when it has errors. Every service reads the defaults itself, and says what is wrong with
/// them.
fn default_sync(defaults: Option<&Node>, variables: &Variables) -> Option<super::Sync> {
    let mut problems = Vec::new();
    let node = defaults.and_then(|defaults| defaults.get("sync")).map(|sync| {
        let mut sync = sync.clone();
        variables.substitute(&mut sync, &mut BTreeSet::new(), &mut problems);
        check(&sync, own::sync(), &mut problems)
    });
    let sync = super::sync::sync(node.as_ref(), &mut problems);
    (!problems.iter().any(Problem::is_error)).then_some(sync)
}

/// Load balancers, and what else is declared for all services; `None` when nothing is, or not without errors, or when the
/// rules under which it may be changed have errors.
fn shared(
    node: &Node,
    sync: Option<&super::Sync>,
    file: &RepoPath,
    scope: &Scope,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Arc<Declared>> {
    let before = problems.len();
    let mut reader = Reader { scope, shapes: context.shapes, problems: &mut *problems, found: Vec::new() };
    reader.environment(node);
    let resources = reader.found;
    let whole = !problems[before..].iter().any(Problem::is_error);
    sync.filter(|_| whole && !resources.is_empty()).map(|sync| {
        Arc::new(Declared {
            name: ServiceName::from(ServiceName::SHARED),
            file: file.clone(),
            workload: None,
            digest: digest(&resources.iter().map(super::Resource::to_value).collect()),
            resources,
            sync: sync.clone(),
            images: super::Images::default(),
            on_secret_rotated: super::OnMoved::Ignore,
            keep_revisions: None,
            follow: super::Follow::default(),
            depends_on: Vec::new(),
            before: Vec::new(),
            left: BTreeSet::new(),
            inputs: BTreeSet::from([file.clone()]),
            of_each_commit: false,
        })
    })
}

fn find(files: &mut Cached<'_>, root: &RepoPath, problems: &mut Vec<Problem>) -> Option<(RepoPath, Node)> {
    for name in ["environment.yaml", "environment.yml", "environment.json"] {
        let path = root.join(name)?;
        let read = files.read(&path).and_then(|text| text.map(|text| read_text(&path, &text)).transpose());
        match read {
            Ok(Some(node)) => return Some((path, node)),
            Ok(None) => {}
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        }
    }
    let folder = if root.as_str().is_empty() { "the root of the repository" } else { root.as_str() };
    let message = format!("there is no environment.yaml in {folder}");
    problems.push(
        Problem::without_place(problem::NO_ENVIRONMENT, message)
            .help("point `path` to the folder that holds environment.yaml, or create it with environment, account, region and cluster"),
    );
    None
}

fn built_in(commit: Option<&Commit>, env: &std::collections::BTreeMap<String, String>) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in env {
        variables.set(&format!("env.{name}"), value.as_str());
    }
    let Some(commit) = commit else {
        for name in ["git.commit", "git.shortCommit", "git.branch", "git.tag"] {
            variables.set_missing(name, "the folder is not in a git repository");
        }
        return variables;
    };
    variables.set("git.commit", commit.revision.as_str());
    variables.set("git.shortCommit", commit.revision.short());
    match &commit.branch {
        Some(branch) => variables.set("git.branch", branch.as_str()),
        None => variables.set_missing("git.branch", "the source does not follow a branch"),
    }
    match &commit.tag {
        Some(tag) => variables.set("git.tag", tag.as_str()),
        None => variables.set_missing("git.tag", "no tag reaches this commit"),
    }
    variables
}

/// `variables`, each of which may use the built-in ones and those above it.
fn declare_variables(node: &Node, variables: &mut Variables, used: &mut BTreeSet<String>, problems: &mut Vec<Problem>) {
    let Some(declared) = node.get("variables") else { return };
    if !matches!(declared.tree, Tree::Map(_)) {
        problems.push(expected(declared, "a mapping of names to values"));
    }
    for entry in declared.entries() {
        let mut value = entry.node.clone();
        variables.substitute(&mut value, used, problems);
        variables.set(&entry.key, value.to_value());
    }
}

fn check_scope(node: &Node, problems: &mut Vec<Problem>) -> bool {
    let before = problems.len();
    if let Some(account) = node.get("account")
        && !account.as_text().is_some_and(|text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()))
    {
        problems.push(expected(account, "an account id of 12 digits, in quotes"));
    }
    for name in ["environment", "region", "cluster"] {
        if let Some(value) = node.get(name)
            && !value.as_text().is_some_and(is_name)
        {
            problems.push(expected(value, "a name of letters, digits, `-` and `_`"));
        }
    }
    problems.len() == before
}

/// ECS CreateCluster, CreateService: "up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens".
pub fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
