//! Tests on real repositories in temporary folders, and on servers of this process that misbehave.

mod files;
mod history;
mod mirror;
mod server;

use super::*;
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A token that no output may contain.
const CANARY: &str = "CANARY-7f3a";
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server's repository, and the state folder of the daemon that mirrors it.
struct World {
    folder: TempDir,
    remote: Repository,
}

impl World {
    fn new() -> Self {
        process::prepare();
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        let remote = Repository::init_opts(folder.path().join("remote.git"), &options).expect("a repository");
        Self { folder, remote }
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    fn source(&self, reference: Reference) -> Source {
        let url = self.remote.path().display().to_string();
        Source { url, reference, path: RepoPath::new("environments/prod"), auth: Auth::default() }
    }

    fn fetch(&self, reference: Reference) -> Result<Tip, Error> {
        fetch(&self.source(reference), &self.state(), TIMEOUT)
    }

    fn fetch_main(&self) -> Result<Tip, Error> {
        self.fetch(Reference::Branch("main".into()))
    }

    /// What the error says; there must be one.
    fn says(&self, reference: Reference) -> String {
        let error = self.fetch(reference).expect_err("an error");
        error.to_string().replace(&self.folder.path().display().to_string(), "")
    }

    /// A commit with these files, on top of `parents`.
    fn commit(&self, parents: &[Oid], files: &[(&str, &[u8])]) -> Oid {
        let mut update = TreeUpdateBuilder::new();
        for (path, bytes) in files {
            update.upsert(*path, self.remote.blob(bytes).expect("a blob"), FileMode::Blob);
        }
        let empty = self.remote.treebuilder(None).and_then(|tree| tree.write()).expect("a tree");
        let empty = self.remote.find_tree(empty).expect("a tree");
        let tree = update.create_updated(&self.remote, &empty).expect("a tree");
        self.commit_of(parents, tree, 1_700_000_000 + i64::try_from(parents.len()).expect("few"), "a change")
    }

    fn commit_of(&self, parents: &[Oid], tree: Oid, seconds: i64, message: &str) -> Oid {
        let tree = self.remote.find_tree(tree).expect("a tree");
        let parents: Vec<_> = parents.iter().map(|id| self.remote.find_commit(*id).expect("a parent")).collect();
        let who = Signature::new("Ada", "ada@acme.io", &Time::new(seconds, 0)).expect("a signature");
        self.remote.commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>()).expect("a commit")
    }

    /// A commit that holds `number`, so that it is unlike others.
    fn number(&self, parents: &[Oid], number: u32) -> Oid {
        self.commit(parents, &[("environments/prod/environment.yaml", format!("n: {number}\n").as_bytes())])
    }

    fn set(&self, reference: &str, target: Oid) {
        self.remote.reference(reference, target, true, "test").expect("a reference");
    }

    fn delete(&self, reference: &str) {
        self.remote.find_reference(reference).and_then(|mut reference| reference.delete()).expect("deleted");
    }

    /// A tree object from its raw bytes: `mode name\0id`, in the given order, as hostile as the test likes.
    fn raw_tree(&self, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend([mode.as_bytes(), b" ", name, b"\0", id.as_bytes()].concat());
        }
        self.remote.odb().and_then(|odb| odb.write(ObjectType::Tree, &bytes)).expect("a tree")
    }

    fn blob(&self, bytes: &[u8]) -> Oid {
        self.remote.blob(bytes).expect("a blob")
    }
}

fn revision(id: Oid) -> Revision {
    Revision::new(id.to_string())
}

fn open(mirror: &Path, id: Oid) -> CommitFiles {
    CommitFiles::open(mirror, &revision(id)).expect("the files of the commit")
}

/// Every text that an error can become, with all its causes.
fn all_texts(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
