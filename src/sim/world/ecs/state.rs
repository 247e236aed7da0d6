//! What ECS knows.

use super::images::Images;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// ECS in one region.
#[derive(Debug, Clone, Default)]
pub struct Ecs {
    /// By name, as DescribeClusters answers them, without counts.
    pub clusters: BTreeMap<String, Value>,
    /// By family: its revisions, the oldest first.
    pub families: BTreeMap<String, Vec<Revision>>,
    /// By ARN. An inactive one stays until its name is used again.
    pub services: BTreeMap<String, Service>,
    /// By ARN. A stopped one stays for an hour.
    pub tasks: BTreeMap<String, Task>,
    /// The tasks of each service, by ARN.
    pub tasks_of: BTreeMap<String, BTreeSet<String>>,
    /// Service deployments by ARN.
    pub deployments: BTreeMap<String, ServiceDeployment>,
    /// Service revisions by ARN, as DescribeServiceRevisions answers them.
    pub revisions: BTreeMap<String, Value>,
    /// What images do when they run.
    pub images: Images,
    /// RunTask's client tokens, each with the ARNs of the tasks that it started.
    pub run: BTreeMap<String, Vec<String>>,
    /// Tags of things by ARN (services, task definitions, clusters): `{key, value}`.
    pub tags: BTreeMap<String, Vec<Value>>,
    /// The CreateService request of each service by its ARN: the same one with its token gives the same service.
    pub created_by: BTreeMap<String, Value>,
    /// Account settings that were put, by name.
    pub account_settings: BTreeMap<String, String>,
}

impl Ecs {
    /// The task definition of this ARN, as it was registered.
    pub fn task_definition(&self, arn: &str) -> Option<&Value> {
        let (family, _) = arn.rsplit_once('/')?.1.rsplit_once(':')?;
        let revisions = self.families.get(family)?;
        revisions.iter().find(|revision| revision.arn() == arn).map(|revision| &revision.document)
    }
}

/// A revision of a task definition.
#[derive(Debug, Clone)]
pub struct Revision {
    /// `taskDefinition` as DescribeTaskDefinition answers it, with `status`.
    pub document: Value,
}

impl Revision {
    /// Its ARN.
    pub fn arn(&self) -> &str {
        self.document["taskDefinitionArn"].as_str().unwrap_or_default()
    }
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME`.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// ACTIVE, DRAINING, INACTIVE.
    pub status: &'static str,
    /// Its settings as DescribeServices answers them: without counts, deployments, events, status, tags.
    pub settings: Value,
    /// How many tasks should run.
    pub desired: i64,
    /// The deployments that have tasks, the newest first; the first is the PRIMARY one.
    pub deployments: Vec<Deployment>,
    /// The newest first; a hundred at most.
    pub events: Vec<Value>,
    /// The service deployment that is under way, by ARN.
    pub under_way: Option<String>,
    /// The revision that the last successful deployment brought up, by ARN.
    pub completed: Option<String>,
    /// Client tokens of CreateService and UpdateService.
    pub tokens: Vec<String>,
    /// Whether the scheduler's next look is on the agenda already.
    pub looks: bool,
    /// Whether it was steady at the last look: the event is written once.
    pub steady: bool,
    /// Tasks that failed one after the other: each makes the next start wait longer.
    pub failures: u32,
    /// No task is started before.
    pub starts_after: Option<Timestamp>,
}

/// An entry of DescribeServices' `deployments`: the tasks of one service revision.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// `ecs-svc/DIGITS`.
    pub id: String,
    /// The service revision, by ARN.
    pub revision: String,
    /// The task definition, by ARN.
    pub task_definition: String,
    /// PRIMARY, ACTIVE.
    pub status: &'static str,
    /// How many tasks it should have now.
    pub desired: i64,
    /// How many of its tasks failed.
    pub failed: i64,
    /// When it began.
    pub created: Timestamp,
    /// When its state last changed.
    pub updated: Timestamp,
    /// IN_PROGRESS, COMPLETED, FAILED; none while it never had one.
    pub rollout: &'static str,
    /// Why.
    pub reason: String,
    /// The settings of the service that belong to this revision.
    pub settings: Value,
    /// Where its tasks are registered.
    pub groups: Vec<Group>,
}

/// A target group in which the tasks of a deployment are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// The port of the container.
    pub port: i64,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// `arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID`.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// The service, by ARN; none of a task that RunTask started.
    pub service: Option<String>,
    /// `ecs-svc/DIGITS`, or what RunTask was told.
    pub started_by: String,
    /// The revision, by ARN.
    pub task_definition: String,
    /// PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED.
    pub last: &'static str,
    /// RUNNING, STOPPED.
    pub desired: &'static str,
    /// HEALTHY, UNHEALTHY, UNKNOWN.
    pub health: &'static str,
    /// Its times.
    pub times: Times,
    /// The address of its network interface.
    pub address: String,
    /// Its containers as DescribeTasks answers them.
    pub containers: Vec<Value>,
    /// ServiceSchedulerInitiated, TaskFailedToStart, EssentialContainerExited, UserInitiated.
    pub stop_code: Option<&'static str>,
    /// Why it stopped.
    pub stopped_reason: String,
    /// What RunTask was told beside: overrides, group, tags.
    pub run: Value,
    /// Where it is registered.
    pub groups: Vec<Group>,
    /// Whether its failure was counted.
    pub counted: bool,
}

/// When a task reached what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Wanted.
    pub created: Option<Timestamp>,
    /// The image is being pulled.
    pub pulling: Option<Timestamp>,
    /// The image is there.
    pub pulled: Option<Timestamp>,
    /// RUNNING.
    pub started: Option<Timestamp>,
    /// Asked to stop.
    pub stopping: Option<Timestamp>,
    /// STOPPED.
    pub stopped: Option<Timestamp>,
}

/// A service deployment.
#[derive(Debug, Clone)]
pub struct ServiceDeployment {
    /// `arn:aws:ecs:REGION:ACCOUNT:service-deployment/CLUSTER/SERVICE/ID`.
    pub arn: String,
    /// The service, by ARN.
    pub service: String,
    /// The revision that it brings up, by ARN.
    pub target: String,
    /// Where tasks run when it starts, by ARN.
    pub sources: Vec<String>,
    /// PENDING, IN_PROGRESS, SUCCESSFUL, STOP_REQUESTED, STOPPED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS,
    /// ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED.
    pub status: &'static str,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// When it was asked to stop.
    pub stopped: Option<Timestamp>,
    /// When it last changed.
    pub updated: Timestamp,
    /// Reason, time and revision of a rollback.
    pub rollback: Option<(String, Timestamp, String)>,
    /// `deploymentConfiguration`.
    pub configuration: Value,
    /// What it does, one step after the other.
    pub program: Vec<super::stages::Step>,
    /// The step that it is at.
    pub at: usize,
    /// When that step began.
    pub since: Timestamp,
    /// The stage, where the strategy has stages.
    pub stage: &'static str,
    /// What part of production traffic the new revision has, in percent.
    pub production: f64,
    /// What part of test traffic the new revision has, in percent.
    pub test: f64,
    /// Hooks that were called: as `lifecycleHookDetails` answers them.
    pub hooks: Vec<Value>,
    /// Failed tasks one after the other.
    pub failures: i64,
    /// MONITORING, MONITORING_COMPLETE, TRIGGERED, DISABLED.
    pub breaker: &'static str,
    /// Alarms that went off.
    pub alarms: Vec<String>,
}
