//! Services, through the account's door.

use super::REVISION_ONLY;
use crate::sim::world::World;
use crate::sim::world::ecs::common::members;
use jiff::Timestamp;
use serde_json::{Value, json};

/// An account with a cluster, two revisions for Fargate of which the first is INACTIVE, and one for EC2.
fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", Timestamp::UNIX_EPOCH, 1);
    ok(
        &mut world,
        "CreateCluster",
        &json!({ "clusterName": "prod", "capacityProviders": ["FARGATE", "FARGATE_SPOT"] }),
    );
    let port = json!([{ "name": "http", "containerPort": 80 }]);
    let container = json!({ "name": "web", "image": "nginx:1", "portMappings": port, "memory": 256 });
    let fargate = json!({
        "family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "containerDefinitions": [container],
    });
    ok(&mut world, "RegisterTaskDefinition", &fargate);
    ok(&mut world, "RegisterTaskDefinition", &fargate);
    ok(&mut world, "DeregisterTaskDefinition", &json!({ "taskDefinition": "web:1" }));
    ok(&mut world, "RegisterTaskDefinition", &json!({ "family": "old", "containerDefinitions": [container] }));
    beside(&mut world, "discovery", "CreateHttpNamespace", json!({ "Name": "local" }));
    world
}

fn beside(world: &mut World, service: &str, operation: &str, input: Value) -> Value {
    world.answer(service, operation, &input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
}

/// The ARN of a target group that a listener forwards to.
fn group(world: &mut World) -> Value {
    let balancer = json!({ "Name": "lb", "Subnets": ["subnet-1", "subnet-2"] });
    let balancer =
        beside(world, "elbv2", "CreateLoadBalancer", balancer)["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let group = json!({ "Name": "web", "Protocol": "HTTP", "Port": 80, "TargetType": "ip", "VpcId": "vpc-1" });
    let group = beside(world, "elbv2", "CreateTargetGroup", group)["TargetGroups"][0]["TargetGroupArn"].clone();
    let forward = json!([{ "Type": "forward", "TargetGroupArn": group }]);
    let listener = json!({ "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 80, "DefaultActions": forward });
    beside(world, "elbv2", "CreateListener", listener);
    group
}

fn ok(world: &mut World, operation: &str, input: &Value) -> Value {
    world.answer("ecs", operation, input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
}

fn with(base: Value, more: &Value) -> Value {
    let mut all = members(&base);
    all.extend(members(more));
    for (field, value) in more.as_object().into_iter().flatten() {
        if value.is_null() {
            all.remove(field);
        }
    }
    Value::Object(all)
}

/// A request for a service on Fargate.
fn request(more: &Value) -> Value {
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    let base = json!({
        "cluster": "prod", "serviceName": "web", "taskDefinition": "web", "desiredCount": 2, "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    with(base, more)
}

fn update(more: &Value) -> Value {
    with(json!({ "cluster": "prod", "service": "web" }), more)
}

fn read(world: &mut World) -> Value {
    let answer = ok(world, "DescribeServices", &json!({ "cluster": "prod", "services": ["web"], "include": ["TAGS"] }));
    answer["services"][0].clone()
}

#[test]
fn a_new_service_has_the_defaults() {
    let mut world = world();
    ok(&mut world, "CreateService", &request(&json!({})));
    let service = read(&mut world);
    let breaker = json!({
        "enable": false, "rollback": false, "resetOnHealthyTask": true,
        "thresholdConfiguration": { "type": "BOUNDED_PERCENT", "value": 50 },
    });
    let rollout = json!({
        "maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING", "bakeTimeInMinutes": 0,
        "deploymentCircuitBreaker": breaker,
    });
    let network = json!({ "subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "DISABLED" });
    for (field, expected) in [
        ("serviceArn", json!("arn:aws:ecs:us-east-1:123456789012:service/prod/web")),
        ("clusterArn", json!("arn:aws:ecs:us-east-1:123456789012:cluster/prod")),
        ("taskDefinition", json!("arn:aws:ecs:us-east-1:123456789012:task-definition/web:2")),
        ("status", json!("ACTIVE")),
        ("launchType", json!("FARGATE")),
        ("platformVersion", json!("LATEST")),
        ("platformFamily", json!("Linux")),
        ("schedulingStrategy", json!("REPLICA")),
        ("deploymentController", json!({ "type": "ECS" })),
        ("deploymentConfiguration", rollout),
        ("networkConfiguration", json!({ "awsvpcConfiguration": network })),
        ("availabilityZoneRebalancing", json!("ENABLED")),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("enableECSManagedTags", json!(false)),
        ("enableExecuteCommand", json!(false)),
        ("propagateTags", json!("NONE")),
        ("loadBalancers", json!([])),
        ("serviceRegistries", json!([])),
        ("placementConstraints", json!([])),
        ("placementStrategy", json!([])),
        ("tags", json!([])),
    ] {
        assert_eq!(service[field], expected, "{field}");
    }
    assert!(service["roleArn"].as_str().is_some_and(|role| role.ends_with("AWSServiceRoleForECS")), "{service}");

    let daemon = json!({
        "serviceName": "agent", "taskDefinition": "old", "desiredCount": null, "launchType": null,
        "networkConfiguration": null, "schedulingStrategy": "DAEMON",
    });
    let agent = ok(&mut world, "CreateService", &request(&daemon))["service"].clone();
    assert_eq!(agent["deploymentConfiguration"]["maximumPercent"], 100);
    assert_eq!(agent["deploymentConfiguration"]["minimumHealthyPercent"], 0);
    assert_eq!((&agent["launchType"], &agent["availabilityZoneRebalancing"]), (&json!("EC2"), &json!("DISABLED")));
    assert_eq!((agent.get("platformVersion"), agent.get("roleArn")), (None, None));
}

#[test]
fn the_clusters_strategy_is_copied_and_service_connect_is_filled_in() {
    let mut world = world();
    let strategy = json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1 }]);
    let providers = json!({ "cluster": "prod", "capacityProviders": ["FARGATE_SPOT", "FARGATE"], "defaultCapacityProviderStrategy": strategy });
    let cluster = ok(&mut world, "PutClusterCapacityProviders", &providers)["cluster"].clone();
    assert_eq!(cluster["capacityProviders"], json!(["FARGATE", "FARGATE_SPOT"]), "sorted");
    let connect = json!({
        "enabled": true, "namespace": "local", "services": [{ "portName": "http", "clientAliases": [{ "port": 80 }] }],
    });
    let input = request(&json!({ "launchType": null, "serviceConnectConfiguration": connect }));
    let service = ok(&mut world, "CreateService", &input)["service"].clone();
    let filled = json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0 }]);
    assert_eq!(service["capacityProviderStrategy"], filled);
    assert_eq!(service.get("launchType"), None);
    assert!(REVISION_ONLY.iter().all(|field| service.get(field).is_none()), "they are not on the service");
    let kept = &world.ecs.services["arn:aws:ecs:us-east-1:123456789012:service/prod/web"].settings;
    let services = json!([{ "portName": "http", "discoveryName": "http", "clientAliases": [{ "port": 80, "dnsName": "http.local" }] }]);
    assert_eq!(kept["serviceConnectConfiguration"]["services"], services);
}

#[test]
fn what_does_not_fit_is_refused() {
    let check = |more: Value, code: &str, words: &str| {
        let refusal = world().answer("ecs", "CreateService", &request(&more)).expect_err(words);
        assert_eq!(refusal.code, code, "{more}: {refusal}");
        assert!(refusal.message.contains(words), "{more}: {refusal}");
    };
    let (invalid, client) = ("InvalidParameterException", "ClientException");
    let balancer = |more: Value| {
        let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1";
        with(json!({ "targetGroupArn": group, "containerName": "web", "containerPort": 80 }), &more)
    };
    let rule = |name: &str| format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:{name}/app/lb/1/2/3");
    let blue_green = |more: Value| {
        let advanced = json!({ "alternateTargetGroupArn": "arn:x", "productionListenerRule": rule("listener-rule"), "roleArn": "arn:r" });
        let balancers = json!([balancer(json!({ "advancedConfiguration": with(advanced, &more) }))]);
        json!({ "deploymentConfiguration": { "strategy": "BLUE_GREEN" }, "loadBalancers": balancers })
    };
    let rollout = |configuration: Value| json!({ "deploymentConfiguration": configuration });
    let hook = |hook: Value| rollout(json!({ "strategy": "BLUE_GREEN", "lifecycleHooks": [hook] }));
    check(json!({ "cluster": "test" }), "ClusterNotFoundException", "Cluster not found.");
    check(json!({ "serviceName": "a b" }), invalid, "Invalid service name.");
    check(json!({ "taskDefinition": "web:9" }), client, "TaskDefinition not found.");
    check(json!({ "taskDefinition": "web:1" }), client, "TaskDefinition is inactive");
    check(json!({ "taskDefinition": null }), invalid, "TaskDefinition can not be blank.");
    check(json!({ "desiredCount": null }), invalid, "desiredCount is required");
    check(json!({ "networkConfiguration": null }), invalid, "Network Configuration must be provided");
    check(json!({ "taskDefinition": "old", "launchType": "EC2" }), invalid, "Network Configuration is not valid");
    check(json!({ "taskDefinition": "old" }), invalid, "Task definition does not support launch_type FARGATE.");
    check(json!({ "launchType": "EC2", "platformVersion": "1.4.0" }), invalid, "The platform version must be null");
    check(json!({ "platformVersion": "9" }), "PlatformUnknownException", "9");
    check(json!({ "role": "ecs" }), invalid, "You cannot specify an IAM role");
    check(json!({ "schedulingStrategy": "DAEMON" }), invalid, "does not support a desired count");
    check(json!({ "tags": [{ "key": "aws:x", "value": "" }] }), invalid, "reserved");
    let strategy = json!([{ "capacityProvider": "FARGATE", "weight": 1 }]);
    check(json!({ "capacityProviderStrategy": strategy }), invalid, "Specifying both a launch type");
    let strategy = json!([{ "capacityProvider": "FARGATE" }]);
    check(
        json!({ "launchType": null, "capacityProviderStrategy": strategy }),
        invalid,
        "a weight value greater than zero",
    );
    let strategy = json!([{ "capacityProvider": "asg", "weight": 1 }]);
    check(
        json!({ "launchType": null, "capacityProviderStrategy": strategy }),
        invalid,
        "not associated with the cluster",
    );
    check(
        json!({ "loadBalancers": vec![balancer(json!({})); 6] }),
        invalid,
        "load balancers can have at most 5 items.",
    );
    check(json!({ "loadBalancers": vec![balancer(json!({})); 2] }), invalid, "Duplicate targetGroupArn found");
    check(
        json!({ "loadBalancers": [balancer(json!({ "containerName": "api" }))] }),
        invalid,
        "The container api does not exist",
    );
    check(
        json!({ "loadBalancers": [balancer(json!({ "containerPort": 81 }))] }),
        invalid,
        "did not have a container port 81",
    );
    let plain = json!({ "deploymentConfiguration": { "strategy": "CANARY" }, "loadBalancers": [balancer(json!({}))] });
    check(plain, client, "advancedConfiguration field is required for all loadBalancers when using the canary");
    check(blue_green(json!({ "roleArn": null })), invalid, "advancedConfiguration requires roleArn.");
    let listener = json!({ "productionListenerRule": rule("listener") });
    check(blue_green(listener), invalid, "productionListenerRule has an invalid ARN format.");
    let same = json!({ "testListenerRule": rule("listener-rule") });
    check(blue_green(same), invalid, "cannot be used as both production and test listener rules");
    check(rollout(json!({ "maximumPercent": 100 })), invalid, "cannot be 100 as this will block deployments");
    check(rollout(json!({ "canaryConfiguration": {} })), invalid, "only valid with the CANARY deployment strategy");
    let linear = json!({ "strategy": "LINEAR", "linearConfiguration": { "stepPercent": 2.5 } });
    check(rollout(linear), invalid, "stepPercent must be a multiple of 0.1 between 3.0 and 100.0.");
    check(
        hook(json!({ "lifecycleStages": ["PRE_SCALE_UP"], "roleArn": "arn:r" })),
        invalid,
        "hookTargetArn is required",
    );
    check(hook(json!({ "targetType": "PAUSE" })), invalid, "at least one lifecycle stage");
    let early = json!({ "targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"] });
    check(hook(early), client, "Invalid lifecycle stage provided for Pause Hook");
    let connect = json!({ "enabled": true, "services": [] });
    check(json!({ "serviceConnectConfiguration": connect }), invalid, "Namespace is missing.");
    let connect = json!({ "enabled": true, "namespace": "local", "services": [{ "portName": "grpc" }] });
    check(json!({ "serviceConnectConfiguration": connect }), invalid, "portName(grpc) does not refer");
    check(json!({ "volumeConfigurations": [{ "name": "data" }] }), invalid, "does not have a matching volume");
}

#[test]
fn a_name_is_used_once_and_a_token_gives_the_same_service() {
    let mut world = world();
    let first = request(&json!({ "clientToken": "one" }));
    let made = ok(&mut world, "CreateService", &first);
    assert_eq!(ok(&mut world, "CreateService", &first)["service"]["serviceArn"], made["service"]["serviceArn"]);
    for more in [json!({}), json!({ "clientToken": "two" }), json!({ "clientToken": "one", "desiredCount": 3 })] {
        let refusal = world.answer("ecs", "CreateService", &request(&more)).expect_err("refused");
        assert_eq!(refusal.message, "Creation of service was not idempotent.", "{more}");
    }
    let refusal = world.answer("ecs", "DeleteService", &update(&json!({}))).expect_err("refused");
    assert_eq!(refusal.message, "The service cannot be stopped while it is scaled above 0.");
    let deleted = ok(&mut world, "DeleteService", &update(&json!({ "force": true })));
    assert_eq!(deleted["service"]["status"], "DRAINING");
    let listed = ok(&mut world, "ListServices", &json!({ "cluster": "prod" }));
    assert_eq!(listed["serviceArns"], json!([]), "a DRAINING service is not listed");
    let refusal = world.answer("ecs", "CreateService", &first).expect_err("refused");
    assert_eq!(refusal.message, "Unable to Start a service that is still Draining.");
    let refusal = world.answer("ecs", "DeleteCluster", &json!({ "cluster": "prod" })).expect_err("refused");
    assert_eq!(refusal.code, "ClusterContainsServicesException");
    super::drained(&mut world, "arn:aws:ecs:us-east-1:123456789012:service/prod/web");
    assert_eq!(read(&mut world)["status"], "INACTIVE");
    for (operation, more, code) in [
        ("UpdateService", json!({ "desiredCount": 1 }), "ServiceNotActiveException"),
        ("DeleteService", json!({}), "ServiceNotFoundException"),
        ("UpdateService", json!({ "service": "api" }), "ServiceNotFoundException"),
    ] {
        assert_eq!(world.answer("ecs", operation, &update(&more)).expect_err(code).code, code);
    }
    ok(&mut world, "CreateService", &first);
    assert_eq!(read(&mut world)["status"], "ACTIVE");
}

#[test]
fn an_update_leaves_what_it_leaves_out() {
    let breaker = json!({ "enable": true, "rollback": true, "resetOnHealthyTask": false });
    let created = json!({ "deploymentConfiguration": { "maximumPercent": 150, "deploymentCircuitBreaker": breaker } });
    let check = |asked: Value, pointer: &str, expected: Value| {
        let mut world = world();
        ok(&mut world, "CreateService", &request(&created));
        ok(&mut world, "UpdateService", &update(&asked));
        assert_eq!(read(&mut world).pointer(pointer).unwrap_or(&Value::Null), &expected, "{asked} {pointer}");
    };
    let rollout = |configuration: Value| json!({ "deploymentConfiguration": configuration });
    let at = |field: &str| format!("/deploymentConfiguration/{field}");
    check(json!({ "desiredCount": 5 }), &at("maximumPercent"), json!(150));
    check(json!({ "enableExecuteCommand": true }), "/enableExecuteCommand", json!(true));
    check(
        json!({ "propagateTags": "SERVICE" }),
        "/networkConfiguration/awsvpcConfiguration/subnets",
        json!(["subnet-1"]),
    );
    check(rollout(json!({ "minimumHealthyPercent": 50 })), &at("maximumPercent"), json!(150));
    check(rollout(json!({ "minimumHealthyPercent": 50 })), &at("minimumHealthyPercent"), json!(50));
    let threshold = json!({ "type": "BOUNDED_PERCENT", "value": 50 });
    let off =
        json!({ "enable": true, "rollback": false, "resetOnHealthyTask": false, "thresholdConfiguration": threshold });
    let turned = rollout(json!({ "deploymentCircuitBreaker": { "enable": true } }));
    check(turned, &at("deploymentCircuitBreaker"), off);
    let whole = json!({ "enable": true, "rollback": true, "thresholdConfiguration": threshold });
    let kept =
        json!({ "enable": true, "rollback": true, "resetOnHealthyTask": false, "thresholdConfiguration": threshold });
    check(rollout(json!({ "deploymentCircuitBreaker": whole })), &at("deploymentCircuitBreaker"), kept);
    let canary = json!({ "canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10 });
    check(rollout(json!({ "strategy": "CANARY" })), &at("canaryConfiguration"), canary);
    let alarms = json!({ "alarmNames": ["a"], "enable": true });
    let filled = json!({ "alarmNames": ["a"], "enable": true, "rollback": false });
    check(rollout(json!({ "alarms": alarms })), &at("alarms"), filled);
    let pause = json!({ "targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": { "timeoutInMinutes": 5 } });
    let shown = json!({ "timeoutInMinutes": 5, "action": "ROLLBACK" });
    let hooks = rollout(json!({ "strategy": "BLUE_GREEN", "lifecycleHooks": [pause] }));
    check(hooks, &at("lifecycleHooks/0/timeoutConfiguration"), shown);
    check(json!({ "platformVersion": "1.4.0" }), "/platformVersion", json!("1.4.0"));
    let spot = json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1 }]);
    let forced = json!({ "capacityProviderStrategy": spot, "forceNewDeployment": true });
    check(forced.clone(), "/capacityProviderStrategy/0/base", json!(0));
    check(forced, "/launchType", Value::Null);

    let refused = |asked: Value, code: &str, words: &str| {
        let mut world = world();
        ok(&mut world, "CreateService", &request(&created));
        let refusal = world.answer("ecs", "UpdateService", &update(&asked)).expect_err(words);
        assert!(refusal.code == code && refusal.message.contains(words), "{asked}: {refusal}");
    };
    let spot = json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 1 }]);
    refused(
        json!({ "capacityProviderStrategy": spot }),
        "InvalidParameterException",
        "you must force a new deployment.",
    );
    refused(json!({ "taskDefinition": "web:1" }), "ClientException", "TaskDefinition is inactive");
    refused(json!({ "desiredCount": -1 }), "InvalidParameterException", "desiredCount");
    refused(json!({ "cluster": "test" }), "ClusterNotFoundException", "Cluster not found.");
}

