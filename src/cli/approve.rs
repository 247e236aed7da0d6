//! `driftless approve` and `driftless reject`: the answer to a rollout that waits at a PAUSE hook.

use super::load::load;
use super::plan::connect;
use super::{Exit, Where, ended};
use crate::aws::apply::answer_pause;
use crate::aws::pace::Priority;
use crate::core::id::{Kind, ResourceId, ServiceName};
use crate::core::observed::{Observed, Snapshot};
use crate::core::rollout::Rollout;
use crate::daemon::engine::rollout_of;
use anyhow::{bail, ensure};
use clap::Args;
use jiff::Timestamp;

#[derive(Debug, Args)]
pub struct Options {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    /// Answer only this deployment: the end of its ARN, as a page or a message named it
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,
    #[command(flatten)]
    place: Where,
}

pub async fn run(options: Options, approves: bool) -> anyhow::Result<Exit> {
    let Options { name, deployment, place } = options;
    let loaded = load(&place).await?;
    loaded.services(std::slice::from_ref(&name))?;
    let observer = connect(&loaded.desired()?.environment.scope).await?;
    let service = ServiceName::from(name.as_str());
    let ids = [Kind::Service, Kind::ServiceDeployments].map(|kind| ResourceId::new(kind, name.as_str()));
    let mut snapshot = Snapshot::new(Timestamp::now());
    observer.observe(&ids.into(), Priority::Commit, &mut snapshot).await;
    for (_, observed) in snapshot.iter() {
        if let Observed::Unknown { why } = observed {
            bail!("{name}: {why}");
        }
    }
    let Some(Rollout::Waiting { pause }) = rollout_of(&snapshot, &service, None) else {
        bail!("no rollout of {name} waits for approval");
    };
    let id = pause.deployment.short();
    if let Some(asked) = &deployment {
        ensure!(pause.deployment.as_str().ends_with(asked), "deployment {asked} does not wait; {id} does");
    }
    eprintln!("{name}: deployment {id} {pause}");
    answer_pause(&observer.clients, &pause, approves).await.map_err(ended)?;
    println!("{}: {name}, deployment {id}", if approves { "Approved" } else { "Rejected" });
    Ok(Exit::Ok)
}
