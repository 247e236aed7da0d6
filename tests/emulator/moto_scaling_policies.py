"""Scaling policies, and the alarms that belong to them, as AWS answers them.

Source: the Application Auto Scaling API reference (PutScalingPolicy, DescribeScalingPolicies, DeleteScalingPolicy) and
its guide on target tracking. A policy is kept as the request has it, so that no member gets lost; moto knows neither
predictive policies nor any metric but CPU and memory.
"""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import moto.applicationautoscaling.responses as responses
import moto_alarms
from moto.cloudwatch.models import cloudwatch_backends
from moto.moto_api._internal import mock_random
from moto_repairs import Document, install
from moto_scaling_common import (
    answer,
    backend_of,
    described_by,
    one_page,
    refused,
    request_of,
    require_target,
    target_key,
)

CONFIGURATIONS = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}
MOST_STEPS = 20
PREDEFINED_METRICS = {
    "ECSServiceAverageCPUUtilization": ("AWS/ECS", "CPUUtilization"),
    "ECSServiceAverageMemoryUtilization": ("AWS/ECS", "MemoryUtilization"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget"),
}
# How AWS watches a tracked metric: above the target for 3 minutes, or 10 % below it for 15.
TRACKING_ALARMS = (("High", "GreaterThanThreshold", 3, 1.0), ("Low", "LessThanThreshold", 15, 0.9))


def repair() -> None:
    install(
        responses.ApplicationAutoScalingResponse,
        [put_scaling_policy, describe_scaling_policies, delete_scaling_policy],
    )


def put_scaling_policy(self: Any) -> str:
    """Makes a policy or replaces its whole configuration; name and target identify it, and its ARN stays. Target
    tracking makes two alarms of its own, which keep their names when the policy changes."""
    asked = request_of(self)
    backend = backend_of(self)
    require_target(backend, asked)
    key = (*target_key(asked), asked["PolicyName"])
    previous = backend.policies.get(key)
    kind = asked.get("PolicyType") or (previous or {}).get("PolicyType")
    if kind not in CONFIGURATIONS:
        raise refused(f"Policy type must be one of {', '.join(CONFIGURATIONS)}")
    configuration = copy.deepcopy(asked.get(CONFIGURATIONS[kind]))
    if not configuration or any(name in asked for other, name in CONFIGURATIONS.items() if other != kind):
        raise refused(f"{CONFIGURATIONS[kind]} and no other configuration must be specified for {kind}")
    if kind == "StepScaling":
        _fill_step_scaling(configuration)
    elif kind == "TargetTrackingScaling":
        _fill_target_tracking(configuration)
    policy: Document = {
        "PolicyARN": _arn(backend, asked),
        "PolicyName": asked["PolicyName"],
        **dict(zip(("ServiceNamespace", "ResourceId", "ScalableDimension"), target_key(asked))),
        "CreationTime": time.time(),
        **{name: previous[name] for name in ("PolicyARN", "CreationTime") if previous},
        "PolicyType": kind,
        CONFIGURATIONS[kind]: configuration,
        "_alarms": (previous or {}).get("_alarms", {}),
    }
    _put_tracking_alarms(backend, policy)
    backend.policies[key] = policy
    return json.dumps({"PolicyARN": policy["PolicyARN"], "Alarms": _alarms_of(backend, policy)})


def _arn(backend: Any, asked: Document) -> str:
    identity = f"scalingPolicy:{mock_random.uuid4()}:resource/{asked['ServiceNamespace']}/{asked['ResourceId']}"
    return f"arn:aws:autoscaling:{backend.region_name}:{backend.account_id}:{identity}:policyName/{asked['PolicyName']}"


def _fill_step_scaling(configuration: Document) -> None:
    """Bounds are relative to the alarm's threshold, fractional, and must not overlap; a bound that is left out is
    infinite."""
    configuration.setdefault("MetricAggregationType", "Average")
    steps = configuration.get("StepAdjustments") or []
    if not steps or len(steps) > MOST_STEPS:
        raise refused(f"There must be between 1 and {MOST_STEPS} step adjustments")
    ranges = []
    for step in steps:
        for bound in ("MetricIntervalLowerBound", "MetricIntervalUpperBound"):
            if bound in step:
                step[bound] = float(step[bound])
        lower = step.get("MetricIntervalLowerBound", float("-inf"))
        ranges.append((lower, step.get("MetricIntervalUpperBound", float("inf"))))
    ranges.sort()
    for (_, upper), (lower, _) in zip(ranges, ranges[1:]):
        if upper != lower:
            raise refused("StepAdjustment intervals can't overlap or have a gap between them")
    if any(lower >= upper for lower, upper in ranges):
        raise refused("The lower bound of a step adjustment must be below its upper bound")


def _fill_target_tracking(configuration: Document) -> None:
    configuration["TargetValue"] = float(configuration["TargetValue"])
    configuration.setdefault("DisableScaleIn", False)
    predefined = configuration.get("PredefinedMetricSpecification")
    if bool(predefined) == bool(configuration.get("CustomizedMetricSpecification")):
        raise refused("Exactly one of predefined and customized metric specification must be specified")
    kind = (predefined or {}).get("PredefinedMetricType")
    if (kind == "ALBRequestCountPerTarget") != bool((predefined or {}).get("ResourceLabel")):
        raise refused("Resource label is needed for ALBRequestCountPerTarget, and only for it")
    for each in (configuration.get("CustomizedMetricSpecification") or {}).get("Metrics", []):
        each.setdefault("ReturnData", True)


def _put_tracking_alarms(backend: Any, policy: Document) -> None:
    """The two alarms of a target tracking policy, one with DisableScaleIn; any other policy has none."""
    cloudwatch = cloudwatch_backends[backend.account_id][backend.region_name]
    configuration = policy.get(CONFIGURATIONS["TargetTrackingScaling"]) or {}
    wanted = TRACKING_ALARMS if configuration else ()
    if configuration.get("DisableScaleIn"):
        wanted = TRACKING_ALARMS[:1]
    names = {
        side: policy["_alarms"].get(side) or f"TargetTracking-{policy['ResourceId']}-Alarm{side}-{mock_random.uuid4()}"
        for side, *_ in wanted
    }
    moto_alarms.remove(cloudwatch, [name for side, name in policy["_alarms"].items() if side not in names])
    for side, comparison, periods, factor in wanted:
        alarm = {
            "AlarmName": names[side],
            "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
            "AlarmActions": [f"{policy['PolicyARN']}:createdBy/{mock_random.uuid4()}"],
            "ComparisonOperator": comparison,
            "EvaluationPeriods": periods,
            "Threshold": configuration["TargetValue"] * factor,
            **_tracked_metric(policy, configuration),
        }
        moto_alarms.put_alarm(cloudwatch, alarm)
    policy["_alarms"] = names


def _tracked_metric(policy: Document, configuration: Document) -> Document:
    custom = configuration.get("CustomizedMetricSpecification")
    if custom and custom.get("Metrics"):
        return {"Metrics": copy.deepcopy(custom["Metrics"])}
    if custom:
        members = ("Namespace", "MetricName", "Dimensions", "Unit", "Statistic")
        return {"Period": 60, **{key: copy.deepcopy(custom[key]) for key in members if key in custom}}
    predefined = configuration["PredefinedMetricSpecification"]
    namespace, metric = PREDEFINED_METRICS.get(predefined["PredefinedMetricType"], ("AWS/ECS", "CPUUtilization"))
    statistic = "Average"
    if namespace == "AWS/ECS":
        _, cluster, service = policy["ResourceId"].split("/")
        dimensions = [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}]
    else:
        statistic = "Sum"
        balancer, _, group = predefined["ResourceLabel"].partition("/targetgroup/")
        dimensions = [
            {"Name": "LoadBalancer", "Value": balancer},
            {"Name": "TargetGroup", "Value": f"targetgroup/{group}"},
        ]
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Statistic": statistic,
        "Period": 60,
        "Dimensions": dimensions,
    }


