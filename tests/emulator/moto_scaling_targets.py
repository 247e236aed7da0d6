"""Scalable targets and their tags as AWS answers them.

Source: the Application Auto Scaling API reference (RegisterScalableTarget, DeregisterScalableTarget,
DescribeScalableTargets, TagResource).
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.session
import moto.applicationautoscaling.models as models
import moto.applicationautoscaling.responses as responses
from ledger import INTERNAL_USER_AGENT
import moto_scaling_policies
import moto_scaling_schedules
from moto_repairs import LOCK, Document, install
from moto_scaling_common import answer, backend_of, described_by, one_page, refused, request_of, target_key, target_of

MOST_TAGS = 50
SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
ECS_SECONDS = 10  # how long one request to the ECS emulator may take to connect, and to be answered


def repair() -> None:
    models.ApplicationAutoscalingBackend._ecs_service_exists_for_target = lambda self, r_id: True  # type: ignore
    install(responses.ApplicationAutoScalingResponse, [register_scalable_target], locked=False)
    install(
        responses.ApplicationAutoScalingResponse,
        [deregister_scalable_target, describe_scalable_targets],
    )
    install(
        responses.ApplicationAutoScalingResponse,
        [tag_resource, untag_resource, list_tags_for_resource],
        new=True,
    )


def register_scalable_target(self: Any) -> str:
    """Makes or changes a target. A new one needs both capacities; of one that is there, what is left out stays. Tags
    count only for a new one. A service whose count is outside the range is moved into it. The ECS emulator is asked
    without holding the lock, so the two servers can never wait for one another."""
    self._validate_params()
    asked = request_of(self)
    count = _desired_count(asked["ResourceId"], self.region) if asked["ServiceNamespace"] == "ecs" else None
    with LOCK:
        backend = backend_of(self)
        existing = target_of(backend, asked)
        lowest = asked.get("MinCapacity", existing.min_capacity if existing else None)
        highest = asked.get("MaxCapacity", existing.max_capacity if existing else None)
        if lowest is None or highest is None:
            raise refused("When registering a scalable target, MinCapacity and MaxCapacity must be specified")
        if lowest > highest:
            raise refused("Maximum capacity cannot be less than minimum capacity")
        suspended = dict.fromkeys(SUSPENDED, False)
        suspended.update(existing.suspended_state if existing else {})
        suspended.update(asked.get("SuspendedState", {}))
        target = backend.register_scalable_target(
            asked["ServiceNamespace"],
            asked["ResourceId"],
            asked["ScalableDimension"],
            min_capacity=lowest,
            max_capacity=highest,
            role_arn=asked.get("RoleARN"),
            suspended_state=suspended,
        )
        target.role_arn = _service_linked_role(asked["ServiceNamespace"], backend.account_id)
        if existing is None:
            target.tags = dict(asked.get("Tags", {}))
    if count is not None and not lowest <= count <= highest:
        _move_into_range(asked["ResourceId"], self.region, min(max(count, lowest), highest))
    return json.dumps({"ScalableTargetARN": target.arn})


def _service_linked_role(namespace: str, account: str) -> str:
    """ECS has a role of its own for this; whatever RoleARN says, AWS uses that one."""
    name = {"ecs": "ECSService", "dynamodb": "DynamoDBTable"}.get(namespace, namespace.capitalize())
    service = f"{namespace}.application-autoscaling.amazonaws.com"
    role = f"aws-service-role/{service}/AWSServiceRoleForApplicationAutoScaling_{name}"
    return f"arn:aws:iam::{account}:role/{role}"


def _desired_count(resource: str, region: str) -> int | None:
    """The count of a service that the ECS emulator has (None where `run` named no such emulator)."""
    if not os.environ.get("DRIFTLESS_EMULATOR_ECS"):
        return None
    try:
        _, cluster, name = resource.split("/")
        services = _ecs(region).describe_services(cluster=cluster, services=[name])["services"]
    except (ValueError, botocore.exceptions.ClientError):
        services = []
    except botocore.exceptions.BotoCoreError as error:
        failed = refused(f"ECS does not answer: {error}", "InternalServiceException")
        failed.code = 500
        raise failed from None
    active = [service for service in services if service["status"] == "ACTIVE"]
    if not active:
        raise refused(f"ECS service doesn't exist: {resource}")
    return int(active[0]["desiredCount"])


def _move_into_range(resource: str, region: str, count: int) -> None:
    """The scaling activity of its own that AWS starts; a failing one does not fail RegisterScalableTarget."""
    _, cluster, name = resource.split("/")
    try:
        _ecs(region).update_service(cluster=cluster, service=name, desiredCount=count)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        pass


@functools.cache
def _ecs(region: str) -> Any:
    return botocore.session.get_session().create_client(
        "ecs",
        region_name=region,
        endpoint_url=os.environ["DRIFTLESS_EMULATOR_ECS"],
        aws_access_key_id=os.environ.get("MOTO_ACCOUNT_ID", "123456789012"),
        aws_secret_access_key="test",
        config=botocore.config.Config(
            user_agent_extra=INTERNAL_USER_AGENT,
            connect_timeout=ECS_SECONDS,
            read_timeout=ECS_SECONDS,
            retries={"max_attempts": 0},
        ),
    )


def deregister_scalable_target(self: Any) -> str:
    """Deletes the target's policies, with the alarms of their own, and its scheduled actions."""
    self._validate_params()
    asked = request_of(self)
    backend = backend_of(self)
    if target_of(backend, asked) is None:
        namespace, resource, dimension = target_key(asked)
        raise refused(
            f"No scalable target found for service namespace: {namespace}, resource ID: {resource}, "
            f"scalable dimension: {dimension}",
            "ObjectNotFoundException",
        )
    moto_scaling_policies.remove_all(backend, asked)
    moto_scaling_schedules.remove_all(backend, asked)
    backend.deregister_scalable_target(*target_key(asked))
    return json.dumps({})


