//! What is deleted from outside is made again, and what somebody else has made is left alone.

use super::Stage;
use super::change::call;
use super::live::{Everything, command, everything, tags, text};
use crate::support::{Account, Daemon, Repository, Writes, assert_quiet};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// convergence-website with what it lacks: a scheduled action.
fn with_schedule() -> Stage {
    Stage::of_changed("convergence-website", |repository| {
        repository.edit(
            "services/prod-api.yaml",
            "  maxCapacity: 2\n",
            concat!(
                "  maxCapacity: 2\n",
                "  schedules:\n",
                "    night: { schedule: cron(0 1 * * ? *), scalableTargetAction: { minCapacity: 1, maxCapacity: 1 } }\n",
            ),
        );
        repository.sync("{ minInterval: 1s }");
    })
}

impl Stage {
    fn everything(&self) -> Everything {
        let services = self.services();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        everything(&self.account, &self.cluster, &services)
    }
}

/// How many calls of each operation there were, none of them refused.
#[track_caller]
fn counts(writes: &Writes) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for write in &writes.0 {
        assert_eq!(write.status, 200, "{}", writes.text());
        *counts.entry(write.operation.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn what_is_deleted_from_outside_is_made_again() {
    let stage = with_schedule();
    let before = stage.everything();
    let target = |operation: &str| {
        let id = format!("service/{}/prod-api", stage.cluster);
        let words = ["application-autoscaling", operation, "--service-namespace", "ecs"];
        let mut words = command(&words);
        words.extend(command(&["--resource-id", &id, "--scalable-dimension", "ecs:service:DesiredCount"]));
        words
    };
    let more = |mut words: Vec<String>, rest: &[&str]| {
        words.extend(command(rest));
        words
    };
    let rule = text(&before["rule convergence-website:443/20"], "RuleArn");
    let alarm = format!("{}-prod-api-scale-in", stage.cluster);
    // Each round with the calls that make it good: what hangs on a deleted thing, as the actions of an alarm on the ARN of
    // its policy, comes with it.
    type Round<'a> = (&'a str, Vec<Vec<String>>, &'a [(&'a str, usize)]);
    let listener = text(&before["listener convergence-website:443"], "ListenerArn");
    let rounds: [Round<'_>; 4] = [
        (
            "a rule, an alarm, a scheduled action and a log group",
            vec![
                command(&["elbv2", "delete-rule", "--rule-arn", rule]),
                command(&["cloudwatch", "delete-alarms", "--alarm-names", &alarm]),
                more(target("delete-scheduled-action"), &["--scheduled-action-name", "night"]),
                command(&["logs", "delete-log-group", "--log-group-name", "/ecs/prod-app-task"]),
            ],
            &[
                ("CreateLogGroup", 1),
                ("CreateRule", 1),
                ("PutMetricAlarm", 1),
                ("PutRetentionPolicy", 1),
                ("PutScheduledAction", 1),
            ],
        ),
        (
            "a scaling policy",
            vec![more(target("delete-scaling-policy"), &["--policy-name", "scale-out"])],
            &[("PutMetricAlarm", 1), ("PutScalingPolicy", 1)],
        ),
        (
            "the scalable target, and with it all of its policies and scheduled actions",
            vec![target("deregister-scalable-target")],
            &[("PutMetricAlarm", 2), ("PutScalingPolicy", 2), ("PutScheduledAction", 1), ("RegisterScalableTarget", 1)],
        ),
        (
            "a listener, and with it its rules",
            vec![command(&["elbv2", "delete-listener", "--listener-arn", listener])],
            &[("CreateListener", 1), ("CreateRule", 2)],
        ),
    ];
    for (what, commands, expected) in rounds {
        let written = stage.account.writes().len();
        stage.account.aws_all(&commands);
        let writes = stage.put_back(what, expected.iter().map(|(_, count)| count).sum(), written);
        assert_eq!(counts(&writes), expected.iter().copied().collect(), "{what}:\n{}", writes.text());
    }
    assert_quiet(&stage.account, &stage.daemon, super::QUIET_PASSES);
    // The same settings under other ARNs.
    let after = stage.everything();
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, before) in &before {
        assert_eq!(nameless(&after[name]), nameless(before), "{name}");
    }
    stage.daemon.stop();
}

/// Without ARNs and times, which a thing that is made again has anew.
fn nameless(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(name, _)| !name.to_lowercase().ends_with("creationtime"));
            kept.map(|(name, value)| (name.clone(), nameless(value))).collect()
        }
        Value::Array(items) => items.iter().map(nameless).collect(),
        Value::String(text) if text.starts_with("arn:") => json!("ARN"),
        other => other.clone(),
    }
}

