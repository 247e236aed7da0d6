//! One service as it is in AWS, for commands that say something about it.

use super::load::{Loaded, load};
use super::plan::connect;
use super::{Denied, Where, ended};
use crate::aws::apply::apply;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::act::{ACT_TAG, Act, Deed};
use crate::core::action::Action;
use crate::core::id::{Arn, Kind, ResourceId, ServiceName};
use crate::core::observed::{Observed, Snapshot};
use crate::core::rollout::Rollout;
use crate::daemon::engine::rollout_of;
use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Codes with which AWS refuses a read for lack of credentials or permission; what was not readable is kept as text.
const DENIED: [&str; 4] = [": AccessDenied", ": ExpiredToken", ": UnrecognizedClient", ": InvalidSignature"];

/// A service that git declares and that is active in ECS.
pub struct OneService {
    /// What git says.
    pub loaded: Loaded,
    /// The way to AWS.
    pub observer: Observer,
    /// What was read of it.
    pub snapshot: Snapshot,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Itself.
    pub id: ResourceId,
    arn: Arn,
}

impl OneService {
    /// Looks at it.
    pub async fn look(name: &str, place: &Where) -> anyhow::Result<Self> {
        Self::look_at(name, place, &[Kind::Service]).await
    }

    /// Looks at it and at its newest service deployments.
    pub async fn look_at_rollout(name: &str, place: &Where) -> anyhow::Result<Self> {
        Self::look_at(name, place, &[Kind::Service, Kind::ServiceDeployments]).await
    }

    async fn look_at(name: &str, place: &Where, kinds: &[Kind]) -> anyhow::Result<Self> {
        let loaded = load(place).await?;
        if let Err(error) = loaded.services(&[name.to_owned()]) {
            // Where the files are wrong, or are not there, that is why.
            loaded.print_problems();
            return Err(error);
        }
        let observer = connect(&loaded.desired()?.environment.scope).await?;
        let mut snapshot = Snapshot::new(Timestamp::now());
        let ids = kinds.iter().map(|kind| ResourceId::new(*kind, name)).collect();
        observer.observe(&ids, Priority::Commit, &mut snapshot).await;
        for (id, observed) in snapshot.iter() {
            if let Observed::Unknown { why } = observed {
                let error = format!("the {id} could not be read: {why}");
                ensure!(!DENIED.iter().any(|code| why.contains(code)), Denied(error));
                bail!(error);
            }
        }
        let status = snapshot.service(&ServiceName::from(name)).map(|facts| facts.status.clone());
        let found = status.as_deref().unwrap_or("not there");
        ensure!(found == "ACTIVE", "ECS has no active service {name}: it is {found}");
        let id = ResourceId::new(Kind::Service, name);
        let live = snapshot.live(&id).context("the service could not be read")?;
        let arn = live.arn.clone().context("ECS gave the service no ARN")?;
        let tags = live.tags.clone();
        Ok(Self { loaded, observer, snapshot, tags, id, arn })
    }

    /// Who runs the command, by the credentials.
    pub async fn who(&self) -> anyhow::Result<String> {
        Ok(self.observer.clients.identity().await?.name)
    }

    /// How the rollout of what it is set to run is getting on, by what was looked at.
    pub fn rollout(&self) -> Option<Rollout> {
        rollout_of(&self.snapshot, &ServiceName::from(&*self.id.name), None)
    }

    /// Sets the tags that a deed of a person is, and the one that says who did it and why; others stay.
    pub async fn note(&self, deed: Deed, (by, why): (&str, &str), tags: &[(&str, String)]) -> anyhow::Result<()> {
        let act = Act { at: Timestamp::now(), deed, by: by.to_owned(), why: why.to_owned() };
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        let tags = tags.chain([(ACT_TAG.to_owned(), act.tag_value())]).collect();
        let action = Action::tag(self.id.clone(), &self.arn, &tags).context("a service can be tagged")?;
        self.act(&action).await
    }

    /// Does something to it.
    pub async fn act(&self, action: &Action) -> anyhow::Result<()> {
        let done = apply(&self.observer.clients, action, action.input.document.clone(), Priority::Commit).await;
        done.map(|_| ()).map_err(ended)
    }
}
