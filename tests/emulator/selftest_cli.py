"""Self-test of the AWS CLI ($DRIFTLESS_EMULATOR_AWS): the changes that tests make from outside, as JSON, and what the
CLI then shows. Each call takes about a second."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from selftest_balancing import NOT_FOUND, balancer, group, hosts, listener, pairs, rule
from selftest_discovery import A_RECORD, namespace, service
from selftest_scaling import ALARM, CPU, STEP, of, register


def aws(namespace: str, operation: str, **members: Any) -> Any:
    """`aws NAMESPACE OPERATION --cli-input-json MEMBERS`, and its answer."""
    command = [os.environ["DRIFTLESS_EMULATOR_AWS"], namespace, operation, "--output", "json"]
    done = subprocess.run(
        [*command, "--cli-input-json", json.dumps(members)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else {}


def test_cli_changes_rules_and_their_order() -> None:
    arn = listener()["ListenerArn"]
    one, two = rule(arn, 1)["RuleArn"], rule(arn, 2)["RuleArn"]
    aws("elbv2", "modify-rule", RuleArn=one, Conditions=[hosts("cli.example.com")], Actions=[NOT_FOUND])
    swap = [{"RuleArn": one, "Priority": 2}, {"RuleArn": two, "Priority": 1}]
    aws("elbv2", "set-rule-priorities", RulePriorities=swap)
    shown = aws("elbv2", "describe-rules", RuleArns=[one])["Rules"][0]
    assert shown["Priority"] == "2" and shown["Conditions"][0]["Values"] == ["cli.example.com"]


def test_cli_changes_target_groups() -> None:
    arn = group()["TargetGroupArn"]
    aws("elbv2", "modify-target-group", TargetGroupArn=arn, HealthCheckPath="/cli", Matcher={"HttpCode": "204"})
    shown = aws("elbv2", "describe-target-groups", TargetGroupArns=[arn])["TargetGroups"][0]
    assert shown["HealthCheckPath"] == "/cli" and shown["Matcher"] == {"HttpCode": "204"}
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "7"}]
    aws("elbv2", "modify-target-group-attributes", TargetGroupArn=arn, Attributes=attributes)
    described = aws("elbv2", "describe-target-group-attributes", TargetGroupArn=arn)["Attributes"]
    assert pairs(described)["deregistration_delay.timeout_seconds"] == "7"


def test_cli_changes_listeners_and_load_balancers() -> None:
    lb = balancer()
    arn = listener(lb)["ListenerArn"]
    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Port": "8443"}}
    aws("elbv2", "modify-listener", ListenerArn=arn, DefaultActions=[redirect])
    shown = aws("elbv2", "describe-listeners", ListenerArns=[arn])["Listeners"][0]
    assert shown["DefaultActions"][0]["RedirectConfig"]["Port"] == "8443"
    attributes = [{"Key": "routing.http.response.server.enabled", "Value": "false"}]
    aws("elbv2", "modify-listener-attributes", ListenerArn=arn, Attributes=attributes)
    described = aws("elbv2", "describe-listener-attributes", ListenerArn=arn)["Attributes"]
    assert pairs(described)["routing.http.response.server.enabled"] == "false"
    attributes = [{"Key": "idle_timeout.timeout_seconds", "Value": "99"}]
    aws("elbv2", "modify-load-balancer-attributes", LoadBalancerArn=lb, Attributes=attributes)
    described = aws("elbv2", "describe-load-balancer-attributes", LoadBalancerArn=lb)["Attributes"]
    assert pairs(described)["idle_timeout.timeout_seconds"] == "99"


def test_cli_changes_scaling() -> None:
    register("cli-scale")
    aws("application-autoscaling", "register-scalable-target", **of("cli-scale"), MaxCapacity=9)
    request = {"ServiceNamespace": "ecs", "ResourceIds": [of("cli-scale")["ResourceId"]]}
    shown = aws("application-autoscaling", "describe-scalable-targets", **request)["ScalableTargets"][0]
    assert (shown["MinCapacity"], shown["MaxCapacity"]) == (0, 9)
    policy = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
    policy["TargetTrackingScalingPolicyConfiguration"] = CPU
    aws("application-autoscaling", "put-scaling-policy", **of("cli-scale"), **policy)
    policy = {"PolicyName": "out", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEP}
    aws("application-autoscaling", "put-scaling-policy", **of("cli-scale"), **policy)
    shown = aws("application-autoscaling", "describe-scaling-policies", **of("cli-scale"))["ScalingPolicies"]
    assert {each["PolicyName"]: len(each["Alarms"]) for each in shown} == {"cpu": 2, "out": 0}
    action = {"Schedule": "rate(1 day)", "ScalableTargetAction": {"MaxCapacity": 1}}
    start = "2030-01-01T00:00:00Z"
    put = ("application-autoscaling", "put-scheduled-action")
    aws(*put, **of("cli-scale"), ScheduledActionName="night", StartTime=start, **action)
    shown = aws("application-autoscaling", "describe-scheduled-actions", **of("cli-scale"))["ScheduledActions"][0]
    assert shown["ScalableTargetAction"] == {"MaxCapacity": 1} and shown["StartTime"] == 1893456000


def test_cli_changes_alarms() -> None:
    names = {"AlarmNames": ["cli-alarm"]}
    aws("cloudwatch", "put-metric-alarm", AlarmName="cli-alarm", **{**ALARM, "Threshold": 70.5})
    assert aws("cloudwatch", "describe-alarms", **names)["MetricAlarms"][0]["Threshold"] == 70.5
    aws("cloudwatch", "delete-alarms", **names)
    assert aws("cloudwatch", "describe-alarms", **names)["MetricAlarms"] == []


def test_cli_changes_cloud_map_services() -> None:
    made = service("cli", namespace("cli.test"))
    change = {"Description": "cli", "DnsConfig": {"DnsRecords": [{**A_RECORD["DnsRecords"][0], "TTL": 77}]}}
    aws("servicediscovery", "update-service", Id=made["Id"], Service=change)
    shown = aws("servicediscovery", "get-service", Id=made["Id"])["Service"]
    assert shown["Description"] == "cli" and shown["DnsConfig"]["DnsRecords"][0]["TTL"] == 77


def test_cli_changes_log_groups() -> None:
    aws("logs", "create-log-group", logGroupName="/cli/group")
    aws("logs", "put-retention-policy", logGroupName="/cli/group", retentionInDays=14)
    shown = aws("logs", "describe-log-groups", logGroupNamePrefix="/cli/")["logGroups"]
    assert [each["retentionInDays"] for each in shown] == [14]
    aws("logs", "delete-log-group", logGroupName="/cli/group")
    assert aws("logs", "describe-log-groups", logGroupNamePrefix="/cli/")["logGroups"] == []
