//! Client-side pacing: AWS's documented token buckets, kept here, so that a call is late rather than refused.
//!
//! ```text
//! admit(operation, priority) -> queue (by priority, then by arrival) -> tokens of the bucket and of those it lies in -> go
//! ```
//!
//! Background work (drift, sweep) has only a share of every bucket, so that a commit always finds tokens. Other clients
//! of the account use the same buckets: a throttle halves ours, and it recovers by 5 % of the documented rate a second.

use super::call::Operation;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How much a call matters. The more urgent goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Reading back what was written: somebody waits for it, and the next write depends on it.
    VerifyWrite,
    /// What a commit changed.
    Commit,
    /// Finding and repairing drift.
    Drift,
    /// The slow round over everything. Gets at least one turn in ten.
    Sweep,
}

impl Priority {
    fn is_background(self) -> bool {
        match self {
            Priority::VerifyWrite | Priority::Commit => false,
            Priority::Drift | Priority::Sweep => true,
        }
    }
}

/// A bucket of requests that AWS counts together, for one account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// ECS cluster reads.
    EcsClusterRead,
    /// ECS task definition registrations and deregistrations.
    EcsTaskDefinitionModify,
    /// ECS DeleteTaskDefinitions and other deletes.
    EcsDelete,
    /// ECS task definition reads.
    EcsTaskDefinitionRead,
    /// ECS tag writes.
    EcsTagModify,
    /// ECS tag reads.
    EcsTagRead,
    /// ECS RunTask, StopTask.
    EcsTaskModify,
    /// ECS ListTasks, DescribeTasks.
    EcsTaskRead,
    /// ECS service writes.
    EcsServiceModify,
    /// ECS DescribeServices and ListServices together.
    EcsServiceRead,
    /// ECS service deployments.
    EcsDeployment,
    /// ECS service revisions.
    EcsRevision,
    /// Every ELBv2 action of the account and region.
    Elb,
    /// ELBv2 describes, inside `Elb`.
    ElbRead,
    /// ELBv2 writes, inside `Elb`.
    ElbModify,
    /// CloudWatch DescribeAlarms.
    AlarmRead,
    /// CloudWatch PutMetricAlarm, DeleteAlarms.
    AlarmModify,
    /// Secrets Manager DescribeSecret and GetSecretValue together.
    SecretRead,
    /// Anything of a service whose rates are not published, or that is called rarely.
    Other(&'static str),
}

/// Burst in requests, refill in requests a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The size of the bucket.
    pub burst: f64,
    /// How fast it fills again.
    pub per_second: f64,
}

impl Bucket {
    /// The documented rate.
    pub const fn rate(self) -> Rate {
        let (burst, per_second) = match self {
            // "Request throttling for the Amazon ECS API", ECS API reference.
            Bucket::EcsClusterRead => (50.0, 20.0),
            Bucket::EcsTaskDefinitionModify => (20.0, 1.0),
            Bucket::EcsDelete => (5.0, 1.0),
            Bucket::EcsTaskDefinitionRead => (50.0, 20.0),
            Bucket::EcsTagModify => (20.0, 10.0),
            Bucket::EcsTagRead => (50.0, 20.0),
            Bucket::EcsTaskModify => (100.0, 40.0),
            Bucket::EcsTaskRead => (100.0, 20.0),
            Bucket::EcsServiceModify => (50.0, 5.0),
            Bucket::EcsServiceRead => (100.0, 20.0),
            Bucket::EcsDeployment => (50.0, 20.0),
            Bucket::EcsRevision => (50.0, 20.0),
            // "Request throttling for the Elastic Load Balancing API".
            Bucket::Elb => (40.0, 10.0),
            Bucket::ElbRead => (40.0, 10.0),
            Bucket::ElbModify => (20.0, 3.0),
            // "CloudWatch service quotas": requests a second, no burst said.
            Bucket::AlarmRead => (9.0, 9.0),
            Bucket::AlarmModify => (3.0, 3.0),
            // "AWS Secrets Manager quotas": requests a second, no burst said. Tasks that start use it, too.
            Bucket::SecretRead => (10_000.0, 10_000.0),
            // Not published (Application Auto Scaling, Cloud Map) or called rarely: begin low.
            Bucket::Other(_) => (20.0, 5.0),
        };
        Rate { burst, per_second }
    }

