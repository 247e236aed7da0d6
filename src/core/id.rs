//! Newtypes for everything that has a name: a function never takes two bare strings.
//!
//! Parsed once, where data enters; ordered, so that every map and every output of the core has one order.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! names { ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
    $(#[$doc])*
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct $name(Arc<str>);

    impl $name {
        /// Wraps a name as it stands.
        pub fn new(name: impl Into<Arc<str>>) -> Self {
            Self(name.into())
        }

        /// The name as text.
        pub fn as_str(&self) -> &str {
            &self.0
        }
    }

    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl From<&str> for $name {
        fn from(name: &str) -> Self {
            Self(name.into())
        }
    }

    impl From<String> for $name {
        fn from(name: String) -> Self {
            Self(name.into())
        }
    }
)* } }

names! {
    /// A git commit id, 40 hex digits.
    Revision,
    /// An ECS service's name, unique in its cluster.
    ServiceName,
    /// An ECS cluster's short name.
    ClusterName,
    /// An AWS region, as `eu-west-1`.
    Region,
    /// An AWS account id, 12 digits.
    AccountId,
    /// The name of one environment, as in `environment.yaml`.
    EnvironmentName,
    /// The name of one source of the daemon's settings.
    SourceName,
    /// A full Amazon Resource Name.
    Arn,
    /// One step of one plan, unique in the plan.
    StepId,
    /// A path inside a repository, with `/` and without `.` or `..` parts.
    RepoPath,
}

impl Revision {
    /// The first seven digits, as people write a commit.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl ServiceName {
    /// The name under which everything is planned that `environment.yaml` declares for all services of the environment. No
    /// ECS service can have it (CreateService, serviceName: letters, digits, `_` and `-`).
    pub const SHARED: &str = "(shared)";

    /// Whether it stands for what the services of an environment share.
    pub fn is_shared(&self) -> bool {
        self.as_str() == Self::SHARED
    }
}

impl Arn {
    /// Whether `text` looks like an ARN (`arn:partition:service:...`).
    pub fn is_arn(text: &str) -> bool {
        text.starts_with("arn:") && text.split(':').count() >= 6
    }

    /// The account part; empty for resources that have none.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The region part; empty for global services such as IAM.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// What people call it: what follows the last `/`, as `prod-api-task:41`.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What follows the last `/` or, where there is none, the last `:`.
    pub fn last_part(&self) -> &str {
        last_part(&self.0)
    }
}

/// The short name of a resource that may be given as a name or as an ARN (semantic-diff 6.4).
pub fn last_part(name_or_arn: &str) -> &str {
    name_or_arn.rsplit(['/', ':']).next().unwrap_or(name_or_arn)
}

impl RepoPath {
    /// The folder this path lies in; the root is the empty path.
    pub fn parent(&self) -> RepoPath {
        RepoPath::new(self.0.rsplit_once('/').map_or("", |(folder, _)| folder))
    }

    /// Resolves `relative` against this folder. `None` when it would leave the repository or is absolute.
    pub fn join(&self, relative: &str) -> Option<RepoPath> {
        if relative.starts_with('/') || relative.contains('\\') {
            return None;
        }
        let mut parts: Vec<&str> = self.0.split('/').filter(|part| !part.is_empty()).collect();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        Some(RepoPath::new(parts.join("/")))
    }

    /// The last part of the path.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether this path lies in `folder` (the root holds everything).
    pub fn is_in(&self, folder: &RepoPath) -> bool {
        folder.0.is_empty() || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// One ECS service of one cluster: what a run is about, and what the API and the page are addressed by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceId {
    /// The cluster's short name.
    pub cluster: ClusterName,
    /// The service's name.
    pub service: ServiceName,
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, service } = self;
        write!(f, "{cluster}/{service}")
    }
}

/// Where an environment lives: the daemon refuses to act anywhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Scope {
    /// 12 digits.
    pub account: AccountId,
    /// The region of every resource of the environment.
    pub region: Region,
    /// The cluster of every service of the environment.
    pub cluster: ClusterName,
}

