//! The page, rendered here from compiled-in templates: works without JavaScript, escapes everything.

use super::Shared;
use super::api::{find, problem};
use super::next::{Next, Runs, next};
use super::panel::{Panel, StepRow};
use crate::core::event::Tasks;
use crate::core::history::{Listed, listed, when};
use crate::core::id::ServiceId;
use crate::core::image;
use crate::core::log_lines::LogLines;
use crate::core::status::{ServiceStatus, State as Headline, Status};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};

/// How many services have what to do about them in the table of all: the worst ones.
const DETAILED: usize = 5;
/// How many rows of the history a service's page has.
const PAST_ROWS: usize = 10;

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    hero: String,
    steps: Vec<StepRow>,
    sources: Vec<SourceRow>,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "service.html")]
struct ServicePage {
    row: Row,
    changes: Vec<String>,
    holds: Vec<String>,
    notes: Vec<String>,
    events: Vec<String>,
    last_lines: Option<LogLines>,
    history: Vec<PastRow>,
    /// What people did: when, and what with who and why.
    acts: Vec<(String, String)>,
    /// Why the history is not shown.
    no_history: Option<String>,
}

/// A row of the history.
struct PastRow {
    number: u64,
    when: String,
    mark: &'static str,
    result: &'static str,
    runs: String,
    what: String,
    by: String,
    took: String,
    live_for: String,
    ran: Vec<String>,
    why: Option<String>,
    last_lines: Option<LogLines>,
    changes: Vec<String>,
}

struct SourceRow {
    name: String,
    commit: String,
    subject: String,
    author: String,
    fetched: String,
    error: Option<String>,
    rewound: bool,
    errors: Vec<String>,
    warnings: Vec<String>,
}

struct Row {
    mark: &'static str,
    state: &'static str,
    cluster: String,
    /// The last part of its page's address.
    path: String,
    /// What people call it.
    service: String,
    shared: bool,
    tasks: String,
    runs: String,
    commit: String,
    since: String,
    checked: String,
    reason: String,
    /// Whether the reason is more than what runs.
    why: bool,
    next: Next,
    rank: Headline,
}

pub async fn index(State(shared): State<Shared>) -> Response {
    let status = shared.status.borrow().clone();
    let now = (shared.now)();
    let mut rows: Vec<Row> = status.services.iter().map(|(id, service)| row(&shared, id, service, now)).collect();
    rows.sort_by_key(|row| row.rank);
    // A rollout on its way needs nobody; of many that do the worst ones are enough to begin with.
    let needs = |row: &Row| row.rank != Headline::Deploying && !row.next.ways.is_empty();
    let mut detailed = 0;
    for row in &mut rows {
        detailed += usize::from(needs(row));
        if row.rank == Headline::Deploying || detailed > DETAILED {
            row.next = Next::default();
        }
    }
    let sources = sources(&status, now);
    let steps = shared.panel.as_ref().map(Panel::rows).unwrap_or_default();
    render(&Index { hero: hero(&rows, &sources), steps, sources, rows })
}

pub async fn service(State(shared): State<Shared>, Path(path): Path<(String, String)>) -> Response {
    let status = shared.status.borrow().clone();
    let Some((id, service)) = find(&status, &path) else {
        return problem(StatusCode::NOT_FOUND, &format!("no service {}/{} is followed here", path.0, path.1));
    };
    let now = (shared.now)();
    let (history, no_history) = match (shared.history)(Some(id.clone()), PAST_ROWS).await {
        Ok(rows) => (listed(rows, now).into_iter().map(|row| past_row(row, now)).collect(), None),
        Err(why) => (Vec::new(), Some(why)),
    };
    // Where they cannot be read the rows cannot either, and that is said.
    let acts = (shared.acts)(id.clone(), PAST_ROWS).await.unwrap_or_default();
    let plan = service.plan.as_deref();
    let strings = |texts: Option<Vec<String>>| texts.unwrap_or_default();
    let row = row(&shared, id, service, now);
    render(&ServicePage {
        changes: strings(
            plan.map(|p| p.changes.iter().map(|(change, effect)| format!("{change}  [{effect}]")).collect()),
        ),
        // The reason is on top already.
        holds: strings(plan.map(|p| p.holds.iter().map(ToString::to_string).filter(|h| *h != row.reason).collect())),
        notes: strings(plan.map(|p| p.notes.iter().map(ToString::to_string).collect())),
        events: strings(service.tasks.as_ref().map(|tasks| tasks.events.clone())),
        row,
        last_lines: service.tasks.as_ref().and_then(|tasks| tasks.last_lines.clone()),
        history,
        acts: acts.iter().map(|act| (when(act.at, now), act.to_string())).collect(),
        no_history,
    })
}

fn past_row(row: Listed, now: Timestamp) -> PastRow {
    let (mark, result) = row.deployment.outcome();
    PastRow {
        number: row.deployment.number,
        when: when(row.deployment.started_at, now),
        mark,
        result,
        runs: row.deployment.runs(),
        what: row.deployment.what(),
        by: row.deployment.by().to_owned(),
        took: row.took(),
        live_for: row.live_for(),
        ran: row.deployment.ran_before().map(str::to_owned).collect(),
        why: row.deployment.reason,
        last_lines: row.deployment.last_lines,
        changes: row.deployment.changes,
    }
}

/// The mark of a live service.
pub async fn icon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("assets/icon.svg")).into_response()
}

pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("assets/style.css")).into_response()
}

fn render(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// One sentence for all. What services share is a row of its own, and no service.
fn hero(rows: &[Row], sources: &[SourceRow]) -> String {
    let services = rows.iter().filter(|row| !row.shared).count();
    let live = rows.iter().filter(|row| !row.shared && row.rank == Headline::Live).count();
    let at = sources
        .first()
        .filter(|_| sources.len() == 1)
        .map(|source| format!(" on {}", source.commit))
        .unwrap_or_default();
    match rows.first() {
        None if sources.is_empty() => "Nothing was read yet".into(),
        None => "No services are declared".into(),
        // The worst comes first.
        Some(worst) if worst.rank != Headline::Live => {
            format!("{live} of {services} services are live{at}; {} is {}", worst.service, worst.state)
        }
        Some(_) if services == 0 => "No services are declared".into(),
        Some(_) => format!("All {live} services are live{at}"),
    }
}

fn sources(status: &Status, now: Timestamp) -> Vec<SourceRow> {
    let rows = status.sources.iter().map(|(name, source)| SourceRow {
        name: name.to_string(),
        commit: source.commit.as_ref().map_or_else(
            || "-".into(),
            |commit| format!("{}@{}", commit.branch.as_deref().unwrap_or("commit"), commit.revision.short()),
        ),
        subject: source.commit.as_ref().map(|commit| commit.subject.clone()).unwrap_or_default(),
        author: source.commit.as_ref().map(|commit| commit.author.clone()).unwrap_or_default(),
        fetched: source.fetched_at.map_or_else(|| "never".into(), |at| ago(now, at)),
        error: source.error.clone(),
        rewound: source.rewound,
        errors: source.problems.iter().filter(|p| p.is_error()).map(ToString::to_string).collect(),
        warnings: source.problems.iter().filter(|p| !p.is_error()).map(ToString::to_string).collect(),
    });
    rows.collect()
}

fn row(shared: &Shared, id: &ServiceId, service: &ServiceStatus, now: Timestamp) -> Row {
    let state = service.state(now, shared.stale_after);
    let (tasks, shared_unit) = (service.tasks.as_ref(), id.service.is_shared());
    let (images, count) = (
        tasks.map(runs).unwrap_or_default(),
        match tasks {
            _ if shared_unit => "-".to_owned(),
            Some(tasks) => format!("{}/{}", tasks.running, tasks.desired),
            None => "?".to_owned(),
        },
    );
    let place = shared.places.get(&service.source).map(String::as_str).unwrap_or_default();
    let next = next(id, service, state, &Runs { images: &images, tasks: &count }, place, now);
    Row {
        mark: state.mark(),
        state: state.word(),
        cluster: id.cluster.to_string(),
        path: id.service.to_string(),
        service: if shared_unit { "what the services share".into() } else { id.service.to_string() },
        shared: shared_unit,
        tasks: count,
        runs: images,
        // What is followed for it: of a rollback the earlier one.
        commit: service
            .plan
            .as_ref()
            .and_then(|plan| Some(&plan.rolled_back.as_ref()?.to))
            .or(service.commit.as_ref().map(|commit| &commit.revision))
            .map_or_else(|| "-".into(), |revision| revision.short().to_owned()),
        since: ago(now, service.since),
        checked: service.checked_at.map_or_else(|| "never".into(), |at| format!("{} ago", ago(now, at))),
        reason: service.sentence(now, shared.stale_after),
        why: state != Headline::Live || service.left,
        next,
        rank: state,
    }
}

/// The images without their registries, each with the beginning of the digest that its tag stood for.
fn runs(tasks: &Tasks) -> String {
    let shown = tasks.images.iter().map(|image| {
        let name = image.rsplit('/').next().unwrap_or(image);
        match tasks.digests.get(image).filter(|_| !image.contains('@')) {
            Some(digest) => format!("{name} ({})", image::short(digest)),
            None => name.to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// "12 s", "6 min", "3 h", "2 d".
fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(service: &str, rank: Headline) -> Row {
        Row {
            mark: rank.mark(),
            state: rank.word(),
            cluster: "prod".into(),
            path: service.into(),
            service: if service == "(shared)" { "what the services share".into() } else { service.into() },
            shared: service == "(shared)",
            tasks: String::new(),
            runs: String::new(),
            commit: String::new(),
            since: String::new(),
            checked: String::new(),
            reason: String::new(),
            why: false,
            next: Next::default(),
            rank,
        }
    }

    #[test]
    fn what_services_share_is_named_and_not_counted() {
        let said = |rows: &[(&str, Headline)]| {
            let mut rows: Vec<Row> = rows.iter().map(|(service, rank)| row(service, *rank)).collect();
            rows.sort_by_key(|row| row.rank);
            hero(&rows, &[])
        };
        let (live, drifted) = (Headline::Live, Headline::Drifted);
        assert_eq!(said(&[("(shared)", live), ("web", live), ("api", live)]), "All 2 services are live");
        assert_eq!(
            said(&[("(shared)", drifted), ("web", live), ("api", live)]),
            "2 of 2 services are live; what the services share is drifted"
        );
        assert_eq!(
            said(&[("(shared)", live), ("web", drifted), ("api", live)]),
            "1 of 2 services are live; web is drifted"
        );
        assert_eq!(said(&[("(shared)", live)]), "No services are declared");
    }
}
