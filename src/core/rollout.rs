//! What the facts of a service's deployments mean. "Stable" is not "live": every part of the sentence is looked at.

use super::id::Arn;
use super::observed::{Hook, ServiceDeployment, ServiceFacts, Target};
use super::stopped::{Stopped, StoppedTask};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// How the rollout of what a service should run is getting on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rollout", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Rollout {
    /// One completed deployment of the wanted revision, with all of its tasks running and no target that is not healthy.
    Completed,
    /// On its way.
    InProgress {
        /// Tasks of the new deployment that run.
        running: i32,
        /// Tasks that are to run.
        desired: i32,
        /// Tasks that failed so far.
        failed: i32,
        /// What is known beside: the stage, why tasks stopped.
        note: Option<String>,
    },
    /// It waits for a person (a PAUSE hook of ECS).
    Waiting {
        /// What waits.
        pause: Pause,
    },
    /// ECS gave up, or runs something else than what was asked for.
    Failed {
        /// In one sentence.
        reason: String,
        /// Whether ECS goes back, or went back, to what ran before.
        rolled_back: bool,
    },
    /// It was completed, and does not serve as it should.
    Unhealthy {
        /// In one sentence.
        reason: String,
    },
}

/// A PAUSE hook that waits for its answer (ECS, "Pause lifecycle hooks").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// The service deployment.
    pub deployment: Arn,
    /// ECS's id of the hook.
    pub hook: String,
    /// As `POST_TEST_TRAFFIC_SHIFT`.
    pub stage: Option<String>,
    /// When ECS answers it by itself.
    pub expires_at: Option<Timestamp>,
    /// What ECS does then: `ROLLBACK` or `CONTINUE`.
    pub then: Option<String>,
}

/// `waits for approval at post test traffic shift; rolled back at 2026-11-26T14:00:00Z unless somebody answers`.
impl std::fmt::Display for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { deployment: _, hook: _, stage, expires_at, then } = self;
        f.write_str("waits for approval")?;
        if let Some(stage) = stage {
            write!(f, " at {}", stage.to_lowercase().replace('_', " "))?;
        }
        if let Some(at) = expires_at {
            let then = if then.as_deref() == Some("CONTINUE") { "goes on" } else { "is rolled back" };
            write!(f, "; it {then} at {at:.0} when nobody answers (driftless approve, driftless reject)")?;
        }
        Ok(())
    }
}

/// What is known beside the service's own facts. All of it may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'e> {
    /// The service's newest service deployments, newest first.
    pub deployments: &'e [ServiceDeployment],
    /// Tasks that stopped in the last hour, or so.
    pub stopped: &'e [StoppedTask],
    /// The targets of its target groups; `None` where it has none, or nobody looked.
    pub targets: Option<&'e [Target]>,
}

impl Evidence<'_> {
    /// The newest service deployment that was to bring up a revision.
    pub fn deployment_of(&self, task_definition: Option<&Arn>) -> Option<&ServiceDeployment> {
        self.deployments.iter().find(|deployment| deployment.task_definition.as_ref() == task_definition)
    }
}

/// Reads the deployments against the revision that should run (`None`: whatever the service is set to).
pub fn rollout(facts: &ServiceFacts, wanted: Option<&Arn>) -> Rollout {
    rollout_with(facts, wanted, &Evidence::default())
}

