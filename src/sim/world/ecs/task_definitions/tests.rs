//! Task definitions, through the account's door.

use crate::sim::world::World;
use crate::sim::world::ecs::common::members;
use jiff::Timestamp;
use serde_json::{Value, json};

fn world() -> World {
    World::new("123456789012", "us-east-1", Timestamp::UNIX_EPOCH, 1)
}

fn ok(world: &mut World, operation: &str, input: &Value) -> Value {
    world.answer("ecs", operation, input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
}

/// A definition for Fargate, with members of the task and of its container changed.
fn definition(task: &Value, container: &Value) -> Value {
    let mut web = members(&json!({ "name": "web", "image": "nginx:1", "portMappings": [{ "containerPort": 80 }] }));
    web.extend(members(container));
    let mut all = members(&json!({
        "family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "containerDefinitions": [web],
        "requiresCompatibilities": ["FARGATE"],
    }));
    // Null takes a member away.
    for (field, value) in task.as_object().into_iter().flatten() {
        all.insert(field.clone(), value.clone());
    }
    Value::Object(all)
}

#[test]
fn what_is_left_out_is_filled_in() {
    let check = |task: Value, container: Value, pointer: &str, expected: Value| {
        let answer = ok(&mut world(), "RegisterTaskDefinition", &definition(&task, &container));
        assert_eq!(answer["taskDefinition"].pointer(pointer), Some(&expected), "{task} {container} {pointer}");
    };
    let first = "/containerDefinitions/0";
    let at = |field: &str| format!("{first}/{field}");
    for (field, value) in [
        ("cpu", json!(0)),
        ("essential", json!(true)),
        ("environment", json!([])),
        ("mountPoints", json!([])),
        ("volumesFrom", json!([])),
        ("systemControls", json!([])),
        ("portMappings", json!([{ "containerPort": 80, "hostPort": 80, "protocol": "tcp" }])),
    ] {
        check(json!({}), json!({}), &at(field), value);
    }
    let health = json!({ "healthCheck": { "command": ["CMD", "true"] } });
    let filled = json!({ "command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3 });
    check(json!({}), health, &at("healthCheck"), filled);
    let linux = json!({ "linuxParameters": { "initProcessEnabled": true } });
    check(json!({}), linux, &at("linuxParameters"), json!({ "initProcessEnabled": true, "devices": [], "tmpfs": [] }));
    let bridge = json!({ "networkMode": null, "requiresCompatibilities": ["EC2"] });
    let dynamic = json!([{ "containerPort": 80, "hostPort": 0, "protocol": "tcp" }]);
    check(bridge.clone(), json!({}), &at("portMappings"), dynamic);
    check(bridge, json!({}), "/compatibilities", json!(["EXTERNAL", "EC2"]));
    check(json!({}), json!({}), "/compatibilities", json!(["EC2", "MANAGED_INSTANCES", "FARGATE"]));
    check(json!({ "cpu": "0.25 vCPU", "memory": "1 GB" }), json!({}), "/memory", json!("1024"));
    check(json!({ "cpu": ".5vcpu", "memory": "1GB" }), json!({}), "/cpu", json!("512"));
    let volumes = json!({ "volumes": [{ "name": "a" }, { "name": "b", "configuredAtLaunch": true }] });
    let shown = json!([{ "name": "a", "host": {} }, { "name": "b", "configuredAtLaunch": true }]);
    check(volumes, json!({}), "/volumes", shown);
    check(json!({}), json!({}), "/placementConstraints", json!([]));
    check(json!({}), json!({}), "/status", json!("ACTIVE"));
}

#[test]
fn the_order_is_that_of_a_hash() {
    let names: Vec<String> = (0..12).map(|number| format!("NAME_{number}")).collect();
    let sent: Vec<Value> = names.iter().map(|name| json!({ "name": name, "value": "x" })).collect();
    let sidecar = json!({ "name": "zlog", "image": "log:1", "essential": false });
    let mut input = definition(&json!({}), &json!({ "environment": sent }));
    input["containerDefinitions"].as_array_mut().unwrap().push(sidecar);
    let answer = ok(&mut world(), "RegisterTaskDefinition", &input);
    let containers = answer["taskDefinition"]["containerDefinitions"].as_array().unwrap();
    assert_eq!(containers[0]["name"], "zlog", "one that is not essential comes first");
    let mut shown: Vec<&str> =
        containers[1]["environment"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_ne!(shown, names, "not as sent");
    shown.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(shown, sorted, "but all of them");
}

#[test]
fn what_cannot_run_is_refused() {
    let check = |task: Value, container: Value, words: &str| {
        let answer = world().answer("ecs", "RegisterTaskDefinition", &definition(&task, &container));
        let refusal = answer.expect_err(words);
        assert!(refusal.message.contains(words), "{task} {container}: {refusal}");
        assert_eq!(refusal.code, "ClientException", "{words}");
    };
    let none = || json!({});
    let logs = |options: Value| json!({ "logConfiguration": { "logDriver": "awslogs", "options": options } });
    check(json!({ "family": "a b" }), none(), "Family contains invalid characters.");
    check(json!({ "family": "" }), none(), "Family should not be null or empty.");
    check(json!({ "containerDefinitions": [] }), none(), "Container list cannot be empty.");
    check(none(), json!({ "name": "a.b" }), "Container.name contains invalid characters.");
    check(none(), json!({ "image": "" }), "Container.image should not be null or empty.");
    check(none(), json!({ "essential": false }), "doesn't have any essential container");
    check(json!({ "tags": [] }), none(), "Tags can not be empty.");
    check(
        json!({ "memory": "1536" }),
        none(),
        "No Fargate configuration exists for given values: 256 CPU, 1536 memory.",
    );
    check(json!({ "cpu": "1024" }), none(), "No Fargate configuration exists");
    check(json!({ "cpu": "lots" }), none(), "Invalid 'cpu' setting for task.");
    check(json!({ "networkMode": "bridge" }), none(), "Fargate only supports network mode 'awsvpc'.");
    check(
        json!({ "memory": null }),
        json!({ "memory": 64 }),
        "Fargate requires that 'memory' be defined at the task level.",
    );
    check(none(), logs(json!({ "awslogs-group": "g" })), "Log driver awslogs requires options: awslogs-region");
    let log_options = json!({ "awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p" });
    check(none(), logs(log_options), "execution role ARN to support log driver awslogs.");
    let ecr = json!({ "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1" });
    check(none(), ecr, "execution role ARN to support ECR images.");
    check(none(), json!({ "privileged": true }), "'privileged' setting be 'false'");
    check(none(), json!({ "secrets": [{ "name": "A", "valueFrom": "/a" }] }), "specify a value for 'executionRoleArn'");
    let both =
        json!({ "secrets": [{ "name": "A", "valueFrom": "/a" }], "environment": [{ "name": "A", "value": "" }] });
    check(json!({ "executionRoleArn": "arn:aws:iam::1:role/x" }), both, "The secret name must be unique");
    check(none(), json!({ "portMappings": [{ "containerPort": 80, "hostPort": 81 }] }), "must match.");
    let mount = json!({ "mountPoints": [{ "sourceVolume": "data", "containerPath": "/data" }] });
    check(none(), mount, "Unknown volume 'data'.");
    check(none(), json!({ "cpu": 512 }), "The sum of all container 'cpu' values");
    check(none(), json!({ "memory": 1024 }), "greater than for the task");
    check(json!({ "memory": null }), none(), "At least one of 'memory' or 'memoryReservation' must be specified.");
    let depends = json!({ "dependsOn": [{ "containerName": "db", "condition": "START" }] });
    check(none(), depends, "Cannot depend on container db because it does not exist.");
    let long = "x".repeat(66_000);
    check(none(), json!({ "environment": [{ "name": "A", "value": long }] }), "Max allowed length is '65536' bytes.");
}

#[test]
fn a_family_is_its_newest_active_revision() {
    let mut world = world();
    let mut input = definition(&json!({}), &json!({}));
    input["tags"] = json!([{ "key": "team", "value": "a" }]);
    for number in 1..=3 {
        let answer = ok(&mut world, "RegisterTaskDefinition", &input);
        assert_eq!(answer["taskDefinition"]["revision"], number);
    }
    let arn = |number: i64| format!("arn:aws:ecs:us-east-1:123456789012:task-definition/web:{number}");
    ok(&mut world, "DeregisterTaskDefinition", &json!({ "taskDefinition": "web:3" }));
    let mut described = |reference: &str| {
        let answer =
            world.answer("ecs", "DescribeTaskDefinition", &json!({ "taskDefinition": reference, "include": ["TAGS"] }));
        answer.map(|answer| (answer["taskDefinition"]["revision"].clone(), answer["tags"][0]["value"].clone()))
    };
    for (reference, number) in [("web", 2), ("web:1", 1), ("web:3", 3), (&arn(1), 1)] {
        assert_eq!(described(reference), Ok((number.into(), "a".into())), "{reference}");
    }
    for reference in ["api", "web:9", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1"] {
        let refusal = described(reference).expect_err(reference);
        assert_eq!(
            (refusal.code.as_str(), refusal.message.as_str()),
            ("ClientException", "Unable to describe task definition.")
        );
    }

    let mut listed = |input: Value| ok(&mut world, "ListTaskDefinitions", &input)["taskDefinitionArns"].clone();
    assert_eq!(listed(json!({ "familyPrefix": "web" })), json!([arn(1), arn(2)]));
    assert_eq!(listed(json!({ "familyPrefix": "we" })), json!([]), "it is the whole name");
    assert_eq!(listed(json!({ "status": "INACTIVE" })), json!([arn(3)]));
    assert_eq!(listed(json!({ "sort": "DESC", "maxResults": 1 })), json!([arn(2)]));

    let input = json!({ "taskDefinitions": ["web:3", "web:2", "web:9"] });
    let deleted = ok(&mut world, "DeleteTaskDefinitions", &input);
    assert_eq!(deleted["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    assert_eq!(deleted["failures"].as_array().map(Vec::len), Some(2), "one is ACTIVE, one does not exist");
    let answer = ok(&mut world, "RegisterTaskDefinition", &definition(&json!({}), &json!({})));
    assert_eq!(answer["taskDefinition"]["revision"], 4, "a number is never used again");
}
