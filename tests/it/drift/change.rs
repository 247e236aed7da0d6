//! What somebody else can do to a declared setting, and which call puts it back.

use super::live::{Everything, command, text};
use crate::support::Entry;
use serde_json::{Map, Value, json};

/// A kind of thing, as the sections of `driftless render` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Service,
    TargetGroup,
    Rule,
    Balancer,
    Listener,
    Target,
    Policy,
    Alarm,
    Schedule,
    Discovery,
    Logs,
}

use Kind::{Alarm, Balancer, Discovery, Listener, Logs, Policy, Rule, Schedule, Service, Target, TargetGroup};

/// What is made in the place of a live value.
type Other = fn(&Value) -> Value;

/// A setting that can be changed from outside.
pub struct Row {
    pub kind: Kind,
    /// From the thing's document. `/attributes/` stands for all of them.
    pub at: &'static str,
    /// The operation that puts it back.
    pub by: &'static str,
    /// The fields of its input; empty where the call replaces the thing, and all of it is sent.
    pub sent: &'static [&'static str],
    other: Other,
}

const fn row(
    kind: Kind,
    at: &'static str,
    by: &'static str,
    sent: &'static [&'static str],
    other: fn(&Value) -> Value,
) -> Row {
    Row { kind, at, by, sent, other }
}