/// The same with everything that is known.
pub fn rollout_with(facts: &ServiceFacts, wanted: Option<&Arn>, evidence: &Evidence<'_>) -> Rollout {
    let wanted = wanted.or(facts.task_definition.as_ref());
    let base = by_deployments(facts, wanted);
    let followed = evidence.deployment_of(wanted).filter(|followed| !is_before(facts, wanted, followed));
    let stopped = Stopped::of(evidence.stopped, wanted);
    // What is deployed anew and taken back is the same revision, and has failed.
    let other = |newest: &&ServiceDeployment| newest.goes_back() && newest.task_definition.as_ref() != wanted;
    let back = evidence.deployments.first().filter(other);
    if back.is_some_and(|newest| wanted.is_some_and(|wanted| newest.began_from(wanted))) {
        let note = Some("ECS goes back to it".to_owned());
        return Rollout::InProgress { running: facts.running, desired: facts.desired, failed: 0, note };
    }
    match base {
        Rollout::Failed { reason, rolled_back } => Rollout::Failed {
            reason: why(followed, &stopped, &reason),
            rolled_back: rolled_back || followed.is_some_and(ServiceDeployment::is_rolled_back),
        },
        // What the service shows can be behind: the service deployment itself has the last word.
        _ if let Some(followed) = followed.filter(|followed| followed.has_failed()) => Rollout::Failed {
            reason: why(Some(followed), &stopped, "ECS gave the deployment up"),
            rolled_back: followed.is_rolled_back(),
        },
        Rollout::InProgress { running, desired, failed, .. } => match followed.and_then(ServiceDeployment::pause) {
            Some(pause) => Rollout::Waiting { pause },
            None => Rollout::InProgress { running, desired, failed, note: progress(followed, &stopped) },
        },
        Rollout::Completed => evidence.targets.map_or(base, |targets| served(facts.running, targets)),
        other => other,
    }
}

/// Whether a service deployment was over before the service began to bring up the same revision once more: the new attempt
/// may not be listed yet.
fn is_before(facts: &ServiceFacts, wanted: Option<&Arn>, followed: &ServiceDeployment) -> bool {
    let began = facts.primary().filter(|primary| primary.task_definition.as_ref() == wanted).and_then(|p| p.created_at);
    followed.finished_at.zip(began).is_some_and(|(finished, began)| finished < began)
}

/// A rollout that takes longer than it may has failed for all that is known, although ECS goes on with it. What waits for
/// a person has a time of its own.
pub fn in_time(rollout: Rollout, began: Option<Timestamp>, limit: Option<SignedDuration>, now: Timestamp) -> Rollout {
    let (Rollout::InProgress { running, desired, note, .. }, Some(began), Some(limit)) = (&rollout, began, limit)
    else {
        return rollout;
    };
    if now.duration_since(began) <= limit {
        return rollout;
    }
    let note = note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    let reason = format!(
        "not live after {limit:#} (rollout.timeout), and ECS goes on: {running} of {desired} new tasks run{note}"
    );
    Rollout::Failed { reason, rolled_back: false }
}

impl ServiceDeployment {
    /// From when its time is counted. What came up once, and is gone back to, began long ago; and of what waited for a person
    /// ECS does not say for how long.
    pub fn counted_from(&self) -> Option<Timestamp> {
        let waited = self.hooks.iter().any(|hook| hook.pause);
        self.created_at.filter(|_| self.finished_at.is_none() && !waited)
    }

    /// The hook at which it waits for a person.
    pub fn pause(&self) -> Option<Pause> {
        let hook = self.hooks.iter().find(|hook| hook.awaits_a_person())?;
        let Hook { id, expires_at, then, .. } = hook.clone();
        Some(Pause { deployment: self.arn.clone(), hook: id, stage: self.stage.clone(), expires_at, then })
    }
}

/// One sentence: what ECS did, and what the tasks died of.
fn why(deployment: Option<&ServiceDeployment>, stopped: &Stopped, otherwise: &str) -> String {
    let ecs = deployment.and_then(|deployment| deployment.reason.clone()).unwrap_or_else(|| otherwise.to_owned());
    let ecs = ecs.trim_end_matches('.');
    match stopped.sentence() {
        Some(tasks) => format!("{tasks}; ECS: {ecs}"),
        None => ecs.to_owned(),
    }
}

