//! The mirror: one bare repository per url in the state folder, fetched into and read from, never checked out.
//!
//! It is disposable. One that cannot be used is cloned anew in a folder beside it, and replaced only when that has
//! worked: a full disk or an unreachable server never takes away the commit that is being enforced. `broken` in the
//! mirror's folder is the mark that a reader leaves when an object turns out to be damaged; the next fetch acts on it.

use super::address::Address;
use super::reference::{self, Advertised};
use super::session::{Failure, Session};
use super::{Error, Reference, Source, process};
use crate::core::id::Revision;
use aws_lc_rs::digest;
use git2::{ErrorClass, ErrorCode, Oid, Repository, RepositoryInitMode, RepositoryInitOptions, RepositoryOpenFlags};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Each fetch leaves a pack. Reading gets slower with their number; cloning anew is the cheapest way to one pack.
const PACKS_MAX: usize = 200;
/// How often a lock that somebody else holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// The mark of a damaged mirror.
const BROKEN: &str = "broken";

/// What a source's reference points to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The commit.
    pub revision: Revision,
    /// The branch, if one is followed.
    pub branch: Option<String>,
    /// What was followed, for people: `branch release/prod`, `tag v1.2.3`.
    pub name: String,
    /// Whether anything had to be fetched; `false` when the server had nothing new.
    pub fetched: bool,
    /// The mirror that has the commit, for [`super::CommitFiles::open`], [`super::commit_info`] and [`relation`].
    pub mirror: PathBuf,
}

/// How a new commit stands to one that was applied before (promise R7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same commit.
    Same,
    /// The new one contains the old one: the normal way.
    Forward,
    /// They share history, but the new one does not contain the old one: the branch was rewound or rewritten.
    Rewound,
    /// They share nothing, or the old commit is not known any more.
    Unrelated,
}

/// Asks the server what the source's reference points to, and fetches that commit with its history and all tags.
///
/// `state_dir` is created with mode 0700 if need be. `timeout` is for the whole: waiting for another fetch into the
/// same mirror, the transfer, and the cloning anew of a damaged mirror. Blocks; one silent read can exceed the timeout
/// by 30 s.
///
/// # Errors
/// All of [`Error`]; a failure leaves the mirror as it was.
pub fn fetch(source: &Source, state_dir: &Path, timeout: Duration) -> Result<Tip, Error> {
    process::prepare();
    let deadline = Instant::now() + timeout;
    let address = Address::parse(&source.url)?;
    let mirror = mirror_path(source, state_dir)?;
    let session = Session::new(&address, &source.auth, timeout, deadline)?;
    let _lock = lock(&mirror, timeout, deadline)?;
    if let Some(repository) = usable(&mirror) {
        match update(&session, &repository, source, &address, &mirror) {
            Ok(tip) => return Ok(tip),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Mirror(error)) => {
                tracing::warn!(mirror = %mirror.display(), %error, "the mirror cannot be used and is cloned anew");
            }
        }
    }
    clone_anew(&session, source, &address, &mirror)
}

/// Where the mirror of a source is in the state folder, whether or not it exists yet. Sources of one url share it.
pub fn mirror_path(source: &Source, state_dir: &Path) -> Result<PathBuf, Error> {
    let address = Address::parse(&source.url)?;
    let hash = digest::digest(&digest::SHA256, address.url.as_bytes());
    let name: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(state_dir.join("git").join(format!("{name}.git")))
}

/// How `new` stands to `old`, both being commits of the mirror. An `old` that is not known any more is
/// [`Relation::Unrelated`]: what cannot be proven to lead forward is held to be a rewind.
pub fn relation(mirror: &Path, old: &Revision, new: &Revision) -> Result<Relation, Error> {
    if old == new {
        return Ok(Relation::Same);
    }
    let repository = open(mirror)?;
    let damaged = |source| damaged(mirror, source);
    let new = find(&repository, mirror, new)?.id();
    let old = match reference::full_id(old.as_str()).map(|old| repository.find_commit(old)) {
        Some(Ok(old)) => old.id(),
        Some(Err(error)) if error.code() != ErrorCode::NotFound => return Err(damaged(error)),
        Some(Err(_)) | None => return Ok(Relation::Unrelated),
    };
    if repository.graph_descendant_of(new, old).map_err(damaged)? {
        return Ok(Relation::Forward);
    }
    match repository.merge_base(old, new) {
        Ok(_) => Ok(Relation::Rewound),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Relation::Unrelated),
        Err(error) => Err(damaged(error)),
    }
}