#[test]
fn codedeploy_takes_little() {
    let mut world = world();
    let group = group(&mut world);
    let balancer = json!({ "targetGroupArn": group, "containerName": "web", "containerPort": 80 });
    let more = json!({ "deploymentController": { "type": "CODE_DEPLOY" }, "loadBalancers": [balancer] });
    let service = ok(&mut world, "CreateService", &request(&more))["service"].clone();
    assert_eq!(service["deploymentConfiguration"], json!({ "maximumPercent": 200, "minimumHealthyPercent": 100 }));
    assert_eq!(service["taskSets"], json!([]));
    ok(&mut world, "UpdateService", &update(&json!({ "desiredCount": 3, "healthCheckGracePeriodSeconds": 5 })));
    let refusal =
        world.answer("ecs", "UpdateService", &update(&json!({ "taskDefinition": "web:2" }))).expect_err("refused");
    let words = "Unable to update task definition on services with a CODE_DEPLOY deployment controller.";
    assert!(refusal.message.starts_with(words), "{refusal}");
}

#[test]
fn reading_has_limits() {
    let mut world = world();
    for number in 0..12 {
        let name = format!("web-{number:02}");
        ok(&mut world, "CreateService", &request(&json!({ "serviceName": name, "tags": [{ "key": "a" }] })));
    }
    let check = |world: &mut World, services: Value, words: &str| {
        let input = json!({ "cluster": "prod", "services": services });
        assert_eq!(world.answer("ecs", "DescribeServices", &input).expect_err(words).message, words);
    };
    check(&mut world, json!([]), "Services cannot be empty.");
    check(&mut world, json!(vec!["web"; 11]), "service names can have at most 10 items.");
    let input = json!({ "cluster": "prod", "services": ["web-01", "web", "arn:aws:ecs:us-east-1:123456789012:service/prod/web-00"] });
    let answer = ok(&mut world, "DescribeServices", &input);
    assert_eq!(answer["services"][1]["serviceName"], "web-00");
    assert_eq!(answer["services"][0].get("tags"), None);
    let missing = json!([{ "arn": "arn:aws:ecs:us-east-1:123456789012:service/prod/web", "reason": "MISSING" }]);
    assert_eq!(answer["failures"], missing);
    let first = ok(&mut world, "ListServices", &json!({ "cluster": "prod" }));
    assert_eq!(first["serviceArns"].as_array().map(Vec::len), Some(10));
    let rest = ok(&mut world, "ListServices", &json!({ "cluster": "prod", "nextToken": first["nextToken"] }));
    assert_eq!((rest["serviceArns"].as_array().map(Vec::len), rest.get("nextToken")), (Some(2), None));
    let none = ok(&mut world, "ListServices", &json!({ "cluster": "prod", "launchType": "EC2" }));
    assert_eq!(none["serviceArns"], json!([]));
}
