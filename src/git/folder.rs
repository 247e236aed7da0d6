//! The files of a folder on the disk, for the command line: `driftless plan --path DIR`.

use super::listing::{self, Listing};
use super::{Error, info, process};
use crate::core::id::RepoPath;
use crate::core::problem::{self, Problem};
use crate::core::source::{Commit, Entry, EntryKind, Files};
use aws_lc_rs::digest;
use git2::{Repository, RepositoryOpenFlags};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder with desired state as it lies on the disk, uncommitted changes and all.
///
/// Paths are from a root that nothing leaves: the top of the git repository that holds the folder, or else the folder's
/// parent. So `extends: ../../base/api.yaml` means here what it will mean in the commit. Symbolic links below the root
/// are refused as they are in a commit. The person at the command line owns these files, so they are not guarded
/// against being changed while they are read.
pub struct Folder {
    root: PathBuf,
    path: RepoPath,
}

impl Folder {
    /// Opens `dir`, which may itself be reached through symbolic links.
    ///
    /// # Errors
    /// [`Error::Folder`] when there is no such folder, or its path is not UTF-8.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: dir.to_owned(), source };
        let real = dir.canonicalize().map_err(failed)?;
        if !real.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let top = real.ancestors().find(|folder| folder.join(".git").exists());
        // A root of "/" would put the whole machine into reach.
        let parent = real.parent().filter(|parent| parent.parent().is_some());
        let root = top.or(parent).unwrap_or(&real).to_owned();
        let path = real.strip_prefix(&root).ok().and_then(Path::to_str);
        let path = path.ok_or_else(|| failed(io::Error::other("its name is not UTF-8")))?;
        Ok(Self { path: RepoPath::new(path), root })
    }

    /// The folder that was opened, from the root: what [`super::Source::path`] is for a commit.
    pub fn path(&self) -> &RepoPath {
        &self.path
    }

    /// The commit that is checked out, for the variables `git.commit`, `git.branch`, `git.tag`. `None` outside of a
    /// repository, before the first commit, and whenever it cannot be read. The files may differ from it.
    pub fn commit(&self) -> Option<Commit> {
        process::prepare();
        let flags = RepositoryOpenFlags::NO_SEARCH;
        let repository = Repository::open_ext(&self.root, flags, std::iter::empty::<&Path>()).ok()?;
        let head = repository.head().ok()?;
        let branch = if head.is_branch() { head.shorthand().ok() } else { None };
        info::of_commit(&repository, &head.peel_to_commit().ok()?, branch).ok()
    }

    /// Where `path` is on the disk; `None` when it is not there. Every part of it is looked at for links.
    fn locate(&self, path: &RepoPath) -> Result<Option<(PathBuf, fs::Metadata)>, Problem> {
        let mut at = RepoPath::new("");
        let mut place = self.root.clone();
        let mut metadata = fs::metadata(&place).map_err(|error| unreadable(path, &error))?;
        for part in listing::parts(path)? {
            at = listing::child(&at, part.as_bytes())?;
            place.push(part);
            metadata = match place.symlink_metadata() {
                Ok(metadata) => metadata,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                Err(error) => return Err(unreadable(&at, &error)),
            };
            if metadata.is_symlink() {
                return Err(listing::refused_link(&at));
            }
            if metadata.is_dir() && is_repository(&place) {
                return Err(listing::refused_submodule(&at));
            }
        }
        Ok(Some((place, metadata)))
    }

    fn add(
        &self,
        listing: &mut Listing<'_>,
        path: RepoPath,
        place: &Path,
        metadata: &fs::Metadata,
    ) -> Result<(), Problem> {
        if metadata.is_symlink() {
            return listing.add(path, EntryKind::Symlink, "", 0);
        }
        if metadata.is_dir() {
            return listing.add(path, EntryKind::Submodule, "", 0);
        }
        if !metadata.is_file() {
            return Err(listing::refused(&path, "it is neither a file nor a folder"));
        }
        let id = hash(place).map_err(|error| unreadable(&path, &error))?;
        listing.add(path, EntryKind::File, id, metadata.len())
    }
}

impl Files for Folder {
    fn list(&self, folder: &RepoPath) -> Result<Vec<Entry>, Problem> {
        let place = match self.locate(folder)? {
            Some((place, metadata)) if metadata.is_dir() => place,
            Some(_) => return Err(listing::no_folder(folder, "it is a file")),
            None => return Err(listing::no_folder(folder, "nothing has this name")),
        };
        let mut listing = Listing::of(folder);
        let mut to_do = vec![(folder.clone(), place, 0)];
        while let Some((path, place, depth)) = to_do.pop() {
            let unreadable = |error: io::Error| unreadable(&path, &error);
            for entry in fs::read_dir(&place).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                if entry.file_name() == ".git" {
                    continue;
                }
                listing.count(depth)?;
                let child = listing::child(&path, entry.file_name().as_encoded_bytes())?;
                let (place, metadata) = (entry.path(), entry.metadata().map_err(unreadable)?);
                if metadata.is_dir() && !is_repository(&place) {
                    to_do.push((child, place, depth + 1));
                } else {
                    self.add(&mut listing, child, &place, &metadata)?;
                }
            }
        }
        listing.finish()
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Arc<str>>, Problem> {
        let Some((place, metadata)) = self.locate(path)? else { return Ok(None) };
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(listing::refused(path, "it is neither a file nor a folder"));
        }
        listing::check_size(path, metadata.len())?;
        let bytes = fs::read(&place).map_err(|error| unreadable(path, &error))?;
        // It may have grown since.
        listing::check_size(path, bytes.len() as u64)?;
        listing::text(path, &bytes).map(Some)
    }
}

/// A repository inside of the folder: a submodule that is checked out, or a clone that lies there.
fn is_repository(place: &Path) -> bool {
    place.join(".git").exists()
}

/// The SHA-256 of a file, read in pieces: it may be larger than any that is parsed.
fn hash(place: &Path) -> io::Result<String> {
    let mut file = fs::File::open(place)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut piece = [0; 16 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            length => context.update(&piece[..length]),
        }
    }
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unreadable(path: &RepoPath, error: &io::Error) -> Problem {
    Problem::without_place(problem::NO_FILE, format!("{path} cannot be read: {error}"))
}
