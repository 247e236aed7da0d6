//! What AWS and git still know of a service's deployments, where its history was lost, or nobody keeps one.

use super::past::Past;
use crate::aws::call::Error;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::event::What;
use crate::core::history::{Commit, KnownRevision, StillKnown};
use crate::core::id::{Arn, Kind, ResourceId, Revision, ServiceId};
use crate::core::observed::{Live, Snapshot};
use crate::core::plan::{Applied, COMMIT_TAG, FAILED_TAG, ServicePlan};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known; `None` where there is no service.
///
/// # Errors
/// The service deployments cannot be read.
pub async fn rebuilt(
    observer: &Observer,
    snapshot: &Snapshot,
    service: ServiceId,
    plan: Option<&ServicePlan>,
    past: Option<&Arc<Past>>,
) -> Result<Option<What>, Error> {
    let name = &service.service;
    let Some(live) = snapshot.live(&ResourceId::new(Kind::Service, name.as_str())) else { return Ok(None) };
    let deployments = observer.past_deployments(name).await?;
    let applied = Applied::of(&live.tags);
    let failed = applied.as_ref().is_some_and(|applied| {
        let planned = plan.is_some_and(|plan| plan.has_failed() && plan.short_digest() == applied.digest);
        planned || live.tags.get(FAILED_TAG) == Some(&applied.digest)
    });
    let runs = snapshot.service(name).and_then(|facts| facts.task_definition.clone());
    let arns: BTreeSet<&Arn> =
        deployments.iter().filter_map(|deployment| deployment.task_definition.as_ref()).collect();
    let ids = arns.iter().map(|arn| ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str())).collect();
    let mut read = Snapshot::new(Timestamp::now());
    observer.observe(&ids, Priority::Sweep, &mut read).await;
    let of = |arn: &&Arn| {
        let live = read.live(&ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str()))?;
        Some(((*arn).clone(), known(live)))
    };
    let revisions: BTreeMap<Arn, KnownRevision> = arns.iter().filter_map(of).collect();
    let all = revisions.values().filter_map(|known| known.commit.clone());
    let all = all.chain(applied.iter().filter_map(|applied| applied.commit.as_deref().map(Revision::from)));
    let commits = match past {
        Some(past) => past.commits(all.collect()).await,
        None => BTreeMap::new(),
    };
    let known = StillKnown { deployments, applied, failed, runs, revisions, commits };
    Ok(Some(What::Rebuilt { service, known: Box::new(known) }))
}

/// What a revision's tags and containers say.
fn known(live: &Live) -> KnownRevision {
    let containers = live.document.get("containerDefinitions").and_then(Value::as_array);
    let image = |container: &Value| {
        let text = |key: &str| container.get(key).and_then(Value::as_str).map(str::to_owned);
        Some((text("name")?, text("image")?))
    };
    let commit = live.tags.get(COMMIT_TAG).map(|commit| Revision::from(commit.as_str()));
    KnownRevision { commit, images: containers.into_iter().flatten().filter_map(image).collect() }
}

impl Past {
    /// What these commits say of themselves, as far as the mirror has them.
    async fn commits(self: &Arc<Self>, revisions: BTreeSet<Revision>) -> BTreeMap<Revision, Commit> {
        let past = self.clone();
        let read = move || {
            let commit = |revision: Revision| {
                let found = past.commit(&revision)?;
                let commit = Commit { revision: found.revision, subject: found.subject, author: found.author };
                Some((revision, commit))
            };
            revisions.into_iter().filter_map(commit).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }
}
