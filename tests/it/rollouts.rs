//! Rollouts told truly: each way to fail in each strategy, approvals, a new commit in the middle, restarts in every phase;
//! what is said of each, and that no intent becomes two deployments. On the simulated account, many services at once.

use crate::support::simulated::account;
use crate::support::{Page, Repository, Simulated, small};
use driftless::sim::Account;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How much faster than ours the account's time runs: a linear rollout takes some minutes of it.
const SPEED: f64 = 120.0;
const STRATEGIES: &[&str] = &["ROLLING", "BLUE_GREEN", "CANARY", "LINEAR"];

const ENVIRONMENT: &str = "\
environment: small
account: \"123456789012\"
region: us-east-1
cluster: small
defaults:
  service:
    launchType: FARGATE
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet-0a1b2c3d4e5f60001], securityGroups: [sg-0a1b2c3d4e5f60001] } }
  sync: { minInterval: 0s }
loadBalancers:
  lb:
    listeners:
      - port: 80
        protocol: HTTP
        defaultActions: [{ type: fixed-response, fixedResponseConfig: { statusCode: \"404\" } }]
";

/// A service behind the load balancer; `more` are lines of its file.
fn service(name: &str, priority: usize, strategy: &str, image: &str, more: &str) -> String {
    let shifts = strategy != "ROLLING";
    let advanced = if shifts {
        format!(
            ", advancedConfiguration: {{ alternateTargetGroup: {name}-b, productionListenerRule: \"lb:80/{priority}\", roleArn: ecs }}"
        )
    } else {
        String::new()
    };
    let configuration = match strategy {
        "ROLLING" => String::new(),
        "CANARY" => {
            "strategy: CANARY, canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 1 }, ".to_owned()
        }
        "LINEAR" => "strategy: LINEAR, linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 1 }, ".to_owned(),
        other => format!("strategy: {other}, "),
    };
    let group = "protocol: HTTP, port: 80, targetType: ip, vpcId: vpc-1, healthCheckIntervalSeconds: 10, healthCheckTimeoutSeconds: 5, \
                 unhealthyThresholdCount: 2, attributes: { deregistration_delay.timeout_seconds: \"5\" }";
    let mut text = format!(
        "name: {name}\n\
         taskDefinition:\n  family: {name}\n  networkMode: awsvpc\n  requiresCompatibilities: [FARGATE]\n  cpu: 256\n  memory: 512\n  \
         containerDefinitions:\n    - name: web\n      image: {image}\n      portMappings: [{{ containerPort: 80 }}]\n      \
         healthCheck: {{ command: [CMD, a], interval: 10, retries: 2 }}\n\
         service:\n  desiredCount: 1\n  \
         loadBalancers: [{{ targetGroup: {name}-a, containerName: web, containerPort: 80{advanced} }}]\n  \
         deploymentConfiguration: {{ {configuration}deploymentCircuitBreaker: {{ enable: true, rollback: true }} }}\n\
         targetGroups:\n  {name}-a: {{ {group} }}\n"
    );
    let mut targets = format!("{{ targetGroup: {name}-a, weight: 100 }}");
    if shifts {
        let _ = writeln!(text, "  {name}-b: {{ {group} }}");
        let _ = write!(targets, ", {{ targetGroup: {name}-b, weight: 0 }}");
    }
    let _ = write!(
        text,
        "rules:\n  - listener: lb:80\n    priority: {priority}\n    \
         conditions: [{{ field: host-header, hostHeaderConfig: {{ values: [{name}.example.com] }} }}]\n    \
         actions: [{{ type: forward, forwardConfig: {{ targetGroups: [{targets}] }} }}]\n{more}"
    );
    text
}

fn prepared() -> Account {
    let account = account("123456789012", SPEED);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let subnets = json!(["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]);
    account.call("elbv2", "CreateLoadBalancer", json!({ "Name": "lb", "Subnets": subnets })).unwrap();
    account
}

/// Image of the first commit, and of the second with these words in its tag.
const FIRST: &str = "public.ecr.aws/small/web:1";

fn second(words: &str) -> String {
    format!("public.ecr.aws/small/web:2-{words}")
}

fn repository(services: &[(String, String)]) -> Repository {
    let files: Vec<(String, &str)> = services.iter().map(|(name, text)| (small::file(name), text.as_str())).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
    files.push(("environment.yaml", ENVIRONMENT));
    Repository::of_files(&files)
}

/// How many UpdateService calls were about a service.
fn updates(daemon: &Simulated, service: &str) -> usize {
    let of = |entry: &&driftless::sim::ledger::Entry| {
        entry.operation == "UpdateService" && entry.status == 200 && entry.input["service"] == service
    };
    daemon.writes().iter().filter(of).count()
}

/// One account a strategy: load balancing answers ten calls a second of an account, and all services are looked at each
/// second here.
#[test]
fn each_failure_of_a_rolling_update_is_told_and_is_one_deployment() {
    each_failure("ROLLING");
}

#[test]
fn each_failure_of_blue_green_is_told_and_is_one_deployment() {
    each_failure("BLUE_GREEN");
}

#[test]
fn each_failure_of_a_canary_is_told_and_is_one_deployment() {
    each_failure("CANARY");
}

#[test]
fn each_failure_of_a_linear_shift_is_told_and_is_one_deployment() {
    each_failure("LINEAR");
}

fn each_failure(strategy: &str) {
    let rows = [
        ("nopull", "CannotPullContainerError"),
        ("crash-1", "container web exited with code 1"),
        ("unready-503", "Task failed ELB health checks"),
        ("sick", "Task failed container health checks"),
        ("nocapacity", "Capacity is unavailable"),
    ];
    let files: Vec<(String, String)> = rows
        .iter()
        .enumerate()
        .map(|(at, (name, _))| ((*name).to_owned(), service(name, at + 1, strategy, FIRST, "")))
        .collect();
    let repository = repository(&files);
    let daemon = Simulated::start(prepared(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    for (name, _) in rows {
        repository.edit(&small::file(name), FIRST, &second(name));
    }
    repository.commit("All of them fail");
    let status = daemon.wait_until("all have failed, and the old version serves", |status| {
        let back =
            |s: &Value| s["images"] == json!([FIRST]) && s["tasks"]["running"] == 1 && s["tasks"]["pending"] == 0;
        rows.iter().all(|(name, _)| status.service(name)["state"] == "failed" && back(status.service(name)))
    });
    daemon.pass(3);
    let mut wrong = String::new();
    for (name, expected) in rows {
        let reason = status.service(name)["reason"].as_str().unwrap_or_default();
        let count = updates(&daemon, name);
        if !reason.contains(expected) || !reason.contains("circuit breaker") || count != 1 {
            let _ = writeln!(wrong, "{name}: {count} updates: {reason}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    // The way back is a commit, and no deployment.
    for (name, _) in rows {
        repository.edit(&small::file(name), &second(name), FIRST);
    }
    repository.commit("Revert");
    daemon.wait_until("all are live again", |status| status.all("live"));
    assert_eq!(rows.iter().map(|(name, _)| updates(&daemon, name)).max(), Some(1));
}

/// The service deployment that waits, and its hook.
fn waiting(account: &Account, service: &str) -> (Value, Value) {
    let input = json!({ "cluster": "small", "service": service, "status": ["IN_PROGRESS"] });
    let arn =
        account.call("ecs", "ListServiceDeployments", input).unwrap()["serviceDeployments"][0]["serviceDeploymentArn"]
            .clone();
    let described =
        account.call("ecs", "DescribeServiceDeployments", json!({ "serviceDeploymentArns": [arn] })).unwrap();
    let hooks = described["serviceDeployments"][0]["lifecycleHookDetails"].clone();
    let hook = hooks.as_array().unwrap().iter().find(|hook| hook["status"] == "AWAITING_ACTION").unwrap();
    (arn, hook["hookId"].clone())
}

fn answer(account: &Account, service: &str, action: &str) {
    let (arn, hook) = waiting(account, service);
    let input = json!({ "serviceDeploymentArn": arn, "hookId": hook, "action": action });
    account.call("ecs", "ContinueServiceDeployment", input).unwrap();
}

#[test]
fn an_approval_is_given_refused_runs_out_or_is_overtaken() {
    let approval = |timeout: &str, then: &str| {
        format!(
            "rollout: {{ approval: {{ stage: POST_TEST_TRAFFIC_SHIFT, timeout: {timeout}, onTimeout: {then} }} }}\n"
        )
    };
    let rows = [
        ("given", "48h", "rollback"),
        ("refused", "48h", "continue"),
        ("overtaken", "48h", "rollback"),
        // 20 minutes of the account are ten seconds.
        ("rolled-back", "20m", "rollback"),
        ("gone-on", "20m", "continue"),
    ];
    let files: Vec<(String, String)> = rows
        .iter()
        .enumerate()
        .map(|(at, (name, timeout, then))| {
            ((*name).to_owned(), service(name, at + 1, "BLUE_GREEN", FIRST, &approval(timeout, then)))
        })
        .collect();
    let (account, repository) = (prepared(), repository(&files));
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    for (name, ..) in rows {
        repository.edit(&small::file(name), FIRST, &second("x"));
    }
    repository.commit("2");
    for (name, ..) in &rows[..3] {
        let status = daemon.wait_until("it waits", |status| status.service(name)["state"] == "waiting");
        let reason = status.service(name)["reason"].as_str().unwrap_or_default().to_owned();
        let then = if *name == "refused" { "goes on" } else { "is rolled back" };
        assert!(reason.contains(&format!("at post test traffic shift; it {then} at 20")), "{reason}");
    }
    // Another process that knows nothing sees the same, and writes nothing.
    let other = Simulated::start(account.clone(), &repository);
    other.wait_until("it waits there, too", |status| status.service("given")["state"] == "waiting");
    drop(other);
    answer(&account, "given", "CONTINUE");
    answer(&account, "refused", "ROLLBACK");
    repository.edit(&small::file("overtaken"), &second("x"), "public.ecr.aws/small/web:3");
    repository.commit("3 of one of them");
    let is = |status: &crate::support::Status, name: &str, state: &str, image: &str| {
        status.service(name)["state"] == state && status.service(name)["images"] == json!([image])
    };
    daemon.wait_until("each has its end", |status| {
        is(status, "given", "live", &second("x"))
            && is(status, "gone-on", "live", &second("x"))
            && is(status, "refused", "failed", FIRST)
            && is(status, "rolled-back", "failed", FIRST)
            && status.service("overtaken")["state"] == "waiting"
    });
    daemon.wait_until("3 is what waits", |status| is(status, "overtaken", "waiting", "public.ecr.aws/small/web:3"));
    answer(&account, "overtaken", "CONTINUE");
    let third = |status: &crate::support::Status| is(status, "overtaken", "live", "public.ecr.aws/small/web:3");
    let status = daemon.wait_until("3 is live", third);
    for (name, words) in [("refused", "rolled back by a person"), ("rolled-back", "ran out")] {
        let reason = status.service(name)["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(words), "{name}: {reason}");
    }
    daemon.pass(5);
    let counts = rows.map(|(name, ..)| updates(&daemon, name));
    assert_eq!(counts, [1, 1, 2, 1, 1], "one deployment for one intent:\n{}", daemon.log());
}

/// A daemon that dies in every phase, each time with its disk: what it did is in AWS, and is not done twice.
#[test]
fn restarts_in_every_phase_deploy_nothing_twice() {
    let rows = [("good", "x", "live"), ("bad", "crash-1", "failed"), ("slow", "slow-240", "live")];
    let mut files = Vec::new();
    for (at, strategy) in STRATEGIES.iter().enumerate() {
        for (row, (name, ..)) in rows.iter().enumerate() {
            let name = format!("{name}-{}", strategy.to_lowercase().replace('_', "-"));
            files.push((name.clone(), service(&name, 1 + at * rows.len() + row, strategy, FIRST, "")));
        }
    }
    let (account, repository) = (prepared(), repository(&files));
    Simulated::start(account.clone(), &repository).wait_until("all are live", |status| status.all("live"));
    let row_of = |name: &str| *rows.iter().find(|(row, ..)| name.starts_with(row)).unwrap();
    for (name, _) in &files {
        repository.edit(&small::file(name), FIRST, &second(row_of(name).1));
    }
    repository.commit("2");
    // Longer and longer lives: the first ones end while revisions are being registered.
    for life in [300, 500, 700, 900, 1200, 1600, 2000, 2500] {
        let daemon = Simulated::start(account.clone(), &repository);
        std::thread::sleep(std::time::Duration::from_millis(life));
        drop(daemon);
    }
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("each has its end", |status| {
        files.iter().all(|(name, _)| status.service(name)["state"] == row_of(name).2)
    });
    daemon.pass(3);
    let twice: Vec<(&str, usize)> = files
        .iter()
        .map(|(name, _)| (name.as_str(), updates(&daemon, name)))
        .filter(|(_, count)| *count != 1)
        .collect();
    assert_eq!(twice, [], "one UpdateService for one intent:\n{}", daemon.log());
}
