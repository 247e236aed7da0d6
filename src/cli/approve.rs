//! `driftless approve` and `driftless reject`: the answer to a rollout that waits at a PAUSE hook.

use super::service::OneService;
use super::{Exit, Where};
use crate::core::act::Deed;
use crate::core::action::Action;
use crate::core::rollout::Rollout;
use anyhow::{bail, ensure};
use clap::Args;

#[derive(Debug, Args)]
pub struct Options {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    /// Answer only this deployment: its ARN or the last part of it, as a page or a message named it
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,
    #[command(flatten)]
    place: Where,
}

pub async fn run(options: Options, approves: bool) -> anyhow::Result<Exit> {
    let Options { name, deployment, place } = options;
    let service = OneService::look_at_rollout(&name, &place).await?;
    let pause = match service.rollout() {
        Some(Rollout::Waiting { pause }) => pause,
        other => bail!("no rollout of {name} waits for approval: {}", instead(other)),
    };
    let id = pause.deployment.short();
    if let Some(asked) = &deployment {
        // Whole, or nothing: an empty variable of a script approves nothing.
        let it = [id, pause.deployment.as_str()].contains(&asked.as_str());
        ensure!(it, "deployment {asked:?} does not wait; {id} does");
    }
    eprintln!("{name}: deployment {id} {pause}");
    // The very deployment that was looked at: ECS refuses what somebody else answered meanwhile.
    service.act(&Action::answer(service.id.clone(), &pause, approves)).await?;
    println!("{}: {name}, deployment {id}", if approves { "Approved" } else { "Rejected" });
    let deed = if approves { Deed::Approved } else { Deed::Rejected };
    let by = service.who().await?;
    if let Err(error) = service.note(deed, (&by, &format!("deployment {id}")), &[]).await {
        eprintln!("warning: that {by} did it could not be written to the service's tags: {error:#}");
    }
    Ok(Exit::Ok)
}

/// What a rollout does that does not wait.
fn instead(rollout: Option<Rollout>) -> String {
    match rollout {
        Some(Rollout::InProgress { running, desired, .. }) => {
            format!("{running} of {desired} new tasks run, and it has not come to its approval")
        }
        Some(Rollout::Failed { reason, .. }) => format!("the last one failed ({reason})"),
        _ => "none is under way".to_owned(),
    }
}
