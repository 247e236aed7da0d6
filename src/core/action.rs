//! The closed set of what driftless does to AWS. An action is data: it says everything, it decides nothing.

use super::id::{Arn, Kind, ResourceId};
use super::rollout::Pause;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// The operations that change something, each with our short name of its AWS service and AWS's name of it.
macro_rules! calls { ($($(#[$doc:meta])* $name:ident = $service:literal $operation:literal, $words:literal;)*) => {
    /// One operation of AWS that changes something.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Call { $($(#[$doc])* $name),* }

    impl Call {
        /// Every operation, for the IAM policy and the tests.
        pub const ALL: &[Call] = &[$(Call::$name),*];

        /// Our short name of the service, as [`crate::aws::call::Operation`] has it.
        pub const fn service(self) -> &'static str {
            match self { $(Call::$name => $service),* }
        }

        /// AWS's name of the operation.
        pub const fn operation(self) -> &'static str {
            match self { $(Call::$name => $operation),* }
        }

        /// What it does, for people: "create".
        pub const fn words(self) -> &'static str {
            match self { $(Call::$name => $words),* }
        }
    }
} }

calls! {
    /// A new revision. Never retried blindly: there is no client token.
    RegisterTaskDefinition = "ecs" "RegisterTaskDefinition", "register a revision of";
    /// It is INACTIVE then: what runs it goes on, nothing new can be started from it.
    DeregisterTaskDefinition = "ecs" "DeregisterTaskDefinition", "deregister";
    /// With a client token.
    CreateService = "ecs" "CreateService", "create";
    /// Only what changes.
    UpdateService = "ecs" "UpdateService", "update";
    /// The service deployment that is under way goes back to the revision before.
    StopServiceDeployment = "ecs" "StopServiceDeployment", "stop the deployment of";
    /// A service deployment that waits at a PAUSE hook goes on, or back to the revision before.
    ContinueServiceDeployment = "ecs" "ContinueServiceDeployment", "answer the paused deployment of";
    /// These tags are set, others stay.
    TagEcs = "ecs" "TagResource", "tag";
    /// With a client token. What is behind it waits for the task's end.
    RunTask = "ecs" "RunTask", "run";
    /// Its end is waited for, too.
    StopTask = "ecs" "StopTask", "stop";
    /// With a name that is free again only when ECS says INACTIVE.
    DeleteService = "ecs" "DeleteService", "delete";
    /// With the same settings as an existing group of the name it gives that group.
    CreateTargetGroup = "elbv2" "CreateTargetGroup", "create";
    /// The health check only.
    ModifyTargetGroup = "elbv2" "ModifyTargetGroup", "update";
    /// These attributes are set, others stay.
    ModifyTargetGroupAttributes = "elbv2" "ModifyTargetGroupAttributes", "update";
    /// Refused while a rule or listener forwards to it.
    DeleteTargetGroup = "elbv2" "DeleteTargetGroup", "delete";
    /// These attributes are set, others stay.
    ModifyLoadBalancerAttributes = "elbv2" "ModifyLoadBalancerAttributes", "update";
    /// On a port that no other listener of the load balancer has.
    CreateListener = "elbv2" "CreateListener", "create";
    /// What is left out stays.
    ModifyListener = "elbv2" "ModifyListener", "update";
    /// These attributes are set, others stay.
    ModifyListenerAttributes = "elbv2" "ModifyListenerAttributes", "update";
    /// Beside the default one, for host names (SNI).
    AddListenerCertificates = "elbv2" "AddListenerCertificates", "add to the";
    /// On a priority that no other rule of the listener has.
    CreateRule = "elbv2" "CreateRule", "create";
    /// Conditions, actions and transforms: each is replaced whole, what is left out stays.
    ModifyRule = "elbv2" "ModifyRule", "update";
    /// Many at once, so that a swap is one call.
    SetRulePriorities = "elbv2" "SetRulePriorities", "set the priority of";
    /// Traffic that it took goes on to the rules behind it.
    DeleteRule = "elbv2" "DeleteRule", "delete";
    /// These tags are set, others stay.
    TagElb = "elbv2" "AddTags", "tag";
    /// Creates and updates: what is left out stays.
    RegisterScalableTarget = "autoscaling" "RegisterScalableTarget", "register";
    /// Its policies and scheduled actions go with it.
    DeregisterScalableTarget = "autoscaling" "DeregisterScalableTarget", "deregister";
    /// Creates and replaces: what is left out goes.
    PutScalingPolicy = "autoscaling" "PutScalingPolicy", "put";
    /// Creates and updates: start and end times that are left out go.
    PutScheduledAction = "autoscaling" "PutScheduledAction", "put";
    /// These tags are set, others stay.
    TagScaling = "autoscaling" "TagResource", "tag";
    /// Creates and replaces: what is left out goes, but for tags.
    PutMetricAlarm = "cloudwatch" "PutMetricAlarm", "put";
    /// By name.
    DeleteAlarms = "cloudwatch" "DeleteAlarms", "delete";
    /// These tags are set, others stay.
    TagAlarm = "cloudwatch" "TagResource", "tag";
    /// With a creator request id.
    CreateDiscoveryService = "discovery" "CreateService", "create";
    /// Records and a health check that are left out go.
    UpdateDiscoveryService = "discovery" "UpdateService", "update";
    /// Refused while instances are registered.
    DeleteDiscoveryService = "discovery" "DeleteService", "delete";
    /// These tags are set, others stay.
    TagDiscovery = "discovery" "TagResource", "tag";
    /// Without retention: events never expire.
    CreateLogGroup = "logs" "CreateLogGroup", "create";
    /// Events that are older go.
    PutRetentionPolicy = "logs" "PutRetentionPolicy", "set the retention of";
    /// Events never expire again.
    DeleteRetentionPolicy = "logs" "DeleteRetentionPolicy", "take away the retention of";
    /// Data from now on is encrypted with this key.
    AssociateKmsKey = "logs" "AssociateKmsKey", "set the key of";
    /// These tags are set, others stay.
    TagLogs = "logs" "TagResource", "tag";
}

