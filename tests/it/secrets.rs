//! Secrets and parameters that change under tasks that run: the daemon on a simulated account, which never asks for a value.

use crate::support::{Page, Repository, Simulated, simulated, small};
use driftless::sim::Account;
use driftless::sim::fault::{Fault, Trigger};
use driftless::sim::ledger::Entry;
use driftless::sim::world::Refusal;
use driftless::sim::world::ecs::images::Behaviour;
use serde_json::{Value, json};

/// A service `web` that is given a secret and a parameter, and what its file says of those that change.
fn repository(on_secret_rotated: &str) -> Repository {
    let repository = small::repository(&["web"]);
    let file = small::file("web");
    let given = "containers: { web: { secrets: { DATABASE_URL: prod/database-url, COLOR: /prod/color } } }";
    let rollout = format!("rollout: {{ onSecretRotated: {on_secret_rotated} }}");
    let breaker = "service: { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }";
    repository.edit(&file, "service: { desiredCount: 2 }", &format!("{breaker}\n{given}\n{rollout}"));
    repository.edit(&file, "  family: web\n", "  family: web\n  executionRoleArn: ecsTaskExecutionRole\n");
    repository.commit("With a secret");
    repository
}

/// An account with a cluster, the secret and the parameter, whose time runs fast.
fn account(speed: f64) -> Account {
    let account = simulated::account("123456789012", speed);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let secret = json!({ "Name": "prod/database-url", "SecretString": "hush-1" });
    account.call("secretsmanager", "CreateSecret", secret).unwrap();
    let parameter = json!({ "Name": "/prod/color", "Value": "hush-blue", "Type": "SecureString" });
    account.call("ssm", "PutParameter", parameter).unwrap();
    account
}

/// As a person or a rotation does it.
fn rotate(account: &Account) {
    let value = json!({ "SecretId": "prod/database-url", "SecretString": "hush-2" });
    account.call("secretsmanager", "PutSecretValue", value).unwrap();
}

/// Runs `story` where the account's answers can be waited for.
fn within(story: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    story();
}

fn notes(daemon: &Simulated) -> String {
    let diff: Value = serde_json::from_str(&daemon.page("/api/v1/services/small/web/diff")).unwrap();
    diff["notes"].to_string()
}

fn forced(daemon: &Simulated) -> usize {
    let forced = |entry: &&Entry| entry.input["forceNewDeployment"] == true;
    daemon.writes().iter().filter(|entry| entry.operation == "UpdateService").filter(forced).count()
}

/// The service is live, after so many forced deployments, and stays so.
fn settles(daemon: &Simulated, what: &str, deployments: usize) {
    daemon.wait_until(what, |status| status.service("web")["state"] == "live" && forced(daemon) == deployments);
    daemon.pass(2);
    daemon.wait_until("it stays so", |status| status.service("web")["state"] == "live");
    assert_eq!(forced(daemon), deployments, "{what}:\n{}", daemon.log());
}

/// No value was asked for, and none is anywhere.
fn no_value(daemon: &Simulated) {
    let ledger = daemon.account.ledger();
    let asked = ledger.iter().find(|entry| {
        let reads_values = ["GetSecretValue", "BatchGetSecretValue", "GetParameter"];
        reads_values.iter().any(|operation| entry.operation.starts_with(operation))
    });
    assert_eq!(asked, None);
    assert!(ledger.iter().any(|entry| entry.operation == "ListSecretVersionIds"), "it was looked at");
    for page in ["/", "/services/small/web", "/api/v1/services/small/web/diff", "/metrics"] {
        assert!(!daemon.page(page).contains("hush"), "{page}");
    }
}

#[test]
fn a_secret_that_is_rotated_is_deployed_anew_once() {
    within(|| {
        let (account, repository) = (account(100.0), repository("redeploy"));
        let daemon = Simulated::start(account, &repository);
        settles(&daemon, "it is live", 0);

        rotate(&daemon.account);
        settles(&daemon, "the new value is live", 1);
        daemon.pass(8);
        let history = daemon.page("/api/v1/deployments");
        assert!(history.contains("secret prod/database-url was changed at"), "{history}");
        // A process without memory knows it by the times.
        let account = daemon.account.clone();
        drop(daemon);
        let daemon = Simulated::start(account, &repository);
        settles(&daemon, "the next process does nothing", 1);

        let parameter = json!({ "Name": "/prod/color", "Value": "hush-red", "Overwrite": true });
        daemon.account.call("ssm", "PutParameter", parameter).unwrap();
        settles(&daemon, "the new color is live", 2);
        let described = json!({ "SecretId": "prod/database-url", "Description": "where the data is" });
        daemon.account.call("secretsmanager", "UpdateSecret", described).unwrap();
        settles(&daemon, "a description is no value", 2);
        let registered = daemon.done("RegisterTaskDefinition");
        assert_eq!(registered, 1, "the revision stays the same:\n{}", daemon.log());
        no_value(&daemon);
    });
}

