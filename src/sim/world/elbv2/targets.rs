//! Targets and their health.
//!
//! ```text
//! unused <--> initial --> healthy <--> unhealthy        draining --> gone
//! ```
//!
//! Source: "Health checks for Application Load Balancer target groups". "After your target is registered, it must pass one
//! health check to be considered healthy"; later it takes HealthyThresholdCount and UnhealthyThresholdCount checks in a
//! row, one every HealthCheckIntervalSeconds. Which targets of a load balancer answer is told by [`check`].

use super::{attributes, health_checks, rules};
use crate::sim::world::World;
use crate::sim::world::agenda::Due;
use crate::sim::world::input::number;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How long a new target is `Elb.RegistrationInProgress` before it is `Elb.InitialHealthChecking`; AWS documents no time.
const REGISTRATION: i64 = 5;

/// What a target does when its health is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Checked {
    /// Answers as the matcher wants it.
    Healthy,
    /// Answers with this HTTP code.
    Code(u16),
    /// Does not answer.
    Silent,
}

/// Where a target stands (TargetHealth).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No rule forwards to its group.
    Unused,
    /// Its first checks are not over.
    Initial,
    /// Passed.
    Healthy,
    /// Failed.
    Unhealthy,
    /// Deregistered, and the deregistration delay is not over.
    Draining,
    /// Its group has no health checks.
    Unavailable,
    /// Deregistered.
    Gone,
}

impl State {
    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            State::Unused | State::Gone => "unused",
            State::Initial => "initial",
            State::Healthy => "healthy",
            State::Unhealthy => "unhealthy",
            State::Draining => "draining",
            State::Unavailable => "unavailable",
        }
    }
}

/// Something registered in a target group.
#[derive(Debug, Clone)]
pub struct Target {
    /// An address, an instance, the ARN of a function or of a load balancer.
    pub id: String,
    /// None of a function.
    pub port: Option<i64>,
    /// What RegisterTargets was told.
    pub zone: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What it does when it is checked.
    pub checked: Checked,
    /// What it did when it last failed.
    failed: Checked,
    /// Since when it stands there.
    since: Timestamp,
    /// Where it goes next, and when.
    next: Option<(Timestamp, State)>,
}

impl Target {
    /// A target that has to be [entered](enter) yet.
    pub(super) fn new(id: &str, port: Option<i64>, zone: Option<&str>, checked: Checked) -> Self {
        let (id, zone) = (id.to_owned(), zone.map(str::to_owned));
        let (state, since) = (State::Gone, Timestamp::UNIX_EPOCH);
        Self { id, port, zone, state, checked, failed: checked, since, next: None }
    }

    fn is(&self, id: &str, port: Option<i64>) -> bool {
        self.id == id && self.port == port
    }
}

/// ECS registers a task; its health is known after the checks of its group.
pub fn register(world: &mut World, group: &str, id: &str, port: i64, checked: Checked) {
    add(world, group, Target::new(id, Some(port), None, checked));
}

/// ECS takes a task away: it drains for the group's deregistration delay.
pub fn deregister(world: &mut World, group: &str, id: &str, port: i64) {
    take_away(world, group, id, Some(port));
}

/// A target's checks go otherwise from now on; its health follows after the thresholds of its group.
pub fn check(world: &mut World, group: &str, id: &str, port: i64, checked: Checked) {
    each(world, group, |target, document, now| {
        if target.is(id, Some(port)) {
            target.checked = checked;
            plan(target, document, now);
        }
    });
}

/// `initial`, `healthy`, `unhealthy`, `draining`, `unused`, `unavailable`; none when it is not registered.
pub fn health(world: &World, group: &str, id: &str, port: i64) -> Option<&'static str> {
    let targets = &world.elbv2.groups.get(group)?.targets;
    targets.iter().find(|target| target.is(id, Some(port))).map(|target| target.state.word())
}

/// The targets of a group change their health when it is time.
pub fn settle(world: &mut World, group: &str) {
    each(world, group, |target, document, now| {
        if let Some((_, state)) = target.next.filter(|(at, _)| *at <= now) {
            enter(target, state, document, now);
        }
    });
}

/// Weights of a rule's (or a default rule's, or a listener's) forward action, moved by a blue/green deployment: (target
/// group, weight).
pub fn shift(world: &mut World, rule: &str, weights: &[(String, i64)]) {
    rules::set_weights(world, rule, weights);
}

