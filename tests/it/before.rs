//! One-off tasks before a rollout: what is run, how often, and what becomes of the rollout; on the simulated account.

use crate::support::simulated::Served;
use crate::support::{Page, Repository, Simulated, driftless_with, simulated, small};
use driftless::sim::Account;
use driftless::sim::fault::{Fault, Trigger};
use driftless::sim::ledger::Entry;
use driftless::sim::policy::Policy;
use driftless::sim::world::ecs::images::Behaviour;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How much faster than ours the account's time runs. Its hour is over in half a minute.
const SPEED: f64 = 120.0;

fn account(speed: f64) -> Account {
    let account = simulated::account("123456789012", speed);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    account
}

/// The service `web` with these tasks before its rollout.
fn repository(tasks: &str) -> Repository {
    let repository = small::repository(&["web"]);
    before(&repository, "sync: { minInterval: 0s }", tasks);
    repository.commit("With tasks before the rollout");
    repository
}

/// Writes the section in the place of `from`.
fn before(repository: &Repository, from: &str, tasks: &str) {
    repository.edit(
        &small::file("web"),
        from,
        &format!("sync: {{ minInterval: 0s }}\nrollout: {{ before: [{tasks}] }}"),
    );
}

/// It takes some seconds of ours, so that it is seen.
const MIGRATE: &str = "{ name: migrate, container: web, command: [migrate, job-400] }";

fn image(repository: &Repository, from: &str, to: &str) {
    repository.edit(&small::file("web"), from, to);
    repository.commit(&format!("To {to}"));
}

/// How many tasks were started: one for each client token.
fn started(account: &Account) -> usize {
    account.world(|world| world.ecs.run.values().map(Vec::len).sum())
}

/// When the tasks that ECS still shows were asked for and had stopped, in order.
fn times(account: &Account) -> Vec<(Option<Timestamp>, Option<Timestamp>)> {
    account.world(|world| {
        let alone = world.ecs.tasks.values().filter(|task| task.service.is_none());
        let mut all: Vec<_> = alone.map(|task| (task.times.created, task.times.stopped)).collect();
        all.sort();
        all
    })
}

/// The writes to ECS that were done, in order, without tags.
fn done(daemon: &Simulated) -> Vec<String> {
    let all = daemon.writes().into_iter().filter(|entry| entry.status == 200 && entry.operation != "TagResource");
    let name = |entry: Entry| match entry.operation.as_str() {
        "RunTask" => {
            format!("RunTask {}", entry.input["overrides"]["containerOverrides"][0]["command"][0].as_str().unwrap())
        }
        operation => operation.to_owned(),
    };
    all.map(name).collect()
}