impl Scope {
    /// The partition that ARNs of this region carry (AWS General Reference, "Amazon Resource Names").
    pub fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

macro_rules! kinds { ($($(#[$doc:meta])* $name:ident = $words:literal),* $(,)?) => {
    /// The kinds of things that are read from AWS, and that are made there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Kind { $($(#[$doc])* $name),* }

    impl Kind {
        /// The words for people: "target group".
        pub fn words(self) -> &'static str {
            match self { $(Kind::$name => $words),* }
        }
    }
} }

kinds! {
    /// An ECS cluster, by name. Read only: the environment's cluster must exist.
    Cluster = "cluster",
    /// A Secrets Manager secret, by name. Only its ARN is read, never its value.
    Secret = "secret",
    /// A Systems Manager parameter, by name. Only that it exists is read, never its value.
    Parameter = "parameter",
    /// The plain value of a Systems Manager parameter (never a SecureString), by name.
    ParameterValue = "parameter value",
    /// An output of a CloudFormation stack, by `STACK.Output`.
    StackOutput = "stack output",
    /// A load balancer, by name. It is not made here.
    LoadBalancer = "load balancer",
    /// The attributes of a load balancer, by its name.
    LoadBalancerAttributes = "attributes of load balancer",
    /// All listeners of a load balancer, by its ARN.
    Listeners = "listeners of load balancer",
    /// A listener, by `LOAD-BALANCER:PORT`.
    Listener = "listener",
    /// The attributes of a listener, by `LOAD-BALANCER:PORT`.
    ListenerAttributes = "attributes of listener",
    /// The certificates of a listener beside the default one, by `LOAD-BALANCER:PORT`.
    ListenerCertificates = "certificates of listener",
    /// All rules of a listener but the default one, by `LOAD-BALANCER:PORT`.
    ListenerRules = "rules of listener",
    /// One rule, by `LOAD-BALANCER:PORT/PRIORITY`; a declared one without a priority by what its conditions say.
    ListenerRule = "listener rule",
    /// An ELBv2 target group, by name.
    TargetGroup = "target group",
    /// The attributes of a target group, by its name.
    TargetGroupAttributes = "attributes of target group",
    /// The tags of a thing outside of ECS, by its ARN.
    Tags = "tags of",
    /// A Cloud Map namespace, by name. It is not made here.
    Namespace = "namespace",
    /// A Cloud Map service, by `NAMESPACE/NAME`.
    DiscoveryService = "discovery service",
    /// A CloudWatch log group, by name.
    LogGroup = "log group",
    /// One revision of a task definition, by ARN. Immutable but for its tags and status.
    TaskDefinitionRevision = "task definition revision",
    /// The newest ACTIVE revisions of a family, newest first, by family.
    TaskDefinitionFamily = "task definition family",
    /// The tasks of a family that run in the environment's cluster, by family.
    FamilyTasks = "tasks of family",
    /// A task definition as declared, by family.
    TaskDefinition = "task definition",
    /// An ECS service, by name in the environment's cluster.
    Service = "service",
    /// The newest service deployments of a service, by the service's name.
    ServiceDeployments = "deployments of service",
    /// The tasks of a service that stopped lately, by the service's name.
    StoppedTasks = "stopped tasks of service",
    /// Tasks that run, or ran lately, before rollouts of a service, by `SERVICE/FAMILY`.
    OneOffTasks = "one-off tasks of",
    /// A one-off task before a rollout, by `SERVICE/NAME`.
    OneOffTask = "task",
    /// The targets of a target group and their health, by the group's ARN.
    Targets = "targets of",
    /// An image in Amazon ECR, by its name in a container definition.
    Image = "image",
    /// The versions of a Secrets Manager secret that have stages, by its ARN. Their values are never read.
    SecretVersions = "versions of secret",
    /// The newest version of a Systems Manager parameter, by name or ARN. Its value is never read.
    ParameterVersion = "version of parameter",
    /// The Application Auto Scaling target of a service, by the service's name.
    ScalableTarget = "scalable target of service",
    /// All scaling policies of a service, by the service's name.
    ScalingPolicies = "scaling policies of service",
    /// A scaling policy, by `SERVICE/POLICY`.
    ScalingPolicy = "scaling policy",
    /// All scheduled actions of a service, by the service's name.
    ScheduledActions = "scheduled actions of service",
    /// A scheduled action, by `SERVICE/ACTION`.
    ScheduledAction = "scheduled action",
    /// A CloudWatch alarm, by name.
    Alarm = "alarm",
}

/// One thing in the environment's account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ResourceId {
    /// What it is.
    pub kind: Kind,
    /// Its name, unique for the kind in the environment's account, region and cluster.
    pub name: Arc<str>,
}

impl ResourceId {
    /// The id of `name` of this kind.
    pub fn new(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        write!(f, "{} {name}", kind.words())
    }
}
