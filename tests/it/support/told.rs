//! What is told of a service, and what was done to it, as one text without what differs from run to run.

use super::{Page, Simulated};
use driftless::sim::ledger::Entry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// How deployments end, in the words of the metric.
const RESULTS: [&str; 4] = ["succeeded", "failed", "rolled_back", "superseded"];

/// The rows of a service's history, newest first: number, result, what it runs, the commit's subject, why.
pub fn rows(daemon: &Simulated, cluster: &str, service: &str) -> Vec<String> {
    let page = daemon.page(&format!("/api/v1/services/{cluster}/{service}/deployments"));
    let rows: Value = serde_json::from_str(&page).unwrap();
    let row = |row: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let runs = row["images"][0].as_str().unwrap_or("-").rsplit('/').next().unwrap_or_default().to_owned();
        let subject = match &row["commit"]["subject"] {
            // ECS does not know it.
            Value::String(subject) if subject.is_empty() => "known by its id".to_owned(),
            subject => text(subject),
        };
        let why = row["reason"].as_str().map(|why| format!(": {}", masked(why))).unwrap_or_default();
        format!("{} {} {runs} \"{subject}\"{why}", row["number"], text(&row["result"]))
    };
    rows["deployments"].as_array().unwrap().iter().map(row).collect()
}

/// The writes about a service since the ledger had so many entries, by operation.
pub fn writes(daemon: &Simulated, service: &str, since: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let ledger = daemon.account.ledger();
    for entry in ledger.iter().skip(since).filter(|entry| entry.writes() && entry.status == 200) {
        if is_about(entry, service) {
            *counts.entry(entry.operation.clone()).or_default() += 1;
        }
    }
    counts
}

fn is_about(entry: &Entry, service: &str) -> bool {
    let input = entry.input.to_string();
    // A family may be called after its service, and more.
    input.contains(&format!("\"family\":\"{service}"))
        || input.contains(&format!("\"{service}\""))
        || input.contains(&format!("/{service}\""))
        || input.contains(&format!("/{service}/"))
}

/// The same without the metrics, whose counters begin anew with each process.
pub fn told_by_several(daemon: &Simulated, cluster: &str, service: &str, since: usize) -> String {
    let told = told(daemon, cluster, service, since);
    told.lines().filter(|line| !line.starts_with("  metrics")).fold(String::new(), |text, line| text + line + "\n")
}

/// State and sentence, history, metrics, and what was written since the ledger had so many entries.
pub fn told(daemon: &Simulated, cluster: &str, service: &str, since: usize) -> String {
    let status = daemon.seen();
    let seen = status.service(service);
    let text = |key: &str| seen[key].as_str().unwrap_or_default();
    let mut told = format!("{service}\n  {}: {}\n", text("state"), masked(text("reason")));
    for row in rows(daemon, cluster, service) {
        let _ = writeln!(told, "  history  {row}");
    }
    let label = format!("service=\"{service}\"");
    let ended = |result: &str| {
        let count = daemon.series("driftless_deployments_total", &[&label, &format!("result=\"{result}\"")]);
        (count > 0).then(|| format!("{count} {result}"))
    };
    let mut results: Vec<String> = RESULTS.iter().filter_map(|result| ended(result)).collect();
    if results.is_empty() {
        results.push("none ended".into());
    }
    let count = |name: &str| daemon.series(&format!("driftless_{name}_seconds_count"), &[&label]);
    let (took, merged) = (count("deployment_duration"), count("merge_to_live"));
    let _ = writeln!(told, "  metrics  {}; {took} durations, {merged} from merge to live", results.join(", "));
    let writes: Vec<String> =
        writes(daemon, service, since).iter().map(|(operation, count)| format!("{operation} {count}")).collect();
    let _ = writeln!(told, "  writes   {}", if writes.is_empty() { "none".to_owned() } else { writes.join(", ") });
    told
}

/// Counts of tasks, ids, commits and times become letters.
fn masked(text: &str) -> String {
    let mask = |word: &str| -> String {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let all = |is: fn(&char) -> bool| !bare.is_empty() && bare.chars().all(|c| is(&c));
        match () {
            () if bare.contains(":targetgroup/") => {
                let (start, _) = word.split_at(word.find(":targetgroup/").unwrap_or_default());
                let name = bare.split('/').nth(1).unwrap_or_default();
                format!(
                    "{}:targetgroup/{name}/ID{}",
                    start.split("arn:").next().unwrap_or_default(),
                    &word[word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len()..]
                )
            }
            () if bare.len() == 20 && bare.ends_with('Z') => word.replace(bare, "TIME"),
            () if bare.len() == 7 && all(char::is_ascii_hexdigit) => word.replace(bare, "COMMIT"),
            () if bare.len() > 18 && all(char::is_ascii_digit) => word.replace(bare, "ID"),
            () => word.to_owned(),
        }
    };
    let words: Vec<String> = text.split(' ').map(mask).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    for at in 1..words.len() {
        let counted = matches!(words[at], "task" | "tasks")
            || (words[at] == "of" && words.get(at + 1).is_some_and(|w| w.starts_with("them")));
        if counted && words[at - 1].trim_start_matches('(').parse::<u32>().is_ok() {
            words[at - 1] = if words[at - 1].starts_with('(') { "(N" } else { "N" };
            if words[at] == "task" {
                words[at] = "tasks";
            }
        }
    }
    words.join(" ")
}

/// Compares with a file beside the tests; with `UPDATE_GOLDEN=1` writes it.
#[track_caller]
pub fn golden(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{file} says\n{expected}\nand this happened\n{text}");
}
