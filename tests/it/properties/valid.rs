//! What keeps generated documents to those that AWS takes, a kind at a time: a table of paths, and what a table cannot say.

use super::generate::Row;
use super::generate::What::{Always, AlwaysOf, AlwaysWhole, Most, Never, Of, Whole};
use super::generate::{Dice, Sort};
use driftless::aws::tables::shapes;
use serde_json::{Map, Value, json};

pub const ROLE: &[&str] = &["arn:aws:iam::123456789012:role/one", "arn:aws:iam::123456789012:role/two"];
const SECRETS: &[&str] = &[
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    "arn:aws:ssm:eu-west-1:123456789012:parameter/app/token",
];
pub const GROUPS: &[&str] = &[
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/elsewhere-a/1",
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/elsewhere-b/2",
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/elsewhere-c/3",
];
const RULES: &[&str] = &["arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/other/1/2/3"];
const LATTICE: &[&str] = &["arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-1"];
const TOPICS: &[&str] = &["arn:aws:sns:eu-west-1:123456789012:one", "arn:aws:sns:eu-west-1:123456789012:two"];
const POOL: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/pool";
const CERTIFICATES: &[&str] = &[
    "arn:aws:acm:eu-west-1:123456789012:certificate/a",
    "arn:aws:acm:eu-west-1:123456789012:certificate/b",
    "arn:aws:acm:eu-west-1:123456789012:certificate/c",
];

fn map(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}

pub fn each<'v>(document: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    document.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

fn text<'v>(document: &'v Value, field: &str) -> &'v str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Keeps of these fields the one that chance picks.
fn one_of(document: &mut Value, fields: &[&str], dice: &mut Dice) {
    let given: Vec<&str> = fields.iter().copied().filter(|field| document.get(field).is_some()).collect();
    if given.is_empty() {
        return;
    }
    let kept = *dice.pick(&given);
    map(document).retain(|field, _| field == kept || !fields.contains(&field.as_str()));
}

fn remove(document: &mut Value, fields: &[&str]) {
    if let Value::Object(map) = document {
        map.retain(|field, _| !fields.contains(&field.as_str()));
    }
}

const TASK: &[Row] = &[
    Row("family", AlwaysOf(&["web"])),
    Row("taskRoleArn", Of(ROLE)),
    Row("executionRoleArn", Of(ROLE)),
    Row("requiresCompatibilities", Of(&["EC2", "EXTERNAL", "MANAGED_INSTANCES"])),
    Row("cpu", Of(&["0.25 vCPU", "512", "1 vcpu"])),
    Row("memory", Of(&["1 GB", "2GB", "3072"])),
    Row("inferenceAccelerators", Never),
    Row("ephemeralStorage.sizeInGiB", Whole(21, 200)),
    Row("tags.key", Always),
    Row("tags.value", Always),
    Row("containerDefinitions.name", AlwaysOf(&["app", "db", "log", "aux"])),
    Row("containerDefinitions.image", AlwaysOf(&["nginx:1.27", "nginx:1.28", "busybox:1"])),
    Row("containerDefinitions.cpu", Whole(0, 512)),
    Row("containerDefinitions.memory", AlwaysWhole(6, 2048)),
    Row("ignoredExitCodes", Whole(1, 9)),
    Row("nvidiaMps.memory", Whole(1, 9)),
    Row("repositoryCredentials.credentialsParameter", Of(SECRETS)),
    Row("portMappings.containerPort", AlwaysWhole(8000, 8004)),
    Row("portMappings.containerPortRange", Of(&["9000-9010", "9020-9030"])),
    Row("environment.name", Always),
    Row("environment.value", Always),
    Row("environmentFiles.value", Of(&["arn:aws:s3:::bucket/a.env", "arn:aws:s3:::bucket/b.env"])),
    Row("valueFrom", Of(SECRETS)),
    Row("mountPoints.containerPath", Always),
    Row("volumesFrom.sourceContainer", Always),
    Row("systemControls.namespace", Always),
    Row("systemControls.value", Always),
    Row("properties.name", Always),
    Row("properties.value", Always),
    Row("volumes.name", Always),
    Row("authorizationConfig.credentialsParameter", Of(SECRETS)),
    Row("fileSystemArn", Of(&["arn:aws:s3files:eu-west-1:123456789012:file-system/fs-1"])),
    Row("accessPointArn", Of(&["arn:aws:s3files:eu-west-1:123456789012:access-point/ap-1"])),
];

