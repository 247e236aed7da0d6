//! The tables against the SDK: nothing lacks, everything goes there and back, and documents arrive on the wire.

use aws_sdk_applicationautoscaling as autoscaling;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_ecs as ecs;
use aws_sdk_elasticloadbalancingv2 as elbv2;
use aws_sdk_servicediscovery as discovery;
use aws_smithy_http_client::test_util::capture_request;
use aws_smithy_types::body::SdkBody;
use driftless::aws::call::WithInput;
use driftless::aws::tables::shapes;
use driftless::aws::wire::{Wire, decode, encode};
use driftless::core::shape::{Field, Order, Shape};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// Calls `$check` for every type that has a table, with its name, and collects what the calls give.
macro_rules! every_type { ($check:ident) => { {
    let mut all = Vec::new();
    every_type!(@ $check all
        ecs::operation::register_task_definition::RegisterTaskDefinitionInput,
        ecs::operation::create_service::CreateServiceInput,
        ecs::operation::update_service::UpdateServiceInput,
        ecs::types::TaskDefinition,
        ecs::types::Service,
        ecs::types::RepositoryCredentials,
        ecs::types::KeyValuePair,
        elbv2::operation::create_rule::CreateRuleInput,
        elbv2::operation::modify_rule::ModifyRuleInput,
        elbv2::operation::create_target_group::CreateTargetGroupInput,
        elbv2::operation::modify_target_group::ModifyTargetGroupInput,
        elbv2::operation::modify_target_group_attributes::ModifyTargetGroupAttributesInput,
        elbv2::operation::create_listener::CreateListenerInput,
        elbv2::operation::modify_listener::ModifyListenerInput,
        elbv2::operation::set_rule_priorities::SetRulePrioritiesInput,
        elbv2::operation::add_listener_certificates::AddListenerCertificatesInput,
        elbv2::operation::remove_listener_certificates::RemoveListenerCertificatesInput,
        elbv2::operation::modify_listener_attributes::ModifyListenerAttributesInput,
        elbv2::operation::modify_load_balancer_attributes::ModifyLoadBalancerAttributesInput,
        elbv2::operation::add_tags::AddTagsInput,
        elbv2::types::Rule,
        elbv2::types::TargetGroup,
        elbv2::types::Listener,
        elbv2::types::LoadBalancer,
        autoscaling::operation::register_scalable_target::RegisterScalableTargetInput,
        autoscaling::operation::put_scaling_policy::PutScalingPolicyInput,
        autoscaling::operation::put_scheduled_action::PutScheduledActionInput,
        autoscaling::types::ScalableTarget,
        autoscaling::types::ScalingPolicy,
        autoscaling::types::ScheduledAction,
        cloudwatch::operation::put_metric_alarm::PutMetricAlarmInput,
        cloudwatch::types::MetricAlarm,
        discovery::operation::create_service::CreateServiceInput,
        discovery::operation::update_service::UpdateServiceInput,
        discovery::types::Service,
    );
    all
} };
    (@ $check:ident $all:ident $($ty:ty),* $(,)?) => { $(
        let builder = format!("{:?}", <$ty>::builder());
        $all.extend($check::<$ty>(stringify!($ty), &builder));
    )* };
}

/// A document with every field of the shape, made from the table itself. Of a union it takes alternative number `pick`.
fn full(shape: Shape, pick: usize) -> Value {
    match shape {
        Shape::Boolean => true.into(),
        Shape::Integer => 7.into(),
        Shape::Long => 5_000_000_000_i64.into(),
        Shape::Number => 0.5.into(),
        Shape::Text => "text".into(),
        Shape::Time => "2026-01-02T03:04:05Z".into(),
        Shape::Duration => "15m".into(),
        Shape::FreeForm => json!({ "any": [1, -1, 0.5, null, true, "text"] }),
        Shape::Enum(values) => values[pick % values.len()].into(),
        Shape::List(element) => vec![full(element(), pick)].into(),
        Shape::Map(element) => json!({ "key": full(element(), pick) }),
        Shape::Struct { fields, .. } => Value::Object(fields.iter().map(|f| member(f, pick)).collect::<Map<_, _>>()),
        Shape::Union { fields, .. } => {
            Value::Object([member(&fields[pick % fields.len()], pick)].into_iter().collect())
        }
    }
}

