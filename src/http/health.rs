//! `/livez`: the process and its loop make progress; never depends on AWS or git, so that their outage does not make
//! ECS replace the daemon for ever. `/readyz`: git and AWS have been read once.

use super::Shared;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// What the daemon's loop reports of itself.
#[derive(Debug, Default)]
pub struct Health {
    /// When the loop last went round, in seconds of the Unix epoch; 0 before the first time.
    turned_at: AtomicI64,
}

/// The loop goes round at least each second; a minute without is a stall.
const STALL_MAX: Duration = Duration::from_secs(60);

impl Health {
    /// The loop went round.
    pub fn turn(&self, now: jiff::Timestamp) {
        self.turned_at.store(now.as_second(), Ordering::Relaxed);
    }

    fn is_turning(&self, now: jiff::Timestamp) -> bool {
        let turned_at = self.turned_at.load(Ordering::Relaxed);
        turned_at == 0 || now.as_second() - turned_at <= STALL_MAX.as_secs().cast_signed()
    }
}

pub async fn livez(State(shared): State<Shared>) -> Response {
    if shared.health.is_turning((shared.now)()) {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the loop has stalled\n").into_response()
    }
}

pub async fn readyz(State(shared): State<Shared>) -> Response {
    let status = shared.status.borrow().clone();
    let mut waiting: Vec<String> = Vec::new();
    if status.sources.is_empty() {
        waiting.push("no source was read yet".into());
    }
    for (name, source) in &status.sources {
        match (&source.commit, &source.error) {
            (_, Some(why)) => waiting.push(format!("source {name}: {why}")),
            (None, None) => waiting.push(format!("source {name}: not read yet")),
            (Some(_), None) => {}
        }
        waiting
            .extend(source.problems.iter().filter(|p| p.is_error()).map(|problem| format!("source {name}: {problem}")));
    }
    let unseen = status.services.iter().filter(|(_, service)| service.checked_at.is_none() && !service.broken);
    waiting.extend(unseen.map(|(id, service)| match &service.error {
        Some((why, _)) => format!("service {id}: {why}"),
        None => format!("service {id}: AWS was not read yet"),
    }));
    let code = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "ready": waiting.is_empty(), "waitingFor": waiting }))).into_response()
}
