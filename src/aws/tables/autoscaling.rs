//! Application Auto Scaling: scalable targets, policies, scheduled actions.

use crate::aws::wire::{enums, structures};
use aws_sdk_applicationautoscaling::operation::deregister_scalable_target::DeregisterScalableTargetInput;
use aws_sdk_applicationautoscaling::operation::put_scaling_policy::PutScalingPolicyInput;
use aws_sdk_applicationautoscaling::operation::put_scheduled_action::PutScheduledActionInput;
use aws_sdk_applicationautoscaling::operation::register_scalable_target::RegisterScalableTargetInput;
use aws_sdk_applicationautoscaling::operation::tag_resource::TagResourceInput;
use aws_sdk_applicationautoscaling::types::*;

structures! {
    RegisterScalableTargetInput as RegisterScalableTarget {
        #[required] ServiceNamespace, #[required] ResourceId, #[required] ScalableDimension, MinCapacity, MaxCapacity,
        RoleARN => role_arn, SuspendedState, Tags,
    }
    DeregisterScalableTargetInput as DeregisterScalableTarget {
        #[required] ServiceNamespace, #[required] ResourceId, #[required] ScalableDimension,
    }
    TagResourceInput as TagResource { #[required] ResourceARN => resource_arn, #[required] Tags }
    SuspendedState { DynamicScalingInSuspended, DynamicScalingOutSuspended, ScheduledScalingSuspended }
    PutScalingPolicyInput as PutScalingPolicy {
        #[required] PolicyName, #[required] ServiceNamespace, #[required] ResourceId, #[required] ScalableDimension,
        PolicyType, StepScalingPolicyConfiguration, TargetTrackingScalingPolicyConfiguration,
        PredictiveScalingPolicyConfiguration,
    }
    // StepScalingPolicyConfiguration: steps are intervals that may not overlap; an open end is left out, so that no
    // member names a step.
    StepScalingPolicyConfiguration {
        AdjustmentType, StepAdjustments[], MinAdjustmentMagnitude, Cooldown, MetricAggregationType,
    }
    StepAdjustment { MetricIntervalLowerBound, MetricIntervalUpperBound, #[required] ScalingAdjustment }
    TargetTrackingScalingPolicyConfiguration {
        #[required] TargetValue, PredefinedMetricSpecification, CustomizedMetricSpecification, ScaleOutCooldown,
        ScaleInCooldown, DisableScaleIn,
    }
    PredefinedMetricSpecification { #[required] PredefinedMetricType, ResourceLabel }
    // A dimension is named once in a metric (CloudWatch Dimension). TargetTrackingMetricDataQuery: `Id` is unique in
    // the specification and refers from one query to another.
    CustomizedMetricSpecification { MetricName, Namespace, Dimensions[Name], Statistic, Unit, Metrics[Id] }
    MetricDimension { #[required] Name, #[required] Value }
    TargetTrackingMetricDataQuery { Expression, #[required] Id, Label, MetricStat, ReturnData }
    TargetTrackingMetricStat { #[required] Metric, #[required] Stat, Unit }
    // As above.
    TargetTrackingMetric { Dimensions[Name], MetricName, Namespace }
    TargetTrackingMetricDimension { #[required] Name, #[required] Value }
    // PredictiveScalingPolicyConfiguration: exactly one specification.
    PredictiveScalingPolicyConfiguration {
        #[required] MetricSpecifications, Mode, SchedulingBufferTime, MaxCapacityBreachBehavior, MaxCapacityBuffer,
    }
    PredictiveScalingMetricSpecification {
        #[required] TargetValue, PredefinedMetricPairSpecification, PredefinedScalingMetricSpecification,
        PredefinedLoadMetricSpecification, CustomizedScalingMetricSpecification, CustomizedLoadMetricSpecification,
        CustomizedCapacityMetricSpecification,
    }
    PredictiveScalingPredefinedMetricPairSpecification { #[required] PredefinedMetricType, ResourceLabel }
    PredictiveScalingPredefinedScalingMetricSpecification { #[required] PredefinedMetricType, ResourceLabel }
    PredictiveScalingPredefinedLoadMetricSpecification { #[required] PredefinedMetricType, ResourceLabel }
    // PredictiveScalingMetricDataQuery: `Id` is unique in the specification.
    PredictiveScalingCustomizedMetricSpecification { #[required] MetricDataQueries[Id] }
    PredictiveScalingMetricDataQuery { #[required] Id, Expression, MetricStat, Label, ReturnData }
    PredictiveScalingMetricStat { #[required] Metric, #[required] Stat, Unit }
    // As above.
    PredictiveScalingMetric { Dimensions[Name], MetricName, Namespace }
    PredictiveScalingMetricDimension { #[required] Name, #[required] Value }
    PutScheduledActionInput as PutScheduledAction {
        #[required] ServiceNamespace, Schedule, Timezone, #[required] ScheduledActionName, #[required] ResourceId,
        #[required] ScalableDimension, StartTime, EndTime, ScalableTargetAction,
    }
    ScalableTargetAction { MinCapacity, MaxCapacity }
    ScalableTarget {
        #[required] ServiceNamespace, #[required] ResourceId, #[required] ScalableDimension, #[required] MinCapacity,
        #[required] MaxCapacity, PredictedCapacity, #[required] RoleARN => role_arn, #[required] CreationTime,
        SuspendedState, ScalableTargetARN => scalable_target_arn,
    }
    // DescribeScalingPolicies: the alarms of the policy, made by Application Auto Scaling.
    ScalingPolicy {
        #[required] PolicyARN => policy_arn, #[required] PolicyName, #[required] ServiceNamespace,
        #[required] ResourceId, #[required] ScalableDimension, #[required] PolicyType, StepScalingPolicyConfiguration,
        TargetTrackingScalingPolicyConfiguration, PredictiveScalingPolicyConfiguration, Alarms[AlarmName],
        #[required] CreationTime,
    }
    Alarm { #[required] AlarmName, #[required] AlarmARN => alarm_arn }
    ScheduledAction {
        #[required] ScheduledActionName, #[required] ScheduledActionARN => scheduled_action_arn,
        #[required] ServiceNamespace, #[required] Schedule, Timezone, #[required] ResourceId, ScalableDimension,
        StartTime, EndTime, ScalableTargetAction, #[required] CreationTime,
    }
}

enums! {
    ServiceNamespace, ScalableDimension, PolicyType, AdjustmentType, MetricAggregationType, MetricType,
    MetricStatistic, PredictiveScalingMode, PredictiveScalingMaxCapacityBreachBehavior,
}
