//! What deployments come to: each way to fail in each strategy, and the answers of hooks.

use crate::sim::world::{World, elbv2};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";

/// A service behind a load balancer that runs version 1.
struct Scene {
    world: World,
    blue: String,
    green: String,
    rule: String,
}

impl Scene {
    fn call(&mut self, service: &str, operation: &str, input: Value) -> Value {
        let answer = self.world.answer(service, operation, &input);
        answer.unwrap_or_else(|error| panic!("{service} {operation}: {error}"))
    }

    fn new(configuration: Value) -> Self {
        let world = World::new(ACCOUNT, REGION, Timestamp::UNIX_EPOCH, 7);
        let mut scene = Self { world, blue: String::new(), green: String::new(), rule: String::new() };
        scene.call("ecs", "CreateCluster", json!({ "clusterName": "prod" }));
        let balancer = json!({ "Name": "lb", "Subnets": ["subnet-1", "subnet-2"] });
        let balancer =
            scene.call("elbv2", "CreateLoadBalancer", balancer)["LoadBalancers"][0]["LoadBalancerArn"].clone();
        let fixed = json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } }]);
        let listener = json!({ "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 80, "DefaultActions": fixed });
        let listener = scene.call("elbv2", "CreateListener", listener)["Listeners"][0]["ListenerArn"].clone();
        let mut groups = ["blue", "green"].map(|name| {
            let group = json!({ "Name": name, "Protocol": "HTTP", "Port": 80, "TargetType": "ip", "VpcId": "vpc-1" });
            scene.call("elbv2", "CreateTargetGroup", group)["TargetGroups"][0]["TargetGroupArn"].clone()
        });
        for group in &groups {
            let attributes = json!([{ "Key": "deregistration_delay.timeout_seconds", "Value": "30" }]);
            let input = json!({ "TargetGroupArn": group, "Attributes": attributes });
            scene.call("elbv2", "ModifyTargetGroupAttributes", input);
        }
        let targets =
            json!([{ "TargetGroupArn": groups[0], "Weight": 100 }, { "TargetGroupArn": groups[1], "Weight": 0 }]);
        let rule = json!({
            "ListenerArn": listener, "Priority": 10,
            "Conditions": [{ "Field": "path-pattern", "Values": ["/*"] }],
            "Actions": [{ "Type": "forward", "ForwardConfig": { "TargetGroups": targets } }],
        });
        let rule = scene.call("elbv2", "CreateRule", rule)["Rules"][0]["RuleArn"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (scene.blue, scene.green, scene.rule) = (text(&groups[0]), text(&groups[1]), text(&rule));
        groups.reverse();
        scene.register("1", json!([]));
        scene.create(configuration);
        scene.pass(7200);
        assert_eq!(scene.deployment()["status"], "SUCCESSFUL", "version 1 is up: {:#}", scene.service());
        scene
    }

    fn register(&mut self, tag: &str, secrets: Value) {
        let container = json!({
            "name": "web", "image": format!("registry.example/web:{tag}"), "essential": true, "secrets": secrets,
            "portMappings": [{ "containerPort": 80 }],
            "healthCheck": { "command": ["CMD", "true"], "interval": 10, "retries": 2 },
        });
        let input = json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "containerDefinitions": [container],
            "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/x"),
        });
        self.call("ecs", "RegisterTaskDefinition", input);
    }

    fn create(&mut self, configuration: Value) {
        let shifts = configuration["strategy"].is_string();
        let mut balancer = json!({ "targetGroupArn": self.blue, "containerName": "web", "containerPort": 80 });
        if shifts {
            balancer["advancedConfiguration"] = json!({
                "alternateTargetGroupArn": self.green, "productionListenerRule": self.rule,
                "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/ecs"),
            });
        }
        let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"], "securityGroups": ["sg-1"] } });
        let input = json!({
            "cluster": "prod", "serviceName": "web", "taskDefinition": "web", "desiredCount": 2, "launchType": "FARGATE",
            "networkConfiguration": network, "loadBalancers": [balancer], "deploymentConfiguration": configuration,
        });
        self.call("ecs", "CreateService", input);
    }

    /// Rolls out another version.
    fn update(&mut self, tag: &str) {
        let secrets = if tag == "secret" {
            json!([{ "name": "A", "valueFrom": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-AbCdEf") }])
        } else {
            json!([])
        };
        self.register(tag, secrets);
        self.call("ecs", "UpdateService", json!({ "cluster": "prod", "service": "web", "taskDefinition": "web" }));
    }

    /// Seconds go by; at each the promises of every deployment hold.
    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            let next = self.world.now() + SignedDuration::from_secs(1);
            self.world.advance(next);
        }
    }

    fn service(&mut self) -> Value {
        self.call("ecs", "DescribeServices", json!({ "cluster": "prod", "services": ["web"] }))["services"][0].clone()
    }

    /// The newest service deployment.
    fn deployment(&mut self) -> Value {
        let all = self.call("ecs", "ListServiceDeployments", json!({ "cluster": "prod", "service": "web" }));
        let arn = all["serviceDeployments"][0]["serviceDeploymentArn"].clone();
        let found = self.call("ecs", "DescribeServiceDeployments", json!({ "serviceDeploymentArns": [arn] }));
        found["serviceDeployments"][0].clone()
    }

    fn events(&mut self) -> String {
        let service = self.service();
        let all = service["events"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|event| event["message"].as_str()).map(|text| format!("{text}\n")).collect()
    }

    fn stopped_reasons(&mut self) -> String {
        let input = json!({ "cluster": "prod", "desiredStatus": "STOPPED" });
        let arns = self.call("ecs", "ListTasks", input)["taskArns"].clone();
        if arns == json!([]) {
            return String::new();
        }
        let tasks = self.call("ecs", "DescribeTasks", json!({ "cluster": "prod", "tasks": arns }))["tasks"].clone();
        let all = tasks.as_array().cloned().unwrap_or_default();
        all.iter().map(|task| format!("{} {}\n", task["stopCode"], task["stoppedReason"])).collect()
    }

    fn weights(&self) -> (i64, i64) {
        let weights = elbv2::rules::weights(&self.world, &self.rule);
        let of = |group: &str| weights.iter().find(|(arn, _)| arn == group).map_or(0, |(_, weight)| *weight);
        (of(&self.blue), of(&self.green))
    }

    /// `web:2` of `arn:…:task-definition/web:2`.
    fn runs(&mut self) -> String {
        let service = self.service();
        service["taskDefinition"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned()
    }
}

fn breaker() -> Value {
    json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } })
}

