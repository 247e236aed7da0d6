"""Self-test of what moves: rollouts, tasks, and the services other than ECS."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

import boto3
from selftest_support import (
    ACCOUNT,
    CLUSTER,
    CONFIG,
    NETWORK,
    REGION,
    attached_target_group,
    cbor,
    create,
    ec2,
    ecs,
    elbv2,
    ledger,
    read,
    refused,
    register,
    rollout,
    wait_for,
)

# Rollouts and tasks


def test_rollout_registers_targets_and_completes() -> None:
    group = attached_target_group("roll")
    balancer = {"targetGroupArn": group, "containerName": "web", "containerPort": 8080}
    first = create("roll", desiredCount=1, loadBalancers=[balancer])["taskDefinition"]
    assert rollout("roll") == (first, "IN_PROGRESS")
    wait_for(lambda: rollout("roll") == (first, "COMPLETED"))
    assert len(elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]) == 1
    second = register("roll", "2-slow-0.5")
    ecs.update_service(cluster=CLUSTER, service="roll", taskDefinition=second)
    deployments = {each["status"]: each for each in read("roll")["deployments"]}
    assert deployments["PRIMARY"]["taskDefinition"] == second and deployments["ACTIVE"]["taskDefinition"] == first
    wait_for(lambda: rollout("roll") == (second, "COMPLETED"))
    wait_for(lambda: len(elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]) == 1)
    assert any("steady state" in event["message"] for event in read("roll")["events"])


def test_circuit_breaker_rolls_back_a_crash_loop() -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    good = create("crash", desiredCount=1, deploymentConfiguration=breaker)["taskDefinition"]
    wait_for(lambda: rollout("crash") == (good, "COMPLETED"))
    bad = register("crash", "crash-0.2")
    ecs.update_service(cluster=CLUSTER, service="crash", taskDefinition=bad)
    wait_for(lambda: rollout("crash") == (good, "COMPLETED"))
    failed = [each for each in read("crash")["deployments"] if each["rolloutState"] == "FAILED"]
    assert failed[0]["failedTasks"] >= 3 and "circuit breaker" in failed[0]["rolloutStateReason"]
    briefs = ecs.list_service_deployments(cluster=CLUSTER, service="crash")["serviceDeployments"]
    assert [each["status"] for each in briefs] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]


def test_every_deployment_leaves_a_service_deployment_and_a_revision() -> None:
    connect = {"enabled": True, "namespace": "local"}
    definition = create("history", serviceConnectConfiguration=connect)["taskDefinition"]
    arn = read("history")["currentServiceDeployment"]
    shown = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
    assert shown["status"] == "SUCCESSFUL", shown["status"]
    revision_arn = shown["targetServiceRevision"]["arn"]
    revision = ecs.describe_service_revisions(serviceRevisionArns=[revision_arn])["serviceRevisions"][0]
    assert revision["taskDefinition"] == definition and revision["platformVersion"] == "1.4.0"
    assert revision["serviceConnectConfiguration"]["namespace"] == "local"
    ecs.update_service(cluster=CLUSTER, service="history", forceNewDeployment=True)
    briefs = ecs.list_service_deployments(cluster=CLUSTER, service="history")["serviceDeployments"]
    assert len(briefs) == 2 and briefs[1]["serviceDeploymentArn"] == arn


def test_a_killed_container_is_replaced() -> None:
    create("kill", desiredCount=1)

    def running() -> list[str]:
        return list(ecs.list_tasks(cluster=CLUSTER, serviceName="kill", desiredStatus="RUNNING")["taskArns"])

    wait_for(lambda: read("kill")["runningCount"] == 1)
    before = running()
    task = ecs.describe_tasks(cluster=CLUSTER, tasks=before)["tasks"][0]
    url = f"{os.environ['DRIFTLESS_EMULATOR_DOCKER']}/control/exit?container={task['containers'][0]['runtimeId']}"
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).close()
    wait_for(lambda: running() and running() != before and read("kill")["runningCount"] == 1)


def test_run_task_is_idempotent_by_token_and_reports_the_exit_code() -> None:
    request: dict[str, Any] = {"cluster": CLUSTER, "taskDefinition": register("job", "job-0.3"), "clientToken": "t"}
    request.update(launchType="FARGATE", networkConfiguration=NETWORK)
    first, again = (ecs.run_task(**request)["tasks"][0]["taskArn"] for _ in range(2))
    assert first == again
    refused("ConflictException", ecs.run_task, **{**request, "count": 2})
    done = wait_for(
        lambda: [t for t in ecs.describe_tasks(cluster=CLUSTER, tasks=[first])["tasks"] if t["lastStatus"] == "STOPPED"]
    )
    assert done[0]["containers"][0]["exitCode"] == 0


def test_secrets_come_from_secrets_manager_and_a_missing_one_stops_the_task() -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="selftest", SecretString='{"k": "v"}')["ARN"]
    create(
        "secret",
        desiredCount=1,
        taskDefinition=register("secret", container={"secrets": [{"name": "A", "valueFrom": f"{secret}:k::"}]}),
    )
    wait_for(lambda: read("secret")["runningCount"] == 1)
    arn = register("nosecret", container={"secrets": [{"name": "A", "valueFrom": "/selftest/absent"}]})
    task = ecs.run_task(cluster=CLUSTER, taskDefinition=arn, launchType="FARGATE", networkConfiguration=NETWORK)
    task_arn = task["tasks"][0]["taskArn"]
    reason = wait_for(lambda: ecs.describe_tasks(cluster=CLUSTER, tasks=[task_arn])["tasks"][0].get("stoppedReason"))
    assert "ResourceInitializationError" in reason


def test_a_version_of_a_secret_was_made_once() -> None:
    secrets = boto3.client("secretsmanager")
    arn = secrets.create_secret(Name="selftest-versions", SecretString="a")["ARN"]
    made = secrets.list_secret_version_ids(SecretId=arn)["Versions"]
    time.sleep(1.1)
    secrets.put_secret_value(SecretId=arn, SecretString="b")
    versions = secrets.list_secret_version_ids(SecretId=arn)["Versions"]
    assert [version["CreatedDate"] for version in versions if "AWSPREVIOUS" in version["VersionStages"]] == [
        made[0]["CreatedDate"]
    ]
    refused("ResourceNotFoundException", secrets.list_secret_version_ids, SecretId="selftest-absent")


def test_a_task_runs_the_digest_that_ecr_shows() -> None:
    ecr = boto3.client("ecr")
    ecr.create_repository(repositoryName="selftest")
    manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
    ecr.put_image(repositoryName="selftest", imageTag="1", imageManifest=json.dumps(manifest))
    images = ecr.describe_images(repositoryName="selftest", imageIds=[{"imageTag": "1"}])
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/selftest:1"
    create("digest", desiredCount=1, taskDefinition=register("digest", container={"image": image}))
    wait_for(lambda: read("digest")["runningCount"] == 1)
    tasks = ecs.list_tasks(cluster=CLUSTER, serviceName="digest")["taskArns"]
    shown = ecs.describe_tasks(cluster=CLUSTER, tasks=tasks)["tasks"][0]["containers"][0]["imageDigest"]
    assert shown == images["imageDetails"][0]["imageDigest"]


# Everything else


def test_scalable_target_of_an_ecs_service() -> None:
    scaling = boto3.client("application-autoscaling", config=CONFIG)
    dimension = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(**dimension, ResourceId=f"service/{CLUSTER}/roll", MinCapacity=1, MaxCapacity=2)
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[f"service/{CLUSTER}/roll"])
    assert found["ScalableTargets"][0]["MaxCapacity"] == 2


def test_cloudwatch_answers_cbor() -> None:
    alarm = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60}
    alarm |= {"AlarmName": "selftest", "EvaluationPeriods": 3, "Threshold": 60.0}
    cbor("PutMetricAlarm", {**alarm, "ComparisonOperator": "GreaterThanOrEqualToThreshold"})
    found = cbor("DescribeAlarms", {"AlarmNames": ["selftest"]})["MetricAlarms"][0]
    assert found["Threshold"] == 60.0 and found["EvaluationPeriods"] == 3
    assert ledger("PutMetricAlarm")[-1]["service"] == "monitoring"


def test_create_target_group_with_the_same_settings_returns_the_same_group() -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    request = {"Name": "same", "Protocol": "HTTP", "Port": 80, "VpcId": vpc, "TargetType": "ip"}
    arns = {elbv2.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"] for _ in range(2)}
    assert len(arns) == 1
    refused("DuplicateTargetGroupName", elbv2.create_target_group, **{**request, "Port": 81})


def test_the_ledger_holds_the_clients_requests_and_no_others() -> None:
    before = len(ledger("ListClusters"))
    ecs.list_clusters(maxResults=7)
    entries = ledger("ListClusters")
    assert len(entries) == before + 1
    assert entries[-1]["input"] == {"maxResults": 7} and entries[-1]["account"] == ACCOUNT
    assert ledger("CreateLoadBalancer")[-1]["service"] == "elasticloadbalancing"
    assert not ledger("RegisterTargets"), "the scheduler's own requests are in the ledger"
    assert not ledger("CreateVpc"), "prepare.py's requests are in the ledger"
