//! [`Action`] -> one call. Deciding never calls, calling never decides: there is no `if` about state here.

use super::call::{Error, Operation, WithInput};
use super::clients::Clients;
use super::pace::Priority;
use super::wire::{Wire, decode};
use crate::core::action::{Action, Call};
use crate::core::id::Arn;
use crate::core::retry::Class;
use aws_sdk_applicationautoscaling::operation as autoscaling;
use aws_sdk_cloudwatch::operation as cloudwatch;
use aws_sdk_cloudwatchlogs::operation as logs;
use aws_sdk_ecs::operation as ecs;
use aws_sdk_ecs::types::Failure;
use aws_sdk_elasticloadbalancingv2::operation as elbv2;
use aws_sdk_servicediscovery::operation as discovery;
use serde_json::Value;

/// Carries out one action with its completed input; gives the ARN of what it made or changed.
///
/// # Errors
/// An error whose class is `Ambiguous` leaves the outcome unknown: read before anything else is done.
pub async fn apply(clients: &Clients, action: &Action, input: Value, priority: Priority) -> Result<Option<Arn>, Error> {
    let operation = Operation::write(action.call.service(), action.call.operation());
    // One line an operation: its client, its module and input, and where its answer holds an ARN.
    macro_rules! send {
        ($client:ident.$method:ident, $input:ty) => {
            send!($client.$method, $input, |_answer| None)
        };
        ($client:ident.$method:ident, $input:ty, |$answer:ident| $arn:expr) => {{
            let input = WithInput(typed::<$input>(operation, &input)?);
            let request = clients.$client.$method().customize().interceptor(input);
            let $answer = clients.calls.call(operation, priority, request.send()).await?;
            let arn: Option<&str> = $arn;
            arn.map(Arn::from)
        }};
    }
    Ok(match action.call {
        Call::RegisterTaskDefinition => {
            send!(ecs.register_task_definition, ecs::register_task_definition::RegisterTaskDefinitionInput, |answer| {
                answer.task_definition().and_then(|made| made.task_definition_arn())
            })
        }
        Call::DeregisterTaskDefinition => send!(
            ecs.deregister_task_definition,
            ecs::deregister_task_definition::DeregisterTaskDefinitionInput,
            |answer| answer.task_definition().and_then(|gone| gone.task_definition_arn())
        ),
        Call::CreateService => send!(ecs.create_service, ecs::create_service::CreateServiceInput, |answer| {
            answer.service().and_then(|made| made.service_arn())
        }),
        Call::UpdateService => send!(ecs.update_service, ecs::update_service::UpdateServiceInput, |answer| {
            answer.service().and_then(|changed| changed.service_arn())
        }),
        Call::RunTask => {
            let input = WithInput(typed::<ecs::run_task::RunTaskInput>(operation, &input)?);
            let request = clients.ecs.run_task().customize().interceptor(input);
            let answer = clients.calls.call(operation, priority, request.send()).await?;
            let task = answer.tasks().first().and_then(|task| task.task_arn());
            Some(Arn::from(task.ok_or_else(|| not_placed(operation, answer.failures()))?))
        }
        Call::StopTask => send!(ecs.stop_task, ecs::stop_task::StopTaskInput),
        Call::StopServiceDeployment => {
            send!(ecs.stop_service_deployment, ecs::stop_service_deployment::StopServiceDeploymentInput)
        }
        Call::ContinueServiceDeployment => {
            send!(ecs.continue_service_deployment, ecs::continue_service_deployment::ContinueServiceDeploymentInput)
        }
        Call::TagEcs => send!(ecs.tag_resource, ecs::tag_resource::TagResourceInput),
        Call::DeleteService => send!(ecs.delete_service, ecs::delete_service::DeleteServiceInput),
        Call::CreateTargetGroup => {
            send!(elbv2.create_target_group, elbv2::create_target_group::CreateTargetGroupInput, |answer| {
                answer.target_groups().first().and_then(|made| made.target_group_arn())
            })
        }
        Call::ModifyTargetGroup => {
            send!(elbv2.modify_target_group, elbv2::modify_target_group::ModifyTargetGroupInput)
        }
        Call::ModifyTargetGroupAttributes => send!(
            elbv2.modify_target_group_attributes,
            elbv2::modify_target_group_attributes::ModifyTargetGroupAttributesInput
        ),
        Call::DeleteTargetGroup => {
            send!(elbv2.delete_target_group, elbv2::delete_target_group::DeleteTargetGroupInput)
        }
        Call::ModifyLoadBalancerAttributes => send!(
            elbv2.modify_load_balancer_attributes,
            elbv2::modify_load_balancer_attributes::ModifyLoadBalancerAttributesInput
        ),
        Call::CreateListener => send!(elbv2.create_listener, elbv2::create_listener::CreateListenerInput, |answer| {
            answer.listeners().first().and_then(|made| made.listener_arn())
        }),
        Call::ModifyListener => send!(elbv2.modify_listener, elbv2::modify_listener::ModifyListenerInput),
        Call::ModifyListenerAttributes => {
            send!(elbv2.modify_listener_attributes, elbv2::modify_listener_attributes::ModifyListenerAttributesInput)
        }
        Call::AddListenerCertificates => {
            send!(elbv2.add_listener_certificates, elbv2::add_listener_certificates::AddListenerCertificatesInput)
        }
        Call::CreateRule => send!(elbv2.create_rule, elbv2::create_rule::CreateRuleInput, |answer| {
            answer.rules().first().and_then(|made| made.rule_arn())
        }),
        Call::ModifyRule => send!(elbv2.modify_rule, elbv2::modify_rule::ModifyRuleInput),
        Call::SetRulePriorities => {
            send!(elbv2.set_rule_priorities, elbv2::set_rule_priorities::SetRulePrioritiesInput)
        }
        Call::DeleteRule => send!(elbv2.delete_rule, elbv2::delete_rule::DeleteRuleInput),
        Call::TagElb => send!(elbv2.add_tags, elbv2::add_tags::AddTagsInput),
        Call::RegisterScalableTarget => send!(
            autoscaling.register_scalable_target,
            autoscaling::register_scalable_target::RegisterScalableTargetInput,
            |answer| answer.scalable_target_arn()
        ),
        Call::DeregisterScalableTarget => send!(
            autoscaling.deregister_scalable_target,
            autoscaling::deregister_scalable_target::DeregisterScalableTargetInput
        ),
        Call::PutScalingPolicy => {
            send!(autoscaling.put_scaling_policy, autoscaling::put_scaling_policy::PutScalingPolicyInput, |answer| {
                Some(answer.policy_arn()).filter(|arn| !arn.is_empty())
            })
        }
        Call::PutScheduledAction => {
            send!(autoscaling.put_scheduled_action, autoscaling::put_scheduled_action::PutScheduledActionInput)
        }
        Call::TagScaling => send!(autoscaling.tag_resource, autoscaling::tag_resource::TagResourceInput),
        Call::PutMetricAlarm => send!(cloudwatch.put_metric_alarm, cloudwatch::put_metric_alarm::PutMetricAlarmInput),
        Call::DeleteAlarms => send!(cloudwatch.delete_alarms, cloudwatch::delete_alarms::DeleteAlarmsInput),
        Call::TagAlarm => send!(cloudwatch.tag_resource, cloudwatch::tag_resource::TagResourceInput),
        Call::CreateDiscoveryService => {
            send!(discovery.create_service, discovery::create_service::CreateServiceInput, |answer| {
                answer.service().and_then(|made| made.arn())
            })
        }
        Call::UpdateDiscoveryService => {
            send!(discovery.update_service, discovery::update_service::UpdateServiceInput)
        }
        Call::DeleteDiscoveryService => {
            send!(discovery.delete_service, discovery::delete_service::DeleteServiceInput)
        }
        Call::TagDiscovery => send!(discovery.tag_resource, discovery::tag_resource::TagResourceInput),
        Call::CreateLogGroup => send!(logs.create_log_group, logs::create_log_group::CreateLogGroupInput),
        Call::PutRetentionPolicy => {
            send!(logs.put_retention_policy, logs::put_retention_policy::PutRetentionPolicyInput)
        }
        Call::DeleteRetentionPolicy => {
            send!(logs.delete_retention_policy, logs::delete_retention_policy::DeleteRetentionPolicyInput)
        }
        Call::AssociateKmsKey => send!(logs.associate_kms_key, logs::associate_kms_key::AssociateKmsKeyInput),
        Call::TagLogs => send!(logs.tag_resource, logs::tag_resource::TagResourceInput),
    })
}

/// An answer without a task: ECS found no place for it (API reference, "API failure reasons"), and started nothing. As soon as
/// there is room, the same goes well.
fn not_placed(operation: Operation, failures: &[Failure]) -> Error {
    let reason = |failure: &Failure| {
        let detail = failure.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{}{detail}", failure.reason().unwrap_or("no reason given"))
    };
    let reasons: Vec<String> = failures.iter().map(reason).collect();
    let reasons = if reasons.is_empty() { "ECS does not say why".to_owned() } else { reasons.join("; ") };
    Error::local(operation, Class::Dependency, format!("no task was started: {reasons}"))
}

/// The SDK's input of a document. What was checked while reading fits; anything else is named, not sent.
fn typed<T: Wire>(operation: Operation, document: &Value) -> Result<T, Error> {
    decode(document).map_err(|mismatches| {
        let all: Vec<_> = mismatches.iter().map(|m| format!("{}: {}", m.pointer, m.message)).collect();
        Error::local(operation, Class::Terminal, all.join("; "))
    })
}
