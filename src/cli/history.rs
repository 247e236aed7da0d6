//! `driftless history`: what was done to a service, asked of a running daemon, or read from AWS as far as ECS knows it.

use super::load::meant;
use super::service::OneService;
use super::{Exit, Output, Where, ask};
use crate::core::act::Act;
use crate::core::event::Event;
use crate::core::history::{Deployment, History, Listed, listed, when};
use crate::core::id::{ServiceName, SourceName};
use crate::daemon::rebuild::rebuilt;
use anyhow::{Context, ensure};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write;

/// The most characters of a commit's line in the table.
const WHAT_CHARS_MAX: usize = 48;
/// The most characters of what runs.
const RUNS_CHARS_MAX: usize = 32;

#[derive(Debug, Args)]
pub struct Options {
    /// The service; CLUSTER/NAME where the daemon follows several of that name
    #[arg(value_name = "NAME")]
    name: String,
    /// How many rows, the newest first; at most 200
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(ask::ROWS_MAX)))]
    limit: u16,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
    /// Where the daemon listens
    #[arg(long, env = "DRIFTLESS_HTTP__LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    address: String,
    #[command(flatten, next_help_heading = "Without a daemon, from what ECS still knows")]
    place: Option<Where>,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let Options { name, limit, output, address, place } = options;
    let (cluster, name) = match name.split_once('/') {
        Some((cluster, name)) => (Some(cluster.to_owned()), name.to_owned()),
        None => (None, name),
    };
    let (rows, acts) = match place {
        Some(place) => {
            let (rows, acts) = from_aws(cluster.as_deref(), &name, &place).await?;
            (rows.into_iter().take(limit.into()).collect(), acts)
        }
        None => {
            let cluster = match cluster {
                Some(cluster) => cluster,
                None => cluster_of(&address, &name).await?,
            };
            let rows = ask::rows(&address, &ask::history(&address, &cluster, &name, limit).await?)?;
            (rows, ask::acts(&address, &cluster, &name, limit).await?)
        }
    };
    match output {
        Output::Json => println!("{:#}", json!({ "deployments": rows, "acts": acts })),
        Output::Human => print!("{}{}", table(&rows, Timestamp::now()), beside_git(&acts, Timestamp::now())),
    }
    Ok(Exit::Ok)
}

/// The rows that a daemon without a history would begin with, newest first, and the act that a tag tells of.
async fn from_aws(cluster: Option<&str>, name: &str, place: &Where) -> anyhow::Result<(Vec<Listed>, Vec<Act>)> {
    let one = OneService::look(name, place).await?;
    let scope = &one.loaded.desired()?.environment.scope;
    let asked = cluster.unwrap_or(scope.cluster.as_str());
    ensure!(
        asked == scope.cluster.as_str(),
        "{} is the environment of cluster {}",
        place.path.display(),
        scope.cluster
    );
    eprintln!(
        "No daemon was asked: these are the service deployments that ECS keeps for 90 days, the newest {} at most; drift \
         and what was changed are not known",
        crate::aws::observe::PAST
    );
    let service = one.loaded.desired()?.service_id(&ServiceName::from(name));
    let what =
        rebuilt(&one.observer, &one.snapshot, service, None, one.loaded.past.as_ref()).await.map_err(super::ended)?;
    let (at, source) = (Timestamp::now(), SourceName::from("here"));
    let mut rows: Vec<Deployment> =
        what.map(|what| History::default().apply(&Event { at, source, what })).unwrap_or_default();
    rows.reverse();
    Ok((listed(rows, at), Act::of(&one.tags).into_iter().collect()))
}

/// The cluster of the one service of this name.
async fn cluster_of(address: &str, name: &str) -> anyhow::Result<String> {
    let body = ask::api(address, "/api/v1/services").await.map_err(ask::unanswered)?;
    let all: Value = serde_json::from_str(&body).with_context(|| format!("{address}: not a driftless"))?;
    let services = all["services"].as_array().into_iter().flatten();
    let clusters: Vec<&str> = services
        .clone()
        .filter(|service| service["service"] == name)
        .filter_map(|service| service["cluster"].as_str())
        .collect();
    match clusters[..] {
        [cluster] => Ok(cluster.to_owned()),
        [] => {
            let known: Vec<&str> = services.filter_map(|service| service["service"].as_str()).collect();
            let meant = meant(name, known.iter().copied());
            anyhow::bail!(
                "the daemon at {address} follows no service {name}{meant}: there are {}; of one that left git its history is shown as CLUSTER/{name}",
                known.join(", ")
            )
        }
        _ => {
            let names: Vec<String> = clusters.iter().map(|cluster| format!("{cluster}/{name}")).collect();
            anyhow::bail!("there are several services {name}: say {}", names.join(" or "))
        }
    }
}

