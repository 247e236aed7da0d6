//! Alarms by their operations. What their evaluation does is tested with the autoscaler.

use super::state;
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

fn world() -> World {
    World::new("123456789012", "us-east-1", "2026-03-02T08:00:00Z".parse().unwrap(), 7)
}

fn call(world: &mut World, operation: &str, input: Value) -> Answer {
    world.answer("cloudwatch", operation, &input)
}

fn said(answer: Answer) -> String {
    answer.map_or_else(|refusal| format!("{}: {}", refusal.code, refusal.message), |_| String::new())
}

/// A good alarm with other members; null takes one away.
fn alarm(other: Value) -> Value {
    let mut alarm = json!({
        "AlarmName": "busy", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 60,
    });
    for (name, value) in other.as_object().unwrap() {
        alarm[name] = value.clone();
    }
    alarm.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    alarm
}

fn shown(world: &mut World, name: &str) -> Value {
    call(world, "DescribeAlarms", json!({ "AlarmNames": [name] })).unwrap()["MetricAlarms"][0].clone()
}

#[test]
fn an_alarm_is_overwritten_but_for_tags_and_state() {
    let mut world = world();
    let tags = json!([{ "Key": "a", "Value": "1" }]);
    call(&mut world, "PutMetricAlarm", alarm(json!({ "AlarmDescription": "text", "Tags": tags }))).unwrap();
    assert_eq!(state(&world, "busy"), Some("INSUFFICIENT_DATA"));
    call(&mut world, "SetAlarmState", json!({ "AlarmName": "busy", "StateValue": "OK", "StateReason": "" })).unwrap();
    let other = json!([{ "Key": "a", "Value": "2" }]);
    call(&mut world, "PutMetricAlarm", alarm(json!({ "Tags": other }))).unwrap();
    let now = shown(&mut world, "busy");
    let empty = json!([]);
    for (member, expected) in [
        ("AlarmDescription", None),
        ("ActionsEnabled", Some(json!(true))),
        ("OKActions", Some(empty.clone())),
        ("AlarmActions", Some(empty.clone())),
        ("Dimensions", Some(empty)),
        ("DatapointsToAlarm", Some(json!(3))),
        ("TreatMissingData", Some(json!("missing"))),
        ("Threshold", Some(json!(60.0))),
        ("StateValue", Some(json!("OK"))),
    ] {
        assert_eq!(now.get(member), expected.as_ref(), "{member}");
    }
    let arn = json!({ "ResourceARN": now["AlarmArn"] });
    assert_eq!(call(&mut world, "ListTagsForResource", arn).unwrap(), json!({ "Tags": tags }));
}

#[test]
fn numbers_come_as_texts_too() {
    let mut world = world();
    let texts = json!({ "Period": "60", "EvaluationPeriods": "3", "DatapointsToAlarm": "2", "Threshold": "0.5",
        "ActionsEnabled": "false", "AlarmActions": "" });
    call(&mut world, "PutMetricAlarm", alarm(texts)).unwrap();
    let shown = shown(&mut world, "busy");
    let of = |member: &str| shown[member].clone();
    assert_eq!(
        json!([
            of("Period"),
            of("EvaluationPeriods"),
            of("DatapointsToAlarm"),
            of("Threshold"),
            of("ActionsEnabled"),
            of("AlarmActions")
        ]),
        json!([60, 3, 2, 0.5, false, []])
    );
}