fn member(field: &Field, pick: usize) -> (String, Value) {
    (field.name.to_owned(), full((field.shape)(), pick))
}

/// Unions have at most this many alternatives.
const ALTERNATIVES: usize = 2;

#[test]
fn a_full_document_goes_there_and_back() {
    fn check<T: Wire>(name: &str, _: &str) -> Vec<String> {
        (0..ALTERNATIVES)
            .filter_map(|pick| {
                let document = full(T::shape(), pick);
                match decode::<T>(&document) {
                    Ok(typed) if encode(&typed) == document => None,
                    Ok(typed) => Some(format!("{name}: {} instead of {document}", encode(&typed))),
                    Err(mismatches) => Some(format!("{name}: {mismatches:?}")),
                }
            })
            .collect()
    }
    assert_eq!(every_type!(check), Vec::<String>::new());
}

/// The SDK's `Debug` output as a tree. It shows every member of a structure, given or not.
#[derive(Debug, PartialEq)]
pub(super) enum Shown {
    Leaf,
    List(Vec<Shown>),
    Struct(Vec<(String, Shown)>),
}

/// Reads what `{:?}` writes of structures, lists, maps, options, strings and numbers.
pub(super) struct Debugged<'t>(pub(super) &'t str);

impl Debugged<'_> {
    fn skip(&mut self, text: &str) -> bool {
        self.0 = self.0.trim_start();
        self.0.strip_prefix(text).map(|rest| self.0 = rest).is_some()
    }

    fn word(&mut self) -> String {
        self.0 = self.0.trim_start();
        let end = self.0.find(|c: char| !c.is_alphanumeric() && !"_.-#".contains(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word.to_owned()
    }

    fn quoted(&mut self) -> String {
        let mut escaped = true; // The opening quote closes nothing.
        let closing = |c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        };
        let end = self.0.find(closing).expect("a closing quote");
        let (quoted, rest) = self.0.split_at(end + 1);
        self.0 = rest;
        quoted.trim_matches('"').to_owned()
    }

    fn members(&mut self, close: &str) -> Vec<(String, Shown)> {
        let mut members = Vec::new();
        while !self.skip(close) {
            let name = if self.0.starts_with('"') { self.quoted() } else { self.word() };
            assert!(self.skip(":"), "a colon before {:.40}", self.0);
            members.push((name, self.value()));
            self.skip(",");
        }
        members
    }

    fn items(&mut self, close: &str) -> Vec<Shown> {
        let mut items = Vec::new();
        while !self.skip(close) {
            items.push(self.value());
            self.skip(",");
        }
        items
    }

    pub(super) fn value(&mut self) -> Shown {
        if self.skip("[") {
            return Shown::List(self.items("]"));
        }
        if self.skip("{") {
            return Shown::List(self.members("}").into_iter().map(|(_, shown)| shown).collect());
        }
        if self.0.starts_with('"') {
            self.quoted();
            return Shown::Leaf;
        }
        let end = self.0.find(|c: char| " ,()[]{}".contains(c)).unwrap_or(self.0.len());
        assert!(end > 0, "a value before {:.40}", self.0);
        self.0 = &self.0[end..];
        if self.skip("(") {
            // `Some`, or the variant of a union: what it holds counts.
            return self.items(")").pop().unwrap_or(Shown::Leaf);
        }
        if self.skip("{") { Shown::Struct(self.members("}")) } else { Shown::Leaf }
    }
}

/// AWS's name and Rust's name of one field, made equal: `enableECSManagedTags`, `enable_ecs_managed_tags`.
pub(super) fn letters(name: &str) -> String {
    name.trim_start_matches("r#").chars().filter(|c| *c != '_').collect::<String>().to_lowercase()
}