impl Call {
    /// Whether what is behind it waits for what comes of it: it is planned anew then.
    pub const fn is_waited_for(self) -> bool {
        matches!(self, Call::RunTask | Call::StopTask)
    }
}

/// One call to AWS.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The operation.
    pub call: Call,
    /// What it makes or changes.
    pub target: ResourceId,
    /// The whole input.
    pub input: Input,
}

/// An operation's input in which ARNs may be missing that an earlier step makes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Input {
    /// The document.
    pub document: Value,
    /// JSON pointers into it, each with the thing whose ARN belongs there.
    pub late: Vec<(String, ResourceId)>,
}

impl Input {
    /// An input in which nothing is missing.
    pub fn whole(document: Value) -> Self {
        Self { document, late: Vec::new() }
    }

    /// The document with the ARNs of `made` in their places; the first one that is not there is the error.
    pub fn complete(&self, made: &BTreeMap<ResourceId, Arn>) -> Result<Value, ResourceId> {
        let mut document = self.document.clone();
        for (at, id) in &self.late {
            let arn = made.get(id).ok_or_else(|| id.clone())?;
            if let Some(slot) = document.pointer_mut(at) {
                *slot = Value::String(arn.as_str().to_owned());
            }
        }
        Ok(document)
    }
}

impl Action {
    /// A call with a whole input.
    pub fn new(call: Call, target: ResourceId, document: Value) -> Self {
        Self { call, target, input: Input::whole(document) }
    }

    /// Sets tags of the thing with this ARN in the form that the ARN's service takes. `None` for a service whose tags are
    /// not written.
    pub fn tag(target: ResourceId, arn: &Arn, tags: &BTreeMap<String, String>) -> Option<Self> {
        let pairs =
            |key: &str, value: &str| -> Value { tags.iter().map(|(k, v)| json!({ key: k, value: v })).collect() };
        let arn = arn.as_str();
        let (call, document) = match arn.split(':').nth(2)? {
            "ecs" => (Call::TagEcs, json!({ "resourceArn": arn, "tags": pairs("key", "value") })),
            "elasticloadbalancing" => (Call::TagElb, json!({ "ResourceArns": [arn], "Tags": pairs("Key", "Value") })),
            "application-autoscaling" => (Call::TagScaling, json!({ "ResourceARN": arn, "Tags": tags })),
            "cloudwatch" => (Call::TagAlarm, json!({ "ResourceARN": arn, "Tags": pairs("Key", "Value") })),
            "servicediscovery" => (Call::TagDiscovery, json!({ "ResourceARN": arn, "Tags": pairs("Key", "Value") })),
            "logs" => (Call::TagLogs, json!({ "resourceArn": arn, "tags": tags })),
            _ => return None,
        };
        Some(Self::new(call, target, document))
    }

