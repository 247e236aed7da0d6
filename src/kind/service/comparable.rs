//! The one form of a service: what AWS fills in, and what DescribeServices calls differently from CreateService.

use crate::core::id::last_part;
use crate::core::normal::{Literal, Row, Rule, Table, digest, normalise};
use crate::core::observed::Live;
use crate::core::shape::Shape;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

const fn always(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Always(literal) }
}

const fn within(path: &'static str, literal: Literal) -> Row {
    Row { path, rule: Rule::Within(literal) }
}

/// What AWS fills in. Sources: ECS API reference (CreateService, DeploymentConfiguration and the types named) and
/// recorded answers of DescribeServices, where one shows more or less it is said.
pub const ROWS: &[Row] = &[
    always("schedulingStrategy", Literal::Text("REPLICA")),
    // Left out in some answers.
    always("deploymentController.type", Literal::Text("ECS")),
    always("deploymentConfiguration.strategy", Literal::Text("ROLLING")),
    always("deploymentConfiguration.bakeTimeInMinutes", Literal::Int(0)),
    always("deploymentConfiguration.deploymentCircuitBreaker.enable", Literal::Bool(false)),
    always("deploymentConfiguration.deploymentCircuitBreaker.rollback", Literal::Bool(false)),
    // Only newer services answer these two.
    always("deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask", Literal::Bool(true)),
    always(
        "deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type",
        Literal::Text("BOUNDED_PERCENT"),
    ),
    always("deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.value", Literal::Int(50)),
    always("deploymentConfiguration.alarms.enable", Literal::Bool(false)),
    always("deploymentConfiguration.alarms.rollback", Literal::Bool(false)),
    within("deploymentConfiguration.lifecycleHooks.targetType", Literal::Text("AWS_LAMBDA")),
    within("deploymentConfiguration.lifecycleHooks.timeoutConfiguration.action", Literal::Text("ROLLBACK")),
    always("deploymentConfiguration.earlySuccessCriteria.enable", Literal::Bool(false)),
    within("networkConfiguration.awsvpcConfiguration.assignPublicIp", Literal::Text("DISABLED")),
    always("healthCheckGracePeriodSeconds", Literal::Int(0)),
    always("enableECSManagedTags", Literal::Bool(false)),
    always("enableExecuteCommand", Literal::Bool(false)),
    always("propagateTags", Literal::Text("NONE")),
    within("capacityProviderStrategy.base", Literal::Int(0)),
    within("capacityProviderStrategy.weight", Literal::Int(0)),
    Row { path: "placementStrategy.field", rule: Rule::Spelling(placement_field) },
    // Absent means "never configured", which is the same as turned off.
    always("serviceConnectConfiguration.enabled", Literal::Bool(false)),
    within("serviceConnectConfiguration.accessLogConfiguration.includeQueryParameters", Literal::Text("DISABLED")),
    Row { path: "serviceConnectConfiguration.namespace", rule: Rule::Spelling(short_name) },
    within("volumeConfigurations.managedEBSVolume.filesystemType", Literal::Text("xfs")),
];

/// "CPU" = "cpu", "host" = "instanceId" (PlacementStrategy: the field ignores case).
fn placement_field(value: &Value) -> Option<Value> {
    let lower = value.as_str()?.to_lowercase();
    Some(match lower.as_str() {
        "host" | "instanceid" => "instanceId".into(),
        "cpu" | "memory" => lower.into(),
        _ => return None,
    })
}

/// A namespace by name or by ARN.
fn short_name(value: &Value) -> Option<Value> {
    Some(last_part(value.as_str()?).into())
}

/// Fields that are compared only where git declares them: left out, they are AWS's to choose, or somebody else's.
pub(super) const NOT_OURS_WHEN_LEFT_OUT: &[&str] = &[
    "desiredCount",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "availabilityZoneRebalancing",
    "role",
];

/// Fields that DescribeServices does not answer: they are on the service revision only.
pub(super) const NOT_READABLE: &[&str] = &["gatewayConnectors", "monitoring"];

/// Identity, and what is compared elsewhere.
pub(super) const NOT_COMPARED: &[&str] = &["cluster", "serviceName", "taskDefinition", "clientToken", "tags"];

/// [`ROWS`], arranged.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(ROWS));

/// The one form of a service in CreateService's names.
pub fn comparable(document: &Value, shape: Shape) -> Value {
    let mut normal = normalise(document, shape, &TABLE);
    let Value::Object(map) = &mut normal else { return normal };
    for field in NOT_COMPARED.iter().chain(NOT_READABLE) {
        map.remove(*field);
    }
    // LATEST means any version: the answer may name the resolved one.
    if map.get("platformVersion") == Some(&json!("LATEST")) {
        map.remove("platformVersion");
    }
    if map.get("role") == Some(&json!("")) {
        map.remove("role");
    }
    let daemon = map.get("schedulingStrategy") == Some(&json!("DAEMON"));
    percentages(map, daemon);
    shifts(map);
    service_connect(map);
    if map.contains_key("capacityProviderStrategy") {
        map.remove("launchType");
    }
    normal
}

