//! Who is looked at when: takes what the sources read, keeps the queue, starts passes, and takes their results.

use super::account::Account;
use super::environment::{Environment, Request};
use super::intents::Intents;
use super::pass::{self, Ended, Pass};
use super::queue::Queue;
use super::recorder::Recorder;
use crate::core::event::What;
use crate::core::id::{ServiceId, ServiceName, SourceName};
use crate::core::plan::Memory;
use crate::core::retry::{Class, backoff, jittered};
use crate::http::Health;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the sources have read and nobody has taken yet; a source waits when it is full.
pub const INBOX_MAX: usize = 16;
/// How many services one pass looks at together: as many as one DescribeServices takes.
const BATCH_MAX: usize = 10;
/// How many services are looked at at once, in all passes together.
const RUNNING_MAX: usize = 40;
/// The loop goes round at least this often, so that `/livez` can tell that it turns.
const TURN: Duration = Duration::from_secs(1);

/// The loop.
pub struct Dispatcher {
    accounts: BTreeMap<SourceName, Arc<Account>>,
    environments: BTreeMap<SourceName, Arc<Environment>>,
    intents: BTreeMap<SourceName, Arc<Mutex<Intents>>>,
    known: BTreeMap<ServiceId, Known>,
    queue: Queue,
    recorder: Arc<Recorder>,
    health: Arc<Health>,
    tasks: TaskTracker,
    seeds: RandomState,
    speed: f64,
    rounds: u64,
}

/// What is known of a service between two passes.
struct Known {
    source: SourceName,
    memory: Memory,
    failures: u32,
}

impl Dispatcher {
    /// A loop that knows nothing yet; time runs `speed` times as fast in AWS's counterpart.
    pub fn new(
        accounts: BTreeMap<SourceName, Arc<Account>>,
        recorder: Arc<Recorder>,
        health: Arc<Health>,
        tasks: TaskTracker,
        speed: f64,
    ) -> Self {
        Self {
            accounts,
            environments: BTreeMap::new(),
            intents: BTreeMap::new(),
            known: BTreeMap::new(),
            queue: Queue::default(),
            recorder,
            health,
            tasks,
            seeds: RandomState::new(),
            speed,
            rounds: 0,
        }
    }

    /// Goes round until `stop`.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Request>, stop: CancellationToken) {
        let (results, mut ended) = mpsc::unbounded_channel::<Ended>();
        loop {
            self.health.turn(jiff::Timestamp::now());
            self.start(&results, &stop);
            let next = self.queue.next().unwrap_or_else(|| Instant::now() + TURN).min(Instant::now() + TURN);
            tokio::select! {
                () = stop.cancelled() => return,
                Some(request) = inbox.recv() => self.take(request),
                Some(ended) = ended.recv() => self.end(ended),
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// A commit was read: every service of it is due, because its desired state may have changed.
    fn take(&mut self, request: Request) {
        let Request { environment, services, gone } = request;
        let source = environment.source.clone();
        for service in gone {
            self.queue.forget(&service);
            self.known.remove(&service);
        }
        for service in services {
            let known = self.known.entry(service.clone());
            let known =
                known.or_insert_with(|| Known { source: source.clone(), memory: Memory::default(), failures: 0 });
            // A new commit is tried at once, however often the one before failed.
            known.failures = 0;
            known.source = source.clone();
            self.queue.request(service, Instant::now());
        }
        self.environments.insert(source, environment);
    }

    /// Starts passes for what is due.
    fn start(&mut self, results: &mpsc::UnboundedSender<Ended>, stop: &CancellationToken) {
        let room = RUNNING_MAX.saturating_sub(self.queue.running());
        let due = self.queue.take(Instant::now(), room);
        let mut by_source: BTreeMap<SourceName, Vec<ServiceId>> = BTreeMap::new();
        for service in due {
            match self.known.get(&service) {
                Some(known) => by_source.entry(known.source.clone()).or_default().push(service),
                None => self.queue.done(&service),
            }
        }
        for (source, services) in by_source {
            for batch in services.chunks(BATCH_MAX) {
                self.start_pass(&source, batch, results, stop);
            }
        }
    }

    fn start_pass(
        &mut self,
        source: &SourceName,
        batch: &[ServiceId],
        results: &mpsc::UnboundedSender<Ended>,
        stop: &CancellationToken,
    ) {
        let (Some(environment), Some(account)) = (self.environments.get(source), self.accounts.get(source)) else {
            batch.iter().for_each(|service| self.queue.done(service));
            return;
        };
        let memory =
            |service: &ServiceId| self.known.get(service).map(|known| known.memory.clone()).unwrap_or_default();
        let memory: BTreeMap<ServiceName, Memory> =
            batch.iter().map(|service| (service.service.clone(), memory(service))).collect();
        let pass = Pass {
            environment: environment.clone(),
            account: account.clone(),
            memory,
            intents: self.intents.entry(source.clone()).or_default().clone(),
            recorder: self.recorder.clone(),
            stop: stop.clone(),
        };
        self.tasks.spawn(pass::run(pass, results.clone(), self.tasks.clone()));
    }

    /// A service was looked at: when next?
    fn end(&mut self, ended: Ended) {
        let Ended { service, memory, next, commit } = ended;
        self.queue.done(&service);
        let Some(known) = self.known.get_mut(&service) else { return };
        known.memory = memory;
        self.rounds += 1;
        let seed = self.seeds.hash_one((&service, self.rounds));
        let wait = match next {
            pass::Next::After(wait) => {
                known.failures = 0;
                wait.div_f64(self.speed)
            }
            pass::Next::Interval | pass::Next::At(_) => {
                known.failures = 0;
                let interval = self.environments.get(&known.source).map(|e| e.drift_interval).unwrap_or(TURN);
                let wait = jittered(interval.div_f64(self.speed), seed);
                match next {
                    pass::Next::At(at) => wait.min(until(at)),
                    _ => wait,
                }
            }
            pass::Next::Retry { why, class } => {
                known.failures = known.failures.saturating_add(1);
                // What keeps changing under us is not raced.
                let wait = backoff(class, known.failures, seed).max(TURN);
                let again_at = jiff::Timestamp::now().checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
                // A stop is no failure of the service; superseded is planned again at once.
                if class != Class::Superseded {
                    let what = What::Failed { service: service.clone(), why, class, again_at };
                    self.recorder.record(&known.source, what);
                }
                wait
            }
        };
        // A commit that came while the pass ran is looked at now.
        let newer = self.environments.get(&known.source).is_some_and(|e| e.commit.revision != commit);
        self.queue.request(service, Instant::now() + if newer { Duration::ZERO } else { wait });
    }
}

/// How long it is until then; no less than a turn of the loop.
fn until(at: jiff::Timestamp) -> Duration {
    let left = at.duration_since(jiff::Timestamp::now());
    Duration::try_from(left).unwrap_or_default().max(TURN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_has_come_is_a_turn_away() {
        let now = jiff::Timestamp::now();
        assert_eq!(until(now - jiff::SignedDuration::from_hours(1)), TURN);
        assert_eq!(until(jiff::Timestamp::MIN), TURN);
        let hour = until(now + jiff::SignedDuration::from_hours(1));
        assert!(hour <= Duration::from_secs(3600) && hour > Duration::from_secs(3590), "{hour:?}");
    }
}
