//! What a plan asks for -> [`Snapshot`]. Reading never fails as a whole: what cannot be read is Unknown, with the reason.
//!
//! What AWS answers many at a time is asked for many at a time: services by ten, rules and listeners by what they belong to.

mod cache;
mod discovery;
mod ecs;
mod elbv2;
mod images;
mod logs;
mod names;
mod one_off;
mod rollout;
mod scaling;
mod secrets;
mod tags;

pub use cache::Cache;
pub use rollout::PAST;

use super::call::{Error, Operation};
use super::clients::Clients;
use super::pace::Priority;
use crate::core::id::{Arn, Kind, ResourceId, Scope};
use crate::core::image::EcrImage;
use crate::core::observed::{Facts, Live, Observed, Snapshot};
use crate::core::retry::Class;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// "You may specify up to 10 services to describe in a single operation" (ECS DescribeServices).
const DESCRIBE_SERVICES_MAX: usize = 10;
/// "You can specify up to 20 resources in a single call" (ELBv2 DescribeTags).
const DESCRIBE_TAGS_MAX: usize = 20;
/// "The maximum number of alarm names is 100" (CloudWatch DescribeAlarms).
const DESCRIBE_ALARMS_MAX: usize = 100;
/// "Array Members: Minimum number of 1 item. Maximum number of 100 items" (ECR BatchGetImage, imageIds).
const BATCH_GET_IMAGE_MAX: usize = 100;
/// Half of "Array Members: Minimum number of 1 item. Maximum number of 50 items" (Systems Manager
/// ParameterStringFilter, Values): an ARN stands for two names.
const DESCRIBE_PARAMETERS_MAX: usize = 25;
/// How many reads of one pass are under way at once. The pacing bounds the rate; this bounds memory and sockets.
const READS_AT_ONCE_MAX: usize = 8;
/// More pages than any account's quota allows: an answer that goes on is wrong (promise R23).
const PAGES_MAX: usize = 100;

/// Whether a look at this kind only finds out the ARN behind a name that nothing here changes.
fn is_name(kind: Kind) -> bool {
    matches!(kind, Kind::Secret | Kind::Parameter | Kind::LoadBalancer | Kind::Namespace)
}

/// Whether a kind stands beside a service and is not moved by its rollout.
fn is_setting(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::LoadBalancerAttributes
            | Kind::Listener
            | Kind::Listeners
            | Kind::ListenerAttributes
            | Kind::ListenerCertificates
            | Kind::ListenerRules
            | Kind::TargetGroup
            | Kind::TargetGroupAttributes
            | Kind::ScalableTarget
            | Kind::ScalingPolicies
            | Kind::ScheduledActions
            | Kind::Alarm
            | Kind::DiscoveryService
            | Kind::LogGroup
            | Kind::Tags
    )
}

/// Reads one environment.
#[derive(Debug, Clone)]
pub struct Observer {
    /// How AWS is called.
    pub clients: Clients,
    /// Where the environment lives.
    pub scope: Scope,
    /// What was read before.
    pub cache: Cache,
}

/// What one request shows.
type Seen = Vec<(ResourceId, Observed)>;

impl Observer {
    /// A snapshot for a look at services of which nothing is to be done but to follow their rollouts: what stands beside
    /// them and was read moments ago, by this process and before any of its writes, is not read again.
    pub fn recent(&self, now: Timestamp) -> Snapshot {
        let mut snapshot = Snapshot::new(now);
        self.cache.recall(&self.scope, &mut snapshot);
        snapshot
    }

    /// Looks at everything in `wanted` and notes what was seen.
    pub async fn observe(&self, wanted: &BTreeSet<ResourceId>, priority: Priority, snapshot: &mut Snapshot) {
        self.cache.drop_old_settings();
        let mut reads = stream::iter(self.requests(wanted, priority)).buffer_unordered(READS_AT_ONCE_MAX);
        while let Some(seen) = reads.next().await {
            for (id, observed) in seen {
                if is_setting(id.kind) && !matches!(observed, Observed::Unknown { .. }) {
                    self.cache.keep_setting(&self.scope, &id, &observed);
                }
                snapshot.set(id, observed);
            }
        }
    }

