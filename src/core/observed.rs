//! What AWS answered. Three-valued: a thing that could not be read is neither there nor absent.

use super::before::OneOff;
use super::id::{Arn, Kind, ResourceId, ServiceName};
use super::image::{Digests, Pushed};
use super::rotation::Since;
use super::stopped::StoppedTask;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What is known of one thing.
#[derive(Debug, Clone)]
pub enum Observed {
    /// AWS said that it is not there.
    Absent,
    /// It is there.
    Present(Arc<Live>),
    /// It could not be read, or was being written: nothing is created, deleted or called fine because of it.
    Unknown {
        /// Why, for people: the operation, the error and the request id.
        why: String,
    },
}

/// A thing as AWS describes it.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Its ARN, where it has one.
    pub arn: Option<Arn>,
    /// Its settings, in AWS's own names.
    pub document: Value,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What is no setting: states and counts, taken from the SDK's typed fields.
    pub facts: Facts,
    /// The document in the one form that is compared, made when it is first asked for.
    pub comparable: OnceLock<Value>,
}

impl Live {
    /// The things of one kind that it has.
    pub fn members(&self) -> &[Arc<Live>] {
        match &self.facts {
            Facts::Members(members) => members,
            Facts::None
            | Facts::Family(_)
            | Facts::Value(_)
            | Facts::Revision { .. }
            | Facts::Service(_)
            | Facts::Deployments(_)
            | Facts::Stopped(_)
            | Facts::OneOffs(_)
            | Facts::Targets(_)
            | Facts::Image(_)
            | Facts::Since(_)
            | Facts::Running(_) => &[],
        }
    }

    /// The digest of what was read, by which a step knows that nothing has changed since.
    pub fn digest(&self) -> String {
        let members: Vec<serde_json::Value> = self.members().iter().map(|member| member.digest().into()).collect();
        super::normal::digest(&serde_json::json!([self.document, self.tags, members]))
    }
}

/// What is no setting.
#[derive(Debug, Clone, Default)]
pub enum Facts {
    /// Nothing beside the document.
    #[default]
    None,
    /// The newest ACTIVE revisions of a family, newest first.
    Family(Vec<Arn>),
    /// A plain value: of a parameter, or of a stack's output.
    Value(String),
    /// All things of one kind that a thing has: the rules of a listener, the policies of a service.
    Members(Vec<Arc<Live>>),
    /// Whether a task definition revision may still be used.
    Revision {
        /// False once it is deregistered.
        active: bool,
    },
    /// How a service is doing.
    Service(ServiceFacts),
    /// The newest service deployments of a service, newest first.
    Deployments(Vec<ServiceDeployment>),
    /// The tasks of a service that stopped lately.
    Stopped(Vec<StoppedTask>),
    /// Tasks that run, or ran lately, before rollouts of a service.
    OneOffs(Vec<OneOff>),
    /// The targets of a target group.
    Targets(Vec<Target>),
    /// What a registry has under an image's name.
    Image(Pushed),
    /// Since when a secret or parameter is what it is.
    Since(Since),
    /// The revisions that tasks run.
    Running(BTreeSet<Arn>),
}

/// A service deployment (DescribeServiceDeployments): what one UpdateService came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: Arn,
    /// `PENDING`, `IN_PROGRESS`, `SUCCESSFUL`, `STOPPED`, `ROLLBACK_…`.
    pub status: String,
    /// In ECS's words: of the rollback, or of the state.
    pub reason: Option<String>,
    /// The revision that it was to bring up.
    pub task_definition: Option<Arn>,
    /// The revisions that ran when it began; it is rolled back to the one that was completed.
    pub sources: Vec<Arn>,
    /// The digests of that revision's images, as far as ECS has found them (ServiceRevision, containerImages).
    pub images: Digests,
    /// As `POST_TEST_TRAFFIC_SHIFT`, where the strategy has stages.
    pub stage: Option<String>,
    /// What part of production traffic the new revision is to have.
    pub production_percent: Option<f64>,
    /// The lifecycle hooks that were called.
    pub hooks: Vec<Hook>,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
}

impl ServiceDeployment {
    /// Whether it did not bring up what it was to, and will not.
    pub fn has_failed(&self) -> bool {
        self.status == "STOPPED" || self.status.starts_with("ROLLBACK")
    }

    /// Whether it can still be stopped, or answered (StopServiceDeployment).
    pub fn is_under_way(&self) -> bool {
        matches!(self.status.as_str(), "PENDING" | "IN_PROGRESS")
    }

