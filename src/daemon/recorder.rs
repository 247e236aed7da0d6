//! Takes in every event once: a log line, the metrics, the history, the status that page and API show.

use crate::core::event::{Event, What};
use crate::core::id::SourceName;
use crate::core::status::Status;
use crate::http::metrics::Metrics;
use crate::store::Store;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// Where events go.
pub struct Recorder {
    status: watch::Sender<Arc<Status>>,
    metrics: Arc<Metrics>,
    history: Arc<Store>,
}

impl Recorder {
    /// A recorder that keeps the history in `folder`.
    pub fn new(folder: &Path) -> Self {
        let metrics: Arc<Metrics> = Arc::default();
        let (lost, ended) = (metrics.clone(), metrics.clone());
        let history = Arc::new(Store::open(folder, move || lost.history_lost(), move |row| ended.deployed(row)));
        Self { status: watch::Sender::new(Arc::default()), metrics, history }
    }

    /// The history.
    pub fn history(&self) -> Arc<Store> {
        self.history.clone()
    }

    /// The status as it changes.
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    /// The metrics.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Takes in what happened in a source just now.
    pub fn record(&self, source: &SourceName, what: What) {
        let event = Event { at: Timestamp::now(), source: source.clone(), what };
        self.metrics.event(&event, &self.status.borrow());
        log(&event);
        self.history.record(&event);
        self.status.send_modify(|status| Arc::make_mut(status).apply(&event));
    }
}

/// One line an event. Values of settings are in none of them: paths and counts are.
fn log(event: &Event) {
    let source = event.source.as_str();
    match &event.what {
        What::Fetched { commit, rewound: true } => {
            let revision = commit.revision.as_str();
            tracing::warn!(event = "rewound", source, revision, "the branch no longer contains what was applied last");
        }
        What::Fetched { commit, rewound: false } => {
            tracing::debug!(event = "fetched", source, revision = commit.revision.as_str(), "asked git");
        }
        What::FetchFailed { why } => tracing::error!(event = "fetch_failed", source, error = %why, "git: {why}"),
        What::Read { problems, services, broken } => {
            for problem in problems.iter().filter(|problem| problem.is_error()) {
                tracing::error!(event = "problem", source, code = problem.code, "{problem}");
            }
            let (services, broken) = (services.len(), broken.len());
            tracing::info!(
                event = "read",
                source,
                services,
                broken,
                problems = problems.len(),
                "read the desired state"
            );
        }
        What::Started { service } => tracing::debug!(event = "started", source, %service, "looking at {service}"),
        What::Planned { plan, .. } => {
            let (service, cause) = (&plan.id, format!("{:?}", plan.cause).to_lowercase());
            let (changes, steps, holds) = (plan.changes.len(), plan.steps.len(), plan.holds.len());
            if plan.is_in_sync() {
                tracing::debug!(event = "planned", source, %service, cause, "{service} is in sync");
            } else {
                tracing::info!(event = "planned", source, %service, cause, changes, steps, holds, "{service}: {changes} differences");
            }
        }
        What::Done { service, operation, cause, effect, arn } => {
            let (cause, arn) = (format!("{cause:?}").to_lowercase(), arn.as_ref().map(|arn| arn.as_str()));
            tracing::info!(event = "done", source, %service, operation, cause, %effect, arn, "{service}: {operation}");
        }
        What::Ran { service, end, lines: _ } => {
            let (task, exit) = (end.task.as_str(), end.exit);
            if end.failed.is_some() {
                tracing::error!(event = "ran", source, %service, task, exit, "{service}: before the rollout {end}");
            } else {
                tracing::info!(event = "ran", source, %service, task, exit, "{service}: before the rollout {end}");
            }
        }
        What::Failed { service, why, class, again_at } => {
            let (class, alarming) = (class.as_str(), class.is_alarming());
            if alarming {
                tracing::error!(event = "failed", source, %service, class, %again_at, "{service}: {why}");
            } else {
                tracing::warn!(event = "failed", source, %service, class, %again_at, "{service}: {why}");
            }
        }
        What::Rebuilt { service, known } => {
            let deployments = known.deployments.len();
            tracing::info!(event = "history_rebuilt", source, %service, deployments, "{service}: ECS still knows {deployments} deployments");
        }
        What::Left { service } => {
            tracing::warn!(event = "left", source, %service, "{service} left git; nothing of it is changed or deleted");
        }
    }
}
