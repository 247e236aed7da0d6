//! Where desired state comes from, as the core sees it: the files of one commit (or of a folder), and what the commit is.

use super::id::{RepoPath, Revision};
use super::problem::{self, Problem};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most entries below the configured path (promise S12).
pub const ENTRIES_MAX: usize = 20_000;
/// The most bytes of all files below the configured path (promise S12).
pub const TREE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link: listed, so that it can be named, and never followed.
    Symlink,
    /// A submodule: listed, so that it can be named, and never fetched.
    Submodule,
}

/// One entry below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From the root of the repository.
    pub path: RepoPath,
    /// What it is.
    pub kind: EntryKind,
    /// Changes whenever the content does: a git blob id, or a hash. Equal ids mean that nothing is to be read again.
    pub id: Arc<str>,
    /// In bytes.
    pub size: u64,
}

/// The files of one commit, or of a folder. Nothing outside of it can be reached through this trait.
pub trait Files {
    /// All entries below `folder`, at any depth, sorted by path; a problem when there is no such folder or it is over
    /// [`ENTRIES_MAX`] or [`TREE_BYTES_MAX`].
    fn list(&self, folder: &RepoPath) -> Result<Vec<Entry>, Problem>;

    /// The text of a regular file; `None` when there is no such file. Links, submodules, files over
    /// [`super::document::read::FILE_BYTES_MAX`] and text that is not UTF-8 are problems.
    fn read(&self, path: &RepoPath) -> Result<Option<Arc<str>>, Problem>;
}

/// Files in memory, for tests and for the demo.
impl Files for BTreeMap<RepoPath, Arc<str>> {
    fn list(&self, folder: &RepoPath) -> Result<Vec<Entry>, Problem> {
        let entries: Vec<Entry> = self
            .iter()
            .filter(|(path, _)| path.is_in(folder))
            .map(|(path, text)| Entry {
                path: path.clone(),
                kind: EntryKind::File,
                id: text.clone(),
                size: text.len() as u64,
            })
            .collect();
        if entries.is_empty() {
            return Err(Problem::without_place(problem::NO_ENVIRONMENT, format!("there is no folder {folder}")));
        }
        Ok(entries)
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Arc<str>>, Problem> {
        Ok(self.get(path).cloned())
    }
}

/// What is known of the commit that the files are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// The commit id.
    pub revision: Revision,
    /// The branch that is followed, if it is one.
    pub branch: Option<String>,
    /// The nearest tag that the commit can reach, as `git describe --abbrev=0 --tags` prints it.
    pub tag: Option<String>,
    /// The first line of the message, without control characters.
    pub subject: String,
    /// The author's name, without control characters.
    pub author: String,
    /// When it was committed.
    pub committed_at: Timestamp,
}
