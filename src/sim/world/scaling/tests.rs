//! Targets, policies and scheduled actions by their operations, and the autoscaler by what it makes of a load.

use crate::sim::world::ecs::state::{Service, Task, Times};
use crate::sim::world::{Answer, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const BEGAN: &str = "2026-03-02T08:00:20Z";
const WEB: &str = "service/shop/web";

fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", BEGAN.parse().unwrap(), 7);
    service(&mut world, "web", 2);
    world
}

fn arn(name: &str) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:service/shop/{name}")
}

/// A service as ECS has it, with as many running tasks as it wants.
fn service(world: &mut World, name: &str, desired: i64) {
    let service = Service {
        arn: arn(name),
        cluster: "shop".to_owned(),
        name: name.to_owned(),
        status: "ACTIVE",
        settings: json!({}),
        desired,
        deployments: Vec::new(),
        events: Vec::new(),
        under_way: None,
        completed: None,
        tokens: Vec::new(),
        looks: false,
        steady: true,
        failures: 0,
        starts_after: None,
    };
    world.ecs.services.insert(service.arn.clone(), service);
    run(world, name);
}

/// The tasks are there that the service wants.
fn run(world: &mut World, name: &str) {
    world.ecs.tasks.clear();
    for at in 0..world.ecs.services[&arn(name)].desired {
        let task = Task {
            arn: format!("task-{at}"),
            cluster: "shop".to_owned(),
            service: Some(arn(name)),
            started_by: String::new(),
            task_definition: String::new(),
            last: "RUNNING",
            desired: "RUNNING",
            health: "UNKNOWN",
            times: Times::default(),
            address: String::new(),
            containers: Vec::new(),
            stop_code: None,
            stopped_reason: String::new(),
            run: Value::Null,
            groups: Vec::new(),
            counted: false,
        };
        world.ecs.tasks.insert(task.arn.clone(), task);
    }
}

