//! CloudWatch: metric alarms.

use crate::aws::wire::{enums, structures, unions};
use aws_sdk_cloudwatch::operation::delete_alarms::DeleteAlarmsInput;
use aws_sdk_cloudwatch::operation::put_metric_alarm::PutMetricAlarmInput;
use aws_sdk_cloudwatch::operation::tag_resource::TagResourceInput;
use aws_sdk_cloudwatch::types::*;

structures! {
    // All actions are executed ("up to 5 actions for each state"), whatever their order. A dimension is named once in
    // a metric. MetricDataQuery: `Id` is unique in the alarm and refers from one query to another. TagResource: a key
    // is unique on a resource.
    PutMetricAlarmInput as PutMetricAlarm {
        #[required] AlarmName, AlarmDescription, ActionsEnabled, OKActions[] => ok_actions, AlarmActions[],
        InsufficientDataActions[], MetricName, Namespace, Statistic, ExtendedStatistic, Dimensions[Name], Period,
        Unit, EvaluationPeriods, DatapointsToAlarm, Threshold, ComparisonOperator, TreatMissingData,
        EvaluateLowSampleCountPercentile, Metrics[Id], Tags[Key], ThresholdMetricId, EvaluationWindow,
        WarmUpConfiguration, EvaluationCriteria, EvaluationInterval, ActionConfiguration,
    }
    DeleteAlarmsInput as DeleteAlarms { #[required] AlarmNames[] }
    TagResourceInput as TagResource { #[required] ResourceARN => resource_arn, #[required] Tags[Key] }
    Dimension { #[required] Name, #[required] Value }
    MetricDataQuery { #[required] Id, MetricStat, Expression, Label, ReturnData, Period, AccountId }
    MetricStat { #[required] Metric, #[required] Period, #[required] Stat, Unit }
    // As in PutMetricAlarm.
    Metric { Namespace, MetricName, Dimensions[Name] }
    Tag { #[required] Key, #[required] Value }
    WallClockWindow { Timezone }
    SlidingWindow { }
    WarmUpConfiguration { #[required] WarmUpPeriodDurationInMinutes, OnlyStartEvaluatingAfterWarmUpPeriodEnds }
    AlarmPromQlCriteria as AlarmPromQLCriteria { #[required] Query, PendingPeriod, RecoveryPeriod }
    ActionConfiguration { AlarmTagsPropagation }
    // AlarmTagsPropagation: keys of tags.
    AlarmTagsPropagation { #[required] Enabled, IncludedTagKeys[], ExcludedTagKeys[] }
    // As in PutMetricAlarm.
    MetricAlarm {
        AlarmName, AlarmArn, AlarmDescription, AlarmConfigurationUpdatedTimestamp, ActionsEnabled,
        OKActions[] => ok_actions, AlarmActions[], InsufficientDataActions[], StateValue, StateReason,
        StateReasonData, StateUpdatedTimestamp, MetricName, Namespace, Statistic, ExtendedStatistic, Dimensions[Name],
        Period, Unit, EvaluationPeriods, DatapointsToAlarm, Threshold, ComparisonOperator, TreatMissingData,
        EvaluateLowSampleCountPercentile, Metrics[Id], ThresholdMetricId, EvaluationState, StateTransitionedTimestamp,
        EvaluationWindow, WarmUpConfiguration, EvaluationCriteria, EvaluationInterval, ActionConfiguration,
    }
}

unions! {
    EvaluationWindow { WallClockWindow => WallClockWindow(WallClockWindow), SlidingWindow => SlidingWindow(SlidingWindow) }
    EvaluationCriteria { PromQLCriteria => PromQlCriteria(AlarmPromQlCriteria) }
}

enums! {
    Statistic, StandardUnit, ComparisonOperator, StateValue, EvaluationState,
}
