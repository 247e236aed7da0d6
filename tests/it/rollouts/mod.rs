//! Rollouts told truly: each way to fail in each strategy, approvals, a new commit, a restart and a lost disk in each phase;
//! what is said of each by status, history and metrics, and that no intent becomes two deployments. On the simulated
//! account, many services at once. What is told stands in the `.txt` files beside (`UPDATE_GOLDEN=1` writes them).

mod approvals;
mod failures;
mod phases;

use crate::support::told::{golden, told};
use crate::support::{Repository, Simulated, small};
use driftless::sim::Account;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How much faster than ours the account's time runs: a linear rollout takes some minutes of it.
const SPEED: f64 = 120.0;
/// The image of the first commit.
const FIRST: &str = "public.ecr.aws/small/web:1";

/// The image of a second commit, with these words in its tag.
fn second(words: &str) -> String {
    format!("public.ecr.aws/small/web:2-{words}")
}

/// A service behind the load balancer.
struct Service<'s> {
    name: &'s str,
    strategy: &'s str,
    /// More of its `deploymentConfiguration`.
    rollout: &'s str,
    /// More of its container.
    container: &'s str,
    /// More lines of its file.
    more: &'s str,
}

impl<'s> Service<'s> {
    fn new(name: &'s str, strategy: &'s str) -> Self {
        Self { name, strategy, rollout: "", container: "", more: "" }
    }

    fn file(&self, priority: usize) -> String {
        let Self { name, strategy, rollout, container, more } = self;
        let shifts = *strategy != "ROLLING";
        let advanced = if shifts {
            format!(
                ", advancedConfiguration: {{ alternateTargetGroup: {name}-b, productionListenerRule: \"lb:80/{priority}\", roleArn: ecs }}"
            )
        } else {
            String::new()
        };
        let configuration = match *strategy {
            "ROLLING" => String::new(),
            "CANARY" => {
                "strategy: CANARY, canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 1 }, ".to_owned()
            }
            "LINEAR" => {
                "strategy: LINEAR, linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 1 }, ".to_owned()
            }
            other => format!("strategy: {other}, "),
        };
        let group = "protocol: HTTP, port: 80, targetType: ip, vpcId: vpc-1, healthCheckIntervalSeconds: 10, healthCheckTimeoutSeconds: 5, \
                     unhealthyThresholdCount: 2, attributes: { deregistration_delay.timeout_seconds: \"5\" }";
        let mut text = format!(
            "name: {name}\n\
             taskDefinition:\n  family: {name}\n  networkMode: awsvpc\n  requiresCompatibilities: [FARGATE]\n  cpu: 256\n  memory: 512\n  \
             executionRoleArn: ecsTaskExecutionRole\n  \
             containerDefinitions:\n    - name: web\n      image: {FIRST}\n      portMappings: [{{ containerPort: 80 }}]\n      \
             healthCheck: {{ command: [CMD, a], interval: 10, retries: 2 }}\n{container}\
             service:\n  desiredCount: 1\n  \
             loadBalancers: [{{ targetGroup: {name}-a, containerName: web, containerPort: 80{advanced} }}]\n  \
             deploymentConfiguration: {{ {configuration}{rollout}deploymentCircuitBreaker: {{ enable: true, rollback: true }} }}\n\
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
}

fn repository(services: &[Service<'_>]) -> Repository {
    let files: Vec<(String, String)> =
        services.iter().zip(1..).map(|(service, at)| (small::file(service.name), service.file(at))).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let environment = small::balanced_environment();
    files.push(("environment.yaml", &environment));
    Repository::of_files(&files)
}

/// Everything that is told of these services, against a file.
#[track_caller]
fn is_told(file: &str, daemon: &Simulated, names: &[&str], since: usize) {
    let text: Vec<String> = names.iter().map(|name| told(daemon, "small", name, since)).collect();
    golden(&format!("rollouts/{file}.txt"), &text.join("\n"));
}

/// How many UpdateService calls were about a service.
fn updates(daemon: &Simulated, service: &str) -> usize {
    let of = |entry: &&driftless::sim::ledger::Entry| {
        entry.operation == "UpdateService" && entry.status == 200 && entry.input["service"] == service
    };
    daemon.writes().iter().filter(of).count()
}

/// The newest service deployment of a service; null while there is none.
fn newest(account: &Account, service: &str) -> Value {
    let listed = account.call("ecs", "ListServiceDeployments", json!({ "cluster": "small", "service": service }));
    let Ok(listed) = listed else { return Value::Null };
    let mut all = listed["serviceDeployments"].as_array().cloned().unwrap_or_default();
    all.sort_by_key(|brief| brief["createdAt"].to_string());
    let Some(arn) = all.last().map(|brief| brief["serviceDeploymentArn"].clone()) else { return Value::Null };
    let described = account.call("ecs", "DescribeServiceDeployments", json!({ "serviceDeploymentArns": [arn] }));
    described.unwrap()["serviceDeployments"][0].clone()
}

/// The hook of the newest service deployment that waits for an answer.
fn waiting_hook(deployment: &Value) -> Option<&Value> {
    deployment["lifecycleHookDetails"].as_array()?.iter().find(|hook| hook["status"] == "AWAITING_ACTION")
}

/// Answers the approval that a service waits for.
#[track_caller]
fn answer(account: &Account, service: &str, action: &str) {
    let deployment = newest(account, service);
    let hook = &waiting_hook(&deployment).expect("it waits")["hookId"];
    let input = json!({ "serviceDeploymentArn": deployment["serviceDeploymentArn"], "hookId": hook, "action": action });
    account.call("ecs", "ContinueServiceDeployment", input).unwrap();
}
