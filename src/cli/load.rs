//! The desired state that a command works on, from a folder or from a commit.

use super::Where;
use crate::aws::tables;
use crate::core::desired::{self, Context, Desired, Reading};
use crate::core::document::check::closest;
use crate::core::id::{RepoPath, ServiceName};
use crate::core::problem::Problem;
use crate::core::shape::Shapes;
use crate::core::source::{Commit, Files};
use crate::daemon::past::Past;
use crate::git;
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a commit may take to fetch.
const FETCH_LIMIT: Duration = Duration::from_secs(180);

/// What was read.
pub struct Loaded {
    /// The files said this.
    pub reading: Reading,
    /// The commit, where there is one.
    pub commit: Option<Commit>,
    /// The mirror that a commit of a repository was read from.
    pub mirror: Option<std::path::PathBuf>,
    /// What earlier commits of that repository say.
    pub past: Option<Arc<Past>>,
    /// The texts of the files that problems are in, for showing the lines.
    texts: BTreeMap<RepoPath, Arc<str>>,
}

impl Loaded {
    /// The desired state; an error that stands for the problems when there is none.
    pub fn desired(&self) -> anyhow::Result<&Arc<Desired>> {
        self.reading.desired.as_ref().context("the environment could not be read")
    }

    /// The services that were asked for, or all; an error for one that is not there.
    pub fn services(&self, asked: &[String]) -> anyhow::Result<BTreeSet<ServiceName>> {
        let desired = self.desired()?;
        if asked.is_empty() {
            return Ok(desired.services.keys().cloned().collect());
        }
        let known = |name: &String| {
            let name = ServiceName::from(name.as_str());
            let broken = desired.broken.values().flatten().any(|broken| *broken == name);
            anyhow::ensure!(!broken, "the files of service {name} have errors: driftless validate shows them");
            let known = desired.services.keys().map(ServiceName::as_str);
            let meant = || meant(name.as_str(), known);
            anyhow::ensure!(
                desired.services.contains_key(&name),
                "no service is called {name}{}: {}",
                meant(),
                names(desired)
            );
            Ok(name)
        };
        asked.iter().map(known).collect()
    }

    /// Writes every problem to stderr, under its line on a terminal.
    pub fn print_problems(&self) {
        for problem in &self.reading.problems {
            eprintln!("{}{}", self.shown(problem), if super::colour() { "\n" } else { "" });
        }
    }

    fn shown(&self, problem: &Problem) -> String {
        if super::colour() {
            problem.render(|file| self.texts.get(&RepoPath::new(file)).map(|text| &**text), true)
        } else {
            problem.to_string()
        }
    }

    /// Whether anything is wrong that stops a service.
    pub fn has_errors(&self) -> bool {
        !self.reading.is_valid()
    }
}

/// ", did you mean prod-api?", where a name is nearly one that there is.
pub fn meant<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    closest(name, known).map(|meant| format!(", did you mean {meant}?")).unwrap_or_default()
}

fn names(desired: &Desired) -> String {
    match desired.services.len() {
        0 => "there are none".into(),
        _ => format!("there are {}", desired.services.keys().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")),
    }
}

/// Reads what `place` names.
pub async fn load(place: &Where) -> anyhow::Result<Loaded> {
    let place = place.clone();
    tokio::task::spawn_blocking(move || blocking(&place)).await.context("reading failed")?
}

fn blocking(place: &Where) -> anyhow::Result<Loaded> {
    let env: BTreeMap<String, String> =
        place.env.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect();
    let shapes = tables::shapes();
    match &place.repo {
        None => {
            let folder = git::Folder::open(&place.path)?;
            let commit = folder.commit();
            let root = folder.path().clone();
            Ok(read(&folder, &root, commit, &shapes, &env))
        }
        Some(url) => {
            let path = place.path.to_str().context("the path is not UTF-8")?;
            let root = RepoPath::new("").join(path).context("--path leaves the repository")?;
            let auth = git::Auth { ssh_key: place.ssh_key.clone(), known_hosts: None, token: place.token.clone() };
            let branch = place.reference.clone().unwrap_or_else(|| "main".into());
            let source =
                git::Source { url: url.clone(), reference: git::Reference::Branch(branch), path: root.clone(), auth };
            let state = state_folder()?;
            let tip = git::fetch(&source, &state, FETCH_LIMIT)?;
            let commit = git::commit_info(&tip.mirror, &tip.revision, tip.branch.as_deref())?;
            let files = git::CommitFiles::open(&tip.mirror, &tip.revision)?;
            let loaded = read(&files, &root, Some(commit), &shapes, &env);
            let past = Past::new(tip.mirror.clone(), root, env);
            Ok(Loaded { mirror: Some(tip.mirror), past: Some(Arc::new(past)), ..loaded })
        }
    }
}

/// Mirrors of commands are kept in the user's cache: the second command is quick.
fn state_folder() -> anyhow::Result<std::path::PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".cache"));
    let folder = cache.or(home).context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(folder.join("driftless"))
}

fn read(
    files: &dyn Files,
    root: &RepoPath,
    commit: Option<Commit>,
    shapes: &Shapes,
    env: &BTreeMap<String, String>,
) -> Loaded {
    let reading = desired::read(files, &Context { root, commit: commit.as_ref(), shapes, env }, None);
    let places = reading.problems.iter().flat_map(|p| p.place.iter().chain(p.related.iter().map(|(place, _)| place)));
    let named: BTreeSet<RepoPath> = places.map(|place| place.file.clone()).collect();
    let texts = named.into_iter().filter_map(|path| Some((path.clone(), files.read(&path).ok()??))).collect();
    Loaded { reading, commit, mirror: None, past: None, texts }
}
