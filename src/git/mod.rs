//! EDGE: desired state out of git. The only room that names git2.
//!
//! ```text
//!  Source ──> fetch ──────────────> Tip ──> CommitFiles : core::source::Files
//!             address   the url, without its credentials     commit_info -> core::source::Commit
//!             session   one connection: credentials, host    relation    -> Same, Forward, Rewound, Unrelated
//!                       keys, caps, the deadline
//!             mirror    the bare repository in the state folder
//!  a folder on the disk ──> Folder : core::source::Files
//! ```
//!
//! What is promised (S1, S2, S3, S8, R5, R7, R26 of the reliability reference):
//!
//! * There is no working tree: nothing of a repository is written as a file, followed as a link, filtered or run. Blobs
//!   come from the object store; symbolic links and submodules can be named, and are refused when read.
//! * Tokens and keys are files that are read at each fetch, so that rotating them needs no restart. They are in no
//!   message, and credentials in a url are cut out of it before anything else sees the url.
//! * An ssh host must be in known_hosts beforehand; TLS is verified; a redirect is followed only on the same host,
//!   and a token is sent only to the very host and port of the settings.
//! * A failed fetch changes nothing: the commit that was fetched before can still be read, and is. The mirror is
//!   disposable: one that is damaged is cloned anew beside the old one, which is replaced only when that has worked.
//!
//! Everything here blocks, on the network and on the disk: callers in async code use `tokio::task::spawn_blocking`.

mod address;
mod authoring;
mod changes;
mod commit;
mod error;
mod folder;
mod info;
mod known_hosts;
mod listing;
mod mirror;
mod process;
mod reference;
mod session;

pub use address::masked;
pub use authoring::Authoring;
pub use changes::{Change, last_changes};
pub use commit::CommitFiles;
pub use error::Error;
pub use folder::Folder;
pub use info::commit_info;
pub use mirror::{Relation, Tip, fetch, first_parents, mirror_path, relation};

use crate::core::id::{RepoPath, Revision};
use std::fmt;
use std::path::PathBuf;

/// Where one source of desired state is, and how to get at it.
#[derive(Clone)]
pub struct Source {
    /// `https://…`, `ssh://…`, `user@host:path`, `file:///…` or a path; `http://` to the own machine only.
    pub url: String,
    /// What is followed.
    pub reference: Reference,
    /// The folder with `environment.yaml`, from the root of the repository.
    pub path: RepoPath,
    /// What opens the repository.
    pub auth: Auth,
}

/// What a source follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The newest commit of a branch, as `release/prod`.
    Branch(String),
    /// The commit of one tag.
    Tag(String),
    /// The highest version among the tags (`1.2.3` or `v1.2.3`) that matches. Pre-releases match only a requirement
    /// that names one of the same version, as `>=2.0.0-rc.1` does (the rule of the semver crate and of Cargo).
    Semver(semver::VersionReq),
    /// One commit for ever.
    Commit(Revision),
}

/// Files that open a repository. Each is read at every fetch; none is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// A private key for ssh without a passphrase; absent: the ssh agent.
    pub ssh_key: Option<PathBuf>,
    /// The host keys that are trusted, in OpenSSH's format; absent: `~/.ssh/known_hosts`, then
    /// `/etc/ssh/ssh_known_hosts`.
    pub known_hosts: Option<PathBuf>,
    /// A token for https, sent as the password of the user `x-access-token` (or of the user in the url).
    pub token: Option<PathBuf>,
}

/// Shows the url without its credentials.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, reference, path, auth } = self;
        f.debug_struct("Source")
            .field("url", &address::masked(url))
            .field("reference", reference)
            .field("path", path)
            .field("auth", auth)
            .finish()
    }
}

#[cfg(test)]
mod tests;