    /// Whether ECS is taking it back (Developer Guide, "service deployments": states of an ongoing one).
    pub fn goes_back(&self) -> bool {
        matches!(self.status.as_str(), "STOP_REQUESTED" | "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS")
    }

    /// Whether this revision, and no other, ran when it began: there a rollback ends.
    pub fn began_from(&self, revision: &Arn) -> bool {
        !self.sources.is_empty() && self.sources.iter().all(|source| source == revision)
    }

    /// Whether ECS goes back, or went back, to what ran before.
    pub fn is_rolled_back(&self) -> bool {
        matches!(self.status.as_str(), "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_SUCCESSFUL")
    }
}

/// A lifecycle hook that was called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hook {
    /// ECS's id of it.
    pub id: String,
    /// Whether it is a PAUSE, which a person answers.
    pub pause: bool,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`.
    pub status: String,
    /// When ECS answers it by itself.
    pub expires_at: Option<Timestamp>,
    /// `ROLLBACK` or `CONTINUE`.
    pub then: Option<String>,
}

impl Hook {
    /// Whether a person is asked.
    pub fn awaits_a_person(&self) -> bool {
        self.pause && self.status == "AWAITING_ACTION"
    }
}

/// A target of a target group (DescribeTargetHealth).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `initial`, `healthy`, `unhealthy`, `unused`, `draining`, `unavailable`.
    pub state: String,
    /// Why, in the load balancer's words.
    pub reason: Option<String>,
}

/// How a service is doing (DescribeServices).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceFacts {
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// How many tasks ECS is to run.
    pub desired: i32,
    /// How many run.
    pub running: i32,
    /// How many are on their way.
    pub pending: i32,
    /// The revision that the service is set to run.
    pub task_definition: Option<Arn>,
    /// Newest first; the first one that is PRIMARY is what the service is moving to.
    pub deployments: Vec<Deployment>,
    /// The newest events, newest first; at most [`EVENTS_MAX`].
    pub events: Vec<String>,
}

/// How many events of a service are kept: ECS sends up to 100 with every answer, the newest few say why it is stuck.
pub const EVENTS_MAX: usize = 5;

/// One deployment of a service (DescribeServices, `deployments`).
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// `ecs-svc/...`.
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// The revision it runs.
    pub task_definition: Option<Arn>,
    /// `COMPLETED`, `IN_PROGRESS`, `FAILED`; absent for other controllers than ECS.
    pub rollout_state: Option<String>,
    /// In ECS's own words.
    pub reason: Option<String>,
    /// How many tasks it is to run.
    pub desired: i32,
    /// How many run.
    pub running: i32,
    /// How many are on their way.
    pub pending: i32,
    /// How many failed to start or to get healthy.
    pub failed: i32,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
}

impl ServiceFacts {
    /// What the service is moving to, or runs.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status == "PRIMARY")
    }

    /// Whether a rollout is under way: more than one deployment, or one that is not completed.
    pub fn is_rolling_out(&self) -> bool {
        let moving = |d: &&Deployment| d.rollout_state.as_deref() == Some("IN_PROGRESS");
        self.deployments.iter().any(|d| moving(&d))
            || self.deployments.iter().filter(|d| d.status != "INACTIVE").count() > 1
    }
}

/// Everything that was read for one plan. It may be out of date: plan so that it need not be exact.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When reading began.
    pub taken_at: Timestamp,
    resources: BTreeMap<ResourceId, Observed>,
}

impl Snapshot {
    /// A snapshot in which nothing has been looked at yet.
    pub fn new(taken_at: Timestamp) -> Self {
        Self { taken_at, resources: BTreeMap::new() }
    }

    /// What is known of `id`; `None` when nobody has looked yet.
    pub fn get(&self, id: &ResourceId) -> Option<&Observed> {
        self.resources.get(id)
    }

    /// The thing, if it is known to be there.
    pub fn live(&self, id: &ResourceId) -> Option<&Arc<Live>> {
        match self.resources.get(id) {
            Some(Observed::Present(live)) => Some(live),
            Some(Observed::Absent | Observed::Unknown { .. }) | None => None,
        }
    }

    /// How a service is doing, if it is known to be there.
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceFacts> {
        match &self.live(&ResourceId::new(Kind::Service, name.as_str()))?.facts {
            Facts::Service(facts) => Some(facts),
            _ => None,
        }
    }

    /// Notes what was seen.
    pub fn set(&mut self, id: ResourceId, observed: Observed) {
        self.resources.insert(id, observed);
    }

    /// All that was looked at.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceId, &Observed)> {
        self.resources.iter()
    }
}
