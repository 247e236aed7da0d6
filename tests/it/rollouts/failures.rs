//! Each way to fail in each strategy: one sentence, one row, one deployment, and the way back is a commit without one.

use super::{FIRST, SPEED, Service, is_told, repository, second, updates};
use crate::support::{Page, Simulated, small};
use driftless::sim::world::ecs::images::Function;
use serde_json::{Value, json};

/// A function that the services of the row `hook` ask when their new tasks run.
const HOOK: &str = "arn:aws:lambda:us-east-1:123456789012:function:smoke-test";
const SECRET: &str =
    "      secrets: [{ name: KEY, valueFrom: \"arn:aws:secretsmanager:us-east-1:123456789012:secret:SUFFIX\" }]\n";

/// One account a strategy.
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

/// What the images of the second commit do; `alarm` takes its time, so that the alarm goes off in the middle.
const ROWS: [(&str, &str); 8] = [
    ("nopull", "nopull"),
    ("crash-1", "crash-1"),
    ("unready-503", "unready-503"),
    ("sick", "sick"),
    ("nocapacity", "nocapacity"),
    ("secret", "well"),
    ("alarm", "slow-9000"),
    ("hook", "well"),
];

fn each_failure(strategy: &str) {
    let account = small::balanced(SPEED);
    let arn = account.call("secretsmanager", "CreateSecret", json!({ "Name": "key", "SecretString": "x" })).unwrap();
    let there = arn["ARN"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let alarm = json!({
        "AlarmName": "errors", "Namespace": "web", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
    });
    account.call("cloudwatch", "PutMetricAlarm", alarm).unwrap();
    let secret = SECRET.replace("SUFFIX", &there);
    let hook =
        format!("lifecycleHooks: [{{ hookTargetArn: \"{HOOK}\", roleArn: ecs, lifecycleStages: [POST_SCALE_UP] }}], ");
    let services = ROWS.map(|(name, _)| {
        let mut service = Service::new(name, strategy);
        match name {
            "secret" => service.container = &secret,
            "alarm" => service.rollout = "alarms: { alarmNames: [errors], enable: true, rollback: true }, ",
            "hook" => service.rollout = &hook,
            _ => {}
        }
        service
    });
    let repository = repository(&services);
    let daemon = Simulated::start(account.clone(), &repository);
    daemon.wait_until("all are live", |status| status.all("live"));
    let since = account.ledger().len();
    for (name, words) in ROWS {
        repository.edit(&small::file(name), FIRST, &second(words));
    }
    repository.edit(&small::file("secret"), &there, "gone-AbCdEf");
    account.world(|world| {
        world.ecs.images.hooks.insert(HOOK.to_owned(), Function { succeeds: false, ..Function::default() })
    });
    repository.commit("All of them fail");
    daemon.wait_until("the alarm's rollout is under way", |_| updates(&daemon, "alarm") == 1);
    let ring = json!({ "AlarmName": "errors", "StateValue": "ALARM", "StateReason": "a test" });
    account.call("cloudwatch", "SetAlarmState", ring).unwrap();
    let back = |s: &Value| s["images"] == json!([FIRST]) && s["tasks"]["running"] == 1 && s["tasks"]["pending"] == 0;
    let status = daemon.wait_until("all have failed, and the old version serves", |status| {
        ROWS.iter().all(|(name, _)| status.service(name)["state"] == "failed" && back(status.service(name)))
    });
    daemon.pass(3);
    let named = ["CannotPull", "exited with code 1", "ELB health", "container health", "Capacity", "ResourceInit"];
    for ((name, _), words) in ROWS.iter().zip(named) {
        let reason = status.service(name)["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(words) && reason.contains("circuit breaker"), "{name} at {SPEED}: {reason}");
    }
    is_told(&format!("failures-{}", strategy.to_lowercase()), &daemon, &ROWS.map(|(name, _)| name), since);
    // The way back is a commit, and no deployment.
    for (name, words) in ROWS {
        repository.edit(&small::file(name), &second(words), FIRST);
    }
    repository.edit(&small::file("secret"), "gone-AbCdEf", &there);
    repository.commit("Revert");
    daemon.wait_until("all are live again", |status| status.all("live"));
    assert_eq!(ROWS.map(|(name, _)| updates(&daemon, name)), [1; 8]);
}