#[test]
fn a_rotation_during_a_rollout_is_deployed_when_that_is_over() {
    within(|| {
        let (account, repository) = (account(20.0), repository("redeploy"));
        let daemon = Simulated::start(account, &repository);
        settles(&daemon, "it is live", 0);
        repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
        repository.commit("The next one");
        daemon.wait_until("it is under way", |_| daemon.done("UpdateService") == 1);
        let described = || {
            let asked = json!({ "cluster": "small", "services": ["web"] });
            daemon.account.call("ecs", "DescribeServices", asked).unwrap()["services"][0].clone()
        };
        let tasks = |of: &Value| of["deployments"][0]["runningCount"].as_i64();
        daemon.wait_until("some of its tasks run", |_| tasks(&described()).is_some_and(|running| running > 0));
        rotate(&daemon.account);
        assert_eq!(described()["deployments"][0]["rolloutState"], "IN_PROGRESS");
        settles(&daemon, "then the secret", 1);
        assert_eq!(daemon.done("UpdateService"), 2, "{}", daemon.log());
        no_value(&daemon);
    });
}

#[test]
fn a_value_that_nothing_can_run_with_is_not_tried_again() {
    within(|| {
        let (account, repository) = (account(100.0), repository("redeploy"));
        let daemon = Simulated::start(account, &repository);
        settles(&daemon, "it is live", 0);
        let does = |account: &Account, behaviour: Behaviour| {
            account.world(|world| world.ecs.images.set(small::IMAGE, behaviour));
        };
        does(&daemon.account, Behaviour { exits: Some((1.0, 1)), ..Behaviour::default() });
        rotate(&daemon.account);
        daemon.wait_until("it has failed", |status| status.service("web")["state"] == "failed");
        does(&daemon.account, Behaviour::default());
        daemon.pass(5);
        assert_eq!(forced(&daemon), 1, "{}", daemon.log());
        let account = daemon.account.clone();
        drop(daemon);
        let daemon = Simulated::start(account, &repository);
        // The tasks of the rollback have started since: they were given the new value, and run with it.
        settles(&daemon, "the next process does nothing", 1);
        rotate(&daemon.account);
        settles(&daemon, "the right value is live", 2);
    });
}

#[test]
fn a_rotation_is_reported_or_ignored_or_said_to_be_unseen() {
    within(|| {
        for (on_secret_rotated, denied, said) in [
            ("report", false, Some("secret prod/database-url was changed at")),
            ("ignore", false, None),
            ("redeploy", true, Some("it is not known when secret prod/database-url was changed")),
        ] {
            let (account, repository) = (account(100.0), repository(on_secret_rotated));
            if denied {
                let refusal = Refusal::new("AccessDeniedException", "not allowed");
                account.fault(Trigger::every("secretsmanager ListSecretVersionIds"), Fault::Refuse(refusal));
            }
            let daemon = Simulated::start(account, &repository);
            settles(&daemon, "it is live", 0);
            let before = daemon.writes().len();
            rotate(&daemon.account);
            settles(&daemon, "it runs what it ran", 0);
            let notes = notes(&daemon);
            assert_eq!(notes.contains("secret prod/database-url"), said.is_some(), "{on_secret_rotated}: {notes}");
            assert!(said.is_none_or(|said| notes.contains(said)), "{on_secret_rotated}: {notes}");
            assert_eq!(daemon.writes().len(), before, "{on_secret_rotated}:\n{}", daemon.log());
            let listed = |entry: &Entry| entry.operation == "ListSecretVersionIds";
            assert_eq!(daemon.account.ledger().iter().any(listed), said.is_some(), "{on_secret_rotated}");
        }
    });
}