/// Every setting of the examples that AWS lets somebody change.
pub const ROWS: &[Row] = &[
    row(Service, "/availabilityZoneRebalancing", UPDATE, &["availabilityZoneRebalancing", CLUSTER, SERVICE], toggled),
    row(Service, "/deploymentConfiguration/bakeTimeInMinutes", UPDATE, DEPLOYMENT, next),
    row(Service, "/deploymentConfiguration/deploymentCircuitBreaker/enable", UPDATE, DEPLOYMENT, not),
    row(Service, "/deploymentConfiguration/deploymentCircuitBreaker/rollback", UPDATE, DEPLOYMENT, not),
    row(Service, "/deploymentConfiguration/lifecycleHooks", UPDATE, DEPLOYMENT, |hooks| {
        let mut hooks = hooks.clone();
        hooks[0]["timeoutConfiguration"]["timeoutInMinutes"] = json!(5);
        hooks
    }),
    row(Service, "/deploymentConfiguration/maximumPercent", UPDATE, DEPLOYMENT, |_| json!(150)),
    row(Service, "/deploymentConfiguration/minimumHealthyPercent", UPDATE, DEPLOYMENT, |_| json!(50)),
    row(Service, "/deploymentConfiguration/strategy", UPDATE, DEPLOYMENT, |_| json!("ROLLING")),
    row(Service, "/desiredCount", UPDATE, &[CLUSTER, "desiredCount", SERVICE], next),
    row(Service, "/healthCheckGracePeriodSeconds", UPDATE, &[CLUSTER, "healthCheckGracePeriodSeconds", SERVICE], next),
    row(Service, "/loadBalancers", UPDATE, &[CLUSTER, "loadBalancers", SERVICE], none),
    row(Service, "/networkConfiguration/awsvpcConfiguration/assignPublicIp", UPDATE, NETWORK, toggled),
    row(Service, "/networkConfiguration/awsvpcConfiguration/securityGroups", UPDATE, NETWORK, |groups| {
        groups.as_array().unwrap().iter().cloned().chain([json!("sg-0fedcba9876543210")]).collect()
    }),
    row(Service, "/networkConfiguration/awsvpcConfiguration/subnets", UPDATE, NETWORK, |subnets| json!([subnets[0]])),
    row(Service, "/placementStrategy", UPDATE, &[CLUSTER, "placementStrategy", SERVICE], |strategy| {
        strategy.as_array().unwrap().iter().rev().cloned().collect()
    }),
    row(Service, "/platformVersion", UPDATE, &[CLUSTER, "platformVersion", SERVICE], |_| json!("1.3.0")),
    row(Service, "/serviceRegistries", UPDATE, &[CLUSTER, SERVICE, "serviceRegistries"], none),
    row(TargetGroup, "/HealthCheckPath", MODIFY_GROUP, &["HealthCheckPath", GROUP], |_| json!("/elsewhere")),
    row(TargetGroup, "/HealthCheckIntervalSeconds", MODIFY_GROUP, &["HealthCheckIntervalSeconds", GROUP], next),
    row(TargetGroup, "/HealthCheckTimeoutSeconds", MODIFY_GROUP, &["HealthCheckTimeoutSeconds", GROUP], next),
    row(TargetGroup, "/HealthyThresholdCount", MODIFY_GROUP, &["HealthyThresholdCount", GROUP], next),
    row(TargetGroup, "/UnhealthyThresholdCount", MODIFY_GROUP, &[GROUP, "UnhealthyThresholdCount"], next),
    row(TargetGroup, "/Matcher/HttpCode", MODIFY_GROUP, &["Matcher", GROUP], |_| json!("204")),
    row(TargetGroup, "/attributes/", "ModifyTargetGroupAttributes", &["Attributes", GROUP], attribute),
    row(Rule, "/Priority", "SetRulePriorities", &["RulePriorities"], |_| json!(4321)),
    row(
        Rule,
        "/Conditions",
        "ModifyRule",
        &["Conditions", "RuleArn"],
        |_| json!([{ "Field": "host-header", "HostHeaderConfig": { "Values": ["somebody.else.example.com"] } }]),
    ),
    row(Rule, "/Actions", "ModifyRule", &["Actions", "RuleArn"], closed),
    row(Balancer, "/attributes/", "ModifyLoadBalancerAttributes", &["Attributes", "LoadBalancerArn"], attribute),
    row(Listener, "/Protocol", MODIFY_LISTENER, &[], |protocol| match protocol.as_str() {
        Some("HTTPS") => json!("HTTP"),
        _ => json!("HTTPS"),
    }),
    row(Listener, "/SslPolicy", MODIFY_LISTENER, &[LISTENER, "SslPolicy"], |_| json!("ELBSecurityPolicy-2016-08")),
    // The default one. The walk puts a certificate of its own in the place of this text.
    row(Listener, "/Certificates", MODIFY_LISTENER, &["Certificates", LISTENER], |_| json!("CERTIFICATE")),
    // One of those beside it.
    row(Listener, "/Certificates/1", "AddListenerCertificates", &["Certificates", LISTENER], none),
    row(Listener, "/DefaultActions", MODIFY_LISTENER, &["DefaultActions", LISTENER], closed),
    row(Listener, "/attributes/", "ModifyListenerAttributes", &["Attributes", LISTENER], attribute),
    row(Target, "/MinCapacity", "RegisterScalableTarget", RANGE, |min| json!(min.as_i64().unwrap() - 1)),
    row(Target, "/MaxCapacity", "RegisterScalableTarget", RANGE, next),
    // With it goes the configuration: `outside` takes another one.
    row(Policy, "/PolicyType", PUT_POLICY, &[], |_| Value::Null),
    row(Policy, "/StepScalingPolicyConfiguration/AdjustmentType", PUT_POLICY, &[], |_| {
        json!("PercentChangeInCapacity")
    }),
    row(Policy, "/StepScalingPolicyConfiguration/Cooldown", PUT_POLICY, &[], next),
    row(Policy, "/StepScalingPolicyConfiguration/MetricAggregationType", PUT_POLICY, &[], |_| json!("Maximum")),
    row(Policy, "/StepScalingPolicyConfiguration/StepAdjustments", PUT_POLICY, &[], |steps| {
        let mut steps = steps.clone();
        let by = &mut steps[0]["ScalingAdjustment"];
        *by = json!(by.as_i64().unwrap() * 2);
        steps
    }),
    row(Policy, "/TargetTrackingScalingPolicyConfiguration/TargetValue", PUT_POLICY, &[], |_| json!(75.0)),
    row(
        Policy,
        "/TargetTrackingScalingPolicyConfiguration/PredefinedMetricSpecification/PredefinedMetricType",
        PUT_POLICY,
        &[],
        |_| json!("ECSServiceAverageMemoryUtilization"),
    ),
    row(Policy, "/TargetTrackingScalingPolicyConfiguration/ScaleInCooldown", PUT_POLICY, &[], next),
    row(Policy, "/TargetTrackingScalingPolicyConfiguration/ScaleOutCooldown", PUT_POLICY, &[], next),
    row(Alarm, "/Namespace", PUT_ALARM, &[], |_| json!("Theirs")),
    row(Alarm, "/MetricName", PUT_ALARM, &[], |_| json!("MemoryUtilization")),
    row(Alarm, "/Statistic", PUT_ALARM, &[], |_| json!("Maximum")),
    row(Alarm, "/Period", PUT_ALARM, &[], |_| json!(120)),
    row(Alarm, "/EvaluationPeriods", PUT_ALARM, &[], next),
    row(Alarm, "/DatapointsToAlarm", PUT_ALARM, &[], |_| json!(1)),
    row(Alarm, "/Threshold", PUT_ALARM, &[], |_| json!(61.5)),
    row(Alarm, "/ComparisonOperator", PUT_ALARM, &[], |_| json!("GreaterThanThreshold")),
    row(Alarm, "/Dimensions", PUT_ALARM, &[], |dimensions| json!([dimensions[0]])),
    row(Alarm, "/AlarmActions", PUT_ALARM, &[], none),
    row(Schedule, "/Schedule", PUT_SCHEDULE, &[], |_| json!("cron(30 1 * * ? *)")),
    row(Schedule, "/Timezone", PUT_SCHEDULE, &[], |_| json!("America/New_York")),
    row(Schedule, "/ScalableTargetAction/MinCapacity", PUT_SCHEDULE, &[], next),
    row(Schedule, "/ScalableTargetAction/MaxCapacity", PUT_SCHEDULE, &[], next),
    row(Discovery, "/DnsConfig/DnsRecords", "UpdateService", &["Id", "Service"], |records| {
        let mut records = records.clone();
        records[0]["TTL"] = json!(77);
        records
    }),
    row(Discovery, "/Description", "UpdateService", &["Id", "Service"], |_| json!("somebody else's")),
    row(Logs, "/retentionInDays", "PutRetentionPolicy", &["logGroupName", "retentionInDays"], |_| json!(7)),
];

