"""Clients and helpers of the self-test."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable

import boto3
import cbor2
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"max_attempts": 0})
ACCOUNT = os.environ["AWS_ACCESS_KEY_ID"]
REGION = os.environ["AWS_REGION"]
CLUSTER = "selftest"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-selftest"]}}

ecs = boto3.client("ecs", config=CONFIG)
elbv2 = boto3.client("elbv2", config=CONFIG)
ec2 = boto3.client("ec2", config=CONFIG)


def refused(code: str, call: Callable[..., Any], **request: Any) -> str:
    """The message of the error that the call has to answer with."""
    try:
        call(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, f"{error.response['Error']} instead of {code}"
        return str(error.response["Error"]["Message"])
    raise AssertionError(f"accepted instead of {code}")


def register(family: str, tag: str = "1", **changes: Any) -> str:
    container = {"name": "web", "image": f"example.com/{family}:{tag}", "portMappings": [{"containerPort": 8080}]}
    container.update(changes.pop("container", {}))
    request = {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
        **changes,
    }
    return str(ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"])


def create(name: str, **changes: Any) -> dict[str, Any]:
    request = {
        "cluster": CLUSTER,
        "serviceName": name,
        "taskDefinition": changes.pop("taskDefinition", None) or register(name),
        "desiredCount": 0,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        **changes,
    }
    return dict(ecs.create_service(**request)["service"])


def read(name: str, *include: str) -> dict[str, Any]:
    services = ecs.describe_services(cluster=CLUSTER, services=[name], include=list(include))["services"]
    return dict(services[0])


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing after {seconds:.0f} s")


def rollout(name: str) -> tuple[str, str]:
    primary = next(each for each in read(name)["deployments"] if each["status"] == "PRIMARY")
    return str(primary["taskDefinition"]), str(primary["rolloutState"])


def attached_target_group(name: str) -> str:
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    vpc = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    group = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
    arn = str(group["TargetGroups"][0]["TargetGroupArn"])
    balancer = elbv2.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    action = {"Type": "forward", "TargetGroupArn": arn}
    elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[action])
    return arn


def ledger(operation: str) -> list[dict[str, Any]]:
    lines = Path(os.environ["DRIFTLESS_EMULATOR_LEDGER"]).read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["operation"] == operation]


def cbor(operation: str, members: dict[str, Any]) -> Any:
    """CloudWatch as the Rust SDK speaks to it; boto3 prefers JSON."""
    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/service/GraniteServiceVersion20100801/operation/{operation}",
        data=cbor2.dumps(members),
        headers={
            "Content-Type": "application/cbor",
            "smithy-protocol": "rpc-v2-cbor",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/monitoring/aws4_request",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
        assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
        return cbor2.loads(body) if body else {}
