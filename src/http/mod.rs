//! EDGE: the page, the API, the metrics and the health checks. All of it is read-only and made from one
//! [`Status`](crate::core::status::Status) and the history; the demo adds its buttons ([`panel`]).

mod api;
mod health;
pub mod metrics;
mod next;
mod page;
pub mod panel;

use crate::core::act::Act;
use crate::core::history::Deployment;
use crate::core::id::{ServiceId, SourceName};
use crate::core::status::Status;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use metrics::Metrics;
use panel::Panel;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use health::Health;

/// Reads the newest rows of a service's history, or of all, newest first; or says why it could not.
pub type ReadHistory =
    dyn Fn(Option<ServiceId>, usize) -> BoxFuture<'static, Result<Vec<Deployment>, String>> + Send + Sync;

/// Reads what people did last to a service, newest first; or says why it could not.
pub type ReadActs = dyn Fn(ServiceId, usize) -> BoxFuture<'static, Result<Vec<Act>, String>> + Send + Sync;

/// What the handlers see.
#[derive(Clone)]
pub struct Shared {
    /// The newest status.
    pub status: watch::Receiver<Arc<Status>>,
    /// What `/livez` and `/readyz` answer.
    pub health: Arc<Health>,
    /// What `/metrics` answers.
    pub metrics: Arc<Metrics>,
    /// After how long without a look at AWS a service is unknown.
    pub stale_after: Duration,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Reads the history.
    pub history: Arc<ReadHistory>,
    /// Reads what people did.
    pub acts: Arc<ReadActs>,
    /// The arguments that lead a command to each source's environment.
    pub places: Arc<BTreeMap<SourceName, String>>,
    /// The demo's buttons.
    pub panel: Option<Panel>,
}

/// A server that has its port, and has not begun to answer.
pub struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    /// Takes the port. Port 0 takes a free one.
    pub async fn bind(address: SocketAddr, shared: Shared) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, router: router(shared) })
    }

    /// The address that it has.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await
    }
}

/// All routes.
pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/services/{cluster}/{service}", get(page::service))
        .route("/style.css", get(page::style))
        .route("/icon.svg", get(page::icon))
        .route("/livez", get(health::livez))
        .route("/healthz", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::scrape))
        .route("/api/v1/services", get(api::services))
        .route("/api/v1/services/{cluster}/{service}", get(api::service))
        .route("/api/v1/services/{cluster}/{service}/diff", get(api::diff))
        .route("/api/v1/services/{cluster}/{service}/deployments", get(api::deployments_of))
        .route("/api/v1/services/{cluster}/{service}/acts", get(api::acts))
        .route("/api/v1/deployments", get(api::deployments))
        .route("/demo/{step}", post(panel::act))
        .fallback(api::not_found)
        .layer(middleware::from_fn_with_state(shared.metrics.clone(), metrics::count))
        .layer(middleware::from_fn(harden))
        .with_state(shared)
}

/// Nothing but our own style may be loaded, nobody may frame the page, nothing is kept by caches.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
