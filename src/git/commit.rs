//! The files of one commit, read from the object store of a mirror.

use super::listing::{self, Listing};
use super::{Error, mirror};
use crate::core::document::Place;
use crate::core::id::{RepoPath, Revision};
use crate::core::problem::{self, Problem};
use crate::core::source::{Entry, EntryKind, Files};
use git2::{ErrorCode, ObjectType, Odb, Oid, Repository, Tree, TreeEntry};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest single tree object that is parsed: 20,000 entries with names of 200 bytes.
const TREE_OBJECT_BYTES_MAX: usize = 5 * 1024 * 1024;

const NO_MODE: &str = "its mode is not one of git's";

/// The files of one commit. Only blobs of that commit's tree can be reached; nothing is followed, filtered or written.
///
/// It owns its handle on the mirror, so it can be sent to another thread. It stays whole when a later fetch adds to the
/// mirror; when the mirror is replaced meanwhile, reads may become problems, and the next commit's files are fine
/// again.
pub struct CommitFiles {
    repository: Repository,
    root: Oid,
    mirror: PathBuf,
    /// Blobs that were listed, so that reading all files of a large folder does not parse its tree once for each.
    listed: RefCell<HashMap<RepoPath, Oid>>,
}

/// What the type bits of an entry's mode say.
enum Mode {
    Folder,
    File,
    Symlink,
    Submodule,
    Other,
}

impl CommitFiles {
    /// Opens a commit of a mirror, as [`super::Tip`] names both.
    ///
    /// # Errors
    /// [`Error::Mirror`] when the mirror does not have the commit or cannot be read.
    pub fn open(mirror: &Path, revision: &Revision) -> Result<Self, Error> {
        let repository = mirror::open(mirror)?;
        let root = mirror::find(&repository, mirror, revision)?.tree_id();
        Ok(Self { repository, root, mirror: mirror.to_owned(), listed: RefCell::default() })
    }

    /// What a path leads to, a file or a folder; `None` when the commit has nothing there.
    fn find(&self, path: &RepoPath) -> Result<Option<(Mode, Oid)>, Problem> {
        let mut at = RepoPath::new("");
        let mut found = (Mode::Folder, self.root);
        for part in listing::parts(path)? {
            let (Mode::Folder, id) = found else { return Ok(None) };
            let tree = self.tree(id, &at)?;
            at = listing::child(&at, part.as_bytes())?;
            let Some(entry) = tree.get_name_bytes(part.as_bytes()) else { return Ok(None) };
            found = match mode(&entry) {
                mode @ (Mode::Folder | Mode::File) => (mode, entry.id()),
                Mode::Symlink => return Err(listing::refused_link(&at)),
                Mode::Submodule => return Err(listing::refused_submodule(&at)),
                Mode::Other => return Err(listing::refused(&at, NO_MODE)),
            };
        }
        Ok(Some(found))
    }

    fn tree(&self, id: Oid, path: &RepoPath) -> Result<Tree<'_>, Problem> {
        let size = self.header(&self.odb(path)?, id, ObjectType::Tree, path)?;
        if size > TREE_OBJECT_BYTES_MAX as u64 {
            let limit = TREE_OBJECT_BYTES_MAX / 1024 / 1024;
            return Err(Problem::without_place(
                problem::LIMIT,
                format!("the list of {path} itself is over {limit} MiB"),
            ));
        }
        self.repository.find_tree(id).map_err(|error| self.unreadable(path, &error))
    }

    fn odb(&self, path: &RepoPath) -> Result<Odb<'_>, Problem> {
        self.repository.odb().map_err(|error| self.unreadable(path, &error))
    }

    /// The size of an object in bytes, without reading it. An entry whose object is of another type is a forgery.
    fn header(&self, odb: &Odb<'_>, id: Oid, expected: ObjectType, path: &RepoPath) -> Result<u64, Problem> {
        let (size, kind) = odb.read_header(id).map_err(|error| self.unreadable(path, &error))?;
        if kind != expected {
            return Err(listing::refused(path, "its object is not what its mode says"));
        }
        Ok(size as u64)
    }

    /// A missing or damaged object is the mirror's fault, which the next fetch mends; until then nothing is applied.
    fn unreadable(&self, path: &RepoPath, error: &git2::Error) -> Problem {
        mirror::mark_broken(&self.mirror);
        let what = match error.code() {
            ErrorCode::NotFound => "is missing in",
            _ => "is damaged in",
        };
        tracing::warn!(%path, %error, mirror = %self.mirror.display(), "an object {what} the mirror");
        let message = format!("an object of this commit {what} the local mirror");
        Problem::error(problem::NO_FILE, &Place::file(path.clone()), message)
            .help("the next fetch clones the mirror anew")
    }
}

impl Files for CommitFiles {
    fn list(&self, folder: &RepoPath) -> Result<Vec<Entry>, Problem> {
        let odb = self.odb(folder)?;
        let id = match self.find(folder)? {
            Some((Mode::Folder, id)) => id,
            Some(_) => return Err(listing::no_folder(folder, "it is a file")),
            None => return Err(listing::no_folder(folder, "the commit does not have it")),
        };
        let mut listing = Listing::of(folder);
        let mut to_do = vec![(folder.clone(), id, 0)];
        let mut files = HashMap::new();
        while let Some((path, id, depth)) = to_do.pop() {
            for entry in self.tree(id, &path)?.iter() {
                listing.count(depth)?;
                let path = listing::child(&path, entry.name_bytes())?;
                let id = entry.id();
                match mode(&entry) {
                    Mode::Folder => to_do.push((path, id, depth + 1)),
                    Mode::File => {
                        let size = self.header(&odb, id, ObjectType::Blob, &path)?;
                        files.insert(path.clone(), id);
                        listing.add(path, EntryKind::File, id.to_string(), size)?;
                    }
                    Mode::Symlink => listing.add(path, EntryKind::Symlink, id.to_string(), 0)?,
                    Mode::Submodule => listing.add(path, EntryKind::Submodule, id.to_string(), 0)?,
                    Mode::Other => return Err(listing::refused(&path, NO_MODE)),
                }
            }
        }
        let entries = listing.finish()?;
        self.listed.borrow_mut().extend(files);
        Ok(entries)
    }

    fn read(&self, path: &RepoPath) -> Result<Option<Arc<str>>, Problem> {
        let listed = self.listed.borrow().get(path).copied();
        let id = match listed {
            Some(id) => id,
            None => match self.find(path)? {
                Some((Mode::File, id)) => id,
                _ => return Ok(None),
            },
        };
        let odb = self.odb(path)?;
        let size = self.header(&odb, id, ObjectType::Blob, path)?;
        listing::check_size(path, size)?;
        let blob = odb.read(id).map_err(|error| self.unreadable(path, &error))?;
        listing::text(path, blob.data()).map(Some)
    }
}

fn mode(entry: &TreeEntry<'_>) -> Mode {
    match entry.filemode_raw() & 0o170000 {
        0o040000 => Mode::Folder,
        0o100000 => Mode::File,
        0o120000 => Mode::Symlink,
        0o160000 => Mode::Submodule,
        _ => Mode::Other,
    }
}
