//! `driftless apply --prune NAME`: deletes a service that left git, when everything says that this is meant.
//!
//! All of these, or nothing is deleted: the whole environment was read without an error from a commit of the repository;
//! that commit follows the one that the service was last applied from; it does not declare the service; the service's
//! tags, read now, say that this environment made it and that its last declaration had `sync.prune: true`; and no more
//! than a tenth of the environment's services left git, unless that commit is acknowledged by its id.

use super::load::Loaded;
use super::plan::connect;
use super::{Denied, Exit, ended};
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::aws::tables;
use crate::core::desired::{Declared, Desired};
use crate::core::id::{Kind, ResourceId, Revision, ServiceName};
use crate::core::observed::Snapshot;
use crate::core::plan::text::Header;
use crate::core::plan::{Applied, ENVIRONMENT_TAG, Plan, Policy, ServicePlan};
use crate::core::retry::{Class, backoff};
use crate::daemon::engine::{Task, plan_services};
use crate::daemon::execute::{Writes, execute};
use crate::git;
use crate::kind::removal::REMOVAL;
use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// One in so many services may leave git with one commit without being asked again; one always may.
const TENTH: usize = 10;
/// How often a step that may succeed on another try is tried: a Cloud Map service has instances until its tasks stopped.
const ATTEMPTS_MAX: u32 = 12;

pub async fn run(loaded: &Loaded, name: &str, acknowledged: Option<&str>, policy: Policy<'_>) -> anyhow::Result<Exit> {
    let desired = loaded.desired()?;
    ensure!(!loaded.has_errors(), "nothing is deleted while files have errors: what is absent may only be unreadable");
    let declared = desired.services.keys().filter(|name| !name.is_shared()).count();
    ensure!(declared > 0, "nothing is deleted from an environment that declares no service at all");
    let commit =
        loaded.commit.as_ref().context("nothing is deleted without a commit: name a repository with --repo")?;
    let name = ServiceName::from(name);
    ensure!(!desired.services.contains_key(&name), "{name} is declared in git: it is not deleted");
    let scope = desired.environment.scope.clone();
    let observer = connect(&scope).await?;
    let left = left(&observer, desired).await?;
    ensure!(left.contains(&name), "there is no service {name} that this environment made and git does not declare");
    let managed = declared + left.len();
    let allowed = (managed / TENTH).max(1);
    if left.len() > allowed && acknowledged != Some(commit.revision.as_str()) {
        let names: Vec<&str> = left.iter().map(ServiceName::as_str).collect();
        bail!(
            "{} of {managed} services left git ({}), more than {allowed}: if that is meant, add --acknowledge {}",
            left.len(),
            names.join(", "),
            commit.revision
        );
    }
    let plan = removal(&observer, desired, &name, loaded, &commit.revision, policy).await?;
    let shown =
        Plan { revision: Some(commit.revision.clone()), read_at: Timestamp::now(), services: vec![plan.clone()] };
    print!("{}", shown.to_text(Header { scope: &scope, commit: Some(commit) }));
    if let Some(hold) = plan.holds.first() {
        bail!("{name}: {hold}");
    }
    carry_out(&observer, plan).await
}

/// The ECS services that this environment made and that it does not declare, by their tags.
async fn left(observer: &Observer, desired: &Desired) -> anyhow::Result<BTreeSet<ServiceName>> {
    let names = observer.service_names(Priority::Commit).await.map_err(ended)?;
    let unknown: BTreeSet<ResourceId> = names
        .into_iter()
        .filter(|name| !desired.services.contains_key(name))
        .map(|name| ResourceId::new(Kind::Service, name.as_str()))
        .collect();
    let mut snapshot = Snapshot::new(Timestamp::now());
    observer.observe(&unknown, Priority::Commit, &mut snapshot).await;
    let environment = desired.environment.name.as_str();
    let ours = snapshot.iter().filter(|(id, _)| {
        let live = snapshot.live(id);
        let made = live.is_some_and(|live| live.tags.get(ENVIRONMENT_TAG).is_some_and(|name| name == environment));
        let service = snapshot.service(&ServiceName::from(&*id.name));
        made && service.is_some_and(|facts| facts.status == "ACTIVE")
    });
    Ok(ours.map(|(id, _)| ServiceName::from(&*id.name)).collect())
}

/// The plan of the removal, made from what is read now.
async fn removal(
    observer: &Observer,
    desired: &Arc<Desired>,
    name: &ServiceName,
    loaded: &Loaded,
    commit: &Revision,
    policy: Policy<'_>,
) -> anyhow::Result<ServicePlan> {
    let mut with_gone = Desired::clone(desired);
    let mut gone = Declared::gone(name.clone());
    // Its own windows left git with it; those of the environment are still the team's.
    gone.sync.windows.clone_from(&desired.environment.windows);
    with_gone.services.insert(name.clone(), Arc::new(gone));
    let task = Task {
        desired: &with_gone,
        revision: Some(commit),
        services: BTreeSet::from([name.clone()]),
        memory: BTreeMap::new(),
        policy,
        priority: Priority::Commit,
        kinds: REMOVAL,
        past: None,
    };
    let mut snapshot = Snapshot::new(Timestamp::now());
    let mut plans = plan_services(observer, &tables::shapes(), &task, &mut snapshot).await;
    let plan =
        plans.remove(name).context("no plan was made")?.map_err(|why| anyhow::anyhow!("service {name}: {why}"))?;
    let live = snapshot.live(&ResourceId::new(Kind::Service, name.as_str()));
    let applied = live.and_then(|live| Applied::of(&live.tags)).and_then(|applied| applied.commit);
    let applied = applied.context("its tags do not say which commit it was applied from: delete it by hand")?;
    let mirror = loaded.mirror.as_ref().context("nothing is deleted without a repository: --repo")?;
    let follows = git::relation(mirror, &Revision::from(applied.as_str()), commit)?;
    ensure!(
        follows == git::Relation::Forward,
        "commit {} does not follow {applied}, from which {name} was last applied: nothing is deleted",
        commit.short()
    );
    Ok(plan)
}

/// Does the steps; those that must wait for the ones before are tried again.
async fn carry_out(observer: &Observer, mut plan: ServicePlan) -> anyhow::Result<Exit> {
    let name = plan.id.service.clone();
    for attempt in 1.. {
        let mut done = 0;
        let (writes, never) = (Mutex::<Writes>::default(), CancellationToken::new());
        let result = execute(observer, &plan, &writes, Priority::Commit, &never, |step, _| {
            done += 1;
            eprintln!("{} {name} {}", super::apply::stamp(), step.action);
        })
        .await;
        plan.steps.drain(..done);
        let Err(stop) = result else { break };
        match stop.class() {
            Class::Denied => return Err(Denied(stop.to_string()).into()),
            Class::Terminal => bail!("{name}: {stop}"),
            Class::Superseded => bail!("{name}: {stop}; run it again"),
            class if attempt < ATTEMPTS_MAX => {
                eprintln!("{} {name} retry {stop}", super::apply::stamp());
                tokio::time::sleep(backoff(class, attempt, u64::from(attempt))).await;
            }
            _ => bail!("{name}: {stop}; what is left is deleted by the same command"),
        }
    }
    println!("Deleted: {name}");
    Ok(Exit::Ok)
}
