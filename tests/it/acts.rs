//! What people do to a service beside git: pause, resume, rollback, retry; on the simulated account, with the commands
//! themselves. All of it survives the loss of the daemon's memory.

use crate::support::simulated::Served;
use crate::support::{Page, Repository, Simulated, driftless_with, simulated, small};
use driftless::sim::Account;
use driftless::sim::world::ecs::images::Behaviour;
use serde_json::json;
use std::time::{Duration, Instant};

fn account() -> Account {
    let account = simulated::account("123456789012", 100.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    account
}

/// A command about the service `web`.
#[track_caller]
fn act(served: &Served, repository: &Repository, arguments: &[&str]) -> String {
    let path = repository.path().display().to_string();
    let place = ["--repo", &path, "--path", "env"];
    driftless_with(&served.env, &[arguments, &place].concat()).assert_status(0).stdout
}

/// Waits without a daemon.
#[track_caller]
fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: not within 30 seconds");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn image(repository: &Repository, from: &str, to: &str, message: &str) {
    repository.edit(&small::file("web"), from, to);
    repository.commit(message);
}

#[test]
fn a_rollback_stays_until_git_says_something_new() {
    let (account, repository) = (account(), small::repository(&["web"]));
    let served = Served::start(&account);
    let third = "public.ecr.aws/small/web:3";
    {
        let daemon = Simulated::start(account.clone(), &repository);
        daemon.wait_until("1 is live", |status| status.all("live"));
        image(&repository, small::IMAGE, small::NEXT_IMAGE, "2, which turns out to be bad");
        daemon.wait_until("2 is live", |status| {
            status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
        });
        let said = act(&served, &repository, &["rollback", "web", "--reason", "500s since 14:02"]);
        assert!(said.contains("The first one") && said.contains("500s since 14:02"), "{said}");
        let status = daemon.wait_until("1 runs again", |status| status.service("web")["state"] == "held");
        assert_eq!(status.service("web")["images"], json!([small::IMAGE]));
        let reason = status.service("web")["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.starts_with("rolled back to ") && reason.contains("500s since 14:02"), "{reason}");
        let done = || ["RegisterTaskDefinition", "UpdateService", "TagResource"].map(|name| daemon.done(name));
        let before = done();
        assert_eq!(before[..2], [2, 2], "the revision of 1 is used again");
        daemon.pass(20);
        assert_eq!(done(), before, "nothing more is written:\n{}", daemon.log());
        // The same without a daemon.
        let said = act(&served, &repository, &["status", "--exit-status"]);
        assert!(said.contains("↩ web      held") && said.contains("2/2    web:1  rolled back to "), "{said}");
        assert!(said.trim_end().ends_with("1 held"), "{said}");
    }
    // Another daemon, without the first one's memory and disk; and a commit that is not about the service.
    repository.write("services/other.yaml", &small::service("other"));
    repository.commit("Another service");
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("it is held still", |status| {
        status.service("web")["state"] == "held" && status.service("other")["state"] == "live"
    });
    daemon.pass(5);
    assert_eq!(daemon.seen().service("web")["images"], json!([small::IMAGE]));
    image(&repository, small::NEXT_IMAGE, third, "3");
    daemon.wait_until("3 is live", |status| status.all("live") && status.service("web")["images"] == json!([third]));
    daemon.pass(3);
    assert_eq!(daemon.seen().service("web")["rolledBack"], json!(null));
}

#[test]
fn what_failed_is_tried_again_when_somebody_asks() {
    let (account, repository) = (account(), small::repository(&["web"]));
    let served = Served::start(&account);
    let breaker = "service: { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }";
    repository.edit(&small::file("web"), "service: { desiredCount: 2 }", breaker);
    repository.commit("With a circuit breaker");
    let broken = "public.ecr.aws/small/web:2-crash-1";
    let updates = |daemon: &Simulated| daemon.done("UpdateService");
    {
        let daemon = Simulated::start(account.clone(), &repository);
        daemon.wait_until("1 is live", |status| status.all("live"));
        image(&repository, small::IMAGE, broken, "2");
        daemon.wait_until("2 has failed", |status| status.all("failed"));
        daemon.pass(5);
        assert_eq!(updates(&daemon), 1);
    }
    // A restart does not try it again, nor does a daemon that was not there when it failed.
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("it is known to have failed", |status| status.all("failed"));
    let path = repository.path().display().to_string();
    let status = ["status", "--exit-status", "--repo", &path, "--path", "env"];
    let said = driftless_with(&served.env, &status).assert_status(1).stdout;
    assert!(said.contains("✕ web") && said.contains("failed") && said.contains("circuit breaker"), "{said}");
    daemon.pass(5);
    assert_eq!(updates(&daemon), 1, "{}", daemon.log());
    // It fails once more, and is held once more.
    act(&served, &repository, &["retry", "web"]);
    daemon.wait_until("it is tried again", |_| updates(&daemon) == 2);
    daemon.wait_until("it has failed again", |status| status.all("failed"));
    daemon.pass(5);
    assert_eq!(updates(&daemon), 2, "{}", daemon.log());
    // It is tried once, also where nobody is there to see that it fails.
    act(&served, &repository, &["retry", "web"]);
    let noted = || {
        let described = json!({ "cluster": "small", "services": ["web"], "include": ["TAGS"] });
        let service = account.call("ecs", "DescribeServices", described).unwrap()["services"][0].take();
        service["tags"].as_array().unwrap().contains(&json!({ "key": "driftless:failed", "value": "-" }))
    };
    daemon.wait_until("it is tried a third time", |_| updates(&daemon) == 3 && noted());
    drop(daemon);
    let gone_back = || {
        let described = json!({ "cluster": "small", "services": ["web"] });
        let service = account.call("ecs", "DescribeServices", described).unwrap()["services"][0].take();
        let all = service["deployments"].as_array().map_or(0, Vec::len);
        service["taskDefinition"].as_str().is_some_and(|arn| arn.ends_with("web:1")) && all == 1
    };
    eventually("ECS has gone back", gone_back);
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("it is known to have failed", |status| status.all("failed"));
    daemon.pass(5);
    assert_eq!(updates(&daemon), 3, "{}", daemon.log());
    // What was wrong is put right outside of git.
    account.world(|world| world.ecs.images.set(broken, Behaviour::default()));
    act(&served, &repository, &["apply", "--service", "web"]);
    daemon.wait_until("2 is live", |status| status.all("live") && status.service("web")["images"] == json!([broken]));
    assert_eq!(updates(&daemon), 4);
    // What came up has not failed: what somebody changes there is put right, also by a process that remembers nothing.
    drop(daemon);
    let back = json!({ "cluster": "small", "service": "web", "taskDefinition": "web:1" });
    account.call("ecs", "UpdateService", back).unwrap();
    eventually("somebody has changed it", gone_back);
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("it is put right", |status| {
        status.all("live") && status.service("web")["images"] == json!([broken])
    });
}

#[test]
fn a_pause_is_respected_by_every_process_and_ends_by_hand() {
    let (account, repository) = (account(), small::repository(&["web"]));
    let served = Served::start(&account);
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("it is live", |status| status.all("live"));
    let said = act(&served, &repository, &["pause", "web", "--reason", "database move", "--for", "2h"]);
    assert!(said.contains("Paused: web by driftless until 20") && said.contains("database move"), "{said}");
    daemon.wait_until("it is paused", |status| status.all("paused"));
    image(&repository, small::IMAGE, small::NEXT_IMAGE, "2");
    daemon.wait_until("the commit waits", |status| status.service("web")["sync"] == "pending");
    daemon.pass(5);
    assert_eq!(daemon.done("UpdateService"), 0);
    // A person's own `apply` is held, too.
    let path = repository.path().display().to_string();
    let refused = driftless_with(&served.env, &["apply", "--repo", &path, "--path", "env"]).assert_status(1);
    assert!(refused.stderr.contains("paused by driftless until"), "{}", refused.stderr);
    act(&served, &repository, &["resume", "web"]);
    daemon.wait_until("2 is live", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
    });
    assert_eq!(daemon.done("UpdateService"), 1);
}

