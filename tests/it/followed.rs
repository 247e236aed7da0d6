//! How rollouts are followed: as long as git allows, and with the last lines of what failed where git allows that.

use crate::support::simulated::Served;
use crate::support::{Page, Simulated, Status, driftless_with, simulated, small};
use driftless::sim::policy::Policy;
use driftless::sim::world::ecs::images::Behaviour;
use serde_json::{Value, json};

const BROKEN: &str = "public.ecr.aws/small/web:2-crash-1";

const BUT_LOGS: &str = r#"{ "Statement": [
    { "Effect": "Allow", "Action": "*", "Resource": "*" },
    { "Effect": "Deny", "Action": "logs:GetLogEvents", "Resource": "*" }
] }"#;

/// The rows of the history, newest first.
fn deployments(daemon: &Simulated) -> Value {
    let rows: Value = serde_json::from_str(&daemon.page("/api/v1/services/small/web/deployments")).unwrap();
    rows["deployments"].clone()
}

fn account(speed: f64) -> driftless::sim::Account {
    let account = simulated::account("123456789012", speed);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    account
}

/// The small service with more lines, and its container writing to a log group.
fn written(more: &str) -> String {
    let logs = "logConfiguration: { logDriver: awslogs, options: { awslogs-group: /ecs/web, awslogs-region: us-east-1, awslogs-stream-prefix: ecs } }";
    let breaker = "deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } }";
    small::service("web")
        .replace("networkMode: awsvpc", "networkMode: awsvpc\n  executionRoleArn: ecs")
        .replace("environment: [", &format!("{logs}, environment: ["))
        .replace("desiredCount: 2", &format!("desiredCount: 2, {breaker}"))
        + "logs: { /ecs/web: { retentionInDays: 30 } }\n"
        + more
}

#[test]
fn the_last_lines_of_what_failed_are_shown_where_git_allows_it() {
    let reads =
        |daemon: &Simulated| daemon.account.ledger().iter().filter(|entry| entry.operation == "GetLogEvents").count();
    let says = ["listening", "Error: connect ECONNREFUSED 10.0.3.17:6379", "DB_PASSWORD=hunter2"];
    // What git says, what this process may, and what is shown.
    let shown = ["Error: connect ECONNREFUSED 10.0.3.17:6379", "DB_PASSWORD=(hidden)"];
    let rows: [(&str, bool, Value, usize); 3] = [
        ("rollout: { logLines: 2 }\n", true, json!(shown), 1),
        ("", true, Value::Null, 0),
        ("rollout: { logLines: 2 }\n", false, Value::Null, 1),
    ];
    for (more, may, expected, most) in rows {
        let account = account(100.0);
        let says = says.map(str::to_owned).to_vec();
        account.world(|world| {
            world.ecs.images.set(BROKEN, Behaviour { says, ..Behaviour::of_tag("2-crash-1") });
        });
        if !may {
            account.enforce(Some(Policy::read(BUT_LOGS).unwrap()));
        }
        let repository = small::repository(&["web"]);
        repository.write(&small::file("web"), &written(more));
        repository.commit("With a log group");
        let daemon = Simulated::start(account, &repository);
        daemon.wait_until("1 is live", |status| status.all("live"));
        repository.edit(&small::file("web"), small::IMAGE, BROKEN);
        repository.commit("2");
        daemon.wait_until("2 has failed", |status| status.all("failed"));
        daemon.pass(3);
        let status = daemon.seen();
        assert_eq!(status.service("web")["lastLines"]["lines"], expected, "{more} {may}");
        let row = deployments(&daemon)[0].clone();
        assert_eq!(row["lastLines"]["lines"], expected, "{row}");
        for path in ["/services/small/web", "/"] {
            let page = daemon.page(path);
            assert_eq!(page.contains("ECONNREFUSED"), !expected.is_null(), "{path}: {page}");
            assert!(!page.contains("hunter2"), "{path}");
        }
        assert!(!status.service("web").to_string().contains("hunter2"));
        assert!(reads(&daemon) <= 1.max(most) && (reads(&daemon) > 0) == (most > 0), "{}", reads(&daemon));
    }
}

