"""Self-test of Application Auto Scaling and of CloudWatch alarms."""

from __future__ import annotations

import datetime
from typing import Any, Callable

import boto3
from selftest_support import ACCOUNT, CLUSTER, CONFIG, REGION, cbor, create, ledger, read, refused

scaling = boto3.client("application-autoscaling", config=CONFIG)
cloudwatch = boto3.client("cloudwatch", config=CONFIG)

STEP: dict[str, Any] = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
}
CPU: dict[str, Any] = {
    "TargetValue": 60,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}
ALARM: dict[str, Any] = {
    "Namespace": "AWS/ECS",
    "MetricName": "CPUUtilization",
    "Statistic": "Average",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 60.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


def of(name: str) -> dict[str, str]:
    dimension = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
    return {**dimension, "ResourceId": f"service/{CLUSTER}/{name}"}


def register(name: str, **changes: Any) -> str:
    """Make the service, register it, and return the ARN of the target."""
    create(name)
    request = {**of(name), "MinCapacity": 0, "MaxCapacity": 2, **changes}
    return str(scaling.register_scalable_target(**request)["ScalableTargetARN"])


def target(name: str) -> dict[str, Any]:
    request = {"ServiceNamespace": "ecs", "ResourceIds": [of(name)["ResourceId"]]}
    return dict(scaling.describe_scalable_targets(**request)["ScalableTargets"][0])


def policy(name: str, policy_name: str) -> dict[str, Any]:
    found = scaling.describe_scaling_policies(**of(name), PolicyNames=[policy_name])["ScalingPolicies"]
    return dict(found[0])


def put_step(name: str, policy_name: str, **changes: Any) -> dict[str, Any]:
    request = {"PolicyName": policy_name, "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEP}
    return dict(scaling.put_scaling_policy(**of(name), **{**request, **changes}))


def put_tracking(name: str, policy_name: str, **configuration: Any) -> dict[str, Any]:
    request = {"PolicyName": policy_name, "PolicyType": "TargetTrackingScaling"}
    return dict(
        scaling.put_scaling_policy(
            **of(name), **request, TargetTrackingScalingPolicyConfiguration={**CPU, **configuration}
        )
    )


def alarms(*names: str) -> list[dict[str, Any]]:
    return list(cloudwatch.describe_alarms(AlarmNames=list(names))["MetricAlarms"])


def paged(call: Callable[..., Any], key: str, size: int, **request: Any) -> list[Any]:
    collected: list[Any] = []
    token: dict[str, str] = {}
    while True:
        answer = call(**request, **token)
        assert len(answer[key]) <= size
        collected += answer[key]
        if not answer.get("NextToken"):
            return collected
        token = {"NextToken": answer["NextToken"]}


# Scalable targets


def test_a_target_of_a_service_that_does_not_exist_is_refused() -> None:
    request = {**of("absent"), "MinCapacity": 1, "MaxCapacity": 2}
    message = refused("ValidationException", scaling.register_scalable_target, **request)
    assert message == f"ECS service doesn't exist: service/{CLUSTER}/absent"
    request["ResourceId"] = "service/absent/absent"
    refused("ValidationException", scaling.register_scalable_target, **request)


def test_registering_again_leaves_what_is_left_out() -> None:
    arn = register("scale-merge", SuspendedState={"DynamicScalingInSuspended": True}, Tags={"a": "1"})
    first = target("scale-merge")
    assert first["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ECSService")
    suspended = {"DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}
    assert first["SuspendedState"] == {"DynamicScalingInSuspended": True, **suspended}
    again = scaling.register_scalable_target(**of("scale-merge"), MaxCapacity=5, Tags={"a": "2"})
    assert again["ScalableTargetARN"] == arn and target("scale-merge") == {**first, "MaxCapacity": 5}
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "1"}, "tags count only at creation"
    refused("ValidationException", scaling.register_scalable_target, **of("scale-merge"), MaxCapacity=-1)
    create("scale-half")
    refused("ValidationException", scaling.register_scalable_target, **of("scale-half"), MinCapacity=1)


def test_registering_moves_the_count_into_the_range() -> None:
    register("scale-move", MinCapacity=1)
    assert read("scale-move")["desiredCount"] == 1
    scaling.register_scalable_target(**of("scale-move"), MinCapacity=0, MaxCapacity=0)
    assert read("scale-move")["desiredCount"] == 0
    assert not [each for each in ledger("UpdateService") if each["input"].get("service") == "scale-move"]


def test_tags_of_scalable_targets() -> None:
    arn = register("scale-tags")
    scaling.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    refused("ResourceNotFoundException", scaling.list_tags_for_resource, ResourceARN=arn + "0")


def test_deregistering_deletes_policies_their_alarms_and_scheduled_actions() -> None:
    register("scale-gone")
    own = [each["AlarmName"] for each in put_tracking("scale-gone", "cpu")["Alarms"]]
    arn = put_step("scale-gone", "out")["PolicyARN"]
    cloudwatch.put_metric_alarm(AlarmName="scale-gone-out", AlarmActions=[arn], **ALARM)
    action = {"ScheduledActionName": "night", "Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 0}}
    scaling.put_scheduled_action(**of("scale-gone"), **action)
    assert len(alarms(*own)) == 2
    scaling.deregister_scalable_target(**of("scale-gone"))
    assert not scaling.describe_scaling_policies(**of("scale-gone"))["ScalingPolicies"]
    assert not scaling.describe_scheduled_actions(**of("scale-gone"))["ScheduledActions"]
    assert not alarms(*own) and alarms("scale-gone-out"), "the alarm of a step policy is its maker's"
    refused("ObjectNotFoundException", scaling.deregister_scalable_target, **of("scale-gone"))
    refused("ObjectNotFoundException", put_step, name="scale-gone", policy_name="out")
    refused("ObjectNotFoundException", scaling.put_scheduled_action, **of("scale-gone"), **action)
    refused("ObjectNotFoundException", scaling.delete_scaling_policy, **of("scale-gone"), PolicyName="out")


def test_targets_policies_and_scheduled_actions_are_paged_and_filtered() -> None:
    for name in ("scale-page-1", "scale-page-2", "scale-page-3"):
        register(name)
    register("scale-page-4")
    for number in range(12):
        put_step("scale-page-1", f"policy-{number}")
        action = {"ScalableTargetAction": {"MinCapacity": 0}, "Schedule": "rate(1 day)"}
        scaling.put_scheduled_action(**of("scale-page-1"), ScheduledActionName=f"action-{11 - number:02}", **action)
    put_step("scale-page-2", "other")
    whole = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    some = paged(scaling.describe_scalable_targets, "ScalableTargets", 1, ServiceNamespace="ecs", MaxResults=1)
    assert some == whole and len(whole) >= 4
    policies = paged(scaling.describe_scaling_policies, "ScalingPolicies", 10, **of("scale-page-1"))
    assert {each["PolicyName"] for each in policies} == {f"policy-{number}" for number in range(12)}
    found = paged(scaling.describe_scheduled_actions, "ScheduledActions", 5, **of("scale-page-1"), MaxResults=5)
    assert [each["ScheduledActionName"] for each in found] == [f"action-{number:02}" for number in range(12)]
    refused("InvalidNextTokenException", scaling.describe_scaling_policies, ServiceNamespace="ecs", NextToken="x")
    refused("ValidationException", scaling.describe_scaling_policies, ServiceNamespace="ecs", MaxResults=11)


# Policies


def test_a_step_policy_is_replaced_whole_and_lists_the_alarms_that_name_it() -> None:
    register("scale-step")
    first = put_step("scale-step", "out", StepScalingPolicyConfiguration={**STEP, "Cooldown": 60})
    shown = policy("scale-step", "out")
    assert shown["StepScalingPolicyConfiguration"] == {**STEP, "Cooldown": 60, "MetricAggregationType": "Average"}
    assert shown["Alarms"] == []
    cloudwatch.put_metric_alarm(AlarmName="scale-step-out", AlarmActions=[first["PolicyARN"]], **ALARM)
    second = put_step("scale-step", "out")
    assert second["PolicyARN"] == first["PolicyARN"]
    assert [each["AlarmName"] for each in second["Alarms"]] == ["scale-step-out"]
    shown = policy("scale-step", "out")
    assert "Cooldown" not in shown["StepScalingPolicyConfiguration"]
    assert [each["AlarmName"] for each in shown["Alarms"]] == ["scale-step-out"]
    below = {"MetricIntervalUpperBound": 0, "ScalingAdjustment": 1}
    above = {"MetricIntervalLowerBound": 5, "ScalingAdjustment": 2}
    wrong = {**STEP, "StepAdjustments": [below, above]}
    refused(
        "ValidationException", put_step, name="scale-step", policy_name="x", StepScalingPolicyConfiguration=wrong
    )


def test_target_tracking_makes_and_owns_two_alarms() -> None:
    register("scale-track")
    made = put_tracking("scale-track", "cpu", ScaleInCooldown=300)
    high, low = (each["AlarmName"] for each in made["Alarms"])
    assert high.startswith(f"TargetTracking-service/{CLUSTER}/scale-track-AlarmHigh-")
    assert low.startswith(f"TargetTracking-service/{CLUSTER}/scale-track-AlarmLow-")
    assert alarms(high)[0]["Threshold"] == 60.0 and alarms(high)[0]["MetricName"] == "CPUUtilization"
    assert alarms(high)[0]["AlarmActions"][0].startswith(made["PolicyARN"])
    changed = put_tracking("scale-track", "cpu", TargetValue=70)
    assert changed == {**changed, "PolicyARN": made["PolicyARN"], "Alarms": made["Alarms"]}
    shown = policy("scale-track", "cpu")
    assert shown["TargetTrackingScalingPolicyConfiguration"] == {**CPU, "TargetValue": 70.0, "DisableScaleIn": False}
    assert shown["Alarms"] == made["Alarms"] and alarms(high)[0]["Threshold"] == 70.0
    put_tracking("scale-track", "cpu", DisableScaleIn=True)
    assert alarms(high) and not alarms(low)
    scaling.delete_scaling_policy(**of("scale-track"), PolicyName="cpu")
    assert not alarms(high)
    specification = {"PredefinedMetricType": "ALBRequestCountPerTarget"}
    refused(
        "ValidationException",
        put_tracking,
        name="scale-track",
        policy_name="requests",
        PredefinedMetricSpecification=specification,
    )
    label = "app/lb/0123456789abcdef/targetgroup/group/0123456789abcdef"
    put_tracking("scale-track", "requests", PredefinedMetricSpecification={**specification, "ResourceLabel": label})
    watched = alarms(policy("scale-track", "requests")["Alarms"][0]["AlarmName"])[0]
    assert watched["MetricName"] == "RequestCountPerTarget"


def test_customized_and_predictive_policies_keep_all_members() -> None:
    register("scale-custom")
    metric = {"Namespace": "App", "MetricName": "Queue", "Dimensions": [{"Name": "Queue", "Value": "jobs"}]}
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": metric, "Stat": "Sum", "Unit": "Count"}, "ReturnData": False},
        {"Id": "e1", "Expression": "m1 / 2", "Label": "half", "ReturnData": True},
    ]
    request = {"PolicyName": "math", "PolicyType": "TargetTrackingScaling"}
    custom = {"TargetValue": 5.5, "CustomizedMetricSpecification": {"Metrics": queries}, "DisableScaleIn": True}
    scaling.put_scaling_policy(**of("scale-custom"), **request, TargetTrackingScalingPolicyConfiguration=custom)
    shown = policy("scale-custom", "math")
    assert shown["TargetTrackingScalingPolicyConfiguration"] == custom, shown
    assert len(shown["Alarms"]) == 1
    pair = {"PredefinedMetricPairSpecification": {"PredefinedMetricType": "ECSServiceCPUUtilization"}}
    predictive = {"MetricSpecifications": [{"TargetValue": 60.0, **pair}], "Mode": "ForecastOnly"}
    predictive |= {"SchedulingBufferTime": 60, "MaxCapacityBreachBehavior": "HonorMaxCapacity"}
    request = {"PolicyName": "forecast", "PolicyType": "PredictiveScaling"}
    scaling.put_scaling_policy(**of("scale-custom"), **request, PredictiveScalingPolicyConfiguration=predictive)
    shown = policy("scale-custom", "forecast")
    assert shown["PredictiveScalingPolicyConfiguration"] == predictive and shown["Alarms"] == []


# Scheduled actions


def test_put_scheduled_action_deletes_start_and_end_and_leaves_the_rest() -> None:
    register("scale-night")
    start = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    whole = {
        "Schedule": "cron(0 20 * * ? *)",
        "Timezone": "Europe/Paris",
        "StartTime": start,
        "EndTime": start + datetime.timedelta(days=1),
        "ScalableTargetAction": {"MinCapacity": 0},
    }
    request = {**of("scale-night"), "ScheduledActionName": "night"}

    def shown() -> dict[str, Any]:
        return dict(scaling.describe_scheduled_actions(**of("scale-night"))["ScheduledActions"][0])

    scaling.put_scheduled_action(**request, **whole)
    assert {key: shown()[key] for key in whole} == whole
    scaling.put_scheduled_action(**request, Schedule="cron(0 21 * * ? *)")
    after = shown()
    assert "StartTime" not in after and "EndTime" not in after
    assert after["Timezone"] == "Europe/Paris" and after["ScalableTargetAction"] == {"MinCapacity": 0}
    refused("ValidationException", scaling.put_scheduled_action, **request, Schedule="every night")
    scaling.delete_scheduled_action(**request)
    refused("ObjectNotFoundException", scaling.delete_scheduled_action, **request)


# Alarms


def test_put_metric_alarm_overwrites_everything_but_tags_and_state() -> None:
    whole = {**ALARM, "AlarmDescription": "text", "DatapointsToAlarm": 2, "TreatMissingData": "breaching"}
    whole["Dimensions"] = [{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "s"}]
    cloudwatch.put_metric_alarm(AlarmName="alarm-whole", **whole, Tags=[{"Key": "a", "Value": "1"}])
    shown = alarms("alarm-whole")[0]
    assert {key: shown[key] for key in whole} == whole and shown["StateValue"] == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="alarm-whole", StateValue="OK", StateReason="test")
    cloudwatch.put_metric_alarm(AlarmName="alarm-whole", **ALARM, Tags=[{"Key": "a", "Value": "2"}])
    shown = alarms("alarm-whole")[0]
    assert "AlarmDescription" not in shown and shown["Dimensions"] == [] and shown["StateValue"] == "OK"
    assert shown["ActionsEnabled"] is True and shown["DatapointsToAlarm"] == 3
    assert shown["AlarmActions"] == shown["OKActions"] == shown["InsufficientDataActions"] == []
    arn = shown["AlarmArn"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "3"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
    cloudwatch.delete_alarms(AlarmNames=["alarm-whole", "alarm-absent"])
    assert not alarms("alarm-whole")
    refused("ResourceNotFoundException", cloudwatch.list_tags_for_resource, ResourceARN=arn)
    refused("ResourceNotFoundException", cloudwatch.untag_resource, ResourceARN=arn, TagKeys=["b"])
    cloudwatch.put_metric_alarm(AlarmName="alarm-whole", **ALARM)
    assert not cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]


def test_alarms_keep_metrics_percentiles_and_thresholds() -> None:
    metric = {"Namespace": "App", "MetricName": "Queue", "Dimensions": [{"Name": "Queue", "Value": "jobs"}]}
    stat = {"Metric": metric, "Period": 60, "Stat": "p95", "Unit": "Count"}
    queries = [
        {"Id": "m1", "MetricStat": stat, "ReturnData": False, "AccountId": ACCOUNT},
        {"Id": "e1", "Expression": "m1 * 2", "Label": "twice", "Period": 60},
    ]
    comparison = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}
    cloudwatch.put_metric_alarm(AlarmName="alarm-math", Metrics=queries, Threshold=1.5, **comparison)
    shown = alarms("alarm-math")[0]
    assert shown["Metrics"] == [queries[0], {**queries[1], "ReturnData": True}], shown["Metrics"]
    percentile = {key: value for key, value in ALARM.items() if key != "Statistic"}
    percentile |= {"ExtendedStatistic": "tm99.5", "EvaluateLowSampleCountPercentile": "ignore", "Unit": "Percent"}
    cloudwatch.put_metric_alarm(AlarmName="alarm-percentile", **percentile)
    shown = alarms("alarm-percentile")[0]
    assert {key: shown[key] for key in percentile} == percentile
    band = [queries[0], {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}]
    request = {"Metrics": band, "ThresholdMetricId": "ad1", "EvaluationPeriods": 1}
    operator = "LessThanLowerOrGreaterThanUpperThreshold"
    cloudwatch.put_metric_alarm(AlarmName="alarm-band", **request, ComparisonOperator=operator)
    assert alarms("alarm-band")[0]["ThresholdMetricId"] == "ad1"
    refused("InvalidParameterCombination", cloudwatch.put_metric_alarm, AlarmName="x", **ALARM, Metrics=queries)
    refused("ValidationError", cloudwatch.put_metric_alarm, AlarmName="x", **{**ALARM, "DatapointsToAlarm": 4})


