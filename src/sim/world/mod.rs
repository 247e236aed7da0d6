//! The account's state, and what each operation does to it. No clock, no socket: time is an argument.
//!
//! Every service is a folder or a file of this one with its own state and one function
//! `answer(&mut World, operation, &input) -> Option<Answer>`; `None` is an operation that is not simulated. Documents are
//! kept as AWS answers them, in AWS's own names.

pub mod agenda;
pub mod cloudwatch;
pub mod discovery;
pub mod ecs;
pub mod elbv2;
pub mod input;
pub mod logs;
pub mod names;
pub mod scaling;

use agenda::Agenda;
use jiff::Timestamp;
use serde_json::Value;

/// What an operation answers.
pub type Answer = Result<Value, Refusal>;

/// An error of AWS.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// AWS's code.
    pub code: String,
    /// AWS's words, where they are documented.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// Further members of the error.
    pub more: Value,
}

impl Refusal {
    /// An error of the caller.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400, more: Value::Null }
    }
}

/// An account in one region.
#[derive(Debug, Clone)]
pub struct World {
    /// Twelve digits.
    pub account: String,
    /// As `us-east-1`.
    pub region: String,
    /// ECS.
    pub ecs: ecs::Ecs,
    /// Load balancing.
    pub elbv2: elbv2::Elbv2,
    /// Application Auto Scaling.
    pub scaling: scaling::Scaling,
    /// Alarms.
    pub cloudwatch: cloudwatch::CloudWatch,
    /// Cloud Map.
    pub discovery: discovery::Discovery,
    /// Log groups and their lines.
    pub logs: logs::Logs,
    /// What is only looked up: images, secrets, parameters, stacks.
    pub names: names::Names,
    now: Timestamp,
    agenda: Agenda,
    chance: u64,
}

impl World {
    /// An empty account.
    pub fn new(account: &str, region: &str, began: Timestamp, seed: u64) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            ecs: ecs::Ecs::default(),
            elbv2: elbv2::Elbv2::default(),
            scaling: scaling::Scaling::default(),
            cloudwatch: cloudwatch::CloudWatch::default(),
            discovery: discovery::Discovery::default(),
            logs: logs::Logs::default(),
            names: names::Names::default(),
            now: began,
            agenda: Agenda::default(),
            chance: seed | 1,
        }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets happen what happens by itself until `now`, in the order of time.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, due)) = self.agenda.due(now) {
            self.now = self.now.max(at);
            agenda::happen(self, due);
        }
        self.now = self.now.max(now);
    }

    /// Does what is asked, at the time of the last [`World::advance`].
    ///
    /// # Errors
    /// AWS's, with its codes.
    pub fn answer(&mut self, service: &str, operation: &str, input: &Value) -> Answer {
        let answer = match service {
            "ecs" => ecs::answer(self, operation, input),
            "elbv2" => elbv2::answer(self, operation, input),
            "autoscaling" => scaling::answer(self, operation, input),
            "cloudwatch" => cloudwatch::answer(self, operation, input),
            "discovery" => discovery::answer(self, operation, input),
            "logs" => logs::answer(self, operation, input),
            "ecr" | "secretsmanager" | "ssm" | "cloudformation" | "sts" => {
                names::answer(self, service, operation, input)
            }
            _ => None,
        };
        answer.unwrap_or_else(|| {
            let what = format!("{service} {operation} is not simulated");
            Err(Refusal::new("UnknownOperationException", what))
        })
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:REST`.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }

    /// Something that looks like chance, the same in every run with the same seed (xorshift64*).
    pub fn chance(&mut self) -> u64 {
        self.chance ^= self.chance >> 12;
        self.chance ^= self.chance << 25;
        self.chance ^= self.chance >> 27;
        self.chance.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// So many digits of a hexadecimal id, as task ids (32) and load balancer ids (16) are.
    pub fn hex(&mut self, digits: usize) -> String {
        let text: String = (0..digits.div_ceil(16)).map(|_| format!("{:016x}", self.chance())).collect();
        text[..digits].to_owned()
    }

    /// So many decimal digits, as in `ecs-svc/1234567890123456789`.
    pub fn digits(&mut self, digits: usize) -> String {
        let text: String =
            (0..digits.div_ceil(18)).map(|_| format!("{:018}", self.chance() % 10_u64.pow(18))).collect();
        format!("1{}", &text[1..digits])
    }

    /// A random UUID's form.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }
}

/// What a call asks to do, for the policy: `iam` action, resources, context keys.
pub fn asks(world: &World, service: &str, operation: &str, input: &Value) -> super::policy::Asked {
    let prefix = match service {
        "elbv2" => "elasticloadbalancing",
        "autoscaling" => "application-autoscaling",
        "discovery" => "servicediscovery",
        other => other,
    };
    let mut asked = super::policy::Asked {
        action: format!("{prefix}:{operation}"),
        resources: vec!["*".to_owned()],
        context: Vec::new(),
    };
    let cluster = input::text(input, "cluster").map(|name| ecs::cluster_arn(world, name));
    if service == "ecs" {
        asked.context.extend(cluster.clone().map(|arn| ("ecs:cluster".to_owned(), arn)));
        let services =
            input::list(input, "services").iter().chain(input.get("service")).chain(input.get("serviceName"));
        let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
        let cluster_name = cluster.as_deref().map_or_else(|| "default".to_owned(), name);
        let arns: Vec<_> = services
            .filter_map(Value::as_str)
            .map(|service| world.arn("ecs", &format!("service/{cluster_name}/{}", name(service))))
            .chain(input::text(input, "resourceArn").map(str::to_owned))
            .chain(input::texts(input, "serviceDeploymentArns").map(str::to_owned))
            .chain(input::texts(input, "serviceRevisionArns").map(str::to_owned))
            .chain(input::text(input, "serviceDeploymentArn").map(str::to_owned))
            .chain(input::texts(input, "tasks").map(str::to_owned))
            .chain(input::texts(input, "clusters").map(|name| ecs::cluster_arn(world, name)))
            .chain(input::text(input, "task").map(str::to_owned))
            .chain(input::text(input, "taskDefinition").filter(|_| operation == "RunTask").map(str::to_owned))
            .collect();
        let task = input::text(input, "task").and_then(|arn| world.ecs.tasks.get(arn));
        for tag in task.map(|task| input::list(&task.run, "tags")).unwrap_or_default() {
            let (key, value) = (input::text(tag, "key"), input::text(tag, "value"));
            let named = key.map(|key| (format!("aws:ResourceTag/{key}"), value.unwrap_or_default().to_owned()));
            asked.context.extend(named);
        }
        if !arns.is_empty() {
            asked.resources = arns;
        }
    }
    for tag in input::list(input, "tags").iter().chain(input::list(input, "Tags")) {
        let part = |small: &str, large: &str| {
            input::text(tag, small).or_else(|| input::text(tag, large)).unwrap_or_default().to_owned()
        };
        asked.context.push((format!("aws:RequestTag/{}", part("key", "Key")), part("value", "Value")));
        asked.context.push(("aws:TagKeys".to_owned(), part("key", "Key")));
    }
    asked
}
