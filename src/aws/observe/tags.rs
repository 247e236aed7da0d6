//! Tags of things outside of ECS. They are asked for only where a plan needs them.

use super::{Observer, Seen, observed, same};
use crate::aws::call::{Error, Operation};
use crate::aws::pace::Priority;
use crate::core::id::ResourceId;
use crate::core::observed::{Live, Observed};
use crate::core::retry::Class;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether an ARN is of ELBv2.
pub(super) fn is_elb(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("elasticloadbalancing")
}

impl Observer {
    pub(super) async fn tags(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        let Some(first) = ids.first() else { return Seen::new() };
        if is_elb(&first.name) {
            return self.elb_tags(ids, priority).await;
        }
        let tags = self.tags_of(&first.name, priority).await;
        vec![(first.clone(), observed(tags.map(|tags| Some(tagged(tags)))))]
    }

    async fn elb_tags(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeTags");
        let arns = ids.iter().map(|id| id.name.to_string()).collect();
        let request = self.clients.elbv2.describe_tags().set_resource_arns(Some(arns));
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            Ok(answer) => answer,
            Err(error) => return same(ids, &observed(Err(error))),
        };
        let of = |id: &ResourceId| {
            let found = answer.tag_descriptions().iter().find(|tags| tags.resource_arn() == Some(&*id.name));
            let Some(found) = found else {
                return Observed::Unknown { why: format!("{OPERATION}: the answer leaves it out") };
            };
            let pairs = found.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
            Observed::Present(tagged(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
        };
        ids.iter().map(|id| (id.clone(), of(id))).collect()
    }

    /// The tags of one thing, by its AWS service's own operation.
    async fn tags_of(&self, arn: &str, priority: Priority) -> Result<BTreeMap<String, String>, Error> {
        const SCALING: Operation = Operation::read("autoscaling", "ListTagsForResource");
        const ALARM: Operation = Operation::read("cloudwatch", "ListTagsForResource");
        const DISCOVERY: Operation = Operation::read("discovery", "ListTagsForResource");
        const LOGS: Operation = Operation::read("logs", "ListTagsForResource");
        let (clients, calls) = (&self.clients, &self.clients.calls);
        match arn.split(':').nth(2).unwrap_or_default() {
            "application-autoscaling" => {
                let request = clients.autoscaling.list_tags_for_resource().resource_arn(arn);
                let answer = calls.call(SCALING, priority, request.send()).await?;
                Ok(answer.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            "cloudwatch" => {
                let request = clients.cloudwatch.list_tags_for_resource().resource_arn(arn);
                let answer = calls.call(ALARM, priority, request.send()).await?;
                let pairs = answer.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
                Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
            }
            "servicediscovery" => {
                let request = clients.discovery.list_tags_for_resource().resource_arn(arn);
                let answer = calls.call(DISCOVERY, priority, request.send()).await?;
                Ok(answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
            }
            "logs" => {
                let request = clients.logs.list_tags_for_resource().resource_arn(arn);
                let answer = calls.call(LOGS, priority, request.send()).await?;
                Ok(answer.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            other => {
                let message = format!("the tags of {other} are not read");
                Err(Error::local(LOGS, Class::Terminal, message))
            }
        }
    }
}

fn tagged(tags: BTreeMap<String, String>) -> Arc<Live> {
    Arc::new(Live { tags, ..Live::default() })
}
