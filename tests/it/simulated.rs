//! The simulated account as the SDK sees it: faults, rates, staleness, permissions, both ways in; and the daemon on it.

use crate::support::{Page, Simulated, Status, simulated, small};
use driftless::aws::call::{Calls, Operation};
use driftless::aws::clients::{Clients, Connection};
use driftless::aws::pace::{Pacer, Priority, Share};
use driftless::core::id::Region;
use driftless::core::retry::Class;
use driftless::sim::fault::{Fault, Trigger};
use driftless::sim::policy::Policy;
use driftless::sim::world::Refusal;
use driftless::sim::{Account, Options};
use serde_json::{Value, json};
use std::time::Duration;

const READ: Operation = Operation::read("ecs", "DescribeClusters");
const WRITE: Operation = Operation::write("ecs", "RegisterTaskDefinition");

async fn clients(account: &Account) -> Clients {
    let connection = Connection {
        region: Some(Region::from("us-east-1")),
        transport: Some(simulated::transport(account)),
        ..Connection::default()
    };
    Clients::connect(&connection, Calls::new(Pacer::new(Share::default()), Box::new(|_| {}))).await
}

fn an_account() -> Account {
    let account = Account::new(Options::default());
    account.call("ecs", "CreateCluster", json!({ "clusterName": "prod" })).unwrap();
    account
}

async fn describe(clients: &Clients) -> Result<usize, Class> {
    let request = clients.ecs.describe_clusters().clusters("prod");
    let answer = clients.calls.call(READ, Priority::Commit, request.send()).await;
    answer.map(|answer| answer.clusters().len()).map_err(|error| error.class())
}

async fn register(clients: &Clients) -> Result<(), Class> {
    let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("a").image("a:1").memory(64).build();
    let request = clients.ecs.register_task_definition().family("web").container_definitions(container);
    clients.calls.call(WRITE, Priority::Commit, request.send()).await.map(|_| ()).map_err(|error| error.class())
}

fn revisions(account: &Account) -> usize {
    let listed = account.call("ecs", "ListTaskDefinitions", json!({ "familyPrefix": "web" })).unwrap();
    listed["taskDefinitionArns"].as_array().map_or(0, Vec::len)
}

