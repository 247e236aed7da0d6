//! What was written and is not seen yet. AWS shows a write some time after it was accepted (ECS "follows an eventual
//! consistency model"), and sometimes nobody knows whether it was accepted: neither is a reason to write twice.

use crate::core::id::{Arn, ServiceName, StepId};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long an accepted write is believed although AWS shows the state before it. Longer than any staleness that ECS
/// was seen with; after it what is read counts again.
const ACCEPTED_FOR: Duration = Duration::from_secs(60);
/// How long a write without an answer is waited for before it is sent again.
const UNCLEAR_FOR: Duration = Duration::from_secs(15);

/// The writes of one environment that may not be visible yet.
#[derive(Debug, Default)]
pub struct Intents(BTreeMap<(ServiceName, StepId), Intent>);

#[derive(Debug, Clone)]
struct Intent {
    digest: String,
    at: Instant,
    /// `None` while the outcome is unknown.
    accepted: Option<Option<Arn>>,
}

/// What is known of a write that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: send it.
    Nothing,
    /// The same was accepted moments ago, and made this.
    Accepted(Option<Arn>),
    /// The same was sent moments ago, and nobody knows what came of it.
    Unclear,
}

impl Intents {
    /// What is known of writing `digest`.
    pub fn known(&self, service: &ServiceName, step: &StepId, digest: &str, now: Instant) -> Known {
        let Some(intent) = self.0.get(&(service.clone(), step.clone())).filter(|intent| intent.digest == digest) else {
            return Known::Nothing;
        };
        let age = now.duration_since(intent.at);
        match &intent.accepted {
            Some(made) if age < ACCEPTED_FOR => Known::Accepted(made.clone()),
            None if age < UNCLEAR_FOR => Known::Unclear,
            Some(_) | None => Known::Nothing,
        }
    }

    /// Notes a write before it is sent: from here on its outcome is unknown.
    pub fn begin(&mut self, service: &ServiceName, step: &StepId, digest: String, now: Instant) {
        self.0.insert((service.clone(), step.clone()), Intent { digest, at: now, accepted: None });
    }

    /// The write was accepted.
    pub fn accepted(&mut self, service: &ServiceName, step: &StepId, made: Option<Arn>) {
        if let Some(intent) = self.0.get_mut(&(service.clone(), step.clone())) {
            intent.accepted = Some(made);
        }
    }

    /// The write was refused: nothing of it exists.
    pub fn refused(&mut self, service: &ServiceName, step: &StepId) {
        self.0.remove(&(service.clone(), step.clone()));
    }

    /// AWS agrees with git: what was written is seen.
    pub fn seen(&mut self, service: &ServiceName) {
        self.0.retain(|(name, _), _| name != service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_not_sent_twice_while_its_effect_may_be_hidden() {
        let (service, step, now) = (ServiceName::from("a"), StepId::from("UpdateService"), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut intents = Intents::default();
        intents.begin(&service, &step, "1".into(), now);
        assert_eq!(intents.known(&service, &step, "1", after(14)), Known::Unclear);
        assert_eq!(intents.known(&service, &step, "1", after(15)), Known::Nothing);
        assert_eq!(intents.known(&service, &step, "2", after(1)), Known::Nothing);
        intents.accepted(&service, &step, Some("arn".into()));
        assert_eq!(intents.known(&service, &step, "1", after(59)), Known::Accepted(Some("arn".into())));
        assert_eq!(intents.known(&service, &step, "1", after(60)), Known::Nothing);
        intents.seen(&service);
        assert_eq!(intents.known(&service, &step, "1", after(1)), Known::Nothing);
    }
}