fn task(document: &mut Value, dice: &mut Dice) {
    if dice.chance(30) {
        map(document).extend([
            ("requiresCompatibilities".into(), json!(["FARGATE"])),
            ("networkMode".into(), json!("awsvpc")),
            ("cpu".into(), (*dice.pick(&["0.25 vCPU", "512"])).into()),
            ("memory".into(), (*dice.pick(&["1 GB", "2GB"])).into()),
        ]);
    }
    let same = matches!(text(document, "networkMode"), "awsvpc" | "host");
    for container in each(document, "containerDefinitions") {
        let mut ports = std::collections::BTreeSet::new();
        for mapping in each(container, "portMappings") {
            one_of(mapping, &["containerPort", "containerPortRange"], dice);
            // "The hostPort is not to be set with a range"; with awsvpc and host both ports are one.
            let port = mapping.get("containerPort").cloned();
            match (port, mapping.get("hostPort").is_some()) {
                (Some(port), true) if same => mapping["hostPort"] = port,
                (Some(_), true) => mapping["hostPort"] = (*dice.pick(&[0, 18_000, 18_001])).into(),
                _ => remove(mapping, &["hostPort"]),
            }
        }
        if let Some(mappings) = container.get_mut("portMappings").and_then(Value::as_array_mut) {
            mappings.retain(|m| ports.insert(format!("{:?}{:?}", m.get("containerPort"), m.get("containerPortRange"))));
        }
        if let Some(linux) = container.get_mut("linuxParameters")
            && linux.get("maxSwap").is_none()
        {
            remove(linux, &["swappiness"]);
        }
    }
    for volume in each(document, "volumes") {
        let kinds = [
            "host",
            "dockerVolumeConfiguration",
            "efsVolumeConfiguration",
            "s3filesVolumeConfiguration",
            "fsxWindowsFileServerVolumeConfiguration",
        ];
        one_of(volume, &kinds, dice);
    }
}

const SERVICE: &[Row] = &[
    Row("cluster", Never),
    Row("serviceName", Never),
    Row("taskDefinition", Never),
    Row("clientToken", Never),
    Row("loadBalancers.targetGroupArn", AlwaysOf(GROUPS)),
    Row("loadBalancers.loadBalancerName", Never),
    Row("loadBalancers.containerName", Always),
    Row("loadBalancers.containerPort", Always),
    Row("alternateTargetGroupArn", Of(GROUPS)),
    Row("productionListenerRule", Of(RULES)),
    Row("testListenerRule", Of(RULES)),
    Row("roleArn", Of(ROLE)),
    Row("registryArn", AlwaysOf(&["arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-1"])),
    Row("serviceRegistries", Most(1)),
    Row("desiredCount", Whole(0, 5)),
    Row("launchType", Of(&["EC2", "EXTERNAL"])),
    Row("capacityProvider", AlwaysOf(&["spot", "reserved", "other"])),
    Row("capacityProviderStrategy.weight", Whole(0, 10)),
    Row("capacityProviderStrategy.base", Whole(0, 5)),
    Row("platformVersion", Of(&["LATEST", "1.4.0", "1.3.0"])),
    Row("role", Of(ROLE)),
    Row("maximumPercent", Whole(200, 300)),
    Row("minimumHealthyPercent", Whole(0, 100)),
    Row("hookTargetArn", AlwaysOf(&["arn:aws:lambda:eu-west-1:123456789012:function:hook"])),
    Row("lifecycleHooks.targetType", Always),
    Row("lifecycleHooks.timeoutConfiguration.action", Always),
    Row("placementStrategy.field", Of(&["cpu", "MEMORY", "host", "attribute:ecs.availability-zone"])),
    Row("placementStrategy.type", Always),
    Row("placementConstraints.type", Always),
    Row("awsvpcConfiguration.subnets", Of(&["subnet-a", "subnet-b", "subnet-c"])),
    Row("awsvpcConfiguration.securityGroups", Of(&["sg-a", "sg-b"])),
    Row("deploymentController.type", Of(&["ECS", "CODE_DEPLOY", "EXTERNAL"])),
    Row("tags.key", Always),
    Row("tags.value", Always),
    Row("serviceConnectConfiguration.namespace", Of(&["local", "internal"])),
    Row("clientAliases", Most(1)),
    Row("awsPcaAuthorityArn", Of(&["arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/a"])),
    Row("valueFrom", Of(SECRETS)),
    Row("volumeConfigurations", Most(1)),
    Row("vpcLatticeConfigurations.targetGroupArn", Of(LATTICE)),
    Row("vpcLatticeConfigurations.advancedConfiguration.alternateTargetGroupArn", Of(LATTICE)),
    Row("gatewayConnectors", Most(1)),
];