#[tokio::test(start_paused = true)]
async fn each_fault_reaches_the_sdk_as_what_it_is() {
    let foreign =
        |status| Fault::Foreign { status, content_type: "text/html".into(), body: "<html>busy</html>".into() };
    let refused = || Fault::Refuse(Refusal::new("AccessDeniedException", "no"));
    // What a read becomes, what a write becomes, and whether the write was done.
    let rows = [
        (Fault::Throttle, Class::Throttled, Class::Throttled, false),
        (Fault::Error { status: 500, applied: false }, Class::Transient, Class::Ambiguous, false),
        (Fault::Error { status: 503, applied: true }, Class::Transient, Class::Ambiguous, true),
        (Fault::Lost { applied: false }, Class::Transient, Class::Ambiguous, false),
        (Fault::Lost { applied: true }, Class::Transient, Class::Ambiguous, true),
        (Fault::Truncated, Class::Transient, Class::Ambiguous, true),
        (foreign(200), Class::Transient, Class::Ambiguous, true),
        (foreign(503), Class::Transient, Class::Ambiguous, true),
        (refused(), Class::Denied, Class::Denied, false),
    ];
    for (fault, read, write, done) in rows {
        let account = an_account();
        let clients = clients(&account).await;
        assert_eq!(describe(&clients).await, Ok(1));
        account.fault(Trigger::next("ecs DescribeClusters"), fault.clone());
        account.fault(Trigger::next("ecs RegisterTaskDefinition"), fault.clone());
        assert_eq!(describe(&clients).await, Err(read), "{fault:?}");
        assert_eq!(describe(&clients).await, Ok(1), "{fault:?}: once");
        assert_eq!(register(&clients).await, Err(write), "{fault:?}");
        assert_eq!(revisions(&account), usize::from(done), "{fault:?}");
        assert_eq!(register(&clients).await, Ok(()), "{fault:?}: once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_meets_the_calls_that_it_is_planned_for() {
    let account = an_account();
    let clients = clients(&account).await;
    account.fault(Trigger::every("ecs DescribeClusters").of("other"), Fault::Throttle);
    account.fault(Trigger::every("ecs DescribeClusters").of("prod").after(1).times(2), Fault::Throttle);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(describe(&clients).await.is_ok());
    }
    assert_eq!(seen, [true, false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn the_past_is_shown_for_so_many_reads_or_so_long() {
    for (calls, seconds, wait, expected) in [(2, 1e6, 0, [0, 0, 1]), (9, 5.0, 10, [0, 1, 1])] {
        let account = an_account();
        let clients = clients(&account).await;
        account.fault(Trigger::next("ecs RegisterTaskDefinition"), Fault::Stale { calls, seconds });
        register(&clients).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let listed = clients.ecs.list_task_definitions().family_prefix("web").send().await.unwrap();
            seen.push(listed.task_definition_arns().len());
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
        assert_eq!(seen, expected);
        assert_eq!(revisions(&account), 1, "it was done all the while");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_names_itself_is_shown_by_plan() {
    let account = an_account();
    let clients = clients(&account).await;
    for _ in 0..3 {
        register(&clients).await.unwrap();
    }
    account.fault(Trigger::every("ecs ListTaskDefinitions").after(1), Fault::RepeatToken);
    let first = clients.ecs.list_task_definitions().max_results(1).send().await.unwrap();
    let token = first.next_token().unwrap().to_owned();
    let second = clients.ecs.list_task_definitions().max_results(1).next_token(&token).send().await.unwrap();
    assert_eq!(second.next_token(), Some(&*token));
}

#[tokio::test(start_paused = true)]
async fn aws_rates_are_kept_and_the_pacing_stays_below_them() {
    let account = Account::new(Options { rates: true, ..Options::default() });
    account.call("ecs", "CreateCluster", json!({ "clusterName": "prod" })).unwrap();
    let clients = clients(&account).await;
    // Past the pacing, a burst of 60 is refused in part; through it none of 60 is.
    let mut refused = 0;
    for _ in 0..60 {
        refused += usize::from(clients.ecs.describe_clusters().clusters("prod").send().await.is_err());
    }
    assert_eq!(refused, 10, "a burst of 50");
    tokio::time::sleep(Duration::from_secs(10)).await;
    for _ in 0..120 {
        assert_eq!(describe(&clients).await, Ok(1));
    }
}

#[test]
fn the_daemon_needs_no_more_than_the_policy_of_deploy_allows() {
    let repository = small::repository(&["web"]);
    let account = simulated::account("123456789012", 60.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let policy = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/iam-policy.json")).unwrap();
    let policy = policy.replace("ACCOUNT", "123456789012").replace("REGION", "us-east-1").replace("CLUSTER", "small");
    account.enforce(Some(Policy::read(&policy).unwrap()));
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("it is live", |status| status.all("live"));
    let refused: Vec<_> = daemon.account.ledger().into_iter().filter(|entry| entry.status != 200).collect();
    assert_eq!(refused, [], "nothing was refused");
    assert_eq!(daemon.done("CreateService"), 1);

    // Without one permission it says which, and does nothing in its place.
    let without = policy.replace("\"ecs:UpdateService\"", "\"ecs:Nothing\"");
    assert_ne!(without, policy);
    daemon.account.enforce(Some(Policy::read(&without).unwrap()));
    repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
    repository.commit("The second one");
    let status = daemon.wait_until("it says what is missing", |status| {
        status.service("web")["reason"].as_str().is_some_and(|reason| reason.contains("UpdateService"))
    });
    assert_ne!(status.service("web")["state"], "live", "{status}");
    daemon.account.enforce(None);
    daemon.wait_until("it goes on", |status| {
        status.all("live") && status.service("web")["images"] == json!([small::NEXT_IMAGE])
    });
}

/// What a person sees of each way to fail, and that one commit is one deployment.
#[test]
fn each_failing_rollout_is_told_and_not_repeated() {
    let images = ["nopull", "crash-1", "sick", "nocapacity"];
    let names: Vec<String> = images.iter().map(|tag| format!("web-{tag}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let repository = small::repository(&names);
    let breaker = "service: { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }";
    for name in &names {
        repository.edit(&small::file(name), "service: { desiredCount: 2 }", breaker);
        let check =
            "environment: [{ name: A, value: b }], healthCheck: { command: [CMD, a], interval: 10, retries: 2 }";
        repository.edit(&small::file(name), "environment: [{ name: A, value: b }]", check);
    }
    repository.commit("With a circuit breaker");
    let account = simulated::account("123456789012", 100.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    for (name, tag) in names.iter().zip(images) {
        repository.edit(&small::file(name), small::IMAGE, &format!("public.ecr.aws/small/web:2-{tag}"));
    }
    repository.commit("All of them fail");
    daemon.wait_until("all have failed", |status| status.all("failed"));
    daemon.wait_until("the old ones serve", |status| {
        let old = |s: &Value| s["images"] == json!([small::IMAGE]) && s["tasks"]["running"] == 2;
        status.services().iter().all(old)
    });
    daemon.pass(20);
    assert_eq!(daemon.done("UpdateService"), names.len(), "one deployment for one commit:\n{}", daemon.log());
    for service in daemon.seen().services() {
        let reason = service["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("circuit breaker"), "{reason}");
    }
}

/// In a closed deploy window a commit and drift wait and are shown, and a rollout that began before goes to its end.
#[test]
fn nothing_begins_in_a_closed_window() {
    let repository = small::repository(&["web"]);
    let account = simulated::account("123456789012", 30.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("it is live", |status| status.all("live"));
    let closed = |status: &Status| {
        let reason = status.service("web")["reason"].as_str().unwrap_or_default().to_owned();
        reason.starts_with("deploy window closed (deny 00:00-24:00 Europe/Paris); it does not open within a year")
    };
    let (open, shut) =
        ("minInterval: 0s", "minInterval: 0s, windows: [{ deny: \"00:00-24:00\", timezone: Europe/Paris }]");

    // A rollout is under way when the window closes.
    repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
    repository.commit("The second one");
    daemon.wait_until("it is rolled out", |_| daemon.done("UpdateService") == 1);
    repository.edit(&small::file("web"), open, shut);
    repository.commit("A freeze");
    let second = json!([small::NEXT_IMAGE]);
    daemon.wait_until("it is live", |status| status.all("live") && status.service("web")["images"] == second);
    assert_eq!(daemon.done("UpdateService"), 1);

    // A commit waits.
    repository.edit(&small::file("web"), small::NEXT_IMAGE, small::IMAGE);
    repository.commit("Back");
    daemon.wait_until("it waits", |status| status.service("web")["state"] == "pending" && closed(status));

    // So does drift.
    repository.edit(&small::file("web"), small::IMAGE, small::NEXT_IMAGE);
    repository.commit("Forth");
    daemon.wait_until("it is live again", |status| status.all("live"));
    let by_hand = json!({ "cluster": "small", "service": "web", "desiredCount": 1 });
    daemon.account.call("ecs", "UpdateService", by_hand).unwrap();
    daemon.wait_until("drift is shown", |status| status.service("web")["state"] == "drifted" && closed(status));
    daemon.pass(3);
    assert_eq!(daemon.done("UpdateService"), 1, "nothing was written:\n{}", daemon.log());

    repository.edit(&small::file("web"), shut, open);
    repository.commit("The freeze is over");
    daemon.wait_until("it is corrected", |status| status.all("live") && status.service("web")["tasks"]["desired"] == 2);
}

#[test]
fn what_was_registered_and_not_deployed_has_not_failed() {
    let (account, repository) = (simulated::account("123456789012", 100.0), small::repository(&["web"]));
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("1 is live", |status| status.all("live"));
    // Somebody deploys something else, and takes away what ran; and UpdateService is refused for a while.
    let described = account.call("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": "web:1" })).unwrap();
    let mut other = described["taskDefinition"].clone();
    other["containerDefinitions"][0]["image"] = json!(small::NEXT_IMAGE);
    let keys = ["family", "networkMode", "requiresCompatibilities", "cpu", "memory", "containerDefinitions"];
    let other: serde_json::Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), other[*key].clone())).collect();
    account.call("ecs", "RegisterTaskDefinition", Value::Object(other)).unwrap();
    let update = json!({ "cluster": "small", "service": "web", "taskDefinition": "web:2" });
    account.call("ecs", "UpdateService", update).unwrap();
    account.call("ecs", "DeregisterTaskDefinition", json!({ "taskDefinition": "web:1" })).unwrap();
    account.fault(Trigger::every("ecs UpdateService").times(2), Fault::Throttle);
    daemon.wait_until("what git says is registered anew", |_| daemon.done("RegisterTaskDefinition") == 2);
    daemon.wait_until("it is as git says again", |status| {
        assert_ne!(status.service("web")["state"], "failed", "{:#}", status.service("web"));
        status.all("live") && status.service("web")["images"] == json!([small::IMAGE])
    });
    assert_eq!((daemon.done("RegisterTaskDefinition"), daemon.done("UpdateService")), (2, 1), "{}", daemon.log());
}