#[test]
fn what_somebody_else_has_made_is_shown_and_left_alone() {
    let stage = with_schedule();
    let account = &stage.account;
    let ours = stage.everything();
    let certificate = "arn:aws:acm:us-east-1:620197346831:certificate/somebody-else";
    let listener = text(&ours["listener convergence-website:443"], "ListenerArn");
    let group = text(&ours["target group prod-api"], "TargetGroupArn");
    let target = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": format!("service/{}/prod-api", stage.cluster),
        "ScalableDimension": "ecs:service:DesiredCount",
    });
    let with = |more: Value| {
        let mut input = target.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let rule = |priority: u32, host: &str, action: Value| {
        let conditions = json!([{ "Field": "host-header", "HostHeaderConfig": { "Values": [host] } }]);
        let input =
            json!({ "ListenerArn": listener, "Priority": priority, "Conditions": conditions, "Actions": [action] });
        call("elbv2", "create-rule", &input)
    };
    // An alarm of git's, to which somebody has added what to notify.
    let scale_out = &ours[&format!("alarm {}-prod-api-scale-out", stage.cluster)];
    let mut notified = scale_out.clone();
    notified.as_object_mut().unwrap().remove("AlarmArn");
    notified["AlarmActions"].as_array_mut().unwrap().push(json!("arn:aws:sns:us-east-1:620197346831:oncall"));
    notified["OKActions"] = json!(["arn:aws:sns:us-east-1:620197346831:oncall"]);
    let elb_tags = |arn: &str| {
        call("elbv2", "add-tags", &json!({ "ResourceArns": [arn], "Tags": [{ "Key": "owner", "Value": "ana" }] }))
    };
    account.aws_all(&[
        rule(
            500,
            "theirs.example.com",
            json!({
                "Type": "fixed-response",
                "FixedResponseConfig": { "StatusCode": "200", "ContentType": "text/plain", "MessageBody": "theirs" },
            }),
        ),
        rule(501, "ours-too.example.com", json!({ "Type": "forward", "TargetGroupArn": group })),
        call(
            "application-autoscaling",
            "put-scaling-policy",
            &with(json!({
                "PolicyName": "theirs",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 70.0,
                    "PredefinedMetricSpecification": { "PredefinedMetricType": "ECSServiceAverageMemoryUtilization" },
                },
            })),
        ),
        call(
            "application-autoscaling",
            "put-scheduled-action",
            &with(json!({
                "ScheduledActionName": "theirs",
                "Schedule": "cron(0 5 * * ? *)",
                "ScalableTargetAction": { "MinCapacity": 2 },
            })),
        ),
        call(
            "cloudwatch",
            "put-metric-alarm",
            &json!({
                "AlarmName": "theirs",
                "Namespace": "AWS/ECS",
                "MetricName": "CPUUtilization",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 99.0,
                "ComparisonOperator": "GreaterThanThreshold",
            }),
        ),
        call("cloudwatch", "put-metric-alarm", &notified),
        call(
            "elbv2",
            "modify-target-group-attributes",
            &json!({
                "TargetGroupArn": group, "Attributes": [{ "Key": "stickiness.enabled", "Value": "true" }],
            }),
        ),
        call(
            "elbv2",
            "add-listener-certificates",
            &json!({
                "ListenerArn": listener, "Certificates": [{ "CertificateArn": certificate }],
            }),
        ),
        elb_tags(group),
        elb_tags(listener),
        elb_tags(text(&ours["rule convergence-website:443/10"], "RuleArn")),
        call(
            "cloudwatch",
            "tag-resource",
            &json!({
                "ResourceARN": scale_out["AlarmArn"], "Tags": [{ "Key": "owner", "Value": "ana" }],
            }),
        ),
        call(
            "servicediscovery",
            "tag-resource",
            &json!({
                "ResourceARN": ours["discovery prod-api"]["Arn"], "Tags": [{ "Key": "owner", "Value": "ana" }],
            }),
        ),
        call(
            "logs",
            "tag-resource",
            &json!({
                "resourceArn": ours["log group /ecs/prod-api-task"]["logGroupArn"], "tags": { "owner": "ana" },
            }),
        ),
        call(
            "application-autoscaling",
            "tag-resource",
            &json!({
                "ResourceARN": ours["scalable target prod-api"]["ScalableTargetARN"], "Tags": { "owner": "ana" },
            }),
        ),
    ]);
    let before = stage.everything();
    let tags_before = tags(account, &before);
    assert_eq!(before.len(), ours.len() + 5, "two rules, a policy, a scheduled action and an alarm of theirs");

    for (unit, note) in [
        ("prod-api", "rule 501 of listener convergence-website:443"),
        ("prod-api", "scaling.policies[theirs]"),
        ("prod-api", "scaling.schedules[theirs]"),
        ("prod-api", "targetGroups[prod-api].attributes[stickiness.enabled]"),
        ("prod-api", "scaling.policies[scale-out].alarm.okActions"),
    ] {
        stage.daemon.until(&format!("{note} is noted"), || stage.daemon.plan(unit)["notes"].to_string().contains(note));
    }
    assert!(stage.daemon.status().all("live"), "a note is no drift");
    assert_quiet(account, &stage.daemon, 20);
    let after = stage.everything();
    assert_eq!(after, before);
    assert_eq!(tags(account, &after), tags_before);
    stage.daemon.stop();
}