fn with(strategy: &str, more: Value) -> Value {
    let mut all = breaker();
    all["strategy"] = json!(strategy);
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name.as_str()] = value.clone();
    }
    all
}

/// Configuration, tag of the new image, status of the service deployment, what runs, in the events, in the stopped reasons.
type Row = (Value, &'static str, &'static str, &'static str, &'static str, &'static str);

#[test]
fn each_failure_in_each_strategy() {
    let failed = "deployment failed: tasks failed to start";
    let mut rows: Vec<Row> = Vec::new();
    for strategy in ["ROLLING", "BLUE_GREEN", "CANARY", "LINEAR"] {
        let of = || if strategy == "ROLLING" { breaker() } else { with(strategy, json!({})) };
        rows.push((of(), "2", "SUCCESSFUL", "web:2", "deployment completed", "Scaling activity initiated by"));
        for (tag, reason) in [
            ("nopull", "CannotPullContainerError"),
            ("crash-1", "Essential container in task exited"),
            ("unready-503", "Task failed ELB health checks in (target-group"),
            ("sick", "Task failed container health checks"),
            ("nocapacity", "Capacity is unavailable at this time"),
            ("secret", "ResourceInitializationError: unable to pull secrets"),
        ] {
            rows.push((of(), tag, "ROLLBACK_SUCCESSFUL", "web:1", failed, reason));
        }
    }
    for (configuration, tag, status, runs, event, reason) in rows {
        let mut scene = Scene::new(configuration.clone());
        let what = format!("{} {tag}", configuration["strategy"]);
        scene.update(tag);
        scene.pass(6 * 3600);
        let deployment = scene.deployment();
        assert_eq!(deployment["status"], status, "{what}: {deployment:#} {}", scene.events());
        assert_eq!(scene.runs(), runs, "{what}");
        assert!(scene.events().contains(event), "{what}: {}", scene.events());
        let service = scene.service();
        let counts = ["runningCount", "pendingCount", "desiredCount"].map(|name| service[name].as_i64());
        assert_eq!(counts, [Some(2), Some(0), Some(2)], "{what}");
        assert_eq!(service["deployments"].as_array().map(Vec::len), Some(1), "{what}: {service:#}");
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED", "{what}");
        assert!(scene.events().contains("has reached a steady state"), "{what}");
        let mut early = Scene::new(configuration);
        early.update(tag);
        let seen = (0..120).any(|_| {
            early.pass(60);
            early.stopped_reasons().contains(reason)
        });
        assert!(seen, "{what}: {reason} not in {}", early.stopped_reasons());
    }
}

#[test]
fn without_a_breaker_the_old_tasks_go_on_and_new_ones_are_tried_ever_more_slowly() {
    let mut scene = Scene::new(json!({}));
    scene.update("crash-1");
    scene.pass(1800);
    let service = scene.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service["deployments"][1]["runningCount"], 2, "the old ones serve");
    let first = service["deployments"][0]["failedTasks"].as_i64().unwrap();
    scene.pass(1800);
    let second = scene.service()["deployments"][0]["failedTasks"].as_i64().unwrap() - first;
    assert!(first > 3 && second > 0 && second < first, "{first} then {second}");
    assert!(scene.events().contains("is unable to consistently start tasks successfully"));
}

