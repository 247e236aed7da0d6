"""CreateService, UpdateService, DeleteService, DescribeServices and ListServices as AWS answers them.

ministack runs the tasks and the rollouts; these wrap its handlers. A request is checked and filled in before
ministack sees it, what ministack would drop is stored beside its own record, and the answer is made from the whole.
"""

from __future__ import annotations

import copy
import os
import time
from typing import Any

import botocore.exceptions
import ecs_service_deployments
import ecs_service_fields as fields
import ecs_task_definitions
from ecs_common import (
    SERVICE_LOCK,
    AwsError,
    Document,
    call_original,
    client,
    invalid,
    page,
    require_cluster,
    without_empty,
)
from ministack.services import ecs

# A deleted service is DRAINING while its tasks stop; ministack has it INACTIVE within the call.
DRAINING_SECONDS = float(os.environ.get("DRIFTLESS_EMULATOR_DRAINING_SECONDS", "1"))
# How long a deployment that was rolled back is still answered, from the first answer that has it.
ROLLED_BACK_SECONDS = 5.0
DESCRIBE_LIMIT = 10

# Members of a request that ministack stores under another name, or that are no part of the service.
STORED_BY_MINISTACK = {"clientToken", "cluster", "desiredCount", "role", "service", "serviceName", "tags"} | {
    "forceNewDeployment",
    "capacityProviderStrategy",
    "taskDefinition",
}

_failed_first_seen: dict[str, float] = {}  # by deployment, on time.monotonic()'s clock


def create(request: Document) -> Document:
    with SERVICE_LOCK:
        cluster = require_cluster(request)
        existing = ecs._services.get(f"{cluster}/{request.get('serviceName')}")
        if existing and _status(existing) == "ACTIVE":
            # A client that repeats its own request, token and all, gets the service that it made.
            if request.get("clientToken") and existing.get("_created_by_request") == request:
                return {"service": view(existing, tags=True)}
            raise invalid("Creation of service was not idempotent.")
        if existing and _status(existing) == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")

        filled = fields.with_defaults(request)
        definition = _definition_to_run(filled)
        if definition:
            filled["taskDefinition"] = definition["taskDefinitionArn"]
            _refuse_mismatch(filled, definition)
        if existing:
            ecs._tags.pop(existing["serviceArn"], None)  # a new service of an old name has only its own tags
        call_original("CreateService", filled)

        service = ecs._services[f"{cluster}/{request['serviceName']}"]
        service["_created_by_request"] = copy.deepcopy(request)
        _keep(service, filled)
        _keep_on_primary(service, filled, previous=None)
        return {"service": view(service, tags=True)}


def update(request: Document) -> Document:
    with SERVICE_LOCK:
        cluster = require_cluster(request)
        service = _find(cluster, str(request.get("service") or ""))
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if _status(service) != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        # A member that is null is a member that is left out, so it stays as it is.
        asked = {key: copy.deepcopy(value) for key, value in request.items() if value is not None}
        _refuse_for_controller(service, asked)
        if asked.get("taskDefinition"):
            definition = ecs_task_definitions.find_active(asked["taskDefinition"])
            asked["taskDefinition"] = definition["taskDefinitionArn"]
        else:
            definition = ecs_task_definitions.find(service.get("taskDefinition") or "") or {}
        if definition:
            _refuse_mismatch({**service, **asked}, definition)
        fields.fill_nested(asked)
        if "deploymentConfiguration" in asked:
            asked["deploymentConfiguration"] = fields.merged_deployment_configuration(
                service["deploymentConfiguration"], asked["deploymentConfiguration"]
            )

        before = ecs._primary_deployment(service)
        if _starts_deployment(service, before or {}, asked):
            asked["forceNewDeployment"] = True
        call_original("UpdateService", asked)
        _keep(service, asked)
        _keep_on_primary(service, asked, previous=before)
        return {"service": view(service, tags=False)}


def delete(request: Document) -> Document:
    with SERVICE_LOCK:
        cluster = require_cluster(request)
        service = _find(cluster, str(request.get("service") or ""))
        if service is not None:
            previous = service.get("_inactive_at")
            service["_inactive_at"] = float("inf")  # no reader sees INACTIVE while the tasks are being stopped
            try:
                call_original("DeleteService", request)
            except AwsError:
                service["_inactive_at"] = previous
                raise
            service["_inactive_at"] = time.monotonic() + DRAINING_SECONDS
            return {"service": view(service, tags=False)}
        return call_original("DeleteService", request)  # answers ServiceNotFoundException


def describe(request: Document) -> Document:
    """DescribeServices: ten services at most, and tags only with include=TAGS."""
    cluster = require_cluster(request)
    names = request.get("services") or []
    if not names:
        raise invalid("Services cannot be empty.")
    if len(names) > DESCRIBE_LIMIT:
        raise invalid(f"Services cannot have more than {DESCRIBE_LIMIT} elements.")
    answer = call_original("DescribeServices", request)
    tags = "TAGS" in (request.get("include") or [])
    stored = (ecs._services.get(f"{cluster}/{service['serviceName']}") for service in answer["services"])
    answer["services"] = [view(service, tags=tags) for service in stored if service is not None]
    return answer


def list_arns(request: Document) -> Document:
    """ListServices: ten ARNs a page unless asked for more, a hundred at most. ministack returns all at once."""
    require_cluster(request)
    arns = call_original("ListServices", request)["serviceArns"]
    return page("ListServices", arns, request, "serviceArns", default=10)


