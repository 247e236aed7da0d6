//! Follows one source: asks git with jitter, reads the files of a new commit, and tells the dispatcher. What was read
//! before stays in force while git is away or its files are broken.

use super::environment::{Environment, Request};
use super::past::Past;
use super::recorder::Recorder;
use crate::core::desired::{self, Context, Desired, Reading};
use crate::core::event::What;
use crate::core::id::{Revision, ServiceId, ServiceName, SourceName};
use crate::core::retry::{Class, backoff, jittered};
use crate::core::source::Commit;
use crate::git;
use crate::settings;
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long one fetch may take. A first clone of a large repository is minutes, not more.
const FETCH_LIMIT: Duration = Duration::from_secs(180);
/// How many commits of the branch are looked through for the one that changed a service.
const CHANGES_LOOKED_AT_MAX: usize = 200;
/// Past its limit a fetch may be stuck in one silent read for this long.
const FETCH_GRACE: Duration = Duration::from_secs(45);

/// What follows one source.
pub struct Follower {
    name: SourceName,
    source: git::Source,
    state: PathBuf,
    interval: Duration,
    drift_interval: Duration,
    env: BTreeMap<String, String>,
    recorder: Arc<Recorder>,
    requests: mpsc::Sender<Request>,
    seen: Option<Arc<Seen>>,
}

/// What was read last.
struct Seen {
    commit: Commit,
    reading: Reading,
    changed_by: BTreeMap<ServiceName, Commit>,
    /// The desired state in force: of this commit, or of the one before where this one has none.
    services: BTreeSet<ServiceId>,
}

/// What one look at git gave.
struct Look {
    commit: Commit,
    rewound: bool,
    /// `None` when the commit is the one that was read last, and has the same tag.
    reading: Option<Reading>,
    /// The commits that last changed what services declare, as far as they are known.
    changed_by: BTreeMap<ServiceName, Commit>,
    mirror: PathBuf,
}

impl Follower {
    /// Follows what the settings describe.
    pub fn new(
        source: &settings::Source,
        state: &Path,
        recorder: Arc<Recorder>,
        requests: mpsc::Sender<Request>,
    ) -> anyhow::Result<Self> {
        let path = source.root().context("the path leaves the repository")?;
        let auth = &source.auth;
        let auth = git::Auth {
            ssh_key: auth.ssh_key.clone(),
            known_hosts: auth.known_hosts.clone(),
            token: auth.token.clone(),
        };
        let reference = reference(&source.reference).with_context(|| format!("source {}", source.name))?;
        Ok(Self {
            name: source.name.clone(),
            source: git::Source { url: source.url.clone(), reference, path, auth },
            state: state.join("git"),
            interval: source.interval,
            drift_interval: source.drift_interval,
            env: source.env.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect(),
            recorder,
            requests,
            seen: None,
        })
    }

