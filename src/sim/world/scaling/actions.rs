//! Scheduled actions: kept, and done when it is time.

use super::schedule::Schedule;
use super::{DIMENSION, activities, done, filtered, invalid, listed, means, named, not_found, page, registered};
use crate::sim::wire::time;
use crate::sim::world::input::{number, required, text};
use crate::sim::world::{Answer, Refusal, World};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Scheduled actions of a target (service quotas of Application Auto Scaling).
const ACTIONS_MAX: usize = 200;

/// PutScheduledAction: of an action that is there stays what is left out, but start and end, which go.
pub fn put(world: &mut World, input: &Value) -> Answer {
    let (arn, uuid, now) = (world.arn("autoscaling", ""), world.uuid(), time(world.now()));
    let name = required(input, "ScheduledActionName", "ValidationException")?.to_owned();
    let resource = named(input)?;
    let target = registered(world, input)?;
    let mut action = match target.actions.get(&name) {
        Some(known) => known.clone(),
        None if target.actions.len() >= ACTIONS_MAX => {
            return Err(Refusal::new("LimitExceededException", "Too many scheduled actions for the scalable target"));
        }
        None if text(input, "Schedule").is_none() || !input["ScalableTargetAction"].is_object() => {
            return Err(invalid("Schedule and ScalableTargetAction must be specified for a new scheduled action"));
        }
        None => json!({
            "ScheduledActionName": name, "ServiceNamespace": "ecs", "ResourceId": resource,
            "ScalableDimension": DIMENSION, "CreationTime": now,
            "ScheduledActionARN":
                format!("{arn}scheduledAction:{uuid}:resource/ecs/{resource}:scheduledActionName/{name}"),
        }),
    };
    check(input)?;
    for member in ["Schedule", "Timezone", "ScalableTargetAction"] {
        if let Some(given) = input.get(member).filter(|given| !given.is_null()) {
            action[member] = given.clone();
        }
    }
    for member in ["StartTime", "EndTime"] {
        match moment(input, member) {
            Some(at) => action[member] = time(at),
            None => drop(action.as_object_mut().and_then(|action| action.remove(member))),
        }
    }
    target.actions.insert(name, action);
    done()
}

fn check(input: &Value) -> Result<(), Refusal> {
    if let Some(schedule) = text(input, "Schedule")
        && Schedule::read(schedule).is_none()
    {
        return Err(invalid(format!("Schedule expression '{schedule}' is not valid")));
    }
    if let Some(zone) = text(input, "Timezone")
        && TimeZone::get(zone).is_err()
    {
        return Err(invalid(format!("Timezone '{zone}' is not valid")));
    }
    let Some(action) = input.get("ScalableTargetAction").filter(|action| !action.is_null()) else { return Ok(()) };
    match (number(action, "MinCapacity"), number(action, "MaxCapacity")) {
        (None, None) => Err(invalid("At least one of MinCapacity and MaxCapacity must be specified")),
        (Some(min), Some(max)) if min > max => Err(invalid("Maximum capacity cannot be less than minimum capacity")),
        _ => Ok(()),
    }
}

/// A moment of a request or of a document.
fn moment(value: &Value, name: &str) -> Option<Timestamp> {
    let value = value.get(name)?;
    let seconds = value.as_f64().or_else(|| value.get("$time")?.as_f64())?;
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

/// DescribeScheduledActions, by name.
pub fn describe(world: &World, input: &Value) -> Answer {
    filtered(input, "ScheduledActionNames")?;
    let actions = world.scaling.targets.values().flat_map(|target| target.actions.values());
    let asked = |action: &&Value| listed(input, "ScheduledActionNames", &action["ScheduledActionName"]);
    let found = actions.filter(|action| means(input, action)).filter(asked).cloned().collect();
    page("ScheduledActions", found, input, 50)
}

/// DeleteScheduledAction.
pub fn delete(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "ScheduledActionName", "ValidationException")?;
    let resource = named(input)?;
    let target = world.scaling.targets.get_mut(&resource);
    match target.and_then(|target| target.actions.remove(name)) {
        Some(_) => done(),
        None => Err(not_found(format!(
            "No scheduled action found for service namespace: ecs, resource ID: {resource}, \
             scalable dimension: {DIMENSION}, scheduled action name: {name}"
        ))),
    }
}

/// Does what was due after `last`, up to now.
pub fn run(world: &mut World, last: Timestamp) {
    let now = world.now();
    let targets = world.scaling.targets.iter().filter(|(_, target)| !target.suspended("ScheduledScalingSuspended"));
    let due: Vec<_> = targets
        .flat_map(|(resource, target)| target.actions.values().map(move |action| (resource, action)))
        .filter(|(_, action)| is_due(action, last, now))
        .map(|(resource, action)| (resource.clone(), action.clone()))
        .collect();
    for (resource, action) in due {
        set_range(world, &resource, &action);
    }
}

fn is_due(action: &Value, last: Timestamp, now: Timestamp) -> bool {
    let Some(schedule) = text(action, "Schedule").and_then(Schedule::read) else { return false };
    let zone = TimeZone::get(text(action, "Timezone").unwrap_or("UTC")).unwrap_or(TimeZone::UTC);
    let (start, end) = (moment(action, "StartTime"), moment(action, "EndTime"));
    let created = moment(action, "CreationTime").unwrap_or(now);
    schedule.between(last, now, &zone, start, created).is_some_and(|at| end.is_none_or(|end| at <= end))
}

fn set_range(world: &mut World, resource: &str, action: &Value) {
    let Some(target) = world.scaling.targets.get_mut(resource) else { return };
    let (min, max) = target.range();
    let (low, high) = (&action["ScalableTargetAction"]["MinCapacity"], &action["ScalableTargetAction"]["MaxCapacity"]);
    let what = match (low.as_i64(), high.as_i64()) {
        (Some(low), Some(high)) => format!("min capacity to {low} and max capacity to {high}"),
        (Some(low), None) => format!("min capacity to {low}"),
        (None, Some(high)) => format!("max capacity to {high}"),
        (None, None) => return,
    };
    let cause =
        format!("scheduled action name {} was triggered", text(action, "ScheduledActionName").unwrap_or_default());
    let (low, high) = (low.as_i64().unwrap_or(min), high.as_i64().unwrap_or(max));
    let description = format!("Setting {what}");
    if low > high {
        // The bound that the action does not name is the target's own, and may be on the wrong side by now.
        let why = format!("Failed to set {what}. Reason: Maximum capacity cannot be less than minimum capacity");
        return activities::write(world, resource, &description, &cause, ("Failed", &why), Some(world.now()));
    }
    (target.document["MinCapacity"], target.document["MaxCapacity"]) = (json!(low), json!(high));
    let status = ("Successful", &*format!("Successfully set {what}"));
    activities::write(world, resource, &description, &cause, status, None);
    activities::keep_in_range(world, resource);
}
