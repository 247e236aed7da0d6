//! What AWS makes of an input: what it fills in, how it spells what it answers, and what an update keeps of what was there.
//!
//! Written from the API references and recorded answers, without the tables of `kind/`. Where answers were seen in two
//! forms, chance takes one.

use super::generate::Dice;
use serde_json::{Map, Value, json};

fn map(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Fills in where nothing is.
fn fill(document: &mut Value, values: Value) {
    for (field, value) in values.as_object().cloned().unwrap_or_default() {
        map(document).entry(field).or_insert(value);
    }
}

/// The same where AWS was seen to answer it and to leave it out.
fn may_fill(document: &mut Value, values: Value, dice: &mut Dice) {
    for (field, value) in values.as_object().cloned().unwrap_or_default() {
        if dice.chance(50) {
            map(document).entry(field).or_insert(value);
        }
    }
}

fn each<'v>(document: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    document.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

pub fn task_definition(document: &mut Value, dice: &mut Dice) {
    for (field, unit) in [("cpu", "vcpu"), ("memory", "gb")] {
        let written = text(document, field).to_lowercase();
        if let Some(number) = written.strip_suffix(unit) {
            let number: f64 = number.trim().parse().unwrap();
            document[field] = format!("{}", number * 1024.0).into();
        }
    }
    let mode = text(document, "networkMode");
    for container in each(document, "containerDefinitions") {
        fill(container, json!({ "essential": true, "cpu": 0, "environment": [], "mountPoints": [] }));
        fill(container, json!({ "portMappings": [], "volumesFrom": [], "systemControls": [] }));
        may_fill(container, json!({ "versionConsistency": "enabled", "privileged": false, "links": [] }), dice);
        may_fill(container, json!({ "interactive": false, "pseudoTerminal": false, "dockerLabels": {} }), dice);
        may_fill(container, json!({ "readonlyRootFilesystem": false, "command": [], "secrets": [] }), dice);
        for mapping in each(container, "portMappings") {
            fill(mapping, json!({ "protocol": "tcp" }));
            if let Some(port) = mapping.get("containerPort").cloned() {
                let same = matches!(mode.as_str(), "awsvpc" | "host");
                fill(mapping, json!({ "hostPort": if same { port } else { json!(0) } }));
            }
        }
        if let Some(check) = container.get_mut("healthCheck") {
            fill(check, json!({ "interval": 30, "timeout": 5, "retries": 3 }));
            may_fill(check, json!({ "startPeriod": 0 }), dice);
        }
        if let Some(linux) = container.get_mut("linuxParameters") {
            fill(linux, json!({ "tmpfs": [], "devices": [] }));
            for device in each(linux, "devices") {
                may_fill(device, json!({ "permissions": ["read", "write", "mknod"] }), dice);
            }
            if linux.get("maxSwap").is_some() {
                may_fill(linux, json!({ "swappiness": 60 }), dice);
            }
        }
        for list in ["mountPoints", "volumesFrom"] {
            each(container, list).for_each(|item| may_fill(item, json!({ "readOnly": false }), dice));
        }
        if let Some(policy) = container.get_mut("restartPolicy") {
            may_fill(policy, json!({ "restartAttemptPeriod": 300, "ignoredExitCodes": [] }), dice);
        }
    }
    for volume in each(document, "volumes") {
        may_fill(volume, json!({ "configuredAtLaunch": false }), dice);
        if volume.as_object().unwrap().keys().all(|key| matches!(key.as_str(), "name" | "configuredAtLaunch")) {
            fill(volume, json!({ "host": {} }));
        }
        if let Some(docker) = volume.get_mut("dockerVolumeConfiguration") {
            may_fill(docker, json!({ "scope": "task", "autoprovision": false }), dice);
        }
        if let Some(efs) = volume.get_mut("efsVolumeConfiguration") {
            may_fill(efs, json!({ "rootDirectory": "/", "transitEncryption": "DISABLED" }), dice);
            if let Some(authorization) = efs.get_mut("authorizationConfig") {
                may_fill(authorization, json!({ "iam": "DISABLED" }), dice);
            }
        }
    }
    if let Some(proxy) = document.get_mut("proxyConfiguration") {
        may_fill(proxy, json!({ "type": "APPMESH" }), dice);
    }
    fill(document, json!({ "placementConstraints": [], "volumes": [], "requiresAttributes": [{ "name": "a" }] }));
    fill(document, json!({ "compatibilities": ["EC2"], "registeredBy": "somebody" }));
    may_fill(document, json!({ "enableFaultInjection": false }), dice);
}

/// A service as it is stored: still in CreateService's names.
pub fn service(document: &mut Value, dice: &mut Dice) {
    fill(document, json!({ "schedulingStrategy": "REPLICA", "propagateTags": "NONE" }));
    let daemon = text(document, "schedulingStrategy") == "DAEMON";
    may_fill(document, json!({ "deploymentController": { "type": "ECS" } }), dice);
    fill(document, json!({ "deploymentConfiguration": {} }));
    let configuration = document.get_mut("deploymentConfiguration").unwrap();
    let (maximum, minimum) = if daemon { (100, 0) } else { (200, 100) };
    fill(configuration, json!({ "maximumPercent": maximum, "minimumHealthyPercent": minimum }));
    deployment_configuration(configuration, dice);
    if document.get("capacityProviderStrategy").is_none() {
        fill(document, json!({ "launchType": "EC2" }));
    }
    each(document, "capacityProviderStrategy").for_each(|item| fill(item, json!({ "base": 0, "weight": 0 })));
    if text(document, "launchType") == "FARGATE" {
        fill(document, json!({ "platformVersion": "LATEST", "platformFamily": "Linux" }));
    }
    if let Some(vpc) = document.pointer_mut("/networkConfiguration/awsvpcConfiguration") {
        fill(vpc, json!({ "assignPublicIp": "DISABLED", "securityGroups": [] }));
    }
    let rebalancing = if daemon { "DISABLED" } else { "ENABLED" };
    fill(document, json!({ "availabilityZoneRebalancing": rebalancing, "placementConstraints": [] }));
    fill(document, json!({ "placementStrategy": [], "loadBalancers": [], "serviceRegistries": [] }));
    fill(document, json!({ "enableECSManagedTags": false, "enableExecuteCommand": false, "desiredCount": 1 }));
    may_fill(document, json!({ "healthCheckGracePeriodSeconds": 0 }), dice);
    fill(
        document,
        json!({ "role": "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS" }),
    );
    if let Some(connect) = document.get_mut("serviceConnectConfiguration") {
        let namespace = text(connect, "namespace");
        for service in each(connect, "services") {
            let port = service["portName"].clone();
            fill(service, json!({ "discoveryName": port }));
            let name = format!("{}.{namespace}", text(service, "discoveryName"));
            if !namespace.is_empty() {
                each(service, "clientAliases").for_each(|alias| fill(alias, json!({ "dnsName": name })));
            }
        }
        if let Some(log) = connect.get_mut("accessLogConfiguration") {
            fill(log, json!({ "includeQueryParameters": "DISABLED" }));
        }
    }
    for volume in each(document, "volumeConfigurations") {
        if let Some(ebs) = volume.get_mut("managedEBSVolume") {
            may_fill(ebs, json!({ "filesystemType": "xfs" }), dice);
        }
    }
}

fn deployment_configuration(configuration: &mut Value, dice: &mut Dice) {
    fill(configuration, json!({ "strategy": "ROLLING", "bakeTimeInMinutes": 0 }));
    fill(configuration, json!({ "deploymentCircuitBreaker": { "enable": false, "rollback": false } }));
    let breaker = configuration.get_mut("deploymentCircuitBreaker").unwrap();
    let threshold = json!({ "type": "BOUNDED_PERCENT", "value": 50 });
    may_fill(breaker, json!({ "resetOnHealthyTask": true, "thresholdConfiguration": threshold }), dice);
    let alarms = json!({ "alarmNames": [], "enable": false, "rollback": false });
    may_fill(configuration, json!({ "alarms": alarms }), dice);
    for hook in each(configuration, "lifecycleHooks") {
        fill(hook, json!({ "targetType": "AWS_LAMBDA" }));
        if let Some(timeout) = hook.get_mut("timeoutConfiguration") {
            fill(timeout, json!({ "action": "ROLLBACK" }));
        }
    }
    match text(configuration, "strategy").as_str() {
        "LINEAR" => {
            fill(configuration, json!({ "linearConfiguration": {} }));
            let block = configuration.get_mut("linearConfiguration").unwrap();
            fill(block, json!({ "stepPercent": 10.0, "stepBakeTimeInMinutes": 6 }));
        }
        "CANARY" => {
            fill(configuration, json!({ "canaryConfiguration": {} }));
            let block = configuration.get_mut("canaryConfiguration").unwrap();
            fill(block, json!({ "canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10 }));
        }
        _ => {}
    }
}

/// UpdateService: what is left out stays, at the top and inside `deploymentConfiguration`.
pub fn update_service(service: &mut Value, input: &Value, dice: &mut Dice) {
    for (field, value) in input.as_object().unwrap() {
        match field.as_str() {
            "cluster" | "service" | "forceNewDeployment" => {}
            "deploymentConfiguration" => {
                let live = &mut service["deploymentConfiguration"];
                for (member, value) in value.as_object().unwrap() {
                    match (member.as_str(), live.get_mut(member)) {
                        // "The two required members are replaced together while its newer members are kept."
                        ("deploymentCircuitBreaker", Some(breaker)) => {
                            map(breaker).extend(value.as_object().cloned().unwrap_or_default());
                        }
                        _ => live[member] = value.clone(),
                    }
                }
                let strategy = text(live, "strategy");
                let fits = |name: &String| match name.as_str() {
                    "linearConfiguration" => strategy == "LINEAR",
                    "canaryConfiguration" => strategy == "CANARY",
                    _ => true,
                };
                map(live).retain(|name, _| fits(name));
            }
            "capacityProviderStrategy" => {
                map(service).remove("launchType");
                service[field] = value.clone();
            }
            "serviceConnectConfiguration" if value.get("enabled") == Some(&json!(false)) => {
                map(service).remove(field);
            }
            _ => service[field] = value.clone(),
        }
    }
    self::service(service, dice);
}

/// DescribeServices' answer of a stored service: some of it is on the deployment, some on the revision only.
pub fn described_service(stored: &Value, name: &str, arn: &str) -> Value {
    let mut service = stored.clone();
    let count = service["desiredCount"].clone();
    let mut deployment = json!({
        "id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": service["taskDefinition"],
        "desiredCount": count, "runningCount": count, "pendingCount": 0, "failedTasks": 0,
        "rolloutState": "COMPLETED",
    });
    for block in ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"] {
        if let Some(value) = map(&mut service).remove(block) {
            deployment[block] = value;
        }
    }
    for not_answered in ["clientToken", "cluster", "gatewayConnectors", "monitoring"] {
        map(&mut service).remove(not_answered);
    }
    if let Some(role) = map(&mut service).remove("role") {
        service["roleArn"] = role;
    }
    service["serviceName"] = name.into();
    service["serviceArn"] = arn.into();
    service["clusterArn"] = "arn:aws:ecs:eu-west-1:123456789012:cluster/main".into();
    service["status"] = "ACTIVE".into();
    service["runningCount"] = count;
    service["pendingCount"] = 0.into();
    service["deployments"] = json!([deployment]);
    service
}

pub fn target_group(group: &mut Value) {
    fill(group, json!({ "TargetType": "instance" }));
    let (kind, protocol) = (text(group, "TargetType"), text(group, "Protocol"));
    let http = protocol == "HTTP" || protocol == "HTTPS";
    if kind == "lambda" {
        fill(group, json!({ "HealthCheckEnabled": false, "HealthCheckIntervalSeconds": 35 }));
        fill(
            group,
            json!({ "HealthCheckTimeoutSeconds": 30, "HealthCheckPath": "/", "Matcher": { "HttpCode": "200" } }),
        );
    } else {
        fill(group, json!({ "HealthCheckEnabled": true, "IpAddressType": "ipv4" }));
        let (check, port, interval, timeout) = match protocol.as_str() {
            "HTTP" | "HTTPS" => (protocol.as_str(), "traffic-port", 30, 5),
            "GENEVE" => ("TCP", "80", 10, 5),
            _ => ("TCP", "traffic-port", 30, 10),
        };
        fill(group, json!({ "HealthCheckProtocol": check, "HealthCheckPort": port }));
        fill(group, json!({ "HealthCheckIntervalSeconds": interval, "HealthCheckTimeoutSeconds": timeout }));
    }
    if http {
        fill(group, json!({ "ProtocolVersion": "HTTP1" }));
    }
    fill(group, json!({ "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2 }));
    match text(group, "HealthCheckProtocol").as_str() {
        "HTTP" | "HTTPS" if text(group, "ProtocolVersion") == "GRPC" => {
            fill(group, json!({ "HealthCheckPath": "/AWS.ALB/healthcheck", "Matcher": { "GrpcCode": "12" } }));
        }
        "HTTP" | "HTTPS" => {
            let codes = if http { "200" } else { "200-399" };
            fill(group, json!({ "HealthCheckPath": "/", "Matcher": { "HttpCode": codes } }));
        }
        _ if kind != "lambda" => {
            map(group).remove("HealthCheckPath");
            map(group).remove("Matcher");
        }
        _ => {}
    }
}

/// The attributes of a new group.
pub fn group_attributes(group: &Value) -> Value {
    match text(group, "Protocol").as_str() {
        "HTTP" | "HTTPS" => json!({
            "deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false",
            "stickiness.type": "lb_cookie", "stickiness.lb_cookie.duration_seconds": "86400",
            "slow_start.duration_seconds": "0", "load_balancing.algorithm.type": "round_robin",
        }),
        _ => json!({ "deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false" }),
    }
}

pub fn rule(rule: &mut Value, network: bool, dice: &mut Dice) {
    for condition in each(rule, "Conditions") {
        let blocks = [
            ("HostHeaderConfig", "host-header"),
            ("PathPatternConfig", "path-pattern"),
            ("HttpHeaderConfig", "http-header"),
            ("QueryStringConfig", "query-string"),
            ("HttpRequestMethodConfig", "http-request-method"),
            ("SourceIpConfig", "source-ip"),
        ];
        if let Some((_, field)) = blocks.iter().find(|(block, _)| condition.get(block).is_some()) {
            fill(condition, json!({ "Field": field }));
        }
        let field = text(condition, "Field");
        let (block, _) = blocks.iter().find(|(_, name)| *name == field).unwrap();
        if matches!(field.as_str(), "host-header" | "path-pattern") {
            // Both spellings come back.
            for values in ["Values", "RegexValues"] {
                let given = condition.get(values).filter(|given| *given != &json!([])).cloned();
                let inner = condition.get(*block).and_then(|inner| inner.get(values)).cloned();
                if let Some(given) = given.or(inner) {
                    condition[*block][values] = given.clone();
                    condition[values] = given;
                }
            }
        }
        fill(condition, json!({ "Values": [] }));
    }
    fill(rule, json!({ "IsDefault": false, "Transforms": [] }));
    actions(rule, "Actions", network, dice);
}

fn actions(document: &mut Value, field: &str, network: bool, dice: &mut Dice) {
    let alone = document.get(field).and_then(Value::as_array).is_some_and(|all| all.len() == 1);
    for action in each(document, field) {
        if alone {
            may_fill(action, json!({ "Order": 1 }), dice);
        }
        if text(action, "Type") == "forward" {
            forward(action, network, dice);
        }
        if let Some(redirect) = action.get_mut("RedirectConfig") {
            fill(redirect, json!({ "Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}" }));
            fill(redirect, json!({ "Path": "/#{path}", "Query": "#{query}" }));
        }
        for kind in ["AuthenticateOidcConfig", "AuthenticateCognitoConfig"] {
            let Some(config) = action.get_mut(kind) else { continue };
            map(config).remove("ClientSecret");
            fill(config, json!({ "Scope": "openid", "SessionCookieName": "AWSELBAuthSessionCookie" }));
            fill(config, json!({ "SessionTimeout": 604_800, "OnUnauthenticatedRequest": "authenticate" }));
        }
    }
}

fn forward(action: &mut Value, network: bool, dice: &mut Dice) {
    if let Some(arn) = action.get("TargetGroupArn").cloned() {
        fill(action, json!({ "ForwardConfig": {} }));
        fill(&mut action["ForwardConfig"], json!({ "TargetGroups": [{ "TargetGroupArn": arn }] }));
    }
    let config = &mut action["ForwardConfig"];
    if !network {
        each(config, "TargetGroups").for_each(|group| fill(group, json!({ "Weight": 1 })));
        fill(config, json!({ "TargetGroupStickinessConfig": {} }));
        let sticky = &mut config["TargetGroupStickinessConfig"];
        fill(sticky, json!({ "Enabled": false }));
        if sticky["Enabled"] == json!(false) {
            may_fill(sticky, json!({ "DurationSeconds": 3600 }), dice);
        }
    }
    let groups = config["TargetGroups"].as_array().unwrap();
    match groups.as_slice() {
        [only] => action["TargetGroupArn"] = only["TargetGroupArn"].clone(),
        _ => drop(map(action).remove("TargetGroupArn")),
    }
}

pub fn listener(listener: &mut Value, network: bool, dice: &mut Dice) {
    match text(listener, "Protocol").as_str() {
        "HTTPS" => {
            fill(listener, json!({ "SslPolicy": "ELBSecurityPolicy-2016-08", "MutualAuthentication": {} }));
            fill(&mut listener["MutualAuthentication"], json!({ "Mode": "off" }));
        }
        "TLS" => fill(listener, json!({ "SslPolicy": "ELBSecurityPolicy-2016-08" })),
        _ => ["SslPolicy", "Certificates", "MutualAuthentication"].iter().for_each(|field| {
            map(listener).remove(*field);
        }),
    }
    actions(listener, "DefaultActions", network, dice);
}

pub fn scalable_target(target: &mut Value) {
    fill(target, json!({ "SuspendedState": {}, "CreationTime": "2026-01-02T03:04:05Z" }));
    let states = ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"];
    states.iter().for_each(|state| fill(&mut target["SuspendedState"], json!({ *state: false })));
    target["RoleARN"] =
        "arn:aws:iam::123456789012:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/R".into();
}

pub fn scaling_policy(policy: &mut Value, dice: &mut Dice) {
    fill(policy, json!({ "CreationTime": "2026-01-02T03:04:05Z", "Alarms": [] }));
    if let Some(step) = policy.get_mut("StepScalingPolicyConfiguration") {
        may_fill(step, json!({ "Cooldown": 300, "MetricAggregationType": "Average" }), dice);
    }
    if let Some(tracking) = policy.get_mut("TargetTrackingScalingPolicyConfiguration") {
        may_fill(tracking, json!({ "ScaleInCooldown": 300, "ScaleOutCooldown": 300, "DisableScaleIn": false }), dice);
        if let Some(custom) = tracking.get_mut("CustomizedMetricSpecification") {
            each(custom, "Metrics").for_each(|metric| may_fill(metric, json!({ "ReturnData": true }), dice));
        }
    }
    if let Some(predictive) = policy.get_mut("PredictiveScalingPolicyConfiguration") {
        fill(predictive, json!({ "Mode": "ForecastOnly" }));
        may_fill(
            predictive,
            json!({ "SchedulingBufferTime": 300, "MaxCapacityBreachBehavior": "HonorMaxCapacity" }),
            dice,
        );
    }
}

pub fn scheduled_action(action: &mut Value, dice: &mut Dice) {
    fill(action, json!({ "CreationTime": "2026-01-02T03:04:05Z" }));
    may_fill(action, json!({ "Timezone": "UTC" }), dice);
    action["Schedule"] = text(action, "Schedule").trim().into();
    // Times come back in UTC.
    for field in ["StartTime", "EndTime"] {
        if let Ok(time) = text(action, field).parse::<jiff::Timestamp>() {
            action[field] = time.to_string().into();
        }
    }
}

pub fn alarm(alarm: &mut Value, dice: &mut Dice) {
    fill(alarm, json!({ "ActionsEnabled": true, "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [] }));
    may_fill(alarm, json!({ "TreatMissingData": "missing", "Dimensions": [] }), dice);
    if let Some(periods) = alarm.get("EvaluationPeriods").cloned() {
        may_fill(alarm, json!({ "DatapointsToAlarm": periods }), dice);
    }
    each(alarm, "Metrics").for_each(|metric| may_fill(metric, json!({ "ReturnData": true }), dice));
    fill(alarm, json!({ "StateValue": "OK", "StateReason": "fine" }));
}

pub fn discovery(service: &mut Value, dice: &mut Dice) {
    let namespace = service["NamespaceId"].clone();
    if let Some(dns) = service.get_mut("DnsConfig") {
        fill(dns, json!({ "RoutingPolicy": "MULTIVALUE" }));
        may_fill(dns, json!({ "NamespaceId": namespace }), dice);
    }
    fill(service, json!({ "Type": "DNS_HTTP", "CreateDate": "2026-01-02T03:04:05Z" }));
    if let Some(check) = service.get_mut("HealthCheckConfig") {
        fill(check, json!({ "FailureThreshold": 1 }));
        if text(check, "Type") != "TCP" {
            fill(check, json!({ "ResourcePath": "/" }));
        }
    }
    if let Some(check) = service.get_mut("HealthCheckCustomConfig") {
        fill(check, json!({ "FailureThreshold": 1 }));
    }
}

/// "If you omit any existing DnsRecords or HealthCheckConfig configurations, they are deleted."
pub fn update_discovery(service: &mut Value, change: &Value) {
    if let Some(description) = change.get("Description") {
        service["Description"] = description.clone();
    }
    match change.pointer("/DnsConfig/DnsRecords") {
        Some(records) => service["DnsConfig"]["DnsRecords"] = records.clone(),
        None => drop(map(service).remove("DnsConfig")),
    }
    match change.get("HealthCheckConfig") {
        Some(check) => service["HealthCheckConfig"] = check.clone(),
        None => drop(map(service).remove("HealthCheckConfig")),
    }
}
