//! `driftless rollback` and `driftless retry`: a service follows an earlier commit, or git's newest one again.
//!
//! Both are tags on the ECS service; the daemon, or `driftless apply`, does what they say, whatever phase a rollout is in.
//! Task definition, service settings, target groups, rules and scaling go back together, since all of them stand in the
//! commit. Where to is found in `healthy`.

use super::healthy::{Asked, Found, Healthy};
use super::service::OneService;
use super::{Exit, Where};
use crate::core::act::Deed;
use crate::core::id::ServiceName;
use crate::core::pause::Pause;
use crate::core::plan::{FAILED_TAG, retry_tag, short_digest};
use crate::core::rollback::{Known, ROLLED_BACK_TAG, RolledBack};
use crate::core::rollout::Rollout;
use anyhow::{Context, bail, ensure};
use clap::Args;
use jiff::Timestamp;

#[derive(Debug, Args)]
pub struct RollbackOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    /// Why, for everybody who sees it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where to: the number of a row of driftless history, or a commit (its id or the beginning of it); left out: the newest
    /// commit that says something else of the service and is not known to have failed
    #[arg(long, value_name = "N|COMMIT")]
    to: Option<String>,
    /// Go back to what is known to have failed, too
    #[arg(long, requires = "to")]
    force: bool,
    /// Where a daemon listens, for its history
    #[arg(long, env = "DRIFTLESS_HTTP__LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    address: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub struct RetryOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
}

pub async fn rollback(options: RollbackOptions) -> anyhow::Result<Exit> {
    let RollbackOptions { name, reason, to, force, address, place } = options;
    ensure!(!reason.trim().is_empty(), "--reason is empty: say why, for those who see that git is not followed");
    ensure!(place.repo.is_some(), "name the repository with --repo: the service goes back to one of its commits");
    let (service, at) = (OneService::look_at_rollout(&name, &place).await?, place.arguments());
    let declared = service.loaded.desired()?.services[&ServiceName::from(name.as_str())].clone();
    let newest = service.loaded.commit.as_ref().context("the repository has no commit")?.revision.clone();
    if let (Some(rolled), None) = (RolledBack::of(&service.tags, &declared.digest), &to) {
        bail!("{name} is {rolled} already; further back: --to COMMIT");
    }
    let healthy = Healthy::of(&service, declared.clone(), newest.clone(), &address).await?;
    let asked = to.map_or(Asked::Newest, Asked::This);
    let Found { commit, digest, known, skipped } = healthy.find(asked, force).await?;
    let rolled = RolledBack {
        to: commit.revision.clone(),
        held: short_digest(&declared.digest),
        by: service.who().await?,
        why: reason,
    };
    let why = format!("to {}: {}", commit.revision.short(), rolled.why);
    let mut tags = vec![(ROLLED_BACK_TAG, rolled.tag_value())];
    if matches!(known, Known::Failed { .. }) {
        tags.push((FAILED_TAG, retry_tag(&digest, Timestamp::now())));
    }
    service.note(Deed::RolledBack, (&rolled.by, &why), &tags).await?;
    println!("{name} {rolled}");
    let known = match known {
        Known::Healthy { by } => by,
        Known::Failed { why } => format!("although {why}"),
        Known::Nothing => "not known whether it was healthy: ECS keeps deployments for 90 days".to_owned(),
    };
    println!("  to       {} \"{}\" by {} ({known})", commit.revision.short(), commit.subject, commit.author);
    for (revision, why) in &skipped {
        println!("  skipped  {}: {why}", revision.short());
    }
    println!("  held     {} until a newer commit changes {name}, or: driftless retry {name} {at}", newest.short());
    if let Some(now) = under_way(&service) {
        println!("  now      {now}");
    }
    match Pause::of(&service.tags, Timestamp::now()) {
        Some(pause) => println!("Nothing happens yet, it is paused {pause}: driftless resume {name} {at}"),
        None => println!("The daemon does it with its next look; without one: driftless apply --service {name} {at}"),
    }
    Ok(Exit::Ok)
}

/// What a rollback finds under way.
fn under_way(service: &OneService) -> Option<String> {
    match service.rollout()? {
        Rollout::Waiting { pause } => {
            Some(format!("deployment {} {pause}; the rollback answers it", pause.deployment.short()))
        }
        Rollout::InProgress { running, desired, .. } => {
            Some(format!("a rollout is under way, {running} of {desired} new tasks run; it is taken back"))
        }
        Rollout::Completed | Rollout::Failed { .. } | Rollout::Unhealthy { .. } => None,
    }
}

pub async fn retry(options: RetryOptions) -> anyhow::Result<Exit> {
    let RetryOptions { name, place } = options;
    let service = OneService::look_at_rollout(&name, &place).await?;
    let declared = &service.loaded.desired()?.services[&ServiceName::from(name.as_str())];
    let held = RolledBack::of(&service.tags, &declared.digest);
    let failed = service.tags.get(FAILED_TAG) == Some(&short_digest(&declared.digest))
        || matches!(service.rollout(), Some(Rollout::Failed { .. } | Rollout::Unhealthy { .. }));
    // The time tells one asking from another: a task before the rollout is run once for each.
    let retried = retry_tag(&declared.digest, Timestamp::now());
    let tags = [(ROLLED_BACK_TAG, RolledBack::ended()), (FAILED_TAG, retried)];
    service.note(Deed::Retried, (&service.who().await?, ""), &tags).await?;
    match held {
        Some(rolled) => println!("{name} follows git again; it was {rolled}"),
        None if failed => println!("{name} is tried again as git says it"),
        None => println!("{name} is not rolled back, and not known to have failed: nothing is done unless it has"),
    }
    Ok(Exit::Ok)
}
