//! The history: one row for each intent, kept over a restart, and rebuilt as far as ECS knows when the file is lost.

use crate::support::{Page, Simulated, finished, http, simulated, small};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;

const ROWS: &str = "/api/v1/services/small/web/deployments";

/// The rows of the service, newest first: number, result, cause, what runs, the commit's subject.
fn rows(daemon: &Simulated) -> Vec<String> {
    let rows: Value = serde_json::from_str(&daemon.page(ROWS)).unwrap();
    let row = |row: &Value| {
        let runs = row["images"][0].as_str().or(row["taskDefinition"].as_str()).unwrap_or("-");
        let runs = runs.rsplit('/').next().unwrap_or(runs);
        let commit = row["commit"]["subject"].as_str().unwrap_or("?");
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {runs} {commit}", row["number"], text("result"), text("cause"))
    };
    rows["deployments"].as_array().unwrap().iter().map(row).collect()
}

/// Waits until there are so many rows, and the newest has ended.
#[track_caller]
fn wait_for_rows(daemon: &Simulated, count: usize) -> Vec<String> {
    daemon.wait_until(&format!("there are {count} rows"), |_| {
        let rows = rows(daemon);
        rows.len() == count && !rows[0].contains(" - ")
    });
    rows(daemon)
}

#[test]
fn every_intent_is_a_row_that_outlives_the_process() {
    let repository = small::repository(&["web"]);
    let breaker = "service: { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }";
    repository.edit(&small::file("web"), "service: { desiredCount: 2 }", breaker);
    repository.commit("web: the first one");
    let account = simulated::account("123456789012", 100.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let state = Arc::new(tempfile::tempdir().unwrap());
    let start = || Simulated::start_in(state.clone(), account.clone(), &repository);

    let daemon = start();
    daemon.wait_until("it is live", |status| status.all("live"));
    wait_for_rows(&daemon, 1);
    repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
    repository.commit("web: 2");
    wait_for_rows(&daemon, 2);
    account.call("ecs", "UpdateService", json!({ "cluster": "small", "service": "web", "desiredCount": 1 })).unwrap();
    wait_for_rows(&daemon, 3);
    repository.edit(&small::file("web"), small::NEXT_IMAGE, "public.ecr.aws/small/web:3-crash-1");
    let bad = repository.commit("web: 3, which crashes");
    let expected = [
        "4 rolled_back deploy web:3-crash-1 web: 3, which crashes",
        "3 corrected drift web:2 web: 2",
        "2 live deploy web:2 web: 2",
        "1 live create web:1 web: the first one",
    ];
    daemon.wait_until("the last one is rolled back", |_| rows(&daemon) == expected);

    let all: Value = serde_json::from_str(&daemon.page(ROWS)).unwrap();
    let (crashed, drift) = (&all["deployments"][0], &all["deployments"][1]);
    assert_eq!((&crashed["commit"]["revision"], &crashed["commit"]["author"]), (&json!(bad), &json!("Ana Souza")));
    assert!(crashed["reason"].as_str().is_some_and(|reason| reason.contains("circuit breaker")), "{crashed}");
    assert!(crashed["changes"][0].as_str().is_some_and(|change| change.contains("3-crash-1")), "{crashed}");
    assert_eq!(drift["changes"], json!(["~ service.desiredCount: 1 → 2  [no restart]"]));
    assert_eq!(drift["steps"], json!(["UpdateService"]));
    let live: Vec<_> = all["deployments"].as_array().unwrap().iter().map(|row| row["liveNow"] == true).collect();
    assert_eq!(live, [false, false, true, false], "the second one serves again: {all}");

    // The same by the other ways.
    assert_eq!(http(daemon.address(), "GET", "/api/v1/services/small/none/deployments").0, 404);
    for wrong in ["0", "201", "-1", "x", ""] {
        assert_eq!(http(daemon.address(), "GET", &format!("{ROWS}?limit={wrong}")).0, 400, "{wrong}");
    }
    let newest: Value = serde_json::from_str(&daemon.page("/api/v1/deployments?limit=1")).unwrap();
    assert_eq!(newest["deployments"], json!([crashed]));
    let page = daemon.page("/services/small/web");
    assert!(page.contains("rolled back") && page.contains("web: 3, which crashes"), "{page}");
    let history = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
        finished(command.args(["history", "--address", daemon.address()]).args(arguments))
    };
    let said = history(&["web", "--limit", "2"]).assert_status(0).stdout;
    assert_eq!(said.lines().count(), 4, "a head, two rows, one reason:\n{said}");
    assert!(said.contains("↩ rolled back  web:3-crash-1") && said.contains("≠ corrected"), "{said}");
    let said = history(&["small/web", "--output", "json"]).assert_status(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["deployments"].as_array().map(Vec::len), Some(4));
    assert!(history(&["none"]).assert_status(1).stderr.contains("no service none"));
    assert_eq!(daemon.series("driftless_history_lost_total", &[]), 0);

    // The next process goes on with it.
    drop(daemon);
    let daemon = start();
    daemon.wait_until("it has looked", |status| status.services().iter().any(|service| service["state"] == "failed"));
    daemon.pass(5);
    assert_eq!(rows(&daemon), expected);

    // Without the file there is what ECS knows.
    drop(daemon);
    for entry in std::fs::read_dir(state.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("history.sqlite")) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let daemon = start();
    wait_for_rows_rebuilt(&daemon, &bad);
    repository.edit(&small::file("web"), "public.ecr.aws/small/web:3-crash-1", "public.ecr.aws/small/web:4");
    repository.commit("web: 4");
    // A stop on the way: the row that is open is continued.
    daemon.wait_until("the next one is under way", |_| rows(&daemon)[0].starts_with("4 "));
    drop(daemon);
    let daemon = start();
    daemon.wait_until("it is live", |status| status.all("live") && !status.services().is_empty());
    let rows = wait_for_rows(&daemon, 4);
    assert_eq!(rows[0], "4 live deploy web:4 web: 4");
}

