//! What need not be read each time.

use crate::core::id::{Arn, ResourceId, Scope};
use crate::core::observed::{Live, Observed, Snapshot};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The most revisions that are kept. A document is some 5 KiB: this stays below 50 MiB.
const CACHED_REVISIONS_MAX: usize = 10_000;

/// The most secrets whose versions are kept: some hundred bytes each.
const CACHED_SECRETS_MAX: usize = 10_000;

/// How long the ARN behind a name is believed. All ELBv2 calls of an account share ten a second: asking for the same
/// names with every look at a service would leave nothing for anybody else.
const NAME_BELIEVED_FOR: Duration = Duration::from_secs(60);

/// How long a revision is believed. Its content never changes; its tags and its status may.
const REVISION_BELIEVED_FOR: Duration = Duration::from_secs(600);

/// How long settings beside a service are believed while all there is to do is to follow its rollout: it is looked at every
/// few seconds, and all ELBv2 calls of an account share ten a second.
const SETTINGS_BELIEVED_FOR: Duration = Duration::from_secs(15);

/// What need not be read each time: task definition revisions, the ARNs behind names, and settings beside a service that is
/// being rolled out, for a while. Disposable. That something is unreadable is never kept, and that it is absent is not
/// believed for longer than a rollout is followed.
#[derive(Debug, Clone, Default)]
pub struct Cache(Arc<Mutex<Cached>>, Arc<Mutex<Locks>>);

/// One writer at a time for the rules of a listener.
type Locks = BTreeMap<(Scope, Arc<str>), Arc<tokio::sync::Mutex<()>>>;

#[derive(Debug, Default)]
struct Cached {
    revisions: BTreeMap<Arn, (Instant, Arc<Live>)>,
    names: BTreeMap<(Scope, ResourceId), (Instant, Arc<Live>)>,
    /// When the versions of a secret were made, by its ARN.
    secrets: BTreeMap<String, BTreeMap<String, Timestamp>>,
    settings: BTreeMap<(Scope, ResourceId), (Instant, Observed)>,
}

impl Cache {
    /// The lock that the writer of a listener's rules holds: their priorities are chosen against what was read.
    pub fn listener_lock(&self, scope: &Scope, listener: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry((scope.clone(), listener.into())).or_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revision(&self, arn: &Arn) -> Option<Arc<Live>> {
        let (at, live) = self.lock().revisions.get(arn).cloned()?;
        (at.elapsed() < REVISION_BELIEVED_FOR).then_some(live)
    }

    /// A revision was changed: it is read again.
    pub fn forget_revision(&self, arn: &Arn) {
        self.lock().revisions.remove(arn);
    }

    pub(super) fn keep_revision(&self, arn: Arn, live: Arc<Live>) {
        let revisions = &mut self.lock().revisions;
        if revisions.len() >= CACHED_REVISIONS_MAX {
            revisions.clear();
        }
        revisions.insert(arn, (Instant::now(), live));
    }

    pub(super) fn secret_versions(&self, arn: &str) -> Option<BTreeMap<String, Timestamp>> {
        self.lock().secrets.get(arn).cloned()
    }

    pub(super) fn keep_secret_versions(&self, arn: &str, made: BTreeMap<String, Timestamp>) {
        let secrets = &mut self.lock().secrets;
        if secrets.len() >= CACHED_SECRETS_MAX {
            secrets.clear();
        }
        secrets.insert(arn.to_owned(), made);
    }

    /// Puts what was read of an environment moments ago into a snapshot.
    pub(super) fn recall(&self, scope: &Scope, snapshot: &mut Snapshot) {
        for ((place, id), (at, observed)) in &self.lock().settings {
            if place == scope && at.elapsed() < SETTINGS_BELIEVED_FOR {
                snapshot.set(id.clone(), observed.clone());
            }
        }
    }

    pub(super) fn keep_setting(&self, scope: &Scope, id: &ResourceId, observed: &Observed) {
        let settings = &mut self.lock().settings;
        settings.insert((scope.clone(), id.clone()), (Instant::now(), observed.clone()));
    }

    /// Something was written: it is read again.
    pub fn forget_settings(&self) {
        self.lock().settings.clear();
    }

    /// Forgets settings that nobody would believe any more.
    pub(super) fn drop_old_settings(&self) {
        self.lock().settings.retain(|_, (at, _)| at.elapsed() < SETTINGS_BELIEVED_FOR);
    }

    pub(super) fn name(&self, scope: &Scope, id: &ResourceId) -> Option<Arc<Live>> {
        let (at, live) = self.lock().names.get(&(scope.clone(), id.clone())).cloned()?;
        (at.elapsed() < NAME_BELIEVED_FOR).then_some(live)
    }

    pub(super) fn keep_name(&self, scope: &Scope, id: &ResourceId, live: Arc<Live>) {
        let names = &mut self.lock().names;
        names.retain(|_, (at, _)| at.elapsed() < NAME_BELIEVED_FOR);
        names.insert((scope.clone(), id.clone()), (Instant::now(), live));
    }
}
