//! What a plan asks for -> [`Snapshot`]. Reading never fails as a whole: what cannot be read is Unknown, with the reason.

use super::call::{Error, Operation};
use super::clients::Clients;
use super::live;
use super::pace::Priority;
use crate::core::id::{Arn, Kind, ResourceId, Scope};
use crate::core::observed::{Facts, Live, Observed, Snapshot};
use crate::core::retry::Class;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_ecs::types::{ServiceField, SortOrder, TaskDefinitionField, TaskDefinitionStatus};
use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType};
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// "You may specify up to 10 services to describe in a single operation" (ECS DescribeServices).
const DESCRIBE_SERVICES_MAX: usize = 10;
/// How many reads of one pass are under way at once. The pacing bounds the rate; this bounds memory and sockets.
const READS_AT_ONCE_MAX: usize = 8;
/// As many revisions of a family as the planner compares (ListTaskDefinitions takes up to 100).
const FAMILY_REVISIONS_MAX: i32 = crate::kind::task_definition::REVISIONS_COMPARED_MAX as i32;
/// The most revisions that are kept. A document is some 5 KiB: this stays below 50 MiB.
const CACHED_REVISIONS_MAX: usize = 10_000;

/// The largest page (ELBv2 DescribeRules, PageSize).
const RULES_PAGE: i32 = 400;
/// More pages than any account's quota allows: an answer that goes on is wrong (promise R23).
const PAGES_MAX: usize = 100;

/// How long the ARN behind a name is believed. All ELBv2 calls of an account share ten a second: asking for the same
/// names with every look at a service would leave nothing for anybody else.
const NAME_BELIEVED_FOR: Duration = Duration::from_secs(60);

/// How long a revision is believed. Its content never changes; its tags and its status may.
const REVISION_BELIEVED_FOR: Duration = Duration::from_secs(600);

/// What need not be read each time: task definition revisions, and the ARNs behind names, for a while. Disposable. That something is absent or unreadable is never kept.
#[derive(Debug, Clone, Default)]
pub struct Cache(Arc<Mutex<Cached>>);

#[derive(Debug, Default)]
struct Cached {
    revisions: BTreeMap<Arn, (Instant, Arc<Live>)>,
    names: BTreeMap<(Scope, ResourceId), (Instant, Arc<Live>)>,
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revision(&self, arn: &Arn) -> Option<Arc<Live>> {
        let (at, live) = self.lock().revisions.get(arn).cloned()?;
        (at.elapsed() < REVISION_BELIEVED_FOR).then_some(live)
    }

    /// A revision was changed: it is read again.
    pub fn forget_revision(&self, arn: &Arn) {
        self.lock().revisions.remove(arn);
    }

    fn keep_revision(&self, arn: Arn, live: Arc<Live>) {
        let revisions = &mut self.lock().revisions;
        if revisions.len() >= CACHED_REVISIONS_MAX {
            revisions.clear();
        }
        revisions.insert(arn, (Instant::now(), live));
    }

    fn name(&self, scope: &Scope, id: &ResourceId) -> Option<Arc<Live>> {
        let (at, live) = self.lock().names.get(&(scope.clone(), id.clone())).cloned()?;
        (at.elapsed() < NAME_BELIEVED_FOR).then_some(live)
    }

    fn keep_name(&self, scope: &Scope, id: &ResourceId, live: Arc<Live>) {
        let names = &mut self.lock().names;
        names.retain(|_, (at, _)| at.elapsed() < NAME_BELIEVED_FOR);
        names.insert((scope.clone(), id.clone()), (Instant::now(), live));
    }
}

