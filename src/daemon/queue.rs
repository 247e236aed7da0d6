//! Which service is looked at when: one entry a service, one run per service at a time. Time is an argument.

use crate::core::id::ServiceId;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// The services that are due, or will be.
#[derive(Debug, Default)]
pub struct Queue {
    due: BTreeMap<ServiceId, Instant>,
    running: BTreeSet<ServiceId>,
}

impl Queue {
    /// Asks for a look at `service` at `at`. The earlier of two requests wins; of a service that is being looked at the
    /// request waits for the end of the run.
    pub fn request(&mut self, service: ServiceId, at: Instant) {
        let due = self.due.entry(service).or_insert(at);
        *due = (*due).min(at);
    }

    /// Takes up to `most` services that are due, the longest waiting first, and marks them as running.
    pub fn take(&mut self, now: Instant, most: usize) -> Vec<ServiceId> {
        let mut ready: Vec<(Instant, ServiceId)> = self
            .due
            .iter()
            .filter(|(service, at)| **at <= now && !self.running.contains(*service))
            .map(|(service, at)| (*at, service.clone()))
            .collect();
        ready.sort();
        ready.truncate(most);
        for (_, service) in &ready {
            self.due.remove(service);
            self.running.insert(service.clone());
        }
        ready.into_iter().map(|(_, service)| service).collect()
    }

    /// The run is over, however it ended.
    pub fn done(&mut self, service: &ServiceId) {
        self.running.remove(service);
    }

    /// When the next service that is not running is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.iter().filter(|(service, _)| !self.running.contains(*service)).map(|(_, at)| *at).min()
    }

    /// Takes back what was asked for a service.
    pub fn forget(&mut self, service: &ServiceId) {
        self.due.remove(service);
    }

    /// How many services are being looked at.
    pub fn running(&self) -> usize {
        self.running.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn id(name: &str) -> ServiceId {
        ServiceId { cluster: "c".into(), service: name.into() }
    }

    #[test]
    fn one_run_per_service_and_the_earlier_request_wins() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let later = now + Duration::from_secs(60);
        queue.request(id("a"), later);
        queue.request(id("a"), now);
        queue.request(id("b"), later);
        assert_eq!(queue.take(now, 10), [id("a")]);
        // Asked again while it runs: it waits for the end.
        queue.request(id("a"), now);
        assert_eq!(queue.take(now, 10), []);
        assert_eq!(queue.next(), Some(later));
        queue.done(&id("a"));
        assert_eq!(queue.next(), Some(now));
        assert_eq!(queue.take(later, 1), [id("a")]);
        assert_eq!(queue.take(later, 1), [id("b")]);
        assert_eq!(queue.running(), 2);
    }
}