def _alarms_of(backend: Any, policy: Document) -> list[Document]:
    """The alarms whose actions name the policy: its own ones, or those that the caller made for a step policy."""
    alarms = cloudwatch_backends[backend.account_id][backend.region_name].alarms.values()
    found = [
        {"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn}
        for alarm in alarms
        if any((action + ":").startswith(policy["PolicyARN"] + ":") for action in alarm.alarm_actions)
    ]
    return sorted(found, key=lambda each: str(each["AlarmName"]))


def describe_scaling_policies(self: Any) -> str:
    """Ten a page, which is also the most."""
    asked = request_of(self)
    backend = backend_of(self)
    names = asked.get("PolicyNames") or []
    policies = [
        {**{key: value for key, value in policy.items() if key != "_alarms"}, "Alarms": _alarms_of(backend, policy)}
        for policy in backend.policies.values()
        if described_by(asked, policy) and (not names or policy["PolicyName"] in names)
    ]
    found, token = one_page(policies, asked, 10)
    return answer("ScalingPolicies", found, token)


def delete_scaling_policy(self: Any) -> str:
    """Takes the alarms of target tracking with it; those of a step policy are the caller's."""
    asked = request_of(self)
    backend = backend_of(self)
    policy = backend.policies.pop((*target_key(asked), asked["PolicyName"]), None)
    if policy is None:
        namespace, resource, dimension = target_key(asked)
        raise refused(
            f"No scaling policy found for service namespace: {namespace}, resource ID: {resource}, "
            f"scalable dimension: {dimension}, policy name: {asked['PolicyName']}",
            "ObjectNotFoundException",
        )
    _remove_alarms(backend, policy)
    return json.dumps({})


def remove_all(backend: Any, asked: Document) -> None:
    """The policies of a target that is deregistered."""
    for key in [key for key in backend.policies if key[:3] == target_key(asked)]:
        _remove_alarms(backend, backend.policies.pop(key))


def _remove_alarms(backend: Any, policy: Document) -> None:
    cloudwatch = cloudwatch_backends[backend.account_id][backend.region_name]
    moto_alarms.remove(cloudwatch, list(policy["_alarms"].values()))
