"""Service deployments and service revisions, read only: on AWS every deployment of a service leaves both behind.

ministack answers these operations with empty lists. Here they are made from the deployments that its scheduler keeps,
which are remembered after the scheduler has dropped them from the service.
"""

from __future__ import annotations

import copy
from typing import Any

from ecs_common import Document, invalid, require_cluster, without_empty
from ministack.services import ecs

DESCRIBE_LIMIT = 20
REVISION_OF_SERVICE = (
    "serviceArn",
    "clusterArn",
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "loadBalancers",
    "serviceRegistries",
    "networkConfiguration",
)
REVISION_OF_DEPLOYMENT = (
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "createdAt",
    "platformVersion",  # the resolved one
)


def remember(service: Document, deployment: Document) -> None:
    """Called whenever a deployment is PRIMARY: keep it, with a picture of the service as it is being deployed."""
    history = service.setdefault("_history", [])
    if any(known["deployment"]["id"] == deployment["id"] for known in history):
        return
    revision = {key: service[key] for key in REVISION_OF_SERVICE if key in service}
    revision.update({key: deployment[key] for key in REVISION_OF_DEPLOYMENT if key in deployment})
    revision.update(deployment.get("_revision") or {})
    revision["serviceRevisionArn"] = _arn("service-revision", service, deployment)
    history.insert(0, {"deployment": deployment, "revision": copy.deepcopy(without_empty(revision))})


def current(service: Document) -> Document:
    """The members of a service that point here."""
    history = service.get("_history") or []
    if not history:
        return {}
    members: Document = {"currentServiceDeployment": _arn("service-deployment", service, history[0]["deployment"])}
    live = {deployment["id"] for deployment in service["deployments"]}
    members["currentServiceRevisions"] = [
        {
            "arn": known["revision"]["serviceRevisionArn"],
            "requestedTaskCount": known["deployment"]["desiredCount"],
            "runningTaskCount": known["deployment"]["runningCount"],
            "pendingTaskCount": known["deployment"]["pendingCount"],
        }
        for known in history
        if known["deployment"]["id"] in live
    ]
    return members


def list_briefs(request: Document) -> Document:
    """ListServiceDeployments: the newest first, of one service, by status if asked."""
    cluster = require_cluster(request)
    name, _ = ecs._resolve_service_ref(str(request.get("service") or "")) or ("", None)
    service = ecs._services.get(f"{cluster}/{name}")
    statuses = request.get("status") or []
    members = ("serviceDeploymentArn", "serviceArn", "clusterArn", "createdAt", "startedAt", "finishedAt", "status")
    briefs = []
    for full in _deployments(service) if service else []:
        if not statuses or full["status"] in statuses:
            brief = {key: full[key] for key in members if key in full}
            briefs.append({**brief, "targetServiceRevisionArn": full["targetServiceRevision"]["arn"]})
    return {"serviceDeployments": briefs}


def describe(request: Document) -> Document:
    arns = _at_most_twenty(request, "serviceDeploymentArns")
    found = {full["serviceDeploymentArn"]: full for service in ecs._services.values() for full in _deployments(service)}
    return {
        "serviceDeployments": [found[arn] for arn in arns if arn in found],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in found],
    }


def describe_revisions(request: Document) -> Document:
    arns = _at_most_twenty(request, "serviceRevisionArns")
    histories = [service.get("_history") or [] for service in ecs._services.values()]
    revisions = [known["revision"] for history in histories for known in history]
    found = {revision["serviceRevisionArn"]: revision for revision in revisions}
    return {
        "serviceRevisions": [found[arn] for arn in arns if arn in found],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in found],
    }


def _at_most_twenty(request: Document, key: str) -> list[str]:
    arns: list[str] = request.get(key) or []
    if not 1 <= len(arns) <= DESCRIBE_LIMIT:
        raise invalid(f"{key} must have 1 to {DESCRIBE_LIMIT} elements.")
    return arns


def _deployments(service: Document) -> list[Document]:
    history = service.get("_history") or []
    return [_deployment(service, known, is_newest=known is history[0]) for known in history]


def _deployment(service: Document, known: Document, *, is_newest: bool) -> Document:
    deployment = known["deployment"]
    status = _status(service, deployment, is_newest)
    shown: Document = {
        "serviceDeploymentArn": _arn("service-deployment", service, deployment),
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": deployment["createdAt"],
        "startedAt": deployment["createdAt"],
        "updatedAt": deployment["updatedAt"],
        "status": status,
        "deploymentConfiguration": service["deploymentConfiguration"],
        "targetServiceRevision": {
            "arn": known["revision"]["serviceRevisionArn"],
            "requestedTaskCount": deployment["desiredCount"],
            "runningTaskCount": deployment["runningCount"],
            "pendingTaskCount": deployment["pendingCount"],
        },
    }
    if status not in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        shown["finishedAt"] = ecs._ts_to_epoch(deployment["updatedAt"])  # the one time ministack does not convert
    rollback_to = _primary_after_rollback(service, deployment)
    if rollback_to:
        target: dict[str, Any] = {"serviceRevisionArn": _arn("service-revision", service, rollback_to)}
        shown["rollback"] = {**target, "reason": "Service deployment rolled back because of circuit breaker."}
    return shown


def _status(service: Document, deployment: Document, is_newest: bool) -> str:
    """From the scheduler's state. ministack rolls back by making the old deployment PRIMARY again."""
    if deployment["rolloutState"] == "COMPLETED":
        return "SUCCESSFUL"
    if deployment["rolloutState"] == "IN_PROGRESS":
        if is_newest:
            return "IN_PROGRESS"
        # It is the one that is being rolled back to, and was successful; or a newer one has replaced it.
        return "SUCCESSFUL" if deployment["status"] == "PRIMARY" else "STOPPED"
    rollback_to = _primary_after_rollback(service, deployment)
    if rollback_to is None:
        return "STOPPED"
    return "ROLLBACK_SUCCESSFUL" if rollback_to["rolloutState"] == "COMPLETED" else "ROLLBACK_IN_PROGRESS"


def _primary_after_rollback(service: Document, failed: Document) -> Document | None:
    """The deployment that took the place of a failed one; None if it has not failed or nothing took its place."""
    primary: Document | None = ecs._primary_deployment(service)
    if failed["rolloutState"] != "FAILED" or primary is None or primary["id"] == failed["id"]:
        return None
    return primary


def _arn(kind: str, service: Document, deployment: Document) -> str:
    prefix, _, tail = service["serviceArn"].partition(":service/")
    return f"{prefix}:{kind}/{tail}/{deployment['id'].rsplit('/', 1)[-1]}"
