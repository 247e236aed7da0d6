//! Application Auto Scaling and the CloudWatch alarms.

use super::{Looked, Observer, PAGES_MAX, Seen, endless, observed, same};
use crate::aws::call::{Error, Operation};
use crate::aws::pace::Priority;
use crate::aws::wire::encode;
use crate::core::id::{Arn, ResourceId};
use crate::core::observed::{Facts, Live, Observed};
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget, ServiceNamespace};
use aws_sdk_cloudwatch::types::MetricAlarm;
use std::sync::Arc;

/// How many targets one call is asked for (DescribeScalableTargets answers 50 a page at most).
const TARGETS_AT_ONCE: usize = 50;

impl Observer {
    /// `service/CLUSTER/NAME` (Application Auto Scaling, ResourceId).
    fn scaled_id(&self, service: &str) -> String {
        format!("service/{}/{service}", self.scope.cluster)
    }

    pub(super) async fn scalable_targets(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        let mut seen = Seen::new();
        for chunk in ids.chunks(TARGETS_AT_ONCE) {
            match self.targets(chunk, priority).await {
                Ok(targets) => seen.extend(chunk.iter().map(|id| {
                    let resource = self.scaled_id(&id.name);
                    let found = targets.iter().find(|target| target.resource_id() == resource);
                    let live = found.map(|target| {
                        let arn = target.scalable_target_arn().map(Arn::from);
                        Arc::new(Live { arn, document: encode(target), ..Live::default() })
                    });
                    (id.clone(), observed(Ok(live)))
                })),
                Err(error) => seen.extend(same(chunk, &observed(Err(error)))),
            }
        }
        seen
    }

    async fn targets(&self, ids: &[ResourceId], priority: Priority) -> Result<Vec<ScalableTarget>, Error> {
        const OPERATION: Operation = Operation::read("autoscaling", "DescribeScalableTargets");
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self
                .clients
                .autoscaling
                .describe_scalable_targets()
                .service_namespace(ServiceNamespace::Ecs)
                .set_resource_ids(Some(ids.iter().map(|id| self.scaled_id(&id.name)).collect()))
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            found.extend_from_slice(answer.scalable_targets());
            match answer.next_token() {
                None => return Ok(found),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    pub(super) async fn scaling_policies(&self, service: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("autoscaling", "DescribeScalingPolicies");
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self
                .clients
                .autoscaling
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(self.scaled_id(service))
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            found.extend(answer.scaling_policies().iter().map(|policy| {
                let arn = Some(Arn::from(policy.policy_arn()));
                Arc::new(Live { arn, document: encode(policy), ..Live::default() })
            }));
            match answer.next_token() {
                None => return Ok(Some(members(found))),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    pub(super) async fn scheduled_actions(&self, service: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("autoscaling", "DescribeScheduledActions");
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self
                .clients
                .autoscaling
                .describe_scheduled_actions()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(self.scaled_id(service))
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            found.extend(answer.scheduled_actions().iter().map(|action| {
                let arn = Some(Arn::from(action.scheduled_action_arn()));
                Arc::new(Live { arn, document: encode(action), ..Live::default() })
            }));
            match answer.next_token() {
                None => return Ok(Some(members(found))),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    /// Metric alarms by name, as many as one call takes.
    pub(super) async fn alarms(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        const OPERATION: Operation = Operation::read("cloudwatch", "DescribeAlarms");
        let names = ids.iter().map(|id| id.name.to_string()).collect();
        let request = self.clients.cloudwatch.describe_alarms().set_alarm_names(Some(names));
        let request = request.max_records(100);
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            Ok(answer) => answer,
            Err(error) => return same(ids, &observed(Err(error))),
        };
        let of = |id: &ResourceId| match answer.metric_alarms().iter().find(|a| a.alarm_name() == Some(&*id.name)) {
            Some(alarm) => Observed::Present(Arc::new(alarm_live(alarm))),
            None => Observed::Absent,
        };
        ids.iter().map(|id| (id.clone(), of(id))).collect()
    }
}

/// An alarm without what moves: its state is no setting, and a digest of it must not change with it.
fn alarm_live(alarm: &MetricAlarm) -> Live {
    let mut document = encode(alarm);
    if let serde_json::Value::Object(map) = &mut document {
        map.retain(|field, _| !field.starts_with("State") && field != "EvaluationState");
    }
    Live { arn: alarm.alarm_arn().map(Arn::from), document, ..Live::default() }
}

fn members(found: Vec<Arc<Live>>) -> Arc<Live> {
    Arc::new(Live { facts: Facts::Members(found), ..Live::default() })
}
