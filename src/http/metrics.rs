//! `/metrics`: made from events, from the status, and from what the edges report.

use super::Shared;
use crate::core::event::{Event, What};
use crate::core::history::{self, Deployment};
use crate::core::plan::Cause;
use crate::core::status::{Health, STATES, State as Headline, Status, Sync};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All metrics of one daemon.
pub struct Metrics {
    registry: Registry,
    state: IntGaugeVec,
    sync_state: IntGaugeVec,
    health_state: IntGaugeVec,
    held: IntGaugeVec,
    paused: IntGaugeVec,
    image_moved: IntGaugeVec,
    desired_tasks: IntGaugeVec,
    running_tasks: IntGaugeVec,
    pending_tasks: IntGaugeVec,
    live_since: GaugeVec,
    deployments: IntCounterVec,
    deployment_duration: HistogramVec,
    merge_to_live: HistogramVec,
    drift_detected: IntCounterVec,
    drift_corrected: IntCounterVec,
    steps: IntCounterVec,
    before: IntCounterVec,
    reconciles: IntCounterVec,
    reconcile_duration: HistogramVec,
    last_reconcile: Gauge,
    fetches: IntCounterVec,
    last_fetch: GaugeVec,
    config_valid: IntGaugeVec,
    panics: IntGauge,
    history_lost: IntCounter,
    aws_requests: IntCounterVec,
    aws_duration: HistogramVec,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
}

/// Registers a collector. A name that is taken or malformed is a mistake of this file; the metric is then not shown.
fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    match made.and_then(|collector| registry.register(Box::new(collector.clone())).map(|()| collector)) {
        Ok(collector) => collector,
        Err(error) => panic!("a metric is wrong: {error}"),
    }
}

/// From a memory look-up to the slowest rollout of a pass.
const SECONDS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// From a task that starts quickly to a canary's day.
const ROLLOUT_SECONDS: &[f64] =
    &[15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0];

/// How deployments end, for [`Metrics::deployed`].
const RESULTS: [(history::Outcome, &str); 4] = [
    (history::Outcome::Live, "succeeded"),
    (history::Outcome::Failed, "failed"),
    (history::Outcome::RolledBack, "rolled_back"),
    (history::Outcome::Superseded, "superseded"),
];

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new_custom(Some("driftless".into()), None).unwrap_or_default();
        let r = &registry;
        let service = &["cluster", "service"];
        let gauges =
            |name: &str, help: &str, labels: &[&str]| register(r, IntGaugeVec::new(Opts::new(name, help), labels));
        let counters =
            |name: &str, help: &str, labels: &[&str]| register(r, IntCounterVec::new(Opts::new(name, help), labels));
        let histograms_of = |buckets: &[f64], name: &str, help: &str, labels: &[&str]| {
            register(r, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
        };
        let histograms = |name: &str, help: &str, labels: &[&str]| histograms_of(SECONDS, name, help, labels);
        let build = gauges("build_info", "The running version.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let by_state = &["cluster", "service", "state"];
        Self {
            state: gauges("service_state", "1 for the headline state of the service.", by_state),
            sync_state: gauges("service_sync_state", "1 for how AWS relates to git.", by_state),
            health_state: gauges("service_health_state", "1 for how the tasks are doing.", by_state),
            held: gauges(
                "service_held",
                "1 while git is not followed: something is on hold, or it is rolled back.",
                service,
            ),
            paused: gauges("service_paused", "1 while somebody's pause lasts.", service),
            image_moved: gauges(
                "image_digest_moved",
                "1 while a tag of the running service points to another digest than what runs (images.onMoved).",
                service,
            ),
            desired_tasks: gauges("service_desired_tasks", "Tasks that ECS is to run.", service),
            running_tasks: gauges("service_running_tasks", "Tasks that run.", service),
            pending_tasks: gauges("service_pending_tasks", "Tasks on their way.", service),
            live_since: register(
                r,
                GaugeVec::new(
                    Opts::new(
                        "service_live_timestamp_seconds",
                        "When it became live, while it is; seen since the start.",
                    ),
                    service,
                ),
            ),
            deployments: counters(
                "deployments_total",
                "Deployments that ended, by result; corrections of drift are not among them.",
                &["cluster", "service", "result"],
            ),
            deployment_duration: histograms_of(
                ROLLOUT_SECONDS,
                "deployment_duration_seconds",
                "From the plan of a deployment to its end, whatever it was.",
                service,
            ),
            merge_to_live: histograms_of(
                ROLLOUT_SECONDS,
                "merge_to_live_seconds",
                "From a commit to the moment that it was live.",
                service,
            ),
            drift_detected: counters("drift_detected_total", "Times that drift began to be seen.", service),
            drift_corrected: counters("drift_corrected_total", "Writes that corrected drift.", service),
            steps: counters("steps_total", "Writes to AWS that were done.", &["cluster", "service", "operation"]),
            before: counters(
                "before_tasks_total",
                "One-off tasks before rollouts that have ended, by result.",
                &["cluster", "service", "task", "result"],
            ),
            reconciles: counters("reconciles_total", "Passes over a service by result.", &["result"]),
            reconcile_duration: histograms("reconcile_duration_seconds", "Length of a pass over a service.", &[]),
            last_reconcile: register(r, Gauge::new("last_reconcile_timestamp_seconds", "When the last pass ended.")),
            fetches: counters("git_fetches_total", "Times that git was asked, by result.", &["source", "result"]),
            last_fetch: register(
                r,
                GaugeVec::new(
                    Opts::new("git_last_success_timestamp_seconds", "When git was last asked with success."),
                    &["source"],
                ),
            ),
            config_valid: gauges("config_valid", "1 when the desired state has no error.", &["source"]),
            panics: register(r, IntGauge::new("panics", "Passes that panicked; each was confined to its service.")),
            history_lost: register(
                r,
                IntCounter::new(
                    "history_lost_total",
                    "Events that the history could not take in, and rows not written.",
                ),
            ),
            aws_requests: counters(
                "aws_requests_total",
                "Requests to AWS by result.",
                &["service", "operation", "code"],
            ),
            aws_duration: histograms("aws_request_duration_seconds", "Length of a request to AWS.", &["service"]),
            http_requests: counters("http_requests_total", "Requests answered.", &["route", "method", "code"]),
            http_duration: histograms("http_request_duration_seconds", "Length of a request.", &["route"]),
            registry,
        }
    }
}

