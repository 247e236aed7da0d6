//! `driftless status`: what runs, and whether it is what git says; read from AWS now, or asked of a running daemon.

mod asked;

use super::load::load;
use super::plan::{connect, plan};
use super::{Exit, Output, Where};
use crate::aws::pace::Priority;
use crate::core::event::{Event, Tasks, What};
use crate::core::id::{Arn, ServiceName, SourceName};
use crate::core::observed::ServiceFacts;
use crate::core::plan::Policy;
use crate::core::rollout::Rollout;
use crate::core::source::Commit;
use crate::core::status::{State, Status};
use crate::daemon::engine::{followed, look_at_rollouts};
use crate::daemon::images::running;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Where,
    /// The form of the output
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Exit with 1 when a service is failed, drifted or unknown
    #[arg(long)]
    exit_status: bool,
    /// Ask the daemon that listens here, instead of reading AWS
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "Where")]
    address: Option<String>,
}

/// Everything was read just now.
const FRESH: Duration = Duration::from_secs(3600);

/// One service.
struct Row {
    service: String,
    state: State,
    tasks: String,
    runs: String,
    note: String,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let Options { place, output, exit_status, address } = options;
    if let Some(address) = address {
        return asked::run(&address, output, exit_status).await;
    }
    let loaded = load(&place).await?;
    loaded.print_problems();
    let observer = connect(&loaded.desired()?.environment.scope).await?;
    let policy = Policy::default();
    let (planned, mut snapshot) = plan(&loaded, &observer, &place.services, &BTreeMap::new(), policy).await?;
    let wanted: BTreeMap<ServiceName, Option<Arn>> =
        planned.services.iter().map(|plan| (plan.id.service.clone(), plan.due().cloned())).collect();
    look_at_rollouts(&observer, &wanted, Priority::Commit, &mut snapshot).await;
    let now = Timestamp::now();
    let mut status = Status::default();
    for plan in planned.services {
        let name = plan.id.service.clone();
        let facts = snapshot.service(&name).cloned();
        let declared = loaded.desired()?.services.get(&name);
        let rollout = followed(&snapshot, declared, &name, plan.due());
        let shared = || (ServiceFacts::default(), Rollout::Completed);
        let shown = facts.clone().zip(rollout).or_else(|| name.is_shared().then(shared));
        let images = facts.as_ref().map(|facts| running(&snapshot, &name, facts, None)).unwrap_or_default();
        let tasks = shown.map(|(facts, rollout)| Tasks::new(facts, rollout, images.shown, None));
        let commit = loaded.commit.clone().unwrap_or_else(|| on_disk(now));
        let what = What::Planned { plan: Arc::new(plan), commit, changed_by: None, tasks: tasks.map(Box::new) };
        status.apply(&Event { at: now, source: SourceName::from("here"), what });
    }
    let rows = rows(&status, now);
    match output {
        Output::Human => print(&rows),
        Output::Json => println!("{:#}", as_json(&rows)),
    }
    let bad = |row: &Row| matches!(row.state, State::Failed | State::Drifted | State::Unknown);
    let broken = loaded.has_errors() || (exit_status && rows.iter().any(bad));
    Ok(if broken { Exit::Error } else { Exit::Ok })
}

/// Files that no commit has yet.
fn on_disk(now: Timestamp) -> Commit {
    Commit {
        revision: "0000000000000000000000000000000000000000".into(),
        branch: None,
        tag: None,
        subject: "files on the disk".to_owned(),
        author: String::new(),
        committed_at: now,
    }
}

/// The worst first.
fn rows(status: &Status, now: Timestamp) -> Vec<Row> {
    let row = |(id, service): (&crate::core::id::ServiceId, &crate::core::status::ServiceStatus)| {
        let tasks = service.tasks.as_ref().filter(|_| !id.service.is_shared());
        let tag = |image: &String| image.rsplit('/').next().unwrap_or(image).to_owned();
        Row {
            service: id.service.to_string(),
            state: service.state(now, FRESH),
            tasks: tasks.map_or_else(|| "-".to_owned(), |tasks| format!("{}/{}", tasks.running, tasks.desired)),
            runs: tasks.map(|tasks| tasks.images.iter().map(tag).collect::<Vec<_>>().join(", ")).unwrap_or_default(),
            note: service.sentence(now, FRESH),
        }
    };
    let mut rows: Vec<Row> = status.services.iter().map(row).collect();
    rows.sort_by_key(|row| row.state);
    rows
}

fn print(rows: &[Row]) {
    let width = |of: fn(&Row) -> usize, least: usize| rows.iter().map(of).max().unwrap_or(0).max(least);
    let (service, runs) = (width(|r| r.service.len(), 7), width(|r| r.runs.len(), 4));
    println!("  {:service$}  {:9}  {:5}  {:runs$}  NOTE", "SERVICE", "STATE", "TASKS", "RUNS");
    for Row { service: name, state, tasks, runs: image, note } in rows {
        println!("{} {name:service$}  {:9}  {tasks:5}  {image:runs$}  {note}", state.mark(), state.word());
    }
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| !ServiceName::from(row.service.as_str()).is_shared()) {
        *counts.entry(row.state).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {}", state.word())).collect();
    println!("\n{}", if counts.is_empty() { "No services are declared".to_owned() } else { counts.join(", ") });
}

fn as_json(rows: &[Row]) -> serde_json::Value {
    let row = |row: &Row| json!({ "service": row.service, "state": row.state, "tasks": row.tasks, "runs": row.runs, "note": row.note });
    json!({ "services": rows.iter().map(row).collect::<Vec<_>>() })
}
