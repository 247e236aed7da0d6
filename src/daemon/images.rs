//! The images that services run, with the digests that their tags stood for when they were deployed.

use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::id::{Kind, ResourceId, ServiceName};
use crate::core::image::{self, Digests, Running};
use crate::core::observed::{Facts, ServiceFacts, Snapshot};
use crate::core::plan::Memory;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a service runs.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The images of its revision.
    pub shown: Running,
    by_container: Option<Digests>,
}

impl Seen {
    /// Keeps the digests: as long as the deployment is the same they are, and are not read again.
    pub fn remember(&self, memory: &mut Memory, facts: &ServiceFacts) {
        if let Some((digests, primary)) = self.by_container.clone().zip(facts.primary()) {
            memory.runs = Some((primary.id.clone(), digests));
        }
    }
}

/// The images of the revision that the service runs.
pub fn running(snapshot: &Snapshot, name: &ServiceName, facts: &ServiceFacts, memory: Option<&Memory>) -> Seen {
    let seen = match snapshot.live(&deployments(name)).map(|live| &live.facts) {
        Some(Facts::Deployments(all)) => image::running(facts, all),
        _ => None,
    };
    let by_container = seen.or_else(|| memory?.runs(facts).cloned());
    let arn = facts.task_definition.as_ref();
    let live = arn.and_then(|arn| snapshot.live(&ResourceId::new(Kind::TaskDefinitionRevision, arn.as_str())));
    let containers = live.and_then(|live| live.document.get("containerDefinitions")?.as_array());
    let Running { mut names, mut digests } = Running::default();
    for container in containers.into_iter().flatten() {
        let text = |key: &str| container.get(key).and_then(Value::as_str);
        let Some(image) = text("image") else { continue };
        names.push(image.to_owned());
        let digest = text("name").and_then(|name| by_container.as_ref()?.get(name));
        digests.extend(digest.map(|digest| (image.to_owned(), digest.clone())));
    }
    Seen { shown: Running { names, digests }, by_container }
}

/// Looks once at the deployments of services whose rollout was under way when they were last looked at, and is not any
/// more: at which images they began with.
pub async fn look_at_what_ended(observer: &Observer, memory: &BTreeMap<ServiceName, Memory>, snapshot: &mut Snapshot) {
    let rolling = memory.iter().filter(|(_, memory)| memory.rolling.is_some()).map(|(name, _)| name);
    let wanted: BTreeSet<ResourceId> =
        rolling.filter(|name| snapshot.service(name).is_some()).map(deployments).collect();
    let wanted = wanted.into_iter().filter(|id| snapshot.get(id).is_none()).collect();
    observer.observe(&wanted, Priority::Drift, snapshot).await;
}

fn deployments(name: &ServiceName) -> ResourceId {
    ResourceId::new(Kind::ServiceDeployments, name.as_str())
}
