//! Reads and plans until a plan lacks nothing. The same for the daemon and for the commands.

use super::past::Past;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::desired::{Declared, Desired};
use crate::core::id::{Arn, Kind, ResourceId, Revision, ServiceName};
use crate::core::observed::{Facts, Observed, ServiceDeployment, ServiceFacts, Snapshot};
use crate::core::plan::{Hold, Inputs, KindSpec, Memory, Planned, Policy, ServicePlan, plan};
use crate::core::rollback::RolledBack;
use crate::core::rollout::{Evidence, Rollout, in_time, rollout, rollout_with};
use crate::core::shape::Shapes;
use crate::kind::BACK;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How the text of a panic begins.
pub const PANICKED: &str = "planning panicked";

/// How often a plan may ask for more. The longest chain is service, running revision, family, its revisions.
const ROUNDS_MAX: usize = 12;

/// What is planned, from what.
pub struct Task<'t> {
    /// What git says.
    pub desired: &'t Desired,
    /// The commit.
    pub revision: Option<&'t Revision>,
    /// The services.
    pub services: BTreeSet<ServiceName>,
    /// What is remembered of them.
    pub memory: BTreeMap<ServiceName, Memory>,
    /// What may be done.
    pub policy: Policy<'t>,
    /// How urgent the reading is.
    pub priority: Priority,
    /// What is planned of each: [`crate::kind::KINDS`] to bring it up, [`crate::kind::removal::REMOVAL`] to take it away.
    pub kinds: &'static [KindSpec],
    /// What earlier commits say, for services that were rolled back; without it they are not planned.
    pub past: Option<&'t Arc<Past>>,
}

/// What came of planning one service.
pub type Result = std::result::Result<ServicePlan, String>;

/// Plans every service of `task` on its own: what one of them lacks, or that its planning panics, is its own affair.
pub async fn plan_services(
    observer: &Observer,
    shapes: &Shapes,
    task: &Task<'_>,
    snapshot: &mut Snapshot,
) -> BTreeMap<ServiceName, Result> {
    let id = |name: &ServiceName| ResourceId::new(Kind::Service, name.as_str());
    let with_tasks = task.services.iter().filter(|name| !name.is_shared()).map(id);
    let wanted: BTreeSet<ResourceId> = with_tasks.filter(|id| snapshot.get(id).is_none()).collect();
    observer.observe(&wanted, task.priority, snapshot).await;
    let mut followed = Followed::of(task.desired);
    followed.look(task, snapshot).await;
    let mut plans: BTreeMap<ServiceName, Result> = BTreeMap::new();
    let mut open = task.services.clone();
    for (name, why) in followed.unreadable.iter().filter(|(name, _)| task.services.contains(*name)) {
        open.remove(name);
        plans.insert(name.clone(), Err(why.clone()));
    }
    for _ in 0..ROUNDS_MAX {
        let mut wanted = BTreeSet::new();
        for name in open.clone() {
            match plan_one(shapes, task, &followed, snapshot, &name) {
                Ok(Outcome::Plan(plan)) => {
                    plans.insert(name.clone(), Ok(*plan));
                }
                Ok(Outcome::Wanted(more)) => {
                    wanted.extend(more);
                    continue;
                }
                Ok(Outcome::Gone) => {}
                Err(panic) => {
                    plans.insert(name.clone(), Err(panic));
                }
            }
            open.remove(&name);
        }
        if wanted.is_empty() {
            break;
        }
        observer.observe(&wanted, task.priority, snapshot).await;
        // What others depend on may have been rolled back, too.
        followed.look(task, snapshot).await;
    }
    plans.extend(open.into_iter().map(|name| (name, Err("planning asked for ever more to be read".to_owned()))));
    plans
}

/// What is followed: git or, of services that were rolled back, an earlier commit.
struct Followed {
    desired: Desired,
    /// The rollbacks that are in force.
    rolled_back: BTreeMap<ServiceName, RolledBack>,
    /// Services that were rolled back to what cannot be read, and why: they are neither moved forward nor called fine.
    unreadable: BTreeMap<ServiceName, String>,
    /// The services whose tags were looked at.
    seen: BTreeSet<ServiceName>,
}