    /// Answers the PAUSE hook at which the deployment of a service waits: it goes on, or is rolled back.
    pub fn answer(target: ResourceId, pause: &Pause, goes_on: bool) -> Self {
        let document = json!({
            "serviceDeploymentArn": pause.deployment.as_str(), "hookId": pause.hook,
            "action": if goes_on { "CONTINUE" } else { "ROLLBACK" },
        });
        Self::new(Call::ContinueServiceDeployment, target, document)
    }

    /// Has ECS take a service deployment that is under way back to the revision before.
    pub fn stop(target: ResourceId, deployment: &Arn) -> Self {
        let document = json!({ "serviceDeploymentArn": deployment.as_str(), "stopType": "ROLLBACK" });
        Self::new(Call::StopServiceDeployment, target, document)
    }

    /// Whether it decides about a deployment that is under way, rather than writing settings.
    pub fn is_answer(&self) -> bool {
        matches!(self.call, Call::StopServiceDeployment | Call::ContinueServiceDeployment)
    }

    /// Whether it only sets tags.
    pub fn is_tag(&self) -> bool {
        self.call.words() == "tag"
    }

    /// The names of the fields that are sent beside those that only say where, sorted.
    fn fields(&self) -> Vec<&str> {
        const WHERE: [&str; 12] = [
            "cluster",
            "service",
            "serviceNamespace",
            "ServiceNamespace",
            "ResourceId",
            "ScalableDimension",
            "TargetGroupArn",
            "LoadBalancerArn",
            "ListenerArn",
            "RuleArn",
            "Id",
            "logGroupName",
        ];
        let all = self.input.document.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let mut fields: Vec<&str> = all.filter(|name| !WHERE.contains(name)).collect();
        fields.sort_unstable();
        fields
    }

    /// The keys of the tags that are set.
    fn tag_keys(&self) -> Vec<String> {
        let tags = self.input.document.get("tags").or_else(|| self.input.document.get("Tags"));
        let mut keys: Vec<String> = match tags {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(pairs)) => {
                let key = |pair: &Value| pair.get("key").or_else(|| pair.get("Key"))?.as_str().map(str::to_owned);
                pairs.iter().filter_map(key).collect()
            }
            _ => Vec::new(),
        };
        keys.sort();
        keys
    }
}

/// As a person would say it: "create target group prod-api: HTTP 8080, ip".
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, target, input: _ } = self;
        let name = match target.kind {
            Kind::TaskDefinition => target.name.to_string(),
            Kind::TaskDefinitionRevision => {
                format!("{} {}", target.kind.words(), Arn::new(target.name.clone()).short())
            }
            _ => target.to_string(),
        };
        write!(f, "{} {name}", call.words())?;
        let facts = self.facts();
        if facts.is_empty() { Ok(()) } else { write!(f, ": {}", facts.join(", ")) }
    }
}

