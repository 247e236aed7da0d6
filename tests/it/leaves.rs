//! Every field of every operation of desired state, all the way: file -> document -> request on the wire, and answer on
//! the wire -> live document. Each leaf holds another value, so that none can stand for another.
//!
//! The counts are against the SDK's own fields: what its types print, not what our tables say; and against botocore's
//! model of the APIs, which is newer at times.

use super::documented::{documents, only_known, respelt};
use super::protocol::Protocol;
use super::tables::{Debugged, client, leaves, letters};
use autoscaling::operation::{put_scaling_policy, put_scheduled_action, register_scalable_target};
use aws_sdk_applicationautoscaling as autoscaling;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_ecs as ecs;
use aws_sdk_elasticloadbalancingv2 as elbv2;
use aws_sdk_servicediscovery as discovery;
use aws_smithy_http_client::test_util::capture_request;
use aws_smithy_types::body::SdkBody;
use cloudwatch::operation::put_metric_alarm;
use driftless::aws::call::WithInput;
use driftless::aws::live;
use driftless::aws::wire::{Wire, decode, encode};
use driftless::core::document::check::check;
use driftless::core::document::read::read;
use driftless::core::id::RepoPath;
use driftless::core::shape::{Field, Shape};
use driftless::kind::service::live_document;
use ecs::operation::{create_service, register_task_definition, update_service};
use elbv2::operation::{
    add_listener_certificates, create_listener, create_rule, create_target_group, modify_listener,
    modify_listener_attributes, modify_load_balancer_attributes, modify_rule, modify_target_group,
    modify_target_group_attributes, set_rule_priorities,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::{Debug, Write};

/// Unions have at most this many alternatives; each is followed once.
const ALTERNATIVES: usize = 2;

/// Makes documents with every field, every leaf with a value of its own. Of a union it takes alternative number `pick`.
struct Filler {
    pick: usize,
    next: i64,
}

impl Filler {
    fn full(&mut self, shape: Shape) -> Value {
        self.next += 1;
        let n = self.next;
        match shape {
            Shape::Boolean => true.into(),
            Shape::Integer => (1000 + n).into(),
            Shape::Long => (5_000_000_000 + n).into(),
            Shape::Number => (n as f64 + 0.5).into(),
            // What is special in YAML, in a form, in XML and in JSON.
            Shape::Text => format!("{n}: \"ü\" & <b> #{{}} %2F+\\").into(),
            Shape::Time => format!("2026-01-02T03:{:02}:{:02}Z", n / 60 % 60, n % 60).into(),
            Shape::Duration => format!("{n}m").into(),
            Shape::FreeForm => json!({ "any": [n, -1, 0.5, null, true, "text"] }),
            Shape::Enum(values) => values[n as usize % values.len()].into(),
            Shape::List(element) => vec![self.full(element())].into(),
            Shape::Map(element) => json!({ format!("key {n}"): self.full(element()) }),
            Shape::Struct { fields, .. } => Value::Object(fields.iter().map(|field| self.member(field)).collect()),
            Shape::Union { fields, .. } => {
                Value::Object([self.member(&fields[self.pick % fields.len()])].into_iter().collect())
            }
        }
    }

    fn member(&mut self, field: &Field) -> (String, Value) {
        (field.name.to_owned(), self.full((field.shape)()))
    }
}

/// A document as people write YAML: blocks, and quotes only where they are needed.
fn yaml(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let plain = key.bytes().all(|b| b.is_ascii_alphanumeric());
                let key = if plain { key.clone() } else { json!(key).to_string() };
                write!(out, "\n{indent}{key}:").unwrap();
                yaml(value, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(out, "\n{indent}-").unwrap();
                yaml(item, depth + 1, out);
            }
        }
        scalar => write!(out, " {scalar}").unwrap(),
    }
}