fn service(document: &mut Value, dice: &mut Dice) {
    one_of(document, &["launchType", "capacityProviderStrategy"], dice);
    if text(document, "schedulingStrategy") == "DAEMON" {
        let not = ["desiredCount", "placementStrategy", "volumeConfigurations", "availabilityZoneRebalancing"];
        remove(document, &not);
    }
    if let Some(configuration) = document.get_mut("deploymentConfiguration") {
        // "Linear and canary blocks are valid only with their own strategy."
        let strategy = text(configuration, "strategy").to_owned();
        if strategy != "LINEAR" {
            remove(configuration, &["linearConfiguration"]);
        }
        if strategy != "CANARY" {
            remove(configuration, &["canaryConfiguration"]);
        }
    }
    if let Some(connect) = document.get_mut("serviceConnectConfiguration") {
        if connect["enabled"] == json!(false) {
            *connect = json!({ "enabled": false });
        }
        for service in each(connect, "services") {
            for alias in each(service, "clientAliases") {
                remove(alias, &["testTrafficRules"]);
            }
        }
    }
}

const TARGET_GROUP: &[Row] = &[
    Row("Name", Never),
    Row("Protocol", Never),
    Row("ProtocolVersion", Never),
    Row("TargetType", Never),
    Row("Port", AlwaysWhole(80, 90)),
    Row("VpcId", AlwaysOf(&["vpc-1", "vpc-2"])),
    Row("IpAddressType", Of(&["ipv4", "ipv6"])),
    Row("HealthCheckProtocol", Never),
    Row("HealthCheckPort", Of(&["traffic-port", "8080", "81"])),
    Row("HealthCheckPath", Of(&["/", "/health", "/ready"])),
    Row("HealthCheckEnabled", Never),
    Row("HealthCheckIntervalSeconds", Whole(10, 60)),
    Row("HealthCheckTimeoutSeconds", Whole(2, 9)),
    Row("HealthyThresholdCount", Whole(2, 10)),
    Row("UnhealthyThresholdCount", Whole(2, 10)),
    Row("HttpCode", Of(&["200", "200-299", "200,302"])),
    Row("GrpcCode", Of(&["0", "12", "0-99"])),
    Row("Tags.Key", Always),
    Row("Tags.Value", Always),
];

/// Protocol, its version, and what else the health check may speak.
const PROTOCOLS: &[(&str, Option<&str>, &[&str])] = &[
    ("HTTP", None, &["HTTP", "HTTPS"]),
    ("HTTP", Some("HTTP2"), &["HTTP", "HTTPS"]),
    ("HTTPS", Some("HTTP1"), &["HTTP", "HTTPS"]),
    ("HTTP", Some("GRPC"), &["HTTP", "HTTPS"]),
    ("TCP", None, &["TCP", "HTTP", "HTTPS"]),
    ("TLS", None, &["TCP", "HTTP"]),
    ("UDP", None, &["TCP", "HTTP"]),
    ("TCP_UDP", None, &["TCP", "HTTP"]),
    ("GENEVE", None, &["TCP", "HTTP"]),
    ("", None, &[]),
];

