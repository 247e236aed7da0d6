//! Images that are not pushed yet, and tags that move: the daemon on a simulated account with a registry.

use crate::support::{Page, Repository, Simulated, simulated, small};
use driftless::sim::Account;
use driftless::sim::fault::{Fault, Trigger};
use driftless::sim::world::Refusal;
use driftless::sim::world::ecs::images::Behaviour;
use driftless::sim::world::names;
use serde_json::{Value, json};

/// In the registry of the account.
const IMAGE: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web";

/// A service `web` that runs the tag 1, and what its file says of images.
fn repository(images: &str) -> Repository {
    let repository = small::repository(&["web"]);
    repository.edit(&small::file("web"), small::IMAGE, &format!("{IMAGE}:1"));
    let breaker = "service: { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } }";
    repository.edit(&small::file("web"), "service: { desiredCount: 2 }", &format!("{breaker}\nimages: {images}"));
    // Fargate pulls with it.
    repository.edit(
        &small::file("web"),
        "  family: web\n",
        "  family: web\n  executionRoleArn: ecsTaskExecutionRole\n",
    );
    repository.commit("From the registry");
    repository
}

/// An account whose time runs fast, with a cluster and no image.
fn account() -> Account {
    let account = simulated::account("123456789012", 100.0);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    account
}

fn digest(letter: char) -> String {
    format!("sha256:{}", String::from(letter).repeat(64))
}

fn push(account: &Account, tag: &str, letter: char) {
    account.world(|world| names::push(world, "web", tag, &digest(letter)));
}

/// Runs `story` where the account's answers can be waited for.
fn within(story: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    story();
}

fn is_live(service: &Value, tag: &str, letter: char) -> bool {
    let image = format!("{IMAGE}:{tag}");
    service["state"] == "live" && service["images"] == json!([image]) && service["digests"][image] == digest(letter)
}

fn reason(service: &Value) -> &str {
    service["reason"].as_str().unwrap_or_default()
}

/// The notes of the plan that the daemon made last.
fn notes(daemon: &Simulated) -> String {
    let diff: Value = serde_json::from_str(&daemon.page("/api/v1/services/small/web/diff")).unwrap();
    diff["notes"].to_string()
}

/// How many forced deployments there were.
fn forced(daemon: &Simulated) -> usize {
    let forced = |entry: &&driftless::sim::ledger::Entry| entry.input["forceNewDeployment"] == true;
    daemon.writes().iter().filter(|entry| entry.operation == "UpdateService").filter(forced).count()
}

#[test]
fn a_commit_that_is_there_before_its_image_waits_for_it() {
    within(|| {
        let repository = repository("{ wait: 1h }");
        let daemon = Simulated::start(account(), &repository);
        let waits = |service: &Value| reason(service).contains("waits for image");
        daemon.wait_until("a new service waits", |status| waits(status.service("web")));
        daemon.pass(3);
        assert_eq!(daemon.log(), "", "nothing is made");
        push(&daemon.account, "1", 'a');
        daemon.wait_until("it is live", |status| is_live(status.service("web"), "1", 'a'));

        repository.edit(&small::file("web"), &format!("{IMAGE}:1"), &format!("{IMAGE}:2"));
        repository.commit("The second one");
        let status = daemon.wait_until("it waits", |status| waits(status.service("web")));
        assert!(reason(status.service("web")).contains(&format!("{IMAGE}:2 ")), "{status}");
        assert_eq!(status.service("web")["state"], "pending", "{status}");
        daemon.pass(3);
        assert_eq!((daemon.done("RegisterTaskDefinition"), daemon.done("UpdateService")), (1, 0), "{}", daemon.log());
        push(&daemon.account, "2", 'b');
        daemon.wait_until("the second one is live", |status| is_live(status.service("web"), "2", 'b'));

        // When the time is over it is said, and goes on when the image comes after all.
        repository.edit(&small::file("web"), &format!("{IMAGE}:2"), &format!("{IMAGE}:3"));
        repository.edit(&small::file("web"), "wait: 1h", "wait: 1s");
        repository.commit("The third one");
        daemon.wait_until("it is said", |status| reason(status.service("web")).contains("was not pushed within 1s"));
        assert_eq!(daemon.done("UpdateService"), 1, "{}", daemon.log());
        push(&daemon.account, "3", 'c');
        daemon.wait_until("the third one is live", |status| is_live(status.service("web"), "3", 'c'));
        daemon.pass(5);
        assert_eq!((daemon.done("RegisterTaskDefinition"), daemon.done("UpdateService")), (3, 2), "{}", daemon.log());
        assert!(daemon.page("/services/small/web").contains("web:3 (sha256:cccccccccccc)"));
    });
}

