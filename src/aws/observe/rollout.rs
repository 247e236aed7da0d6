//! How a rollout is getting on, beside what DescribeServices says: service deployments, stopped tasks, target health.

use super::{Looked, Observer, absent_on};
use crate::aws::call::{Error, Operation};
use crate::aws::live::time;
use crate::aws::pace::Priority;
use crate::core::id::{Arn, ServiceName};
use crate::core::image::Digests;
use crate::core::observed::{Facts, Hook, Live, ServiceDeployment, Target};
use crate::core::stopped::StoppedTask;
use aws_sdk_ecs::types::{self as ecs, DesiredStatus};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many service deployments are looked at: the one that is followed is among the newest, and both describe calls take
/// 20 (DescribeServiceDeployments, DescribeServiceRevisions).
const NEWEST: i32 = 5;
/// How many are read of a service without history: as many as both describe calls take. ECS keeps them for 90 days
/// (ListServiceDeployments).
pub const PAST: i32 = 20;
/// "A list of up to 20" (DescribeServiceRevisions).
const DESCRIBED_MAX: usize = 20;
/// "A list of up to 100 task IDs" (DescribeTasks).
pub(super) const TASKS_MAX: i32 = 100;

impl Observer {
    /// The newest service deployments of a service, each with the revision that it was to bring up.
    pub(super) async fn service_deployments(&self, service: &str, priority: Priority) -> Looked {
        let newest = self.newest_deployments(service, NEWEST, priority).await?;
        Ok(if newest.is_empty() { None } else { Some(facts(Facts::Deployments(newest))) })
    }

    /// What ECS still knows of a service's deployments, newest first.
    pub async fn past_deployments(&self, service: &ServiceName) -> Result<Vec<ServiceDeployment>, Error> {
        self.newest_deployments(service.as_str(), PAST, Priority::Sweep).await
    }

    async fn newest_deployments(
        &self,
        service: &str,
        most: i32,
        priority: Priority,
    ) -> Result<Vec<ServiceDeployment>, Error> {
        const LIST: Operation = Operation::read("ecs", "ListServiceDeployments");
        const DESCRIBE: Operation = Operation::read("ecs", "DescribeServiceDeployments");
        let cluster = self.scope.cluster.as_str();
        let request = self.clients.ecs.list_service_deployments().cluster(cluster).service(service).max_results(most);
        let answer = self.clients.calls.call(LIST, priority, request.send()).await;
        let Some(listed) = absent_on(answer, "ServiceNotFoundException")? else { return Ok(Vec::new()) };
        let mut newest: Vec<_> = listed.service_deployments().iter().collect();
        newest.sort_by_key(|brief| std::cmp::Reverse(brief.created_at().map(|at| at.secs())));
        let arns: Vec<String> =
            newest.iter().filter_map(|brief| brief.service_deployment_arn().map(str::to_owned)).collect();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.clients.ecs.describe_service_deployments().set_service_deployment_arns(Some(arns.clone()));
        let described = self.clients.calls.call(DESCRIBE, priority, request.send()).await?;
        let revisions = self.revisions_of(described.service_deployments(), priority).await?;
        let of = |arn: &String| {
            let found = described.service_deployments().iter().find(|d| d.service_deployment_arn() == Some(arn));
            found.map(|found| deployment(found, &revisions))
        };
        Ok(arns.iter().filter_map(of).collect())
    }

    /// Service revision -> task definition, and the digests of its images.
    async fn revisions_of(
        &self,
        deployments: &[ecs::ServiceDeployment],
        priority: Priority,
    ) -> Result<Revisions, Error> {
        const OPERATION: Operation = Operation::read("ecs", "DescribeServiceRevisions");
        // What ran before matters while it may be gone back to.
        let both = |d: &ecs::ServiceDeployment| -> Vec<String> {
            let sources = d.source_service_revisions().iter().filter(|_| d.finished_at().is_none());
            d.target_service_revision().into_iter().chain(sources).filter_map(|r| r.arn().map(str::to_owned)).collect()
        };
        let mut arns: Vec<String> = deployments.iter().flat_map(both).collect();
        arns.sort_unstable();
        arns.dedup();
        let mut found = Revisions::new();
        let pair = |revision: &ecs::ServiceRevision| {
            let digest = |image: &ecs::ContainerImage| {
                Some((image.container_name()?.to_owned(), image.image_digest()?.to_owned()))
            };
            let digests = revision.container_images().iter().filter_map(digest).collect();
            Some((revision.service_revision_arn()?.to_owned(), (Arn::from(revision.task_definition()?), digests)))
        };
        for arns in arns.chunks(DESCRIBED_MAX) {
            let request = self.clients.ecs.describe_service_revisions().set_service_revision_arns(Some(arns.to_vec()));
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            found.extend(answer.service_revisions().iter().filter_map(pair));
        }
        Ok(found)
    }