fn of(members: Value) -> Value {
    let mut input =
        json!({ "ServiceNamespace": "ecs", "ResourceId": WEB, "ScalableDimension": "ecs:service:DesiredCount" });
    for (name, value) in members.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

fn call(world: &mut World, operation: &str, members: Value) -> Answer {
    world.answer("autoscaling", operation, &of(members))
}

/// The answer, or the error's code and message.
fn said(answer: Answer) -> String {
    answer.map_or_else(|refusal| format!("{}: {}", refusal.code, refusal.message), |_| String::new())
}

fn alarm(world: &mut World, operation: &str, input: Value) -> Value {
    world.answer("cloudwatch", operation, &input).unwrap()
}

/// Minutes go by; after each there are the tasks that are wanted.
fn minutes(world: &mut World, minutes: i64) -> i64 {
    for _ in 0..minutes {
        world.advance(world.now() + SignedDuration::from_mins(1));
        run(world, "web");
    }
    world.ecs.services[&arn("web")].desired
}

fn activities(world: &mut World) -> Vec<(String, String)> {
    let answer = call(world, "DescribeScalingActivities", json!({})).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = answer["ScalingActivities"].as_array().unwrap();
    all.iter().map(|activity| (text(&activity["StatusMessage"]), text(&activity["Cause"]))).collect()
}

fn tracking(target: f64, more: Value) -> Value {
    let mut configuration = json!({
        "TargetValue": target,
        "PredefinedMetricSpecification": { "PredefinedMetricType": "ECSServiceAverageCPUUtilization" },
    });
    for (name, value) in more.as_object().unwrap() {
        configuration[name] = value.clone();
    }
    json!({ "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration })
}

fn stepping(name: &str, steps: Value, more: Value) -> Value {
    let mut configuration = json!({ "AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps });
    for (name, value) in more.as_object().unwrap() {
        configuration[name] = value.clone();
    }
    json!({ "PolicyName": name, "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": configuration })
}

#[test]
fn a_target_is_registered_and_changed() {
    let mut world = world();
    let rows = [
        (
            json!({ "ResourceId": "service/shop/absent", "MinCapacity": 1, "MaxCapacity": 2 }),
            "ValidationException: ECS service doesn't exist: service/shop/absent",
        ),
        (
            json!({ "MinCapacity": 1 }),
            "ValidationException: When registering a scalable target, MinCapacity and MaxCapacity must be specified",
        ),
        (
            json!({ "MinCapacity": 3, "MaxCapacity": 2 }),
            "ValidationException: Maximum capacity cannot be less than minimum capacity",
        ),
        (
            json!({ "MinCapacity": 1, "MaxCapacity": 4, "SuspendedState": { "DynamicScalingInSuspended": true },
                "Tags": { "a": "1" } }),
            "",
        ),
        (json!({ "MaxCapacity": 9, "Tags": { "a": "2" } }), ""),
        (json!({ "MinCapacity": 5 }), ""),
    ];
    for (members, expected) in rows {
        assert_eq!(said(call(&mut world, "RegisterScalableTarget", members)), expected);
    }
    let answer =
        call(&mut world, "DescribeScalableTargets", json!({ "ResourceIds": [WEB, "service/shop/other"] })).unwrap();
    let target = &answer["ScalableTargets"][0];
    assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(5), &json!(9)));
    assert_eq!(
        target["SuspendedState"],
        json!({ "DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": false,
            "ScheduledScalingSuspended": false })
    );
    assert_eq!(world.ecs.services[&arn("web")].desired, 5);
    let done = "Successfully set desired count to 5. Change successfully fulfilled by ecs.";
    assert_eq!(activities(&mut world), [(done.to_owned(), "minimum capacity was set to 5".to_owned())]);
    let tags = json!({ "ResourceARN": target["ScalableTargetARN"] });
    let tags = world.answer("autoscaling", "ListTagsForResource", &tags).unwrap();
    assert_eq!(tags, json!({ "Tags": { "a": "1" } }), "tags count for a new target only");
}

#[test]
fn what_is_asked_for_wrongly_is_refused() {
    let mut world = world();
    let bare = said(call(&mut world, "PutScalingPolicy", tracking(50.0, json!({}))));
    assert!(bare.starts_with("ObjectNotFoundException: No scalable target registered for"), "{bare}");
    call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 8 })).unwrap();
    let step = |steps| stepping("out", steps, json!({}));
    let rows = [
        ("PutScalingPolicy", step(json!([])), "There must be between 1 and 20"),
        ("PutScalingPolicy", step(json!([{ "ScalingAdjustment": 1 }])), "must have a lower or an upper bound"),
        (
            "PutScalingPolicy",
            step(json!([
                { "MetricIntervalUpperBound": 0, "ScalingAdjustment": 1 },
                { "MetricIntervalLowerBound": 5, "ScalingAdjustment": 2 },
            ])),
            "can't overlap or have a gap",
        ),
        (
            "PutScalingPolicy",
            step(json!([{ "MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 5, "ScalingAdjustment": 1 }])),
            "without an upper bound",
        ),
        (
            "PutScalingPolicy",
            tracking(
                50.0,
                json!({ "PredefinedMetricSpecification": { "PredefinedMetricType": "ALBRequestCountPerTarget" } }),
            ),
            "A resource label must be specified",
        ),
        ("PutScalingPolicy", json!({ "PolicyName": "x" }), "Policy type must be one of"),
        (
            "PutScheduledAction",
            json!({ "ScheduledActionName": "a", "Schedule": "every night",
                "ScalableTargetAction": { "MinCapacity": 1 } }),
            "Schedule expression 'every night' is not valid",
        ),
        (
            "PutScheduledAction",
            json!({ "ScheduledActionName": "a", "Schedule": "rate(1 day)" }),
            "must be specified for a new",
        ),
        (
            "PutScheduledAction",
            json!({ "ScheduledActionName": "a", "Schedule": "rate(1 day)", "Timezone": "Mars/Olympus",
            "ScalableTargetAction": { "MinCapacity": 1 } }),
            "Timezone 'Mars/Olympus' is not valid",
        ),
        ("DeleteScalingPolicy", json!({ "PolicyName": "x" }), "ObjectNotFoundException: No scaling policy found"),
        (
            "DeleteScheduledAction",
            json!({ "ScheduledActionName": "x" }),
            "ObjectNotFoundException: No scheduled action found",
        ),
        ("DescribeScalingPolicies", json!({ "MaxResults": 11 }), "MaxResults must be between 1 and 10"),
        ("DescribeScalingPolicies", json!({ "NextToken": "x" }), "InvalidNextTokenException"),
        ("DescribeScheduledActions", json!({ "ResourceId": null }), "A resource ID must be specified"),
    ];
    for (operation, members, expected) in rows {
        let said = said(call(&mut world, operation, members));
        assert!(said.contains(expected), "{operation}: {said:?}, not {expected:?}");
    }
}

#[test]
fn target_tracking_owns_its_alarms() {
    let mut world = world();
    call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 8 })).unwrap();
    let made = call(&mut world, "PutScalingPolicy", tracking(60.0, json!({}))).unwrap();
    let names: Vec<_> = made["Alarms"].as_array().unwrap().iter().map(|alarm| alarm["AlarmName"].clone()).collect();
    assert!(names[0].as_str().unwrap().starts_with("TargetTracking-service/shop/web-AlarmHigh-"), "{names:?}");
    let changed = call(&mut world, "PutScalingPolicy", tracking(70.0, json!({}))).unwrap();
    assert_eq!(changed, made, "names and ARN stay");
    let alarms = alarm(&mut world, "DescribeAlarms", json!({ "AlarmNames": names }));
    let shown: Vec<_> = alarms["MetricAlarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| {
            (alarm["Threshold"].as_f64().unwrap(), alarm["EvaluationPeriods"].clone(), alarm["MetricName"].clone())
        })
        .collect();
    assert_eq!(shown, [(70.0, json!(3), json!("CPUUtilization")), (63.0, json!(15), json!("CPUUtilization"))]);
    call(&mut world, "PutScalingPolicy", tracking(70.0, json!({ "DisableScaleIn": true }))).unwrap();
    let answer = call(&mut world, "DescribeScalingPolicies", json!({ "PolicyNames": ["cpu"] })).unwrap();
    assert_eq!(answer["ScalingPolicies"][0]["Alarms"], json!([made["Alarms"][0]]));
    let foreign = json!({
        "AlarmName": "mine", "Namespace": "A", "MetricName": "B", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1,
        "AlarmActions": [made["PolicyARN"]],
    });
    alarm(&mut world, "PutMetricAlarm", foreign);
    call(&mut world, "DeregisterScalableTarget", json!({})).unwrap();
    let left = alarm(&mut world, "DescribeAlarms", json!({}));
    assert_eq!(left["MetricAlarms"].as_array().unwrap().len(), 1, "the caller's own alarm stays");
    assert_eq!(call(&mut world, "DescribeScalingPolicies", json!({})).unwrap()["ScalingPolicies"], json!([]));
}