def describe_scalable_targets(self: Any) -> str:
    self._validate_params()
    asked = request_of(self)
    resources = asked.get("ResourceIds") or []
    targets = [
        shown
        for target in backend_of(self)._flatten_scalable_targets(asked["ServiceNamespace"])
        if described_by(asked, shown := _shown_target(target)) and (not resources or shown["ResourceId"] in resources)
    ]
    found, token = one_page(targets, asked, 50)
    return answer("ScalableTargets", found, token)


def _shown_target(target: Any) -> Document:
    return {
        "ServiceNamespace": target.service_namespace,
        "ResourceId": target.resource_id,
        "ScalableDimension": target.scalable_dimension,
        "MinCapacity": target.min_capacity,
        "MaxCapacity": target.max_capacity,
        "RoleARN": target.role_arn,
        "CreationTime": target.creation_time,
        "SuspendedState": target.suspended_state,
        "ScalableTargetARN": target.arn,
    }


def tag_resource(self: Any) -> str:
    """Adds the tags to those that the target has; fifty at most."""
    asked = request_of(self)
    target = _tagged(self, asked)
    tags = {**target.tags, **asked.get("Tags", {})}
    if len(tags) > MOST_TAGS:
        raise refused(f"The resource cannot have more than {MOST_TAGS} tags", "TooManyTagsException")
    target.tags = tags
    return json.dumps({})


def untag_resource(self: Any) -> str:
    asked = request_of(self)
    target = _tagged(self, asked)
    target.tags = {key: value for key, value in target.tags.items() if key not in asked.get("TagKeys", [])}
    return json.dumps({})


def list_tags_for_resource(self: Any) -> str:
    return json.dumps({"Tags": _tagged(self, request_of(self)).tags})


def _tagged(self: Any, asked: Document) -> Any:
    for targets in backend_of(self).targets.values():
        for target in targets.values():
            if target.arn == asked["ResourceARN"]:
                return target
    raise refused(f"The resource {asked['ResourceARN']} was not found", "ResourceNotFoundException")