    /// One future a request: what goes together is asked for together.
    fn requests(&self, wanted: &BTreeSet<ResourceId>, priority: Priority) -> Vec<BoxFuture<'_, Seen>> {
        let mut requests: Vec<BoxFuture<'_, Seen>> = Vec::new();
        let mut groups: BTreeMap<(Kind, String), Vec<ResourceId>> = BTreeMap::new();
        for id in wanted {
            groups.entry((id.kind, together(id))).or_default().push(id.clone());
        }
        for ((kind, _), ids) in groups {
            let most = match kind {
                Kind::Service => DESCRIBE_SERVICES_MAX,
                Kind::Tags => DESCRIBE_TAGS_MAX,
                Kind::Alarm => DESCRIBE_ALARMS_MAX,
                Kind::Image => BATCH_GET_IMAGE_MAX,
                Kind::ParameterVersion => DESCRIBE_PARAMETERS_MAX,
                Kind::Listener | Kind::ScalableTarget => usize::MAX,
                _ => 1,
            };
            for chunk in ids.chunks(most.min(ids.len())) {
                let chunk = chunk.to_vec();
                requests.push(match kind {
                    Kind::Service => Box::pin(async move { self.services(&chunk, priority).await }),
                    Kind::Tags => Box::pin(async move { self.tags(&chunk, priority).await }),
                    Kind::Alarm => Box::pin(async move { self.alarms(&chunk, priority).await }),
                    Kind::Image => Box::pin(async move { self.images(&chunk, priority).await }),
                    Kind::ParameterVersion => Box::pin(async move { self.parameter_versions(&chunk, priority).await }),
                    Kind::Listener => Box::pin(async move { self.listeners(&chunk, priority).await }),
                    Kind::ScalableTarget => Box::pin(async move { self.scalable_targets(&chunk, priority).await }),
                    _ => Box::pin(async move { self.each(&chunk, priority).await }),
                });
            }
        }
        requests
    }

    async fn each(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        let mut seen = Vec::with_capacity(ids.len());
        for id in ids {
            seen.push((id.clone(), self.one(id, priority).await));
        }
        seen
    }

    async fn one(&self, id: &ResourceId, priority: Priority) -> Observed {
        let name = &*id.name;
        if let Some(live) = self.cache.name(&self.scope, id).filter(|_| is_name(id.kind)) {
            return Observed::Present(live);
        }
        let looked = match id.kind {
            Kind::Cluster => self.cluster(name, priority).await,
            Kind::Secret => self.secret(name, priority).await,
            Kind::Parameter => self.parameter(name, priority).await,
            Kind::ParameterValue => self.parameter_value(name, priority).await,
            Kind::StackOutput => self.stack_output(name, priority).await,
            Kind::LoadBalancer => self.load_balancer(name, priority).await,
            Kind::LoadBalancerAttributes => self.load_balancer_attributes(name, priority).await,
            Kind::Listeners => self.listeners_of(name, priority).await,
            Kind::ListenerAttributes => self.listener_attributes(name, priority).await,
            Kind::ListenerCertificates => self.listener_certificates(name, priority).await,
            Kind::ListenerRules => self.rules(name, priority).await,
            Kind::TargetGroup => self.target_group(name, priority).await,
            Kind::TargetGroupAttributes => self.target_group_attributes(name, priority).await,
            Kind::Namespace => self.namespace(name, priority).await,
            Kind::DiscoveryService => self.discovery_service(name, priority).await,
            Kind::LogGroup => self.log_group(name, priority).await,
            Kind::ServiceDeployments => self.service_deployments(name, priority).await,
            Kind::StoppedTasks => self.stopped_tasks(name, priority).await,
            Kind::OneOffTasks => self.one_offs(name, priority).await,
            Kind::Targets => self.target_health(name, priority).await,
            Kind::SecretVersions => self.secret_versions(name, priority).await,
            Kind::TaskDefinitionRevision => self.revision(name, priority).await,
            Kind::TaskDefinitionFamily => self.family(name, priority).await,
            Kind::FamilyTasks => self.family_tasks(name, priority).await,
            Kind::ScalingPolicies => self.scaling_policies(name, priority).await,
            Kind::ScheduledActions => self.scheduled_actions(name, priority).await,
            // These have no counterpart of their own, or are read many at a time.
            Kind::TaskDefinition
            | Kind::OneOffTask
            | Kind::ListenerRule
            | Kind::ScalingPolicy
            | Kind::ScheduledAction
            | Kind::Service
            | Kind::Tags
            | Kind::Alarm
            | Kind::Image
            | Kind::ParameterVersion
            | Kind::Listener
            | Kind::ScalableTarget => Ok(None),
        };
        if let (Ok(Some(live)), true) = (&looked, is_name(id.kind)) {
            self.cache.keep_name(&self.scope, id, live.clone());
        }
        observed(looked)
    }
}

/// What things of one kind are read together by.
fn together(id: &ResourceId) -> String {
    match id.kind {
        // DescribeListeners answers all of a load balancer.
        Kind::Listener if !Arn::is_arn(&id.name) => {
            id.name.rsplit_once(':').map_or("", |(balancer, _)| balancer).to_owned()
        }
        // A repository's images.
        Kind::Image => EcrImage::of(&id.name).map(|image| image.place()).unwrap_or_default(),
        // Each AWS service has its own call for tags, and only ELBv2's takes several things.
        Kind::Tags if !tags::is_elb(&id.name) => id.name.to_string(),
        Kind::Service | Kind::Tags | Kind::Alarm | Kind::ScalableTarget | Kind::ParameterVersion => String::new(),
        _ => id.name.to_string(),
    }
}

/// The same of every id, where one answer is for all of them.
fn same(ids: &[ResourceId], observed: &Observed) -> Seen {
    ids.iter().map(|id| (id.clone(), observed.clone())).collect()
}

/// The end of a list that goes on for ever.
fn endless(operation: Operation) -> Error {
    Error::local(operation, Class::Terminal, "the pages of the answer do not end")
}

/// What one look shows: the thing, nothing, or that it could not be seen.
type Looked = Result<Option<Arc<Live>>, Error>;

fn observed(looked: Looked) -> Observed {
    match looked {
        Ok(Some(live)) => Observed::Present(live),
        Ok(None) => Observed::Absent,
        Err(error) => Observed::Unknown { why: error.to_string() },
    }
}

/// The error that says "there is none" is an answer.
fn absent_on<T>(answer: Result<T, Error>, code: &str) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code.as_deref().is_some_and(|found| found.starts_with(code)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn named(arn: Option<&str>) -> Arc<Live> {
    Arc::new(Live { arn: arn.map(Arn::from), ..Live::default() })
}

fn value(text: &str) -> Arc<Live> {
    Arc::new(Live { facts: Facts::Value(text.to_owned()), ..Live::default() })
}
