//! When are two configurations the same? The tables of `kind/` row by row, and every list of every shape.

use driftless::aws::tables;
use driftless::core::diff::{Managed, diff};
use driftless::core::normal::{Literal, Row, Rule, Table as Rules, normalise};
use driftless::core::shape::{Order, Shape};
use driftless::kind::{
    alarm, discovery, listener, rule, scalable_target, scaling_policy, scheduled_action, service, target_group,
    task_definition,
};
use serde_json::{Map, Value, json};

/// A kind's table with the shape it is of and the form that is compared.
struct Table {
    name: &'static str,
    shape: Shape,
    rows: &'static [Row],
    comparable: fn(&Value, Shape) -> Value,
}

fn kinds() -> [Table; 10] {
    let shapes = tables::shapes();
    let of = |name, shape, rows, comparable| Table { name, shape, rows, comparable };
    [
        of("task definition", shapes.task_definition, task_definition::ROWS, task_definition::comparable),
        of("service", shapes.create_service, service::ROWS, service::comparable),
        // What these two fill in depends on their other fields; the cases below have it.
        of("target group", shapes.target_group, &[], target_group::comparable),
        of("rule", shapes.rule, &[], rule::comparable),
        of("listener", shapes.listener, listener::ROWS, listener::comparable),
        of("scalable target", shapes.scalable_target, scalable_target::ROWS, scalable_target::comparable),
        of("scaling policy", shapes.scaling_policy, scaling_policy::ROWS, scaling_policy::comparable),
        of("scheduled action", shapes.scheduled_action, scheduled_action::ROWS, scheduled_action::comparable),
        of("alarm", shapes.alarm, alarm::ROWS, alarm::comparable),
        of("Cloud Map service", shapes.discovery_service, discovery::ROWS, discovery::comparable),
    ]
}

fn literal(literal: Literal) -> Value {
    match literal {
        Literal::Bool(b) => b.into(),
        Literal::Int(n) => n.into(),
        Literal::Text(text) => text.into(),
        Literal::Texts(texts) => texts.iter().copied().collect(),
    }
}

/// A value of the shape that is not `value`.
fn another(shape: Shape, value: &Value) -> Value {
    match shape {
        Shape::Boolean => (value != &json!(true)).into(),
        Shape::Integer | Shape::Long | Shape::Number => (value.as_i64().unwrap_or_default() + 7).into(),
        Shape::Enum(values) => values.iter().find(|v| value != *v).copied().unwrap_or_default().into(),
        Shape::List(element) => json!([another(element(), &Value::Null)]),
        _ => "something else".into(),
    }
}

/// A document with the structures of `path` around `leaf`, and a key in every list element that has one.
fn around(shape: Shape, path: &[&str], leaf: Option<Value>) -> Value {
    let [name, rest @ ..] = path else { return leaf.unwrap_or(Value::Null) };
    let field = shape.field(name).unwrap_or_else(|| panic!("the table names {name}, which the shape does not have"));
    let mut map = Map::new();
    if rest.is_empty() {
        // Something beside it, since a structure without anything is as good as absent.
        let beside = shape.fields().iter().find(|other| other.name != *name && is_plain((other.shape)()));
        map.extend(beside.map(|other| (other.name.to_owned(), another((other.shape)(), &Value::Null))));
        map.extend(leaf.map(|leaf| ((*name).to_owned(), leaf)));
        return Value::Object(map);
    }
    let inner = (field.shape)();
    let value = match inner {
        Shape::List(element) => {
            let mut item = around(element(), rest, leaf);
            if let (Value::Object(item), Order::By(keys)) = (&mut item, field.order) {
                let shape = element();
                let key = shape.field(keys[0]).unwrap();
                item.entry(keys[0]).or_insert_with(|| match (key.shape)() {
                    Shape::Integer => json!(1),
                    _ => json!("a"),
                });
            }
            json!([item])
        }
        inner => around(inner, rest, leaf),
    };
    map.insert((*name).to_owned(), value);
    Value::Object(map)
}