#[test]
fn without_the_permission_to_look_nothing_waits() {
    within(|| {
        let account = account();
        push(&account, "1", 'a');
        account.fault(
            Trigger::every("ecr BatchGetImage"),
            Fault::Refuse(Refusal::new("AccessDeniedException", "not allowed")),
        );
        let repository = repository("{ onMoved: redeploy }");
        let daemon = Simulated::start(account, &repository);
        daemon.wait_until("it is live", |status| is_live(status.service("web"), "1", 'a'));
        push(&daemon.account, "1", 'b');
        daemon.pass(5);
        assert!(notes(&daemon).contains("could not be looked up"), "{}", notes(&daemon));
        assert_eq!(forced(&daemon), 0, "{}", daemon.log());
    });
}

#[test]
fn a_tag_that_moves_is_deployed_anew_once() {
    within(|| {
        let (account, repository) = (account(), repository("{ onMoved: redeploy }"));
        push(&account, "1", 'a');
        let daemon = Simulated::start(account, &repository);
        daemon.wait_until("it is live", |status| is_live(status.service("web"), "1", 'a'));
        daemon.pass(5);
        assert_eq!(daemon.done("UpdateService"), 0, "{}", daemon.log());

        push(&daemon.account, "1", 'b');
        daemon.wait_until("the new image is live", |status| is_live(status.service("web"), "1", 'b'));
        daemon.pass(20);
        let counts = (daemon.done("UpdateService"), forced(&daemon), daemon.done("RegisterTaskDefinition"));
        assert_eq!(counts, (1, 1, 1), "one deployment for one move:\n{}", daemon.log());

        // One that cannot run is rolled back by ECS, and not tried again, by no process.
        let crashes = Behaviour { exits: Some((1.0, 1)), ..Behaviour::default() };
        let does = |behaviour: Behaviour| {
            daemon.account.world(|world| world.ecs.images.set(&format!("{IMAGE}:1"), behaviour));
        };
        does(crashes);
        push(&daemon.account, "1", 'c');
        daemon.wait_until("it has failed", |status| status.service("web")["state"] == "failed");
        // The account knows what an image does by its name: those of the rollback run again.
        does(Behaviour::default());
        daemon.wait_until("it is rolled back", |status| {
            let service = status.service("web");
            service["state"] == "failed" && service["digests"][format!("{IMAGE}:1")] == digest('b')
        });
        daemon.pass(8);
        assert!(notes(&daemon).contains("not tried again until the tag moves"), "{}", notes(&daemon));
        assert_eq!(forced(&daemon), 2, "{}", daemon.log());
        let account = daemon.account.clone();
        drop(daemon);
        let daemon = Simulated::start(account, &repository);
        daemon.wait_until("the next process knows it", |status| status.service("web")["state"] == "failed");
        daemon.pass(5);
        assert_eq!(forced(&daemon), 2, "{}", daemon.log());

        push(&daemon.account, "1", 'd');
        daemon.wait_until("the one after it is live", |status| is_live(status.service("web"), "1", 'd'));
        daemon.pass(5);
        assert_eq!((forced(&daemon), daemon.done("RegisterTaskDefinition")), (3, 1), "{}", daemon.log());
    });
}

#[test]
fn a_tag_that_moves_is_reported_or_ignored() {
    within(|| {
        for (images, reported) in [("{ onMoved: report }", true), ("{ onMoved: ignore }", false)] {
            let (account, repository) = (account(), repository(images));
            push(&account, "1", 'a');
            let daemon = Simulated::start(account, &repository);
            daemon.wait_until("it is live", |status| is_live(status.service("web"), "1", 'a'));
            let before = daemon.writes().len();
            push(&daemon.account, "1", 'b');
            daemon.pass(5);
            daemon.wait_until("it runs what it ran", |status| is_live(status.service("web"), "1", 'a'));
            let said = "tag 1 of container web points to sha256:bbbbbbbbbbbb now; sha256:aaaaaaaaaaaa runs";
            assert_eq!(notes(&daemon).contains(said), reported, "{images}: {}", notes(&daemon));
            assert_eq!(daemon.page("/services/small/web").contains(said), reported, "{images}");
            let metric = "driftless_image_digest_moved{cluster=\"small\",service=\"web\"}";
            let shown = format!("{metric} {}\n", u8::from(reported));
            assert!(daemon.page("/metrics").contains(&shown), "{images}: {shown}");
            assert_eq!(daemon.writes().len(), before, "{images}:\n{}", daemon.log());
        }
    });
}
