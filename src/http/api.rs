//! `/api/v1`: the same facts as the page, for programs. Errors are RFC 9457 problems.

use super::Shared;
use crate::core::history::listed;
use crate::core::id::ServiceId;
use crate::core::status::{ServiceStatus, Status};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub async fn services(State(shared): State<Shared>) -> Json<Value> {
    let status = shared.status.borrow().clone();
    let sources = status.sources.iter().map(|(name, source)| {
        json!({
            "name": name,
            "commit": source.commit,
            "fetchedAt": source.fetched_at,
            "error": source.error,
            "rewound": source.rewound,
            "problems": source.problems.as_ref(),
        })
    });
    let services = status.services.iter().map(|(id, service)| described(&shared, id, service));
    Json(json!({ "sources": sources.collect::<Vec<_>>(), "services": services.collect::<Vec<_>>() }))
}

pub async fn service(State(shared): State<Shared>, Path(path): Path<(String, String)>) -> Response {
    with(&shared, &path, |id, service| Json(described(&shared, id, service)).into_response())
}

pub async fn diff(State(shared): State<Shared>, Path(path): Path<(String, String)>) -> Response {
    with(&shared, &path, |id, service| match &service.plan {
        Some(plan) => {
            let mut value = plan.to_json();
            value["checkedAt"] = json!(service.checked_at);
            Json(value).into_response()
        }
        None => problem(StatusCode::SERVICE_UNAVAILABLE, &format!("service {id} was not compared yet")),
    })
}

/// How many rows of the history are shown, unless somebody asks for another number; and the most.
const ROWS: usize = 20;
const ROWS_MAX: usize = 200;

pub async fn deployments(State(shared): State<Shared>, uri: Uri) -> Response {
    rows_of(&shared, None, &uri).await
}

pub async fn deployments_of(
    State(shared): State<Shared>,
    Path((cluster, service)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let id = ServiceId { cluster: cluster.into(), service: service.into() };
    rows_of(&shared, Some(id), &uri).await
}

/// What people did to a service beside git.
pub async fn acts(
    State(shared): State<Shared>,
    Path((cluster, service)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let id = ServiceId { cluster: cluster.into(), service: service.into() };
    let limit = match limit(&uri) {
        Ok(limit) => limit,
        Err(refused) => return *refused,
    };
    match (shared.acts)(id, limit).await {
        Ok(acts) => Json(json!({ "acts": acts })).into_response(),
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// How many rows are asked for.
fn limit(uri: &Uri) -> Result<usize, Box<Response>> {
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).find(|(name, _)| name == "limit");
    let limit = asked.map_or(Some(ROWS), |(_, limit)| limit.parse().ok());
    limit.filter(|limit| (1..=ROWS_MAX).contains(limit)).ok_or_else(|| {
        Box::new(problem(StatusCode::BAD_REQUEST, &format!("limit must be a number from 1 to {ROWS_MAX}")))
    })
}

async fn rows_of(shared: &Shared, service: Option<ServiceId>, uri: &Uri) -> Response {
    let limit = match limit(uri) {
        Ok(limit) => limit,
        Err(refused) => return *refused,
    };
    // A service that left git has a history all the same.
    let followed = service.as_ref().is_none_or(|id| shared.status.borrow().services.contains_key(id));
    match (shared.history)(service.clone(), limit).await {
        Ok(rows) if rows.is_empty() && !followed => {
            let service = service.map(|id| id.to_string()).unwrap_or_default();
            problem(StatusCode::NOT_FOUND, &format!("no service {service} is followed here"))
        }
        Ok(rows) => Json(json!({ "deployments": listed(rows, (shared.now)()) })).into_response(),
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

fn with(
    shared: &Shared,
    path: &(String, String),
    answer: impl FnOnce(&ServiceId, &ServiceStatus) -> Response,
) -> Response {
    let status = shared.status.borrow().clone();
    match find(&status, path) {
        Some((id, service)) => answer(id, service),
        None => problem(StatusCode::NOT_FOUND, &format!("no service {}/{} is followed here", path.0, path.1)),
    }
}

/// The service of a path.
pub fn find<'s>(
    status: &'s Status,
    (cluster, service): &(String, String),
) -> Option<(&'s ServiceId, &'s ServiceStatus)> {
    let id = ServiceId { cluster: cluster.as_str().into(), service: service.as_str().into() };
    status.services.get_key_value(&id)
}

fn described(shared: &Shared, id: &ServiceId, service: &ServiceStatus) -> Value {
    let now = (shared.now)();
    // What services share has none.
    let tasks = service.tasks.as_ref().filter(|_| !id.service.is_shared());
    json!({
        "cluster": id.cluster,
        "service": id.service,
        "shared": id.service.is_shared(),
        "source": service.source,
        "state": service.state(now, shared.stale_after),
        "sync": service.sync(now, shared.stale_after),
        "health": service.health(now, shared.stale_after),
        "reason": service.sentence(now, shared.stale_after),
        "since": service.since,
        "checkedAt": service.checked_at,
        "commit": service.commit,
        "broken": service.broken,
        "left": service.left,
        "rolledBack": service.plan.as_ref().and_then(|plan| plan.rolled_back.clone()),
        "paused": service.plan.as_ref().and_then(|plan| plan.paused.clone()),
        "held": service.is_held(),
        "tasks": tasks.map(|tasks| json!({
            "desired": tasks.desired, "running": tasks.running, "pending": tasks.pending,
        })),
        "taskDefinition": tasks.and_then(|tasks| tasks.task_definition.clone()),
        "images": tasks.map(|tasks| tasks.images.clone()),
        "digests": tasks.map(|tasks| tasks.digests.clone()),
        "rollout": tasks.map(|tasks| tasks.rollout.clone()),
        "lastLines": tasks.and_then(|tasks| tasks.last_lines.clone()),
        "error": service.error.as_ref().map(|(why, again_at)| json!({ "message": why, "againAt": again_at })),
    })
}

pub async fn not_found(uri: Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is nothing at {}", uri.path()))
}

/// An RFC 9457 problem.
pub fn problem(code: StatusCode, detail: &str) -> Response {
    let title = code.canonical_reason().unwrap_or("error");
    let body = json!({ "type": "about:blank", "title": title, "status": code.as_u16(), "detail": detail });
    (code, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