fn target_group(document: &mut Value, dice: &mut Dice) {
    let (protocol, version, checks) = *dice.pick(PROTOCOLS);
    if protocol.is_empty() {
        remove(document, &["Port", "VpcId", "IpAddressType", "HealthCheckPort", "TargetControlPort"]);
        map(document).insert("TargetType".into(), "lambda".into());
        if dice.chance(50) {
            map(document).insert("HealthCheckEnabled".into(), true.into());
        }
        document.get_mut("Matcher").into_iter().for_each(|matcher| *matcher = json!({ "HttpCode": "200" }));
        return;
    }
    map(document).insert("Protocol".into(), protocol.into());
    if let Some(version) = version {
        map(document).insert("ProtocolVersion".into(), version.into());
    }
    if dice.chance(50) {
        map(document).insert("TargetType".into(), (*dice.pick(&["ip", "instance"])).into());
    }
    if dice.chance(50) {
        map(document).insert("HealthCheckProtocol".into(), (*dice.pick(checks)).into());
    }
    let check = document.get("HealthCheckProtocol").and_then(Value::as_str).unwrap_or(checks[0]);
    if check == "TCP" {
        remove(document, &["HealthCheckPath", "Matcher"]);
    }
    if protocol != "HTTP" && protocol != "HTTPS" {
        remove(document, &["TargetControlPort"]);
    }
    let unused = if version == Some("GRPC") { "HttpCode" } else { "GrpcCode" };
    if let Some(matcher) = document.get_mut("Matcher") {
        remove(matcher, &[unused]);
        if matcher == &json!({}) {
            remove(document, &["Matcher"]);
        }
    }
}

const RULE: &[Row] = &[
    Row("ListenerArn", Never),
    Row("Priority", Whole(1, 500)),
    Row("Tags.Key", Always),
    Row("Tags.Value", Always),
    Row("Conditions.Field", Never),
    Row("Conditions.Values", Of(&["/a/*", "/b", "/C"])),
    Row("Conditions.RegexValues", Never),
    Row("HostHeaderConfig.Values", Of(&["A.example", "*.b.example", "c.example"])),
    Row("PathPatternConfig.Values", Of(&["/a/*", "/b", "/C"])),
    Row("HostHeaderConfig.RegexValues", Of(&["^a", "^B"])),
    Row("PathPatternConfig.RegexValues", Of(&["^/a", "^/B"])),
    Row("HttpHeaderConfig.RegexValues", Of(&["^a", "^B"])),
    Row("HttpHeaderConfig.HttpHeaderName", AlwaysOf(&["X-Kind", "x-other"])),
    Row("QueryStringConfig.Values.Value", Always),
    Row("HttpRequestMethodConfig.Values", Of(&["GET", "HEAD", "POST"])),
    Row("SourceIpConfig.Values", Of(&["10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24"])),
    Row("Transforms", Most(2)),
    Row("Rewrites", Most(1)),
    Row("TargetGroupArn", AlwaysOf(GROUPS)),
    Row("TargetGroups.Weight", Whole(0, 999)),
    Row("TargetGroupStickinessConfig.Enabled", Always),
    Row("Actions.Type", AlwaysOf(&["forward"])),
    Row("DefaultActions.Type", AlwaysOf(&["forward"])),
    Row("Actions", Most(1)),
    Row("DefaultActions", Most(1)),
    Row("UserPoolArn", Of(&[POOL])),
    Row("UseExistingClientSecret", Never),
    Row("AuthenticateOidcConfig.ClientSecret", Always),
];

/// Conditions and actions each of one kind.
fn rule(document: &mut Value, dice: &mut Dice) {
    let kinds = [
        ("host-header", "HostHeaderConfig"),
        ("path-pattern", "PathPatternConfig"),
        ("http-header", "HttpHeaderConfig"),
        ("query-string", "QueryStringConfig"),
        ("http-request-method", "HttpRequestMethodConfig"),
        ("source-ip", "SourceIpConfig"),
    ];
    let mut used = Vec::new();
    let mut conditions = Vec::new();
    for mut condition in document["Conditions"].take().as_array().cloned().unwrap_or_default() {
        let given: Vec<_> = kinds.iter().filter(|(_, block)| condition.get(block).is_some()).collect();
        let (field, block) = if given.is_empty() { kinds[1] } else { **dice.pick(&given) };
        if used.contains(&field) {
            continue;
        }
        used.push(field);
        let top = condition.get("Values").cloned();
        let mut inner = condition[block].take();
        // Either kind of values.
        one_of(&mut inner, &["Values", "RegexValues"], dice);
        let has = ["Values", "RegexValues"].iter().any(|values| inner.get(values).is_some());
        let default = match field {
            "source-ip" => json!(["10.0.0.0/8"]),
            "http-request-method" => json!(["GET"]),
            "query-string" => json!([{ "Key": "v", "Value": "1" }, { "Value": "x" }]),
            _ => json!(["a", "B"]),
        };
        condition = match (field, top) {
            ("host-header" | "path-pattern", Some(values)) => json!({ "Field": field, "Values": values }),
            (_, _) if has => json!({ block: inner }),
            ("http-header", _) => json!({ block: { "HttpHeaderName": "X-Kind", "Values": default } }),
            _ => json!({ block: { "Values": default } }),
        };
        if dice.chance(70) {
            condition["Field"] = field.into();
        }
        conditions.push(condition);
    }
    document["Conditions"] = conditions.into();
    actions(document, "Actions", dice);
    for transform in each(document, "Transforms") {
        let (own, other) = match text(transform, "Type") {
            "url-rewrite" => ("UrlRewriteConfig", "HostHeaderRewriteConfig"),
            _ => ("HostHeaderRewriteConfig", "UrlRewriteConfig"),
        };
        remove(transform, &[other]);
        let rewrites = json!({ "Rewrites": [{ "Regex": "^a", "Replace": "b" }] });
        map(transform).entry(own).or_insert(rewrites);
    }
}

