//! What can go wrong on the way to a commit, said for a person in a hurry.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no commit. The text says what happened, where, and what to do; what libgit2 or the system said is the
/// `source()`. No text contains a credential.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the text shows")]
pub enum Error {
    /// The url is of a form that is not fetched from.
    #[error("the url {url} cannot be used: {why}")]
    Url { url: String, why: &'static str },
    /// There is a repository without a single commit.
    #[error("{url} is empty: it has no branch and no tag yet")]
    Empty { url: String },
    /// The branch is not there, or not any more.
    #[error("the branch {branch} does not exist on {url}; branches there: {there}")]
    NoBranch { branch: String, url: String, there: String },
    /// The tag is not there, or not any more.
    #[error("the tag {tag} does not exist on {url}; tags there: {there}")]
    NoTag { tag: String, url: String, there: String },
    /// No tag is a version in the range.
    #[error("no tag of {url} is a version that matches {range}; tags there: {there}")]
    NoVersion { range: String, url: String, there: String },
    /// The commit is on no branch and no tag.
    #[error("the commit {revision} is on no branch or tag of {url}")]
    NoCommit { revision: String, url: String },
    /// What the reference points to is a file or folder, not a commit.
    #[error("{name} on {url} does not point to a commit")]
    NotACommit { name: String, url: String },
    /// No connection, or the server failed.
    #[error("{url} cannot be reached: {why}")]
    Unreachable { url: String, why: String, source: git2::Error },
    /// The server was silent, or the whole took longer than allowed.
    #[error("{url} did not deliver within {seconds} s", seconds = limit.as_secs())]
    TimedOut { url: String, limit: Duration },
    /// More than this process is willing to take in.
    #[error("{url} is too large: more than {what}")]
    TooLarge { url: String, what: String },
    /// The server wants credentials, or other ones.
    #[error("authentication to {url} failed: {help}")]
    Authentication { url: String, help: &'static str },
    /// There is nothing at that address, or not for us.
    #[error(
        "there is no repository at {url}, or these credentials may not read it: check the url and auth.token or auth.sshKey"
    )]
    NoRepository { url: String, source: git2::Error },
    /// A key or token file cannot be read.
    #[error("{key} {path} cannot be read", path = path.display())]
    AuthFile { key: &'static str, path: PathBuf, source: io::Error },
    /// The ssh server is not the one of known_hosts.
    #[error("the ssh host {host} is not trusted: {why} (its key is {fingerprint}); {help}")]
    HostKey { host: String, fingerprint: String, why: String, help: String },
    /// The TLS certificate does not hold.
    #[error("the TLS certificate of {url} is not valid for it: check the host name, and that its CA is installed")]
    Certificate { url: String, source: git2::Error },
    /// The server sends us elsewhere.
    #[error("{url} redirects to another host: put the new url into the settings if that is meant")]
    Redirect { url: String, source: git2::Error },
    /// Another process or thread holds the mirror.
    #[error("the mirror {path} was in use for {seconds} s by another fetch", path = path.display(), seconds = limit.as_secs())]
    Busy { path: PathBuf, limit: Duration },
    /// The state folder cannot be written.
    #[error("the state folder {path} cannot be used: check its owner and the space on the disk", path = path.display())]
    State { path: PathBuf, source: io::Error },
    /// The mirror, or what was delivered for it, cannot be read. The next fetch clones anew.
    #[error("the mirror {path} cannot be used: {what}", path = path.display())]
    Mirror { path: PathBuf, what: String, source: git2::Error },
    /// A folder on the disk cannot be used as desired state.
    #[error("the folder {path} cannot be read", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
}

impl Error {
    /// Whether trying again can help without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } | Error::TimedOut { .. } | Error::Busy { .. } | Error::Mirror { .. } => true,
            Error::State { .. } | Error::AuthFile { .. } => true,
            Error::Url { .. }
            | Error::Empty { .. }
            | Error::NoBranch { .. }
            | Error::NoTag { .. }
            | Error::NoVersion { .. }
            | Error::NoCommit { .. }
            | Error::NotACommit { .. }
            | Error::TooLarge { .. }
            | Error::Authentication { .. }
            | Error::NoRepository { .. }
            | Error::HostKey { .. }
            | Error::Certificate { .. }
            | Error::Redirect { .. }
            | Error::Folder { .. } => false,
        }
    }
}
