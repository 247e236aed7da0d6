//! What earlier commits of a source say, for services that were rolled back.

use crate::aws::tables;
use crate::core::desired::{self, Context, Declared, Desired};
use crate::core::id::{RepoPath, Revision, Scope, ServiceName};
use crate::core::source;
use crate::git;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Commits that are kept: a rollback goes to one or two.
const KEPT_MAX: usize = 8;

/// Reads earlier commits of one source.
#[derive(Debug)]
pub struct Past {
    mirror: PathBuf,
    root: RepoPath,
    env: BTreeMap<String, String>,
    read: Mutex<BTreeMap<Revision, Arc<Desired>>>,
}

impl Past {
    /// Of a mirror, with the folder and the variables that the source has.
    pub fn new(mirror: PathBuf, root: RepoPath, env: BTreeMap<String, String>) -> Self {
        Self { mirror, root, env, read: Mutex::default() }
    }

    /// What a commit says; of a service with errors there, nothing.
    ///
    /// # Errors
    /// For people: the commit, or its environment, cannot be read.
    pub async fn desired(self: &Arc<Self>, revision: &Revision) -> Result<Arc<Desired>, String> {
        if let Some(known) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(revision) {
            return Ok(known.clone());
        }
        let (past, wanted) = (self.clone(), revision.clone());
        let reading = tokio::task::spawn_blocking(move || past.blocking(&wanted)).await;
        let desired = reading.map_err(|panic| format!("reading commit {} failed: {panic}", revision.short()))??;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= KEPT_MAX {
            read.clear();
        }
        read.insert(revision.clone(), desired.clone());
        Ok(desired)
    }

    /// What a commit says of one service of the environment that is followed now.
    ///
    /// # Errors
    /// For people: it cannot be read, does not declare the service, or is about another account, region or cluster: its names
    /// stand for things that are elsewhere.
    pub async fn declared(
        self: &Arc<Self>,
        revision: &Revision,
        name: &ServiceName,
        scope: &Scope,
    ) -> Result<Arc<Declared>, String> {
        let desired = self.desired(revision).await?;
        let (short, there) = (revision.short(), &desired.environment.scope);
        if there != scope {
            let of = |scope: &Scope| format!("account {}, {}, cluster {}", scope.account, scope.region, scope.cluster);
            return Err(format!("commit {short} is for {}; git is for {} now", of(there), of(scope)));
        }
        let declared = desired.services.get(name).cloned();
        declared.ok_or_else(|| format!("commit {short} does not declare {name}, or with errors"))
    }

    /// What a commit says of itself, where the mirror has it; on this thread.
    pub fn commit(&self, revision: &Revision) -> Option<source::Commit> {
        git::commit_info(&self.mirror, revision, None).ok()
    }

    /// The same as [`Past::desired`], on this thread.
    pub fn blocking(&self, revision: &Revision) -> Result<Arc<Desired>, String> {
        let short = revision.short();
        let said = |error: git::Error| format!("commit {short}: {}", super::source::story(&error));
        let commit = git::commit_info(&self.mirror, revision, None).map_err(said)?;
        let files = git::CommitFiles::open(&self.mirror, revision).map_err(said)?;
        let shapes = tables::shapes();
        let context = Context { root: &self.root, commit: Some(&commit), shapes: &shapes, env: &self.env };
        let reading = desired::read(&files, &context, None);
        reading.desired.ok_or_else(|| format!("the environment of commit {short} cannot be read"))
    }
}