/// Whether a look at this kind only finds out the ARN behind a name.
fn is_name(kind: Kind) -> bool {
    match kind {
        Kind::Secret | Kind::Parameter | Kind::TargetGroup | Kind::ListenerRule => true,
        Kind::Cluster
        | Kind::ParameterValue
        | Kind::StackOutput
        | Kind::TaskDefinitionRevision
        | Kind::TaskDefinitionFamily
        | Kind::TaskDefinition
        | Kind::Service
        | Kind::ScalableTarget => false,
    }
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

impl Observer {
    /// Looks at everything in `wanted` and notes what was seen.
    pub async fn observe(&self, wanted: &BTreeSet<ResourceId>, priority: Priority, snapshot: &mut Snapshot) {
        let (services, others): (Vec<ResourceId>, Vec<ResourceId>) =
            wanted.iter().cloned().partition(|id| id.kind == Kind::Service);
        for chunk in services.chunks(DESCRIBE_SERVICES_MAX) {
            for (id, observed) in self.services(chunk, priority).await {
                snapshot.set(id, observed);
            }
        }
        let mut seen = stream::iter(others)
            .map(|id| async move {
                let observed = self.one(&id, priority).await;
                (id, observed)
            })
            .buffer_unordered(READS_AT_ONCE_MAX);
        while let Some((id, observed)) = seen.next().await {
            snapshot.set(id, observed);
        }
    }

    async fn one(&self, id: &ResourceId, priority: Priority) -> Observed {
        let name = &*id.name;
        if let Some(live) = self.cache.name(&self.scope, id) {
            return Observed::Present(live);
        }
        let looked = match id.kind {
            Kind::Cluster => self.cluster(name, priority).await,
            Kind::Secret => self.secret(name, priority).await,
            Kind::Parameter => self.parameter(name, priority).await,
            Kind::ParameterValue => self.parameter_value(name, priority).await,
            Kind::StackOutput => self.stack_output(name, priority).await,
            Kind::TargetGroup => self.target_group(name, priority).await,
            Kind::ListenerRule => self.listener_rule(name, priority).await,
            Kind::TaskDefinitionRevision => self.revision(name, priority).await,
            Kind::TaskDefinitionFamily => self.family(name, priority).await,
            Kind::ScalableTarget => self.scalable_target(name, priority).await,
            // A declared task definition has no counterpart of its own; services are read ten at a time.
            Kind::TaskDefinition | Kind::Service => Ok(None),
        };
        if let (Ok(Some(live)), true) = (&looked, is_name(id.kind)) {
            self.cache.keep_name(&self.scope, id, live.clone());
        }
        observed(looked)
    }

    async fn services(&self, ids: &[ResourceId], priority: Priority) -> Vec<(ResourceId, Observed)> {
        const OPERATION: Operation = Operation::read("ecs", "DescribeServices");
        let request = self
            .clients
            .ecs
            .describe_services()
            .cluster(self.scope.cluster.as_str())
            .set_services(Some(ids.iter().map(|id| id.name.to_string()).collect()))
            .include(ServiceField::Tags);
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            Ok(answer) => answer,
            // Without the cluster there is no service in it; that the cluster is missing is its own look.
            Err(error) if error.code.as_deref() == Some("ClusterNotFoundException") => {
                return ids.iter().map(|id| (id.clone(), Observed::Absent)).collect();
            }
            Err(error) => {
                let unknown = || Observed::Unknown { why: error.to_string() };
                return ids.iter().map(|id| (id.clone(), unknown())).collect();
            }
        };
        let of = |id: &ResourceId| {
            if let Some(service) = answer.services().iter().find(|service| service.service_name() == Some(&*id.name)) {
                return Observed::Present(Arc::new(live::service(service)));
            }
            let is_it = |arn: &str| arn.rsplit('/').next() == Some(&*id.name);
            let failure = answer.failures().iter().find(|failure| failure.arn().is_some_and(is_it));
            match failure.map(|failure| failure.reason().unwrap_or_default()) {
                Some("MISSING") => Observed::Absent,
                Some(reason) => Observed::Unknown { why: format!("{OPERATION}: {reason}") },
                None => Observed::Unknown { why: format!("{OPERATION}: the answer leaves the service out") },
            }
        };
        ids.iter().map(|id| (id.clone(), of(id))).collect()
    }

    async fn cluster(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ecs", "DescribeClusters");
        let request = self.clients.ecs.describe_clusters().clusters(name);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
        let active = answer.clusters().iter().find(|cluster| cluster.status() == Some("ACTIVE"));
        Ok(active.map(|cluster| named(cluster.cluster_arn())))
    }

    async fn revision(&self, arn: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ecs", "DescribeTaskDefinition");
        let id = Arn::from(arn);
        if let Some(live) = self.cache.revision(&id) {
            return Ok(Some(live));
        }
        let request =
            self.clients.ecs.describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags);
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            // "Unable to describe task definition." is how ECS says that there is none.
            Err(error) if error.message.contains("Unable to describe task definition") => return Ok(None),
            answer => answer?,
        };
        let live =
            answer.task_definition().map(|definition| Arc::new(live::task_definition(definition, answer.tags())));
        if let Some(live) = &live {
            self.cache.keep_revision(id, live.clone());
        }
        Ok(live)
    }

    async fn family(&self, family: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ecs", "ListTaskDefinitions");
        let request = self
            .clients
            .ecs
            .list_task_definitions()
            .family_prefix(family)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .max_results(FAMILY_REVISIONS_MAX);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
        let of_family = |arn: &&String| {
            arn.rsplit('/').next().and_then(|name| name.rsplit_once(':')).is_some_and(|(name, _)| name == family)
        };
        let revisions = answer.task_definition_arns().iter().filter(of_family).map(|arn| Arn::from(arn.as_str()));
        Ok(Some(Arc::new(Live { facts: Facts::Family(revisions.collect()), ..Live::default() })))
    }

    async fn target_group(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeTargetGroups");
        let request = self.clients.elbv2.describe_target_groups().names(name);
        let answer =
            absent_on(self.clients.calls.call(OPERATION, priority, request.send()).await, "TargetGroupNotFound")?;
        Ok(answer.and_then(|answer| answer.target_groups().first().map(|group| named(group.target_group_arn()))))
    }

    /// `LOAD-BALANCER:PORT/PRIORITY`, step by step.
    async fn listener_rule(&self, name: &str, priority: Priority) -> Looked {
        const BALANCERS: Operation = Operation::read("elbv2", "DescribeLoadBalancers");
        const LISTENERS: Operation = Operation::read("elbv2", "DescribeListeners");
        const RULES: Operation = Operation::read("elbv2", "DescribeRules");
        let Some((listener, number)) = name.rsplit_once('/') else { return Ok(None) };
        let Some((balancer, port)) = listener.rsplit_once(':') else { return Ok(None) };
        let (elbv2, calls) = (&self.clients.elbv2, &self.clients.calls);
        let request = elbv2.describe_load_balancers().names(balancer);
        let answer = absent_on(calls.call(BALANCERS, priority, request.send()).await, "LoadBalancerNotFound")?;
        let Some(balancer) =
            answer.and_then(|answer| answer.load_balancers().first()?.load_balancer_arn().map(str::to_owned))
        else {
            return Ok(None);
        };
        // At most 50 listeners a load balancer, fewer than a page of 400 (ELB quotas).
        let request = elbv2.describe_listeners().load_balancer_arn(balancer);
        let answer = calls.call(LISTENERS, priority, request.send()).await?;
        let listener = answer.listeners().iter().find(|l| l.port().is_some_and(|p| p.to_string() == port));
        let Some(listener) = listener.and_then(|listener| listener.listener_arn()) else { return Ok(None) };
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let request =
                elbv2.describe_rules().listener_arn(listener).page_size(RULES_PAGE).set_marker(marker.clone());
            let answer = calls.call(RULES, priority, request.send()).await?;
            if let Some(rule) = answer.rules().iter().find(|rule| rule.priority() == Some(number)) {
                return Ok(Some(named(rule.rule_arn())));
            }
            match answer.next_marker() {
                None => return Ok(None),
                next if next == marker.as_deref() => break,
                next => marker = next.map(str::to_owned),
            }
        }
        Err(Error::local(RULES, Class::Terminal, "the pages of the answer do not end"))
    }

    async fn secret(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("secretsmanager", "DescribeSecret");
        let request = self.clients.secrets.describe_secret().secret_id(name);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "ResourceNotFoundException")?;
        // A secret that is scheduled for deletion cannot be used any more (DescribeSecret, DeletedDate).
        Ok(answer.filter(|secret| secret.deleted_date().is_none()).map(|secret| named(secret.arn())))
    }

    async fn parameter(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ssm", "DescribeParameters");
        let filter = ParameterStringFilter::builder().key("Name").option("Equals").values(name).build();
        let filter = filter.map_err(|error| Error::local(OPERATION, Class::Terminal, error.to_string()))?;
        let request = self.clients.ssm.describe_parameters().parameter_filters(filter);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
        let there = answer.parameters().iter().any(|parameter| parameter.name() == Some(name));
        let Scope { account, region, cluster: _ } = &self.scope;
        // A parameter's ARN has its name behind one slash, whether or not the name begins with one.
        let path = name.trim_start_matches('/');
        let arn = format!("arn:{}:ssm:{region}:{account}:parameter/{path}", self.scope.partition());
        Ok(there.then(|| named(Some(&arn))))
    }

    async fn parameter_value(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ssm", "GetParameter");
        let request = self.clients.ssm.get_parameter().name(name);
        let answer =
            absent_on(self.clients.calls.call(OPERATION, priority, request.send()).await, "ParameterNotFound")?;
        let Some(parameter) = answer.and_then(|answer| answer.parameter) else { return Ok(None) };
        if parameter.r#type() == Some(&ParameterType::SecureString) {
            let message = "it is a SecureString: name it under `secrets`, its value is never read";
            return Err(Error::local(OPERATION, Class::Terminal, message));
        }
        Ok(parameter.value().map(value))
    }

    async fn stack_output(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("cloudformation", "DescribeStacks");
        let Some((stack, output)) = name.split_once('.') else { return Ok(None) };
        let request = self.clients.cloudformation.describe_stacks().stack_name(stack);
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            Err(error) if error.message.contains("does not exist") => return Ok(None),
            answer => answer?,
        };
        let outputs = answer.stacks().iter().flat_map(aws_sdk_cloudformation::types::Stack::outputs);
        let found = outputs.filter(|o| o.output_key() == Some(output)).find_map(|o| o.output_value());
        Ok(found.map(value))
    }

    async fn scalable_target(&self, service: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("autoscaling", "DescribeScalableTargets");
        let request = self
            .clients
            .autoscaling
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_ids(format!("service/{}/{service}", self.scope.cluster))
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
        Ok(answer.scalable_targets().first().map(|target| named(target.scalable_target_arn())))
    }
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
