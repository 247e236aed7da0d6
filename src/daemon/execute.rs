//! A plan's steps, one after the other. No choice is left here: a step is done, or the plan is dropped.

use super::intents::{Intents, Known};
use crate::aws::apply::apply;
use crate::aws::call::Error;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::aws::tables;
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::normal::digest;
use crate::core::observed::{Observed, Snapshot};
use crate::core::plan::{Against, ServicePlan, Step};
use crate::core::retry::Class;
use crate::kind::digest_of;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use super::intents::Intents as Writes;

/// Why a plan was not carried out to its end.
#[derive(Debug)]
pub enum Stop {
    /// AWS refused a step, or did not answer.
    Refused(Box<Error>),
    /// What the plan was made against has changed since.
    Superseded(String),
    /// The same was written moments ago and is not visible yet.
    Waiting(String),
    /// The daemon stops.
    Stopping,
}

impl Stop {
    /// What happens next.
    pub fn class(&self) -> Class {
        match self {
            Stop::Refused(error) => error.class(),
            Stop::Superseded(_) => Class::Superseded,
            Stop::Waiting(_) | Stop::Stopping => Class::Dependency,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Refused(error) => error.fmt(f),
            Stop::Superseded(what) | Stop::Waiting(what) => f.write_str(what),
            Stop::Stopping => f.write_str("driftless is stopping"),
        }
    }
}

/// Carries out the plan of one service. `done` is told of each step that was done.
pub async fn execute(
    observer: &Observer,
    plan: &ServicePlan,
    intents: &Mutex<Intents>,
    priority: Priority,
    stop: &CancellationToken,
    mut done: impl FnMut(&Step, Option<&Arn>),
) -> Result<(), Stop> {
    let mut made: BTreeMap<ResourceId, Arn> = BTreeMap::new();
    // What was looked at again: from then on its changes are our own.
    let mut verified: BTreeSet<ResourceId> = BTreeSet::new();
    // Priorities were chosen against the rules that were read: one writer at a time for those of a listener.
    let _locks = listener_locks(observer, plan).await;
    for step in &plan.steps {
        if stop.is_cancelled() {
            return Err(Stop::Stopping);
        }
        let arn = one(observer, plan, step, &made, &mut verified, intents, priority).await?;
        if let Some(Made { arn, written }) = arn {
            if written {
                done(step, arn.as_ref());
            }
            if step.action.call.is_waited_for() {
                return Err(Stop::Waiting(format!("{}: the rest comes when its end is known", step.action)));
            }
            made.extend(arn.map(|arn| (step.action.target.clone(), arn)));
        }
    }
    Ok(())
}

/// The locks of the listeners whose rules the plan writes, taken in one order.
async fn listener_locks(observer: &Observer, plan: &ServicePlan) -> Vec<tokio::sync::OwnedMutexGuard<()>> {
    let against = plan.steps.iter().filter_map(|step| step.against.as_ref());
    let rules = against.filter(|against| against.id.kind == Kind::ListenerRules);
    let names: BTreeSet<_> = rules.map(|against| against.id.name.clone()).collect();
    let mut held = Vec::with_capacity(names.len());
    for name in names {
        held.push(observer.cache.listener_lock(&observer.scope, &name).lock_owned().await);
    }
    held
}

struct Made {
    arn: Option<Arn>,
    /// False when an earlier write is believed.
    written: bool,
}

async fn one(
    observer: &Observer,
    plan: &ServicePlan,
    step: &Step,
    made: &BTreeMap<ResourceId, Arn>,
    verified: &mut BTreeSet<ResourceId>,
    intents: &Mutex<Intents>,
    priority: Priority,
) -> Result<Option<Made>, Stop> {
    let (service, operation) = (&plan.id.service, step.action.call.operation());
    let key = &step.id;
    let input = step.action.input.complete(made).map_err(|id| Stop::Superseded(format!("the {id} was not made")))?;
    let written = digest(&input);
    let lock = || intents.lock().unwrap_or_else(PoisonError::into_inner);
    match lock().known(service, key, &written, Instant::now()) {
        Known::Nothing => {}
        // What it made is needed by the steps behind it; an update that is believed ends the pass.
        Known::Accepted(arn) if is_needed(plan, step) => {
            return Ok(Some(Made { arn, written: false }));
        }
        Known::Accepted(_) => return Err(Stop::Waiting(format!("AWS does not show yet what {operation} changed"))),
        Known::Unclear => return Err(Stop::Waiting(format!("it is not known yet what came of {operation}"))),
    }
    if let Some(against) = step.against.as_ref().filter(|against| !verified.contains(&against.id)) {
        still_as_planned(observer, against).await?;
        verified.insert(against.id.clone());
    }
    lock().begin(service, key, written, Instant::now());
    match apply(&observer.clients, &step.action, input, priority).await {
        Ok(arn) => {
            lock().accepted(service, key, arn.clone());
            observer.cache.forget_settings();
            if step.action.target.kind == Kind::TaskDefinitionRevision {
                observer.cache.forget_revision(&Arn::from(&*step.action.target.name));
            }
            Ok(Some(Made { arn, written: true }))
        }
        Err(error) => {
            observer.cache.forget_settings();
            if error.class() != Class::Ambiguous {
                lock().refused(service, key);
            }
            Err(Stop::Refused(Box::new(error)))
        }
    }
}

/// Whether a later step names what this one makes.
fn is_needed(plan: &ServicePlan, step: &Step) -> bool {
    plan.steps.iter().any(|other| other.action.input.late.iter().any(|(_, id)| *id == step.action.target))
}

/// Reads again what the step was planned against: a stale plan must not overwrite what came after it.
async fn still_as_planned(observer: &Observer, against: &Against) -> Result<(), Stop> {
    let mut snapshot = Snapshot::new(Timestamp::now());
    observer.observe(&BTreeSet::from([against.id.clone()]), Priority::VerifyWrite, &mut snapshot).await;
    let now = match snapshot.get(&against.id) {
        Some(Observed::Present(live)) => digest_of(live, &tables::shapes()),
        Some(Observed::Absent) => None,
        Some(Observed::Unknown { why }) => return Err(Stop::Waiting(why.clone())),
        None => return Err(Stop::Waiting(format!("the {} could not be read again", against.id))),
    };
    if now == against.digest {
        return Ok(());
    }
    Err(Stop::Superseded(format!("the {} changed while it was being planned", against.id)))
}