    /// The bucket that this one lies in: both give a token.
    pub const fn within(self) -> Option<Bucket> {
        match self {
            Bucket::ElbRead | Bucket::ElbModify => Some(Bucket::Elb),
            Bucket::EcsClusterRead | Bucket::EcsTaskDefinitionModify | Bucket::EcsDelete => None,
            Bucket::EcsTaskDefinitionRead | Bucket::EcsTagModify | Bucket::EcsTagRead => None,
            Bucket::EcsTaskModify | Bucket::EcsTaskRead | Bucket::EcsServiceModify => None,
            Bucket::EcsServiceRead | Bucket::EcsDeployment | Bucket::EcsRevision => None,
            Bucket::Elb | Bucket::AlarmRead | Bucket::AlarmModify | Bucket::SecretRead | Bucket::Other(_) => None,
        }
    }

    /// The bucket of an operation.
    pub fn of(operation: Operation) -> Bucket {
        let listed =
            OPERATIONS.iter().find(|(service, name, _)| *service == operation.service && *name == operation.name);
        match (listed, operation.service) {
            (Some((_, _, bucket)), _) => *bucket,
            (None, "elbv2") if operation.name.starts_with("Describe") => Bucket::ElbRead,
            (None, "elbv2") => Bucket::ElbModify,
            (None, service) => Bucket::Other(service),
        }
    }

    fn chain(self) -> impl Iterator<Item = Bucket> {
        [Some(self), self.within()].into_iter().flatten()
    }
}

/// Which bucket an operation takes from, by the groups of the pages named above.
pub const OPERATIONS: &[(&str, &str, Bucket)] = &[
    ("ecs", "DescribeClusters", Bucket::EcsClusterRead),
    ("ecs", "ListClusters", Bucket::EcsClusterRead),
    ("ecs", "RegisterTaskDefinition", Bucket::EcsTaskDefinitionModify),
    ("ecs", "DeregisterTaskDefinition", Bucket::EcsTaskDefinitionModify),
    ("ecs", "DeleteTaskDefinitions", Bucket::EcsDelete),
    ("ecs", "DescribeTaskDefinition", Bucket::EcsTaskDefinitionRead),
    ("ecs", "ListTaskDefinitions", Bucket::EcsTaskDefinitionRead),
    ("ecs", "ListTaskDefinitionFamilies", Bucket::EcsTaskDefinitionRead),
    ("ecs", "TagResource", Bucket::EcsTagModify),
    ("ecs", "UntagResource", Bucket::EcsTagModify),
    ("ecs", "ListTagsForResource", Bucket::EcsTagRead),
    ("ecs", "RunTask", Bucket::EcsTaskModify),
    ("ecs", "StopTask", Bucket::EcsTaskModify),
    ("ecs", "ListTasks", Bucket::EcsTaskRead),
    ("ecs", "DescribeTasks", Bucket::EcsTaskRead),
    ("ecs", "CreateService", Bucket::EcsServiceModify),
    ("ecs", "UpdateService", Bucket::EcsServiceModify),
    ("ecs", "DeleteService", Bucket::EcsServiceModify),
    ("ecs", "DescribeServices", Bucket::EcsServiceRead),
    ("ecs", "ListServices", Bucket::EcsServiceRead),
    ("ecs", "DescribeServiceDeployments", Bucket::EcsDeployment),
    ("ecs", "ListServiceDeployments", Bucket::EcsDeployment),
    ("ecs", "StopServiceDeployment", Bucket::EcsDeployment),
    ("ecs", "ContinueServiceDeployment", Bucket::EcsDeployment),
    ("ecs", "DescribeServiceRevisions", Bucket::EcsRevision),
    ("cloudwatch", "DescribeAlarms", Bucket::AlarmRead),
    ("cloudwatch", "PutMetricAlarm", Bucket::AlarmModify),
    ("cloudwatch", "DeleteAlarms", Bucket::AlarmModify),
    ("secretsmanager", "DescribeSecret", Bucket::SecretRead),
];

/// How much of the documented rates is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Of all calls together. Below one, because AWS's clock and ours differ and answers take time; at 0.95 no call was
    /// throttled in measurements.
    pub total: f64,
    /// Of background calls (drift, sweep): other clients of the account need the rest.
    pub background: f64,
}

impl Default for Share {
    fn default() -> Self {
        Self { total: 0.95, background: 0.25 }
    }
}

/// The pace never falls below this part of the documented rate, so that recovery is noticed.
const FACTOR_MIN: f64 = 0.05;
/// How much of the documented rate comes back each second after a throttle.
const RECOVERY_PER_SECOND: f64 = 0.05;
/// Throttles of calls that were under way together count once.
const THROTTLE_WINDOW: Duration = Duration::from_secs(1);
/// After so many turns given to others a waiting sweep gets one.
const TURNS_BEFORE_SWEEP: u32 = 9;

