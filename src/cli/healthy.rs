//! Which commit a service goes back to: the newest earlier one that says something else of it and is not known to have
//! failed, by ECS's service deployments, by the service's tags, and by the history of a daemon where one answers.

use super::ask;
use super::service::OneService;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::aws::tables;
use crate::core::desired::{Declared, Desired};
use crate::core::history::Deployment;
use crate::core::id::{Arn, Revision, ServiceName};
use crate::core::observed::{Observed, ServiceDeployment, Snapshot};
use crate::core::plan::{FAILED_TAG, Policy, short_digest};
use crate::core::rollback::{Known, ROLLED_BACK_TAG, RolledBack};
use crate::core::source::Commit;
use crate::daemon::engine::{Task, plan_services};
use crate::daemon::past::Past;
use crate::git;
use crate::kind::BACK;
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// How many commits are looked through for an earlier declaration.
const COMMITS_MAX: usize = 500;
/// The fewest characters of a commit's id that name it.
const COMMIT_CHARS_MIN: usize = 4;

/// What somebody asked for.
pub enum Asked {
    /// The newest that will do.
    Newest,
    /// A row's number, or a commit.
    This(String),
}

/// Where a service goes back to.
pub struct Found {
    /// The commit.
    pub commit: Commit,
    /// The digest of what it declares.
    pub digest: String,
    /// What is known of it.
    pub known: Known,
    /// Newer commits that are known to have failed, and why.
    pub skipped: Vec<(Revision, String)>,
}

/// What is known of a service's earlier declarations.
pub struct Healthy<'s> {
    name: ServiceName,
    mirror: PathBuf,
    past: Arc<Past>,
    desired: Arc<Desired>,
    observer: &'s Observer,
    snapshot: Snapshot,
    tags: &'s BTreeMap<String, String>,
    /// What is left.
    declared: Arc<Declared>,
    /// The newest commit.
    newest: Revision,
    /// What ECS still knows, newest first.
    deployments: Vec<ServiceDeployment>,
    /// The rows of a daemon, newest first; why there are none.
    rows: Result<Vec<Deployment>, String>,
    address: String,
}

impl<'s> Healthy<'s> {
    /// Reads what ECS and a daemon still know.
    pub async fn of(
        service: &'s OneService,
        declared: Arc<Declared>,
        newest: Revision,
        address: &str,
    ) -> anyhow::Result<Self> {
        let name = declared.name.clone();
        let deployments = service.observer.past_deployments(&name).await.map_err(super::ended)?;
        let desired = service.loaded.desired()?.clone();
        let rows = rows(address, desired.environment.scope.cluster.as_str(), &name).await;
        // Declarations are planned as they are, not as a rollback that is in force has it.
        let mut snapshot = service.snapshot.clone();
        if let Some(live) = snapshot.live(&service.id).cloned() {
            let mut live = Arc::unwrap_or_clone(live);
            live.tags.remove(ROLLED_BACK_TAG);
            snapshot.set(service.id.clone(), Observed::Present(Arc::new(live)));
        }
        Ok(Self {
            mirror: service.loaded.mirror.clone().context("the repository has no mirror")?,
            past: service.loaded.past.clone().context("the repository has no history")?,
            observer: &service.observer,
            snapshot,
            tags: &service.tags,
            address: address.to_owned(),
            name,
            desired,
            declared,
            newest,
            deployments,
            rows: rows.map_err(|error| format!("{error:#}")),
        })
    }

    /// Finds what was asked for.
    pub async fn find(mut self, asked: Asked, force: bool) -> anyhow::Result<Found> {
        match asked {
            Asked::Newest => self.newest().await,
            Asked::This(text) => self.this(&text, force).await,
        }
    }

    async fn newest(&mut self) -> anyhow::Result<Found> {
        let all = self.commits().await?;
        let count = all.len();
        let (mut skipped, mut seen) = (Vec::new(), self.declared.digest.clone());
        // The first one is the newest itself.
        for revision in all.into_iter().skip(1) {
            let Ok(older) = self.declared_by(&revision).await else { continue };
            // The newest commit of several that say the same stands for them.
            if older.digest == seen || older.digest == self.declared.digest {
                continue;
            }
            seen.clone_from(&older.digest);
            match self.known(&older).await? {
                Known::Failed { why } => skipped.push((revision, why)),
                known => {
                    let commit = git::commit_info(&self.mirror, &revision, None)?;
                    return Ok(Found { commit, digest: older.digest.clone(), known, skipped });
                }
            }
        }
        let failed: Vec<String> =
            skipped.iter().map(|(revision, why)| format!("skipped {}: {why}", revision.short())).collect();
        match failed.is_empty() {
            true => bail!("none of the last {count} commits of the branch says anything else of {}", self.name),
            false => bail!(
                "every earlier commit that says something else of {} is known to have failed; choose one with --to … --force\n  {}",
                self.name,
                failed.join("\n  ")
            ),
        }
    }

    async fn this(&mut self, text: &str, force: bool) -> anyhow::Result<Found> {
        let (revision, row) = self.named(text).await?;
        let older = self.declared_by(&revision).await?;
        let short = revision.short().to_owned();
        ensure!(older.digest != self.declared.digest, "commit {short} says the same of {} as git does now", self.name);
        let of_row = row.as_ref().map_or(Known::Nothing, Known::to_row);
        let known = if of_row == Known::Nothing { self.known(&older).await? } else { of_row };
        if let (Known::Failed { why }, false) = (&known, force) {
            bail!("commit {short} is known to have failed: {why}; choose another, or --force");
        }
        let commit = git::commit_info(&self.mirror, &revision, None)?;
        Ok(Found { commit, digest: older.digest.clone(), known, skipped: Vec::new() })
    }