const UPDATE: &str = "UpdateService";
const CLUSTER: &str = "cluster";
const SERVICE: &str = "service";
const DEPLOYMENT: &[&str] = &[CLUSTER, "deploymentConfiguration", SERVICE];
const NETWORK: &[&str] = &[CLUSTER, "networkConfiguration", SERVICE];
const MODIFY_GROUP: &str = "ModifyTargetGroup";
const GROUP: &str = "TargetGroupArn";
const MODIFY_LISTENER: &str = "ModifyListener";
const LISTENER: &str = "ListenerArn";
const PUT_POLICY: &str = "PutScalingPolicy";
const PUT_ALARM: &str = "PutMetricAlarm";
const PUT_SCHEDULE: &str = "PutScheduledAction";
const RANGE: &[&str] = &["MaxCapacity", "MinCapacity", "ResourceId", "ScalableDimension", "ServiceNamespace"];

/// Settings of the examples that nobody can change in what is there, and why.
pub const FIXED: &[(Kind, &str, &str)] = &[
    (Service, "/launchType", "UpdateService has no such member"),
    (TargetGroup, "/Name", "identity"),
    (TargetGroup, "/Protocol", "ModifyTargetGroup has no such member: another one is another group"),
    (TargetGroup, "/Port", "ModifyTargetGroup has no such member: another one is another group"),
    (TargetGroup, "/TargetType", "ModifyTargetGroup has no such member: another one is another group"),
    (TargetGroup, "/VpcId", "ModifyTargetGroup has no such member: another one is another group"),
    (Rule, "/ListenerArn", "identity: a rule never leaves its listener"),
    (Listener, "/LoadBalancerArn", "identity: a listener never leaves its load balancer"),
    (Listener, "/Port", "identity: with another one it is another listener, and the declared one is gone"),
    (Target, "/ServiceNamespace", "identity"),
    (Target, "/ResourceId", "identity"),
    (Target, "/ScalableDimension", "identity"),
    (Policy, "/PolicyName", "identity"),
    (Policy, "/ServiceNamespace", "identity"),
    (Policy, "/ResourceId", "identity"),
    (Policy, "/ScalableDimension", "identity"),
    (Alarm, "/AlarmName", "identity"),
    (Schedule, "/ScheduledActionName", "identity"),
    (Schedule, "/ServiceNamespace", "identity"),
    (Schedule, "/ResourceId", "identity"),
    (Schedule, "/ScalableDimension", "identity"),
    (Discovery, "/Name", "identity"),
    (Discovery, "/DnsConfig/RoutingPolicy", "Cloud Map's UpdateService has no such member"),
    (Discovery, "/HealthCheckCustomConfig/FailureThreshold", "Cloud Map's UpdateService has no such member"),
];