fn is_plain(shape: Shape) -> bool {
    match shape {
        Shape::List(element) => matches!(element(), Shape::Text),
        shape => matches!(shape, Shape::Boolean | Shape::Integer | Shape::Text | Shape::Enum(_)),
    }
}

/// The shape at `path`. Steps into lists on the way, since a path has no step for their elements.
fn shape_at(shape: Shape, path: &[&str]) -> Shape {
    let mut shape = shape;
    for name in path {
        if let Shape::List(element) = shape {
            shape = element();
        }
        shape = (shape.field(name).unwrap_or_else(|| panic!("no field {name}")).shape)();
    }
    shape
}

#[test]
fn what_aws_fills_in_is_no_difference_and_anything_else_is() {
    let mut checked = 0;
    for Table { name, shape, rows, comparable } in kinds() {
        for Row { path, rule } in rows {
            let (Rule::Within(default) | Rule::Always(default)) = rule else { continue };
            let steps: Vec<&str> = path.split('.').collect();
            let default = literal(*default);
            let without = comparable(&around(shape, &steps, None), shape);
            let with = comparable(&around(shape, &steps, Some(default.clone())), shape);
            assert!(without == with, "{name}: {path} left out and {default} are the same: {without} {with}");
            let other = another(shape_at(shape, &steps), &default);
            let changed = comparable(&around(shape, &steps, Some(other.clone())), shape);
            assert!(without != changed, "{name}: {path} left out and {other} are not the same");
            let found = diff("x", shape, Managed::Whole, &changed, &without);
            assert!(!found.changes.is_empty(), "{name}: {path} = {other} is seen");
            checked += 1;
        }
    }
    println!("{checked} rows");
    assert!(checked > 60, "only {checked} rows were checked");
}