def test_describe_alarms_takes_a_hundred_names_and_pages() -> None:
    for number in range(3):
        cloudwatch.put_metric_alarm(AlarmName=f"alarm-page-{number}", **ALARM)
    refused("ValidationError", cloudwatch.describe_alarms, AlarmNames=[f"a{number}" for number in range(101)])
    request = {"AlarmNamePrefix": "alarm-page-", "MaxRecords": 2}
    found = paged(cloudwatch.describe_alarms, "MetricAlarms", 2, **request)
    assert [each["AlarmName"] for each in found] == [f"alarm-page-{number}" for number in range(3)]


def test_alarms_are_the_same_over_cbor() -> None:
    stat = {"Metric": {"Namespace": "App", "MetricName": "Queue"}, "Period": 60, "Stat": "Sum"}
    request = {"AlarmName": "alarm-cbor", "Metrics": [{"Id": "m1", "MetricStat": stat}], "Threshold": 1.0}
    request |= {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 2, "DatapointsToAlarm": 1}
    cbor("PutMetricAlarm", {**request, "Tags": [{"Key": "a", "Value": "1"}]})
    shown = cbor("DescribeAlarms", {"AlarmNames": ["alarm-cbor"]})["MetricAlarms"][0]
    assert shown["Metrics"][0]["MetricStat"] == stat and shown["Metrics"][0]["ReturnData"] is True
    assert shown["DatapointsToAlarm"] == 1 and isinstance(shown["StateUpdatedTimestamp"], datetime.datetime)
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:alarm-cbor"
    assert shown["AlarmArn"] == arn
    assert cbor("ListTagsForResource", {"ResourceARN": arn})["Tags"] == [{"Key": "a", "Value": "1"}]
    cbor("TagResource", {"ResourceARN": arn, "Tags": [{"Key": "b", "Value": "2"}]})
    cbor("UntagResource", {"ResourceARN": arn, "TagKeys": ["a"]})
    assert cbor("ListTagsForResource", {"ResourceARN": arn})["Tags"] == [{"Key": "b", "Value": "2"}]
    cbor("DeleteAlarms", {"AlarmNames": ["alarm-cbor"]})
    assert cbor("DescribeAlarms", {"AlarmNames": ["alarm-cbor"]})["MetricAlarms"] == []
