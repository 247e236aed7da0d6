//! Faults of AWS: every write and every read that the daemon makes, spoiled in every way that AWS and networks have.
//! Promises R2, R3, R10, R11, R17, R21, R22.

use crate::proxy::{Fault, Proxy, Rule};
use crate::support::small::{self, IMAGE, NEXT_IMAGE, applied_tag, behind_proxy, end_state, file, live_service, revisions, running_definition, table};
use crate::support::{Account, Daemon, Repository};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How many rows run at once, each with a daemon of its own.
const AT_ONCE: usize = 8;

/// The writes of a service's life, in their order.
const WRITES: [&str; 4] = ["CreateService", "RegisterTaskDefinition", "UpdateService", "TagResource"];

struct WriteFault {
    name: &'static str,
    fault: Fault,
    times: usize,
    /// Whether nobody can know if it was applied: of a registration there may then be one revision too many (R1).
    unclear: bool,
}

fn write_faults() -> Vec<WriteFault> {
    let row = |name, fault, times, unclear| WriteFault { name, fault, times, unclear };
    vec![
        row("throttled once", Fault::Throttled, 1, false),
        row("throttled three times", Fault::Throttled, 3, false),
        row("503, not applied", Fault::Unavailable, 1, false),
        row("500, applied", Fault::AppliedAndFailed, 1, true),
        row("applied, the answer is lost", Fault::AnswerLost, 1, true),
        row("answered late", Fault::Late(Duration::from_secs(2)), 1, false),
        row("hidden from reads for 3 s", Fault::StaleAfter(Duration::from_secs(3)), 1, false),
    ]
}

/// The service and its task definition after the first image and a change of it, nothing in the way.
fn reference(account: &Account) -> Value {
    let repository = small::repository(&["reference"]);
    let (proxy, options) = behind_proxy(account);
    let daemon = Daemon::start(account, &repository, &options);
    two_commits(account, &repository, &daemon, "reference", || {});
    assert_eq!(writes(&proxy), 5, "register, create; register, update, tag");
    daemon.stop();
    end_state(account, "reference")
}

/// Brings up the first commit and the next image; `between` the two something may be done.
#[track_caller]
fn two_commits(account: &Account, repository: &Repository, daemon: &Daemon, name: &str, between: impl FnOnce()) {
    let first = repository.git(&["rev-parse", "HEAD"]);
    honest_wait(account, daemon, name, &first, IMAGE);
    let tag = applied_tag(account, name);
    between();
    repository.edit(&file(name), IMAGE, NEXT_IMAGE);
    let second = repository.commit("The next image");
    honest_wait(account, daemon, name, &second, NEXT_IMAGE);
    daemon.until("the tag is of the second declaration", || applied_tag(account, name) != tag);
}

/// Waits until the service is shown as live on `commit`; when it is shown so, it must be true.
#[track_caller]
fn honest_wait(account: &Account, daemon: &Daemon, name: &str, commit: &str, image: &str) {
    let shown = |status: &Value| status["state"] == "live" && status["commit"]["revision"] == commit;
    daemon.wait(&format!("{name} is live on {image}"), |status| shown(status.service(name)));
    let service = live_service(account, name);
    let definition = running_definition(account, name);
    let deployments = service["deployments"].as_array().unwrap();
    let log = daemon.log();
    assert_eq!(definition["containerDefinitions"][0]["image"], image, "{name} is shown as live\n{log}");
    assert_eq!((deployments.len(), &deployments[0]["rolloutState"]), (1, &"COMPLETED".into()), "{name}: {service:#}\n{log}");
    assert_eq!(service["runningCount"], service["desiredCount"], "{name}: {service:#}\n{log}");
}

/// The writes that AWS carried out.
fn writes(proxy: &Proxy) -> usize {
    WRITES.iter().map(|write| proxy.done(write, "")).sum()
}

/// Nothing more is written in the next passes.
#[track_caller]
fn assert_quiet(proxy: &Proxy, daemon: &Daemon, passes: u64) {
    let (before, began) = (writes(proxy), daemon.passes());
    daemon.until("more passes are done", || daemon.passes() >= began + passes);
    assert_eq!(writes(proxy), before, "written although nothing had changed:\n{}", daemon.log());
}

#[test]
fn a_fault_at_any_write_changes_nothing_of_the_end() {
    let account = small::account();
    let expected = reference(&account);
    let faults = write_faults();
    let failed = table(WRITES.len() * faults.len(), AT_ONCE, |index| {
        let (write, fault) = (WRITES[index / faults.len()], &faults[index % faults.len()]);
        let (name, began) = (format!("row-{index}"), Instant::now());
        let (proxy, options) = behind_proxy(&account);
        let repository = small::repository(&[&name]);
        let rule = || proxy.rule(Rule::on(write, fault.fault.clone()).times(fault.times));
        if write == "CreateService" {
            rule();
        }
        let daemon = Daemon::start(&account, &repository, &options);
        two_commits(&account, &repository, &daemon, &name, || {
            if write != "CreateService" {
                rule();
            }
        });
        let row = format!("{write}, {}", fault.name);
        assert!(proxy.met()[0] >= fault.times, "{row}: the fault never happened");
        assert_quiet(&proxy, &daemon, 3);
        assert_eq!(end_state(&account, &name), expected, "{row}");
        assert_eq!((proxy.done("CreateService", ""), proxy.done("UpdateService", "")), (1, 1), "{row}\n{}", daemon.log());
        let surplus = usize::from(write == "RegisterTaskDefinition" && fault.unclear);
        let made = revisions(&account, &name);
        assert!((2..=2 + surplus).contains(&made), "{row}: {made} revisions\n{}", daemon.log());
        assert!(!daemon.log().contains("panick"), "{row}\n{}", daemon.log());
        daemon.stop();
        println!("{row}: {:.1} s, {made} revisions", began.elapsed().as_secs_f64());
    });
    assert!(failed.is_empty(), "rows that failed: {failed:?}");
}
