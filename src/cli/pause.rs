//! `driftless pause` and `driftless resume`: a tag on the ECS service, which every process that looks at it respects.

use super::load::load;
use super::plan::connect;
use super::{Denied, Exit, Where};
use crate::aws::apply::apply;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::action::Action;
use crate::core::document::check::duration;
use crate::core::id::{Arn, Kind, ResourceId, ServiceName};
use crate::core::observed::Snapshot;
use crate::core::pause::{PAUSED_TAG, Pause};
use crate::core::retry::Class;
use anyhow::{Context, ensure};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct PauseOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    /// Why, for everybody who sees it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long
    #[arg(long = "for", default_value = "4h", value_name = "TIME", value_parser = time)]
    time: Duration,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub struct ResumeOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = duration(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "expected a duration with its unit, as 30m or 4h".to_owned())
}

pub async fn pause(options: PauseOptions) -> anyhow::Result<Exit> {
    let PauseOptions { name, reason, time, place } = options;
    ensure!(!reason.trim().is_empty(), "--reason is empty: say why, for those who see that nothing happens");
    let paused = Paused::look(&name, &place).await?;
    let by = paused.observer.clients.identity().await?.name;
    let until = Timestamp::now().checked_add(SignedDuration::try_from(time)?).context("--for is too long")?;
    let pause = Pause { until, by, why: reason };
    paused.set(&pause).await?;
    println!("Paused: {name} {pause}");
    println!("Next: driftless resume {name} --path {}", place.path.display());
    Ok(Exit::Ok)
}

pub async fn resume(options: ResumeOptions) -> anyhow::Result<Exit> {
    let ResumeOptions { name, place } = options;
    let paused = Paused::look(&name, &place).await?;
    let now = Timestamp::now();
    let Some(pause) = Pause::of(&paused.tags, now) else {
        println!("{name} is not paused");
        return Ok(Exit::Ok);
    };
    // A pause that is over, rather than no tag: who paused it stays known, and no permission to take tags away is needed.
    paused.set(&Pause { until: now, ..pause }).await?;
    println!("Resumed: {name}");
    Ok(Exit::Ok)
}

/// The service of a command, as it is in AWS.
struct Paused {
    observer: Observer,
    id: ResourceId,
    arn: Arn,
    tags: BTreeMap<String, String>,
}

impl Paused {
    async fn look(name: &str, place: &Where) -> anyhow::Result<Self> {
        let loaded = load(place).await?;
        loaded.services(&[name.to_owned()])?;
        let observer = connect(&loaded.desired()?.environment.scope).await?;
        let id = ResourceId::new(Kind::Service, name);
        let mut snapshot = Snapshot::new(Timestamp::now());
        observer.observe(&[id.clone()].into(), Priority::Commit, &mut snapshot).await;
        let status = snapshot.service(&ServiceName::from(name)).map(|facts| facts.status.clone());
        ensure!(
            status.as_deref() == Some("ACTIVE"),
            "ECS has no active service {name} to pause: {}",
            status
                .map_or_else(|| "it was not found or could not be read".to_owned(), |status| format!("it is {status}"))
        );
        let live = snapshot.live(&id).context("the service could not be read")?;
        let arn = live.arn.clone().context("ECS gave the service no ARN")?;
        let tags = live.tags.clone();
        Ok(Self { observer, id, arn, tags })
    }

    async fn set(&self, pause: &Pause) -> anyhow::Result<()> {
        let tags = BTreeMap::from([(PAUSED_TAG.to_owned(), pause.tag_value())]);
        let action = Action::tag(self.id.clone(), &self.arn, &tags).context("a service can be tagged")?;
        let done = apply(&self.observer.clients, &action, action.input.document.clone(), Priority::Commit).await;
        done.map(|_| ()).map_err(|error| match error.class() {
            Class::Denied => anyhow::Error::new(Denied(error.to_string())),
            _ => anyhow::Error::new(error),
        })
    }
}