#[test]
fn a_breaker_without_rollback_leaves_the_old_tasks() {
    let mut scene = Scene::new(json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": false } }));
    scene.update("nopull");
    scene.pass(1800);
    let service = scene.service();
    assert_eq!(scene.deployment()["status"], "STOPPED");
    assert_eq!(service["deployments"][0]["rolloutState"], "FAILED");
    assert_eq!(service["deployments"][1]["runningCount"], 2);
}

#[test]
fn what_failed_is_seen_beside_what_rolls_it_back() {
    let mut scene = Scene::new(json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } }));
    scene.update("crash-1");
    let rolls = (0..1800).any(|_| {
        scene.pass(1);
        scene.deployment()["status"] == "ROLLBACK_IN_PROGRESS"
    });
    assert!(rolls);
    scene.pass(5);
    let service = scene.service();
    let state = |at: usize| service["deployments"][at]["rolloutState"].clone();
    assert_eq!((state(0), state(1)), (json!("IN_PROGRESS"), json!("FAILED")));
    scene.pass(600);
    assert_eq!(scene.deployment()["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(scene.service()["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rolling_update_keeps_its_two_percentages() {
    for (minimum, maximum, least, most) in [(100, 200, 2, 4), (0, 100, 0, 2), (50, 150, 1, 3), (0, 200, 0, 4)] {
        let percents = json!({ "minimumHealthyPercent": minimum, "maximumPercent": maximum });
        let mut scene = Scene::new(percents);
        scene.update("2");
        let (mut fewest, mut highest) = (i64::MAX, 0);
        for _ in 0..300 {
            scene.pass(1);
            let service = scene.service();
            let count = |name: &str| service[name].as_i64().unwrap_or_default();
            fewest = fewest.min(count("runningCount"));
            highest = highest.max(count("runningCount") + count("pendingCount"));
        }
        assert_eq!(scene.deployment()["status"], "SUCCESSFUL", "{minimum} {maximum}");
        assert!(fewest >= least && highest <= most, "{minimum}/{maximum}: {fewest} to {highest}");
    }
}

#[test]
fn an_alarm_ends_a_deployment() {
    for strategy in ["ROLLING", "BLUE_GREEN"] {
        let alarms = json!({ "alarmNames": ["errors"], "enable": true, "rollback": true });
        let mut configuration = with(strategy, json!({ "alarms": alarms, "bakeTimeInMinutes": 30 }));
        if strategy == "ROLLING" {
            configuration.as_object_mut().map(|all| all.remove("strategy"));
        }
        let mut scene = Scene::new(configuration);
        scene.pass(3600);
        let alarm = json!({
            "AlarmName": "errors", "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        });
        scene.call("cloudwatch", "PutMetricAlarm", alarm);
        scene.update("2");
        scene.pass(120);
        let state = json!({ "AlarmName": "errors", "StateValue": "ALARM", "StateReason": "test" });
        scene.call("cloudwatch", "SetAlarmState", state);
        scene.pass(600);
        let deployment = scene.deployment();
        assert_eq!(deployment["status"], "ROLLBACK_SUCCESSFUL", "{strategy}: {deployment:#}");
        assert_eq!(deployment["alarms"]["triggeredAlarmNames"], json!(["errors"]));
        assert_eq!(scene.runs(), "web:1");
        assert_eq!(scene.weights(), (100, 0), "{strategy}");
    }
}

/// The share of production traffic of the new revision, whenever it changes.
fn shares(scene: &mut Scene, minutes: i64) -> Vec<i64> {
    let mut shares = vec![0];
    for _ in 0..minutes * 6 {
        scene.pass(10);
        let share = scene.weights().1;
        if shares.last() != Some(&share) {
            shares.push(share);
        }
    }
    shares
}

#[test]
fn traffic_moves_as_the_strategy_says() {
    let canary = json!({ "canaryConfiguration": { "canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5 } });
    let linear = json!({ "linearConfiguration": { "stepPercent": 40.0, "stepBakeTimeInMinutes": 3 } });
    for (configuration, expected) in [
        (with("BLUE_GREEN", json!({ "bakeTimeInMinutes": 5 })), vec![0, 100]),
        (with("CANARY", canary), vec![0, 10, 100]),
        (with("LINEAR", linear), vec![0, 40, 80, 100]),
    ] {
        let mut scene = Scene::new(configuration);
        scene.update("2");
        assert_eq!(shares(&mut scene, 40), expected);
        assert_eq!(scene.deployment()["status"], "SUCCESSFUL");
        // The next one goes the other way.
        scene.update("3");
        let back: Vec<i64> = shares(&mut scene, 40).into_iter().map(|share| 100 - share).collect();
        assert_eq!(back[1..], expected, "the groups take turns");
        assert_eq!(scene.runs(), "web:3");
    }
}

#[test]
fn every_stage_is_gone_through() {
    let mut scene = Scene::new(with("BLUE_GREEN", json!({ "bakeTimeInMinutes": 2 })));
    let stages = [
        "RECONCILE_SERVICE",
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ];
    let hooks: Vec<Value> = stages
        .iter()
        .map(|stage| {
            json!({ "hookTargetArn": "arn:aws:lambda:us-east-1:123456789012:function:check", "lifecycleStages": [stage],
                "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/hook") })
        })
        .collect();
    let configuration = with("BLUE_GREEN", json!({ "bakeTimeInMinutes": 2, "lifecycleHooks": hooks }));
    let input = json!({ "cluster": "prod", "service": "web", "deploymentConfiguration": configuration });
    scene.call("ecs", "UpdateService", input);
    scene.update("2");
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..900 {
        scene.pass(1);
        let stage = scene.deployment()["lifecycleStage"].as_str().unwrap_or_default().to_owned();
        if !stage.is_empty() && seen.last() != Some(&stage) {
            seen.push(stage);
        }
    }
    let mut expected: Vec<&str> = stages.to_vec();
    expected.insert(2, "SCALE_UP");
    expected.extend(["BAKE_TIME", "CLEAN_UP"]);
    assert_eq!(seen, expected);
    assert_eq!(scene.deployment()["lifecycleHookDetails"].as_array().map(Vec::len), Some(stages.len()));
}

fn paused(action: &str) -> Scene {
    let hook = json!({
        "targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": { "timeoutInMinutes": 60, "action": action },
    });
    let mut scene = Scene::new(with("BLUE_GREEN", json!({ "lifecycleHooks": [hook] })));
    scene.update("2");
    scene.pass(600);
    let deployment = scene.deployment();
    assert_eq!(deployment["lifecycleHookDetails"][0]["status"], "AWAITING_ACTION", "{deployment:#}");
    assert_eq!(scene.weights(), (100, 0), "no production traffic before the answer");
    scene
}

#[test]
fn a_pause_is_answered_or_runs_out() {
    for (answer, action, status, weights) in [
        (Some("CONTINUE"), "ROLLBACK", "SUCCESSFUL", (0, 100)),
        (Some("ROLLBACK"), "CONTINUE", "ROLLBACK_SUCCESSFUL", (100, 0)),
        (None, "ROLLBACK", "ROLLBACK_SUCCESSFUL", (100, 0)),
        (None, "CONTINUE", "SUCCESSFUL", (0, 100)),
    ] {
        let mut scene = paused(action);
        let deployment = scene.deployment();
        if let Some(answer) = answer {
            let input = json!({
                "serviceDeploymentArn": deployment["serviceDeploymentArn"], "action": answer,
                "hookId": deployment["lifecycleHookDetails"][0]["hookId"],
            });
            scene.call("ecs", "ContinueServiceDeployment", input.clone());
            let again = scene.world.answer("ecs", "ContinueServiceDeployment", &input);
            assert_eq!(again.unwrap_err().code, "InvalidParameterException", "it is answered once");
            scene.pass(600);
        } else {
            scene.pass(2 * 3600);
        }
        assert_eq!(scene.deployment()["status"], status, "{answer:?} {action}: {:#}", scene.deployment());
        assert_eq!(scene.weights(), weights, "{answer:?} {action}");
    }
}

#[test]
fn a_deployment_is_stopped_or_superseded() {
    let mut scene = paused("ROLLBACK");
    let first = scene.deployment()["serviceDeploymentArn"].clone();
    scene.call("ecs", "StopServiceDeployment", json!({ "serviceDeploymentArn": first }));
    scene.pass(600);
    assert_eq!(scene.deployment()["status"], "ROLLBACK_SUCCESSFUL");
    assert!(scene.deployment()["stoppedAt"].is_object());
    assert_eq!((scene.runs(), scene.weights()), ("web:1".to_owned(), (100, 0)));
    let again = scene.world.answer("ecs", "StopServiceDeployment", &json!({ "serviceDeploymentArn": first }));
    assert_eq!(again.unwrap_err().code, "ConflictException");

    let mut scene = paused("ROLLBACK");
    let first = scene.deployment()["serviceDeploymentArn"].clone();
    scene.update("3");
    scene.pass(600);
    let input = json!({ "serviceDeploymentArns": [first] });
    let old = scene.call("ecs", "DescribeServiceDeployments", input)["serviceDeployments"][0].clone();
    assert_eq!(old["status"], "STOPPED", "a newer one takes over: {old:#}");
    assert_eq!(scene.deployment()["lifecycleHookDetails"][0]["status"], "AWAITING_ACTION");
}

#[test]
fn a_deleted_service_drains_first() {
    let mut scene = Scene::new(json!({}));
    scene.call("ecs", "DeleteService", json!({ "cluster": "prod", "service": "web", "force": true }));
    assert_eq!(scene.service()["status"], "DRAINING");
    scene.pass(300);
    assert_eq!(scene.service()["status"], "INACTIVE");
}

#[test]
fn a_task_of_ones_own_ends_with_its_code_and_starts_once_a_token() {
    let mut scene = Scene::new(json!({}));
    scene.register("job-5", json!([]));
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    let input = json!({
        "cluster": "prod", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": network,
        "clientToken": "once",
    });
    let task = scene.call("ecs", "RunTask", input.clone())["tasks"][0]["taskArn"].clone();
    assert_eq!(scene.call("ecs", "RunTask", input.clone())["tasks"][0]["taskArn"], task);
    // One that is stopped before it runs is shown as long as others.
    let mut other = input;
    other["clientToken"] = json!("twice");
    let early = scene.call("ecs", "RunTask", other)["tasks"][0]["taskArn"].clone();
    scene.call("ecs", "StopTask", json!({ "cluster": "prod", "task": early }));
    scene.pass(60);
    let stopped =
        scene.call("ecs", "ListTasks", json!({ "cluster": "prod", "family": "web", "desiredStatus": "STOPPED" }));
    assert!(stopped["taskArns"].as_array().is_some_and(|arns| arns.contains(&early)), "{stopped}");
    let found = scene.call("ecs", "DescribeTasks", json!({ "cluster": "prod", "tasks": [task] }))["tasks"][0].clone();
    assert_eq!(
        (&found["lastStatus"], &found["containers"][0]["exitCode"]),
        (&json!("STOPPED"), &json!(0)),
        "{found:#}"
    );
}