/// Holds calls back until their bucket has a token. One for each account and region.
#[derive(Debug)]
pub struct Pacer {
    share: Share,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    levels: HashMap<Bucket, Level>,
    waiting: BTreeMap<Ticket, Waiter>,
    next: u64,
}

/// The place in the queue: the more urgent first, then the earlier.
type Ticket = (Priority, u64);

#[derive(Debug)]
struct Waiter {
    bucket: Bucket,
    go: oneshot::Sender<()>,
}

/// How full a bucket is.
#[derive(Debug)]
struct Level {
    tokens: f64,
    /// What background calls may still take.
    background: f64,
    /// From [`FACTOR_MIN`] to 1: the part of our share that a throttle left.
    factor: f64,
    filled: Instant,
    throttled: Option<Instant>,
    /// Turns given to others while a sweep was waiting.
    passed_over: u32,
}

impl Level {
    fn full(bucket: Bucket, share: Share, now: Instant) -> Self {
        let Rate { burst, .. } = bucket.rate();
        let background = (burst * share.background).max(1.0);
        Self {
            tokens: (burst * share.total).max(1.0),
            background,
            factor: 1.0,
            filled: now,
            throttled: None,
            passed_over: 0,
        }
    }

    fn fill(&mut self, bucket: Bucket, share: Share, now: Instant) {
        let Rate { burst, per_second } = bucket.rate();
        let seconds = now.duration_since(self.filled).as_secs_f64();
        let recovered = (self.factor + RECOVERY_PER_SECOND * seconds).min(1.0);
        let filled = per_second * seconds * (self.factor + recovered) / 2.0;
        self.tokens = (self.tokens + filled * share.total).min((burst * share.total).max(1.0));
        self.background = (self.background + filled * share.background).min((burst * share.background).max(1.0));
        self.factor = recovered;
        self.filled = now;
    }

    fn has(&self, priority: Priority) -> bool {
        // Filling in small steps may end a hair below one.
        const ONE: f64 = 1.0 - 1e-9;
        self.tokens >= ONE && (!priority.is_background() || self.background >= ONE)
    }

    fn take(&mut self, priority: Priority) {
        self.tokens -= 1.0;
        if priority.is_background() {
            self.background -= 1.0;
        }
    }

    /// How long until call number `place` of this priority has its token, at the present pace.
    fn until(&self, bucket: Bucket, share: Share, priority: Priority, place: usize) -> Duration {
        let Rate { per_second, .. } = bucket.rate();
        let wait = |tokens: f64, share: f64| (place as f64 - tokens) / (per_second * share * self.factor);
        let own = wait(self.tokens, share.total);
        let background = if priority.is_background() { wait(self.background, share.background) } else { 0.0 };
        Duration::from_secs_f64(own.max(background).clamp(0.0, 60.0))
    }
}

impl Pacer {
    /// All buckets full.
    pub fn new(share: Share) -> Self {
        Self { share, state: Mutex::default() }
    }

    /// Waits for the operation's turn. Dropping it gives the place up.
    pub async fn admit(&self, operation: Operation, priority: Priority) {
        let bucket = Bucket::of(operation);
        let (go, mut turn) = oneshot::channel();
        let ticket = {
            let mut state = self.lock();
            let ticket = (priority, state.next);
            state.next += 1;
            state.waiting.insert(ticket, Waiter { bucket, go });
            ticket
        };
        loop {
            let wait = {
                let mut state = self.lock();
                state.grant(self.share, Instant::now());
                state.wait(self.share, ticket, bucket)
            };
            let Some(wait) = wait else { return };
            // Whoever grants first wakes us; a channel that closed was granted to us, too.
            if tokio::time::timeout(wait, &mut turn).await.is_ok() {
                return;
            }
        }
    }

    /// AWS refused a call for its rate: the pace of its buckets halves.
    pub fn throttled(&self, operation: Operation) {
        let now = Instant::now();
        let mut state = self.lock();
        for bucket in Bucket::of(operation).chain() {
            let level = state.level(bucket, self.share, now);
            if level.throttled.is_none_or(|last| now.duration_since(last) >= THROTTLE_WINDOW) {
                level.throttled = Some(now);
                level.factor = (level.factor / 2.0).max(FACTOR_MIN);
                // AWS's bucket is empty, whatever ours says.
                level.tokens = level.tokens.min(0.0);
                level.background = level.background.min(0.0);
            }
        }
    }