/// One line a row; below it what ran before it, and why it did not come up.
fn table(rows: &[Listed], now: Timestamp) -> String {
    if rows.is_empty() {
        return "Nothing was done yet.\n".to_owned();
    }
    let head = ["#", "WHEN", "RESULT", "RUNS", "COMMIT", "BY", "TOOK", "LIVE FOR"].map(str::to_owned);
    let cells = |row: &Listed| {
        let (mark, result) = row.deployment.outcome();
        [
            row.deployment.number.to_string(),
            when(row.deployment.started_at, now),
            format!("{mark} {result}"),
            short(&row.deployment.runs(), RUNS_CHARS_MAX),
            short(&row.deployment.what(), WHAT_CHARS_MAX),
            row.deployment.by().to_owned(),
            row.took(),
            row.live_for(),
        ]
    };
    let lines: Vec<[String; 8]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 8] = std::array::from_fn(width);
    let mut text = String::new();
    let below = |row: &Listed| {
        let ran = row.deployment.ran_before().map(|ran| format!("before it: {ran}"));
        ran.chain(row.deployment.reason.clone()).collect::<Vec<_>>()
    };
    let whys = std::iter::once(Vec::new()).chain(rows.iter().map(below));
    for (line, why) in lines.iter().zip(whys) {
        let [number, rest @ ..] = line;
        let mut written = format!("{number:>0$}", widths[0]);
        for (cell, width) in rest.iter().zip(&widths[1..]) {
            let _ = write!(written, "  {cell:<width$}");
        }
        let _ = writeln!(text, "{}", written.trim_end());
        for why in why {
            let _ = writeln!(text, "{:>1$}  {why}", "", widths[0]);
        }
    }
    text
}

/// What people did beside git, a line each.
fn beside_git(acts: &[Act], now: Timestamp) -> String {
    if acts.is_empty() {
        return String::new();
    }
    let lines = acts.iter().map(|act| format!("  {}  {act}\n", when(act.at, now)));
    std::iter::once("\nBeside git:\n".to_owned()).chain(lines).collect()
}

fn short(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::act::Deed;
    use serde_json::json;

    fn row(number: u64, result: Value, more: Value) -> Listed {
        let mut row = json!({
            "cluster": "prod", "service": "prod-api", "number": number, "source": "prod", "declaration": "", "cause": "deploy",
            "commit": { "revision": "8f3c2a1bd0e95210", "subject": "api: 2.1.0, two tasks minimum", "author": "Ana Souza" },
            "startedAt": "2026-11-21T14:04:10Z", "endedAt": null, "result": result, "reason": null, "taskDefinition": null,
            "images": ["1.dkr.ecr.us-east-1.amazonaws.com/api:2.1.0"], "changes": [], "steps": [], "restarts": true,
            "rebuilt": false, "tookSeconds": 250, "liveSeconds": null, "liveNow": false,
        });
        for (key, value) in more.as_object().unwrap() {
            row[key] = value.clone();
        }
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn the_table_is_aligned_and_says_why() {
        let rows = [
            row(118, json!("rolled_back"), json!({ "reason": "2 tasks exited with 1; ECS: circuit breaker" })),
            row(
                117,
                json!("live"),
                json!({ "liveSeconds": 190_800, "liveNow": true, "startedAt": "2026-11-19T09:12:00Z" }),
            ),
            row(
                9,
                json!("corrected"),
                json!({ "cause": "drift", "changes": ["scaling.max: 4 → 2  [no restart]"], "tookSeconds": 3 }),
            ),
            row(8, Value::Null, json!({ "tookSeconds": null })),
        ];
        let now = "2026-11-21T15:00:00Z".parse().unwrap();
        let expected = "  #  WHEN           RESULT         RUNS       COMMIT                                    BY         TOOK   LIVE FOR
118  today 14:04Z   ↩ rolled back  api:2.1.0  8f3c2a1 api: 2.1.0, two tasks minimum     Ana Souza  4m10s  -
     2 tasks exited with 1; ECS: circuit breaker
117  19 Nov 09:12Z  ✓ live         api:2.1.0  8f3c2a1 api: 2.1.0, two tasks minimum     Ana Souza  4m10s  2d 5h, now
  9  today 14:04Z   ≠ corrected    api:2.1.0  8f3c2a1 scaling.max: 4 → 2  [no restart]  drift      3s     -
  8  today 14:04Z   ▶ under way    api:2.1.0  8f3c2a1 api: 2.1.0, two tasks minimum     Ana Souza  -      -
";
        assert_eq!(table(&rows, now), expected);
        assert_eq!(table(&[], now), "Nothing was done yet.\n");
        let act = Act { at: rows[0].deployment.started_at, deed: Deed::Paused, by: "marc".into(), why: "move".into() };
        assert_eq!(beside_git(&[act], now), "\nBeside git:\n  today 14:04Z  paused by marc: \"move\"\n");
        assert_eq!(beside_git(&[], now), "");
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(short("abcdef", 4), "abc…");
    }
}
