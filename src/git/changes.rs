//! Which commits of a branch changed which files.

use super::Error;
use super::mirror;
use crate::core::id::{RepoPath, Revision};
use git2::{DiffOptions, Repository, Tree};
use std::collections::BTreeSet;
use std::path::Path;

/// A commit, and what it changed of the files that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub revision: Revision,
    /// The files.
    pub files: BTreeSet<RepoPath>,
}

/// The newest commits of a branch, from `from` back along first parents to before `until`, at most `most`: those that
/// changed any of `files` against their first parent, newest first. A file is named with the newest of them alone.
///
/// # Errors
/// [`Error::Mirror`] when the mirror does not have the commit or cannot be read.
pub fn last_changes(
    mirror: &Path,
    from: &Revision,
    until: Option<&Revision>,
    most: usize,
    mut files: BTreeSet<RepoPath>,
) -> Result<Vec<Change>, Error> {
    let repository = mirror::open(mirror)?;
    let mut next = Some(mirror::find(&repository, mirror, from)?);
    let mut changes = Vec::new();
    for _ in 0..most {
        let Some(commit) = next.take().filter(|_| !files.is_empty()) else { break };
        let revision = Revision::new(commit.id().to_string());
        if until == Some(&revision) {
            break;
        }
        // A shallow or damaged history ends here.
        next = commit.parent(0).ok();
        let touched = commit.tree().and_then(|tree| {
            let before = next.as_ref().map(git2::Commit::tree).transpose()?;
            touched(&repository, before.as_ref(), &tree)
        });
        let touched = touched.map_err(|error| mirror::damaged(mirror, error))?;
        let found: BTreeSet<RepoPath> = files.iter().filter(|file| touched.contains(file.as_str())).cloned().collect();
        files.retain(|file| !found.contains(file));
        if !found.is_empty() {
            changes.push(Change { revision, files: found });
        }
    }
    Ok(changes)
}

/// The paths that differ between two trees.
fn touched(
    repository: &Repository,
    before: Option<&Tree<'_>>,
    tree: &Tree<'_>,
) -> Result<BTreeSet<String>, git2::Error> {
    let mut options = DiffOptions::new();
    options.skip_binary_check(true).ignore_submodules(true);
    let diff = repository.diff_tree_to_tree(before, Some(tree), Some(&mut options))?;
    let path = |file: git2::DiffFile<'_>| file.path().and_then(Path::to_str).map(str::to_owned);
    Ok(diff.deltas().flat_map(|delta| [path(delta.old_file()), path(delta.new_file())]).flatten().collect())
}
