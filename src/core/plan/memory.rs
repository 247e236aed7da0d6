//! What is remembered of a service between two plans.

use super::{ServicePlan, Step};
use crate::core::action::Call;
use crate::core::id::Arn;
use crate::core::image::Digests;
use crate::core::log_lines::LogLines;
use crate::core::observed::ServiceFacts;
use jiff::Timestamp;

/// What is remembered of a service between two plans. Disposable: without it a plan is careful, not wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// The digest of what was last seen in sync, or was applied.
    pub applied: Option<String>,
    /// When drift was last corrected.
    pub corrected_at: Option<Timestamp>,
    /// What ECS could not bring up: the digest, and why.
    pub failed: Option<(String, String)>,
    /// The revision that was registered and not deployed yet: nothing has failed that ECS was not asked for.
    pub registered: Option<Arn>,
    /// The revision that was asked for and has not been live yet.
    pub rolling: Option<Arn>,
    /// The declaration whose images were missing when it was last looked at, and since when they are waited for.
    pub awaited: Option<(String, Timestamp)>,
    /// The images that the service was last deployed anew for, because tags moved: not twice for the same.
    pub redeployed: Digests,
    /// When the newest of those secrets was changed for which the service was last deployed anew.
    pub rotated: Option<Timestamp>,
    /// ECS's id of the deployment that was last seen completed, and the images that it brought up.
    pub runs: Option<(String, Digests)>,
    /// The digest of what git declared when all was last seen in sync, with it or with what was gone back to.
    pub settled: Option<String>,
    /// The revision whose failed tasks' log was looked at, and what the last of them wrote, where that could be read.
    pub last_lines: Option<(Arn, Option<LogLines>)>,
    /// The digest of what was begun and not seen in sync since: it may be finished when its deploy window has closed.
    pub begun: Option<String>,
}

impl Memory {
    /// Notes since when images of a declaration are waited for.
    pub fn await_images(&mut self, plan: &ServicePlan) {
        self.awaited = plan.awaits_image().map(|since| (plan.digest.clone(), since));
    }

    /// Notes a step that was done, with the ARN of what it made.
    pub fn done(&mut self, plan: &ServicePlan, step: &Step, arn: Option<&Arn>) {
        match step.action.call {
            Call::RegisterTaskDefinition => self.registered = arn.cloned(),
            Call::CreateService | Call::UpdateService if step.action.input.document.get("taskDefinition").is_some() => {
                self.rolling = plan.task_definition.clone().or_else(|| self.registered.take());
            }
            _ => {}
        }
    }

    /// Notes a plan that was carried out to its end.
    pub fn carried_out(&mut self, plan: &ServicePlan) {
        self.applied = Some(plan.digest.clone());
        self.deployed_anew(plan);
        self.rolling = plan.task_definition.clone().or(self.rolling.take());
    }

    fn deployed_anew(&mut self, plan: &ServicePlan) {
        let anew: Digests = plan.redeployed().map(|(container, now)| (container.to_owned(), now.to_owned())).collect();
        if !anew.is_empty() {
            self.redeployed = anew;
        }
        self.rotated = plan.rotated().or(self.rotated);
    }

    /// What the last task of a revision wrote that failed.
    pub fn last_lines_of(&self, revision: Option<&Arn>) -> Option<&LogLines> {
        self.last_lines.as_ref().filter(|(ran, _)| Some(ran) == revision)?.1.as_ref()
    }

    /// The images that a service runs, where they were seen before.
    pub fn runs(&self, facts: &ServiceFacts) -> Option<&Digests> {
        let (deployment, digests) = self.runs.as_ref()?;
        let same = facts.primary().is_some_and(|primary| primary.id == *deployment);
        (same && !facts.is_rolling_out()).then_some(digests)
    }
}
