//! AWS's documented examples, those of botocore and of the AWS CLI: they load, and an input equals its documented
//! answer.
//!
//! `tests/emulator/documented_examples.py` reads both packages; nothing is called. What AWS's documents have wrong, and
//! what they show beside each other although one is not the answer to the other, is listed here with the reason; a row
//! that is not needed any more fails.

use super::cases;
use aws_sdk_applicationautoscaling as autoscaling;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_ecs as ecs;
use aws_sdk_elasticloadbalancingv2 as elbv2;
use aws_sdk_servicediscovery as discovery;
use driftless::aws::live;
use driftless::aws::tables::shapes;
use driftless::aws::wire::{Wire, decode, encode};
use driftless::core::desired::Declared;
use driftless::core::diff::{Differences, Managed, diff};
use driftless::core::document::Node;
use driftless::core::document::check::check;
use driftless::core::document::read::read;
use driftless::core::id::{Kind, RepoPath, ServiceName};
use driftless::core::shape::Shape;
use driftless::kind::{
    self, alarm, listener, rule, scalable_target, scaling_policy, scheduled_action, service, target_group,
    task_definition,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

#[derive(Debug, Deserialize)]
pub(super) struct Documents {
    counts: Value,
    examples: Vec<Example>,
    skipped: Vec<Value>,
    without: Vec<Value>,
    /// Service and operation -> the paths of all inputs, from botocore's model.
    pub(super) leaves: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Example {
    source: String,
    service: String,
    operation: String,
    title: String,
    input: Option<Value>,
    output: Option<Value>,
    repairs: Vec<String>,
}

impl Example {
    fn operation(&self) -> (&str, &str) {
        (&self.service, &self.operation)
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, service, operation, title, .. } = self;
        write!(f, "{source} {service} {operation}: {title}")
    }
}

/// Everything that the two packages document, read once.
pub(super) fn documents() -> &'static Documents {
    static DOCUMENTS: OnceLock<Documents> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/documented_examples.py");
        let output = Command::new(script).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    })
}

/// Compares what is wrong with what is known to be. Each row of `known` is the beginning of a finding and the reason.
#[track_caller]
pub(super) fn only_known(known: &[(&str, &str)], found: &[String]) {
    let is = |finding: &String, (beginning, _): &(&str, &str)| finding.starts_with(beginning);
    let new: Vec<_> = found.iter().filter(|finding| !known.iter().any(|row| is(finding, row))).collect();
    let gone: Vec<_> = known.iter().filter(|row| !found.iter().any(|finding| is(finding, row))).collect();
    assert!(new.is_empty() && gone.is_empty(), "new: {new:#?}\nnot found any more, take the rows out: {gone:#?}");
}

#[test]
fn everything_in_the_documents_is_read() {
    let Documents { counts, examples, skipped, without, leaves: _ } = documents();
    println!("{counts}");
    for example in examples.iter().filter(|example| !example.repairs.is_empty()) {
        println!("mended: {example}: {}", example.repairs.join(", "));
    }
    for operation in without {
        println!("no example: {operation}");
    }
    assert_eq!(*skipped, Vec::<Value>::new());
    assert_eq!(without.len(), 4, "botocore has no examples of alarms and scheduled actions");
    assert!(examples.len() >= 89, "only {} examples", examples.len());
}

/// An SDK type: its shape, and reading a document into it.
#[derive(Clone, Copy)]
struct Type {
    shape: fn() -> Shape,
    load: fn(&Value) -> Result<Value, String>,
}