/// One action that routes, and perhaps one before it that authenticates.
fn actions(document: &mut Value, field: &str, dice: &mut Dice) {
    let Some(given) = document.get(field).and_then(|list| list.get(0)).cloned() else { return };
    let with = |kind: &str, config: &str| {
        let mut action = json!({ "Type": kind });
        action[config] = given[config].clone();
        action
    };
    let routing: Vec<Value> =
        [("redirect", "RedirectConfig"), ("fixed-response", "FixedResponseConfig"), ("forward", "ForwardConfig")]
            .into_iter()
            .filter(|(_, config)| given.get(config).is_some())
            .map(|(kind, config)| with(kind, config))
            .chain([json!({ "Type": "forward", "TargetGroupArn": given["TargetGroupArn"] })])
            .collect();
    let mut last = dice.pick(&routing).clone();
    if let Some(config) = last.get_mut("ForwardConfig") {
        if config.get("TargetGroups").is_none() {
            last = json!({ "Type": "forward", "TargetGroupArn": given["TargetGroupArn"] });
        } else if let Some(sticky) = config.get_mut("TargetGroupStickinessConfig") {
            // "DurationSeconds: 1-604800", demanded when it is enabled.
            match sticky["Enabled"].as_bool() {
                Some(true) => drop(map(sticky).entry("DurationSeconds").or_insert(json!(60))),
                _ => remove(sticky, &["DurationSeconds"]),
            }
        }
    }
    let before: Vec<Value> = [
        ("authenticate-oidc", "AuthenticateOidcConfig"),
        ("authenticate-cognito", "AuthenticateCognitoConfig"),
        ("jwt-validation", "JwtValidationConfig"),
    ]
    .into_iter()
    .filter(|(_, config)| given.get(config).is_some())
    .map(|(kind, config)| with(kind, config))
    .collect();
    let mut all = vec![last];
    if !before.is_empty() && dice.chance(50) {
        all.insert(0, dice.pick(&before).clone());
        for (at, action) in all.iter_mut().enumerate() {
            action["Order"] = (10 * (at + 1)).into();
        }
        if dice.chance(50) {
            all.reverse();
        }
    }
    document[field] = all.into();
}

const LISTENER: &[Row] = &[
    Row("LoadBalancerArn", Never),
    Row("Protocol", AlwaysOf(&["HTTP", "HTTPS"])),
    Row("Port", AlwaysWhole(80, 90)),
    Row("SslPolicy", Of(&["ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS13-1-2-2021-06"])),
    Row("Certificates", Always),
    Row("CertificateArn", AlwaysOf(CERTIFICATES)),
    Row("IsDefault", Never),
    Row("RedirectConfig.Port", Of(&["443", "8443"])),
    Row("RedirectConfig.Protocol", Of(&["HTTP", "HTTPS"])),
    Row("AlpnPolicy", Of(&["HTTP2Preferred", "HTTP1Only"])),
    Row("Mode", AlwaysOf(&["off", "passthrough", "verify"])),
    Row("TrustStoreArn", Of(&["arn:aws:elasticloadbalancing:eu-west-1:123456789012:truststore/a/1"])),
    Row("TrustStoreAssociationStatus", Never),
    Row("Tags.Key", Always),
    Row("Tags.Value", Always),
    Row("TargetGroupArn", AlwaysOf(GROUPS)),
    Row("TargetGroups.Weight", Whole(0, 999)),
    Row("TargetGroupStickinessConfig.Enabled", Always),
    Row("DefaultActions.Type", AlwaysOf(&["forward"])),
    Row("DefaultActions", Most(1)),
    Row("UserPoolArn", Of(&[POOL])),
    Row("UseExistingClientSecret", Never),
    Row("AuthenticateOidcConfig.ClientSecret", Always),
];

