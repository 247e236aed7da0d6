//! `driftless apply`: plan, carry out, and follow the rollouts to their true end.

use super::load::{Loaded, load};
use super::plan::{connect, plan};
use super::{Exit, Where};
use crate::aws::observe::Observer;
use crate::aws::pace::Priority;
use crate::core::document::check::duration;
use crate::core::id::{Arn, Kind, ResourceId, ServiceName};
use crate::core::observed::ServiceFacts;
use crate::core::plan::text::Header;
use crate::core::plan::{Hold, Memory, Policy, ServicePlan};
use crate::core::retry::{Class, backoff};
use crate::core::rollout::Rollout;
use crate::daemon::before;
use crate::daemon::engine::{followed, look_at_rollouts};
use crate::daemon::execute::{Stop, Writes, execute};
use crate::daemon::lines::keep_last_lines;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often AWS is looked at while rollouts are followed.
const LOOK: Duration = Duration::from_secs(2);
/// How often a step that may succeed on another try is tried.
const ATTEMPTS_MAX: u32 = 8;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Where,
    /// Do not follow the rollouts
    #[arg(long)]
    no_wait: bool,
    /// How long the rollouts are followed
    #[arg(long, default_value = "20m", value_name = "DURATION", value_parser = limit)]
    timeout: Duration,
    /// Delete this service, which left git, with what was made for it; nothing else is applied. Needs --repo, and
    /// sync.prune: true in the service's last declaration
    #[arg(long, value_name = "NAME", requires = "repo", conflicts_with = "services")]
    prune: Option<String>,
    /// With --prune: that more services than a tenth left git with this commit (its whole id) is meant
    #[arg(long, value_name = "COMMIT", requires = "prune")]
    acknowledge: Option<String>,
    /// Go past closed deploy windows (sync.windows), and say why
    #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
    override_window: Option<String>,
}

fn limit(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a duration has a unit, as 90s or 20m".into())
}

/// What has become of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Open,
    Live,
    Written,
    Held(String),
    Refused(String, Exit),
    RolloutFailed(String),
}

struct Apply {
    loaded: Loaded,
    observer: Observer,
    override_window: Option<String>,
    /// When it was asked for, in milliseconds since 1970.
    attempt: Option<u64>,
    writes: Mutex<Writes>,
    wait: bool,
    memory: BTreeMap<ServiceName, Memory>,
    progress: BTreeMap<ServiceName, Progress>,
    attempts: BTreeMap<ServiceName, u32>,
    said: BTreeMap<ServiceName, String>,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let loaded = load(&options.place).await?;
    loaded.print_problems();
    let attempt = u64::try_from(Timestamp::now().as_millisecond()).ok();
    let policy = Policy { asked: true, override_window: options.override_window.as_deref(), attempt };
    if let Some(name) = &options.prune {
        return super::prune::run(&loaded, name, options.acknowledge.as_deref(), policy).await;
    }
    let scope = loaded.desired()?.environment.scope.clone();
    let observer = connect(&scope).await?;
    let services = loaded.services(&options.place.services)?;
    let (first, _) = plan(&loaded, &observer, &options.place.services, &BTreeMap::new(), policy).await?;
    print!("{}", first.to_text(Header { scope: &scope, commit: loaded.commit.as_ref() }));
    let broken = loaded.has_errors();
    let mut apply = Apply {
        loaded,
        observer,
        override_window: options.override_window.clone(),
        attempt,
        writes: Mutex::default(),
        wait: !options.no_wait,
        memory: services.iter().map(|name| (name.clone(), Memory::default())).collect(),
        progress: services.iter().map(|name| (name.clone(), Progress::Open)).collect(),
        attempts: BTreeMap::new(),
        said: BTreeMap::new(),
    };
    let until = Instant::now() + options.timeout;
    loop {
        apply.round().await?;
        if !apply.is_open() {
            break;
        }
        if Instant::now() >= until {
            eprintln!("error: timed out after {:?}; the rollouts go on", options.timeout);
            return Ok(Exit::TimedOut);
        }
        tokio::time::sleep(LOOK.min(until - Instant::now())).await;
    }
    let exit = apply.summary();
    Ok(if exit == Exit::Ok && broken { Exit::Error } else { exit })
}

