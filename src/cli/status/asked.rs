//! What a running daemon says of its services, and how old that is.

use crate::cli::{Exit, Output, ask};
use crate::core::history::span;
use anyhow::Context;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// `/api/v1/services`, as far as it is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    sources: Vec<Source>,
    services: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    commit: Option<Commit>,
    fetched_at: Option<Timestamp>,
    error: Option<String>,
    rewound: bool,
}

#[derive(Deserialize)]
struct Commit {
    revision: String,
    subject: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    cluster: String,
    service: String,
    shared: bool,
    state: String,
    reason: String,
    checked_at: Option<Timestamp>,
    commit: Option<Commit>,
    #[serde(default)]
    rolled_back: Option<RolledBack>,
    tasks: Option<Tasks>,
    #[serde(default)]
    images: Option<Vec<String>>,
}

/// The earlier commit that is followed instead.
#[derive(Deserialize)]
struct RolledBack {
    to: String,
}

#[derive(Deserialize)]
struct Tasks {
    desired: i64,
    running: i64,
}

/// Asks, and prints.
pub async fn run(address: &str, output: Output, exit_status: bool) -> anyhow::Result<Exit> {
    let body = ask::api(address, "/api/v1/services").await.map_err(ask::unanswered)?;
    let other = || format!("{address}: what it answers is not the status of a driftless of this version");
    let answer: Answer = serde_json::from_str(&body).with_context(other)?;
    match output {
        Output::Json => println!("{:#}", serde_json::from_str::<Value>(&body).with_context(other)?),
        Output::Human => print!("{}", table(&answer, Timestamp::now())),
    }
    let bad = |service: &Service| matches!(service.state.as_str(), "failed" | "drifted" | "unknown");
    Ok(if exit_status && answer.services.iter().any(bad) { Exit::Error } else { Exit::Ok })
}

fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", span(now.duration_since(at).as_secs())))
}

/// A line for each source, one for each service, and how many there are of each state.
fn table(answer: &Answer, now: Timestamp) -> String {
    let mut text = String::new();
    for Source { name, commit, fetched_at, error, rewound } in &answer.sources {
        let commit = commit.as_ref().map(|commit| format!("{} {}", short(&commit.revision), commit.subject));
        let commit = commit.unwrap_or_else(|| "no commit yet".to_owned());
        let _ = write!(text, "source {name}: {commit}; git was read {}", ago(*fetched_at, now));
        if *rewound {
            text.push_str("; the branch was rewound");
        }
        match error {
            Some(why) => writeln!(text, "; STALE: {why}"),
            None => writeln!(text),
        }
        .unwrap_or_default();
    }
    let head = ["SERVICE", "STATE", "TASKS", "RUNS", "COMMIT", "READ", "NOTE"].map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(head).chain(answer.services.iter().map(|s| cells(s, now))).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    text.push('\n');
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for service in answer.services.iter().filter(|service| !service.shared) {
        *counts.entry(&service.state).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counts = if counts.is_empty() { "No services are followed".to_owned() } else { counts.join(", ") };
    let _ = writeln!(text, "\n{counts}");
    text
}

fn cells(service: &Service, now: Timestamp) -> [String; 7] {
    let Service { cluster, service: name, shared: _, state, reason, checked_at, commit, rolled_back, tasks, images } =
        service;
    let followed = rolled_back.as_ref().map(|rolled| &rolled.to).or(commit.as_ref().map(|commit| &commit.revision));
    let images = images.iter().flatten().map(|image| image.rsplit('/').next().unwrap_or(image));
    // What was seen once and is unknown now was not seen for too long, or was not readable since.
    let stale = if state == "unknown" && checked_at.is_some() { "STALE: " } else { "" };
    [
        format!("{cluster}/{name}"),
        state.clone(),
        tasks.as_ref().map_or_else(|| "-".to_owned(), |tasks| format!("{}/{}", tasks.running, tasks.desired)),
        images.collect::<Vec<_>>().join(", "),
        followed.map_or("-", |revision| short(revision)).to_owned(),
        ago(*checked_at, now),
        format!("{stale}{reason}"),
    ]
}

fn short(revision: &str) -> &str {
    revision.get(..7).unwrap_or(revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_old_is_called_stale() {
        let commit = json!({ "revision": "8f3c2a1bd0e95210", "subject": "api: 2.1.0" });
        let service = |name: &str, state: &str, checked: Value, reason: &str| {
            json!({
                "cluster": "prod", "service": name, "shared": name == "(shared)", "state": state, "reason": reason,
                "checkedAt": checked, "commit": commit, "tasks": { "desired": 2, "running": 2, "pending": 0 },
                "images": ["1.dkr.ecr.us-east-1.amazonaws.com/api:2.1.0"],
            })
        };
        let answer = json!({
            "sources": [{
                "name": "prod", "commit": commit, "fetchedAt": "2026-11-21T14:00:00Z", "error": "no route to host", "rewound": false,
            }],
            "services": [
                service("api", "live", json!("2026-11-21T14:59:30Z"), "api:7"),
                service("app", "unknown", json!("2026-11-21T14:30:00Z"), "AWS was not read yet, or too long ago"),
                service("new", "unknown", Value::Null, "AWS was not read yet, or too long ago"),
            ],
        });
        let expected = "source prod: 8f3c2a1 api: 2.1.0; git was read 1h ago; STALE: no route to host

SERVICE   STATE    TASKS  RUNS       COMMIT   READ     NOTE
prod/api  live     2/2    api:2.1.0  8f3c2a1  30s ago  api:7
prod/app  unknown  2/2    api:2.1.0  8f3c2a1  30m ago  STALE: AWS was not read yet, or too long ago
prod/new  unknown  2/2    api:2.1.0  8f3c2a1  never    AWS was not read yet, or too long ago

1 live, 2 unknown
";
        let answer: Answer = serde_json::from_value(answer).unwrap();
        assert_eq!(table(&answer, "2026-11-21T15:00:00Z".parse().unwrap()), expected);
    }
}
