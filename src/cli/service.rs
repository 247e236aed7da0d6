//! One service as it is in AWS, for commands that say something about it by a tag.

use super::load::{Loaded, load};
use super::plan::connect;
use super::{Where, ended};
use crate::aws::apply::apply;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::action::Action;
use crate::core::id::{Arn, Kind, ResourceId, ServiceName};
use crate::core::observed::Snapshot;
use crate::core::rollout::Rollout;
use crate::daemon::engine::rollout_of;
use anyhow::{Context, ensure};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A service that git declares and that is active in ECS.
pub struct OneService {
    /// What git says.
    pub loaded: Loaded,
    /// The way to AWS.
    pub observer: Observer,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    id: ResourceId,
    arn: Arn,
}

impl OneService {
    /// Looks at it.
    pub async fn look(name: &str, place: &Where) -> anyhow::Result<Self> {
        let loaded = load(place).await?;
        loaded.services(&[name.to_owned()])?;
        let observer = connect(&loaded.desired()?.environment.scope).await?;
        let id = ResourceId::new(Kind::Service, name);
        let mut snapshot = Snapshot::new(Timestamp::now());
        observer.observe(&[id.clone()].into(), Priority::Commit, &mut snapshot).await;
        let status = snapshot.service(&ServiceName::from(name)).map(|facts| facts.status.clone());
        let found = status.as_deref().unwrap_or("not found, or not readable");
        ensure!(found == "ACTIVE", "ECS has no active service {name}: it is {found}");
        let live = snapshot.live(&id).context("the service could not be read")?;
        let arn = live.arn.clone().context("ECS gave the service no ARN")?;
        let tags = live.tags.clone();
        Ok(Self { loaded, observer, tags, id, arn })
    }

    /// Who runs the command, by the credentials.
    pub async fn who(&self) -> anyhow::Result<String> {
        Ok(self.observer.clients.identity().await?.name)
    }

    /// Whether its rollout waits for a person.
    pub async fn awaits_approval(&self) -> anyhow::Result<bool> {
        let name = ServiceName::from(&*self.id.name);
        let ids = [self.id.clone(), ResourceId::new(Kind::ServiceDeployments, name.as_str())];
        let mut snapshot = Snapshot::new(Timestamp::now());
        self.observer.observe(&ids.into(), Priority::Commit, &mut snapshot).await;
        Ok(matches!(rollout_of(&snapshot, &name, None), Some(Rollout::Waiting { .. })))
    }

    /// Sets tags; others stay.
    pub async fn tag(&self, tags: &[(&str, String)]) -> anyhow::Result<()> {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let action = Action::tag(self.id.clone(), &self.arn, &tags).context("a service can be tagged")?;
        let done = apply(&self.observer.clients, &action, action.input.document.clone(), Priority::Commit).await;
        done.map(|_| ()).map_err(ended)
    }
}
