"""What the self-tests of load balancing make: each call a thing of its own."""

from __future__ import annotations

import itertools
from typing import Any

import boto3
from selftest_support import ec2, elbv2

NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
UNKNOWN_GROUP = "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/absent/0123456789abcdef"
_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    return f"{prefix}-{next(_numbers)}"


def vpc() -> str:
    return str(ec2.describe_subnets()["Subnets"][0]["VpcId"])


def group(**changes: Any) -> dict[str, Any]:
    request = {"Name": unique("group"), "Protocol": "HTTP", "Port": 80, "VpcId": vpc(), "TargetType": "ip", **changes}
    request = {key: value for key, value in request.items() if value is not None}
    return dict(elbv2.create_target_group(**request)["TargetGroups"][0])


def balancer(kind: str = "application") -> str:
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    made = elbv2.create_load_balancer(Name=unique("balancer"), Subnets=subnets, Type=kind)["LoadBalancers"][0]
    return str(made["LoadBalancerArn"])


def listener(arn: str = "", **changes: Any) -> dict[str, Any]:
    request = {"Protocol": "HTTP", "Port": 80, "DefaultActions": [NOT_FOUND], **changes}
    return dict(elbv2.create_listener(LoadBalancerArn=arn or balancer(), **request)["Listeners"][0])


def certificate() -> str:
    return str(boto3.client("acm").request_certificate(DomainName=unique("host") + ".invalid")["CertificateArn"])


def rule(listener_arn: str, priority: int, **changes: Any) -> dict[str, Any]:
    request = {"Conditions": [hosts(f"host-{priority}.example.com")], "Actions": [NOT_FOUND], **changes}
    return dict(elbv2.create_rule(ListenerArn=listener_arn, Priority=priority, **request)["Rules"][0])


def hosts(*names: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(names)}}


def shown(arn: str) -> dict[str, Any]:
    return dict(elbv2.describe_rules(RuleArns=[arn])["Rules"][0])


def pairs(attributes: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in attributes}