/// The leaf paths at which `found` holds what `expected` does.
fn covered(shape: Shape, expected: &Value, found: Option<&Value>, path: &str, out: &mut BTreeSet<String>) {
    match (shape, expected) {
        (Shape::Struct { fields: [], .. }, _) => drop(found.map(|_| out.insert(path.to_owned()))),
        (Shape::Struct { .. } | Shape::Union { .. }, Value::Object(map)) => {
            for (name, value) in map {
                let field = shape.field(name).unwrap();
                let found = found.and_then(|found| found.get(name));
                covered((field.shape)(), value, found, &format!("{path}.{}", letters(name)), out);
            }
        }
        (Shape::List(element), Value::Array(items)) => {
            covered(element(), &items[0], found.and_then(|found| found.get(0)), path, out);
        }
        (Shape::Map(element), Value::Object(map)) => {
            for (key, value) in map {
                covered(element(), value, found.and_then(|found| found.get(key)), path, out);
            }
        }
        (_, expected) => drop((found == Some(expected)).then(|| out.insert(path.to_owned()))),
    }
}

fn path_letters(path: &str) -> String {
    path.split('.').map(letters).collect::<Vec<_>>().join(".")
}

/// Follows an operation's input from a file to the wire; says what is missing where.
async fn follow<T: Wire + Debug>(name: &str, protocol: Protocol, send: impl AsyncFn(T) -> Vec<u8>) -> Vec<String> {
    let (mut sdk, mut in_file, mut on_wire) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for pick in 0..ALTERNATIVES {
        let shape = T::shape();
        let document = Filler { pick, next: 0 }.full(shape);
        let mut text = String::new();
        // Both spellings of the first letter.
        yaml(&if pick == 0 { document.clone() } else { respelt(&document, shape) }, 0, &mut text);
        let node = read(&RepoPath::new("a.yaml"), &text).unwrap();
        let mut problems = Vec::new();
        let file = check(&node, shape, &mut problems).to_value();
        wrong.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
        covered(shape, &document, Some(&file), "", &mut in_file);
        let typed: T = decode(&file).unwrap();
        let mut fields = BTreeSet::new();
        leaves(shape, &Debugged(&format!("{typed:?}")).value(), "", &mut fields);
        sdk.extend(fields.iter().map(|path| path_letters(path)));
        let wire = protocol.read(&send(typed).await, shape);
        covered(shape, &document, Some(&wire), "", &mut on_wire);
        // Nothing but the document.
        wrong.extend((wire != document).then(|| format!("{name}: sends {wire}\ninstead of {document}")));
    }
    let model: BTreeSet<String> = documents().leaves[name].iter().map(|path| path_letters(path)).collect();
    let all = sdk.len();
    println!(
        "{name}: covered {} of {all} in files, {} of {all} on the wire; botocore has {}",
        in_file.len(),
        on_wire.len(),
        model.len()
    );
    wrong.extend(model.symmetric_difference(&sdk).map(|path| format!("{name}: {path} in one of botocore and the SDK")));
    let lacks = |set: &BTreeSet<String>, place| {
        sdk.symmetric_difference(set).map(|path| format!("{name}: {path} {place}")).collect::<Vec<_>>()
    };
    wrong.extend(lacks(&in_file, "in files").into_iter().chain(lacks(&on_wire, "on the wire")));
    wrong
}

/// Follows operations: service and name, protocol, client and operation, input.
macro_rules! followed { ($($name:literal $protocol:ident $sdk:ident.$operation:ident($input:ty),)*) => { {
    let mut wrong = Vec::new();
    $(
        let send = async |input: $input| {
            let (http, request) = capture_request(None);
            // What is made of an empty answer does not matter.
            let _ = client!($sdk, http).$operation().customize().interceptor(WithInput(input)).send().await;
            request.expect_request().body().bytes().unwrap().to_vec()
        };
        wrong.extend(follow($name, Protocol::$protocol, send).await);
    )*
    wrong
} } }

/// What botocore 1.44.5 has and aws-sdk-ecs 1.157.0, the newest of its time, has not: the strict reader refuses it.
const SDK_LACKS: &[(&str, &str)] = &[
    ("ecs RegisterTaskDefinition: .trustedexecutionconfiguration.attestationpolicy in one", "not in the SDK yet"),
    ("ecs RegisterTaskDefinition: .trustedexecutionconfiguration.isolationmode in one", "not in the SDK yet"),
    ("ecs CreateService: .gatewayconnectors.deregistrationdelay.timeoutseconds in one", "not in the SDK yet"),
    ("ecs UpdateService: .gatewayconnectors.deregistrationdelay.timeoutseconds in one", "not in the SDK yet"),
];