    /// The part of its share at which a bucket runs now, for the metrics: 1 when nothing was throttled lately.
    pub fn factor(&self, bucket: Bucket) -> f64 {
        self.lock().level(bucket, self.share, Instant::now()).factor
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way; a poisoned lock is still a good one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn level(&mut self, bucket: Bucket, share: Share, now: Instant) -> &mut Level {
        let level = self.levels.entry(bucket).or_insert_with(|| Level::full(bucket, share, now));
        level.fill(bucket, share, now);
        level
    }

    /// Gives every token that there is to those who wait, in order.
    fn grant(&mut self, share: Share, now: Instant) {
        // Those who gave up keep no place.
        self.waiting.retain(|_, waiter| !waiter.go.is_closed());
        let due = |(ticket, waiter): (&Ticket, &Waiter), levels: &HashMap<Bucket, Level>| {
            let passed_over = levels.get(&waiter.bucket).map_or(0, |level| level.passed_over);
            ticket.0 == Priority::Sweep && passed_over >= TURNS_BEFORE_SWEEP
        };
        let mut order: Vec<(Ticket, Bucket)> = self.waiting.iter().map(|(t, w)| (*t, w.bucket)).collect();
        if let Some(first) = self.waiting.iter().position(|entry| due(entry, &self.levels)) {
            order[..=first].rotate_right(1);
        }
        for (ticket, bucket) in order {
            if bucket.chain().all(|bucket| self.level(bucket, share, now).has(ticket.0)) {
                bucket.chain().for_each(|bucket| self.level(bucket, share, now).take(ticket.0));
                self.count_turn(ticket, bucket);
                // Whoever dropped the other end between the two lines has wasted one token.
                self.waiting.remove(&ticket).map(|waiter| waiter.go.send(()));
            }
        }
    }

    fn count_turn(&mut self, ticket: Ticket, bucket: Bucket) {
        let sweep = |(other, waiter): (&Ticket, &Waiter)| other.0 == Priority::Sweep && waiter.bucket == bucket;
        let others = ticket.0 != Priority::Sweep && self.waiting.iter().any(sweep);
        if let Some(level) = self.levels.get_mut(&bucket) {
            level.passed_over = if others { level.passed_over + 1 } else { 0 };
        }
    }

    /// How long until this ticket may have its turn; `None` when it had it.
    fn wait(&mut self, share: Share, ticket: Ticket, bucket: Bucket) -> Option<Duration> {
        self.waiting.get(&ticket)?;
        let longest = bucket.chain().map(|bucket| {
            let ahead =
                self.waiting.range(..ticket).filter(|(_, w)| w.bucket.chain().any(|other| other == bucket)).count();
            self.levels.get(&bucket).map_or(Duration::ZERO, |level| level.until(bucket, share, ticket.0, ahead + 1))
        });
        // Never a hot loop, and never asleep through a recovery.
        Some(longest.max().unwrap_or_default().clamp(Duration::from_millis(1), Duration::from_secs(5)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const UPDATE: Operation = Operation::write("ecs", "UpdateService");
    const REGISTER: Operation = Operation::write("ecs", "RegisterTaskDefinition");
    const RULES: Operation = Operation::read("elbv2", "DescribeRules");
    const CREATE_RULE: Operation = Operation::write("elbv2", "CreateRule");

    /// All of the documented rates, for round figures.
    fn pacer(background: f64) -> Arc<Pacer> {
        Arc::new(Pacer::new(Share { total: 1.0, background }))
    }

    /// Admits `count` calls at once and gives the seconds at which each was let go, in that order.
    async fn admitted(pacer: &Arc<Pacer>, operation: Operation, priority: Priority, count: usize) -> Vec<f64> {
        let start = Instant::now();
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..count {
            let pacer = Arc::clone(pacer);
            calls.spawn(async move {
                pacer.admit(operation, priority).await;
                start.elapsed().as_secs_f64()
            });
        }
        let mut times = calls.join_all().await;
        times.sort_by(f64::total_cmp);
        times
    }

    #[test]
    fn every_operation_has_the_bucket_that_is_documented() {
        for (service, name, bucket) in OPERATIONS {
            assert_eq!(Bucket::of(Operation::read(service, name)), *bucket);
        }
        assert_eq!(Bucket::of(RULES), Bucket::ElbRead);
        assert_eq!(Bucket::of(CREATE_RULE), Bucket::ElbModify);
        assert_eq!(CREATE_RULE.name, "CreateRule");
        assert_eq!(Bucket::ElbModify.within(), Some(Bucket::Elb));
        assert_eq!(Bucket::of(Operation::read("autoscaling", "DescribeScalingPolicies")), Bucket::Other("autoscaling"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_burst_goes_at_once_and_the_rest_at_the_rate() {
        let times = admitted(&pacer(0.25), REGISTER, Priority::Commit, 50).await;
        assert!(times[19] < 0.01, "{times:?}");
        assert!((times[49] - 30.0).abs() < 0.2, "one a second after 20: {}", times[49]);
        let update = admitted(&pacer(0.25), UPDATE, Priority::Commit, 100).await;
        assert!((update[99] - 10.0).abs() < 0.2, "five a second after 50: {}", update[99]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_account_bucket_bounds_what_lies_in_it() {
        let pacer = pacer(1.0);
        let reads = admitted(&pacer, RULES, Priority::Commit, 40).await;
        assert!(reads[39] < 0.01);
        // The account's 40 are gone: a write waits although its own bucket is full.
        let writes = admitted(&pacer, CREATE_RULE, Priority::Commit, 20).await;
        assert!((writes[19] - 2.0).abs() < 0.1, "ten a second: {writes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn background_work_has_its_share_and_leaves_the_rest() {
        let pacer = pacer(0.25);
        let background = {
            let pacer = Arc::clone(&pacer);
            tokio::spawn(async move { admitted(&pacer, RULES, Priority::Sweep, 60).await })
        };
        tokio::time::sleep(Duration::from_secs(5)).await;
        let urgent = admitted(&pacer, RULES, Priority::Commit, 25).await;
        assert!(urgent[24] < 0.2, "urgent work does not wait for the sweep: {urgent:?}");
        let times = background.await.unwrap();
        assert!(times[9] < 0.01, "a quarter of the burst: {times:?}");
        assert!((times[59] - 20.0).abs() < 0.5, "a quarter of the rate: {}", times[59]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_more_urgent_goes_first_and_the_sweep_is_not_starved() {
        let pacer = pacer(1.0);
        admitted(&pacer, UPDATE, Priority::Commit, 50).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut calls = tokio::task::JoinSet::new();
        for (priority, count) in [(Priority::Sweep, 5), (Priority::Commit, 30), (Priority::VerifyWrite, 5)] {
            for _ in 0..count {
                let (pacer, order) = (Arc::clone(&pacer), Arc::clone(&order));
                calls.spawn(async move {
                    pacer.admit(UPDATE, priority).await;
                    order.lock().unwrap().push(priority);
                });
            }
        }
        calls.join_all().await;
        let order = order.lock().unwrap();
        assert!(order[..5].iter().all(|p| *p == Priority::VerifyWrite), "{order:?}");
        let first_sweep = order.iter().position(|p| *p == Priority::Sweep).unwrap();
        assert!((9..=10).contains(&first_sweep), "one turn in ten: {first_sweep} of {order:?}");
        assert_eq!(order[..30].iter().filter(|p| **p == Priority::Sweep).count(), 3, "{order:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_halves_the_pace_and_it_recovers() {
        let pacer = pacer(0.25);
        pacer.throttled(UPDATE);
        pacer.throttled(UPDATE);
        assert_eq!(pacer.factor(Bucket::EcsServiceModify), 0.5, "throttles of one moment count once");
        assert_eq!(pacer.factor(Bucket::EcsServiceRead), 1.0, "other buckets go on");
        let times = admitted(&pacer, UPDATE, Priority::Commit, 5).await;
        assert!(times[0] > 0.3 && times[4] > 1.5 && times[4] < 2.1, "about half of five a second: {times:?}");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(pacer.factor(Bucket::EcsServiceModify), 1.0);
        for _ in 0..20 {
            pacer.throttled(UPDATE);
            tokio::time::sleep(THROTTLE_WINDOW).await;
        }
        assert!(pacer.factor(Bucket::EcsServiceModify) >= FACTOR_MIN, "never to a stop");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_keeps_no_place() {
        let pacer = pacer(0.25);
        admitted(&pacer, REGISTER, Priority::Commit, 20).await;
        for _ in 0..100 {
            let given_up =
                tokio::time::timeout(Duration::from_millis(1), pacer.admit(REGISTER, Priority::Commit)).await;
            assert!(given_up.is_err());
        }
        let next = admitted(&pacer, REGISTER, Priority::Commit, 1).await;
        assert!(next[0] <= 1.01, "{next:?}");
        assert!(pacer.lock().waiting.is_empty());
    }
}
