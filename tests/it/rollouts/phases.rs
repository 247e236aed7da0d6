//! What comes in the middle: a new commit, a restart, the loss of the disk; in each phase of a rollout, recognised by the
//! account itself.

use super::{FIRST, SPEED, Service, answer, is_told, newest, repository, second, updates, waiting_hook};
use crate::support::told::{golden, told_by_several};
use crate::support::{Page, Repository, Simulated, small};
use driftless::sim::Account;
use driftless::sim::fault::{Fault, Trigger};
use driftless::sim::world::ecs::images::Function;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A function that takes its time while test traffic goes to the new version.
const SLOW: &str = "arn:aws:lambda:us-east-1:123456789012:function:slow";
/// What that function needs, and the images that are pulled slowly, in seconds of the account.
const SLOW_SECONDS: f64 = 720.0;
/// How fast the account's time runs while something comes in the middle: slowly enough that the phases stay.
const SLOWLY: f64 = 24.0;

const SLOW_HOOK: &str = "lifecycleHooks: [{ hookTargetArn: \"arn:aws:lambda:us-east-1:123456789012:function:slow\", roleArn: ecs, lifecycleStages: [TEST_TRAFFIC_SHIFT] }], ";
const APPROVAL: &str = "rollout: { approval: { stage: POST_TEST_TRAFFIC_SHIFT, timeout: 48h } }\n";
const WINDOW: &str = "sync: { minInterval: 0s, windows: [{ deny: \"00:00-24:00\" }] }\n";

/// A phase by its name, the strategy, what the second image does, and how it ends.
const PHASES: [(&str, &str, &str, &str); 9] = [
    ("registered", "ROLLING", "x", "live"),
    ("rolling", "ROLLING", "slow-720", "live"),
    ("starting", "LINEAR", "slow-720", "live"),
    ("testing", "BLUE_GREEN", "x", "live"),
    ("waiting", "BLUE_GREEN", "x", "live"),
    ("shifting", "CANARY", "x", "live"),
    ("baking", "BLUE_GREEN", "x", "live"),
    ("failed", "ROLLING", "crash-1", "failed"),
    ("held", "ROLLING", "x", "live"),
];

fn services() -> Vec<Service<'static>> {
    let of = |(name, strategy, ..): &(&'static str, &'static str, &str, &str)| {
        let mut service = Service::new(name, strategy);
        match *name {
            "testing" => service.rollout = SLOW_HOOK,
            "waiting" => service.more = APPROVAL,
            "baking" => service.rollout = "bakeTimeInMinutes: 12, ",
            _ => {}
        }
        service
    };
    PHASES.iter().map(of).collect()
}

/// Whether a service's rollout of its second revision is in the phase that it is named after.
fn is_in_phase(account: &Account, name: &str) -> bool {
    let deployment = newest(account, name);
    let stage = deployment["lifecycleStage"].as_str().unwrap_or_default();
    let open = deployment["status"] == "IN_PROGRESS";
    let revisions = account.call("ecs", "ListTaskDefinitions", json!({ "familyPrefix": name })).unwrap();
    let registered = revisions["taskDefinitionArns"].as_array().is_some_and(|all| all.len() == 2);
    match name {
        "registered" => registered,
        "rolling" => registered && open,
        "starting" => open && stage == "SCALE_UP",
        "testing" => open && stage == "TEST_TRAFFIC_SHIFT",
        "waiting" => waiting_hook(&deployment).is_some(),
        "shifting" => open && stage == "PRODUCTION_TRAFFIC_SHIFT",
        "baking" => open && stage == "BAKE_TIME",
        "failed" => deployment["status"] == "ROLLBACK_SUCCESSFUL",
        _ => true,
    }
}