    /// The commit that a text means, and the row where it is a row's number.
    async fn named(&self, text: &str) -> anyhow::Result<(Revision, Option<Deployment>)> {
        let is_commit = text.len() >= COMMIT_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let all = self.commits().await?;
        let mut commits =
            all.iter().filter(|revision| is_commit && revision.as_str().starts_with(&text.to_lowercase()));
        let (commit, other) = (commits.next().cloned(), commits.next());
        if let (Some(commit), Some(other)) = (&commit, other) {
            bail!("{text} is the beginning of several commits, {commit} and {other}: give more of it");
        }
        let number: Option<u64> = text.parse().ok();
        let row = match (&self.rows, number) {
            (Ok(rows), Some(number)) => rows.iter().find(|row| row.number == number).cloned(),
            _ => None,
        };
        match (commit, row) {
            (Some(commit), Some(row)) => {
                let of_row = row.commit.map(|commit| commit.revision.short().to_owned()).unwrap_or_default();
                bail!(
                    "{text} is row #{text} of the history (commit {of_row}) and the beginning of commit {commit}: give more of \
                     the commit that is meant"
                )
            }
            (Some(commit), None) => Ok((commit, None)),
            (None, Some(row)) => {
                let commit = row.commit.as_ref().map(|commit| commit.revision.clone());
                let commit = commit.with_context(|| {
                    format!("row #{text} was made from what ECS still knew, and of which commit it is is not known: name the commit")
                })?;
                Ok((commit, Some(row)))
            }
            (None, None) => match (number, &self.rows) {
                (Some(_), Err(why)) if text.len() < 7 => {
                    bail!(
                        "--to {text} is the number of a row, and no daemon says which ({why}): --address, or name a commit"
                    )
                }
                (Some(_), Ok(rows)) if text.len() < 7 => bail!(
                    "the daemon at {} has no row #{text} of {} among its newest {}: driftless history {}",
                    self.address,
                    self.name,
                    rows.len(),
                    self.name
                ),
                _ => bail!("none of the last {} commits of the branch is {text}", all.len()),
            },
        }
    }

    async fn commits(&self) -> anyhow::Result<Vec<Revision>> {
        let (mirror, newest) = (self.mirror.clone(), self.newest.clone());
        Ok(tokio::task::spawn_blocking(move || git::first_parents(&mirror, &newest, COMMITS_MAX)).await??)
    }

    async fn declared_by(&self, revision: &Revision) -> anyhow::Result<Arc<Declared>> {
        let scope = &self.desired.environment.scope;
        self.past.declared(revision, &self.name, scope).await.map_err(anyhow::Error::msg)
    }

    /// What is known of a declaration: by the rows of it, by the tags of the service, by ECS.
    async fn known(&mut self, older: &Arc<Declared>) -> anyhow::Result<Known> {
        if let Some(rolled) = RolledBack::last(self.tags).filter(|rolled| rolled.holds(&older.digest)) {
            return Ok(Known::Failed { why: format!("it was left before, {rolled}") });
        }
        let by_rows = self.rows.as_ref().map_or(Known::Nothing, |rows| Known::to_history(rows, &older.digest));
        if by_rows != Known::Nothing {
            return Ok(by_rows);
        }
        let left = self.declared.clone();
        let (left, of_it) = (self.task_definition(&left).await?, self.task_definition(older).await?);
        let by_ecs = match &of_it {
            Some(arn) => Known::to_ecs(&self.deployments, arn, left == of_it),
            None => Known::Nothing,
        };
        // The tag is about the whole declaration.
        let tagged = self.tags.get(FAILED_TAG) == Some(&short_digest(&older.digest));
        Ok(match by_ecs {
            Known::Failed { why } => Known::Failed { why: format!("its rollout failed: {why}") },
            Known::Healthy { .. } | Known::Nothing if tagged => Known::Failed { why: "its rollout failed".to_owned() },
            known => known,
        })
    }

    /// The task definition revision that a declaration has made, found by its content.
    async fn task_definition(&mut self, declared: &Arc<Declared>) -> anyhow::Result<Option<Arn>> {
        let mut desired = (*self.desired).clone();
        desired.services.insert(self.name.clone(), declared.clone());
        let task = Task {
            desired: &desired,
            revision: None,
            services: [self.name.clone()].into(),
            memory: BTreeMap::new(),
            policy: Policy::default(),
            priority: Priority::Commit,
            kinds: &BACK[..1],
            past: None,
        };
        let mut plans = plan_services(self.observer, &tables::shapes(), &task, &mut self.snapshot).await;
        let plan = plans.remove(&self.name).context("the service was not planned")?;
        Ok(plan.map_err(anyhow::Error::msg)?.task_definition)
    }
}

/// The rows of the service that a daemon has.
async fn rows(address: &str, cluster: &str, name: &ServiceName) -> anyhow::Result<Vec<Deployment>> {
    let body = ask::history(address, cluster, name.as_str(), ask::ROWS_MAX).await?;
    Ok(ask::rows(address, &body)?.into_iter().map(|row| row.deployment).collect())
}
