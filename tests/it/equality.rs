//! When are two configurations the same? The tables of `kind/` row by row, and every list of every shape.

use driftless::aws::tables;
use driftless::core::diff::{Managed, diff};
use driftless::core::normal::{Literal, Row, Rule, Table as Rules, normalise};
use driftless::core::shape::{Order, Shape};
use driftless::kind::{service, task_definition};
use serde_json::{Map, Value, json};

/// A kind's table with the shape it is of and the form that is compared.
struct Table {
    name: &'static str,
    shape: Shape,
    rows: &'static [Row],
    comparable: fn(&Value, Shape) -> Value,
}

fn kinds() -> [Table; 2] {
    let shapes = tables::shapes();
    [
        Table {
            name: "task definition",
            shape: shapes.task_definition,
            rows: task_definition::ROWS,
            comparable: task_definition::comparable,
        },
        Table { name: "service", shape: shapes.create_service, rows: service::ROWS, comparable: service::comparable },
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
    assert!(checked > 40, "only {checked} rows were checked");
}

#[test]
fn equal_spellings_are_one() {
    let [definition, service, ..] = kinds();
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
    ];
    for (Table { name, shape, comparable, .. }, a, b) in cases {
        assert_eq!(comparable(&a, *shape), comparable(&b, *shape), "{name}: {a} is {b}");
    }
}

#[test]
fn what_is_not_the_same_stays_apart() {
    let [definition, service, ..] = kinds();
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
    ];
    for (Table { name, shape, comparable, .. }, a, b) in cases {
        assert_ne!(comparable(&a, *shape), comparable(&b, *shape), "{name}: {a} is not {b}");
    }
}

/// A full document of a shape with two different elements in every list; `twist` says which list is turned round.
fn full(shape: Shape, path: &str, twist: Option<&str>, depth: usize, seed: usize) -> Value {
    match shape {
        Shape::Boolean => (seed % 2 == 0).into(),
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

#[test]
fn the_order_of_sets_does_not_matter_and_that_of_lists_does() {
    let shapes = tables::shapes();
    let all = [
        shapes.task_definition,
        shapes.create_service,
        shapes.target_group,
        shapes.listener,
        shapes.rule,
        shapes.scalable_target,
        shapes.scaling_policy,
        shapes.scheduled_action,
        shapes.alarm,
        shapes.discovery_service,
    ];
    let (mut sets, mut kept) = (0, 0);
    for shape in all {
        let mut found = Vec::new();
        lists(shape, Order::Kept, "", 0, &mut found);
        let straight = normalise(&full(shape, "", None, 0, 0), shape, &Rules::default());
        assert!(normalise(&straight, shape, &Rules::default()) == straight, "normalise is idempotent");
        for (path, order) in found {
            let turned = normalise(&full(shape, "", Some(&path), 0, 0), shape, &Rules::default());
            match order {
                Order::Kept => {
                    assert!(turned != straight, "{path} keeps its order");
                    kept += 1;
                }
                Order::Set | Order::By(_) => {
                    assert!(turned == straight, "{path} has no order");
                    sets += 1;
                }
            }
        }
    }
    println!("{sets} sets and keyed lists, {kept} ordered lists");
    assert!(sets > 40 && kept > 5, "{sets} {kept}");
}