/// A commit of the mirror and what came before it on its branch, the newest first.
///
/// # Errors
/// [`Error::Mirror`] when the mirror does not have the commit or cannot be read.
pub fn first_parents(mirror: &Path, from: &Revision, most: usize) -> Result<Vec<Revision>, Error> {
    let repository = open(mirror)?;
    let mut next = Some(find(&repository, mirror, from)?);
    let mut all = Vec::new();
    while let Some(commit) = next.take().filter(|_| all.len() < most) {
        all.push(Revision::new(commit.id().to_string()));
        // A shallow or damaged history ends here.
        next = commit.parent(0).ok();
    }
    Ok(all)
}

/// Opens a mirror for reading.
pub(super) fn open(mirror: &Path) -> Result<Repository, Error> {
    process::prepare();
    let flags = RepositoryOpenFlags::BARE | RepositoryOpenFlags::NO_SEARCH;
    Repository::open_ext(mirror, flags, std::iter::empty::<&Path>()).map_err(|source| {
        let what = "it cannot be opened; the next fetch clones it anew".to_owned();
        Error::Mirror { path: mirror.to_owned(), what, source }
    })
}

/// A commit of the mirror. One that it does not have is no damage: its branch may have been rewound and cloned anew.
pub(super) fn find<'r>(
    repository: &'r Repository,
    mirror: &Path,
    revision: &Revision,
) -> Result<git2::Commit<'r>, Error> {
    let found = match reference::full_id(revision.as_str()) {
        Some(id) => repository.find_commit(id),
        None => Err(git2::Error::new(ErrorCode::NotFound, ErrorClass::Invalid, "not a commit id of 40 hex digits")),
    };
    found.map_err(|source| match source.code() {
        ErrorCode::NotFound => {
            let what = format!("it does not have the commit {}", revision.short());
            Error::Mirror { path: mirror.to_owned(), what, source }
        }
        _ => damaged(mirror, source),
    })
}

/// Notes that an object of the mirror cannot be read, so that the next fetch clones anew.
pub(super) fn mark_broken(mirror: &Path) {
    if let Err(error) = OpenOptions::new().create(true).append(true).mode(0o600).open(mirror.join(BROKEN)) {
        tracing::warn!(mirror = %mirror.display(), %error, "a damaged mirror could not be marked");
    }
}

/// A damaged mirror as an error, and marked.
pub(super) fn damaged(mirror: &Path, source: git2::Error) -> Error {
    mark_broken(mirror);
    Error::Mirror { path: mirror.to_owned(), what: "it is damaged; the next fetch clones it anew".to_owned(), source }
}

fn update(
    session: &Session<'_>,
    repository: &Repository,
    source: &Source,
    address: &Address,
    mirror: &Path,
) -> Result<Tip, Failure> {
    let choice_and_news = session.run(repository, |advertised, fetch| {
        let choice = reference::choose(&source.reference, advertised, &address.url)?;
        let news = !is_up_to_date(repository, &source.reference, advertised).map_err(Failure::Mirror)?;
        if news {
            fetch(&reference::refspecs(&source.reference))?;
        }
        Ok((choice, news))
    });
    let (choice, fetched) = choice_and_news?;
    let revision = readable_commit(repository, choice.target, &choice.name, source, address)?;
    let branch = match &source.reference {
        Reference::Branch(branch) => Some(branch.clone()),
        Reference::Tag(_) | Reference::Semver(_) | Reference::Commit(_) => None,
    };
    Ok(Tip { revision, branch, name: choice.name, fetched, mirror: mirror.to_owned() })
}