#[test]
fn target_tracking_follows_the_load() {
    let mut world = world();
    call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 8 })).unwrap();
    let policy = call(&mut world, "PutScalingPolicy", tracking(50.0, json!({}))).unwrap();
    let rows: &[(f64, i64, i64)] = &[
        (90.0, 2, 2),  // 45 percent: between both alarms at 2 tasks
        (210.0, 1, 5), // out at the next look, as far as needed
        (900.0, 1, 8), // a larger one at once, but not over the maximum
        (60.0, 14, 8), // not low for long enough
        (60.0, 1, 2),  // in to what the load needs
        (10.0, 40, 1), // and on to the minimum
    ];
    for (load, wait, expected) in rows {
        world.scaling.load.insert(WEB.to_owned(), *load);
        assert_eq!(minutes(&mut world, *wait), *expected, "load {load} for {wait} minutes");
    }
    let high = policy["Alarms"][0]["AlarmName"].as_str().unwrap();
    let (message, cause) = activities(&mut world).pop().unwrap();
    assert_eq!(message, "Successfully set desired count to 5. Change successfully fulfilled by ecs.");
    assert_eq!(cause, format!("monitor alarm {high} in state ALARM triggered policy cpu"));
    let event = world.ecs.services[&arn("web")].events.last().unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(event, format!("Message: {message} Cause: {cause}"));
}