/// Walks the SDK's value beside its shape. Gives the leaf paths that the SDK has; those the table lacks end with `(!)`.
pub(super) fn leaves(shape: Shape, shown: &Shown, path: &str, out: &mut BTreeSet<String>) {
    match (shape, shown) {
        (Shape::Struct { fields, .. }, Shown::Struct(members)) => {
            for (name, shown) in members {
                let path = format!("{path}.{name}");
                match fields.iter().find(|field| letters(field.name) == letters(name)) {
                    Some(field) => leaves((field.shape)(), shown, &path, out),
                    None => drop(out.insert(format!("{path} (!)"))),
                }
            }
        }
        // Which alternative was taken shows in its members; the one whose members fit is it.
        (Shape::Union { fields, .. }, shown) => {
            let fits = |field: &&Field| match shown {
                Shown::Struct(members) => {
                    let known = (field.shape)().fields();
                    known.len() == members.len()
                        && members.iter().all(|(n, _)| known.iter().any(|f| letters(f.name) == letters(n)))
                }
                Shown::Leaf | Shown::List(_) => (field.shape)().fields().is_empty(),
            };
            match fields.iter().find(fits) {
                Some(field) => leaves((field.shape)(), shown, &format!("{path}.{}", field.name), out),
                None => drop(out.insert(format!("{path}: an alternative that differs (!)"))),
            }
        }
        (Shape::List(element) | Shape::Map(element), Shown::List(items)) => {
            assert_eq!(items.len(), 1, "{path}: the full document has one element");
            leaves(element(), &items[0], path, out);
        }
        // An empty structure prints as its bare name.
        (Shape::Struct { fields: [], .. }, Shown::Leaf) => drop(out.insert(path.to_owned())),
        // The SDK keeps these out of `Debug`; they are looked at by themselves.
        (Shape::List(element), Shown::Leaf) if !element().fields().is_empty() => leaves(element(), shown, path, out),
        (Shape::Struct { name: "RepositoryCredentials" | "KeyValuePair", fields }, Shown::Leaf) => {
            out.extend(fields.iter().map(|field| format!("{path}.{}", field.name)));
        }
        (Shape::Struct { name, .. }, other) => panic!("{path}: {name} prints as {other:?}"),
        (_, _) => drop(out.insert(path.to_owned())),
    }
}

/// The leaf paths of a shape.
fn count(shape: Shape) -> usize {
    match shape {
        Shape::List(element) | Shape::Map(element) => count(element()),
        Shape::Struct { fields: [], .. } => 1,
        Shape::Struct { fields, .. } | Shape::Union { fields, .. } => fields.iter().map(|f| count((f.shape)())).sum(),
        Shape::Boolean | Shape::Integer | Shape::Long | Shape::Number => 1,
        Shape::Text | Shape::Time | Shape::Duration | Shape::FreeForm | Shape::Enum(_) => 1,
    }
}

/// `cargo update` brings a new member; this names it.
#[test]
fn the_tables_lack_nothing_that_the_sdk_has() {
    fn check<T: Wire + Debug>(name: &str, _: &str) -> Vec<String> {
        let mut sdk = BTreeSet::new();
        for pick in 0..ALTERNATIVES {
            let typed: T = decode(&full(T::shape(), pick)).expect("the full document decodes");
            let text = format!("{typed:?}");
            leaves(T::shape(), &Debugged(&text).value(), "", &mut sdk);
        }
        let short = name.rsplit("::").next().unwrap_or(name).trim();
        println!("{short}: covered {} of {}", count(T::shape()), sdk.len());
        let lacking = sdk.iter().filter(|path| path.ends_with("(!)")).map(|path| format!("{short}{path}"));
        lacking.chain((count(T::shape()) != sdk.len()).then(|| format!("{short}: the counts differ"))).collect()
    }
    assert_eq!(every_type!(check), Vec::<String>::new());
}

