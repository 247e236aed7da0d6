//! SHELL: what happens when. It wires git, the core and AWS into a loop.
//!
//! ```text
//!  source (one task each)          dispatcher (one task)                 pass (one task each)
//!  poll git -> read files ------>  queue: who is due, one run ------->   observe <-> plan -> execute -> next
//!      |         events            per service at a time                     |  events
//!      v                                                                     v
//!                     Recorder: log line, metrics, history, Status -> page, API
//! ```

pub mod account;
pub mod before;
mod dispatcher;
pub mod engine;
mod environment;
pub mod execute;
pub mod images;
mod intents;
pub mod lines;
mod pass;
pub mod past;
mod queue;
pub mod rebuild;
pub mod recorder;
pub mod source;

use crate::aws::call::{Calls, Observer};
use crate::aws::clients::{Clients, Connection};
use crate::aws::pace::{Pacer, Share};
use crate::aws::transport::Transport;
use crate::core::id::SourceName;
use crate::core::shell;
use crate::git;
use crate::http::panel::Panel;
use crate::http::{Health, ReadActs, ReadHistory, Server, Shared};
use crate::settings::{Reference, Settings, Source};
use account::Account;
use anyhow::Context;
use dispatcher::Dispatcher;
use recorder::Recorder;
use source::Follower;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After a stop signal: what is under way may finish for this long (promise R25). ECS sends SIGKILL 30 s after SIGTERM.
pub const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Where the daemon runs; the default is the real world.
#[derive(Debug)]
pub struct Surroundings {
    /// Another way to AWS than the network.
    pub transport: Option<Transport>,
    /// Buttons above the page.
    pub panel: Option<Panel>,
    /// How many times faster than ours the time there runs: rates and waits are that much shorter. AWS's is 1.
    pub speed: f64,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { transport: None, panel: None, speed: 1.0 }
    }
}

/// How a command finds what a source follows. Commands read branches only: for a tag or a commit they are run in a checkout of it.
fn place(source: &Source) -> String {
    match &source.reference {
        Reference::Branch(branch) => shell::place(Some(&git::masked(&source.url)), Some(branch), &source.path),
        Reference::Tag(_) | Reference::Semver(_) | Reference::Commit(_) => shell::place(None, None, &source.path),
    }
}

/// Runs until `stop`. `listening` is told the address of the page once it is served.
pub async fn run(
    settings: Settings,
    surroundings: Surroundings,
    stop: CancellationToken,
    listening: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let recorder = Arc::new(Recorder::new(&settings.state.path));
    let health = Arc::new(Health::default());
    let longest = settings.sources.iter().map(|source| source.drift_interval).max().unwrap_or_default();
    let shared = Shared {
        status: recorder.status(),
        health: health.clone(),
        metrics: recorder.metrics(),
        // Two intervals, and time for a pass that waits its turn.
        stale_after: longest * 2 + Duration::from_secs(30),
        now: jiff::Timestamp::now,
        history: read_history(&recorder),
        acts: read_acts(&recorder),
        places: Arc::new(settings.sources.iter().map(|source| (source.name.clone(), place(source))).collect()),
        panel: surroundings.panel,
    };
    let server = Server::bind(settings.http.listen, shared).await;
    let server = server.with_context(|| format!("cannot listen on {}", settings.http.listen))?;
    listening(server.address()?);

    let tasks = TaskTracker::new();
    let serving = tasks.spawn(server.run(stop.clone().cancelled_owned()));
    let (requests, inbox) = mpsc::channel(dispatcher::INBOX_MAX);
    let mut accounts: BTreeMap<SourceName, Arc<Account>> = BTreeMap::new();
    for source in &settings.sources {
        let account = Account::new(
            source,
            &settings.aws,
            surroundings.transport.clone(),
            surroundings.speed,
            observer(&recorder),
        );
        accounts.insert(source.name.clone(), Arc::new(account));
        let follower = Follower::new(source, &settings.state.path, recorder.clone(), requests.clone())?;
        tasks.spawn(follower.run(stop.clone()));
    }
    let history = recorder.history();
    let dispatcher = Dispatcher::new(accounts, recorder, health, tasks.clone(), surroundings.speed);
    tasks.spawn(dispatcher.run(inbox, stop.clone()));
    tasks.close();

    stop.cancelled().await;
    tracing::info!(event = "stopping", limit_seconds = STOP_LIMIT.as_secs(), "stopping");
    if tokio::time::timeout(STOP_LIMIT, tasks.wait()).await.is_err() {
        tracing::warn!(event = "stop_limit", "what was still under way is abandoned; the next start looks at it again");
    }
    history.close().await;
    match tokio::time::timeout(Duration::ZERO, serving).await {
        Ok(Ok(result)) => result.context("the page could not be served"),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// Every call to AWS becomes a metric and, when it fails, a log line.
fn observer(recorder: &Arc<Recorder>) -> Observer {
    let metrics = recorder.metrics();
    Box::new(move |report| {
        metrics.aws_request(report.operation.service, report.operation.name, report.code, report.duration);
        tracing::debug!(
            event = "aws_request",
            operation = %report.operation,
            code = report.code,
            millis = report.duration.as_millis() as u64,
            held_millis = report.held.as_millis() as u64,
            "asked AWS"
        );
    })
}

/// How page and API read what people did.
fn read_acts(recorder: &Recorder) -> Arc<ReadActs> {
    let history = recorder.history();
    Arc::new(move |service, limit| {
        let history = history.clone();
        Box::pin(async move { history.acts(service, limit).await })
    })
}

/// How page and API read the history.
fn read_history(recorder: &Recorder) -> Arc<ReadHistory> {
    let history = recorder.history();
    Arc::new(move |service, limit| {
        let history = history.clone();
        Box::pin(async move { history.list(service, limit).await })
    })
}

/// The clients that a command uses: one try, with the user's own environment.
pub async fn clients(connection: &Connection) -> Clients {
    let pacer = Pacer::new(Share::default());
    Clients::connect(connection, Calls::new(pacer, Box::new(|_| {}))).await
}