/// A rule began or ceased to forward to the group.
pub(super) fn follow(world: &mut World, group: &str) {
    let used = world.elbv2.in_use(group);
    each(world, group, |target, document, now| match target.state {
        State::Draining | State::Gone => {}
        State::Unused if used => enter(target, first(document, used), document, now),
        State::Unused => {}
        _ if used => {}
        _ => enter(target, State::Unused, document, now),
    });
}

/// The health check of the group was changed.
pub(super) fn recheck(world: &mut World, group: &str) {
    let used = world.elbv2.in_use(group);
    each(world, group, |target, document, now| match (target.state, first(document, used)) {
        (State::Draining | State::Gone | State::Unused, _) => {}
        (State::Unavailable, state) | (_, state @ State::Unavailable) if state != target.state => {
            enter(target, state, document, now);
        }
        _ => plan(target, document, now),
    });
}

/// Registers a target; one that is registered already stays as it is.
pub(super) fn add(world: &mut World, group: &str, new: Target) {
    let used = world.elbv2.in_use(group);
    let Some(found) = world.elbv2.groups.get_mut(group) else { return };
    match found.targets.iter_mut().find(|target| target.is(&new.id, new.port)) {
        None => found.targets.push(new),
        // A target that drains may come back.
        Some(target) if target.state == State::Draining => *target = new,
        Some(_) => return,
    }
    each(world, group, |target, document, now| {
        if target.state == State::Gone {
            enter(target, first(document, used), document, now);
        }
    });
}

/// Deregisters a target. Nothing has to drain where nothing came.
pub(super) fn take_away(world: &mut World, group: &str, id: &str, port: Option<i64>) {
    let Some(found) = world.elbv2.groups.get(group) else { return };
    let delay = attributes::number(&found.attributes, "deregistration_delay.timeout_seconds").unwrap_or(0);
    each(world, group, |target, document, now| {
        if !target.is(id, port) || target.state == State::Draining {
            return;
        }
        let drains = delay > 0 && !matches!(target.state, State::Unused | State::Unavailable);
        enter(target, if drains { State::Draining } else { State::Gone }, document, now);
        if drains {
            target.next = Some((after(now, delay), State::Gone));
        }
    });
}

/// Where a target of a group begins.
fn first(document: &Value, used: bool) -> State {
    match (used, document["HealthCheckEnabled"] == false) {
        (false, _) => State::Unused,
        (true, true) => State::Unavailable,
        (true, false) => State::Initial,
    }
}

/// Does something to the targets of a group, puts on the agenda what is to come of it, and takes out those that are gone.
fn each(world: &mut World, group: &str, mut change: impl FnMut(&mut Target, &Value, Timestamp)) {
    let now = world.now();
    let Some(found) = world.elbv2.groups.get_mut(group) else { return };
    let mut times = Vec::new();
    for target in &mut found.targets {
        let before = target.next;
        change(target, &found.document, now);
        times.extend(target.next.filter(|next| before != Some(*next)).map(|(at, _)| at));
    }
    found.targets.retain(|target| target.state != State::Gone);
    for at in times {
        world.later(at.duration_since(now).as_secs_f64(), Due::Targets(group.to_owned()));
    }
}

fn enter(target: &mut Target, state: State, document: &Value, now: Timestamp) {
    (target.state, target.since, target.next) = (state, now, None);
    plan(target, document, now);
}