/// The builder has every field that can be set, so an operation's input cannot lack one even where `Debug` is redacted.
#[test]
fn the_tables_have_the_fields_of_the_builders() {
    fn check<T: Wire>(name: &str, builder: &str) -> Vec<String> {
        let Shown::Struct(members) = Debugged(builder).value() else { panic!("{name}: {builder}") };
        let sdk: Vec<String> = members.iter().map(|(name, _)| letters(name)).collect();
        let table: Vec<String> = T::shape().fields().iter().map(|field| letters(field.name)).collect();
        let lacking = sdk.iter().filter(|name| !table.contains(name)).map(|field| format!("{name} lacks {field}"));
        lacking
            .chain(table.iter().filter(|name| !sdk.contains(name)).map(|f| format!("{name} has {f} too much")))
            .collect()
    }
    assert_eq!(every_type!(check), Vec::<String>::new());
}

/// Calls `visit` for every structure of a shape, with the path that leads to it.
fn structures(shape: Shape, path: &str, visit: &mut impl FnMut(&str, &'static [Field])) {
    match shape {
        Shape::List(element) | Shape::Map(element) => structures(element(), path, visit),
        Shape::Struct { fields, .. } | Shape::Union { fields, .. } => {
            visit(path, fields);
            for field in fields {
                structures((field.shape)(), &format!("{path}.{}", field.name), visit);
            }
        }
        Shape::Boolean | Shape::Integer | Shape::Long | Shape::Number => {}
        Shape::Text | Shape::Time | Shape::Duration | Shape::FreeForm | Shape::Enum(_) => {}
    }
}

#[test]
fn list_semantics_fit_what_the_lists_hold() {
    fn check<T: Wire>(name: &str, _: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        structures(T::shape(), name, &mut |path, fields| {
            for field in fields {
                let path = format!("{path}.{}", field.name);
                match (field.order, (field.shape)()) {
                    (Order::Kept, _) | (Order::Set, Shape::List(_)) => {}
                    (Order::By(keys), Shape::List(element)) => {
                        let known = |key: &str| element().fields().iter().any(|field| field.name == key);
                        wrong.extend(keys.iter().filter(|key| !known(key)).map(|key| format!("{path} has no {key}")));
                    }
                    (Order::Set | Order::By(_), _) => wrong.push(format!("{path} is no list")),
                }
            }
        });
        wrong
    }
    assert_eq!(every_type!(check), Vec::<String>::new());
}

fn order(shape: Shape, path: &str) -> Order {
    let (last, parents) = path.split('.').collect::<Vec<_>>().split_last().map(|(l, p)| (*l, p.to_vec())).unwrap();
    let inner = |shape: Shape| match shape {
        Shape::List(element) | Shape::Map(element) => element(),
        other => other,
    };
    let shape = parents.iter().fold(shape, |shape, name| inner((shape.field(name).expect(name).shape)()));
    shape.field(last).expect(last).order
}

#[test]
fn the_lists_that_matter_most_are_matched_as_aws_means_them() {
    let shapes = shapes();
    let cases: &[(Shape, &str, Order)] = &[
        (shapes.task_definition, "containerDefinitions", Order::By(&["name"])),
        (shapes.task_definition, "containerDefinitions.command", Order::Kept),
        (shapes.task_definition, "containerDefinitions.environment", Order::By(&["name"])),
        (shapes.task_definition, "containerDefinitions.environmentFiles", Order::Kept),
        (shapes.task_definition, "containerDefinitions.dependsOn", Order::By(&["containerName"])),
        (shapes.task_definition, "containerDefinitions.links", Order::Set),
        (shapes.task_definition, "containerDefinitions.healthCheck.command", Order::Kept),
        (shapes.task_definition_answer, "requiresCompatibilities", Order::Set),
        (shapes.create_service, "networkConfiguration.awsvpcConfiguration.subnets", Order::Set),
        (shapes.create_service, "capacityProviderStrategy", Order::By(&["capacityProvider"])),
        (shapes.create_service, "placementStrategy", Order::Kept),
        (shapes.update_service, "deploymentConfiguration.lifecycleHooks", Order::Kept),
        (shapes.update_service, "deploymentConfiguration.lifecycleHooks.lifecycleStages", Order::Set),
        (shapes.service_answer, "deployments", Order::By(&["id"])),
        (shapes.rule, "conditions", Order::Set),
        (shapes.rule, "conditions.pathPatternConfig.values", Order::Set),
        (shapes.rule, "actions", Order::Kept),
        (shapes.rule, "actions.forwardConfig.targetGroups", Order::By(&["TargetGroupArn"])),
        (shapes.listener, "certificates", Order::By(&["CertificateArn"])),
        (shapes.alarm, "dimensions", Order::By(&["Name"])),
        (shapes.alarm, "metrics", Order::By(&["Id"])),
        (shapes.discovery_service, "dnsConfig.dnsRecords", Order::By(&["Type"])),
    ];
    for (shape, path, expected) in cases {
        assert_eq!(order(*shape, path), *expected, "{path}");
    }
    let required = |shape: Shape| -> Vec<&str> {
        shape.fields().iter().filter(|field| field.required).map(|field| field.name).collect()
    };
    assert_eq!(required(shapes.task_definition), ["family", "containerDefinitions"]);
    assert_eq!(required(shapes.create_service), ["serviceName"]);
    assert_eq!(required(shapes.update_service), ["service"]);
    assert_eq!(required(shapes.rule), ["ListenerArn", "Conditions", "Priority", "Actions"]);
    assert_eq!(required(shapes.target_group), ["Name"]);
}

#[track_caller]
fn mismatches<T: Wire + Debug>(document: Value) -> Vec<String> {
    decode::<T>(&document).expect_err("a mismatch").iter().map(ToString::to_string).collect()
}

#[test]
fn mismatches_name_place_and_remedy_all_at_once() {
    let document = json!({
        "Conditions": [{ "Field": "path-pattern", "values": ["/a"] }],
        "Actions": [{ "Type": "forwards", "Order": "1" }, { "TargetGroupArn": ["t"] }],
        "Priority": 3_000_000_000_i64,
        "priorities": 1,
    });
    assert_eq!(
        mismatches::<elbv2::operation::create_rule::CreateRuleInput>(document),
        [
            "/priorities: CreateRule has no field `priorities`",
            "CreateRule needs `ListenerArn`",
            "/Conditions/0/values: RuleCondition has no field `values`; did you mean `Values`?",
            "/Priority: expected a whole number of 32 bits, found a number",
            "/Actions/0/Type: expected one of authenticate-cognito, authenticate-oidc, fixed-response, forward, \
             jwt-validation, redirect, found \"forwards\"",
            "/Actions/0/Order: expected a whole number of 32 bits, found a string",
            "/Actions/1: Action needs `Type`",
            "/Actions/1/TargetGroupArn: expected a string, found a list",
        ]
    );
    assert_eq!(
        mismatches::<ecs::types::KeyValuePair>(json!({ "name": "PASSWORD", "value": 42_424_242 })),
        ["/value: expected a string, found a number"],
        "a value may be a secret and is not repeated"
    );
    assert_eq!(
        mismatches::<ecs::operation::create_service::CreateServiceInput>(json!([])),
        ["expected a mapping, found a list"]
    );
    assert_eq!(
        mismatches::<cloudwatch::types::EvaluationWindow>(json!({ "WallClockWindow": {}, "SlidingWindow": {} })),
        ["expected exactly one of WallClockWindow, SlidingWindow, found 2"]
    );
    assert_eq!(
        mismatches::<cloudwatch::types::EvaluationWindow>(json!({})),
        ["expected exactly one of WallClockWindow, SlidingWindow, found 0"]
    );
    assert_eq!(
        mismatches::<ecs::types::ContainerDefinition>(json!({ "dockerLabels": { "a/b~c": 1 } })),
        ["/dockerLabels/a~1b~0c: expected a string, found a number"]
    );
}

#[test]
fn an_answer_keeps_empty_lists_leaves_out_what_is_absent_and_takes_values_newer_than_the_sdk() {
    let container = ecs::types::ContainerDefinition::builder().name("web").set_environment(Some(Vec::new())).build();
    assert_eq!(encode(&container), json!({ "name": "web", "cpu": 0, "environment": [] }));
    let service = ecs::types::Service::builder().launch_type("MOON".into()).build();
    assert_eq!(encode(&service)["launchType"], "MOON");
    let labels = (0..50).map(|i| (format!("key{i}"), "v".to_owned())).collect();
    let container = ecs::types::ContainerDefinition::builder().set_docker_labels(Some(labels)).build();
    let keys: Vec<String> = encode(&container)["dockerLabels"].as_object().unwrap().keys().cloned().collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

/// A client that sends nothing and answers as told.
macro_rules! client {
    ($sdk:ident, $http:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new("eu-west-1"))
                .credentials_provider($sdk::config::Credentials::new("id", "secret", None, None, "test"))
                .http_client($http)
                .build(),
        )
    };
}