    /// Follows until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let seeds = RandomState::new();
        let mut failures = 0;
        for round in 0_u64.. {
            let wait = match self.look().await {
                Ok(()) => {
                    failures = 0;
                    jittered(self.interval, seeds.hash_one(round))
                }
                Err((why, class)) => {
                    failures += 1;
                    self.recorder.record(&self.name, What::FetchFailed { why });
                    backoff(class, failures, seeds.hash_one(round)).min(self.interval)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), (String, Class)> {
        let (source, state, env, seen) = (self.source.clone(), self.state.clone(), self.env.clone(), self.seen.clone());
        let looking = tokio::task::spawn_blocking(move || look(&source, &state, &env, seen.as_deref()));
        let look = match tokio::time::timeout(FETCH_LIMIT + FETCH_GRACE, looking).await {
            Ok(Ok(look)) => look.map_err(|error| {
                let class = if error.is_transient() { Class::Transient } else { Class::Terminal };
                (story(&error), class)
            })?,
            Ok(Err(panic)) => return Err((format!("reading git failed: {panic}"), Class::Terminal)),
            Err(_) => return Err(("git did not answer".into(), Class::Transient)),
        };
        self.recorder.record(&self.name, What::Fetched { commit: look.commit.clone(), rewound: look.rewound });
        if let Some(reading) = look.reading {
            self.take(look.commit, reading, look.changed_by, look.mirror).await;
        }
        Ok(())
    }

    /// A new commit was read: says what is wrong with it, and what is to be looked at because of it.
    async fn take(
        &mut self,
        commit: Commit,
        reading: Reading,
        changed_by: BTreeMap<ServiceName, Commit>,
        mirror: PathBuf,
    ) {
        let ids = |desired: &Desired| -> BTreeSet<ServiceId> {
            desired.services.keys().map(|name| desired.service_id(name)).collect()
        };
        let before = self.seen.as_ref().map(|seen| seen.services.clone()).unwrap_or_default();
        let in_force = reading.desired.clone();
        let now = in_force.as_deref().map(ids).unwrap_or_default();
        let broken: BTreeSet<ServiceId> = match &in_force {
            Some(desired) => desired.broken.values().flatten().map(|name| desired.service_id(name)).collect(),
            None => before.clone(),
        };
        self.recorder.record(
            &self.name,
            What::Read {
                problems: Arc::new(reading.problems.clone()),
                services: now.iter().cloned().collect(),
                broken: broken.iter().cloned().collect(),
            },
        );
        // A commit without a readable environment, or without any service, changes nothing of what is in force (R5).
        let gone: Vec<ServiceId> = before.difference(&now).filter(|id| !broken.contains(*id)).cloned().collect();
        for service in &gone {
            self.recorder.record(&self.name, What::Left { service: service.clone() });
        }
        if let Some(desired) = in_force {
            let environment = Arc::new(Environment {
                source: self.name.clone(),
                commit: commit.clone(),
                changed_by: changed_by.clone(),
                desired,
                drift_interval: self.drift_interval,
                past: Arc::new(Past::new(mirror, self.source.path.clone(), self.env.clone())),
            });
            // The dispatcher is gone only when everything stops.
            let _ = self.requests.send(Request { environment, gone, services: now.clone() }).await;
        }
        let services = if now.is_empty() { before } else { now };
        self.seen = Some(Arc::new(Seen { commit, reading, changed_by, services }));
    }
}

fn look(
    source: &git::Source,
    state: &Path,
    env: &BTreeMap<String, String>,
    seen: Option<&Seen>,
) -> Result<Look, git::Error> {
    let tip = git::fetch(source, state, FETCH_LIMIT)?;
    let commit = git::commit_info(&tip.mirror, &tip.revision, tip.branch.as_deref())?;
    // The whole of it, not the revision alone: documents may say `git.tag`, and a tag may come after its commit.
    if seen.is_some_and(|seen| seen.commit == commit) {
        let (reading, changed_by) = (None, BTreeMap::new());
        return Ok(Look { commit, rewound: false, reading, changed_by, mirror: tip.mirror });
    }
    let rewound = match seen {
        None => false,
        Some(seen) => match git::relation(&tip.mirror, &seen.commit.revision, &tip.revision)? {
            git::Relation::Same | git::Relation::Forward => false,
            git::Relation::Rewound | git::Relation::Unrelated => true,
        },
    };
    let files = git::CommitFiles::open(&tip.mirror, &tip.revision)?;
    let shapes = crate::aws::tables::shapes();
    let context = Context { root: &source.path, commit: Some(&commit), shapes: &shapes, env };
    let reading = desired::read(&files, &context, seen.map(|seen| &seen.reading));
    let changed_by = changed_by(&tip.mirror, &commit, &reading, seen.filter(|_| !rewound));
    Ok(Look { commit, rewound, reading: Some(reading), changed_by, mirror: tip.mirror })
}

/// The commits that last changed what services declare: of one whose declaration is another one than when it was read last,
/// the newest commit since then that changed one of its files; the head where none did (a tag, or what environment.yaml
/// says). That it cannot be told costs only names in the history.
fn changed_by(mirror: &Path, head: &Commit, reading: &Reading, seen: Option<&Seen>) -> BTreeMap<ServiceName, Commit> {
    let Some(desired) = &reading.desired else { return seen.map(|seen| seen.changed_by.clone()).unwrap_or_default() };
    let before = seen.and_then(|seen| seen.reading.desired.as_ref());
    let (mut all, mut open) = (BTreeMap::new(), Vec::new());
    for (name, declared) in &desired.services {
        let same = before.and_then(|before| before.services.get(name)).filter(|old| old.digest == declared.digest);
        match same.and_then(|_| seen?.changed_by.get(name)) {
            Some(known) => {
                all.insert(name.clone(), known.clone());
            }
            None => open.push((name, declared)),
        }
    }
    let files = open.iter().flat_map(|(_, declared)| declared.inputs.iter().cloned()).collect();
    let until = before.and(seen).map(|seen| &seen.commit.revision);
    let changes = git::last_changes(mirror, &head.revision, until, CHANGES_LOOKED_AT_MAX, files);
    let changes = changes.unwrap_or_else(|error| {
        tracing::warn!(
            event = "commits_unknown",
            error = story(&error),
            "which commits changed which service is not known"
        );
        Vec::new()
    });
    let mut said: BTreeMap<&Revision, Option<Commit>> = BTreeMap::new();
    for (name, declared) in open {
        let newest = changes.iter().find(|change| !change.files.is_disjoint(&declared.inputs));
        let info = |revision: &Revision| git::commit_info(mirror, revision, head.branch.as_deref()).ok();
        let commit = newest.filter(|_| !declared.of_each_commit);
        let commit = commit.and_then(|change| {
            let revision = &change.revision;
            said.entry(revision).or_insert_with(|| info(revision)).clone()
        });
        all.insert(name.clone(), commit.unwrap_or_else(|| head.clone()));
    }
    all
}

/// What is followed, in git's terms.
pub fn reference(reference: &settings::Reference) -> anyhow::Result<git::Reference> {
    Ok(match reference {
        settings::Reference::Branch(name) => git::Reference::Branch(name.clone()),
        settings::Reference::Tag(name) => git::Reference::Tag(name.clone()),
        settings::Reference::Semver(range) => {
            let range = range.parse().with_context(|| format!("{range:?} is no range of versions, as >=1.2, <2"))?;
            git::Reference::Semver(range)
        }
        settings::Reference::Commit(revision) => {
            let hex = revision.as_str().len() == 40 && revision.as_str().bytes().all(|b| b.is_ascii_hexdigit());
            anyhow::ensure!(hex, "{revision:?} is no full commit id of 40 digits");
            git::Reference::Commit(Revision::new(revision.as_str()))
        }
    })
}

/// The error and its causes in one line.
pub fn story(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