fn listener(document: &mut Value, dice: &mut Dice) {
    if text(document, "Protocol") != "HTTPS" {
        remove(document, &["SslPolicy", "Certificates", "MutualAuthentication"]);
    }
    // Of TLS listeners only.
    remove(document, &["AlpnPolicy"]);
    actions(document, "DefaultActions", dice);
}

const SCALABLE_TARGET: &[Row] = &[
    Row("ServiceNamespace", Never),
    Row("ResourceId", Never),
    Row("ScalableDimension", Never),
    Row("MinCapacity", AlwaysWhole(0, 3)),
    Row("MaxCapacity", AlwaysWhole(4, 10)),
    Row("RoleARN", Of(ROLE)),
];

const SCALING_POLICY: &[Row] = &[
    Row("PolicyName", Never),
    Row("ServiceNamespace", Never),
    Row("ResourceId", Never),
    Row("ScalableDimension", Never),
    Row("PolicyType", Never),
    Row("AdjustmentType", Always),
    Row("StepAdjustments", Always),
    Row("TargetValue", AlwaysWhole(1, 100)),
    Row("PredefinedMetricType", Of(&["ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization"])),
    Row("ResourceLabel", Never),
    Row("MetricSpecifications", Most(1)),
    Row("CustomizedMetricSpecification.MetricName", Always),
    Row("CustomizedMetricSpecification.Namespace", Always),
    Row("CustomizedMetricSpecification.Statistic", Always),
];

fn scaling_policy(document: &mut Value, dice: &mut Dice) {
    let kinds = [
        "StepScalingPolicyConfiguration",
        "TargetTrackingScalingPolicyConfiguration",
        "PredictiveScalingPolicyConfiguration",
    ];
    one_of(document, &kinds, dice);
    if kinds.iter().all(|kind| document.get(kind).is_none()) {
        *document = json!({ kinds[1]: { "TargetValue": 50 } });
    }
    if let Some(step) = document.get_mut(kinds[0]) {
        if text(step, "AdjustmentType") != "PercentChangeInCapacity" {
            remove(step, &["MinAdjustmentMagnitude"]);
        }
        // Intervals that meet, from a first bound to infinity.
        let steps = step["StepAdjustments"].as_array().cloned().unwrap_or_default();
        let count = steps.len();
        let steps = steps.into_iter().enumerate().map(|(at, step)| {
            let mut step =
                json!({ "ScalingAdjustment": step["ScalingAdjustment"], "MetricIntervalLowerBound": 10 * at });
            if at + 1 < count {
                step["MetricIntervalUpperBound"] = (10.0 * (at as f64 + 1.0)).into();
            }
            step
        });
        step["StepAdjustments"] = steps.collect();
    }
    if let Some(tracking) = document.get_mut(kinds[1]) {
        one_of(tracking, &["PredefinedMetricSpecification", "CustomizedMetricSpecification"], dice);
        if let Some(custom) = tracking.get_mut("CustomizedMetricSpecification")
            && custom.get("Metrics").is_some()
        {
            remove(custom, &["MetricName", "Namespace", "Dimensions", "Statistic", "Unit"]);
        }
    }
}

const SCHEDULED_ACTION: &[Row] = &[
    Row("ServiceNamespace", Never),
    Row("ResourceId", Never),
    Row("ScalableDimension", Never),
    Row("ScheduledActionName", Never),
    Row("Schedule", AlwaysOf(&["rate(1 hour)", " cron(0 20 * * ? *)", "at(2027-01-31T08:00:00)"])),
    Row("Timezone", Of(&["UTC", "Europe/Berlin"])),
    Row("StartTime", Of(&["2027-01-02T03:00:00+02:00", "2027-01-02T03:00:00Z", "2027-01-02T02:00:00.5Z"])),
    Row("EndTime", Of(&["2028-01-02T03:00:00+02:00", "2028-01-02T02:00:00Z"])),
    Row("MinCapacity", Whole(0, 3)),
    Row("MaxCapacity", Whole(4, 10)),
];

