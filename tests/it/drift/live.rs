//! All of an environment as AWS describes it, by what a person would call each thing.

use crate::support::Account;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What moves by itself: times, counts, what an alarm sees, and which alarms Application Auto Scaling made for itself.
const MOVING: &[&str] = &[
    "deployments",
    "events",
    "runningCount",
    "pendingCount",
    "currentServiceDeployment",
    "currentServiceRevisions",
    "AlarmConfigurationUpdatedTimestamp",
    "StateReason",
    "StateReasonData",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "StateValue",
    "Alarms",
    "InstanceCount",
];

/// Every thing by its name: `rule prod:443/10`, `alarm prod-api-scale-out`.
pub type Everything = BTreeMap<String, Value>;

/// One command of the AWS CLI.
pub fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Everything that an account holds, with these services of a cluster.
pub fn everything(account: &Account, cluster: &str, services: &[&str]) -> Everything {
    let scaling = |operation: &str| command(&["application-autoscaling", operation, "--service-namespace", "ecs"]);
    let mut describe = command(&["ecs", "describe-services", "--cluster", cluster, "--include", "TAGS", "--services"]);
    describe.extend(services.iter().map(|name| (*name).to_owned()));
    let first = account.aws_all(&[
        describe,
        command(&["elbv2", "describe-load-balancers"]),
        command(&["elbv2", "describe-target-groups"]),
        scaling("describe-scalable-targets"),
        scaling("describe-scaling-policies"),
        scaling("describe-scheduled-actions"),
        command(&["cloudwatch", "describe-alarms"]),
        command(&["servicediscovery", "list-services"]),
        command(&["logs", "describe-log-groups"]),
    ]);
    let [ecs, balancers, groups, targets, policies, schedules, alarms, discovery, logs] = &first[..] else {
        panic!("{first:?}")
    };
    let mut all = Everything::new();
    let mut add = |name: String, live: &Value| {
        let mut live = live.clone();
        live.as_object_mut().unwrap().retain(|field, _| !MOVING.contains(&field.as_str()));
        assert!(all.insert(name.clone(), live).is_none(), "two of {name}");
    };
    items(ecs, "services").for_each(|live| add(format!("service {}", text(live, "serviceName")), live));
    let service = |live: &Value| text(live, "ResourceId").rsplit('/').next().unwrap().to_owned();
    items(targets, "ScalableTargets").for_each(|live| add(format!("scalable target {}", service(live)), live));
    for live in items(policies, "ScalingPolicies") {
        add(format!("policy {}/{}", service(live), text(live, "PolicyName")), live);
    }
    for live in items(schedules, "ScheduledActions") {
        add(format!("schedule {}/{}", service(live), text(live, "ScheduledActionName")), live);
    }
    for live in items(alarms, "MetricAlarms").filter(|live| !text(live, "AlarmName").starts_with("TargetTracking-")) {
        add(format!("alarm {}", text(live, "AlarmName")), live);
    }
    items(discovery, "Services").for_each(|live| add(format!("discovery {}", text(live, "Name")), live));
    items(logs, "logGroups").for_each(|live| add(format!("log group {}", text(live, "logGroupName")), live));

    let (balancers, groups) = (list(balancers, "LoadBalancers"), list(groups, "TargetGroups"));
    let mut commands = Vec::new();
    for balancer in &balancers {
        let arn = text(balancer, "LoadBalancerArn");
        for operation in ["describe-load-balancer-attributes", "describe-listeners"] {
            commands.push(command(&["elbv2", operation, "--load-balancer-arn", arn]));
        }
    }
    for group in &groups {
        let arn = text(group, "TargetGroupArn");
        commands.push(command(&["elbv2", "describe-target-group-attributes", "--target-group-arn", arn]));
    }
    let mut answers = account.aws_all(&commands).into_iter();
    let mut listeners = Vec::new();
    for mut balancer in balancers {
        balancer["attributes"] = attributes(&answers.next().unwrap());
        let name = text(&balancer, "LoadBalancerName").to_owned();
        let found = list(&answers.next().unwrap(), "Listeners");
        listeners.extend(found.into_iter().map(|live| (format!("{name}:{}", live["Port"]), live)));
        add(format!("load balancer {name}"), &balancer);
    }
    for mut group in groups {
        group["attributes"] = attributes(&answers.next().unwrap());
        add(format!("target group {}", text(&group, "TargetGroupName")), &group);
    }

    let mut commands = Vec::new();
    for (_, listener) in &listeners {
        let arn = text(listener, "ListenerArn");
        for operation in ["describe-listener-attributes", "describe-listener-certificates", "describe-rules"] {
            commands.push(command(&["elbv2", operation, "--listener-arn", arn]));
        }
    }
    let mut answers = account.aws_all(&commands).into_iter();
    for (name, mut listener) in listeners {
        listener["attributes"] = attributes(&answers.next().unwrap());
        let certificates = list(&answers.next().unwrap(), "Certificates");
        // The default one first, as git says it.
        listener["Certificates"] =
            certificates.iter().map(|each| json!({ "CertificateArn": each["CertificateArn"] })).collect();
        for mut rule in list(&answers.next().unwrap(), "Rules") {
            if rule["IsDefault"] != true {
                rule["ListenerArn"] = listener["ListenerArn"].clone();
                add(format!("rule {name}/{}", text(&rule, "Priority")), &rule);
            }
        }
        add(format!("listener {name}"), &listener);
    }
    all
}

/// The tags of all of it that has any, by ARN.
pub fn tags(account: &Account, all: &Everything) -> Everything {
    let mut commands = Vec::new();
    for live in all.values() {
        for (field, words) in [
            ("TargetGroupArn", ["elbv2", "describe-tags", "--resource-arns"]),
            ("RuleArn", ["elbv2", "describe-tags", "--resource-arns"]),
            ("AlarmArn", ["cloudwatch", "list-tags-for-resource", "--resource-arn"]),
            ("ScalableTargetARN", ["application-autoscaling", "list-tags-for-resource", "--resource-arn"]),
            ("Arn", ["servicediscovery", "list-tags-for-resource", "--resource-arn"]),
            ("logGroupArn", ["logs", "list-tags-for-resource", "--resource-arn"]),
        ] {
            if let Some(arn) = live[field].as_str() {
                commands.push(command(&[words[0], words[1], words[2], arn]));
            }
        }
    }
    let answers = account.aws_all(&commands);
    commands.into_iter().map(|words| words[3].clone()).zip(answers).collect()
}

/// Keys and values of DescribeAttributes as one mapping, as git says them.
fn attributes(answer: &Value) -> Value {
    let all = list(answer, "Attributes");
    Value::Object(all.iter().map(|each| (text(each, "Key").to_owned(), each["Value"].clone())).collect::<Map<_, _>>())
}

fn items<'a>(answer: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    answer[field].as_array().into_iter().flatten()
}

fn list(answer: &Value, field: &str) -> Vec<Value> {
    items(answer, field).cloned().collect()
}

/// The text of a field that has to be there.
#[track_caller]
pub fn text<'a>(live: &'a Value, field: &str) -> &'a str {
    live[field].as_str().unwrap_or_else(|| panic!("no {field} in {live}"))
}