impl Followed {
    /// What git says, of all of them.
    fn of(desired: &Desired) -> Self {
        Self {
            desired: desired.clone(),
            rolled_back: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Looks for rollbacks of the services that a snapshot shows for the first time.
    async fn look(&mut self, task: &Task<'_>, snapshot: &Snapshot) {
        for (name, declared) in &task.desired.services {
            let live = snapshot.live(&ResourceId::new(Kind::Service, name.as_str()));
            let Some(live) = live.filter(|_| self.seen.insert(name.clone())) else { continue };
            let Some(found) = RolledBack::of(&live.tags, &declared.digest) else { continue };
            match older(task, &found, declared).await {
                Ok(older) => {
                    self.desired.services.insert(name.clone(), older);
                    self.rolled_back.insert(name.clone(), found);
                }
                Err(why) => {
                    self.unreadable.insert(name.clone(), format!("{found}, and that cannot be read: {why}"));
                }
            }
        }
    }
}

/// What the commit that is gone back to says of a service.
async fn older(
    task: &Task<'_>,
    rolled: &RolledBack,
    declared: &Declared,
) -> std::result::Result<Arc<Declared>, String> {
    let past = task.past.ok_or_else(|| "name the repository with --repo, so that the commit can be read".to_owned())?;
    let mut older = past.declared(&rolled.to, &declared.name, &task.desired.environment.scope).await?;
    // Who goes back does not go through an old image's migrations again.
    if !older.before.is_empty() {
        Arc::make_mut(&mut older).before.clear();
    }
    // Who may begin something and when is a rule of today, whatever the commit says that is gone back to.
    if older.sync.windows != declared.sync.windows || older.sync.mode != declared.sync.mode {
        let older = &mut Arc::make_mut(&mut older).sync;
        older.windows.clone_from(&declared.sync.windows);
        older.mode = declared.sync.mode;
    }
    Ok(older)
}

enum Outcome {
    Plan(Box<ServicePlan>),
    Wanted(BTreeSet<ResourceId>),
    /// Git no longer declares it.
    Gone,
}

fn plan_one(
    shapes: &Shapes,
    task: &Task<'_>,
    followed: &Followed,
    snapshot: &Snapshot,
    name: &ServiceName,
) -> std::result::Result<Outcome, String> {
    let rolled = followed.rolled_back.get(name);
    let inputs = Inputs {
        desired: &followed.desired,
        revision: rolled.map(|rolled| &rolled.to).or(task.revision),
        snapshot,
        shapes,
        policy: task.policy,
        memory: &task.memory,
        kinds: task.kinds,
        rolled_back: &followed.rolled_back,
        now: Timestamp::now(),
    };
    let only = BTreeSet::from([name.clone()]);
    let plan = |kinds: &'static [KindSpec]| match plan(&Inputs { kinds, ..inputs }, Some(&only)) {
        Planned::Wanted(wanted) => Outcome::Wanted(wanted),
        Planned::Plan(mut plan) => plan.services.pop().map_or(Outcome::Gone, |plan| Outcome::Plan(Box::new(plan))),
    };
    let waits = |hold: &Hold| matches!(hold, Hold::RolloutInProgress { .. });
    let goes_back = rolled.is_some() && snapshot.service(name).is_some_and(ServiceFacts::is_rolling_out);
    let planned = || match goes_back.then(|| plan(BACK)) {
        Some(Outcome::Plan(back)) if back.is_answer() || back.holds.iter().any(waits) => Outcome::Plan(back),
        Some(Outcome::Wanted(wanted)) => Outcome::Wanted(wanted),
        Some(Outcome::Plan(_) | Outcome::Gone) | None => plan(task.kinds),
    };
    catch_unwind(AssertUnwindSafe(planned)).map_err(|panic| format!("{PANICKED}: {}", panic_text(&*panic)))
}

/// Looks at what the rollouts of some services have come to, beside what their services say: each with the revision that it
/// is to run.
pub async fn look_at_rollouts(
    observer: &Observer,
    services: &BTreeMap<ServiceName, Option<Arn>>,
    priority: Priority,
    snapshot: &mut Snapshot,
) {
    let mut wanted = BTreeSet::new();
    for (name, revision) in services {
        let Some(facts) = snapshot.service(name) else { continue };
        let id = |kind| ResourceId::new(kind, name.as_str());
        match rollout(facts, revision.as_ref()) {
            Rollout::Completed => wanted.extend(groups(snapshot, name).map(|arn| ResourceId::new(Kind::Targets, arn))),
            Rollout::InProgress { failed: 0, .. } => wanted.extend([id(Kind::ServiceDeployments)]),
            _ => wanted.extend([id(Kind::ServiceDeployments), id(Kind::StoppedTasks)]),
        }
    }
    wanted.retain(|id| snapshot.get(id).is_none());
    observer.observe(&wanted, priority, snapshot).await;
}

/// How the rollout of a service is getting on, by everything that was read of it.
pub fn rollout_of(snapshot: &Snapshot, name: &ServiceName, revision: Option<&Arn>) -> Option<Rollout> {
    let facts = snapshot.service(name)?;
    let of = |kind| snapshot.live(&ResourceId::new(kind, name.as_str())).map(|live| &live.facts);
    let deployments = match of(Kind::ServiceDeployments) {
        Some(Facts::Deployments(all)) => all.as_slice(),
        _ => &[],
    };
    let stopped = match of(Kind::StoppedTasks) {
        Some(Facts::Stopped(all)) => all.as_slice(),
        _ => &[],
    };
    let (mut targets, mut looked, mut all) = (Vec::new(), 0, 0);
    for group in groups(snapshot, name) {
        all += 1;
        match snapshot.get(&ResourceId::new(Kind::Targets, group)) {
            Some(Observed::Present(live)) => {
                if let Facts::Targets(found) = &live.facts {
                    targets.extend(found.iter().cloned());
                }
                looked += 1;
            }
            // What was not seen is not called fine.
            Some(Observed::Unknown { why }) => {
                let note = Some(format!("the health of its targets could not be read: {why}"));
                let (running, desired) = (facts.running, facts.desired);
                return Some(Rollout::InProgress { running, desired, failed: 0, note });
            }
            Some(Observed::Absent) => looked += 1,
            None => {}
        }
    }
    let targets = (all > 0 && looked == all).then_some(targets.as_slice());
    Some(rollout_with(facts, revision, &Evidence { deployments, stopped, targets }))
}

/// The same, and that it may take as long only as git allows.
pub fn followed(
    snapshot: &Snapshot,
    declared: Option<&Arc<Declared>>,
    name: &ServiceName,
    revision: Option<&Arn>,
) -> Option<Rollout> {
    let rollout = rollout_of(snapshot, name, revision)?;
    let runs = || snapshot.service(name)?.task_definition.as_ref();
    let live = snapshot.live(&ResourceId::new(Kind::ServiceDeployments, name.as_str()));
    let began = match live.map(|live| &live.facts) {
        Some(Facts::Deployments(all)) => {
            let evidence = Evidence { deployments: all, ..Evidence::default() };
            evidence.deployment_of(revision.or_else(runs)).and_then(ServiceDeployment::counted_from)
        }
        _ => None,
    };
    let limit = declared.and_then(|declared| declared.follow.timeout);
    Some(in_time(rollout, began, limit, snapshot.taken_at))
}

/// The target groups in which a service's tasks may be, by ARN.
fn groups<'s>(snapshot: &'s Snapshot, name: &ServiceName) -> impl Iterator<Item = &'s str> {
    let live = snapshot.live(&ResourceId::new(Kind::Service, name.as_str()));
    let balancers = live.and_then(|live| live.document.get("loadBalancers")?.as_array());
    balancers.into_iter().flatten().flat_map(|balancer| {
        let first = balancer.get("targetGroupArn");
        let other = balancer.pointer("/advancedConfiguration/alternateTargetGroupArn");
        first.into_iter().chain(other).filter_map(serde_json::Value::as_str)
    })
}

/// The message of a panic, where it has one.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