/// Where a target goes next by its checks. What is on its way there already keeps its time.
fn plan(target: &mut Target, document: &Value, now: Timestamp) {
    let healthy = match target.checked {
        Checked::Healthy => true,
        Checked::Code(code) => health_checks::passes(document, code),
        Checked::Silent => false,
    };
    if !healthy {
        target.failed = target.checked;
    }
    let (checks, state) = match (target.state, healthy) {
        (State::Initial, true) => (Some(1), State::Healthy),
        (State::Initial | State::Healthy, false) => (number(document, "UnhealthyThresholdCount"), State::Unhealthy),
        (State::Unhealthy, true) => (number(document, "HealthyThresholdCount"), State::Healthy),
        (State::Draining, _) => return,
        _ => {
            target.next = None;
            return;
        }
    };
    if target.next.is_none_or(|(_, next)| next != state) {
        let interval = number(document, "HealthCheckIntervalSeconds").unwrap_or(30);
        target.next = Some((after(now, interval * checks.unwrap_or(1)), state));
    }
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// As DescribeTargetHealth answers `TargetHealth`.
pub(super) fn shown(target: &Target, document: &Value, now: Timestamp) -> Value {
    let registering = now.duration_since(target.since).as_secs() < REGISTRATION;
    let connects = document["HealthCheckProtocol"] == "TCP";
    let (reason, description) = match (target.state, target.failed) {
        (State::Healthy, _) => return json!({ "State": target.state.word() }),
        (State::Initial, _) if registering => {
            ("Elb.RegistrationInProgress", "Target registration is in progress".to_owned())
        }
        (State::Initial, _) => ("Elb.InitialHealthChecking", "Initial health checks in progress".to_owned()),
        (State::Unhealthy, _) if connects => ("Target.FailedHealthChecks", "Health checks failed".to_owned()),
        (State::Unhealthy, Checked::Code(code)) => {
            ("Target.ResponseCodeMismatch", format!("Health checks failed with these codes: [{code}]"))
        }
        (State::Unhealthy, _) => ("Target.Timeout", "Request timed out".to_owned()),
        (State::Draining, _) => ("Target.DeregistrationInProgress", "Target deregistration is in progress".to_owned()),
        (State::Unavailable, _) => {
            ("Target.HealthCheckDisabled", "Health checks are not enabled for this target".to_owned())
        }
        (State::Unused, _) => {
            ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer".to_owned())
        }
        (State::Gone, _) => ("Target.NotRegistered", "Target is not registered to the target group".to_owned()),
    };
    json!({ "State": target.state.word(), "Reason": reason, "Description": description })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, forward};
    use super::*;

    const ID: &str = "10.0.0.1";

    /// A group with checks every 10 s, healthy after 3, unhealthy after 2, 60 s of draining; in use, or not.
    fn group(lab: &mut Lab, used: bool) -> (String, String) {
        let (balancer, group) = (lab.balancer("application"), lab.group("HTTP"));
        let listener = lab.listener(&balancer, 80);
        let rule = lab.rule(&listener, 1);
        lab.ok(
            "ModifyTargetGroup",
            json!({ "TargetGroupArn": group, "HealthCheckIntervalSeconds": "10",
            "HealthyThresholdCount": "3", "UnhealthyThresholdCount": "2" }),
        );
        lab.ok(
            "ModifyTargetGroupAttributes",
            json!({ "TargetGroupArn": group,
            "Attributes": [{ "Key": "deregistration_delay.timeout_seconds", "Value": "60" }] }),
        );
        if used {
            lab.ok("ModifyRule", json!({ "RuleArn": rule, "Actions": [forward(&group)] }));
        }
        (group, rule)
    }

    fn reason(lab: &mut Lab, group: &str) -> String {
        let asked = json!({ "TargetGroupArn": group, "Targets": [{ "Id": ID, "Port": "80" }] });
        let answer = lab.ok("DescribeTargetHealth", asked)["TargetHealthDescriptions"][0]["TargetHealth"].clone();
        let part = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        [part("State"), part("Reason"), part("Description")].join(" ").trim_end().to_owned()
    }

    #[test]
    fn health_follows_the_checks() {
        enum Do {
            Register(Checked),
            Check(Checked),
            Deregister,
            Pass(i64),
        }
        use Checked::{Code, Healthy, Silent};
        use Do::{Check, Deregister, Pass, Register};
        let (initial, draining) = ("initial Elb.InitialHealthChecking", "draining Target.DeregistrationInProgress");
        let gone = "unused Target.NotRegistered";
        let unhealthy = "unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [503]";
        let rows: &[&[(Do, &str)]] = &[
            // One passed check makes a new target healthy, two failed ones unhealthy, three passed ones healthy again.
            &[
                (Register(Healthy), "initial Elb.RegistrationInProgress"),
                (Pass(9), initial),
                (Pass(1), "healthy"),
                (Check(Code(503)), "healthy"),
                (Pass(19), "healthy"),
                (Check(Code(503)), "healthy"),
                (Pass(1), unhealthy),
                (Check(Healthy), unhealthy),
                (Pass(29), unhealthy),
                (Pass(1), "healthy"),
                // One failed check is no matter.
                (Check(Silent), "healthy"),
                (Pass(10), "healthy"),
                (Check(Healthy), "healthy"),
                (Pass(60), "healthy"),
                (Deregister, draining),
                (Pass(59), draining),
                (Pass(1), gone),
            ],
            &[
                (Register(Silent), "initial Elb.RegistrationInProgress"),
                (Pass(19), initial),
                (Pass(1), "unhealthy Target.Timeout Request timed out"),
            ],
            // What drains may come back.
            &[
                (Register(Healthy), "initial"),
                (Pass(10), "healthy"),
                (Deregister, draining),
                (Register(Healthy), "initial"),
                (Pass(60), "healthy"),
            ],
            &[(Register(Code(200)), "initial"), (Pass(10), "healthy")],
        ];
        for row in rows {
            let mut lab = Lab::new();
            let (group, _) = group(&mut lab, true);
            for (number, (what, expected)) in row.iter().enumerate() {
                match what {
                    Register(checked) => register(&mut lab.world, &group, ID, 80, *checked),
                    Check(checked) => check(&mut lab.world, &group, ID, 80, *checked),
                    Deregister => deregister(&mut lab.world, &group, ID, 80),
                    Pass(seconds) => lab.pass(*seconds),
                }
                let seen = reason(&mut lab, &group);
                assert!(seen.starts_with(expected), "{number}: {seen:?} is not {expected:?}");
                let word = health(&lab.world, &group, ID, 80);
                assert_eq!(word, seen.split(' ').next().filter(|_| *expected != gone));
            }
        }
    }

    #[test]
    fn a_group_that_no_rule_forwards_to_is_not_checked() {
        let mut lab = Lab::new();
        let (group, rule) = group(&mut lab, false);
        lab.ok("RegisterTargets", json!({ "TargetGroupArn": group, "Targets": [{ "Id": ID }] }));
        lab.pass(100);
        assert!(reason(&mut lab, &group).starts_with("unused Target.NotInUse"));
        lab.ok("ModifyRule", json!({ "RuleArn": rule, "Actions": [forward(&group)] }));
        assert!(reason(&mut lab, &group).starts_with("initial"));
        lab.pass(10);
        assert_eq!(reason(&mut lab, &group), "healthy");
        lab.ok("DeleteRule", json!({ "RuleArn": rule }));
        assert!(reason(&mut lab, &group).starts_with("unused Target.NotInUse"));
        deregister(&mut lab.world, &group, ID, 80);
        assert_eq!(health(&lab.world, &group, ID, 80), None, "nothing has to drain");
    }

    #[test]
    fn another_matcher_makes_another_health() {
        let mut lab = Lab::new();
        let (group, _) = group(&mut lab, true);
        register(&mut lab.world, &group, ID, 80, Checked::Code(302));
        lab.pass(20);
        assert_eq!(health(&lab.world, &group, ID, 80), Some("unhealthy"));
        lab.ok("ModifyTargetGroup", json!({ "TargetGroupArn": group, "Matcher": { "HttpCode": "200,300-303" } }));
        lab.pass(30);
        assert_eq!(health(&lab.world, &group, ID, 80), Some("healthy"));
    }

    #[test]
    fn registrations_are_checked() {
        let mut lab = Lab::new();
        let (group, _) = group(&mut lab, true);
        let many: Vec<_> = (0..=1000).map(|port| json!({ "Id": ID, "Port": 1000 + port })).collect();
        for (operation, targets, expected) in [
            ("RegisterTargets", json!([{ "Id": "i-1" }]), "ValidationError"),
            ("RegisterTargets", json!(""), "ValidationError"),
            ("RegisterTargets", json!(many), "TooManyTargets"),
            ("RegisterTargets", json!([{ "Id": ID, "Port": "8080" }]), "ok"),
            ("DeregisterTargets", json!([{ "Id": ID }]), "ok"),
        ] {
            let asked = json!({ "TargetGroupArn": group, "Targets": targets });
            assert_eq!(lab.code(operation, asked), expected, "{operation}");
        }
        assert_eq!(health(&lab.world, &group, ID, 8080), Some("initial"), "without its port it is another target");
        let asked = json!({ "TargetGroupArn": format!("{group}0") });
        assert_eq!(lab.code("DescribeTargetHealth", asked), "TargetGroupNotFound");
    }
}