def view(service: Document, *, tags: bool) -> Document:
    """A service as AWS returns it. (ministack keeps its internals under names that begin with `_`.)"""
    shown = without_empty(ecs._sanitize(copy.deepcopy(service)))
    shown["status"] = _status(service)
    shown.update(ecs_service_deployments.current(service))
    shown.pop("tags", None)
    if tags:
        shown["tags"] = copy.deepcopy(ecs._tags.get(service["serviceArn"], []))
    if not shown.get("networkConfiguration"):
        shown.pop("networkConfiguration", None)
    if "deployments" in shown:
        shown["deployments"] = [each for each in shown["deployments"] if not _rolled_back_long_ago(each)]
    for deployment in shown.get("deployments", []):
        deployment["rolloutStateReason"] = fields.rollout_reason(deployment)
    return shown


def _rolled_back_long_ago(deployment: Document) -> bool:
    """A deployment that was rolled back leaves DescribeServices once its tasks are gone. ministack keeps it for ever,
    beside every later one, so that a client which waits for a single deployment would wait for ever."""
    if deployment["status"] == "PRIMARY" or deployment.get("rolloutState") != "FAILED":
        return False
    seen = _failed_first_seen.setdefault(deployment["id"], time.monotonic())
    return time.monotonic() - seen > ROLLED_BACK_SECONDS


def _status(service: Document) -> str:
    inactive_at = service.get("_inactive_at")
    if service["status"] == "INACTIVE" and inactive_at and time.monotonic() < inactive_at:
        return "DRAINING"
    return str(service["status"])


def _find(cluster: str, reference: str) -> Document | None:
    resolved = ecs._resolve_service_ref(reference)
    if resolved is None or resolved[1] not in (None, cluster):
        return None
    service: Document | None = ecs._services.get(f"{cluster}/{resolved[0]}")
    return service


def _keep(service: Document, asked: Document) -> None:
    """Store what ministack drops: availabilityZoneRebalancing, placement, tag settings, and whatever AWS adds next."""
    for key, value in asked.items():
        if key not in STORED_BY_MINISTACK and key not in fields.DEPLOYMENT_FIELDS + fields.REVISION_FIELDS:
            service[key] = value


def _keep_on_primary(service: Document, asked: Document, previous: Document | None) -> None:
    """Service Connect, volumes and Lattice belong to the deployment; one that is left out carries on."""
    primary = ecs._primary_deployment(service)
    if primary is None:
        return
    for key in fields.DEPLOYMENT_FIELDS:
        if key in asked:
            primary[key] = asked[key]
        elif previous and key in previous:
            primary[key] = previous[key]
    revision = {key: asked[key] for key in fields.REVISION_FIELDS if key in asked}
    primary["_revision"] = {**((previous or {}).get("_revision") or {}), **revision}
    fields.decorate_deployment(primary, service)
    ecs_service_deployments.remember(service, primary)


def _starts_deployment(service: Document, primary: Document, asked: Document) -> bool:
    if service["deploymentController"].get("type", "ECS") != "ECS":
        return False
    changed = any(key in asked and asked[key] != service.get(key) for key in fields.DEPLOYING_FIELDS)
    return changed or any(key in asked and asked[key] != primary.get(key) for key in fields.DEPLOYMENT_FIELDS)


def _definition_to_run(request: Document) -> Document | None:
    reference = request.get("taskDefinition")
    if reference:
        return ecs_task_definitions.find_active(reference)
    if request["deploymentController"].get("type") == "EXTERNAL":
        return None  # its task sets name the definitions
    raise invalid("TaskDefinition can not be blank.")


def _refuse_for_controller(service: Document, asked: Document) -> None:
    """What UpdateService does not take for a DAEMON service or for one that CodeDeploy deploys."""
    if service.get("schedulingStrategy") == "DAEMON" and "desiredCount" in asked:
        raise invalid(
            "The daemon scheduling strategy does not support a desired count for services. "
            "Remove a desired count value and try again."
        )
    if service["deploymentController"].get("type") == "CODE_DEPLOY":
        refused = sorted(set(asked) - fields.CODE_DEPLOY_UPDATABLE)
        if refused:
            raise invalid(
                f"Unable to update {', '.join(refused)} on services with a CODE_DEPLOY deployment controller. "
                "Use AWS CodeDeploy to trigger a new deployment."
            )


def _refuse_mismatch(request: Document, definition: Document) -> None:
    """A service and its task definition have to fit: network mode, container, port, target group."""
    awsvpc = definition.get("networkMode") == "awsvpc"
    if awsvpc and not request.get("networkConfiguration"):
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not awsvpc and request.get("networkConfiguration"):
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    containers = {container["name"]: container for container in definition["containerDefinitions"]}
    for balancer in request.get("loadBalancers") or []:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        if name not in containers:
            raise invalid(f"The container {name} does not exist in the task definition.")
        if port not in {mapping.get("containerPort") for mapping in containers[name]["portMappings"]}:
            raise invalid(f"The container {name} did not have a container port {port} defined.")
        if balancer.get("targetGroupArn"):
            _refuse_unusable_target_group(balancer["targetGroupArn"])


def _refuse_unusable_target_group(arn: str) -> None:
    try:
        groups: list[dict[str, Any]] = client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    except botocore.exceptions.ClientError as error:
        if "TargetGroupNotFound" not in str(error):
            raise
        groups = []
    if not groups or not groups[0].get("LoadBalancerArns"):
        raise invalid(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
