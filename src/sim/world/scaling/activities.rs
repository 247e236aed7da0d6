//! Scaling activities: what the autoscaler did, and why, in AWS's words.

use super::{DIMENSION, filtered, means, page, service_arn};
use crate::sim::wire::time;
use crate::sim::world::{Answer, World, ecs};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Activities of the last six weeks can be described (DescribeScalingActivities).
const KEPT: SignedDuration = SignedDuration::from_hours(6 * 7 * 24);
/// Events that DescribeServices answers at most.
const EVENTS_MAX: usize = 100;

/// DescribeScalingActivities, the newest first. Activities that did not scale are not kept.
pub fn describe(world: &World, input: &Value) -> Answer {
    filtered(input, "ResourceIds")?;
    let found = world.scaling.activities.iter().filter(|activity| means(input, activity)).cloned().collect();
    page("ScalingActivities", found, input, 50)
}

/// Sets the desired count of a service, as the autoscaler does it: without a deployment.
pub fn set_desired(world: &mut World, service: &str, count: i64) {
    if let Some(found) = world.ecs.services.get_mut(service) {
        found.desired = count;
        ecs::scheduler::wake(world, service);
    }
}

/// Moves the count into the target's range (RegisterScalableTarget; ScalableTargetAction).
pub fn keep_in_range(world: &mut World, resource: &str) {
    let Some((min, max)) = world.scaling.targets.get(resource).map(super::Target::range) else { return };
    let service = world.ecs.services.get(&service_arn(world, resource));
    let Some(service) = service.filter(|service| service.status == "ACTIVE") else { return };
    if service.desired < min {
        count(world, resource, min, &format!("minimum capacity was set to {min}"));
    } else if service.desired > max {
        count(world, resource, max, &format!("maximum capacity was set to {max}"));
    }
}

/// Sets the count and says so: in an activity, and in an event of the service.
pub fn count(world: &mut World, resource: &str, count: i64, cause: &str) {
    let service = service_arn(world, resource);
    let done = format!("Successfully set desired count to {count}. Change successfully fulfilled by ecs.");
    let event = json!({
        "id": world.uuid(), "createdAt": time(world.now()), "message": format!("Message: {done} Cause: {cause}"),
    });
    if let Some(found) = world.ecs.services.get_mut(&service) {
        found.events.insert(0, event);
        found.events.truncate(EVENTS_MAX);
    }
    let end = Some(world.now());
    write(world, resource, &format!("Setting desired count to {count}."), cause, ("Successful", &done), end);
    set_desired(world, &service, count);
}

/// Writes one activity; `status` is its code and message.
pub fn write(
    world: &mut World,
    resource: &str,
    description: &str,
    cause: &str,
    status: (&str, &str),
    end: Option<Timestamp>,
) {
    let now = world.now();
    let mut activity = json!({
        "ActivityId": world.uuid(), "ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": DIMENSION,
        "Description": description, "Cause": cause, "StartTime": time(now),
        "StatusCode": status.0, "StatusMessage": status.1,
    });
    if let Some(end) = end {
        activity["EndTime"] = time(end);
    }
    let activities = &mut world.scaling.activities;
    activities.push_front(activity);
    let oldest = (now - KEPT).as_second() as f64;
    while activities.back().is_some_and(|last| last["StartTime"]["$time"].as_f64().is_some_and(|at| at < oldest)) {
        activities.pop_back();
    }
}