fn next(value: &Value) -> Value {
    json!(value.as_i64().unwrap() + 1)
}

fn not(value: &Value) -> Value {
    json!(!value.as_bool().unwrap())
}

fn none(_: &Value) -> Value {
    json!([])
}

fn toggled(value: &Value) -> Value {
    json!(if value == "ENABLED" { "DISABLED" } else { "ENABLED" })
}

/// Attributes are texts, and those of the examples are numbers and switches.
fn attribute(value: &Value) -> Value {
    match value.as_str().unwrap() {
        "true" => json!("false"),
        "false" => json!("true"),
        number => json!((number.parse::<i64>().unwrap() + 1).to_string()),
    }
}

fn closed(_: &Value) -> Value {
    json!([{
        "Type": "fixed-response",
        "FixedResponseConfig": { "StatusCode": "503", "ContentType": "text/plain", "MessageBody": "Somebody else's" },
    }])
}

/// The kind of a section; `None` for a task definition, in which nobody can change anything: a revision from outside is a
/// test of its own.
pub fn kind_of(section: &str) -> Option<Kind> {
    let kind = section.split('[').next().unwrap();
    Some(match kind {
        "taskDefinition" => return None,
        "service" => Service,
        "targetGroups" => TargetGroup,
        "rules" => Rule,
        "loadBalancers" if section.contains("][") => Listener,
        "loadBalancers" => Balancer,
        "scaling" => Target,
        "scaling.policies" if section.ends_with(".alarm") => Alarm,
        "scaling.policies" => Policy,
        "scaling.schedules" => Schedule,
        "discovery" => Discovery,
        "logs" => Logs,
        _ => panic!("{section} is new: say here what it is"),
    })
}

/// What a section declares, as [`Everything`] names it.
pub fn name_of(kind: Kind, unit: &str, section: &str, declared: &Value, all: &Everything) -> String {
    let inner: Vec<&str> = section.split(['[', ']']).collect();
    let inner = |at: usize| inner.get(at).copied().unwrap_or_default();
    match kind {
        Service => format!("service {unit}"),
        TargetGroup => format!("target group {}", inner(1)),
        Balancer => format!("load balancer {}", inner(1)),
        Listener => format!("listener {}:{}", inner(1), inner(3)),
        Target => format!("scalable target {unit}"),
        Policy => format!("policy {unit}/{}", inner(1)),
        Alarm => format!("alarm {}", text(declared, "AlarmName")),
        Schedule => format!("schedule {unit}/{}", inner(1)),
        Discovery => format!("discovery {}", text(declared, "Name")),
        Logs => format!("log group {}", inner(1)),
        Rule => {
            let listener = inner(1).rsplit_once('/').unwrap().0;
            let hosts = "/Conditions/0/HostHeaderConfig/Values";
            let is_it = |(name, live): &(&String, &Value)| {
                name.starts_with(&format!("rule {listener}/")) && live.pointer(hosts) == declared.pointer(hosts)
            };
            all.iter().find(is_it).unwrap_or_else(|| panic!("{section} is not in {all:#?}")).0.clone()
        }
    }
}

