//! What is known of a commit: its message, its author, and the nearest tag.

use super::{Error, mirror};
use crate::core::id::Revision;
use crate::core::source::Commit;
use git2::{ObjectType, Oid, Repository};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

/// The most characters of a subject or an author that are kept; both are shown on one line.
const TEXT_CHARS_MAX: usize = 200;
/// How many tags git weighs against each other (git-describe(1), `--candidates`).
const CANDIDATES_MAX: usize = 10;

/// What a commit of a mirror is; `branch` is passed on from [`super::Tip`].
///
/// Looks for the nearest tag through the history, so callers keep the answer for as long as the tip does not change.
///
/// # Errors
/// [`Error::Mirror`] when the mirror does not have the commit or cannot be read.
pub fn commit_info(mirror: &Path, revision: &Revision, branch: Option<&str>) -> Result<Commit, Error> {
    let repository = mirror::open(mirror)?;
    let commit = mirror::find(&repository, mirror, revision)?;
    of_commit(&repository, &commit, branch).map_err(|error| mirror::damaged(mirror, error))
}

pub(super) fn of_commit(
    repository: &Repository,
    commit: &git2::Commit<'_>,
    branch: Option<&str>,
) -> Result<Commit, git2::Error> {
    let subject =
        commit.message_bytes().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    Ok(Commit {
        revision: Revision::new(commit.id().to_string()),
        branch: branch.map(str::to_owned),
        tag: nearest_tag(repository, commit)?,
        subject: one_line(subject.unwrap_or_default()),
        author: one_line(commit.author().name_bytes()),
        committed_at: Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

/// A tag on a commit.
struct Name {
    tag: String,
    annotated: bool,
    /// The tagger's date of an annotated tag, in seconds since 1970.
    date: i64,
}

/// A tag that may be the nearest.
struct Candidate {
    tag: String,
    /// The commits that were walked and do not lead to the tagged one.
    depth: usize,
    /// Its bit in the flags of commits: those that the tagged commit can reach.
    within: u32,
}

/// The nearest tag, as `git describe --abbrev=0 --tags` prints it.
///
/// This is git's own walk (builtin/describe.c): newest commit first, ten candidates, the one with the fewest commits
/// outside of it wins, the one found first among equals. libgit2 has a port of it, but with a queue that leaves commits
/// of the same second in no certain order, and those are common where machines commit.
fn nearest_tag(repository: &Repository, commit: &git2::Commit<'_>) -> Result<Option<String>, git2::Error> {
    let mut names = names_by_commit(repository)?;
    if let Some(name) = names.remove(&commit.id()) {
        return Ok(Some(name.tag));
    }
    if names.is_empty() {
        return Ok(None);
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut annotated = false;
    let mut flags: HashMap<Oid, u32> = HashMap::from([(commit.id(), 0)]);
    // The newest first, and the one that was met first among those of the same second.
    let mut queue = BinaryHeap::from([(seconds(commit), Reverse(0), commit.id())]);
    let mut walked = 0;
    while let Some((_, _, id)) = queue.pop() {
        walked += 1;
        if let Some(name) = names.remove(&id) {
            if candidates.len() == CANDIDATES_MAX {
                break;
            }
            let within = 1 << candidates.len();
            annotated |= name.annotated;
            candidates.push(Candidate { tag: name.tag, depth: walked - 1, within });
            *flags.entry(id).or_default() |= within;
        }
        let reached_by = flags.get(&id).copied().unwrap_or_default();
        for candidate in candidates.iter_mut().filter(|candidate| reached_by & candidate.within == 0) {
            candidate.depth += 1;
        }
        if annotated && queue.is_empty() && is_settled(&candidates, reached_by) {
            break;
        }
        for parent in repository.find_commit(id)?.parents() {
            let met = flags.len();
            let flag = flags.entry(parent.id()).or_insert_with(|| {
                queue.push((seconds(&parent), Reverse(met), parent.id()));
                0
            });
            *flag |= reached_by;
        }
    }
    // `min_by_key` takes the first of equals.
    Ok(candidates.into_iter().min_by_key(|candidate| candidate.depth).map(|candidate| candidate.tag))
}

/// Whether the last path that is left is already covered by all of the best candidates.
fn is_settled(candidates: &[Candidate], reached_by: u32) -> bool {
    let best = candidates.iter().map(|candidate| candidate.depth).min();
    let within = candidates.iter().filter(|c| Some(c.depth) == best).fold(0, |all, c| all | c.within);
    reached_by & within == within
}

/// For each tagged commit the tag that stands for it: annotated before lightweight, then the newest, then by name.
fn names_by_commit(repository: &Repository) -> Result<HashMap<Oid, Name>, git2::Error> {
    let mut tags: Vec<(String, Oid)> = Vec::new();
    for reference in repository.references_glob("refs/tags/*")? {
        let reference = reference?;
        if let (Some(tag), Some(target)) =
            (reference.name().ok().and_then(|n| n.strip_prefix("refs/tags/")), reference.target())
        {
            tags.push((tag.to_owned(), target));
        }
    }
    tags.sort();
    let mut names: HashMap<Oid, Name> = HashMap::new();
    for (tag, target) in tags {
        let object = repository.find_object(target, None)?;
        // A tag may also be on a tree or a blob; it names no commit then.
        let Ok(commit) = object.peel(ObjectType::Commit) else { continue };
        let date = object.as_tag().and_then(git2::Tag::tagger).map_or(0, |tagger| tagger.when().seconds());
        let name = Name { tag, annotated: object.kind() == Some(ObjectType::Tag), date };
        let wins =
            names.get(&commit.id()).is_none_or(|held| name.annotated && (!held.annotated || held.date < name.date));
        if wins {
            names.insert(commit.id(), name);
        }
    }
    Ok(names)
}

/// git knows no time before 1970.
fn seconds(commit: &git2::Commit<'_>) -> i64 {
    commit.time().seconds().max(0)
}

/// Text of a commit for one line of a page, a log or a terminal: no control characters, nothing that turns the
/// direction of writing around, and not without end.
fn one_line(bytes: &[u8]) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(TEXT_CHARS_MAX).map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}