#[test]
fn somebody_goes_past_a_closed_window_and_says_why() {
    let (account, repository) = (account(), small::repository(&["web"]));
    let served = Served::start(&account);
    let closed = "minInterval: 0s, windows: [{ deny: \"00:00-24:00\" }]";
    repository.edit(&small::file("web"), "minInterval: 0s", closed);
    repository.commit("A freeze");
    let path = repository.path().display().to_string();
    let apply = ["apply", "--repo", &path, "--path", "env"];
    let services =
        || account.call("ecs", "ListServices", json!({ "cluster": "small" })).unwrap()["serviceArns"].clone();

    let held = driftless_with(&served.env, &apply).assert_status(1);
    let why = "web is on hold: deploy window closed (deny 00:00-24:00 UTC)";
    assert!(held.stderr.contains(why) && held.stderr.contains("--override-window"), "{}", held.stderr);
    assert_eq!(services(), json!([]));
    driftless_with(&served.env, &[&apply[..], &["--override-window", ""]].concat()).assert_status(64);
    assert_eq!(services(), json!([]));

    let past = [&apply[..], &["--override-window", "checkout is down"]].concat();
    let said = driftless_with(&served.env, &past).assert_status(0).stdout;
    assert!(said.contains("and gone past: \"checkout is down\"") && said.contains("1 live"), "{said}");
}