/// "REPLICA: 200 and 100; DAEMON: 100 and 0" (DeploymentConfiguration, maximumPercent and minimumHealthyPercent).
fn percentages(map: &mut Map<String, Value>, daemon: bool) {
    if let Value::Object(configuration) = map.entry("deploymentConfiguration").or_insert_with(|| json!({})) {
        let (maximum, minimum) = if daemon { (100, 0) } else { (200, 100) };
        configuration.entry("maximumPercent").or_insert(json!(maximum));
        configuration.entry("minimumHealthyPercent").or_insert(json!(minimum));
    }
}

/// Traffic that is shifted by steps, where only the strategy is said: "the default is 10 % every 6 minutes, 5 % for 10
/// minutes" (LinearConfiguration, CanaryConfiguration).
fn shifts(map: &mut Map<String, Value>) {
    let Some(Value::Object(configuration)) = map.get_mut("deploymentConfiguration") else { return };
    let (block, defaults) = match configuration.get("strategy").and_then(Value::as_str) {
        Some("LINEAR") => ("linearConfiguration", [("stepPercent", 10), ("stepBakeTimeInMinutes", 6)]),
        Some("CANARY") => ("canaryConfiguration", [("canaryPercent", 5), ("canaryBakeTimeInMinutes", 10)]),
        _ => return,
    };
    if let Value::Object(block) = configuration.entry(block).or_insert_with(|| json!({})) {
        for (field, value) in defaults {
            block.entry(field).or_insert(json!(value));
        }
    }
}

/// Without a namespace it is the cluster's (ServiceConnectConfiguration, namespace): where git leaves it out it is taken
/// from what is live, and so are the names that AWS makes with it.
pub(super) fn in_live_namespace(desired: &mut Value, live: &Value) {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let (Some(Value::Object(ours)), Some(theirs)) =
        (desired.get_mut("serviceConnectConfiguration"), live.get("serviceConnectConfiguration"))
    else {
        return;
    };
    let Some(namespace) = theirs.get("namespace").filter(|_| !ours.contains_key("namespace")).cloned() else { return };
    ours.insert("namespace".into(), namespace);
    let theirs = theirs.get("services").and_then(Value::as_array).cloned().unwrap_or_default();
    for service in ours.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(name) = text(service, "discoveryName").or_else(|| text(service, "portName")) else { continue };
        let same = theirs.iter().find(|other| other.get("portName") == service.get("portName"));
        let aliases = same.and_then(|other| other.get("clientAliases")?.as_array().cloned()).unwrap_or_default();
        let own = service.get_mut("clientAliases").and_then(Value::as_array_mut).into_iter().flatten();
        for (alias, live) in own.zip(aliases) {
            let made = text(&live, "dnsName").filter(|dns| dns.strip_prefix(&name).is_some_and(|n| n.starts_with('.')));
            if let (Value::Object(alias), Some(dns)) = (alias, made) {
                alias.entry("dnsName").or_insert(dns.into());
            }
        }
    }
}

/// `discoveryName` = `portName`, `dnsName` = `discoveryName.namespace` where left out (ServiceConnectService).
fn service_connect(map: &mut Map<String, Value>) {
    let Some(Value::Object(connect)) = map.get_mut("serviceConnectConfiguration") else { return };
    let namespace = connect.get("namespace").and_then(Value::as_str).map(last_part).unwrap_or_default().to_owned();
    for service in connect.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        let Value::Object(service) = service else { continue };
        if let Some(port) = service.get("portName").cloned() {
            service.entry("discoveryName").or_insert(port);
        }
        let name = service.get("discoveryName").and_then(Value::as_str).unwrap_or_default().to_owned();
        for alias in service.get_mut("clientAliases").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(alias) = alias
                && !namespace.is_empty()
            {
                alias.entry("dnsName").or_insert(json!(format!("{name}.{namespace}")));
            }
        }
    }
}

/// DescribeServices' answer in CreateService's names.
pub fn live_document(live: &Value) -> Value {
    let mut document = live.clone();
    let primary = live.get("deployments").and_then(Value::as_array).into_iter().flatten();
    let primary = primary.clone().find(|deployment| deployment.get("status") == Some(&json!("PRIMARY")));
    if let Value::Object(map) = &mut document {
        if let Some(role) = map.remove("roleArn") {
            map.insert("role".into(), role);
        }
        // These three are on the deployment, not on the service.
        for field in ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"] {
            if let Some(value) = primary.and_then(|deployment| deployment.get(field)) {
                map.insert(field.into(), value.clone());
            }
        }
    }
    document
}

/// The digest of a service's settings: the same for the same settings, in whatever order AWS answers them. Counts, events
/// and deployments come and go and are not in it.
pub fn settings_digest(live: &Live, shape: Shape) -> String {
    let settings = comparable(&live_document(&live.document), shape);
    digest(&json!([settings, live.document.get("taskDefinition")]))
}