/// How a pass over one service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was to be done.
    NoChange,
    /// Something was done.
    Changed,
    /// It did not reach its end.
    Failed,
    /// Something was to be done and waits.
    Held,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Outcome::NoChange => "no_change",
            Outcome::Changed => "changed",
            Outcome::Failed => "failed",
            Outcome::Held => "held",
        }
    }
}

impl Metrics {
    /// Counts what happened.
    pub fn event(&self, event: &Event, before: &Status) {
        match &event.what {
            What::Fetched { .. } => {
                self.fetches.with_label_values(&[event.source.as_str(), "success"]).inc();
                self.last_fetch.with_label_values(&[event.source.as_str()]).set(event.at.as_second() as f64);
            }
            What::FetchFailed { .. } => self.fetches.with_label_values(&[event.source.as_str(), "failure"]).inc(),
            What::Read { problems, services, .. } => {
                // A series that begins with its first failure would hide it from `increase`.
                for id in services {
                    let (cluster, name) = (id.cluster.as_str(), id.service.as_str());
                    for (_, result) in RESULTS {
                        self.deployments.with_label_values(&[cluster, name, result]).inc_by(0);
                    }
                }
                let valid = !problems.iter().any(crate::core::problem::Problem::is_error);
                self.config_valid.with_label_values(&[event.source.as_str()]).set(valid.into());
            }
            What::Planned { plan, .. } => {
                let was = before.services.get(&plan.id).and_then(|s| s.plan.as_ref()).map(|plan| plan.cause);
                if plan.cause == Cause::Drift && was != Some(Cause::Drift) {
                    self.drift_detected.with_label_values(&[plan.id.cluster.as_str(), plan.id.service.as_str()]).inc();
                }
            }
            What::Done { service, operation, cause, .. } => {
                let (cluster, name) = (service.cluster.as_str(), service.service.as_str());
                self.steps.with_label_values(&[cluster, name, operation]).inc();
                if *cause == Cause::Drift {
                    self.drift_corrected.with_label_values(&[cluster, name]).inc();
                }
            }
            What::Ran { service, end, .. } => {
                let (cluster, name) = (service.cluster.as_str(), service.service.as_str());
                let result = if end.failed.is_some() { "failure" } else { "success" };
                self.before.with_label_values(&[cluster, name, &end.name, result]).inc();
            }
            What::Started { .. } | What::Failed { .. } | What::Rebuilt { .. } | What::Left { .. } => {}
        }
    }

