//! What the facts of a service's deployments mean. "Stable" is not "live": every part of the sentence is looked at.

use super::id::Arn;
use super::observed::ServiceFacts;
use serde::Serialize;

/// How the rollout of what a service should run is getting on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rollout", rename_all = "camelCase")]
pub enum Rollout {
    /// One completed deployment of the wanted revision, with all of its tasks running.
    Completed,
    /// On its way.
    InProgress {
        /// Tasks of the new deployment that run.
        running: i32,
        /// Tasks that are to run.
        desired: i32,
        /// Tasks that failed so far.
        failed: i32,
    },
    /// ECS gave up, or runs something else than what was asked for.
    Failed {
        /// In ECS's words, where it has any.
        reason: String,
    },
}

/// Reads the deployments against the revision that should run (`None`: whatever the service is set to).
pub fn rollout(facts: &ServiceFacts, wanted: Option<&Arn>) -> Rollout {
    let wanted = wanted.or(facts.task_definition.as_ref());
    let state = |deployment: &super::observed::Deployment| deployment.rollout_state.clone().unwrap_or_default();
    let failed = facts.deployments.iter().find(|d| d.task_definition.as_ref() == wanted && state(d) == "FAILED");
    if let Some(failed) = failed {
        return Rollout::Failed { reason: failed.reason.clone().unwrap_or_else(|| "ECS says FAILED".into()) };
    }
    let Some(primary) = facts.primary() else {
        // EXTERNAL and CODE_DEPLOY services have task sets: the counts are all there is.
        return match facts.running == facts.desired && facts.pending == 0 {
            true => Rollout::Completed,
            false => Rollout::InProgress { running: facts.running, desired: facts.desired, failed: 0 },
        };
    };
    if primary.task_definition.is_some() && primary.task_definition.as_ref() != wanted {
        let reason = primary.reason.clone().filter(|reason| reason.contains("roll"));
        let reason = reason.unwrap_or_else(|| "the service runs another revision".into());
        return Rollout::Failed { reason };
    }
    let others = facts.deployments.iter().filter(|d| d.status != "INACTIVE").count() > 1;
    // Deployments of other controllers have no rollout state.
    let completed = primary.rollout_state.as_deref().is_none_or(|state| state == "COMPLETED");
    if completed && !others && facts.running == facts.desired && facts.pending == 0 {
        return Rollout::Completed;
    }
    Rollout::InProgress { running: primary.running, desired: primary.desired, failed: primary.failed }
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
        }
    }

    fn facts(running: i32, deployments: Vec<Deployment>) -> ServiceFacts {
        ServiceFacts { status: "ACTIVE".into(), desired: 2, running, deployments, ..ServiceFacts::default() }
    }

    #[test]
    fn live_is_strict() {
        let wanted = Arn::from("arn:aws:ecs:r:1:task-definition/f:2");
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
        ];
        for (facts, expected) in cases {
            let found = rollout(&facts, Some(&wanted));
            assert!(format!("{found:?}").starts_with(expected), "{found:?} is not {expected}: {facts:?}");
        }
    }
}