#[tokio::test]
async fn every_leaf_of_a_file_arrives_on_the_wire() {
    let wrong = followed! {
        "ecs RegisterTaskDefinition" Json ecs.register_task_definition(
            register_task_definition::RegisterTaskDefinitionInput
        ),
        "ecs CreateService" Json ecs.create_service(create_service::CreateServiceInput),
        "ecs UpdateService" Json ecs.update_service(update_service::UpdateServiceInput),
        "elbv2 CreateTargetGroup" Query elbv2.create_target_group(create_target_group::CreateTargetGroupInput),
        "elbv2 ModifyTargetGroup" Query elbv2.modify_target_group(modify_target_group::ModifyTargetGroupInput),
        "elbv2 ModifyTargetGroupAttributes" Query elbv2.modify_target_group_attributes(
            modify_target_group_attributes::ModifyTargetGroupAttributesInput
        ),
        "elbv2 CreateRule" Query elbv2.create_rule(create_rule::CreateRuleInput),
        "elbv2 ModifyRule" Query elbv2.modify_rule(modify_rule::ModifyRuleInput),
        "elbv2 SetRulePriorities" Query elbv2.set_rule_priorities(set_rule_priorities::SetRulePrioritiesInput),
        "elbv2 CreateListener" Query elbv2.create_listener(create_listener::CreateListenerInput),
        "elbv2 ModifyListener" Query elbv2.modify_listener(modify_listener::ModifyListenerInput),
        "elbv2 AddListenerCertificates" Query elbv2.add_listener_certificates(
            add_listener_certificates::AddListenerCertificatesInput
        ),
        "elbv2 ModifyListenerAttributes" Query elbv2.modify_listener_attributes(
            modify_listener_attributes::ModifyListenerAttributesInput
        ),
        "elbv2 ModifyLoadBalancerAttributes" Query elbv2.modify_load_balancer_attributes(
            modify_load_balancer_attributes::ModifyLoadBalancerAttributesInput
        ),
        "application-autoscaling RegisterScalableTarget" Json autoscaling.register_scalable_target(
            register_scalable_target::RegisterScalableTargetInput
        ),
        "application-autoscaling PutScalingPolicy" Json autoscaling.put_scaling_policy(
            put_scaling_policy::PutScalingPolicyInput
        ),
        "application-autoscaling PutScheduledAction" Json autoscaling.put_scheduled_action(
            put_scheduled_action::PutScheduledActionInput
        ),
        "cloudwatch PutMetricAlarm" Cbor cloudwatch.put_metric_alarm(put_metric_alarm::PutMetricAlarmInput),
        "servicediscovery CreateService" Json discovery.create_service(
            discovery::operation::create_service::CreateServiceInput
        ),
        "servicediscovery UpdateService" Json discovery.update_service(
            discovery::operation::update_service::UpdateServiceInput
        ),
    };
    only_known(SDK_LACKS, &wrong);
}

/// What shows a resource again, and how.
#[derive(Clone, Copy)]
struct Answer {
    /// The operation.
    operation: &'static str,
    /// Where in its answer the resource is; empty where the answer is the resource.
    at: &'static str,
    /// Whether there is a list.
    listed: bool,
    /// Top-level fields of the input that the answer calls otherwise.
    renamed: &'static [(&'static str, &'static str)],
    /// Leaves of the input that no answer has, as the first field of the path or the whole path.
    lacks: &'static [&'static str],
}

/// `over` laid upon `base`: what an answer looks like after an input. `base` has every field of its shape.
fn laid_upon(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if base.keys().any(|key| over.contains_key(key)) => {
            for (key, value) in over {
                if let Some(base) = base.get_mut(key) {
                    laid_upon(base, value);
                }
            }
        }
        (Value::Array(base), Value::Array(over)) => {
            base.iter_mut().zip(over).for_each(|(base, over)| laid_upon(base, over));
        }
        // A rule's priority is a number in the input and a string in the answer.
        (base @ Value::String(_), Value::Number(number)) => *base = number.to_string().into(),
        (base, over) => *base = over.clone(),
    }
}