/// The priority of the rule for a host of a listener.
fn priority(stage_account: &Account, listener: &str, host: &str) -> String {
    let rules = stage_account.aws(&["elbv2", "describe-rules", "--listener-arn", listener]);
    let rules = rules["Rules"].as_array().unwrap();
    let of_host: Vec<&Value> = rules.iter().filter(|rule| rule["Conditions"].to_string().contains(host)).collect();
    let [rule] = of_host[..] else { panic!("not one rule for {host}: {rules:#?}") };
    text(rule, "Priority").to_owned()
}

/// Somebody else's rule.
fn their_rule(listener: &str, priority: u32) -> Vec<String> {
    let host = format!("theirs-{priority}.example.com");
    call(
        "elbv2",
        "create-rule",
        &json!({
            "ListenerArn": listener,
            "Priority": priority,
            "Conditions": [{ "Field": "host-header", "HostHeaderConfig": { "Values": [host] } }],
            "Actions": [{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } }],
        }),
    )
}

#[test]
fn a_rule_without_priority_is_given_one_and_keeps_it() {
    let stage = Stage::of("windingtree");
    let all = stage.everything();
    let listener = text(&all["listener shared-docker-cluster-t3-alb:443"], "ListenerArn");
    let ours = "demo.windingtree.com";
    assert_eq!(priority(&stage.account, listener, ours), "1");

    // Rules behind it move nothing.
    stage.account.aws_all(&[their_rule(listener, 2), their_rule(listener, 7)]);
    assert_quiet(&stage.account, &stage.daemon, 5);
    assert_eq!(priority(&stage.account, listener, ours), "1");

    // A certificate for their host is shown beside git's, which it leaves in its place.
    let theirs = "arn:aws:acm:eu-west-1:111122223333:certificate/theirs";
    let added = json!({ "ListenerArn": listener, "Certificates": [{ "CertificateArn": theirs }] });
    stage.account.aws_all(&[call("elbv2", "add-listener-certificates", &added)]);
    let noted = || stage.daemon.plan("(shared)")["notes"].to_string().contains(theirs);
    stage.daemon.until("their certificate is noted", noted);

    // Nor does a place that somebody has given it.
    let rule = text(&all["rule shared-docker-cluster-t3-alb:443/1"], "RuleArn");
    let pairs = json!({ "RulePriorities": [{ "RuleArn": rule, "Priority": 30 }] });
    stage.account.aws_all(&[call("elbv2", "set-rule-priorities", &pairs)]);
    assert_quiet(&stage.account, &stage.daemon, 5);
    assert_eq!(priority(&stage.account, listener, ours), "30");

    // Made again, it comes behind all others: nobody's traffic is taken.
    let written = stage.account.writes().len();
    stage.account.aws(&["elbv2", "delete-rule", "--rule-arn", rule]);
    let writes = stage.put_back("the rule", 1, written);
    assert_eq!(counts(&writes), BTreeMap::from([("CreateRule", 1)]), "{}", writes.text());
    assert_eq!(priority(&stage.account, listener, ours), "8");
    assert_quiet(&stage.account, &stage.daemon, super::QUIET_PASSES);
    stage.daemon.stop();
}

#[test]
fn two_rules_without_priority_that_are_made_at_once_get_different_ones() {
    let hosts = ["demo.windingtree.com", "second.windingtree.com", "third.windingtree.com"];
    let account = Account::simulated_example("windingtree");
    let repository = Repository::of_example_with("windingtree", |repository| {
        let first = repository.read("services/wt-demo-app.yaml");
        for (name, host) in [("second", hosts[1]), ("third", hosts[2])] {
            let text = first.replace(hosts[0], host);
            let text = text.replace("playground-wt-demo-app", &format!("playground-{name}"));
            repository.write(&format!("services/{name}.yaml"), &text);
        }
    });
    let daemon = Daemon::inside(&account, &repository);
    daemon.wait("everything is live", |status| status.all("live") && status.services().len() == 4);
    let writes = account.writes();
    assert_eq!(counts(&writes)["CreateRule"], 3, "{}", writes.text());
    let balancers = account.aws(&["elbv2", "describe-load-balancers"]);
    let balancer = text(&balancers["LoadBalancers"][0], "LoadBalancerArn").to_owned();
    let listeners = account.aws(&["elbv2", "describe-listeners", "--load-balancer-arn", &balancer]);
    let secure = listeners["Listeners"].as_array().unwrap().iter().find(|listener| listener["Port"] == 443).unwrap();
    let listener = text(secure, "ListenerArn");
    let mut priorities: Vec<String> = hosts.iter().map(|host| priority(&account, listener, host)).collect();
    priorities.sort();
    assert_eq!(priorities, ["1", "2", "3"]);
    assert_quiet(&account, &daemon, super::QUIET_PASSES);
    daemon.stop();
}
