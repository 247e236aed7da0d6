//! Faults of AWS: every write and every read that the daemon makes, spoiled in every way that AWS and networks have.
//! Promises R2, R3, R10, R11, R17, R21, R22.

use crate::proxy::{Fault, Proxy, Rule};
use crate::support::small::{
    self, IMAGE, NEXT_IMAGE, applied_tag, behind_proxy, end_state, file, live_service, revisions, running_definition,
    table,
};
use crate::support::{Account, Daemon, Repository};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How many rows run at once, each with a daemon of its own.
const AT_ONCE: usize = 12;

/// The writes of a service's life, in their order.
const WRITES: [&str; 4] = ["CreateService", "RegisterTaskDefinition", "UpdateService", "TagResource"];

struct WriteFault {
    name: &'static str,
    fault: Fault,
    times: usize,
}

fn write_faults() -> Vec<WriteFault> {
    let row = |name, fault, times| WriteFault { name, fault, times };
    vec![
        row("throttled once", Fault::Throttled, 1),
        row("throttled three times", Fault::Throttled, 3),
        row("503, not applied", Fault::Unavailable, 1),
        row("500, applied", Fault::AppliedAndFailed, 1),
        row("applied, the answer is lost", Fault::AnswerLost, 1),
        row("answered late", Fault::Late(Duration::from_secs(2)), 1),
        row("hidden from reads for 3 s", Fault::StaleAfter(Duration::from_secs(3)), 1),
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
    assert_eq!(
        (deployments.len(), &deployments[0]["rolloutState"]),
        (1, &"COMPLETED".into()),
        "{name}: {service:#}\n{log}"
    );
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
        assert_eq!(
            (proxy.done("CreateService", ""), proxy.done("UpdateService", "")),
            (1, 1),
            "{row}\n{}",
            daemon.log()
        );
        assert_eq!(revisions(&account, &name), 2, "{row}\n{}", daemon.log());
        assert!(!daemon.log().contains("panick"), "{row}\n{}", daemon.log());
        daemon.stop();
        println!("{row}: {:.1} s", began.elapsed().as_secs_f64());
    });
    assert!(failed.is_empty(), "rows that failed: {failed:?}");
}

/// A read, and the text by which a call about the first service of a row is known.
struct ReadRow {
    operation: &'static str,
    about: fn(&str) -> String,
    /// Whether the call is about all services of the environment.
    whole: bool,
}

const READS: [ReadRow; 6] = [
    // Every service of AWS, the proof of the account among them.
    ReadRow { operation: "", about: |_| String::new(), whole: true },
    ReadRow { operation: "DescribeServices", about: |_| String::new(), whole: true },
    ReadRow { operation: "DescribeTaskDefinition", about: |name| format!("/{name}:"), whole: false },
    ReadRow { operation: "ListTaskDefinitions", about: |name| format!("\"{name}\""), whole: false },
    ReadRow { operation: "DescribeTargetGroups", about: |name| name.to_owned(), whole: false },
    ReadRow { operation: "DescribeSecret", about: |name| name.to_owned(), whole: false },
];

