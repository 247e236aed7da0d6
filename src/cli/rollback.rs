//! `driftless rollback` and `driftless retry`: a service follows an earlier commit, or git's newest one again.
//!
//! Both are tags on the ECS service; the daemon, or `driftless apply`, does what they say. Task definition, service
//! settings, target groups, rules and scaling go back together, since all of them stand in the commit.

use super::service::OneService;
use super::{Exit, Where};
use crate::core::id::{Revision, ServiceName};
use crate::core::plan::{FAILED_TAG, short_digest};
use crate::core::rollback::{ROLLED_BACK_TAG, RolledBack};
use crate::daemon::past::Past;
use crate::git;
use anyhow::{Context, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

/// How many commits are looked through for an earlier declaration.
const COMMITS_MAX: usize = 500;

#[derive(Debug, Args)]
pub struct RollbackOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    /// Why, for everybody who sees it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The commit to go back to, its id or the beginning of it; left out: the newest one that says something else of the
    /// service
    #[arg(long, value_name = "COMMIT")]
    to: Option<String>,
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
    let RollbackOptions { name, reason, to, place } = options;
    ensure!(!reason.trim().is_empty(), "--reason is empty: say why, for those who see that git is not followed");
    ensure!(place.repo.is_some(), "name the repository with --repo: the service goes back to one of its commits");
    let service = OneService::look(&name, &place).await?;
    let id = ServiceName::from(name.as_str());
    ensure!(
        !service.awaits_approval().await?,
        "a rollout of {name} waits for approval: driftless reject {name} rolls it back at once, and holds the commit"
    );
    let declared = &service.loaded.desired()?.services[&id];
    let commit = service.loaded.commit.as_ref().context("the repository has no commit")?.revision.clone();
    let mirror = service.loaded.mirror.clone().context("the repository has no mirror")?;
    let past = service.loaded.past.clone().context("the repository has no history")?;
    let search = Search { past, mirror, from: commit.clone(), name: id, digest: declared.digest.clone() };
    let found = tokio::task::spawn_blocking(move || search.find(to.as_deref())).await??;
    let rolled = RolledBack {
        to: found.revision.clone(),
        held: short_digest(&declared.digest),
        by: service.who().await?,
        why: reason,
    };
    service.tag(&[(ROLLED_BACK_TAG, rolled.tag_value())]).await?;
    println!("{name} {rolled}");
    println!("  to   {} \"{}\" by {}", found.revision.short(), found.subject, found.author);
    println!("  held {} until a newer commit changes {name}, or: driftless retry {name}", commit.short());
    println!("The daemon does it with its next look; without one: driftless apply --service {name}");
    Ok(Exit::Ok)
}

/// Looks for the commit to go back to.
struct Search {
    past: Arc<Past>,
    mirror: PathBuf,
    from: Revision,
    name: ServiceName,
    digest: String,
}

impl Search {
    fn find(&self, asked: Option<&str>) -> anyhow::Result<crate::core::source::Commit> {
        let all = git::first_parents(&self.mirror, &self.from, COMMITS_MAX)?;
        for revision in all.iter().filter(|revision| **revision != self.from) {
            let named = asked.is_none_or(|asked| asked.len() >= 4 && revision.as_str().starts_with(asked));
            if !named {
                continue;
            }
            let desired = self.past.blocking(revision);
            let declared = desired.as_ref().ok().and_then(|desired| desired.services.get(&self.name));
            match (declared, asked) {
                (Some(declared), _) if declared.digest != self.digest => {
                    return Ok(git::commit_info(&self.mirror, revision, None)?);
                }
                (Some(_), Some(_)) => {
                    bail!("commit {} says the same of {} as git does now", revision.short(), self.name)
                }
                (None, Some(_)) => bail!("commit {} does not declare {}, or with errors", revision.short(), self.name),
                (_, None) => {}
            }
        }
        match asked {
            Some(asked) => bail!("none of the last {} commits of the branch is {asked}", all.len()),
            None => bail!("none of the last {} commits of the branch says anything else of {}", all.len(), self.name),
        }
    }
}

pub async fn retry(options: RetryOptions) -> anyhow::Result<Exit> {
    let RetryOptions { name, place } = options;
    let service = OneService::look(&name, &place).await?;
    let declared = &service.loaded.desired()?.services[&ServiceName::from(name.as_str())];
    let held = RolledBack::of(&service.tags, &declared.digest);
    // The time tells one asking from another: a task before the rollout is run once for each.
    let retried = format!("retry {} {}", short_digest(&declared.digest), Timestamp::now().as_millisecond());
    service.tag(&[(ROLLED_BACK_TAG, RolledBack::ended()), (FAILED_TAG, retried)]).await?;
    match held {
        Some(rolled) => println!("{name} follows git again; it was {rolled}"),
        None => println!("{name} is tried again as git says it"),
    }
    Ok(Exit::Ok)
}