/// Whether the mirror's references are what the server advertises, as far as they are wanted.
fn is_up_to_date(repository: &Repository, reference: &Reference, advertised: &Advertised) -> Result<bool, git2::Error> {
    let mut local = Advertised::new();
    for reference in repository.references()? {
        let reference = reference?;
        if let (Ok(name), Some(target)) = (reference.name(), reference.target()) {
            local.insert(name.to_owned(), target);
        }
    }
    let wanted = |(name, _): &(&String, &Oid)| reference::is_wanted(reference, name);
    Ok(advertised.iter().filter(wanted).eq(local.iter().filter(wanted)))
}

/// The commit that `target` is or leads to. That its tree can be read is the least that is asked of a mirror.
fn readable_commit(
    repository: &Repository,
    target: Oid,
    name: &str,
    source: &Source,
    address: &Address,
) -> Result<Revision, Failure> {
    let url = || address.url.clone();
    let object = match repository.find_object(target, None) {
        Err(error) if error.code() == ErrorCode::NotFound && matches!(source.reference, Reference::Commit(_)) => {
            return Err(Error::NoCommit { revision: target.to_string(), url: url() }.into());
        }
        object => object.map_err(Failure::Mirror)?,
    };
    let commit = match object.peel_to_commit() {
        Err(error) if matches!(error.code(), ErrorCode::Peel | ErrorCode::InvalidSpec) => {
            return Err(Error::NotACommit { name: name.to_owned(), url: url() }.into());
        }
        commit => commit.map_err(Failure::Mirror)?,
    };
    commit.tree().map_err(Failure::Mirror)?;
    Ok(Revision::new(commit.id().to_string()))
}

/// Clones into a folder beside the mirror, and swaps the two when that has worked.
fn clone_anew(session: &Session<'_>, source: &Source, address: &Address, mirror: &Path) -> Result<Tip, Error> {
    let (new, old) = (mirror.with_extension("new"), mirror.with_extension("old"));
    let state = |source| Error::State { path: mirror.to_owned(), source };
    remove(&new).map_err(state)?;
    let result = create(&new)
        .map_err(Failure::Mirror)
        .and_then(|repository| update(session, &repository, source, address, mirror));
    let tip = match result {
        Ok(tip) => tip,
        Err(failure) => {
            // What is left over is removed at the next fetch, if it cannot be removed now.
            let _ = remove(&new);
            return Err(match failure {
                Failure::Final(error) => error,
                Failure::Mirror(source) => {
                    let what =
                        "what the server sent could not be stored or was damaged; check the disk's space".to_owned();
                    Error::Mirror { path: mirror.to_owned(), what, source }
                }
            });
        }
    };
    remove(&old).map_err(state)?;
    if mirror.exists() {
        fs::rename(mirror, &old).map_err(state)?;
    }
    fs::rename(&new, mirror).map_err(state)?;
    remove(&old).map_err(state)?;
    Ok(tip)
}

fn create(path: &Path) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    // No template: a template is where hooks come from.
    options.bare(true).no_reinit(true).external_template(false).mode(RepositoryInitMode::from_bits_retain(0o700));
    let repository = Repository::init_opts(path, &options)?;
    // For the first request, which takes no option: redirects on the same host only, so that no token goes elsewhere.
    repository.config()?.set_bool("http.followRedirects", false)?;
    Ok(repository)
}

/// The mirror, if it exists, looks as [`create`] made it, is not marked and has not grown out of hand.
fn usable(mirror: &Path) -> Option<Repository> {
    if mirror.join(BROKEN).exists() || !mirror.exists() {
        return None;
    }
    let repository = open(mirror).ok()?;
    let redirects = repository.config().and_then(|config| config.get_bool("http.followRedirects"));
    let packs = fs::read_dir(mirror.join("objects/pack")).map_or(0, Iterator::count);
    // A pack is two files.
    (redirects.is_ok_and(|follow| !follow) && packs <= 2 * PACKS_MAX).then_some(repository)
}

/// One fetch at a time into a mirror, from this process or another. The lock ends with the file handle.
fn lock(mirror: &Path, timeout: Duration, deadline: Instant) -> Result<File, Error> {
    let path = mirror.with_extension("lock");
    let state = |source| Error::State { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(state)?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(state)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_RETRY),
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: mirror.to_owned(), limit: timeout }),
            Err(TryLockError::Error(source)) => return Err(state(source)),
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