/// Two commits; the second one of each service waits to be in its phase.
fn begin(account: &Account) -> (Repository, Simulated, Arc<tempfile::TempDir>, usize) {
    let repository = repository(&services());
    // A canary that stays long enough to be met.
    let canary = ("canaryBakeTimeInMinutes: 1 ", "canaryBakeTimeInMinutes: 12 ");
    repository.edit(&small::file("shifting"), canary.0, canary.1);
    repository.commit("The first one");
    let state = Arc::new(tempfile::tempdir().unwrap());
    let daemon = Simulated::start_in(state.clone(), account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    let since = account.ledger().len();
    account.set_speed(SLOWLY);
    account.world(|world| {
        world.ecs.images.hooks.insert(SLOW.to_owned(), Function { seconds: SLOW_SECONDS, succeeds: true })
    });
    account.fault(Trigger::every("ecs UpdateService").of("\"registered\""), Fault::Throttle);
    for (name, _, words, _) in PHASES {
        repository.edit(&small::file(name), FIRST, &second(words));
    }
    let text = repository.read(&small::file("held"));
    repository.write(&small::file("held"), &format!("{text}{WINDOW}"));
    repository.commit("The second one");
    daemon.wait_until("the second one of what is held is known", |status| {
        status.service("held")["reason"].as_str().is_some_and(|reason| reason.contains("deploy window closed"))
    });
    let begun = |name: &str| updates(&daemon, name) == 1 || matches!(name, "registered" | "held");
    daemon.wait_until("all of them have begun", |_| names().iter().all(|name| begun(name)));
    (repository, daemon, state, since)
}

/// Calls `act` with each service when it is in its phase.
fn in_each_phase(account: &Account, mut act: impl FnMut(&str)) {
    let mut left: Vec<&str> = PHASES.iter().map(|(name, ..)| *name).collect();
    let until = Instant::now() + Duration::from_secs(60);
    while !left.is_empty() {
        left.retain(|name| {
            let there = is_in_phase(account, name);
            if there {
                act(name);
            }
            !there
        });
        assert!(Instant::now() < until, "{left:?} are not met in their phases");
        std::thread::sleep(Duration::from_millis(20));
    }
    account.clear_faults();
    account.set_speed(SPEED);
}

/// What came of it is known before something newer comes.
fn is_known(daemon: &Simulated, name: &str) {
    if name == "failed" {
        daemon.wait_until("it is known to have failed", |status| status.service(name)["state"] == "failed");
    }
}

fn names() -> [&'static str; 9] {
    PHASES.map(|(name, ..)| name)
}

#[test]
fn a_new_commit_in_each_phase_wins() {
    let account = small::balanced(SPEED);
    let (repository, daemon, _state, since) = begin(&account);
    let third = "public.ecr.aws/small/web:3";
    in_each_phase(&account, |name| {
        is_known(&daemon, name);
        let (_, _, words, _) = PHASES.iter().find(|(phase, ..)| *phase == name).unwrap();
        repository.edit(&small::file(name), &second(words), third);
        if name == "held" {
            repository.edit(&small::file(name), WINDOW, "");
        }
        repository.commit("The third one");
    });
    daemon.wait_until("3 waits for its approval", |status| {
        let seen = status.service("waiting");
        seen["state"] == "waiting" && seen["images"] == json!([third])
    });
    answer(&account, "waiting", "CONTINUE");
    daemon.wait_until("the third one of each is live", |status| {
        status.all("live") && names().iter().all(|name| status.service(name)["images"] == json!([third]))
    });
    daemon.pass(3);
    is_told("new-commit", &daemon, &names(), since);
}

#[test]
fn a_restart_in_each_phase_is_not_noticed() {
    restarted("restart", true);
}

#[test]
fn a_lost_disk_in_each_phase_costs_nothing_but_memories() {
    restarted("lost-disk", false);
}

fn restarted(file: &str, keep: bool) {
    let account = small::balanced(SPEED);
    let (repository, daemon, state, since) = begin(&account);
    let mut running = Some(daemon);
    let start = || {
        let disk = if keep { state.clone() } else { Arc::new(tempfile::tempdir().unwrap()) };
        Simulated::start_in(disk, account.clone(), &repository)
    };
    in_each_phase(&account, |_| {
        drop(running.take());
        running = Some(start());
    });
    let daemon = running.unwrap();
    daemon.wait_until("it waits for its approval", |status| status.service("waiting")["state"] == "waiting");
    answer(&account, "waiting", "CONTINUE");
    repository.edit(&small::file("held"), WINDOW, "");
    repository.commit("The window is open");
    daemon.wait_until("each has its end", |status| {
        let is = |name: &str, state: &str| status.service(name)["state"] == state;
        PHASES.iter().all(|(name, _, words, end)| {
            let image = if *end == "live" { second(words) } else { FIRST.to_owned() };
            is(name, end) && status.service(name)["images"] == json!([image])
        })
    });
    daemon.pass(3);
    let counts = names().map(|name| updates(&daemon, name));
    assert_eq!(counts, [1; 9], "one UpdateService for one intent:\n{}", daemon.log());
    let text = names().map(|name| told_by_several(&daemon, "small", name, since)).join("\n");
    golden(&format!("rollouts/{file}.txt"), &text);
}
