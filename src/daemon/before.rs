//! The ends of one-off tasks before rollouts, written down in AWS: ECS shows a stopped task for an hour only.

use crate::aws::apply::apply;
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::before::End;
use crate::core::id::Arn;
use crate::core::observed::Live;
use crate::core::plan::ServicePlan;

/// Writes down what a plan saw of ends, whatever holds it; gives those that are noted now. What could not be noted is seen
/// again by the next look, within the hour.
pub async fn note<'p>(observer: &Observer, plan: &'p ServicePlan, service: Option<&Live>) -> Vec<&'p End> {
    let mut noted = Vec::new();
    for end in &plan.before.ends {
        let done = apply(&observer.clients, &end.note, end.note.input.document.clone(), Priority::Commit).await;
        // Revisions are read once: their tags have changed.
        observer.cache.forget_revision(&Arn::from(&*end.note.target.name));
        match done {
            Ok(_) => noted.push(end),
            Err(error) => {
                tracing::warn!(event = "not_noted", service = %plan.id.service, %error, "{end}: that could not be noted in AWS");
                return noted;
            }
        }
    }
    let failed = service.filter(|_| plan.before.failed).and_then(|live| plan.mark_failed(live));
    if let Some(action) = failed
        && let Err(error) = apply(&observer.clients, &action, action.input.document.clone(), Priority::Commit).await
    {
        tracing::warn!(event = "not_noted", service = %plan.id.service, %error, "the failed task could not be noted in AWS");
    }
    noted
}