#[test]
fn scaling_that_is_suspended_or_in_the_way_waits() {
    let mut world = world();
    call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 8 })).unwrap();
    call(&mut world, "PutScalingPolicy", tracking(50.0, json!({}))).unwrap();
    let suspend = |world: &mut World, what: &str, on: bool| {
        call(world, "RegisterScalableTarget", json!({ "SuspendedState": { what: on } })).unwrap();
    };
    suspend(&mut world, "DynamicScalingOutSuspended", true);
    world.scaling.load.insert(WEB.to_owned(), 200.0);
    assert_eq!(minutes(&mut world, 3), 2);
    suspend(&mut world, "DynamicScalingOutSuspended", false);
    assert_eq!(minutes(&mut world, 1), 4);
    suspend(&mut world, "DynamicScalingInSuspended", true);
    world.scaling.load.insert(WEB.to_owned(), 40.0);
    assert_eq!(minutes(&mut world, 20), 4);
    world.ecs.services.get_mut(&arn("web")).unwrap().under_way = Some("deployment".to_owned());
    suspend(&mut world, "DynamicScalingInSuspended", false);
    assert_eq!(minutes(&mut world, 1), 4, "no scale-in during a deployment");
    world.ecs.services.get_mut(&arn("web")).unwrap().under_way = None;
    assert_eq!(minutes(&mut world, 1), 1);
}

#[test]
fn steps_and_their_cooldowns() {
    let mut world = world();
    call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 20 })).unwrap();
    let steps = json!([
        { "MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1 },
        { "MetricIntervalLowerBound": 20, "ScalingAdjustment": 3 },
    ]);
    let policy = call(&mut world, "PutScalingPolicy", stepping("out", steps, json!({ "Cooldown": 180 }))).unwrap();
    let watch = json!({
        "AlarmName": "busy", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 60,
        "Dimensions": [{ "Name": "ClusterName", "Value": "shop" }, { "Name": "ServiceName", "Value": "web" }],
        "AlarmActions": [policy["PolicyARN"]],
    });
    alarm(&mut world, "PutMetricAlarm", watch);
    // The load grows with the tasks, so that the metric stays what the row says.
    let rows: &[(f64, i64, i64)] = &[
        (70.0, 1, 2), // one datapoint of two
        (70.0, 1, 3), // +1
        (70.0, 1, 3), // the cooldown holds the same step back
        (90.0, 1, 5), // a larger one gets through: +3 instead of +1, and cools down anew
        (90.0, 2, 5),
        (90.0, 1, 8),
        (10.0, 9, 8), // nothing scales in
    ];
    for (metric, wait, expected) in rows {
        for _ in 0..*wait {
            let running = world.ecs.tasks.len() as f64;
            world.scaling.load.insert(WEB.to_owned(), metric * running);
            minutes(&mut world, 1);
        }
        assert_eq!(world.ecs.services[&arn("web")].desired, *expected, "{metric} percent for {wait} minutes");
    }
}

