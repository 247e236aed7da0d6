//! What AWS calls things: one names-only table per service.
//!
//! A line of a table is all that a structure needs: from it come reading, writing, validation, list semantics for the
//! diff, JSON Schema and the reference page. Types come from the SDK. When `cargo update` brings a new member,
//! `tests/it/tables.rs` names it; to cover it, add its name.
//!
//! ECR, STS, Secrets Manager, Systems Manager and CloudFormation have no table: nobody declares their
//! inputs, so they are called with the SDK's types.
//!
//! `#[required]` is what the API model (botocore 1.44.5) demands. The comment above a structure gives the reason and the
//! source of the list semantics below it; "recorded answers" are read-backs of real resources.

mod autoscaling;
mod cloudwatch;
mod discovery;
mod ecs;
mod elbv2;
mod logs;

use super::wire::Wire;
use crate::core::shape::Shapes;

/// The shapes of everything that a desired-state document can hold.
pub fn shapes() -> Shapes {
    Shapes {
        task_definition: aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput::shape(),
        task_definition_answer: aws_sdk_ecs::types::TaskDefinition::shape(),
        create_service: aws_sdk_ecs::operation::create_service::CreateServiceInput::shape(),
        update_service: aws_sdk_ecs::operation::update_service::UpdateServiceInput::shape(),
        service_answer: aws_sdk_ecs::types::Service::shape(),
        target_group: aws_sdk_elasticloadbalancingv2::operation::create_target_group::CreateTargetGroupInput::shape(),
        listener: aws_sdk_elasticloadbalancingv2::operation::create_listener::CreateListenerInput::shape(),
        rule: aws_sdk_elasticloadbalancingv2::operation::create_rule::CreateRuleInput::shape(),
        scalable_target:
            aws_sdk_applicationautoscaling::operation::register_scalable_target::RegisterScalableTargetInput::shape(),
        scaling_policy: aws_sdk_applicationautoscaling::operation::put_scaling_policy::PutScalingPolicyInput::shape(),
        scheduled_action:
            aws_sdk_applicationautoscaling::operation::put_scheduled_action::PutScheduledActionInput::shape(),
        alarm: aws_sdk_cloudwatch::operation::put_metric_alarm::PutMetricAlarmInput::shape(),
        discovery_service: aws_sdk_servicediscovery::operation::create_service::CreateServiceInput::shape(),
    }
}