/// What names a live thing in the input of an update.
pub fn identity(kind: Kind, live: &Value) -> &str {
    text(
        live,
        match kind {
            Service => "serviceName",
            TargetGroup => GROUP,
            Rule => "RuleArn",
            Balancer => "LoadBalancerArn",
            Listener => LISTENER,
            Target => "ResourceId",
            Policy => "PolicyName",
            Alarm => "AlarmName",
            Schedule => "ScheduledActionName",
            Discovery => "Id",
            Logs => "logGroupName",
        },
    )
}

/// The call by which driftless has made a live thing: what it puts back is what it made. `None` for attributes and load
/// balancers, whose declaration says all.
pub fn made<'w>(kind: Kind, live: &Value, writes: &'w [Entry]) -> Option<&'w Entry> {
    let (service, operation, same_of): (&str, &str, &[(&str, &str)]) = match kind {
        Service => ("ecs", "CreateService", &[("serviceName", "serviceName")]),
        TargetGroup => ("elasticloadbalancing", "CreateTargetGroup", &[("Name", "TargetGroupName")]),
        Rule => ("elasticloadbalancing", "CreateRule", &[("ListenerArn", LISTENER), ("Priority", "Priority")]),
        Listener => {
            ("elasticloadbalancing", "CreateListener", &[("LoadBalancerArn", "LoadBalancerArn"), ("Port", "Port")])
        }
        Balancer => return None,
        Target => ("application-autoscaling", "RegisterScalableTarget", &[("ResourceId", "ResourceId")]),
        Policy => {
            ("application-autoscaling", PUT_POLICY, &[("ResourceId", "ResourceId"), ("PolicyName", "PolicyName")])
        }
        Schedule => ("application-autoscaling", PUT_SCHEDULE, &[("ScheduledActionName", "ScheduledActionName")]),
        Alarm => ("monitoring", PUT_ALARM, &[("AlarmName", "AlarmName")]),
        Discovery => ("servicediscovery", "CreateService", &[("Name", "Name")]),
        Logs => ("logs", "PutRetentionPolicy", &[("logGroupName", "logGroupName")]),
    };
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    writes.iter().find(|write| {
        let same = |(input, output): &(&str, &str)| plain(&write.input[*input]) == plain(&live[*output]);
        write.service == service && write.operation == operation && same_of.iter().all(same)
    })
}

