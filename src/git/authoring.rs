//! A repository of our own making: the demo's. Nothing else of the product writes commits.

use super::{Error, process};
use crate::core::id::Revision;
use git2::{Repository, RepositoryInitOptions, Signature};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who the demo's commits are by.
const AUTHOR: (&str, &str) = ("you", "you@driftless.invalid");

/// A repository with a working tree and one branch, `main`.
#[derive(Debug, Clone)]
pub struct Authoring {
    folder: PathBuf,
}

impl Authoring {
    /// Makes an empty repository in a folder.
    ///
    /// # Errors
    /// [`Error::Mirror`] when the folder cannot be written.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        process::prepare();
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main").external_template(false);
        Repository::init_opts(folder, &options).map_err(|error| failed(folder, error))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where its working tree is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file as it is in the working tree.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, path: &str) -> std::io::Result<String> {
        std::fs::read_to_string(self.folder.join(path))
    }

    /// Writes these files and commits them.
    ///
    /// # Errors
    /// [`Error::State`] or [`Error::Mirror`] when they cannot be written.
    pub fn commit(&self, files: &BTreeMap<String, String>, message: &str) -> Result<Revision, Error> {
        for (path, text) in files {
            let at = self.folder.join(path);
            let written = at.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&at, text));
            written.map_err(|source| Error::State { path: at, source })?;
        }
        let committed = self.commit_paths(files.keys(), message);
        committed.map_err(|error| failed(&self.folder, error))
    }

    fn commit_paths<'p>(
        &self,
        paths: impl Iterator<Item = &'p String>,
        message: &str,
    ) -> Result<Revision, git2::Error> {
        let repository = Repository::open(&self.folder)?;
        let mut index = repository.index()?;
        for path in paths {
            index.add_path(Path::new(path))?;
        }
        index.write()?;
        let tree = repository.find_tree(index.write_tree()?)?;
        let author = Signature::now(AUTHOR.0, AUTHOR.1)?;
        let head = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = head.iter().collect();
        let commit = repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents)?;
        Ok(Revision::new(commit.to_string()))
    }
}

fn failed(folder: &Path, source: git2::Error) -> Error {
    Error::Mirror { path: folder.to_owned(), what: source.message().to_owned(), source }
}
