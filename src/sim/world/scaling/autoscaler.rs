//! The autoscaler: every minute it looks at schedules and alarms, and sets desired counts.
//!
//! From the Application Auto Scaling guide ("How target tracking scaling works", "How step scaling works"): of several
//! policies the largest capacity counts, out as well as in; target tracking scales in only when all of its policies
//! want it; a cooldown after a scale-out lets only a larger one through, one after a scale-in holds the next scale-in
//! back and ends with a scale-out. From the ECS guide ("Automatically scale your Amazon ECS service"): no scale-in
//! while a deployment is under way.

use super::{Target, actions, activities, policies, service_arn};
use crate::sim::world::agenda::Due;
use crate::sim::world::cloudwatch;
use crate::sim::world::input::{decimal, flag, list, number, text};
use crate::sim::world::{World, ecs};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// The cooldowns of an ECS service that a policy leaves out (guide, "Define cooldown periods"; Cooldown).
const COOLDOWN: i64 = 300;

/// An alarm in the state ALARM calls its actions.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarmed {
    /// Its name.
    pub alarm: String,
    /// ARNs.
    pub actions: Vec<String>,
    /// The metric that it saw.
    pub value: f64,
    /// Its threshold.
    pub threshold: f64,
}

/// What a policy wants.
#[derive(Debug)]
struct Wanted {
    count: i64,
    out: bool,
    tracking: bool,
    cooldown: i64,
    cause: String,
}

/// Puts the autoscaler on the agenda: it looks at the beginning of every minute, as metrics come by whole minutes.
pub fn begin(world: &mut World) {
    if world.scaling.looked.is_none() {
        world.scaling.looked = Some(world.now());
        later(world);
    }
}

fn later(world: &mut World) {
    let into = world.now().as_millisecond().rem_euclid(60_000);
    world.later((60_000 - into) as f64 / 1000.0, Due::Scale);
}

/// The autoscaler looks at its targets.
pub fn scale(world: &mut World) {
    let now = world.now();
    let Some(last) = world.scaling.looked.replace(now) else { return };
    if world.scaling.targets.is_empty() {
        world.scaling.looked = None;
        return;
    }
    actions::run(world, last);
    let alarmed = cloudwatch::look(world);
    respond(world, &alarmed);
    later(world);
}

/// The average CPU of a service that has a load: none inside while nothing runs.
pub fn average(world: &World, resource: &str) -> Option<Option<f64>> {
    let load = world.scaling.load.get(resource)?;
    let running = running(world, &service_arn(world, resource));
    Some((running > 0).then(|| load / running as f64))
}

fn running(world: &World, service: &str) -> i64 {
    let running = |task: &&ecs::state::Task| task.last == "RUNNING" && task.service.as_deref() == Some(service);
    world.ecs.tasks.values().filter(running).count() as i64
}

/// The policies that alarms name act, all of a target at once.
pub fn respond(world: &mut World, alarmed: &[Alarmed]) {
    if alarmed.is_empty() {
        return;
    }
    let mut all: BTreeMap<&String, Vec<Wanted>> = BTreeMap::new();
    for (resource, target) in &world.scaling.targets {
        let Some(service) = world.ecs.services.get(&service_arn(world, resource)) else { continue };
        for policy in target.policies.values() {
            let arn = text(&policy.document, "PolicyARN").unwrap_or_default();
            let naming = |alarm: &&Alarmed| alarm.actions.iter().any(|action| policies::is(action, arn));
            for alarm in alarmed.iter().filter(naming) {
                let wanted = match text(&policy.document, "PolicyType") {
                    Some("StepScaling") => step(target, &policy.document, alarm, service.desired, world.now()),
                    Some("TargetTrackingScaling") => {
                        let low = policy.alarms.get(1) == Some(&alarm.alarm);
                        track(&policy.document, alarm, low, running(world, &service.arn))
                    }
                    _ => None,
                };
                all.entry(resource).or_default().extend(wanted);
            }
        }
    }
    let all: Vec<_> = all.into_iter().map(|(resource, wanted)| (resource.clone(), wanted)).collect();
    for (resource, wanted) in all {
        decide(world, &resource, &wanted);
    }
}

fn cause(alarm: &Alarmed, policy: &Value) -> String {
    let name = text(policy, "PolicyName").unwrap_or_default();
    format!("monitor alarm {} in state ALARM triggered policy {name}", alarm.alarm)
}

/// In proportion to how far the metric is from the target; the low alarm only ever takes away, the high one adds.
fn track(policy: &Value, alarm: &Alarmed, low: bool, running: i64) -> Option<Wanted> {
    let configuration = &policy["TargetTrackingScalingPolicyConfiguration"];
    let target = decimal(configuration, "TargetValue").filter(|target| *target > 0.0)?;
    // Less a hair, so that an exact fit is not rounded up.
    let count = (running as f64 * alarm.value / target - 1e-9).ceil() as i64;
    let cooldown = number(configuration, if low { "ScaleInCooldown" } else { "ScaleOutCooldown" }).unwrap_or(COOLDOWN);
    Some(Wanted { count, out: !low, tracking: true, cooldown, cause: cause(alarm, policy) })
}

