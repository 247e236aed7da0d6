//! Log groups and lines by their operations.

use super::write;
use crate::sim::world::{Answer, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", "2026-03-02T08:00:00Z".parse().unwrap(), 7);
    call(&mut world, "CreateLogGroup", json!({ "logGroupName": "/ecs/web", "tags": { "a": "1" } })).unwrap();
    world
}

fn call(world: &mut World, operation: &str, input: Value) -> Answer {
    world.answer("logs", operation, &input)
}

fn said(answer: Answer) -> String {
    answer.map_or_else(|refusal| format!("{}: {}", refusal.code, refusal.message), |_| String::new())
}

fn lines(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

#[test]
fn groups_and_their_settings() {
    let mut world = world();
    let rows = [
        (
            "CreateLogGroup",
            json!({ "logGroupName": "/ecs/web" }),
            "ResourceAlreadyExistsException: The specified log group already exists",
        ),
        (
            "PutRetentionPolicy",
            json!({ "logGroupName": "/ecs/api", "retentionInDays": 7 }),
            "ResourceNotFoundException: The specified log group does not exist.",
        ),
        ("PutRetentionPolicy", json!({ "logGroupName": "/ecs/web", "retentionInDays": 7 }), ""),
        (
            "AssociateKmsKey",
            json!({ "logGroupName": "/ecs/web", "kmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/1" }),
            "",
        ),
        ("CreateLogGroup", json!({ "logGroupName": "/ecs/api", "deletionProtectionEnabled": true }), ""),
    ];
    for (operation, input, expected) in rows {
        assert_eq!(said(call(&mut world, operation, input)), expected, "{operation}");
    }
    for (input, start) in [
        (json!({ "logGroupName": "a b" }), "InvalidParameterException: 1 validation error"),
        (json!({ "logGroupName": "a", "logGroupClass": "COLD" }), "InvalidParameterException: Value 'COLD'"),
    ] {
        assert!(said(call(&mut world, "CreateLogGroup", input)).starts_with(start));
    }
    let six = json!({ "logGroupName": "/ecs/web", "retentionInDays": 6 });
    assert!(said(call(&mut world, "PutRetentionPolicy", six)).contains("must satisfy enum value set"));
    let protected = call(&mut world, "DeleteLogGroup", json!({ "logGroupName": "/ecs/api" }));
    assert!(said(protected).starts_with("ValidationException"));
    let found = call(&mut world, "DescribeLogGroups", json!({ "logGroupNamePrefix": "/ecs/w" })).unwrap();
    let group = &found["logGroups"][0];
    assert_eq!((&group["retentionInDays"], &group["logGroupClass"]), (&json!(7), &json!("STANDARD")));
    let tags = json!({ "resourceArn": group["logGroupArn"], "tags": { "b": "2" }, "tagKeys": ["a"] });
    call(&mut world, "TagResource", tags.clone()).unwrap();
    call(&mut world, "UntagResource", tags.clone()).unwrap();
    assert_eq!(call(&mut world, "ListTagsForResource", tags).unwrap(), json!({ "tags": { "b": "2" } }));
    call(&mut world, "DeleteRetentionPolicy", json!({ "logGroupName": "/ecs/web" })).unwrap();
    call(&mut world, "DisassociateKmsKey", json!({ "logGroupName": "/ecs/web" })).unwrap();
    let found = call(&mut world, "DescribeLogGroups", json!({ "logGroupNamePattern": "WEB" })).unwrap();
    let group = &found["logGroups"][0];
    assert_eq!((group.get("retentionInDays"), group.get("kmsKeyId")), (None, None));
}

#[test]
fn lines_are_written_and_read() {
    let mut world = world();
    write(&mut world, "/ecs/none", "app/web/1", "lost");
    for at in 0..5 {
        world.advance(world.now() + SignedDuration::from_secs(1));
        write(&mut world, "/ecs/web", &format!("app/web/{}", at % 2), &format!("line {at}"));
    }
    let get = |world: &mut World, more: Value| {
        let mut input = json!({ "logGroupName": "/ecs/web", "logStreamName": "app/web/0" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(world, "GetLogEvents", input).unwrap()
    };
    let newest = get(&mut world, json!({ "limit": 2 }));
    assert_eq!(lines(&newest), ["line 2", "line 4"]);
    let before = get(&mut world, json!({ "limit": 2, "nextToken": newest["nextBackwardToken"] }));
    assert_eq!(lines(&before), ["line 0"]);
    let end = get(&mut world, json!({ "nextToken": newest["nextForwardToken"] }));
    assert_eq!((lines(&end), &end["nextForwardToken"]), (vec![], &newest["nextForwardToken"]));
    write(&mut world, "/ecs/web", "app/web/0", "line 5");
    let next = get(&mut world, json!({ "nextToken": newest["nextForwardToken"] }));
    assert_eq!(lines(&next), ["line 5"]);
    assert_eq!(lines(&get(&mut world, json!({ "limit": 1, "startFromHead": true }))), ["line 0"]);

    let second = json!({ "logGroupName": "/ecs/web", "orderBy": "LastEventTime", "descending": true });
    let streams = call(&mut world, "DescribeLogStreams", second).unwrap();
    assert_eq!(streams["logStreams"][0]["logStreamName"], "app/web/0");
    let rows: &[(&str, &[&str])] = &[
        ("", &["line 0", "line 1", "line 2", "line 3", "line 4", "line 5"]),
        ("line -4 -5", &["line 0", "line 1", "line 2", "line 3"]),
        ("\"ine 3\"", &["line 3"]),
        ("?1 ?2", &["line 1", "line 2"]),
        ("LINE", &[]),
    ];
    for (pattern, expected) in rows {
        let input = json!({ "logGroupName": "/ecs/web", "filterPattern": pattern });
        assert_eq!(lines(&call(&mut world, "FilterLogEvents", input).unwrap()), *expected, "{pattern}");
    }
}

#[test]
fn events_are_put_in_the_order_of_time() {
    let mut world = world();
    let stream = json!({ "logGroupName": "/ecs/web", "logStreamName": "own" });
    call(&mut world, "CreateLogStream", stream.clone()).unwrap();
    assert!(said(call(&mut world, "CreateLogStream", stream.clone())).starts_with("ResourceAlreadyExists"));
    let now = world.now().as_millisecond();
    let put = |world: &mut World, times: &[i64]| {
        let events: Vec<_> = times.iter().map(|at| json!({ "timestamp": now + at, "message": "m" })).collect();
        let mut input = stream.clone();
        input["logEvents"] = json!(events);
        call(world, "PutLogEvents", input)
    };
    assert!(said(put(&mut world, &[1, 0])).contains("chronological order"));
    let day = 86_400_000;
    let answer = put(&mut world, &[-15 * day, -13 * day, 0, day]).unwrap();
    assert_eq!(answer["rejectedLogEventsInfo"], json!({ "tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3 }));
    assert_eq!(lines(&call(&mut world, "GetLogEvents", stream).unwrap()).len(), 2);
}