fn reason(status: &crate::support::Status) -> String {
    status.service("web")["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn tasks_are_run_once_in_order_and_then_comes_the_rollout() {
    let second = "{ name: warm-up, container: web, command: [warm, job-5], timeout: 2m }";
    let (account, repository) = (account(SPEED), repository(&format!("{MIGRATE}, {second}")));
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("migrate runs", |status| {
        let reason = reason(status);
        reason.starts_with("runs migrate before the rollout (task ") && reason.ends_with("at most 15m)")
    });
    assert_eq!(daemon.seen().service("web")["state"], "pending");
    daemon.wait_until("1 is live", |status| status.all("live"));
    let first = ["RegisterTaskDefinition", "RunTask migrate", "RunTask warm", "CreateService"];
    assert_eq!(done(&daemon), first, "{}", daemon.log());

    image(&repository, small::IMAGE, small::NEXT_IMAGE);
    let is_next = |status: &crate::support::Status| status.service("web")["images"] == json!([small::NEXT_IMAGE]);
    daemon.wait_until("2 is live", |status| status.all("live") && is_next(status));
    let next = ["RegisterTaskDefinition", "RunTask migrate", "RunTask warm", "UpdateService"];
    assert_eq!(done(&daemon), [first, next].concat(), "{}", daemon.log());
    // The second begins when the first has ended.
    let times = times(&account);
    assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{times:?}");

    // Only the number of tasks changes, then the image goes back: its revision had its tasks.
    repository.edit(&small::file("web"), "desiredCount: 2", "desiredCount: 3");
    repository.commit("Three of them");
    daemon.wait_until("three run", |status| status.all("live") && status.service("web")["tasks"]["running"] == 3);
    image(&repository, small::NEXT_IMAGE, small::IMAGE);
    daemon.wait_until("1 is live again", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::IMAGE])
    });
    daemon.pass(3);
    assert_eq!(started(&account), 4, "{}", daemon.log());
    assert_eq!(daemon.done("UpdateService"), 3);

    let history = daemon.page("/api/v1/services/small/web/deployments");
    let history: Value = serde_json::from_str(&history).unwrap();
    let rows: Vec<_> = history["deployments"].as_array().unwrap().iter().collect();
    let ran = |row: &Value| {
        row["before"].as_array().unwrap().iter().map(|ran| ran.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_second = ran(rows.iter().find(|row| row["number"] == 2).unwrap());
    assert!(of_second[0].starts_with("migrate exited with code 0 (task ") && of_second.len() == 2, "{of_second:?}");
    assert_eq!(daemon.series("driftless_before_tasks_total", &["result=\"success\""]), 4);
}

#[test]
fn a_failure_stops_the_rollout_until_somebody_says_more() {
    let (account, repository) = (account(SPEED), repository(MIGRATE));
    let served = Served::start(&account);
    let failed = |status: &crate::support::Status| {
        status.all("failed") && reason(status).contains("(migrate exited with code 1 (task ")
    };
    {
        let daemon = Simulated::start(account.clone(), &repository);
        daemon.wait_until("1 is live", |status| status.all("live"));
        assert_eq!(started(&account), 1);
        let says = vec!["relation \"users\" does not exist".to_owned()];
        account.world(|world| world.ecs.images.set(small::NEXT_IMAGE, Behaviour { says, ..Behaviour::default() }));
        let logs = "logConfiguration: { logDriver: awslogs, options: { awslogs-group: /ecs/web, awslogs-region: us-east-1, awslogs-stream-prefix: a } }";
        let role = "memory: 512\n  executionRoleArn: arn:aws:iam::123456789012:role/execution";
        repository.edit(&small::file("web"), "memory: 512", role);
        repository.edit(&small::file("web"), "portMappings:", &format!("{logs}, portMappings:"));
        repository.edit(
            &small::file("web"),
            "rollout: { before:",
            "logs: { /ecs/web: {} }\nrollout: { logLines: 5, before:",
        );
        repository.edit(&small::file("web"), "[migrate, job-400]", "[migrate, crash-1]");
        image(&repository, small::IMAGE, small::NEXT_IMAGE);
        daemon.wait_until("it has failed", failed);
        daemon.pass(10);
        assert!(failed(&daemon.seen()), "{}", daemon.seen());
        assert_eq!((started(&account), daemon.done("UpdateService")), (2, 0), "{}", daemon.log());
        let history: Value = serde_json::from_str(&daemon.page("/api/v1/services/small/web/deployments")).unwrap();
        let row = &history["deployments"][0];
        assert_eq!(row["result"], "failed", "{row}");
        assert!(row["reason"].as_str().unwrap().starts_with("migrate exited with code 1 (task "), "{row}");
        assert_eq!(row["lastLines"]["lines"], json!(["relation \"users\" does not exist"]), "{row}");
        assert_eq!(daemon.series("driftless_before_tasks_total", &["result=\"failure\""]), 1);
    }
    // Another daemon, without the first one's memory and disk.
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("it is known to have failed", failed);
    daemon.pass(2);
    assert_eq!(started(&account), 2, "{}", daemon.log());

    let path = repository.path().display().to_string();
    driftless_with(&served.env, &["retry", "web", "--repo", &path, "--path", "env"]).assert_status(0);
    daemon.wait_until("it is tried again", |_| started(&account) == 3);
    daemon.wait_until("it has failed again", failed);
    daemon.pass(2);
    assert_eq!((started(&account), daemon.done("UpdateService")), (3, 0), "{}", daemon.log());

    // A person's own `apply` tries it, too, once.
    let applied = driftless_with(&served.env, &["apply", "--repo", &path, "--path", "env"]).assert_status(3);
    assert!(applied.stderr.contains("the rollout of web failed: migrate exited with code 1"), "{}", applied.stderr);
    daemon.pass(2);
    assert_eq!((started(&account), daemon.done("UpdateService")), (4, 0), "{}", daemon.log());

    repository.edit(&small::file("web"), "[migrate, crash-1]", "[migrate, job-1]");
    repository.commit("The migration is put right");
    daemon.wait_until("2 is live", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
    });
    daemon.pass(3);
    assert_eq!((started(&account), daemon.done("UpdateService")), (5, 1), "{}", daemon.log());
}

#[test]
fn what_does_not_come_to_its_end_is_stopped_and_has_failed() {
    // Time is compared with ours here.
    let account = account(1.0);
    let repository = repository("{ name: migrate, container: web, command: [migrate, job-900], timeout: 2s }");
    // With no more permissions than the policy of deploy gives.
    let policy = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/iam-policy.json")).unwrap();
    let names = [("ACCOUNT", "123456789012"), ("REGION", "us-east-1"), ("CLUSTER", "small"), ("ENVIRONMENT", "small")];
    let policy = names.iter().fold(policy, |policy, (name, value)| policy.replace(name, value));
    account.enforce(Some(Policy::read(&policy).unwrap()));
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("it has failed", |status| {
        status.all("failed") && reason(status).contains("migrate was stopped: it took longer than 2s (rollout.before)")
    });
    daemon.pass(2);
    let writes = ["RegisterTaskDefinition", "RunTask migrate", "StopTask"];
    assert_eq!(done(&daemon), writes, "{}", daemon.log());
}