    /// Counts a deployment that has ended.
    pub fn deployed(&self, row: &Deployment) {
        let (Some(ended_at), Some((result, word))) = (
            row.ended_at.filter(|_| row.cause != Some(Cause::Drift)),
            RESULTS.into_iter().find(|(result, _)| row.result == Some(*result)),
        ) else {
            return;
        };
        let id = [row.service.cluster.as_str(), row.service.service.as_str()];
        let since = |from: Timestamp| ended_at.duration_since(from).as_secs_f64().max(0.0);
        self.deployments.with_label_values(&[id[0], id[1], word]).inc();
        self.deployment_duration.with_label_values(&id).observe(since(row.started_at));
        if let (Some(merged_at), history::Outcome::Live) = (row.merged_at, result) {
            self.merge_to_live.with_label_values(&id).observe(since(merged_at));
        }
    }

    /// Counts a pass over one service.
    pub fn reconciled(&self, outcome: Outcome, took: Duration, now: Timestamp) {
        self.reconciles.with_label_values(&[outcome.label()]).inc();
        self.reconcile_duration.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        self.last_reconcile.set(now.as_second() as f64);
    }

    /// Counts a panic.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Counts an event that the history lost.
    pub fn history_lost(&self) {
        self.history_lost.inc();
    }

    /// Counts a request to AWS.
    pub fn aws_request(&self, service: &str, operation: &str, code: &str, took: Duration) {
        self.aws_requests.with_label_values(&[service, operation, code]).inc();
        self.aws_duration.with_label_values(&[service]).observe(took.as_secs_f64());
    }

    /// The gauges of services are made anew with each scrape, so that none of a gone service stays.
    fn status(&self, status: &Status, now: Timestamp, stale_after: Duration) {
        let gauges = [
            &self.state,
            &self.sync_state,
            &self.health_state,
            &self.held,
            &self.paused,
            &self.image_moved,
            &self.desired_tasks,
            &self.running_tasks,
            &self.pending_tasks,
        ];
        gauges.iter().for_each(|gauge| gauge.reset());
        self.live_since.reset();
        for (id, service) in &status.services {
            let (cluster, name) = (id.cluster.as_str(), id.service.as_str());
            let one_of = |gauge: &IntGaugeVec, states: &[(&str, bool)]| {
                for (state, is) in states {
                    gauge.with_label_values(&[cluster, name, state]).set((*is).into());
                }
            };
            let state = service.state(now, stale_after);
            if state == Headline::Live {
                self.live_since.with_label_values(&[cluster, name]).set(service.since.as_second() as f64);
            }
            one_of(&self.state, &STATES.map(|known| (known.word(), known == state)));
            let sync = service.sync(now, stale_after);
            let known = [
                ("in_sync", Sync::InSync),
                ("pending", Sync::Pending),
                ("drifted", Sync::Drifted),
                ("unknown", Sync::Unknown),
            ];
            one_of(&self.sync_state, &known.map(|(word, known)| (word, known == sync)));
            let health = service.health(now, stale_after);
            let known = [
                ("healthy", Health::Healthy),
                ("progressing", Health::Progressing),
                ("degraded", Health::Degraded),
                ("unknown", Health::Unknown),
            ];
            one_of(&self.health_state, &known.map(|(word, known)| (word, known == health)));
            let set = |gauge: &IntGaugeVec, value: i64| gauge.with_label_values(&[cluster, name]).set(value);
            set(&self.held, service.is_held().into());
            let paused = service.plan.as_ref().and_then(|plan| plan.paused.as_ref());
            // A pause ends by its time, whether or not anybody has looked since.
            set(&self.paused, paused.is_some_and(|pause| now < pause.until).into());
            if !id.service.is_shared() {
                set(&self.image_moved, service.plan.as_ref().is_some_and(|plan| plan.has_moved_image()).into());
            }
            if let Some(tasks) = service.tasks.as_ref().filter(|_| !id.service.is_shared()) {
                set(&self.desired_tasks, tasks.desired.into());
                set(&self.running_tasks, tasks.running.into());
                set(&self.pending_tasks, tasks.pending.into());
            }
        }
    }
}

pub async fn scrape(State(shared): State<Shared>) -> Response {
    let status = shared.status.borrow().clone();
    shared.metrics.status(&status, (shared.now)(), shared.stale_after);
    let mut text = Vec::new();
    match TextEncoder::new().encode(&shared.metrics.registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            super::api::problem(axum::http::StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()).into_response()
        }
    }
}

/// Counts every request by its route, never by its path, which anybody can make up.
pub async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST") => known,
        _ => "other",
    }
    .to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    metrics.http_requests.with_label_values(&[&*route, &*method, response.status().as_str()]).inc();
    metrics.http_duration.with_label_values(&[&*route]).observe(began.elapsed().as_secs_f64());
    response
}