#[test]
fn each_attempt_has_its_own_last_lines() {
    let (account, repository) = (account(100.0), small::repository(&["web"]));
    let served = Served::start(&account);
    let says = |line: &str| {
        let says = vec![line.to_owned()];
        account.world(|world| world.ecs.images.set(BROKEN, Behaviour { says, ..Behaviour::of_tag("2-crash-1") }));
    };
    let shows = |status: &Status, line: &str| {
        status.all("failed") && status.service("web")["lastLines"]["lines"] == json!([line])
    };
    says("Error: no database");
    repository.write(&small::file("web"), &written("rollout: { logLines: 5 }\n"));
    repository.commit("With a log group");
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("1 is live", |status| status.all("live"));
    repository.edit(&small::file("web"), small::IMAGE, BROKEN);
    repository.commit("2");
    daemon.wait_until("2 has failed", |status| shows(status, "Error: no database"));
    says("Error: no disk");
    let path = repository.path().display().to_string();
    driftless_with(&served.env, &["retry", "web", "--repo", &path, "--path", "env"]).assert_status(0);
    daemon.wait_until("it has failed for another reason", |status| shows(status, "Error: no disk"));
    assert_eq!(deployments(&daemon)[0]["lastLines"]["lines"], json!(["Error: no disk"]));
}

#[test]
fn a_rollout_that_takes_too_long_has_failed_and_may_come_up_all_the_same() {
    // The daemon's time is the account's: nothing is faster here.
    let account = account(1.0);
    let repository = small::repository(&["web"]);
    repository.edit(&small::file("web"), small::IMAGE, "public.ecr.aws/small/web:slow-8");
    repository.edit(&small::file("web"), "sync: {", "rollout: { timeout: 4s }\nsync: {");
    repository.commit("Slow");
    let daemon = Simulated::start(account, &repository);
    let status = daemon.wait_until("it takes too long", |status| status.all("failed"));
    let reason = status.service("web")["reason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("not live after 4s (rollout.timeout), and ECS goes on: 0 of 2 new tasks run"),
        "{reason}"
    );
    daemon.wait_until("it is live", |status| status.all("live"));
    daemon.pass(2);
    let rows = deployments(&daemon);
    assert_eq!((rows[0]["result"].clone(), rows[0]["reason"].clone()), (json!("live"), Value::Null), "{rows}");
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    assert_eq!(daemon.done("CreateService") + daemon.done("UpdateService"), 1, "{}", daemon.log());
}

#[test]
fn what_stands_beside_a_service_is_not_read_with_each_look_at_its_rollout() {
    let (account, repository) = (account(10.0), small::repository(&["web"]));
    account.call("elbv2", "CreateLoadBalancer", json!({ "Name": "lb", "Subnets": ["subnet-1", "subnet-2"] })).unwrap();
    let shared = "loadBalancers:\n  lb:\n    listeners:\n      - { port: 80, protocol: HTTP, defaultActions: [{ type: fixed-response, fixedResponseConfig: { statusCode: \"404\" } }] }\n";
    repository.write("environment.yaml", &format!("{}{shared}", small::ENVIRONMENT));
    let balanced = small::service("web").replace(
        "desiredCount: 2",
        "desiredCount: 2, loadBalancers: [{ targetGroup: web, containerName: web, containerPort: 80 }]",
    ) + "targetGroups: { web: { protocol: HTTP, port: 80, targetType: ip, vpcId: vpc-1 } }\n\
         rules: [{ listener: \"lb:80\", priority: 1, conditions: [{ field: host-header, hostHeaderConfig: { values: [a.example.org] } }], actions: [{ type: forward, targetGroup: web }] }]\n";
    repository.write(&small::file("web"), &balanced);
    repository.commit("Behind a load balancer");
    let daemon = Simulated::start(account, &repository);
    daemon.wait_until("1 is live", |status| status.all("live"));
    repository.edit(&small::file("web"), small::IMAGE, "public.ecr.aws/small/web:slow-3000");
    repository.commit("2 takes minutes");
    daemon.wait_until("2 is on its way", |status| status.service("web")["state"] == "deploying");
    let count = |operation: &str| daemon.account.ledger().iter().filter(|entry| entry.operation == operation).count();
    let counts = || ["DescribeServiceDeployments", "DescribeRules"].map(count);
    let before = counts();
    daemon.wait_until("it was looked at twenty times", |_| counts()[0] >= before[0] + 20);
    let read = counts()[1] - before[1];
    assert!((1..=6).contains(&read), "{read} reads of what nobody has changed, with 20 looks");
    assert_eq!(daemon.seen().service("web")["state"], "deploying");
}