/// By the step into which the breach falls (StepAdjustment). During the cooldown of a scale-out what was added counts
/// as part of the next one.
fn step(target: &Target, policy: &Value, alarm: &Alarmed, current: i64, now: Timestamp) -> Option<Wanted> {
    let configuration = &policy["StepScalingPolicyConfiguration"];
    let breach = alarm.value - alarm.threshold;
    let falls = |step: &&Value| {
        let (lower, upper) = policies::bounds(step);
        (breach >= 0.0 && lower <= breach && breach < upper) || (breach <= 0.0 && lower < breach && breach <= upper)
    };
    let step = list(configuration, "StepAdjustments").iter().find(falls)?;
    let by = number(step, "ScalingAdjustment")?;
    let from = |count| adjusted(configuration, by, count);
    let out = from(current) > current;
    let base =
        if out { target.out.filter(|(until, _)| now < *until).map_or(current, |(_, base)| base) } else { current };
    let cooldown = number(configuration, "Cooldown").unwrap_or(COOLDOWN);
    Some(Wanted { count: from(base), out, tracking: false, cooldown, cause: cause(alarm, policy) })
}

/// AdjustmentType and MinAdjustmentMagnitude; parts of a task are cut off, but never to nothing (guide, "Scaling
/// adjustment types").
fn adjusted(configuration: &Value, by: i64, count: i64) -> i64 {
    match text(configuration, "AdjustmentType") {
        Some("ExactCapacity") => by,
        Some("PercentChangeInCapacity") => {
            let part = count as f64 * by as f64 / 100.0;
            let whole = if part.abs() < 1.0 { part.signum() * f64::from(u8::from(part != 0.0)) } else { part.trunc() };
            let least = number(configuration, "MinAdjustmentMagnitude").unwrap_or_default();
            count.saturating_add(by.signum() * (whole.abs() as i64).max(least))
        }
        _ => count.saturating_add(by),
    }
}

fn decide(world: &mut World, resource: &str, wanted: &[Wanted]) {
    let now = world.now();
    let Some(service) = world.ecs.services.get(&service_arn(world, resource)) else { return };
    let Some(target) = world.scaling.targets.get(resource) else { return };
    if service.status != "ACTIVE" {
        return;
    }
    let (current, (min, max)) = (service.desired, target.range());
    let largest = |wanted: &mut dyn Iterator<Item = &Wanted>| {
        let (count, wanted) =
            wanted.map(|wanted| (wanted.count.clamp(min, max), wanted)).max_by_key(|(count, _)| *count)?;
        Some((count, wanted.cooldown, wanted.cause.clone()))
    };
    let until = |cooldown: i64| now.checked_add(SignedDuration::from_secs(cooldown)).unwrap_or(Timestamp::MAX);
    let out = largest(&mut wanted.iter().filter(|wanted| wanted.out)).filter(|(count, ..)| *count > current);
    if let Some((count, cooldown, cause)) = out {
        if target.suspended("DynamicScalingOutSuspended") {
            return;
        }
        let base = target.out.filter(|(until, _)| now < *until).map_or(current, |(_, base)| base);
        if let Some(target) = world.scaling.targets.get_mut(resource) {
            (target.out, target.hold) = (Some((until(cooldown), base)), None);
        }
        return activities::count(world, resource, count, &cause);
    }
    // Who wants to scale out and cannot, at the maximum, still wants the larger capacity.
    if wanted.iter().any(|wanted| wanted.out) {
        return;
    }
    let agreed = tracking_agrees(world, target);
    let ready = |wanted: &&Wanted| agreed || !wanted.tracking;
    let Some((count, cooldown, cause)) = largest(&mut wanted.iter().filter(ready)) else { return };
    let held = target.hold.is_some_and(|until| now < until) || service.under_way.is_some();
    if count >= current || held || target.suspended("DynamicScalingInSuspended") {
        return;
    }
    if let Some(target) = world.scaling.targets.get_mut(resource) {
        (target.out, target.hold) = (None, Some(until(cooldown)));
    }
    activities::count(world, resource, count, &cause);
}

/// Whether all target tracking policies want to scale in. One whose metric nobody gives a load has no say here; on AWS
/// every running service has its metrics.
fn tracking_agrees(world: &World, target: &Target) -> bool {
    let tracking = |policy: &&super::Policy| {
        let configuration = &policy.document["TargetTrackingScalingPolicyConfiguration"];
        flag(configuration, "DisableScaleIn") == Some(false)
    };
    let mut low = target.policies.values().filter(tracking).filter_map(|policy| policy.alarms.get(1));
    low.all(|alarm| !cloudwatch::measured(world, alarm) || cloudwatch::state(world, alarm) == Some("ALARM"))
}
