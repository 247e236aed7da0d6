//! ECS: clusters, services, task definitions.

use super::rollout::TASKS_MAX;
use super::{Looked, Observer, PAGES_MAX, endless, named};
use crate::aws::call::{Error, Operation};
use crate::aws::live;
use crate::aws::pace::Priority;
use crate::core::id::{Arn, ResourceId, ServiceName};
use crate::core::observed::{Facts, Live, Observed};
use aws_sdk_ecs::types::{ServiceField, SortOrder, TaskDefinitionField, TaskDefinitionStatus};
use std::collections::BTreeSet;
use std::sync::Arc;

/// As many revisions of a family as one call lists: "between 1 and 100" (ListTaskDefinitions, maxResults).
const FAMILY_REVISIONS_MAX: i32 = 100;

impl Observer {
    pub(super) async fn services(&self, ids: &[ResourceId], priority: Priority) -> Vec<(ResourceId, Observed)> {
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

    pub(super) async fn cluster(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ecs", "DescribeClusters");
        let request = self.clients.ecs.describe_clusters().clusters(name);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
        let active = answer.clusters().iter().find(|cluster| cluster.status() == Some("ACTIVE"));
        Ok(active.map(|cluster| named(cluster.cluster_arn())))
    }

    pub(super) async fn revision(&self, arn: &str, priority: Priority) -> Looked {
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

    pub(super) async fn family(&self, family: &str, priority: Priority) -> Looked {
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

    /// The revisions that the tasks of a family run in the cluster, whoever started them.
    pub(super) async fn family_tasks(&self, family: &str, priority: Priority) -> Looked {
        const LIST: Operation = Operation::read("ecs", "ListTasks");
        let cluster = self.scope.cluster.as_str();
        let (mut revisions, mut token) = (BTreeSet::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.clients.ecs.list_tasks().cluster(cluster).family(family).max_results(TASKS_MAX);
            let request = request.set_next_token(token.clone());
            let listed = self.clients.calls.call(LIST, priority, request.send()).await?;
            let arns = listed.task_arns();
            if !arns.is_empty() {
                let tasks = self.describe_tasks(arns, priority).await?;
                revisions.extend(tasks.iter().filter_map(|task| task.task_definition_arn().map(Arn::from)));
            }
            match listed.next_token() {
                None => return Ok(Some(Arc::new(Live { facts: Facts::Running(revisions), ..Live::default() }))),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(LIST))
    }

    /// The names of all services of the cluster.
    ///
    /// # Errors
    /// Where a page could not be read: a part of a list must not be taken for the whole.
    pub async fn service_names(&self, priority: Priority) -> Result<Vec<ServiceName>, Error> {
        const OPERATION: Operation = Operation::read("ecs", "ListServices");
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            // "maxResults can be between 1 and 100" (ListServices).
            let request = self.clients.ecs.list_services().cluster(self.scope.cluster.as_str()).max_results(100);
            let request = request.set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            let names = answer.service_arns().iter().map(|arn| ServiceName::from(Arn::from(arn.as_str()).short()));
            found.extend(names);
            match answer.next_token() {
                None => return Ok(found),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }
}