/// A fault, and what the reason that is shown must hold of it.
fn read_faults() -> [(Fault, &'static str); 4] {
    [
        (Fault::Denied, "AccessDenied"),
        (Fault::Unavailable, "ServiceUnavailable"),
        (Fault::Html, ""),
        (Fault::Truncated, ""),
    ]
}

/// A repository with a service that names a target group and a secret, and one that names nothing.
fn read_repository(rows: &[&str]) -> Repository {
    let repository = small::repository(&[]);
    for name in rows {
        let other = format!("{name}-other");
        repository.write(&file(&other), &small::service(&other));
        let text = small::service(name)
            .replace("cpu: 256", "executionRoleArn: ecsTaskExecutionRole\n  cpu: 256")
            .replace("environment: [", &format!("secrets: [{{ name: KEY, valueFrom: {name}/key }}], environment: ["))
            .replace(
                "service: { ",
                &format!(
                    "service: {{ loadBalancers: [{{ targetGroup: {name}, containerName: web, containerPort: 80 }}], "
                ),
            );
        let group = format!(
            "targetGroups: {{ {name}: {{ protocol: HTTP, port: 80, targetType: ip, vpcId: vpc-0a1b2c3d4e5f60001 }} }}\n\
             rules: [{{ listener: \"small:80\", conditions: [{{ field: host-header, values: [{name}.example.com] }}], \
             actions: [{{ type: forward, targetGroup: {name} }}] }}]\n"
        );
        repository.write(&file(name), &(text + &group));
    }
    repository.commit("Everything");
    repository
}

/// An account with what these services refer to: a listener, and a secret each.
fn read_account(rows: &[&str]) -> Account {
    small::account_with(|account| {
        let call = |service, operation, input: Value| account.call(service, operation, input).unwrap();
        let subnets = json!(["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]);
        let made = call("elbv2", "CreateLoadBalancer", json!({ "Name": "small", "Subnets": subnets }));
        let balancer = &made["LoadBalancers"][0]["LoadBalancerArn"];
        let answer = json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } }]);
        let listener =
            json!({ "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": "80", "DefaultActions": answer });
        call("elbv2", "CreateListener", listener);
        for name in rows {
            call("secretsmanager", "CreateSecret", json!({ "Name": format!("{name}/key"), "SecretString": "hush" }));
        }
    })
}

#[test]
fn what_cannot_be_read_is_unknown_and_not_written_to() {
    let faults = read_faults();
    let rows = READS.len() * faults.len();
    let names: Vec<String> = (0..rows).map(|index| format!("read-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let account = read_account(&names);
    let failed = table(rows, AT_ONCE, |index| {
        let (row, (fault, code)) = (&READS[index / faults.len()], &faults[index % faults.len()]);
        let (name, other, began) = (names[index], format!("{}-other", names[index]), Instant::now());
        let story = format!("{} {fault:?}", row.operation);
        let repository = read_repository(&[name]);
        let (proxy, options) = behind_proxy(&account);
        let daemon = Daemon::start(&account, &repository, &options);
        daemon.wait("the first commit is live", |status| status.all("live"));
        daemon.stop();

        repository.edit(&file(name), IMAGE, NEXT_IMAGE);
        repository.edit(&file(&other), IMAGE, NEXT_IMAGE);
        let commit = repository.commit("The next image of both");
        proxy.rule(Rule::on(row.operation, fault.clone()).about(&(row.about)(name)).always());
        let before = writes(&proxy);
        // A new one: it knows nothing from before.
        let daemon = Daemon::start(&account, &repository, &options);
        let unknown = |service: &Value| {
            let said = service["reason"].as_str().unwrap_or_default();
            service["state"] == "unknown" && said.contains(row.operation) && said.contains(code) && said.len() > 20
        };
        daemon.wait(&format!("it is unknown: {story}"), |status| unknown(status.service(name)));
        if row.whole {
            daemon.wait(&format!("the other one, too: {story}"), |status| unknown(status.service(&other)));
            // Without the proof of the account the next try comes late.
            let passes = if row.operation.is_empty() { 2 } else { 4 };
            daemon.until("some passes are done", || daemon.passes() >= passes);
            assert_eq!(writes(&proxy), before, "{story}\n{}", daemon.log());
        } else {
            let live = |status: &Value| status["state"] == "live" && status["commit"]["revision"] == commit;
            daemon.wait(&format!("the other one goes on: {story}"), |status| live(status.service(&other)));
            assert_eq!(writes(&proxy), before + 3, "register, update, tag of the other one: {story}\n{}", daemon.log());
        }
        assert!(unknown(daemon.status().service(name)), "{story}");
        assert_eq!(daemon.status().service(name)["sync"], "unknown", "{story}");
        assert_eq!(running_definition(&account, name)["containerDefinitions"][0]["image"], IMAGE, "{story}");

        proxy.clear();
        daemon.wait(&format!("it recovers: {story}"), |status| status.all_live_on(&commit));
        assert_eq!(writes(&proxy), before + 6, "{story}\n{}", daemon.log());
        assert_eq!(daemon.metric("driftless_panics"), 0, "{story}");
        daemon.stop();
        println!("{story}: {:.1} s", began.elapsed().as_secs_f64());
    });
    assert!(failed.is_empty(), "rows that failed: {failed:?}");
}
