//! Old revisions are deregistered behind a service that is live: the daemon on a simulated account.

use crate::support::{Page, Repository, Simulated, simulated, small};
use driftless::sim::Account;
use driftless::sim::fault::{Fault, Trigger};
use driftless::sim::world::Refusal;
use serde_json::{Value, json};

/// A service `web`, and what its file says beside.
fn repository(beside: &str) -> Repository {
    let repository = small::repository(&["web"]);
    repository.edit(
        &small::file("web"),
        "service: { desiredCount: 2 }",
        &format!("service: {{ desiredCount: 2 }}\n{beside}"),
    );
    repository.commit("Settings");
    repository
}

/// An account whose time runs fast, with a cluster.
fn account() -> Account {
    let account = simulated::account("123456789012", 100.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    account
}

/// Runs `story` where the account's answers can be waited for.
fn within(story: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    story();
}

/// The ACTIVE revisions of the family, as numbers.
fn active(account: &Account) -> Vec<u32> {
    let asked = json!({ "familyPrefix": "web", "status": "ACTIVE" });
    let listed = account.call("ecs", "ListTaskDefinitions", asked).unwrap();
    let number = |arn: &Value| arn.as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    listed["taskDefinitionArns"].as_array().unwrap().iter().map(number).collect()
}

fn by_hand(account: &Account) {
    let container = json!({ "name": "web", "image": "public.ecr.aws/small/web:hand", "memory": 128 });
    let input = json!({ "family": "web", "containerDefinitions": [container] });
    account.call("ecs", "RegisterTaskDefinition", input).unwrap();
}

/// A commit with the image of this number, followed until it is live.
fn release(daemon: &Simulated, repository: &Repository, before: u32, after: u32) {
    let image = |number: u32| format!("public.ecr.aws/small/web:{number}");
    repository.edit(&small::file("web"), &image(before), &image(after));
    repository.commit(&format!("Number {after}"));
    daemon.wait_until("it is live", |status| {
        let web = status.service("web");
        web["state"] == "live" && web["images"] == json!([image(after)])
    });
}

#[test]
fn the_newest_stay_and_what_runs_and_what_others_made() {
    within(|| {
        let (account, repository) = (account(), repository("revisions: { keep: 2 }"));
        by_hand(&account);
        let daemon = Simulated::start(account, &repository);
        daemon.wait_until("the first is live", |status| status.service("web")["state"] == "live");
        for number in 2..=6 {
            release(&daemon, &repository, number - 1, number);
        }
        // The first one is by hand; then come six.
        daemon.wait_until("the old ones are gone", |_| active(&daemon.account) == [1, 6, 7]);
        daemon.pass(3);
        assert_eq!(active(&daemon.account), [1, 6, 7]);
        assert_eq!(daemon.done("DeregisterTaskDefinition"), 4, "{}", daemon.log());
        assert_eq!(daemon.series("driftless_steps_total", &["DeregisterTaskDefinition"]), 4);
        assert_eq!(daemon.done("UpdateService"), 5, "{}", daemon.log());
        daemon.wait_until("it is live all the while", |status| status.service("web")["state"] == "live");
        let history = daemon.page("/api/v1/deployments");
        assert!(!history.contains("DeregisterTaskDefinition"), "{history}");

        // Back to the first image: its revision is gone, another one is registered.
        release(&daemon, &repository, 6, 1);
        daemon.wait_until("the newest two stay", |_| active(&daemon.account) == [1, 7, 8]);
        assert_eq!(daemon.done("RegisterTaskDefinition"), 7, "{}", daemon.log());

        // What runs stays behind any number of newer ones.
        by_hand(&daemon.account);
        by_hand(&daemon.account);
        daemon.wait_until("the one before goes", |_| active(&daemon.account) == [1, 8, 9, 10]);
        daemon.pass(3);
        assert_eq!(active(&daemon.account), [1, 8, 9, 10]);
        daemon.wait_until("it is live", |status| status.service("web")["state"] == "live");
    });
}

#[test]
fn nothing_is_deregistered_unless_git_says_so_or_while_it_is_paused() {
    within(|| {
        let (account, repository) = (account(), repository(""));
        let daemon = Simulated::start(account, &repository);
        daemon.wait_until("the first is live", |status| status.service("web")["state"] == "live");
        for number in 2..=4 {
            release(&daemon, &repository, number - 1, number);
        }
        daemon.pass(3);
        assert_eq!(active(&daemon.account), [1, 2, 3, 4], "off by default");

        let arn = "arn:aws:ecs:us-east-1:123456789012:service/small/web";
        let pause = |until: &str| {
            let tag = json!({ "key": "driftless:paused", "value": format!("{until} ana for the test") });
            daemon.account.call("ecs", "TagResource", json!({ "resourceArn": arn, "tags": [tag] })).unwrap();
        };
        pause("2099-01-01T00:00:00Z");
        daemon.wait_until("it is paused", |status| status.service("web")["state"] == "paused");
        assert_eq!(daemon.series("driftless_service_paused", &["web"]), 1);
        repository.edit(
            &small::file("web"),
            "service: { desiredCount: 2 }",
            "service: { desiredCount: 2 }\nrevisions: { keep: 1 }",
        );
        repository.commit("Keep one");
        daemon.pass(4);
        assert_eq!(active(&daemon.account), [1, 2, 3, 4], "not during a pause");
        // What is refused is tried with another pass, and nothing else waits for it.
        let refusal = Refusal::new("AccessDeniedException", "not allowed");
        let denied = Trigger::every("ecs DeregisterTaskDefinition").times(2);
        daemon.account.fault(denied, Fault::Refuse(refusal));
        pause("2000-01-01T00:00:00Z");
        daemon.wait_until("it is live all the same", |status| {
            let refused = daemon.writes().iter().filter(|entry| entry.status == 400).count();
            refused > 0 && status.service("web")["state"] == "live"
        });
        daemon.wait_until("then one stays", |_| active(&daemon.account) == [4]);
        assert_eq!(daemon.series("driftless_service_paused", &["web"]), 0);
        assert_eq!(daemon.done("RegisterTaskDefinition"), 4, "{}", daemon.log());
    });
}