impl Action {
    /// What of the input people want to know first. Inputs may hold secrets: only fields that cannot are read.
    fn facts(&self) -> Vec<String> {
        let document = &self.input.document;
        let shown = |field: &str| match document.get(field)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let all = |fields: &[&str]| -> Vec<String> { fields.iter().filter_map(|field| shown(field)).collect() };
        match self.call {
            _ if self.is_tag() => self.tag_keys(),
            Call::UpdateService | Call::ModifyTargetGroup | Call::ModifyListener | Call::ModifyRule => {
                self.fields().iter().map(|field| super::shape::lower_first(field)).collect()
            }
            Call::ModifyTargetGroupAttributes | Call::ModifyLoadBalancerAttributes | Call::ModifyListenerAttributes => {
                elements(document, "Attributes")
                    .filter_map(|pair| Some(pair.get("Key")?.as_str()?.to_owned()))
                    .collect()
            }
            Call::CreateTargetGroup => {
                // A replacement has a name of its own.
                let other = shown("Name").filter(|name| **name != *self.target.name).map(|name| format!("as {name}"));
                other.into_iter().chain(all(&["Protocol", "Port", "TargetType"])).collect()
            }
            Call::CreateListener => all(&["Protocol", "SslPolicy"]),
            Call::CreateRule => {
                let priority = shown("Priority").map(|priority| format!("priority {priority}"));
                priority.into_iter().chain(elements(document, "Conditions").filter_map(condition)).collect()
            }
            Call::SetRulePriorities => {
                let pair = |pair: &Value| {
                    let rule = Arn::from(pair.get("RuleArn")?.as_str()?);
                    Some(format!("{} to {}", rule.short(), pair.get("Priority")?))
                };
                elements(document, "RulePriorities").filter_map(pair).collect()
            }
            Call::RegisterScalableTarget => {
                let mut facts: Vec<String> = all(&["MinCapacity", "MaxCapacity"]);
                if let [min, max] = facts.as_slice() {
                    facts = vec![format!("{min} to {max} tasks")];
                }
                let suspended = document.get("SuspendedState").map(|_| "suspendedState".to_owned());
                facts.into_iter().chain(suspended).collect()
            }
            Call::PutScalingPolicy => all(&["PolicyType"]),
            Call::PutMetricAlarm => {
                let watched = all(&["MetricName", "ComparisonOperator", "Threshold"]);
                if watched.is_empty() { Vec::new() } else { vec![watched.join(" ")] }
            }
            Call::PutScheduledAction => {
                all(&["Schedule", "Timezone"]).into_iter().map(|text| text.trim().to_owned()).collect()
            }
            Call::UpdateDiscoveryService => {
                let service = document.get("Service").and_then(Value::as_object).into_iter().flatten();
                service.map(|(field, _)| super::shape::lower_first(field)).collect()
            }
            Call::PutRetentionPolicy => {
                shown("retentionInDays").map(|days| format!("{days} days")).into_iter().collect()
            }
            Call::AssociateKmsKey => all(&["kmsKeyId"]),
            // The command is not shown: people write passwords into commands.
            Call::RunTask => {
                let container = document.pointer("/overrides/containerOverrides/0/name").and_then(Value::as_str);
                container.map(|name| format!("container {name}")).into_iter().collect()
            }
            Call::StopTask => all(&["reason"]),
            Call::StopServiceDeployment => all(&["stopType"]),
            Call::ContinueServiceDeployment => all(&["action"]),
            Call::RegisterTaskDefinition
            | Call::DeregisterTaskDefinition
            | Call::CreateService
            | Call::TagEcs
            | Call::DeleteService
            | Call::DeleteTargetGroup
            | Call::AddListenerCertificates
            | Call::DeleteRule
            | Call::TagElb
            | Call::DeregisterScalableTarget
            | Call::TagScaling
            | Call::DeleteAlarms
            | Call::TagAlarm
            | Call::CreateDiscoveryService
            | Call::DeleteDiscoveryService
            | Call::TagDiscovery
            | Call::CreateLogGroup
            | Call::DeleteRetentionPolicy
            | Call::TagLogs => Vec::new(),
        }
    }
}

fn elements<'d>(document: &'d Value, field: &str) -> impl Iterator<Item = &'d Value> {
    document.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// The hosts or paths of a condition. Headers and query strings are named only: some hold a password.
fn condition(condition: &Value) -> Option<String> {
    let field = condition.get("Field").and_then(Value::as_str);
    let values = ["/HostHeaderConfig/Values", "/PathPatternConfig/Values", "/Values"];
    let open = matches!(field, Some("host-header" | "path-pattern"));
    let values = values.iter().filter_map(|at| condition.pointer(at)?.as_array()).flatten().filter_map(Value::as_str);
    let values: Vec<&str> = values.filter(|_| open).collect();
    match (field, values.as_slice()) {
        (Some(field), []) => Some(field.to_owned()),
        (Some(field), values) => Some(format!("{field} {}", values.join(" or "))),
        (None, _) => None,
    }
}

/// Operation, AWS service and target: inputs may hold secrets and are not shown.
impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { call, target, input: _ } = self;
        json!({ "operation": call.operation(), "api": call.service(), "target": target }).serialize(serializer)
    }
}

/// What a change does to the running tasks, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Running tasks are left alone.
    NoRestart,
    /// ECS starts a deployment: tasks are replaced as the deployment configuration says.
    RollingRestart,
    /// As a rolling restart, but ECS would leave the running tasks alone: a new deployment is forced.
    ForcedRestart,
    /// The service does not exist: its tasks are started.
    Create,
    /// Only a new thing can have the setting.
    Replacement,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::NoRestart => "no restart",
            Effect::RollingRestart => "rolling restart",
            Effect::ForcedRestart => "forced rolling restart",
            Effect::Create => "new service",
            Effect::Replacement => "needs a new service",
        })
    }
}
