//! Reads and plans until a plan lacks nothing. The same for the daemon and for the commands.

use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::desired::Desired;
use crate::core::id::{ResourceId, Revision, ServiceName};
use crate::core::observed::Snapshot;
use crate::core::plan::{Inputs, KindSpec, Memory, Planned, Policy, ServicePlan, plan};
use crate::core::shape::Shapes;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    pub policy: Policy,
    /// How urgent the reading is.
    pub priority: Priority,
    /// What is planned of each: [`crate::kind::KINDS`] to bring it up, [`crate::kind::removal::REMOVAL`] to take it away.
    pub kinds: &'static [KindSpec],
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
    let mut open = task.services.clone();
    let mut plans = BTreeMap::new();
    for _ in 0..ROUNDS_MAX {
        let mut wanted = BTreeSet::new();
        for name in open.clone() {
            match plan_one(shapes, task, snapshot, &name) {
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
    }
    plans.extend(open.into_iter().map(|name| (name, Err("planning asked for ever more to be read".to_owned()))));
    plans
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
    snapshot: &Snapshot,
    name: &ServiceName,
) -> std::result::Result<Outcome, String> {
    let inputs = Inputs {
        desired: task.desired,
        revision: task.revision,
        snapshot,
        shapes,
        policy: task.policy,
        memory: &task.memory,
        kinds: task.kinds,
        now: Timestamp::now(),
    };
    let only = BTreeSet::from([name.clone()]);
    match catch_unwind(AssertUnwindSafe(|| plan(&inputs, Some(&only)))) {
        Ok(Planned::Wanted(wanted)) => Ok(Outcome::Wanted(wanted)),
        Ok(Planned::Plan(mut plan)) => {
            Ok(plan.services.pop().map_or(Outcome::Gone, |plan| Outcome::Plan(Box::new(plan))))
        }
        Err(panic) => Err(format!("planning panicked: {}", panic_text(&*panic))),
    }
}

/// The message of a panic, where it has one.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