#[test]
fn equal_spellings_are_one() {
    let [definition, service, group, rule, listener, target, policy, action, alarm, map] = kinds();
    let forward = |groups: Value| json!({"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]});
    let cases = [
        (&definition, json!({"cpu": "0.25 vCPU", "memory": "1 GB"}), json!({"cpu": "256", "memory": "1024"})),
        (
            &definition,
            json!({"networkMode": "awsvpc", "containerDefinitions": [{"name": "a", "portMappings": [{"containerPort": 80}]}]}),
            json!({"networkMode": "awsvpc", "containerDefinitions": [{"name": "a", "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}]}),
        ),
        (
            &definition,
            json!({"containerDefinitions": [{"name": "a", "portMappings": [{"containerPort": 80}]}]}),
            json!({"networkMode": "bridge", "containerDefinitions": [{"name": "a", "portMappings": [{"containerPort": 80, "hostPort": 0}]}]}),
        ),
        (
            &definition,
            json!({"containerDefinitions": [{"name": "a", "linuxParameters": {"maxSwap": 1}}]}),
            json!({"containerDefinitions": [{"name": "a", "linuxParameters": {"maxSwap": 1, "swappiness": 60, "tmpfs": [], "devices": []}}]}),
        ),
        (&definition, json!({"taskRoleArn": "", "volumes": []}), json!({"volumes": null})),
        (
            &definition,
            json!({"volumes": [{"name": "v", "host": {}}]}),
            json!({"volumes": [{"name": "v", "configuredAtLaunch": false}]}),
        ),
        (
            &service,
            json!({"placementStrategy": [{"type": "spread", "field": "host"}]}),
            json!({"placementStrategy": [{"type": "spread", "field": "instanceId"}]}),
        ),
        (
            &service,
            json!({"placementStrategy": [{"type": "binpack", "field": "MEMORY"}]}),
            json!({"placementStrategy": [{"type": "binpack", "field": "memory"}]}),
        ),
        (&service, json!({"platformVersion": "LATEST"}), json!({})),
        (
            &service,
            json!({"schedulingStrategy": "DAEMON"}),
            json!({"schedulingStrategy": "DAEMON", "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}}),
        ),
        (
            &service,
            json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "local", "services": [{"portName": "http", "clientAliases": [{"port": 80}]}]}}),
            json!({"serviceConnectConfiguration": {"enabled": true, "namespace": "arn:aws:servicediscovery:r:1:namespace/local", "services": [{"portName": "http", "discoveryName": "http", "clientAliases": [{"port": 80, "dnsName": "http.local"}]}]}}),
        ),
        (
            &group,
            json!({"Protocol": "HTTP", "Port": 80}),
            json!({"Name": "a", "Protocol": "HTTP", "Port": 80, "ProtocolVersion": "HTTP1", "TargetType": "instance",
                "IpAddressType": "ipv4", "HealthCheckEnabled": true, "HealthCheckProtocol": "HTTP",
                "HealthCheckPort": "traffic-port", "HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 5,
                "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "HealthCheckPath": "/",
                "Matcher": {"HttpCode": "200"}}),
        ),
        (
            &group,
            json!({"Protocol": "HTTP", "ProtocolVersion": "GRPC"}),
            json!({"Protocol": "HTTP", "ProtocolVersion": "GRPC", "HealthCheckPath": "/AWS.ALB/healthcheck",
                "Matcher": {"GrpcCode": "12"}}),
        ),
        (
            &group,
            json!({"Protocol": "TCP", "HealthCheckProtocol": "HTTP"}),
            json!({"Protocol": "TCP", "HealthCheckProtocol": "HTTP", "HealthCheckTimeoutSeconds": 10,
                "HealthCheckPath": "/", "Matcher": {"HttpCode": "200-399"}}),
        ),
        // A TCP check has neither path nor matcher, whatever is left of an earlier one.
        (&group, json!({"Protocol": "TCP"}), json!({"Protocol": "TCP", "HealthCheckPath": "/", "Matcher": {}})),
        (
            &group,
            json!({"TargetType": "lambda"}),
            json!({"TargetType": "lambda", "HealthCheckEnabled": false, "HealthCheckIntervalSeconds": 35,
                "HealthCheckTimeoutSeconds": 30, "HealthCheckPath": "/", "Matcher": {"HttpCode": "200"}}),
        ),
        (
            &group,
            json!({"Protocol": "GENEVE"}),
            json!({"Protocol": "GENEVE", "HealthCheckProtocol": "TCP", "HealthCheckPort": "80",
                "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 5}),
        ),
        (
            &rule,
            json!({"Conditions": [{"Field": "host-header", "Values": ["A.example", "b.example"]}]}),
            json!({"Conditions": [{"Field": "host-header", "Values": ["b.example", "a.example"],
                "HostHeaderConfig": {"Values": ["b.example", "a.example"]}}]}),
        ),
        (
            &rule,
            json!({"Conditions": [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8", "192.0.2.0/24"]}}]}),
            json!({"Conditions": [{"Field": "source-ip", "Values": [],
                "SourceIpConfig": {"Values": ["192.0.2.0/24", "10.0.0.0/8"]}}]}),
        ),
        (
            &rule,
            json!({"Conditions": [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["B"]}}]}),
            json!({"Conditions": [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x-a", "Values": ["b"]}}]}),
        ),
        (&rule, json!({"Transforms": [], "Priority": 1}), json!({"Priority": "2"})),
        (
            &rule,
            json!({"Actions": [{"Type": "forward", "TargetGroupArn": "a"}]}),
            json!({"Actions": [{"Type": "forward", "Order": 1, "TargetGroupArn": "a", "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": "a", "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": false, "DurationSeconds": 60}}}]}),
        ),
        (
            &rule,
            forward(json!([{"TargetGroupArn": "a"}, {"TargetGroupArn": "b", "Weight": 2}])),
            forward(json!([{"TargetGroupArn": "b", "Weight": 2}, {"TargetGroupArn": "a", "Weight": 1}])),
        ),
        (
            &rule,
            json!({"Actions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]}),
            json!({"Actions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "#{host}",
                "Path": "/#{path}", "Port": "#{port}", "Protocol": "#{protocol}", "Query": "#{query}"}}]}),
        ),
        (
            &rule,
            json!({"Actions": [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {"ClientId": "a",
                "ClientSecret": "b"}}, {"Type": "fixed-response", "Order": 2}]}),
            json!({"Actions": [{"Type": "fixed-response", "Order": 20}, {"Type": "authenticate-oidc", "Order": 10,
                "AuthenticateOidcConfig": {"ClientId": "a", "Scope": "openid", "SessionTimeout": 604_800,
                    "SessionCookieName": "AWSELBAuthSessionCookie", "OnUnauthenticatedRequest": "authenticate"}}]}),
        ),
        (
            &listener,
            json!({"Protocol": "HTTPS", "Certificates": [{"CertificateArn": "a"}]}),
            json!({"Protocol": "HTTPS", "Certificates": [{"CertificateArn": "a", "IsDefault": true}],
                "SslPolicy": "ELBSecurityPolicy-2016-08", "MutualAuthentication": {"Mode": "off"}}),
        ),
        (&target, json!({"MinCapacity": 1}), json!({"MinCapacity": 1, "RoleARN": "r", "Tags": {"a": "b"}})),
        (
            &policy,
            json!({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70}}),
            json!({"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration":
                {"TargetValue": 70.0, "ScaleInCooldown": 300, "ScaleOutCooldown": 300, "DisableScaleIn": false}}),
        ),
        (
            &policy,
            json!({"StepScalingPolicyConfiguration": {"StepAdjustments": [
                {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}, {"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}]}}),
            json!({"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": {"StepAdjustments": [
                {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": -1}, {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
                "Cooldown": 300, "MetricAggregationType": "Average"}}),
        ),
        (
            &action,
            json!({"Schedule": " rate(1 hour)", "StartTime": "2026-01-02T03:00:00+02:00"}),
            json!({"Schedule": "rate(1 hour)", "StartTime": "2026-01-02T01:00:00Z", "Timezone": "UTC"}),
        ),
        (
            &alarm,
            json!({"EvaluationPeriods": 3, "Threshold": 70}),
            json!({"EvaluationPeriods": 3, "DatapointsToAlarm": 3, "Threshold": 70.0, "OKActions": [],
                "AlarmActions": [], "InsufficientDataActions": [], "ActionsEnabled": true, "TreatMissingData": "missing"}),
        ),
        (
            &map,
            json!({"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 60}]}, "HealthCheckCustomConfig": {}}),
            json!({"Type": "DNS_HTTP", "DnsConfig": {"NamespaceId": "ns-1", "RoutingPolicy": "MULTIVALUE",
                "DnsRecords": [{"Type": "A", "TTL": 60}]}, "HealthCheckCustomConfig": {"FailureThreshold": 1}}),
        ),
    ];
    for (Table { name, shape, comparable, .. }, a, b) in cases {
        assert_eq!(comparable(&a, *shape), comparable(&b, *shape), "{name}: {a} is {b}");
    }
}

#[test]
fn what_is_not_the_same_stays_apart() {
    let [definition, service, group, rule, listener, target, policy, action, alarm, map] = kinds();
    let forward = |fields: Value| json!({"Actions": [{"Type": "forward", "ForwardConfig": fields}]});
    let container = |fields: Value| {
        let mut container = json!({"name": "a"});
        container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "containerDefinitions": [container] })
    };
    let cases = [
        // `[""]` clears the image's command; `[]` leaves it.
        (&definition, container(json!({"command": [""]})), container(json!({"command": []}))),
        // Presence alone means something.
        (&definition, container(json!({"restartPolicy": {}})), container(json!({}))),
        (&definition, container(json!({"linuxParameters": {"maxSwap": 0}})), container(json!({}))),
        (&definition, container(json!({"dnsServers": ["a", "b"]})), container(json!({"dnsServers": ["b", "a"]}))),
        (&definition, container(json!({"dockerLabels": {"A": ""}})), container(json!({"dockerLabels": {"a": ""}}))),
        (
            &service,
            json!({"placementStrategy": [{"type": "spread"}, {"type": "random"}]}),
            json!({"placementStrategy": [{"type": "random"}, {"type": "spread"}]}),
        ),
        (&service, json!({"desiredCount": 0}), json!({})),
        (&service, json!({"platformVersion": "1.4.0"}), json!({"platformVersion": "LATEST"})),
        (&group, json!({"Protocol": "HTTP"}), json!({"Protocol": "HTTP", "HealthCheckTimeoutSeconds": 6})),
        (&group, json!({"TargetType": "lambda"}), json!({"TargetType": "lambda", "HealthCheckEnabled": true})),
        (&group, json!({"Protocol": "HTTP"}), json!({"Protocol": "HTTP", "Matcher": {"HttpCode": "200-399"}})),
        // Stickiness of one group does mean something.
        (
            &rule,
            forward(json!({"TargetGroups": [{"TargetGroupArn": "a"}]})),
            forward(json!({"TargetGroups": [{"TargetGroupArn": "a"}],
                "TargetGroupStickinessConfig": {"Enabled": true, "DurationSeconds": 60}})),
        ),
        (
            &rule,
            forward(json!({"TargetGroups": [{"TargetGroupArn": "a"}, {"TargetGroupArn": "b"}]})),
            forward(json!({"TargetGroups": [{"TargetGroupArn": "a"}, {"TargetGroupArn": "b", "Weight": 0}]})),
        ),
        // Case counts in paths, and a pair without a key is not one with it.
        (
            &rule,
            json!({"Conditions": [{"Field": "path-pattern", "Values": ["/A"]}]}),
            json!({"Conditions": [{"Field": "path-pattern", "Values": ["/a"]}]}),
        ),
        (
            &rule,
            json!({"Conditions": [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "a"}]}}]}),
            json!({"Conditions": [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "k", "Value": "a"}]}}]}),
        ),
        (
            &listener,
            json!({"Certificates": [{"CertificateArn": "a"}, {"CertificateArn": "b"}]}),
            json!({"Certificates": [{"CertificateArn": "b"}, {"CertificateArn": "a"}]}),
        ),
        (&target, json!({"MinCapacity": 0}), json!({"MaxCapacity": 1})),
        (
            &policy,
            json!({"StepScalingPolicyConfiguration": {"StepAdjustments": [{"ScalingAdjustment": 1}]}}),
            json!({"StepScalingPolicyConfiguration": {"StepAdjustments": [{"ScalingAdjustment": 1, "MetricIntervalLowerBound": 0}]}}),
        ),
        // An absent bound means "leave that bound".
        (
            &action,
            json!({"ScalableTargetAction": {"MinCapacity": 0}}),
            json!({"ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0}}),
        ),
        (&action, json!({"Schedule": "rate(1 hour)"}), json!({"Schedule": "rate(1  hour)"})),
        (&alarm, json!({"EvaluationPeriods": 3}), json!({"EvaluationPeriods": 3, "DatapointsToAlarm": 2})),
        (&map, json!({"HealthCheckCustomConfig": {}}), json!({})),
    ];
    for (Table { name, shape, comparable, .. }, a, b) in cases {
        assert_ne!(comparable(&a, *shape), comparable(&b, *shape), "{name}: {a} is not {b}");
    }
}

/// A full document of a shape with two different elements in every list; `twist` says which list is turned round.
fn full(shape: Shape, path: &str, twist: Option<&str>, depth: usize, seed: usize) -> Value {
    match shape {
        Shape::Boolean => seed.is_multiple_of(2).into(),
        Shape::Integer | Shape::Long => (seed + 3).into(),
        Shape::Number => (seed as f64 + 0.5).into(),
        Shape::Text | Shape::Duration => format!("text {seed}").into(),
        Shape::Time => "2026-01-02T03:04:05Z".into(),
        Shape::FreeForm => json!({ "any": [seed] }),
        Shape::Enum(values) => values[seed % values.len()].into(),
        Shape::Map(value) => json!({ "key": full(value(), path, twist, depth + 1, seed) }),
        Shape::List(element) => {
            let item = |n: usize| full(element(), path, twist, depth + 1, seed + n);
            let mut items = vec![item(0), item(1)];
            if twist == Some(path) {
                items.reverse();
            }
            items.into()
        }
        Shape::Struct { fields, .. } => {
            let fields = fields.iter().filter(|_| depth < 16).map(|field| {
                let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
                let value = full((field.shape)(), &path, twist, depth + 1, seed);
                (field.name.to_owned(), value)
            });
            Value::Object(fields.collect())
        }
        Shape::Union { fields, .. } => {
            json!({ fields[0].name: full((fields[0].shape)(), path, twist, depth + 1, seed) })
        }
    }
}

/// Every list of a shape by its path, with its order.
fn lists(shape: Shape, order: Order, path: &str, depth: usize, out: &mut Vec<(String, Order)>) {
    match shape {
        _ if depth > 16 => {}
        Shape::List(element) => {
            out.push((path.to_owned(), order));
            lists(element(), Order::Kept, path, depth + 1, out);
        }
        Shape::Map(value) => lists(value(), Order::Kept, path, depth + 1, out),
        Shape::Struct { fields, .. } => {
            for field in fields {
                let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
                lists((field.shape)(), field.order, &path, depth + 1, out);
            }
        }
        _ => {}
    }
}

/// Lists whose order a kind knows better than the shape does.
const ORDER_KNOWN_BETTER: &[(&str, &str, bool, &str)] = &[
    ("rule", "Actions", false, "the actions say their order themselves, in `Order`"),
    ("listener", "DefaultActions", false, "the same"),
    ("listener", "Certificates", true, "the first one is the default"),
];

#[test]
fn the_order_of_sets_does_not_matter_and_that_of_lists_does() {
    let (mut sets, mut kept, mut known) = (0, 0, 0);
    for Table { name, shape, comparable, .. } in kinds() {
        let mut found = Vec::new();
        lists(shape, Order::Kept, "", 0, &mut found);
        let whole = |twist: Option<&str>| full(shape, "", twist, 0, 0);
        let plain = |twist: Option<&str>| normalise(&whole(twist), shape, &Rules::default());
        let straight = plain(None);
        assert!(normalise(&straight, shape, &Rules::default()) == straight, "{name}: normalise is idempotent");
        let form = comparable(&whole(None), shape);
        assert!(comparable(&form, shape) == form, "{name}: the one form is its own one form");
        for (path, order) in found {
            let turned = Some(path.as_str());
            let ordered = order == Order::Kept;
            assert!((plain(turned) != straight) == ordered, "{name}: {path} is matched by {order:?}");
            let top = path.split('.').next().unwrap_or_default();
            if form.get(top).is_none() {
                // Identity, and what is compared elsewhere.
                continue;
            }
            let row = ORDER_KNOWN_BETTER.iter().find(|(kind, at, ..)| (*kind, *at) == (name, path.as_str()));
            known += usize::from(row.is_some());
            let ordered = row.map_or(ordered, |(_, _, counts, _)| *counts);
            assert!((comparable(&whole(turned), shape) != form) == ordered, "{name}: {path}, ordered: {ordered}");
            if ordered {
                kept += 1;
            } else {
                sets += 1;
            }
        }
    }
    println!("{sets} sets and keyed lists, {kept} ordered lists");
    assert!(sets > 40 && kept > 5, "{sets} {kept}");
    assert_eq!(known, ORDER_KNOWN_BETTER.len());
}
