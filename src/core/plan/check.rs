//! The plan's check of itself: an assertion before execution and in every test.

use super::{Hold, ServicePlan};
use crate::core::action::Call;
use std::collections::BTreeSet;

impl ServicePlan {
    /// Panics when the plan breaks a rule that no plan may break. A panic is confined to the service by the shell.
    ///
    /// - a step comes after every step it waits for, and after what makes the ARNs it lacks;
    /// - no step is there twice: one UpdateService a change;
    /// - a service is created or updated, not both;
    /// - every step carries out something: there is no update without a field;
    /// - nothing is tidied up while anything else is to be done or held.
    pub fn check(&self) {
        let mut done = BTreeSet::new();
        let mut made = BTreeSet::new();
        for step in &self.steps {
            assert!(step.after.iter().all(|id| done.contains(id)), "{} comes before what it waits for", step.id);
            for (at, id) in &step.action.input.late {
                assert!(made.contains(id), "{}: nothing makes the {id} for {at}", step.id);
            }
            assert!(done.insert(step.id.clone()), "{} is planned twice", step.id);
            made.insert(step.action.target.clone());
            if step.action.call == Call::UpdateService {
                let fields = step.action.input.document.as_object().map_or(0, serde_json::Map::len);
                assert!(fields > 2, "{} changes nothing", step.id);
            }
        }
        let busy = !self.steps.is_empty() || !self.holds.is_empty();
        assert!(!busy || self.chores.is_empty(), "{} would be tidied up while it has something to do", self.id);
        let has = |call: Call| self.steps.iter().any(|step| step.action.call == call);
        assert!(
            !(has(Call::CreateService) && has(Call::UpdateService)),
            "{} is created and updated in one plan",
            self.id
        );
        let unreadable = self.holds.iter().any(|hold| matches!(hold, Hold::Unreadable { .. }));
        assert!(!(unreadable && has(Call::CreateService)), "{} would be created without having been seen", self.id);
    }
}