fn progress(deployment: Option<&ServiceDeployment>, stopped: &Stopped) -> Option<String> {
    let stage = deployment.and_then(|deployment| deployment.stage.as_deref()).map(|stage| {
        let words = stage.to_lowercase().replace('_', " ");
        match deployment.and_then(|deployment| deployment.production_percent) {
            Some(percent) if percent > 0.0 => format!("{words}, {percent:.0} % of production traffic"),
            _ => words,
        }
    });
    let parts: Vec<String> = stage.into_iter().chain(stopped.sentence()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Every task that runs is a target, and every target is healthy, or on its way out.
fn served(running: i32, targets: &[Target]) -> Rollout {
    let bad = |target: &&Target| matches!(target.state.as_str(), "unhealthy" | "unavailable");
    if let Some(first) = targets.iter().find(bad) {
        let count = targets.iter().filter(bad).count();
        let reason = first.reason.clone().unwrap_or_else(|| first.state.clone());
        return Rollout::Unhealthy {
            reason: format!("{count} of {} targets are not healthy: {reason}", targets.len()),
        };
    }
    let starting = targets.iter().filter(|target| target.state == "initial").count();
    if starting > 0 {
        let all = i32::try_from(targets.len()).unwrap_or(i32::MAX);
        let note = Some(format!("{starting} of {} targets must still pass their first health check", targets.len()));
        return Rollout::InProgress { running: all, desired: all, failed: 0, note };
    }
    let staying = targets.iter().filter(|target| target.state != "draining").count();
    let staying = i32::try_from(staying).unwrap_or(i32::MAX);
    if staying < running {
        let note = Some(format!("the load balancer has {staying} targets for {running} tasks that run"));
        return Rollout::InProgress { running: staying, desired: running, failed: 0, note };
    }
    Rollout::Completed
}

fn by_deployments(facts: &ServiceFacts, wanted: Option<&Arn>) -> Rollout {
    let progress = |running, desired, failed| Rollout::InProgress { running, desired, failed, note: None };
    let state = |deployment: &super::observed::Deployment| deployment.rollout_state.clone().unwrap_or_default();
    let failed = facts.deployments.iter().find(|d| d.task_definition.as_ref() == wanted && state(d) == "FAILED");
    // One that is being brought up anew may stand beside what is left of the one that failed.
    let again = |primary: &super::observed::Deployment| {
        primary.task_definition.as_ref() == wanted && state(primary) == "IN_PROGRESS"
    };
    if let Some(failed) = failed.filter(|_| !facts.primary().is_some_and(again)) {
        let reason = failed.reason.clone().unwrap_or_else(|| "ECS says FAILED".into());
        let rolled_back = facts.task_definition.is_some() && facts.task_definition.as_ref() != wanted;
        return Rollout::Failed { reason, rolled_back };
    }
    let Some(primary) = facts.primary() else {
        // EXTERNAL and CODE_DEPLOY services have task sets: the counts are all there is.
        return match facts.running == facts.desired && facts.pending == 0 {
            true => Rollout::Completed,
            false => progress(facts.running, facts.desired, 0),
        };
    };
    if primary.task_definition.is_some() && primary.task_definition.as_ref() != wanted {
        let reason = primary.reason.clone().filter(|reason| reason.contains("roll"));
        let reason = reason.unwrap_or_else(|| "the service runs another revision".into());
        return Rollout::Failed { reason, rolled_back: true };
    }
    let others = facts.deployments.iter().filter(|d| d.status != "INACTIVE").count() > 1;
    // Deployments of other controllers have no rollout state.
    let completed = primary.rollout_state.as_deref().is_none_or(|state| state == "COMPLETED");
    if completed && !others && facts.running == facts.desired && facts.pending == 0 {
        return Rollout::Completed;
    }
    progress(primary.running, primary.desired, primary.failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::observed::Deployment;

    fn deployment(status: &str, revision: u32, state: &str, running: i32) -> Deployment {
        Deployment {
            id: format!("ecs-svc/{revision}"),
            status: status.into(),
            task_definition: Some(Arn::new(format!("arn:aws:ecs:r:1:task-definition/f:{revision}"))),
            rollout_state: Some(state.into()),
            reason: (state == "FAILED").then(|| "circuit breaker: tasks failed to start".into()),
            desired: 2,
            running,
            pending: 0,
            failed: 0,
            created_at: None,
        }
    }

    fn facts(running: i32, deployments: Vec<Deployment>) -> ServiceFacts {
        ServiceFacts { status: "ACTIVE".into(), desired: 2, running, deployments, ..ServiceFacts::default() }
    }

    fn wanted() -> Arn {
        Arn::from("arn:aws:ecs:r:1:task-definition/f:2")
    }

    fn followed(status: &str) -> ServiceDeployment {
        ServiceDeployment {
            arn: Arn::from("arn:aws:ecs:r:1:service-deployment/c/s/1"),
            status: status.into(),
            task_definition: Some(wanted()),
            reason: None,
            sources: Vec::new(),
            images: std::collections::BTreeMap::new(),
            stage: None,
            production_percent: None,
            hooks: Vec::new(),
            created_at: None,
            finished_at: None,
        }
    }

    #[test]
    fn live_is_strict() {
        let cases = [
            (facts(2, vec![deployment("PRIMARY", 2, "COMPLETED", 2)]), "Completed"),
            // ECS says COMPLETED for a new service's first deployment while its tasks are still missing in some answers.
            (facts(1, vec![deployment("PRIMARY", 2, "COMPLETED", 1)]), "InProgress"),
            (
                facts(2, vec![deployment("PRIMARY", 2, "COMPLETED", 2), deployment("ACTIVE", 1, "COMPLETED", 0)]),
                "InProgress",
            ),
            (facts(2, vec![deployment("PRIMARY", 2, "IN_PROGRESS", 2)]), "InProgress"),
            (facts(2, vec![deployment("PRIMARY", 2, "FAILED", 0)]), "Failed"),
            (facts(2, vec![deployment("PRIMARY", 1, "COMPLETED", 2)]), "Failed"),
            (
                facts(2, vec![deployment("PRIMARY", 1, "IN_PROGRESS", 1), deployment("ACTIVE", 2, "FAILED", 0)]),
                "Failed",
            ),
            // It is tried again, and the tasks of the first time are not all gone.
            (
                facts(2, vec![deployment("PRIMARY", 2, "IN_PROGRESS", 1), deployment("ACTIVE", 2, "FAILED", 1)]),
                "InProgress",
            ),
        ];
        for (facts, expected) in cases {
            let found = rollout(&facts, Some(&wanted()));
            assert!(format!("{found:?}").starts_with(expected), "{found:?} is not {expected}: {facts:?}");
        }
    }

    #[test]
    fn targets_that_are_not_healthy_are_not_live() {
        let facts = |running| facts(running, vec![deployment("PRIMARY", 2, "COMPLETED", running)]);
        let target = |state: &str| Target { state: state.into(), reason: Some(format!("reason of {state}")) };
        for (states, expected) in [
            (&["healthy", "healthy"][..], "Completed"),
            (&["healthy", "healthy", "draining"], "Completed"),
            (&["unused", "unused"], "Completed"),
            (&["healthy", "draining"], "InProgress"),
            (&["healthy"], "InProgress"),
            (&[], "InProgress"),
            (&["healthy", "initial"], "InProgress"),
            (&["healthy", "unhealthy"], "Unhealthy"),
            (&["unavailable"], "Unhealthy"),
        ] {
            let targets: Vec<Target> = states.iter().map(|state| target(state)).collect();
            let evidence = Evidence { targets: Some(&targets), ..Evidence::default() };
            let found = format!("{:?}", rollout_with(&facts(2), Some(&wanted()), &evidence));
            assert!(found.starts_with(expected), "{states:?}: {found}");
        }
        let none = ServiceFacts { desired: 0, ..facts(0) };
        let nothing_runs = Evidence { targets: Some(&[]), ..Evidence::default() };
        assert_eq!(rollout_with(&none, Some(&wanted()), &nothing_runs), Rollout::Completed);
        assert_eq!(
            rollout_with(&facts(2), Some(&wanted()), &Evidence::default()),
            Rollout::Completed,
            "no load balancer"
        );
    }

    #[test]
    fn the_service_deployment_has_the_last_word() {
        let running = facts(2, vec![deployment("PRIMARY", 2, "IN_PROGRESS", 1)]);
        for (status, expected) in [
            ("IN_PROGRESS", "InProgress"),
            ("SUCCESSFUL", "InProgress"),
            ("ROLLBACK_IN_PROGRESS", "Failed"),
            ("ROLLBACK_SUCCESSFUL", "Failed"),
            ("STOPPED", "Failed"),
        ] {
            let all = [followed(status)];
            let evidence = Evidence { deployments: &all, ..Evidence::default() };
            let found = format!("{:?}", rollout_with(&running, Some(&wanted()), &evidence));
            assert!(found.starts_with(expected), "{status}: {found}");
        }
        // An earlier attempt at the same revision says nothing of the one that was begun after it.
        let at = |second: i64| Timestamp::from_second(second).ok();
        for (finished, expected) in [(100, "InProgress"), (300, "Failed")] {
            let mut running = running.clone();
            running.deployments[0].created_at = at(200);
            let all = [ServiceDeployment { finished_at: at(finished), ..followed("ROLLBACK_SUCCESSFUL") }];
            let evidence = Evidence { deployments: &all, ..Evidence::default() };
            let found = format!("{:?}", rollout_with(&running, Some(&wanted()), &evidence));
            assert!(found.starts_with(expected), "{finished}: {found}");
        }
        let hook = Hook { id: "h".into(), status: "AWAITING_ACTION".into(), pause: true, ..Hook::default() };
        let all = [ServiceDeployment { hooks: vec![hook], ..followed("IN_PROGRESS") }];
        let evidence = Evidence { deployments: &all, ..Evidence::default() };
        assert!(matches!(rollout_with(&running, Some(&wanted()), &evidence), Rollout::Waiting { .. }));
    }

    #[test]
    fn ecs_goes_back_to_what_ran_before() {
        let before = Arn::from("arn:aws:ecs:r:1:task-definition/f:1");
        let running = facts(2, vec![deployment("PRIMARY", 2, "IN_PROGRESS", 1)]);
        let of = |status: &str, target: &Arn, asked: &Arn| {
            let sources = vec![before.clone()];
            let all = [ServiceDeployment { sources, task_definition: Some(target.clone()), ..followed(status) }];
            let evidence = Evidence { deployments: &all, ..Evidence::default() };
            format!("{:?}", rollout_with(&running, Some(asked), &evidence))
        };
        assert!(of("ROLLBACK_REQUESTED", &wanted(), &before).contains("ECS goes back to it"));
        assert!(of("ROLLBACK_IN_PROGRESS", &wanted(), &wanted()).starts_with("Failed"));
        assert!(of("IN_PROGRESS", &wanted(), &before).starts_with("Failed"));
        assert!(of("ROLLBACK_IN_PROGRESS", &before, &before).starts_with("Failed"), "the same was deployed anew");
    }

    #[test]
    fn time_is_counted_where_ecs_alone_takes_it() {
        let began = Timestamp::from_second(100).ok();
        let going = ServiceDeployment { created_at: began, ..followed("IN_PROGRESS") };
        assert_eq!(going.counted_from(), began);
        let ended = ServiceDeployment { finished_at: began, ..going.clone() };
        assert_eq!(ended.counted_from(), None, "it came up once");
        let hook = |pause| Hook { pause, status: "SUCCEEDED".into(), ..Hook::default() };
        let approved = ServiceDeployment { hooks: vec![hook(true)], ..going.clone() };
        assert_eq!(approved.counted_from(), None, "nobody knows how long it waited");
        let checked = ServiceDeployment { hooks: vec![hook(false)], ..going };
        assert_eq!(checked.counted_from(), began);
    }

    #[test]
    fn a_rollout_may_take_as_long_as_git_says() {
        let began: Timestamp = "2026-11-25T14:00:00Z".parse().unwrap();
        let going = |note: Option<&str>| Rollout::InProgress {
            running: 1,
            desired: 2,
            failed: 3,
            note: note.map(str::to_owned),
        };
        let limit = Some(SignedDuration::from_mins(20));
        let at = |minutes| began + SignedDuration::from_mins(minutes);
        assert_eq!(in_time(going(None), Some(began), limit, at(20)), going(None));
        assert_eq!(in_time(going(None), None, limit, at(21)), going(None), "nobody knows when it began");
        assert_eq!(in_time(going(None), Some(began), None, at(21)), going(None));
        assert_eq!(in_time(Rollout::Completed, Some(began), limit, at(21)), Rollout::Completed);
        let Rollout::Failed { reason, .. } =
            in_time(going(Some("3 tasks stopped: container web exited with code 1")), Some(began), limit, at(21))
        else {
            panic!("it takes too long");
        };
        assert_eq!(
            reason,
            "not live after 20m (rollout.timeout), and ECS goes on: 1 of 2 new tasks run; 3 tasks stopped: container web \
             exited with code 1"
        );
    }
}