/// Reads into the SDK's type, and gives what it holds.
fn load<T: Wire>(document: &Value) -> Result<Value, String> {
    match decode::<T>(document) {
        Ok(typed) => Ok(encode(&typed)),
        Err(mismatches) => Err(mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

impl Type {
    const fn of<T: Wire>() -> Self {
        Self { shape: T::shape, load: load::<T> }
    }
}

/// The input of an operation.
fn input_type(operation: (&str, &str)) -> Option<Type> {
    Some(match operation {
        ("ecs", "RegisterTaskDefinition") => {
            Type::of::<ecs::operation::register_task_definition::RegisterTaskDefinitionInput>()
        }
        ("ecs", "CreateService") => Type::of::<ecs::operation::create_service::CreateServiceInput>(),
        ("ecs", "UpdateService") => Type::of::<ecs::operation::update_service::UpdateServiceInput>(),
        ("elbv2", "CreateTargetGroup") => Type::of::<elbv2::operation::create_target_group::CreateTargetGroupInput>(),
        ("elbv2", "ModifyTargetGroup") => Type::of::<elbv2::operation::modify_target_group::ModifyTargetGroupInput>(),
        ("elbv2", "ModifyTargetGroupAttributes") => {
            Type::of::<elbv2::operation::modify_target_group_attributes::ModifyTargetGroupAttributesInput>()
        }
        ("elbv2", "CreateRule") => Type::of::<elbv2::operation::create_rule::CreateRuleInput>(),
        ("elbv2", "ModifyRule") => Type::of::<elbv2::operation::modify_rule::ModifyRuleInput>(),
        ("elbv2", "SetRulePriorities") => Type::of::<elbv2::operation::set_rule_priorities::SetRulePrioritiesInput>(),
        ("elbv2", "CreateListener") => Type::of::<elbv2::operation::create_listener::CreateListenerInput>(),
        ("elbv2", "ModifyListener") => Type::of::<elbv2::operation::modify_listener::ModifyListenerInput>(),
        ("application-autoscaling", "RegisterScalableTarget") => {
            Type::of::<autoscaling::operation::register_scalable_target::RegisterScalableTargetInput>()
        }
        ("application-autoscaling", "PutScalingPolicy") => {
            Type::of::<autoscaling::operation::put_scaling_policy::PutScalingPolicyInput>()
        }
        ("application-autoscaling", "PutScheduledAction") => {
            Type::of::<autoscaling::operation::put_scheduled_action::PutScheduledActionInput>()
        }
        ("cloudwatch", "PutMetricAlarm") => Type::of::<cloudwatch::operation::put_metric_alarm::PutMetricAlarmInput>(),
        ("servicediscovery", "CreateService") => Type::of::<discovery::operation::create_service::CreateServiceInput>(),
        ("servicediscovery", "UpdateService") => Type::of::<discovery::operation::update_service::UpdateServiceInput>(),
        // What is asked for is written in code, not in documents.
        (_, operation) if operation.starts_with("Describe") || operation.starts_with("Get") => return None,
        (service, operation) => panic!("{service} {operation} has no row"),
    })
}

/// The resources in the answer of an operation: where they are, and what they are.
fn answer_type(operation: (&str, &str)) -> Option<(&'static str, Type)> {
    Some(match operation {
        ("ecs", "RegisterTaskDefinition" | "DescribeTaskDefinition") => {
            ("taskDefinition", Type::of::<ecs::types::TaskDefinition>())
        }
        ("ecs", "CreateService" | "UpdateService") => ("service", Type::of::<ecs::types::Service>()),
        ("ecs", "DescribeServices") => ("services", Type::of::<ecs::types::Service>()),
        ("elbv2", "CreateTargetGroup" | "ModifyTargetGroup" | "DescribeTargetGroups") => {
            ("TargetGroups", Type::of::<elbv2::types::TargetGroup>())
        }
        ("elbv2", "ModifyTargetGroupAttributes" | "DescribeTargetGroupAttributes") => {
            ("Attributes", Type::of::<elbv2::types::TargetGroupAttribute>())
        }
        ("elbv2", "CreateRule" | "ModifyRule" | "DescribeRules" | "SetRulePriorities") => {
            ("Rules", Type::of::<elbv2::types::Rule>())
        }
        ("elbv2", "CreateListener" | "ModifyListener" | "DescribeListeners") => {
            ("Listeners", Type::of::<elbv2::types::Listener>())
        }
        ("application-autoscaling", "DescribeScalableTargets") => {
            ("ScalableTargets", Type::of::<autoscaling::types::ScalableTarget>())
        }
        ("application-autoscaling", "DescribeScalingPolicies") => {
            ("ScalingPolicies", Type::of::<autoscaling::types::ScalingPolicy>())
        }
        ("application-autoscaling", "PutScalingPolicy") => ("Alarms", Type::of::<autoscaling::types::Alarm>()),
        ("application-autoscaling", "DescribeScheduledActions") => {
            ("ScheduledActions", Type::of::<autoscaling::types::ScheduledAction>())
        }
        ("cloudwatch", "DescribeAlarms") => ("MetricAlarms", Type::of::<cloudwatch::types::MetricAlarm>()),
        ("servicediscovery", "CreateService" | "GetService") => ("Service", Type::of::<discovery::types::Service>()),
        // These answer an id or nothing.
        ("application-autoscaling", "RegisterScalableTarget" | "PutScheduledAction") => return None,
        ("servicediscovery", "UpdateService") | ("cloudwatch", "PutMetricAlarm") => return None,
        (service, operation) => panic!("{service} {operation} has no row"),
    })
}

/// What the strict reader makes of a document, as if it was a file.
fn checked(document: &Value, shape: Shape) -> Result<Node, String> {
    let text = serde_json::to_string_pretty(document).unwrap();
    let node = read(&RepoPath::new("example.json"), &text).map_err(|problem| problem.to_string())?;
    let mut problems = Vec::new();
    let node = check(&node, shape, &mut problems);
    if problems.is_empty() { Ok(node) } else { Err(problems.iter().map(ToString::to_string).collect()) }
}

/// The same document with the first letter, or the first word, of every field in the other case: `TTL` and `ttl`.
pub(super) fn respelt(document: &Value, shape: Shape) -> Value {
    match (shape, document) {
        (Shape::Struct { .. } | Shape::Union { .. }, Value::Object(map)) => {
            let respelt = map.iter().map(|(key, value)| match shape.field(key) {
                Some(field) => (other_case(key), respelt(value, (field.shape)())),
                None => (key.clone(), value.clone()),
            });
            Value::Object(respelt.collect())
        }
        (Shape::List(element), Value::Array(items)) => items.iter().map(|item| respelt(item, element())).collect(),
        (Shape::Map(value), Value::Object(map)) => {
            Value::Object(map.iter().map(|(key, item)| (key.clone(), respelt(item, value()))).collect())
        }
        (_, document) => document.clone(),
    }
}

fn other_case(key: &str) -> String {
    let capitals = key.chars().take_while(char::is_ascii_uppercase).count();
    let first = match capitals {
        0 => return key[..1].to_uppercase() + &key[1..],
        all if all == key.len() => all,
        run => run.saturating_sub(1).max(1),
    };
    key[..first].to_lowercase() + &key[first..]
}

/// Whether two documents are the same; `70` is `70.0`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

/// A document through everything that a file goes through, in both spellings, into the SDK's type.
fn loaded(document: &Value, of: Type) -> Result<Value, String> {
    let shape = (of.shape)();
    let node = checked(document, shape)?;
    let other = checked(&respelt(document, shape), shape)?;
    if node.to_value() != other.to_value() {
        return Err(format!("differs in the other spelling: {}", other.to_value()));
    }
    if node.to_value() != *document {
        return Err(format!("read as {}", node.to_value()));
    }
    let typed = (of.load)(&node.to_value())?;
    if same(&typed, document) { Ok(typed) } else { Err(format!("loaded as {typed}")) }
}

/// Inputs that AWS's documents have wrong.
const WRONG_INPUTS: &[(&str, &str)] = &[(
    "awscli elbv2 ModifyTargetGroup: To modify the health check configuration for a target group: example.json:6:17: ",
    "`--matcher HttpCode='200,299'`: the shell takes the quotes away, and the CLI makes a list of it",
)];

#[test]
fn every_input_loads() {
    let mut numbers: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for example in &documents().examples {
        let (Some(input), Some(of)) = (&example.input, input_type(example.operation())) else { continue };
        let (right, all) = numbers.entry(format!("{} {}", example.service, example.operation)).or_default();
        *all += 1;
        match loaded(input, of) {
            Ok(_) => *right += 1,
            Err(problems) => wrong.push(format!("{example}: {problems}")),
        }
    }
    for (operation, (right, all)) in &numbers {
        println!("{operation}: {right} of {all} inputs load");
    }
    let all: usize = numbers.values().map(|(_, all)| all).sum();
    println!("{} of {all} inputs load", all - wrong.len());
    assert_eq!(numbers.len(), 17, "operations");
    assert!(all >= 63, "only {all} inputs");
    only_known(WRONG_INPUTS, &wrong);
}

/// The resources in a documented answer.
fn resources(output: &Value, pointer: &str) -> Vec<Value> {
    match output.get(pointer) {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// Answers that AWS's documents have wrong.
const WRONG_ANSWERS: &[(&str, &str)] = &[
    ("awscli ecs UpdateService: Example 2: To change the number of tasks in a service: ", "`taskkDefinition`"),
    (
        "awscli ecs UpdateService: Example 5: To turn on Availability Zone rebalancing for a service: ",
        "`taskkDefinition`",
    ),
    (
        "awscli servicediscovery GetService: Example 1: To get the settings of a service: /DnsConfig: ",
        "a service without DNS has an empty DnsConfig, where the API's model demands records; the SDK reads none",
    ),
    (
        "awscli servicediscovery GetService: Example 2: To get the settings of a service using ARN: /DnsConfig: ",
        "the same",
    ),
];

#[test]
fn every_answer_loads() {
    let mut numbers: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for example in &documents().examples {
        let (Some(output), Some((pointer, of))) = (&example.output, answer_type(example.operation())) else { continue };
        for resource in resources(output, pointer) {
            let (right, all) = numbers.entry(format!("{} {}", example.service, example.operation)).or_default();
            *all += 1;
            match (of.load)(&resource) {
                Ok(_) => *right += 1,
                Err(problems) => wrong.push(format!("{example}: {problems}")),
            }
        }
    }
    for (operation, (right, all)) in &numbers {
        println!("{operation}: {right} of {all} resources load");
    }
    let all: usize = numbers.values().map(|(_, all)| all).sum();
    println!("{} of {all} resources load", all - wrong.len());
    assert!(all >= 70, "only {all} resources");
    only_known(WRONG_ANSWERS, &wrong);
}

/// The environment that a document belongs to: the account and region of its first ARN that has both, and the cluster of
/// what it scales.
fn environment(document: &Value) -> Value {
    let text = document.to_string();
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let parts = text.split("arn:aws:").skip(1).map(|arn| arn.splitn(4, ':').collect::<Vec<_>>());
    let found = parts.filter(|parts| parts.len() > 2 && !parts[1].is_empty() && digits(parts[2]));
    let (region, account) = found.map(|parts| (parts[1], parts[2])).next().unwrap_or(("us-west-2", "123456789012"));
    let cluster = scaled(&text).map_or("documented", |(cluster, _)| cluster);
    json!({ "environment": "documented", "account": account, "region": region, "cluster": cluster })
}

/// The cluster and the service that an input of Application Auto Scaling names: `service/default/web-app`.
fn scaled(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("\"service/")?;
    rest.split_once('"')?.0.split_once('/')
}

/// The name of the service that a document is about.
fn service_of(document: &Value) -> String {
    scaled(&document.to_string()).map_or("documented", |(_, service)| service).to_owned()
}

/// Files with these sections, read as the files of a commit are: a service, or what environment.yaml shares.
fn committed(environment: &Value, sections: &Value) -> Result<Arc<Declared>, String> {
    let name = service_of(sections);
    let (mut environment, mut service) = (environment.as_object().unwrap().clone(), Map::new());
    for (section, value) in sections.as_object().unwrap() {
        let file = if section == "loadBalancers" { &mut environment } else { &mut service };
        file.insert(section.clone(), value.clone());
    }
    let wanted = if service.is_empty() { ServiceName::SHARED } else { name.as_str() };
    service.insert("name".into(), name.as_str().into());
    service.entry("taskDefinition").or_insert_with(|| task_for(sections.get("service").unwrap_or(&Value::Null)));
    let text = |map: Map<String, Value>| Arc::<str>::from(serde_json::to_string_pretty(&Value::Object(map)).unwrap());
    let files = [("environment.yaml", text(environment)), ("services/a.yaml", text(service))];
    let reading = cases::read(&files.into_iter().map(|(path, text)| (RepoPath::new(path), text)).collect());
    let errors: Vec<_> =
        reading.problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect();
    let declared = reading.desired.and_then(|desired| desired.services.get(&ServiceName::from(wanted)).cloned());
    declared.filter(|_| errors.is_empty()).ok_or_else(|| errors.join("; "))
}

/// A task definition with the containers and ports that a service's load balancers name, and the network mode that Fargate
/// has ("Fargate only supports network mode 'awsvpc'").
fn task_for(service: &Value) -> Value {
    let wrapped = service.get("services").and_then(|list| list.get(0)).or_else(|| service.get("service"));
    let service = wrapped.unwrap_or(service);
    let balancers = service.get("loadBalancers").and_then(Value::as_array).cloned();
    let container = |balancer: &Value| {
        let port = json!({ "containerPort": balancer["containerPort"] });
        json!({ "name": balancer["containerName"], "image": "busybox", "portMappings": [port] })
    };
    let mut containers: Vec<Value> = balancers.unwrap_or_default().iter().map(container).collect();
    if containers.is_empty() {
        containers.push(json!({ "name": "main", "image": "busybox" }));
    }
    let asked = [service.get("launchType"), service.get("capacityProviderStrategy")];
    let fargate = asked.into_iter().flatten().any(|asked| asked.to_string().contains("\"FARGATE"));
    let mode = if fargate { "awsvpc" } else { "bridge" };
    json!({ "family": "documented", "networkMode": mode, "containerDefinitions": containers })
}

/// The sections that hold an input or an answer as AWS's documents have it; nothing for what a file does not hold.
fn sections(operation: (&str, &str), document: &Value) -> Option<Value> {
    // What DynamoDB and others scale is none of an ECS service's.
    if document.get("ServiceNamespace").is_some_and(|namespace| namespace != "ecs") {
        return None;
    }
    let named = |key: &str| json!({ document[key].as_str().unwrap_or_default(): document });
    let scaling =
        |section: &str, inside: Value| json!({ "scaling": { "minCapacity": 1, "maxCapacity": 2, section: inside } });
    let name = |arn: &Value| arn.as_str().and_then(|arn| arn.split('/').nth(2)).unwrap_or_default().to_owned();
    Some(match operation {
        ("ecs", "RegisterTaskDefinition" | "DescribeTaskDefinition") => json!({ "taskDefinition": document }),
        ("ecs", "CreateService" | "UpdateService" | "DescribeServices") => json!({ "service": document }),
        ("elbv2", "CreateTargetGroup") => json!({ "targetGroups": named("Name") }),
        ("elbv2", "ModifyTargetGroup") => json!({ "targetGroups": { "documented": document } }),
        ("elbv2", "ModifyTargetGroupAttributes") => {
            json!({ "targetGroups": { "documented": { "attributes": pairs_by_key(&document["Attributes"]) } } })
        }
        ("elbv2", "CreateRule" | "ModifyRule") => json!({ "rules": [document] }),
        ("elbv2", "CreateListener") => {
            json!({ "loadBalancers": { name(&document["LoadBalancerArn"]): { "listeners": [document] } } })
        }
        ("application-autoscaling", "RegisterScalableTarget") => json!({ "scaling": document }),
        ("application-autoscaling", "PutScalingPolicy") => scaling("policies", named("PolicyName")),
        ("application-autoscaling", "PutScheduledAction") => scaling("schedules", named("ScheduledActionName")),
        ("cloudwatch", "PutMetricAlarm") => {
            let steps = json!([{ "metricIntervalLowerBound": 0, "scalingAdjustment": 1 }]);
            let step = json!({ "adjustmentType": "ChangeInCapacity", "stepAdjustments": steps });
            scaling("policies", json!({ "out": { "stepScalingPolicyConfiguration": step, "alarm": document } }))
        }
        ("servicediscovery", "CreateService") => json!({ "discovery": document }),
        _ => return None,
    })
}

/// `[{ "Key": ..., "Value": ... }]` as a mapping.
fn pairs_by_key(pairs: &Value) -> Value {
    let pairs = pairs.as_array().into_iter().flatten();
    Value::Object(pairs.map(|pair| (pair["Key"].as_str().unwrap_or_default().into(), pair["Value"].clone())).collect())
}

/// What a file of an input does not hold: who it is about is said elsewhere (`service.cluster cannot be declared`).
fn declarable(operation: (&str, &str), input: &Value) -> Value {
    match operation {
        ("ecs", "CreateService") => without(input, &["cluster", "serviceName", "taskDefinition", "clientToken"]),
        ("ecs", "UpdateService") => without(input, &["cluster", "service", "taskDefinition", "forceNewDeployment"]),
        ("elbv2", "ModifyTargetGroup") => without(input, &["TargetGroupArn"]),
        ("elbv2", "ModifyRule") => {
            let rule = input["RuleArn"].as_str().unwrap_or_default().replace("listener-rule", "listener");
            let mut document = without(input, &["RuleArn"]);
            document["ListenerArn"] = rule.rsplit_once('/').map_or("", |(listener, _)| listener).into();
            document
        }
        _ => input.clone(),
    }
}

fn without(document: &Value, keys: &[&str]) -> Value {
    let mut map = document.as_object().cloned().unwrap_or_default();
    keys.iter().for_each(|key| drop(map.remove(*key)));
    Value::Object(map)
}

/// The file that an example's input is.
fn input_as_file(example: &Example) -> Option<Result<Arc<Declared>, String>> {
    input_type(example.operation())?;
    let input = declarable(example.operation(), example.input.as_ref()?);
    let around = environment(&json!([example.output, example.input]));
    Some(committed(&around, &sections(example.operation(), &input)?))
}

/// Inputs that a file rightly does not take.
const NOT_TO_COMMIT: &[(&str, &str)] = &[
    (
        "botocore elbv2 ModifyRule: To modify a rule: services/a.yaml:3:5: error[E0109]: CreateRule needs the field `Actions`",
        "half a rule: a file says all of it",
    ),
    (
        "awscli elbv2 ModifyTargetGroup: To modify the health check configuration for a target group: ",
        "wrong as an input, see above",
    ),
    (
        "awscli elbv2 CreateRule: Example 3: To create a rule using a source IP address condition, an authenticate action, \
         and a forward action: services/a.yaml:40:29: error[E0203]",
        "the target group is of another account and region than the listener: AWS would refuse it, too",
    ),
    (
        "awscli elbv2 CreateListener: Example 6: To create a listener for the specified gateway and forwarding: ",
        "the listener of a Gateway Load Balancer has no port, and ECS registers no tasks with one",
    ),
];

#[test]
fn every_input_can_be_committed() {
    let files = documents().examples.iter().filter_map(|example| Some((example, input_as_file(example)?)));
    let (mut all, mut wrong) = (0, Vec::new());
    for (example, file) in files {
        all += 1;
        wrong.extend(file.err().map(|problems| format!("{example}: {problems}")));
    }
    println!("{} of {all} inputs can be committed", all - wrong.len());
    assert!(all >= 52, "only {all} inputs");
    only_known(NOT_TO_COMMIT, &wrong);
}

/// What AWS prints that is not the same after it was committed.
const PRINTED_OTHERWISE: &[(&str, &str)] = &[
    ("awscli ecs UpdateService: Example 2: To change the number of tasks in a service: ", "`taskkDefinition`"),
    (
        "awscli ecs UpdateService: Example 5: To turn on Availability Zone rebalancing for a service: ",
        "`taskkDefinition`",
    ),
];

/// Desired-state rule 1: what `describe-task-definition` and `describe-services` print loads unchanged, with its
/// wrapper and its read-only fields, and is then no difference.
#[test]
fn what_aws_prints_can_be_committed_and_is_no_difference() {
    let (mut all, mut wrong) = (0, Vec::new());
    for example in documents().examples.iter().filter(|example| example.service == "ecs") {
        let Some(output) = example.output.as_ref().filter(|output| output.as_object().is_some_and(|o| !o.is_empty()))
        else {
            continue;
        };
        all += 1;
        let found = printed(example, output).unwrap_or_else(|problems| vec![problems]);
        wrong.extend(found.iter().map(|finding| format!("{example}: {finding}")));
    }
    println!("{all} printed documents, {} findings", wrong.len());
    assert!(all >= 17, "only {all} documents");
    only_known(PRINTED_OTHERWISE, &wrong);
}

fn printed(example: &Example, output: &Value) -> Result<Vec<String>, String> {
    let (pointer, _) = answer_type(example.operation()).unwrap();
    let [answer] = resources(output, pointer).try_into().map_err(|_| "several resources".to_owned())?;
    let file = committed(&environment(output), &sections(example.operation(), output).unwrap())?;
    let like = if pointer == "taskDefinition" { "RegisterTaskDefinition" } else { "CreateService" };
    let pair = pairs().into_iter().find(|pair| pair.operation.1 == like).unwrap();
    let live = (pair.live)(&answer).ok_or("the answer does not load")?;
    Ok(pair.differences(&(pair.declared)(&file), &live))
}

/// An operation whose input is to equal its own answer.
struct Pair {
    operation: (&'static str, &'static str),
    /// The shape that both are compared in.
    shape: Shape,
    /// What the input declares, as it is read from a file.
    declared: fn(&Declared) -> Value,
    /// What the answer's resource is as the planner sees it; nothing if it does not load, which another test lists.
    live: fn(&Value) -> Option<Value>,
    how: How,
    answer: Answer,
}

/// Where a documented answer is.
enum Answer {
    /// The answer of the operation itself.
    Own,
    /// The same for an update: what it leaves out was set before.
    OwnUpdate,
    /// The answer of this operation, of a resource with the same values of these fields.
    Described(&'static str, &'static [&'static str]),
}

/// How a kind compares what is declared with what is live.
enum How {
    /// Whole documents in the kind's one form.
    Whole(fn(&Value, Shape) -> Value),
    /// Only what is declared; what is live beside it must be what AWS fills in.
    Declared(fn(&Value, Shape) -> Value),
    /// A comparison of the kind's own.
    Own(fn(&Value, &Value, Shape) -> Differences),
}

impl Pair {
    fn differences(&self, written: &Value, live: &Value) -> Vec<String> {
        let shape = self.shape;
        let Differences { changes, undeclared, .. } = match self.how {
            How::Whole(comparable) => {
                diff("input", shape, Managed::Whole, &comparable(written, shape), &comparable(live, shape))
            }
            How::Declared(comparable) => {
                let managed = Managed::Declared(written);
                diff("input", shape, managed, &comparable(written, shape), &comparable(live, shape))
            }
            How::Own(compare) => compare(written, live, shape),
        };
        let undeclared = if matches!(self.answer, Answer::OwnUpdate) { Vec::new() } else { undeclared };
        let notes = undeclared.iter().map(|change| format!("not declared: {change}"));
        changes.iter().map(ToString::to_string).chain(notes).collect()
    }

    /// The documented resource that belongs to the example's input.
    fn live(&self, example: &Example) -> Option<Value> {
        let first = |example: &Example, is_it: &dyn Fn(&Value) -> bool| {
            let (pointer, _) = answer_type(example.operation())?;
            let found = resources(example.output.as_ref()?, pointer).into_iter().find(|resource| is_it(resource))?;
            (self.live)(&found)
        };
        let Answer::Described(operation, identity) = self.answer else { return first(example, &|_| true) };
        let input = example.input.as_ref()?;
        let same = |resource: &Value| identity.iter().all(|field| resource.get(*field) == input.get(*field));
        let all = documents().examples.iter().filter(|other| other.operation() == (self.operation.0, operation));
        // The newest way to say it: the CLI's examples come last.
        all.filter_map(|other| first(other, &same)).next_back()
    }
}

/// The declared thing of a kind, without what is compared by itself.
fn only(file: &Declared, kind: Kind) -> Value {
    file.of(kind).next().map(|resource| resource.input.to_value()).unwrap_or_default()
}

/// What the SDK reads of an answer's resource.
fn sdk<T: Wire>(answer: &Value) -> Option<Value> {
    Some(encode(&decode::<T>(answer).ok()?))
}

fn pairs() -> Vec<Pair> {
    let shapes = shapes();
    let service =
        |file: &Declared| file.workload.as_ref().map(|workload| workload.service.to_value()).unwrap_or_default();
    vec![
        Pair {
            operation: ("ecs", "RegisterTaskDefinition"),
            shape: shapes.task_definition,
            declared: |file| {
                file.workload.as_ref().map(|workload| workload.task_definition.to_value()).unwrap_or_default()
            },
            live: |answer| Some(live::task_definition(&decode(answer).ok()?, &[]).document),
            how: How::Whole(task_definition::comparable),
            answer: Answer::Own,
        },
        Pair {
            operation: ("ecs", "CreateService"),
            shape: shapes.create_service,
            declared: service,
            live: live_service,
            how: How::Own(service::compare),
            answer: Answer::Own,
        },
        Pair {
            operation: ("ecs", "UpdateService"),
            shape: shapes.create_service,
            declared: service,
            live: live_service,
            how: How::Own(service::compare),
            answer: Answer::OwnUpdate,
        },
        Pair {
            operation: ("elbv2", "CreateTargetGroup"),
            shape: shapes.target_group,
            declared: |file| only(file, Kind::TargetGroup),
            live: live_group,
            how: How::Declared(target_group::comparable),
            answer: Answer::Own,
        },
        Pair {
            operation: ("elbv2", "ModifyTargetGroup"),
            shape: shapes.target_group,
            declared: |file| only(file, Kind::TargetGroup),
            live: live_group,
            how: How::Declared(target_group::comparable),
            answer: Answer::OwnUpdate,
        },
        Pair {
            operation: ("elbv2", "CreateRule"),
            shape: shapes.rule,
            declared: |file| only(file, Kind::ListenerRule),
            live: sdk::<elbv2::types::Rule>,
            how: How::Declared(rule::comparable),
            answer: Answer::Own,
        },
        Pair {
            operation: ("elbv2", "ModifyRule"),
            shape: shapes.rule,
            declared: |file| only(file, Kind::ListenerRule),
            live: sdk::<elbv2::types::Rule>,
            how: How::Declared(rule::comparable),
            answer: Answer::OwnUpdate,
        },
        Pair {
            operation: ("elbv2", "CreateListener"),
            shape: shapes.listener,
            declared: |file| only(file, Kind::Listener),
            live: sdk::<elbv2::types::Listener>,
            how: How::Declared(listener::comparable),
            answer: Answer::Own,
        },
        Pair {
            operation: ("application-autoscaling", "RegisterScalableTarget"),
            shape: shapes.scalable_target,
            declared: |file| only(file, Kind::ScalableTarget),
            live: sdk::<autoscaling::types::ScalableTarget>,
            how: How::Declared(scalable_target::comparable),
            answer: Answer::Described("DescribeScalableTargets", &["ResourceId", "ScalableDimension"]),
        },
        Pair {
            operation: ("application-autoscaling", "PutScalingPolicy"),
            shape: shapes.scaling_policy,
            declared: |file| only(file, Kind::ScalingPolicy),
            live: sdk::<autoscaling::types::ScalingPolicy>,
            how: How::Declared(scaling_policy::comparable),
            answer: Answer::Described("DescribeScalingPolicies", &["ResourceId", "PolicyName"]),
        },
        Pair {
            operation: ("application-autoscaling", "PutScheduledAction"),
            shape: shapes.scheduled_action,
            declared: |file| only(file, Kind::ScheduledAction),
            live: sdk::<autoscaling::types::ScheduledAction>,
            how: How::Declared(scheduled_action::comparable),
            answer: Answer::Described("DescribeScheduledActions", &["ResourceId", "ScheduledActionName"]),
        },
        Pair {
            operation: ("cloudwatch", "PutMetricAlarm"),
            shape: shapes.alarm,
            declared: |file| only(file, Kind::Alarm),
            live: sdk::<cloudwatch::types::MetricAlarm>,
            how: How::Declared(alarm::comparable),
            answer: Answer::Described("DescribeAlarms", &["AlarmName"]),
        },
        Pair {
            operation: ("servicediscovery", "CreateService"),
            shape: shapes.discovery_service,
            declared: |file| only(file, Kind::DiscoveryService),
            live: sdk::<discovery::types::Service>,
            how: How::Declared(kind::discovery::comparable),
            answer: Answer::Own,
        },
    ]
}

fn live_group(answer: &Value) -> Option<Value> {
    Some(target_group::live_document(&sdk::<elbv2::types::TargetGroup>(answer)?))
}

fn live_service(answer: &Value) -> Option<Value> {
    Some(service::live_document(&live::service(&decode(answer).ok()?).document))
}

/// Answers that AWS's documents show for inputs that they do not belong to.
const OTHER_ANSWERS: &[(&str, &str)] = &[
    (
        "awscli ecs CreateService: Example 4: To create a new service behind a load balancer: \
         ~ service.loadBalancers[EC2Contai-EcsElast-123456789012].containerName: ",
        "the container is simple-demo in the input and ecs-demo in the answer",
    ),
    (
        "awscli ecs CreateService: Example 5: To configure Amazon EBS volumes at service creation: \
         ~ service.launchType: ",
        "FARGATE in the input, EC2 in the answer",
    ),
    (
        "awscli ecs CreateService: Example 5: To configure Amazon EBS volumes at service creation: \
         ~ service.networkConfiguration.awsvpcConfiguration.assignPublicIp: ",
        "ENABLED in the input, DISABLED in the answer",
    ),
    (
        "awscli ecs CreateService: Example 5: To configure Amazon EBS volumes at service creation: \
         - service.volumeConfigurations[myEBSVolume]: ",
        "the volume is myEbsVolume in the input and myEBSVolume in the answer",
    ),
    (
        "awscli ecs CreateService: Example 5: To configure Amazon EBS volumes at service creation: \
         + service.volumeConfigurations[myEbsVolume]: ",
        "the same",
    ),
    (
        "awscli ecs UpdateService: Example 3: To configure Amazon EBS volumes for attachment at service update: \
         - service.volumeConfigurations[ebs-volume]: ",
        "the volume is myEbsVolume in the input and ebs-volume in the answer",
    ),
    (
        "awscli ecs UpdateService: Example 3: To configure Amazon EBS volumes for attachment at service update: \
         + service.volumeConfigurations[myEbsVolume]: ",
        "the same",
    ),
    (
        "awscli elbv2 CreateTargetGroup: Example 4: To create a target group to route traffic from a Network Load Balancer to \
         an Application Load Balancer: ~ input.vpcId: ",
        "vpc-3ac0fb5f in the input, vpc-838475fe in the answer",
    ),
];

#[test]
fn an_input_equals_its_documented_answer() {
    let pairs = pairs();
    let (mut compared, mut wrong) = (0, Vec::new());
    let mut different = BTreeSet::new();
    for example in &documents().examples {
        let Some(pair) = pairs.iter().find(|pair| pair.operation == example.operation()) else { continue };
        let Some(live) = pair.live(example) else {
            println!("not compared, no answer is documented: {example}");
            continue;
        };
        // What cannot be committed is listed by another test.
        let Some(Ok(file)) = input_as_file(example) else { continue };
        compared += 1;
        let found = pair.differences(&(pair.declared)(&file), &live);
        different.extend((!found.is_empty()).then(|| example.to_string()));
        wrong.extend(found.iter().map(|found| format!("{example}: {found}")));
    }
    println!("{compared} inputs compared with their answers, {} of them differ", different.len());
    assert!(compared >= 29, "only {compared} were compared");
    only_known(OTHER_ANSWERS, &wrong);
}