#[track_caller]
fn wait_for_rows_rebuilt(daemon: &Simulated, bad: &str) {
    daemon.wait_until("it has looked", |status| status.services().iter().any(|service| service["state"] == "failed"));
    daemon.wait_until("the history is rebuilt", |_| rows(daemon).len() == 3);
    daemon.pass(3);
    // The commits stand in tags of the service and of its revisions; the mirror knows what they say.
    let expected = [
        "3 rolled_back - web:3-crash-1 web: 3, which crashes",
        "2 live - web:2 web: 2",
        "1 live - web:1 web: the first one",
    ];
    assert_eq!(rows(daemon), expected);
    let all: Value = serde_json::from_str(&daemon.page(ROWS)).unwrap();
    assert_eq!(all["deployments"][0]["commit"]["revision"], json!(bad), "the tag's");
    assert!(all["deployments"].as_array().unwrap().iter().all(|row| row["rebuilt"] == true), "{all}");
}

#[test]
fn a_row_names_the_commit_that_changed_the_service() {
    let repository = small::repository(&["web"]);
    repository.write(&small::file("other"), &small::service("other"));
    repository.commit("Another service");
    let account = simulated::account("123456789012", 100.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("both are live", |status| status.all("live"));
    assert_eq!(wait_for_rows(&daemon, 1), ["1 live create web:1 The first one"], "not the newest commit");
    // Two commits between two looks at git.
    repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
    repository.commit("web: 2");
    repository.edit(&small::file("other"), "value: b", "value: c");
    repository.commit("other: c");
    daemon.wait_until("web is at 2", |status| status.service("web")["images"] == json!([small::NEXT_IMAGE]));
    assert_eq!(wait_for_rows(&daemon, 2)[0], "2 live deploy web:2 web: 2");
}