    /// The tasks of a service that stopped lately; ECS shows them for an hour at least.
    pub(super) async fn stopped_tasks(&self, service: &str, priority: Priority) -> Looked {
        const LIST: Operation = Operation::read("ecs", "ListTasks");
        let cluster = self.scope.cluster.as_str();
        let request = self.clients.ecs.list_tasks().cluster(cluster).service_name(service);
        let request = request.desired_status(DesiredStatus::Stopped).max_results(TASKS_MAX);
        let answer = self.clients.calls.call(LIST, priority, request.send()).await;
        let Some(listed) = absent_on(answer, "ServiceNotFoundException")? else { return Ok(None) };
        if listed.task_arns().is_empty() {
            return Ok(None);
        }
        let tasks = self.describe_tasks(listed.task_arns(), priority).await?;
        Ok(Some(facts(Facts::Stopped(tasks.iter().map(stopped).collect()))))
    }

    /// Some tasks, at most [`TASKS_MAX`].
    pub(super) async fn describe_tasks(&self, arns: &[String], priority: Priority) -> Result<Vec<ecs::Task>, Error> {
        const OPERATION: Operation = Operation::read("ecs", "DescribeTasks");
        let request = self.clients.ecs.describe_tasks().cluster(self.scope.cluster.as_str());
        let answer =
            self.clients.calls.call(OPERATION, priority, request.set_tasks(Some(arns.to_vec())).send()).await?;
        Ok(answer.tasks.unwrap_or_default())
    }

    /// The targets of a target group, by its ARN, and how they are.
    pub(super) async fn target_health(&self, group: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeTargetHealth");
        let request = self.clients.elbv2.describe_target_health().target_group_arn(group);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let Some(answer) = absent_on(answer, "TargetGroupNotFound")? else { return Ok(None) };
        let target = |found: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
            let health = found.target_health()?;
            let state = health.state()?.as_str().to_owned();
            Some(Target { state, reason: health.description().map(str::to_owned) })
        };
        Ok(Some(facts(Facts::Targets(answer.target_health_descriptions().iter().filter_map(target).collect()))))
    }
}

fn facts(facts: Facts) -> Arc<Live> {
    Arc::new(Live { facts, ..Live::default() })
}

/// Service revision -> task definition, and the digests of its images.
type Revisions = BTreeMap<String, (Arn, Digests)>;

fn deployment(found: &ecs::ServiceDeployment, revisions: &Revisions) -> ServiceDeployment {
    let target = found.target_service_revision();
    let revision = target.and_then(|target| revisions.get(target.arn()?)).cloned();
    let (task_definition, images) = revision.map_or_else(Default::default, |(arn, images)| (Some(arn), images));
    let source = |source: &ecs::ServiceRevisionSummary| Some(revisions.get(source.arn()?)?.0.clone());
    let rollback = found.rollback().and_then(|rollback| rollback.reason());
    ServiceDeployment {
        arn: Arn::from(found.service_deployment_arn().unwrap_or_default()),
        status: found.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: rollback.or(found.status_reason()).map(str::to_owned),
        task_definition,
        sources: found.source_service_revisions().iter().filter_map(source).collect(),
        images,
        stage: found.lifecycle_stage().map(|stage| stage.as_str().to_owned()),
        production_percent: target.and_then(|target| target.requested_production_traffic_weight()),
        hooks: found.lifecycle_hook_details().iter().map(hook).collect(),
        created_at: found.created_at().and_then(time),
        finished_at: found.finished_at().and_then(time),
    }
}

fn hook(found: &ecs::DeploymentLifecycleHookDetail) -> Hook {
    Hook {
        id: found.hook_id().unwrap_or_default().to_owned(),
        pause: found.target_type().is_some_and(|kind| kind.as_str() == "PAUSE"),
        status: found.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        expires_at: found.expires_at().and_then(time),
        then: found.timeout_action().map(|action| action.as_str().to_owned()),
    }
}

pub(super) fn stopped(task: &ecs::Task) -> StoppedTask {
    let container = |found: &ecs::Container| {
        (found.name().unwrap_or_default().to_owned(), found.exit_code(), found.reason().map(str::to_owned))
    };
    StoppedTask {
        id: task.task_arn().map(|arn| Arn::from(arn).short().to_owned()).unwrap_or_default(),
        stopped_at: task.stopped_at().and_then(time),
        task_definition: task.task_definition_arn().map(Arn::from),
        code: task.stop_code().map(|code| code.as_str().to_owned()).unwrap_or_default(),
        reason: task.stopped_reason().unwrap_or_default().to_owned(),
        containers: task.containers().iter().map(container).collect(),
    }
}