pub(super) use client;

fn answer(body: &'static str) -> Option<http::Response<SdkBody>> {
    Some(http::Response::new(SdkBody::from(body)))
}

#[tokio::test]
async fn a_rule_leaves_as_a_query_form_and_comes_back_from_xml() {
    let xml = r#"<CreateRuleResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><CreateRuleResult><Rules>
        <member><RuleArn>arn:r</RuleArn><Priority>10</Priority><IsDefault>false</IsDefault><Conditions><member>
        <Field>path-pattern</Field><PathPatternConfig><Values><member>/a*</member></Values></PathPatternConfig>
        </member></Conditions></member></Rules></CreateRuleResult></CreateRuleResponse>"#;
    let (http, request) = capture_request(answer(xml));
    let condition = json!({ "Field": "path-pattern", "PathPatternConfig": { "Values": ["/a*"] } });
    let input: elbv2::operation::create_rule::CreateRuleInput = decode(&json!({
        "ListenerArn": "arn:l", "Priority": 10, "Conditions": [condition],
        "Actions": [{ "Type": "forward", "TargetGroupArn": "arn:t" }],
    }))
    .unwrap();
    let sent = client!(elbv2, http).create_rule().customize().interceptor(WithInput(input)).send().await.unwrap();
    let request = request.expect_request();
    assert_eq!(request.headers().get("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        String::from_utf8_lossy(request.body().bytes().unwrap()),
        "Action=CreateRule&Version=2015-12-01&ListenerArn=arn%3Al&Conditions.member.1.Field=path-pattern\
         &Conditions.member.1.PathPatternConfig.Values.member.1=%2Fa%2A&Priority=10\
         &Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn=arn%3At"
    );
    assert_eq!(
        encode(&sent.rules()[0]),
        json!({ "RuleArn": "arn:r", "Priority": "10", "Conditions": [condition], "IsDefault": false })
    );
}

#[tokio::test]
async fn a_service_leaves_as_json_whole() {
    let (http, request) = capture_request(answer(r#"{"service": {"serviceName": "web", "desiredCount": 2}}"#));
    let document = full(shapes().create_service, 0);
    let input: ecs::operation::create_service::CreateServiceInput = decode(&document).unwrap();
    let sent = client!(ecs, http).create_service().customize().interceptor(WithInput(input)).send().await.unwrap();
    let request = request.expect_request();
    assert_eq!(request.headers().get("content-type"), Some("application/x-amz-json-1.1"));
    let target = request.headers().get("x-amz-target");
    assert_eq!(target, Some("AmazonEC2ContainerServiceV20141113.CreateService"));
    let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
    assert_eq!(body, document);
    let service = encode(sent.service().unwrap());
    assert_eq!(service["serviceName"], "web");
    assert_eq!(service["desiredCount"], 2);
}

#[tokio::test]
async fn an_input_of_another_operation_is_not_sent() {
    let (http, request) = capture_request(None);
    let input = ecs::operation::update_service::UpdateServiceInput::builder().build().unwrap();
    let sent = client!(ecs, http).create_service().customize().interceptor(WithInput(input)).send().await;
    assert!(sent.is_err());
    request.expect_no_request();
}
