//! A release that does not come up: said once, in ECS's words, and never tried again until git changes.

use crate::support::{Account, Daemon, Repository, assert_quiet, driftless};

#[test]
fn a_release_that_crashes_is_deployed_once() {
    failed_and_next("crash-0.3");
}

#[test]
fn a_release_that_cannot_be_pulled_is_deployed_once() {
    failed_and_next("nopull");
}

/// A commit whose image behaves as `tag` says, which ECS's circuit breaker gives up and takes back; then a good one.
fn failed_and_next(tag: &str) {
    let (account, repository) =
        (Account::simulated_example("convergence-website"), Repository::of_example("convergence-website"));
    driftless(&account, &["apply", "--path", repository.environment().to_str().unwrap()]).assert_status(0);
    let daemon = Daemon::inside(&account, &repository);
    daemon.wait("everything is live", |status| status.all("live"));
    let before = account.writes().len();

    let bad = format!("2.1.1-{tag}");
    account.push("convergence-prod-api", &bad);
    account.push("convergence-prod-api", "2.1.2");
    repository.edit("services/prod-api.yaml", "prod-api:2.1.0", &format!("prod-api:{bad}"));
    let commit = repository.commit("api: one that does not come up");
    let status = daemon.wait("the rollout has failed, and the old version serves", |status| {
        let service = status.service("prod-api");
        service["state"] == "failed" && service["images"][0].as_str().is_some_and(|image| image.ends_with(":2.1.0"))
    });
    let service = status.service("prod-api");
    assert_eq!(service["commit"]["revision"], commit.as_str());
    let reason = service["reason"].as_str().unwrap();
    assert!(reason.contains("circuit breaker"), "ECS's reason is not in {reason:?}");
    assert_eq!(status.service("prod-app")["state"], "live", "the other service goes on");

    // Twenty passes find the difference between git and AWS, and leave it.
    assert_quiet(&account, &daemon, 20);
    let status = daemon.status();
    assert_eq!(status.service("prod-api")["state"], "failed");
    assert_eq!(status.service("prod-api")["held"], true);
    let writes = account.writes().since(before);
    assert_eq!(writes.count("RegisterTaskDefinition"), 1, "{}", writes.text());
    assert_eq!(writes.count("UpdateService"), 1, "{}", writes.text());

    // One that was started since, and remembers nothing, leaves it as well.
    daemon.stop();
    let daemon = Daemon::inside(&account, &repository);
    daemon.wait("the failure is still known", |status| status.service("prod-api")["state"] == "failed");
    assert_quiet(&account, &daemon, 6);
    assert_eq!(account.writes().since(before).count("UpdateService"), 1, "{}", account.writes().since(before).text());

    // Git changes, and it is tried at once.
    repository.edit("services/prod-api.yaml", &format!("prod-api:{bad}"), "prod-api:2.1.2");
    let commit = repository.commit("api: 2.1.2");
    let status = daemon.wait("the next one is live", |status| status.all_live_on(&commit));
    assert!(status.service("prod-api")["images"][0].as_str().unwrap().ends_with(":2.1.2"), "{status}");
    let writes = account.writes().since(before);
    assert_eq!(writes.count("RegisterTaskDefinition"), 2, "{}", writes.text());
    assert_eq!(writes.count("UpdateService"), 2, "{}", writes.text());
    daemon.stop();
}