impl Apply {
    fn is_open(&self) -> bool {
        self.progress.values().any(|progress| *progress == Progress::Open)
    }

    /// Looks at every open service, and does what is to be done.
    async fn round(&mut self) -> anyhow::Result<()> {
        let open: Vec<String> = self
            .progress
            .iter()
            .filter(|(_, progress)| **progress == Progress::Open)
            .map(|(name, _)| name.to_string())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let override_window = self.override_window.as_deref();
        let policy = Policy { asked: true, override_window, attempt: self.attempt };
        let (planned, mut snapshot) = plan(&self.loaded, &self.observer, &open, &self.memory, policy).await?;
        let wanted = planned.services.iter().map(|plan| {
            let rolling = self.memory.get(&plan.id.service).and_then(|memory| memory.rolling.clone());
            (plan.id.service.clone(), rolling.or_else(|| plan.task_definition.clone().filter(|_| !plan.before.open)))
        });
        let wanted: BTreeMap<ServiceName, Option<Arn>> = wanted.collect();
        look_at_rollouts(&self.observer, &wanted, Priority::Commit, &mut snapshot).await;
        let desired = self.loaded.desired()?;
        keep_last_lines(&self.observer, desired, &wanted, &mut self.memory, &mut snapshot).await;
        for plan in &planned.services {
            let name = plan.id.service.clone();
            let facts = snapshot.service(&name).cloned();
            let revision = wanted.get(&name).and_then(Option::as_ref);
            let state = followed(&snapshot, self.loaded.desired()?.services.get(&name), &name, revision);
            let live = snapshot.live(&ResourceId::new(Kind::Service, name.as_str()));
            for end in before::note(&self.observer, plan, live.map(|live| &**live)).await {
                self.say(&name, &format!("before the rollout {end}"));
            }
            let progress = self.one(plan, facts, state).await;
            self.progress.insert(name, progress);
        }
        Ok(())
    }

    async fn one(&mut self, plan: &ServicePlan, facts: Option<ServiceFacts>, state: Option<Rollout>) -> Progress {
        let name = plan.id.service.clone();
        let memory = self.memory.entry(name.clone()).or_default();
        memory.await_images(plan);
        if let (Some(_), Some(Rollout::Failed { reason, .. })) = (&memory.rolling, &state) {
            return Progress::RolloutFailed(reason.clone());
        }
        match plan.holds.iter().find(|hold| !hold.passes()) {
            Some(Hold::RolloutFailed { reason }) if plan.before.failed => {
                return Progress::RolloutFailed(reason.clone());
            }
            Some(Hold::Unreadable { .. }) if self.may_retry(&name) => return Progress::Open,
            Some(hold) => return Progress::Held(hold.to_string()),
            None if !plan.holds.is_empty() => {
                self.say(&name, &format!("waits: {}", plan.holds[0]));
                return Progress::Open;
            }
            None => {}
        }
        if !plan.steps.is_empty() {
            return self.write(plan).await;
        }
        match state {
            _ if !self.wait => Progress::Written,
            // What services share has no tasks.
            _ if name.is_shared() => Progress::Live,
            Some(Rollout::Completed) => {
                let revision = facts.and_then(|f| f.task_definition).map(|arn| arn.short().to_owned());
                self.say(&name, &format!("live taskDefinition={}", revision.unwrap_or_default()));
                Progress::Live
            }
            Some(Rollout::InProgress { running, desired, failed, note }) => {
                let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
                self.say(&name, &format!("rollout new={running}/{desired} failed={failed}{note}"));
                Progress::Open
            }
            Some(Rollout::Waiting { pause }) => {
                self.say(&name, &pause.to_string());
                Progress::Open
            }
            Some(Rollout::Unhealthy { reason }) => {
                self.say(&name, &format!("not healthy: {reason}"));
                Progress::Open
            }
            Some(Rollout::Failed { reason, .. }) => Progress::RolloutFailed(reason),
            None => Progress::Open,
        }
    }