/// Follows a resource that was made from an input with every field from AWS's answer to the live document.
async fn back<T: Wire>(
    name: &str,
    protocol: Protocol,
    shape: Shape,
    answer: Answer,
    receive: impl AsyncFn(Vec<u8>) -> Value,
) -> Vec<String> {
    let (mut all, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for pick in 0..ALTERNATIVES {
        let mut input = Filler { pick, next: 0 }.full(T::shape());
        let mut document = Filler { pick, next: 3000 }.full(shape);
        let mut renamed = input.clone();
        for (from, to) in answer.renamed {
            let value = renamed.as_object_mut().unwrap().remove(*from).unwrap();
            renamed[*to] = value;
        }
        laid_upon(&mut document, &renamed);
        // These are on the deployment, not on the service.
        if let Some(deployment) = document.pointer_mut("/deployments/0") {
            laid_upon(deployment, &renamed);
            deployment["status"] = "PRIMARY".into();
        }
        let mut live = receive(protocol.write(answer.operation, answer.at, answer.listed, &document, shape)).await;
        for (from, to) in answer.renamed {
            if let Some(value) = live.as_object_mut().unwrap().remove(*to) {
                live[*from] = value;
            }
        }
        if let (Some(Value::String(answered)), Some(Value::Number(priority))) =
            (live.get("Priority"), input.get("Priority"))
        {
            assert_eq!(*answered, priority.to_string());
            input["Priority"] = live["Priority"].clone();
        }
        covered(T::shape(), &input, Some(&input), "", &mut all);
        covered(T::shape(), &input, Some(&live), "", &mut answered);
    }
    let is_below = |path: &&String, field: &str| {
        path.strip_prefix(&format!(".{}", letters(field))).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let missing: Vec<&String> = all.difference(&answered).collect();
    let known = |path: &&String| answer.lacks.iter().any(|field| is_below(path, field));
    let new = missing.iter().filter(|path| !known(path)).map(|path| format!("{name}: {path} does not come back"));
    let gone = answer.lacks.iter().filter(|field| !missing.iter().any(|path| is_below(path, field)));
    let gone = gone.map(|field| format!("{name}: {field} comes back"));
    let (count, of) = (answered.len(), all.len() - missing.iter().filter(|path| known(path)).count());
    let lacks = if answer.lacks.is_empty() { "nothing else".to_owned() } else { answer.lacks.join(", ") };
    println!("{name}: covered {count} of {of} in answers; the input also has {lacks}");
    new.chain(gone).collect()
}

/// Sends a request that is answered with `$body`, and gives the output.
macro_rules! answered {
    ($sdk:ident.$operation:ident($body:expr)) => {{
        let (http, _request) = capture_request(Some(http::Response::new(SdkBody::from($body))));
        client!($sdk, http).$operation().send().await.unwrap()
    }};
}

#[tokio::test]
async fn every_leaf_that_aws_answers_comes_back() {
    const PLAIN: Answer = Answer { operation: "", at: "", listed: true, renamed: &[], lacks: &[] };
    let mut wrong = Vec::new();
    macro_rules! back {
        ($name:literal, $protocol:ident, $input:ty, $answer:ty, $where:expr, $receive:expr $(,)?) => {
            wrong.extend(back::<$input>($name, Protocol::$protocol, <$answer>::shape(), $where, $receive).await)
        };
    }
    back!(
        "RegisterTaskDefinition",
        Json,
        register_task_definition::RegisterTaskDefinitionInput,
        ecs::types::TaskDefinition,
        Answer { at: "taskDefinition", listed: false, lacks: &["tags"], ..PLAIN },
        async |body| {
            let output = answered!(ecs.describe_task_definition(body));
            live::task_definition(output.task_definition().unwrap(), output.tags()).document
        },
    );
    let service = async |body| {
        let output = answered!(ecs.describe_services(body));
        live_document(&live::service(&output.services()[0]).document)
    };
    back!(
        "CreateService",
        Json,
        create_service::CreateServiceInput,
        ecs::types::Service,
        Answer {
            at: "services",
            renamed: &[("role", "roleArn")],
            lacks: &["cluster", "clientToken", "gatewayConnectors", "monitoring"],
            ..PLAIN
        },
        service,
    );
    back!(
        "UpdateService",
        Json,
        update_service::UpdateServiceInput,
        ecs::types::Service,
        Answer {
            at: "services",
            lacks: &["cluster", "service", "forceNewDeployment", "gatewayConnectors", "monitoring"],
            ..PLAIN
        },
        service,
    );
    back!(
        "CreateTargetGroup",
        Query,
        create_target_group::CreateTargetGroupInput,
        elbv2::types::TargetGroup,
        Answer {
            operation: "DescribeTargetGroups",
            at: "TargetGroups",
            renamed: &[("Name", "TargetGroupName")],
            lacks: &["Tags"],
            ..PLAIN
        },
        async |body| encode(&answered!(elbv2.describe_target_groups(body)).target_groups()[0]),
    );
    back!(
        "ModifyTargetGroupAttributes",
        Query,
        modify_target_group_attributes::ModifyTargetGroupAttributesInput,
        modify_target_group_attributes::ModifyTargetGroupAttributesInput,
        Answer { operation: "DescribeTargetGroupAttributes", lacks: &["TargetGroupArn"], ..PLAIN },
        async |body| {
            let output = answered!(elbv2.describe_target_group_attributes(body));
            json!({ "Attributes": output.attributes().iter().map(encode).collect::<Vec<_>>() })
        },
    );
    back!(
        "CreateRule",
        Query,
        create_rule::CreateRuleInput,
        elbv2::types::Rule,
        Answer { operation: "DescribeRules", at: "Rules", lacks: &["ListenerArn", "Tags"], ..PLAIN },
        async |body| encode(&answered!(elbv2.describe_rules(body)).rules()[0]),
    );
    back!(
        "CreateListener",
        Query,
        create_listener::CreateListenerInput,
        elbv2::types::Listener,
        Answer { operation: "DescribeListeners", at: "Listeners", lacks: &["Tags"], ..PLAIN },
        async |body| encode(&answered!(elbv2.describe_listeners(body)).listeners()[0]),
    );
    back!(
        "RegisterScalableTarget",
        Json,
        register_scalable_target::RegisterScalableTargetInput,
        autoscaling::types::ScalableTarget,
        Answer { at: "ScalableTargets", lacks: &["Tags"], ..PLAIN },
        async |body| encode(&answered!(autoscaling.describe_scalable_targets(body)).scalable_targets()[0]),
    );
    back!(
        "PutScalingPolicy",
        Json,
        put_scaling_policy::PutScalingPolicyInput,
        autoscaling::types::ScalingPolicy,
        Answer { at: "ScalingPolicies", ..PLAIN },
        async |body| encode(&answered!(autoscaling.describe_scaling_policies(body)).scaling_policies()[0]),
    );
    back!(
        "PutScheduledAction",
        Json,
        put_scheduled_action::PutScheduledActionInput,
        autoscaling::types::ScheduledAction,
        Answer { at: "ScheduledActions", ..PLAIN },
        async |body| encode(&answered!(autoscaling.describe_scheduled_actions(body)).scheduled_actions()[0]),
    );
    back!(
        "PutMetricAlarm",
        Cbor,
        put_metric_alarm::PutMetricAlarmInput,
        cloudwatch::types::MetricAlarm,
        Answer { at: "MetricAlarms", lacks: &["Tags"], ..PLAIN },
        async |body| encode(&answered!(cloudwatch.describe_alarms(body)).metric_alarms()[0]),
    );
    back!(
        "Cloud Map CreateService",
        Json,
        discovery::operation::create_service::CreateServiceInput,
        discovery::types::Service,
        Answer { at: "Service", listed: false, lacks: &["Tags"], ..PLAIN },
        async |body| encode(answered!(discovery.get_service(body)).service().unwrap()),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
