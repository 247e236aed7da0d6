//! What a closed deploy window holds back, and what it lets finish.

use super::{Applied, Cause, Hold, Note, Planner};
use crate::core::action::Call;
use crate::core::window::{Closed, closed};

impl Planner<'_> {
    /// What a closed deploy window holds: all but what had begun before, a rollback, and what somebody goes past it with.
    pub(super) fn window(&mut self) -> Option<Hold> {
        if self.plan.steps.is_empty() {
            return None;
        }
        let Closed { why: window, until } = closed(&self.declared.sync.windows, self.inputs.now)?;
        if self.has_begun() {
            self.note(Note::WindowClosedBehind { window });
            return None;
        }
        // Who goes back has said why; drift of what was gone back to waits like all drift.
        let rollback = self.plan.rolled_back.as_ref().filter(|_| self.plan.cause == Cause::Deploy);
        let rollback = rollback.map(|rolled| format!("rollback: {}", rolled.why));
        match rollback.or_else(|| self.inputs.policy.override_window.map(str::to_owned)) {
            Some(reason) => {
                self.note(Note::WindowOverridden { window, reason });
                None
            }
            None => Some(Hold::WindowClosed { window, until }),
        }
    }

    /// Whether this plan goes on with what an earlier one began. This process remembers that; another one sees it in AWS
    /// as far as no other task definition is to be run: that would be a rollout of its own. Where nothing is left but to
    /// write down from which declaration, all else was done.
    fn has_begun(&self) -> bool {
        if let Some(digest) = &self.memory.begun {
            return *digest == self.plan.digest;
        }
        let calls = |call: Call| self.plan.steps.iter().filter(move |step| step.action.call == call);
        let runs_another = calls(Call::RegisterTaskDefinition).next().is_some()
            || calls(Call::UpdateService).any(|step| step.action.input.document.get("taskDefinition").is_some());
        let only_tags = self.plan.changes.is_empty() && calls(Call::TagEcs).count() == self.plan.steps.len();
        let other = |applied: &Applied| applied.digest != self.plan.short_digest();
        let written_down = only_tags && self.live_applied().as_ref().is_some_and(other);
        written_down || (self.begun && !runs_another)
    }
}