    async fn write(&mut self, plan: &ServicePlan) -> Progress {
        let name = plan.id.service.clone();
        let memory = self.memory.entry(name.clone()).or_default();
        let never = CancellationToken::new();
        let done = execute(&self.observer, plan, &self.writes, Priority::Commit, &never, |step, arn| {
            let line = match arn {
                Some(arn) => format!("{} {}", step.action.call.operation(), arn.short()),
                None => step.action.call.operation().to_owned(),
            };
            memory.done(plan, step, arn);
            memory.begun = Some(plan.digest.clone());
            eprintln!("{} {name} {line}", stamp());
        })
        .await;
        match done {
            // What is gone back to is applied when ECS has done its part.
            Ok(()) if plan.is_answer() => Progress::Open,
            Ok(()) => {
                memory.carried_out(plan);
                if self.wait { Progress::Open } else { Progress::Written }
            }
            Err(Stop::Waiting(_) | Stop::Superseded(_) | Stop::Stopping) => Progress::Open,
            Err(stop) => self.refused(&name, &stop).await,
        }
    }

    async fn refused(&mut self, name: &ServiceName, stop: &Stop) -> Progress {
        let class = stop.class();
        match class {
            Class::Transient | Class::Throttled | Class::Dependency | Class::Ambiguous | Class::Superseded
                if self.may_retry(name) =>
            {
                eprintln!("{} {name} retry {stop}", stamp());
                let attempts = self.attempts.get(name).copied().unwrap_or(1);
                tokio::time::sleep(backoff(class, attempts, u64::from(attempts))).await;
                Progress::Open
            }
            Class::Denied => Progress::Refused(stop.to_string(), Exit::Denied),
            _ => Progress::Refused(stop.to_string(), Exit::Error),
        }
    }

    fn may_retry(&mut self, name: &ServiceName) -> bool {
        let attempts = self.attempts.entry(name.clone()).or_default();
        *attempts += 1;
        *attempts <= ATTEMPTS_MAX
    }

    /// One line a change of state, with its time.
    fn say(&mut self, name: &ServiceName, line: &str) {
        if self.said.get(name).is_none_or(|said| said != line) {
            eprintln!("{} {name} {line}", stamp());
            self.said.insert(name.clone(), line.to_owned());
        }
    }

    fn summary(&self) -> Exit {
        let mut exit = Exit::Ok;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, progress) in &self.progress {
            let (word, code) = match progress {
                Progress::Live => ("live", Exit::Ok),
                Progress::Written => ("written, not followed", Exit::Ok),
                Progress::Open => ("open", Exit::TimedOut),
                Progress::Held(why) => {
                    eprintln!("error: {name} is on hold: {why}");
                    ("on hold", Exit::Error)
                }
                Progress::Refused(why, code) => {
                    eprintln!("error: {name}: {why}");
                    ("refused", *code)
                }
                Progress::RolloutFailed(why) => {
                    eprintln!("error: the rollout of {name} failed: {why}");
                    let memory = self.memory.get(name);
                    if let Some((_, Some(log))) = memory.and_then(|memory| memory.last_lines.as_ref()) {
                        eprintln!("  {}, {}", log.group, log.stream);
                        log.lines.iter().for_each(|line| eprintln!("    {line}"));
                    }
                    ("rollout failed", Exit::RolloutFailed)
                }
            };
            *counts.entry(word).or_default() += 1;
            exit = exit.max(code);
        }
        let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        println!("Applied: {}", if counts.is_empty() { "no services".into() } else { counts.join(", ") });
        exit
    }
}

pub(super) fn stamp() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