#[test]
fn what_is_wrong_is_refused() {
    let mut world = world();
    let metrics = json!([{ "Id": "a", "Expression": "1" }, { "Id": "b", "Expression": "2" }]);
    for (other, expected) in [
        (json!({ "AlarmName": null }), "ValidationError: AlarmName must not be null or empty."),
        (
            json!({ "MetricName": null }),
            "ValidationError: You must specify exactly one of MetricName, Metrics, EvaluationCriteria",
        ),
        (
            json!({ "Metrics": metrics }),
            "InvalidParameterCombination: You must specify exactly one of MetricName, Metrics, EvaluationCriteria",
        ),
        (
            json!({ "Metrics": metrics, "MetricName": null }),
            "ValidationError: Exactly one element of the metrics list should return data.",
        ),
        (json!({ "Statistic": null }), "ValidationError: You must specify exactly one of Statistic, ExtendedStatistic"),
        (
            json!({ "Threshold": null }),
            "ValidationError: You must specify exactly one of Threshold and ThresholdMetricId",
        ),
        (json!({ "Period": 45 }), "ValidationError: Period must be 10, 20, 30 or a multiple of 60"),
        (
            json!({ "DatapointsToAlarm": 4 }),
            "ValidationError: DatapointsToAlarm must be between 1 and EvaluationPeriods",
        ),
        (
            json!({ "EvaluationPeriods": 1441 }),
            "ValidationError: Metrics cannot be checked across more than 86400 seconds (EvaluationPeriods * Period)",
        ),
        (json!({ "EvaluationPeriods": 168, "Period": 3600 }), ""),
        (
            json!({ "AlarmActions": ["1", "2", "3", "4", "5", "6"] }),
            "ValidationError: AlarmActions must have length less than or equal to 5",
        ),
    ] {
        assert_eq!(said(call(&mut world, "PutMetricAlarm", alarm(other))), expected);
    }
    let names: Vec<_> = (0..101).map(|at| at.to_string()).collect();
    for (operation, input, expected) in [
        ("DescribeAlarms", json!({ "AlarmNames": names }), "ValidationError"),
        ("DescribeAlarms", json!({ "AlarmNames": ["a"], "AlarmNamePrefix": "b" }), "InvalidParameterCombination"),
        ("DescribeAlarms", json!({ "NextToken": "x" }), "InvalidNextToken"),
        ("SetAlarmState", json!({ "AlarmName": "x", "StateValue": "OK", "StateReason": "r" }), "ResourceNotFound"),
        ("SetAlarmState", json!({ "AlarmName": "busy", "StateValue": "BAD", "StateReason": "r" }), "ValidationError"),
        (
            "SetAlarmState",
            json!({ "AlarmName": "busy", "StateValue": "OK", "StateReason": "r", "StateReasonData": "{" }),
            "InvalidFormat",
        ),
        ("ListTagsForResource", json!({ "ResourceARN": "arn:x" }), "ResourceNotFoundException"),
    ] {
        let said = said(call(&mut world, operation, input));
        assert!(said.starts_with(&format!("{expected}: ")), "{operation}: {said}");
    }
}

#[test]
fn alarms_are_found_paged_and_deleted() {
    let mut world = world();
    for at in 0..60 {
        let action = if at < 10 { json!(["arn:aws:autoscaling:a"]) } else { json!([]) };
        let settings = alarm(json!({ "AlarmName": format!("a-{at:02}"), "AlarmActions": action }));
        call(&mut world, "PutMetricAlarm", settings).unwrap();
    }
    let page = call(&mut world, "DescribeAlarms", json!({})).unwrap();
    assert_eq!((page["MetricAlarms"].as_array().unwrap().len(), &page["NextToken"]), (50, &json!("page-50")));
    for (input, expected) in [
        (json!({ "AlarmNamePrefix": "a-1" }), 10),
        (json!({ "ActionPrefix": "arn:aws:autoscaling" }), 10),
        (json!({ "StateValue": "ALARM" }), 0),
        (json!({ "AlarmTypes": ["CompositeAlarm"] }), 0),
        (json!({ "AlarmNames": ["a-00", "a-01", "none"] }), 2),
        (json!({ "MaxRecords": 7 }), 7),
    ] {
        let found = call(&mut world, "DescribeAlarms", input.clone()).unwrap();
        assert_eq!(found["MetricAlarms"].as_array().unwrap().len(), expected, "{input}");
    }
    call(&mut world, "DisableAlarmActions", json!({ "AlarmNames": ["a-00"] })).unwrap();
    assert_eq!(shown(&mut world, "a-00")["ActionsEnabled"], false);
    call(&mut world, "EnableAlarmActions", json!({ "AlarmNames": ["a-00"] })).unwrap();
    assert_eq!(shown(&mut world, "a-00")["ActionsEnabled"], true);
    call(&mut world, "DeleteAlarms", json!({ "AlarmNames": ["a-00", "none"] })).unwrap();
    assert_eq!(state(&world, "a-00"), None);
}