/// A repository with a service of each name, each with one task before its rollout.
fn services(names: &[&str], command: fn(&str) -> &'static str) -> Repository {
    let repository = small::repository(names);
    for name in names {
        let task = format!(
            "rollout: {{ before: [{{ name: migrate, container: web, command: [migrate, {}] }}] }}",
            command(name)
        );
        repository.edit(
            &small::file(name),
            "sync: { minInterval: 0s }",
            &format!("sync: {{ minInterval: 0s }}\n{task}"),
        );
    }
    repository.commit("With tasks before the rollout");
    repository
}

/// Whatever comes of RunTask's answer, and whatever is shown after it, one task is run.
#[test]
fn an_unclear_answer_is_one_task() {
    let account = account(SPEED);
    let faults = [
        ("web-done", Fault::Lost { applied: true }),
        ("web-not-done", Fault::Lost { applied: false }),
        ("web-error", Fault::Error { status: 500, applied: true }),
        ("web-stale", Fault::Stale { calls: 12, seconds: 1e6 }),
    ];
    let names: Vec<&str> = faults.iter().map(|(name, _)| *name).collect();
    let repository = services(&names, |_| "job-5");
    for (name, fault) in faults {
        account.fault(Trigger::next("ecs RunTask").of(&format!("driftless/{name}\"")), fault);
    }
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    assert_eq!((started(&account), daemon.done("CreateService")), (names.len(), names.len()), "{}", daemon.log());
}

/// A daemon ends in each phase, its disk is lost, and another one goes on.
#[test]
fn a_restart_in_any_phase_runs_nothing_twice() {
    let account = account(SPEED);
    let refused = || Fault::Error { status: 503, applied: false };
    // The service, and what goes wrong as long as the first daemon is there.
    let phases = [
        ("registered", Some(("ecs RunTask", "driftless/registered\"", refused()))),
        ("asked-for", Some(("ecs RunTask", "driftless/asked-for\"", Fault::Lost { applied: true }))),
        ("running", None),
        ("ended", Some(("ecs TagResource", "task-definition/ended:", refused()))),
        ("noted", Some(("ecs CreateService", "\"noted\"", refused()))),
    ];
    let names: Vec<&str> = phases.iter().map(|(name, _)| *name).collect();
    let repository = services(&names, |name| if name == "running" { "job-2400" } else { "job-5" });
    for (_, fault) in phases {
        if let Some((operation, object, fault)) = fault {
            account.fault(Trigger::every(operation).of(object), fault);
        }
    }
    {
        let daemon = Simulated::start(account.clone(), &repository);
        let failed = |operation: &str, of: &str| {
            let is_it = |entry: &Entry| {
                entry.operation == operation && entry.status != 200 && entry.input.to_string().contains(of)
            };
            daemon.writes().iter().any(is_it)
        };
        daemon.wait_until("all are on their way", |status| {
            let runs =
                status.service("running")["reason"].as_str().is_some_and(|reason| reason.starts_with("runs migrate"));
            runs && failed("RunTask", "driftless/registered")
                && failed("RunTask", "driftless/asked-for")
                && failed("TagResource", "task-definition/ended")
                && failed("CreateService", "\"noted\"")
        });
    }
    account.clear_faults();
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    assert_eq!((started(&account), daemon.done("CreateService")), (names.len(), names.len()), "{}", daemon.log());
}

#[test]
fn who_goes_back_does_not_run_the_tasks_of_an_older_image() {
    let (account, repository) = (account(SPEED), small::repository(&["web"]));
    let served = Served::start(&account);
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("1 is live", |status| status.all("live"));
    before(&repository, "sync: { minInterval: 0s }", MIGRATE);
    let declared = repository.commit("A task before the next rollout");
    daemon.wait_until("it is known", |status| status.all_live_on(&declared));
    assert_eq!(started(&account), 0, "nothing was rolled out");
    image(&repository, small::IMAGE, small::NEXT_IMAGE);
    daemon.wait_until("2 is live", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
    });
    let path = repository.path().display().to_string();
    let back = ["rollback", "web", "--reason", "a test", "--to", &declared, "--repo", &path, "--path", "env"];
    driftless_with(&served.env, &back).assert_status(0);
    let status = daemon.wait_until("1 runs again", |status| status.service("web")["state"] == "held");
    assert_eq!(status.service("web")["images"], json!([small::IMAGE]));
    // And forth again: that revision had its task.
    driftless_with(&served.env, &["retry", "web", "--repo", &path, "--path", "env"]).assert_status(0);
    daemon.wait_until("2 is live again", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
    });
    assert_eq!(started(&account), 1, "{}", daemon.log());
}

/// A commit that comes while a task runs waits for its end: two migrations at a time would be one too many.
#[test]
fn a_newer_commit_waits_for_what_runs() {
    let (account, repository) = (account(SPEED), repository(MIGRATE));
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("migrate runs", |status| reason(status).starts_with("runs migrate before the rollout"));
    image(&repository, small::IMAGE, small::NEXT_IMAGE);
    daemon.wait_until("it is waited for", |status| reason(status).starts_with("runs a task of another commit"));
    daemon.wait_until("2 is live", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
    });
    assert_eq!((started(&account), daemon.done("CreateService")), (2, 1), "{}", daemon.log());
    let times = times(&account);
    assert!(times[0].1 <= times[1].0, "{times:?}");
}