/// Another value for the setting of `row` that lies at `at`, as a command of the AWS CLI.
pub fn outside(row: &Row, at: &str, live: &Value, cluster: &str, certificate: &str) -> Vec<String> {
    let id = identity(row.kind, live);
    let key = at.strip_prefix("/attributes/");
    let other = |at: &str| match (row.other)(live.pointer(at).unwrap_or(&Value::Null)) {
        Value::String(text) if text == "CERTIFICATE" => json!([{ "CertificateArn": certificate }]),
        other => other,
    };
    let elb = |operation: &str, input: Value| call("elbv2", operation, &input);
    // The member of the call that the setting is in, with nothing else changed.
    let top = at.split('/').nth(1).unwrap();
    let changed = |with: &[(&str, &str)]| {
        let mut input = json!({ top: live[top] });
        *input.pointer_mut(at).unwrap_or_else(|| panic!("{at} is not in {live:#}")) = other(at);
        with.iter().for_each(|(field, value)| input[*field] = json!(value));
        input
    };
    if let Some(key) = key {
        let attributes = json!([{ "Key": key, "Value": (row.other)(&live["attributes"][key]) }]);
        let (operation, arn) = match row.kind {
            TargetGroup => ("modify-target-group-attributes", GROUP),
            Balancer => ("modify-load-balancer-attributes", "LoadBalancerArn"),
            _ => ("modify-listener-attributes", LISTENER),
        };
        return elb(operation, json!({ arn: id, "Attributes": attributes }));
    }
    match row.kind {
        Service => call("ecs", "update-service", &changed(&[(CLUSTER, cluster), (SERVICE, id)])),
        TargetGroup => elb("modify-target-group", changed(&[(GROUP, id)])),
        Rule if top == "Priority" => {
            elb("set-rule-priorities", json!({ "RulePriorities": [{ "RuleArn": id, "Priority": other(at) }] }))
        }
        Rule => elb("modify-rule", changed(&[("RuleArn", id)])),
        Balancer => panic!("{at}"),
        Listener if at == "/Certificates/1" => {
            elb("remove-listener-certificates", json!({ LISTENER: id, "Certificates": [live.pointer(at)] }))
        }
        Listener => {
            let mut input = changed(&[(LISTENER, id)]);
            if input["Protocol"] == "HTTPS" {
                input["SslPolicy"] = json!("ELBSecurityPolicy-2016-08");
                input["Certificates"] = json!([{ "CertificateArn": certificate }]);
            }
            elb("modify-listener", input)
        }
        Target => {
            let mut input = only(live, &["ServiceNamespace", "ResourceId", "ScalableDimension"]);
            input[top] = other(at);
            call("application-autoscaling", "register-scalable-target", &input)
        }
        Policy => call("application-autoscaling", "put-scaling-policy", &other_policy(row, at, live)),
        Schedule => {
            let members = &[TARGET, &["ScheduledActionName", "Schedule", "Timezone", "ScalableTargetAction"]].concat();
            call("application-autoscaling", "put-scheduled-action", &with(live, members, at, other(at)))
        }
        Alarm => call("cloudwatch", "put-metric-alarm", &with(live, ALARM, at, other(at))),
        Discovery => {
            let mut service = with(live, &["Description", "DnsConfig"], at, other(at));
            service["DnsConfig"] = only(&service["DnsConfig"], &["DnsRecords"]);
            call("servicediscovery", "update-service", &json!({ "Id": id, "Service": service }))
        }
        Logs => call("logs", "put-retention-policy", &changed(&[("logGroupName", id)])),
    }
}

const TARGET: &[&str] = &["ServiceNamespace", "ResourceId", "ScalableDimension"];
const ALARM: &[&str] = &[
    "AlarmName",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "Dimensions",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
];

fn other_policy(row: &Row, at: &str, live: &Value) -> Value {
    let mut input = only(live, &[TARGET, &["PolicyName"]].concat());
    if at == "/PolicyType" {
        if live["PolicyType"] == "StepScaling" {
            input["PolicyType"] = json!("TargetTrackingScaling");
            input["TargetTrackingScalingPolicyConfiguration"] = json!({
                "TargetValue": 50.0,
                "PredefinedMetricSpecification": { "PredefinedMetricType": "ECSServiceAverageCPUUtilization" },
            });
        } else {
            input["PolicyType"] = json!("StepScaling");
            input["StepScalingPolicyConfiguration"] = json!({
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{ "MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1 }],
            });
        }
        return input;
    }
    let top = at.split('/').nth(1).unwrap();
    input["PolicyType"] = live["PolicyType"].clone();
    input[top] = live[top].clone();
    let value = input.pointer_mut(at).unwrap_or_else(|| panic!("{at} is not in {live:#}"));
    *value = (row.other)(value);
    input
}

fn only(live: &Value, members: &[&str]) -> Value {
    let all = live.as_object().into_iter().flatten().filter(|(name, _)| members.contains(&name.as_str()));
    Value::Object(all.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

fn with(live: &Value, members: &[&str], at: &str, other: Value) -> Value {
    let mut input = only(live, members);
    *input.pointer_mut(at).unwrap_or_else(|| panic!("{at} is not in {live:#}")) = other;
    input
}

/// A command with the whole input.
pub fn call(service: &str, operation: &str, input: &Value) -> Vec<String> {
    command(&[service, operation, "--cli-input-json", &input.to_string()])
}