#[test]
fn an_alarm_that_is_set_makes_its_policy_act() {
    let rows: &[(Value, Value, Value, i64)] = &[
        (json!([{ "MetricIntervalLowerBound": 0, "ScalingAdjustment": 2 }]), json!({}), json!(null), 12),
        (json!([{ "MetricIntervalUpperBound": 0, "ScalingAdjustment": -4 }]), json!({}), json!(null), 6),
        (
            json!([{ "MetricIntervalLowerBound": 0, "ScalingAdjustment": 3 }]),
            json!({ "AdjustmentType": "ExactCapacity" }),
            json!(null),
            3,
        ),
        (
            json!([{ "MetricIntervalLowerBound": 0, "ScalingAdjustment": 25 }]),
            json!({ "AdjustmentType": "PercentChangeInCapacity" }),
            json!(null),
            12,
        ),
        (
            json!([{ "MetricIntervalLowerBound": 0, "ScalingAdjustment": 1 }]),
            json!({ "AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 4 }),
            json!(null),
            14,
        ),
        (
            json!([{ "MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1 },
                { "MetricIntervalLowerBound": 10, "ScalingAdjustment": 5 }]),
            json!({}),
            json!("{\"recentDatapoints\": [50, 75]}"),
            15,
        ),
        (json!([{ "MetricIntervalLowerBound": 10, "ScalingAdjustment": 5 }]), json!({}), json!(null), 10),
        (json!([{ "MetricIntervalLowerBound": 0, "ScalingAdjustment": 90 }]), json!({}), json!(null), 20),
    ];
    for (steps, more, data, expected) in rows {
        let mut world = world();
        service(&mut world, "web", 10);
        call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 20 })).unwrap();
        let policy = call(&mut world, "PutScalingPolicy", stepping("step", steps.clone(), more.clone())).unwrap();
        let settings = json!({
            "AlarmName": "queue", "Namespace": "App", "MetricName": "Queue", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 60,
            "AlarmActions": [policy["PolicyARN"]],
        });
        alarm(&mut world, "PutMetricAlarm", settings);
        let set =
            json!({ "AlarmName": "queue", "StateValue": "ALARM", "StateReason": "test", "StateReasonData": data });
        alarm(&mut world, "SetAlarmState", set.clone());
        alarm(&mut world, "SetAlarmState", set);
        assert_eq!(world.ecs.services[&arn("web")].desired, *expected, "{steps} {more} {data}");
    }
}

#[test]
fn scheduled_actions_move_the_range() {
    let mut world = world();
    call(&mut world, "RegisterScalableTarget", json!({ "MinCapacity": 1, "MaxCapacity": 4 })).unwrap();
    let seconds = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    let put = |world: &mut World, name: &str, members: Value| {
        let mut members = members;
        members["ScheduledActionName"] = json!(name);
        call(world, "PutScheduledAction", members).unwrap();
    };
    put(
        &mut world,
        "late",
        json!({ "Schedule": "at(2026-03-02T08:03:00)", "ScalableTargetAction": { "MaxCapacity": 1 } }),
    );
    put(
        &mut world,
        "early",
        json!({ "Schedule": "cron(2 9 * * ? *)", "Timezone": "Europe/Paris",
        "StartTime": seconds("2026-03-01T00:00:00Z"), "ScalableTargetAction": { "MinCapacity": 3, "MaxCapacity": 6 } }),
    );
    put(
        &mut world,
        "never",
        json!({ "Schedule": "rate(1 minute)", "StartTime": seconds("2027-01-01T00:00:00Z"),
        "ScalableTargetAction": { "MinCapacity": 6 } }),
    );
    assert_eq!(minutes(&mut world, 1), 2);
    assert_eq!(minutes(&mut world, 1), 3, "at 09:02 in Paris");
    assert_eq!(minutes(&mut world, 1), 3, "the maximum would be below the minimum");
    let (message, cause) = activities(&mut world).remove(0);
    assert!(message.starts_with("Failed to set max capacity to 1."), "{message}");
    assert_eq!(cause, "scheduled action name late was triggered");
    let (message, cause) = activities(&mut world).remove(2);
    assert_eq!(message, "Successfully set min capacity to 3 and max capacity to 6");
    assert_eq!(cause, "scheduled action name early was triggered");

    put(&mut world, "early", json!({ "Schedule": "cron(0 9 * * ? *)" }));
    let answer = call(&mut world, "DescribeScheduledActions", json!({})).unwrap();
    let names: Vec<_> = answer["ScheduledActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["ScheduledActionName"].clone())
        .collect();
    assert_eq!(names, ["early", "late", "never"]);
    let early = &answer["ScheduledActions"][0];
    assert_eq!((&early["Timezone"], early.get("StartTime")), (&json!("Europe/Paris"), None), "start and end go");
    let suspended = json!({ "SuspendedState": { "ScheduledScalingSuspended": true } });
    call(&mut world, "RegisterScalableTarget", suspended).unwrap();
    put(&mut world, "never", json!({ "Schedule": "rate(1 minute)" }));
    assert_eq!(minutes(&mut world, 3), 3);
}
