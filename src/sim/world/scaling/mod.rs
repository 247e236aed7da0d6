//! Application Auto Scaling, for ECS services: targets, policies, scheduled actions, and the autoscaler itself.
//!
//! ```text
//! load (a test sets it) -> average CPU -> alarms of CloudWatch --ALARM--> policies --+
//!                                            scheduled actions, every minute --> range +--> desired count -> ECS
//! ```

mod actions;
mod activities;
mod autoscaler;
mod policies;
mod schedule;
mod targets;
#[cfg(test)]
mod tests;

pub use activities::set_desired;
pub use autoscaler::{Alarmed, average, respond, scale};

use super::input::{Pages, flag, list, number, required, text};
use super::{Answer, Refusal, World};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The only dimension of an ECS service that can be scaled (RegisterScalableTarget, ScalableDimension).
const DIMENSION: &str = "ecs:service:DesiredCount";
/// Names that one describing call takes (ResourceIdsMaxLen1600).
const NAMES_MAX: usize = 50;

/// Scaling in one region.
#[derive(Debug, Clone, Default)]
pub struct Scaling {
    /// The total load of a service, by the resource id of its scalable target, in percent of ONE task's CPU: the
    /// average CPU is this divided by the running tasks. Without an entry the service has no metric.
    pub load: BTreeMap<String, f64>,
    /// By resource id: `service/CLUSTER/NAME`.
    targets: BTreeMap<String, Target>,
    /// The newest first.
    activities: VecDeque<Value>,
    /// When the autoscaler last looked; none while it is not on the agenda.
    looked: Option<Timestamp>,
}

/// A scalable target with all that goes with it.
#[derive(Debug, Clone)]
struct Target {
    /// As DescribeScalableTargets answers it.
    document: Value,
    tags: Map<String, Value>,
    /// By name.
    policies: BTreeMap<String, Policy>,
    /// As DescribeScheduledActions answers them, by name.
    actions: BTreeMap<String, Value>,
    /// The last scale-out: until when it cools down, and the count before it.
    out: Option<(Timestamp, i64)>,
    /// Until when the last scale-in holds the next one back.
    hold: Option<Timestamp>,
}

impl Target {
    fn range(&self) -> (i64, i64) {
        let bound = |name| number(&self.document, name).unwrap_or_default();
        (bound("MinCapacity"), bound("MaxCapacity"))
    }

    fn suspended(&self, what: &str) -> bool {
        flag(&self.document["SuspendedState"], what).unwrap_or_default()
    }
}

/// A scaling policy.
#[derive(Debug, Clone)]
struct Policy {
    /// As DescribeScalingPolicies answers it, without `Alarms`.
    document: Value,
    /// The names of the alarms that target tracking made: the high one, then the low one.
    alarms: Vec<String>,
}

/// Answers an operation of Application Auto Scaling.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "RegisterScalableTarget" => targets::register(world, input),
        "DescribeScalableTargets" => targets::describe(world, input),
        "DeregisterScalableTarget" => targets::deregister(world, input),
        "TagResource" => targets::tag(world, input),
        "UntagResource" => targets::untag(world, input),
        "ListTagsForResource" => targets::tags(world, input),
        "PutScalingPolicy" => policies::put(world, input),
        "DescribeScalingPolicies" => policies::describe(world, input),
        "DeleteScalingPolicy" => policies::delete(world, input),
        "PutScheduledAction" => actions::put(world, input),
        "DescribeScheduledActions" => actions::describe(world, input),
        "DeleteScheduledAction" => actions::delete(world, input),
        "DescribeScalingActivities" => activities::describe(world, input),
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}

fn not_found(message: String) -> Refusal {
    Refusal::new("ObjectNotFoundException", message)
}

/// The ARN of the ECS service that a resource id names.
fn service_arn(world: &World, resource: &str) -> String {
    world.arn("ecs", resource)
}

fn namespace(input: &Value) -> Result<(), Refusal> {
    match required(input, "ServiceNamespace", "ValidationException")? {
        "ecs" => Ok(()),
        other => Err(invalid(format!("The service namespace {other} is not simulated"))),
    }
}

/// The resource id of a request that means one target.
fn named(input: &Value) -> Result<String, Refusal> {
    namespace(input)?;
    let resource = required(input, "ResourceId", "ValidationException")?;
    match required(input, "ScalableDimension", "ValidationException")? {
        DIMENSION => Ok(resource.to_owned()),
        other => Err(invalid(format!("Unsupported service namespace, resource type or scalable dimension: {other}"))),
    }
}

/// The target of a request for a policy or scheduled action: it has to be registered before.
fn registered<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Target, Refusal> {
    let resource = named(input)?;
    let missing = format!(
        "No scalable target registered for service namespace: ecs, resource ID: {resource}, \
             scalable dimension: {DIMENSION}"
    );
    world.scaling.targets.get_mut(&resource).ok_or_else(|| not_found(missing))
}

/// "If you specify a scalable dimension, you must also specify a resource ID" (all Describe operations).
fn filtered(input: &Value, names: &str) -> Result<(), Refusal> {
    namespace(input)?;
    let one = text(input, "ResourceId").is_some() || !list(input, "ResourceIds").is_empty();
    if text(input, "ScalableDimension").is_some() && !one {
        return Err(invalid("A resource ID must be specified with a scalable dimension"));
    }
    if list(input, names).len() > NAMES_MAX {
        let message = format!("{names} must have length less than or equal to {NAMES_MAX}");
        return Err(invalid(message));
    }
    Ok(())
}

/// Whether a describing request means this document, as far as the filters go that all of them have.
fn means(input: &Value, document: &Value) -> bool {
    ["ResourceId", "ScalableDimension"].iter().all(|name| text(input, name).is_none_or(|asked| document[name] == asked))
}

/// Whether a list of names means this one: an empty list means all.
fn listed(input: &Value, names: &str, name: &Value) -> bool {
    let names = list(input, names);
    names.is_empty() || names.contains(name)
}

/// One page, `most` long at most and by itself. A wrong token has a code of its own (InvalidNextTokenException).
fn page(into: &str, items: Vec<Value>, input: &Value, most: usize) -> Answer {
    if number(input, "MaxResults").is_some_and(|size| !(1..=most as i64).contains(&size)) {
        return Err(invalid(format!("MaxResults must be between 1 and {most}.")));
    }
    let code = "InvalidNextTokenException";
    Pages { into, token: "NextToken", next: "NextToken", size: "MaxResults", usual: most, most, code }
        .page(items, input)
}

/// An answer without members.
fn done() -> Answer {
    Ok(json!({}))
}