const ALARM: &[Row] = &[
    Row("AlarmName", Never),
    Row("EvaluationPeriods", AlwaysWhole(3, 5)),
    Row("DatapointsToAlarm", Whole(1, 3)),
    Row("OKActions", Of(TOPICS)),
    Row("AlarmActions", Of(TOPICS)),
    Row("InsufficientDataActions", Of(TOPICS)),
    Row("MetricName", Always),
    Row("Namespace", Always),
    Row("Period", Whole(10, 300)),
    Row("Threshold", AlwaysWhole(1, 100)),
    Row("ComparisonOperator", AlwaysOf(&["GreaterThanThreshold", "LessThanThreshold"])),
    Row("TreatMissingData", Of(&["missing", "ignore", "breaching"])),
    Row("ThresholdMetricId", Never),
    Row("Tags.Key", Always),
    Row("Tags.Value", Always),
];

/// One way to say what is watched.
fn alarm(document: &mut Value, dice: &mut Dice) {
    const METRIC: [&str; 7] =
        ["MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"];
    one_of(document, &["Metrics", "EvaluationCriteria", "MetricName"], dice);
    if document.get("MetricName").is_none() {
        remove(document, &METRIC);
    } else {
        map(document).entry("Statistic").or_insert(json!("Average"));
        one_of(document, &["Statistic", "ExtendedStatistic"], dice);
    }
    if document.get("EvaluationCriteria").is_some() {
        remove(document, &["EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator"]);
    } else {
        remove(document, &["EvaluationInterval"]);
    }
}

const DISCOVERY: &[Row] = &[
    Row("Name", AlwaysOf(&["web", "api"])),
    Row("NamespaceId", Never),
    Row("CreatorRequestId", Never),
    Row("Type", Never),
    Row("DnsRecords.Type", Of(&["A", "AAAA"])),
    Row("HealthCheckConfig.Type", Of(&["HTTP", "HTTPS", "TCP"])),
    Row("FailureThreshold", Whole(1, 10)),
    Row("Tags.Key", Always),
    Row("Tags.Value", Always),
];

fn discovery(document: &mut Value, dice: &mut Dice) {
    one_of(document, &["HealthCheckConfig", "HealthCheckCustomConfig"], dice);
    if let Some(check) = document.get_mut("HealthCheckConfig")
        && text(check, "Type") == "TCP"
    {
        remove(check, &["ResourcePath"]);
    }
}

const LOG_GROUP: &[Row] = &[
    Row("kmsKeyId", Of(&["arn:aws:kms:eu-west-1:123456789012:key/a", "arn:aws:kms:eu-west-1:123456789012:key/b"])),
    Row("retentionInDays", Whole(1, 1)),
];

fn log_group(document: &mut Value, dice: &mut Dice) {
    if document.get("retentionInDays").is_some() {
        document["retentionInDays"] = (*dice.pick(&[1, 7, 30, 365])).into();
    }
}

/// Every kind.
pub fn sorts() -> [Sort; 11] {
    let shapes = shapes();
    let of = |name, shape, rows, valid| Sort { name, shape, rows, valid };
    [
        of("task definition", shapes.task_definition, TASK, task),
        of("service", shapes.create_service, SERVICE, service),
        of("target group", shapes.target_group, TARGET_GROUP, target_group),
        of("rule", shapes.rule, RULE, rule),
        of("listener", shapes.listener, LISTENER, listener),
        of("scalable target", shapes.scalable_target, SCALABLE_TARGET, |_, _| {}),
        of("scaling policy", shapes.scaling_policy, SCALING_POLICY, scaling_policy),
        of("scheduled action", shapes.scheduled_action, SCHEDULED_ACTION, |_, _| {}),
        of("alarm", shapes.alarm, ALARM, alarm),
        of("Cloud Map service", shapes.discovery_service, DISCOVERY, discovery),
        of("log group", driftless::core::desired::own::log_group(), LOG_GROUP, log_group),
    ]
}
