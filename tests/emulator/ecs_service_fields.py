"""The fields of an ECS service: AWS's defaults, how UpdateService merges, and how a service looks when it is read.

Pure functions over the API's own documents; ecs_services.py keeps the state.
"""

from __future__ import annotations

import copy
from typing import Any

from ecs_common import Document, invalid
from ministack.core.responses import get_account_id

# Not on the service: AWS returns these with the PRIMARY deployment.
DEPLOYMENT_FIELDS = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")
# Nowhere but on the service revision.
REVISION_FIELDS = ("gatewayConnectors", "monitoring")
# A change of these starts a new deployment, as a change of the task definition does.
DEPLOYING_FIELDS = ("networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries")
# All that UpdateService takes for a service whose deployments are CodeDeploy's.
CODE_DEPLOY_UPDATABLE = {
    "cluster",
    "service",
    "deploymentConfiguration",
    "desiredCount",
    "enableECSManagedTags",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
}
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
FARGATE_PLATFORM = "1.4.0"  # what LATEST stands for
STRATEGY_BLOCKS = {
    "linearConfiguration": ("LINEAR", {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
    "canaryConfiguration": ("CANARY", {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}),
}


def runs_on_fargate(service: Document) -> bool:
    strategy = service.get("capacityProviderStrategy") or []
    providers = [item.get("capacityProvider") for item in strategy]
    return service.get("launchType") == "FARGATE" or any(name in FARGATE_PROVIDERS for name in providers)


def with_defaults(request: Document) -> Document:
    """A CreateService request with everything that AWS fills in where the client says nothing."""
    filled = copy.deepcopy(request)
    filled.setdefault("schedulingStrategy", "REPLICA")
    filled.setdefault("deploymentController", {"type": "ECS"})
    filled.setdefault("healthCheckGracePeriodSeconds", 0)
    filled.setdefault("enableECSManagedTags", False)
    filled.setdefault("enableExecuteCommand", False)
    filled.setdefault("propagateTags", "NONE")
    for key in ("loadBalancers", "placementConstraints", "placementStrategy", "serviceRegistries"):
        filled.setdefault(key, [])
    if runs_on_fargate(filled):
        filled.setdefault("platformVersion", "LATEST")
        filled.setdefault("platformFamily", "Linux")
    if filled["schedulingStrategy"] == "DAEMON":
        filled["desiredCount"] = 0  # ECS counts the container instances, and the emulator has none
    filled["deploymentConfiguration"] = merged_deployment_configuration(
        default_deployment_configuration(filled), filled.get("deploymentConfiguration") or {}
    )
    filled.setdefault("availabilityZoneRebalancing", "ENABLED" if _can_rebalance(filled) else "DISABLED")
    fill_nested(filled)
    if not filled.get("role") and (filled["loadBalancers"] or filled.get("networkConfiguration")):
        role = "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        filled["role"] = f"arn:aws:iam::{get_account_id()}:role/{role}"
    return filled


def fill_nested(request: Document) -> None:
    """Defaults inside blocks that are replaced whole, so that creating and updating fill them in alike."""
    awsvpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if awsvpc is not None:
        awsvpc.setdefault("assignPublicIp", "DISABLED")
        awsvpc.setdefault("securityGroups", [])
    for item in request.get("capacityProviderStrategy") or []:
        item.setdefault("base", 0)
        item.setdefault("weight", 0)
    connect = request.get("serviceConnectConfiguration") or {}
    for entry in connect.get("services") or []:
        entry.setdefault("discoveryName", entry.get("portName"))
        for alias in entry.get("clientAliases") or []:
            alias.setdefault("dnsName", f"{entry['discoveryName']}.{connect.get('namespace', '')}".rstrip("."))
    for volume in request.get("volumeConfigurations") or []:
        if "managedEBSVolume" in volume:
            volume["managedEBSVolume"].setdefault("filesystemType", "xfs")


def default_deployment_configuration(request: Document) -> Document:
    daemon = request.get("schedulingStrategy") == "DAEMON"
    configuration: Document = {
        "maximumPercent": 100 if daemon else 200,
        "minimumHealthyPercent": 0 if daemon else 100,
    }
    if request["deploymentController"].get("type", "ECS") == "ECS":
        configuration["deploymentCircuitBreaker"] = {"enable": False, "rollback": False}
        configuration["strategy"] = "ROLLING"
        configuration["bakeTimeInMinutes"] = 0
    return configuration


def merged_deployment_configuration(live: Document, asked: Document) -> Document:
    """UpdateService's merge: a member that is left out stays, with these exceptions.

    The circuit breaker's `enable` and `rollback` are replaced together (leaving out `rollback` turns it off), its
    newer members stay. The linear and canary blocks are replaced and filled with AWS's defaults, and exist only with
    their own strategy. The list of lifecycle hooks is replaced whole.
    """
    merged = copy.deepcopy({**live, **{key: value for key, value in asked.items() if value is not None}})
    if asked.get("deploymentCircuitBreaker"):
        breaker = asked["deploymentCircuitBreaker"]
        merged["deploymentCircuitBreaker"] = {
            **(live.get("deploymentCircuitBreaker") or {}),
            "enable": False,
            "rollback": False,
            **breaker,
        }
    for block, (strategy, defaults) in STRATEGY_BLOCKS.items():
        if merged.get("strategy") == strategy:
            merged[block] = {**defaults, **(merged.get(block) or {})}
        elif asked.get(block):
            raise invalid(f"{block} is only valid with the {strategy} deployment strategy.")
        else:
            merged.pop(block, None)
    for hook in merged.get("lifecycleHooks") or []:
        if not hook.get("lifecycleStages"):
            raise invalid("A lifecycle hook must have at least one lifecycle stage.")
    if merged.get("alarms") is not None:
        merged["alarms"] = {"alarmNames": [], "enable": False, "rollback": False, **merged["alarms"]}
    return merged


def decorate_deployment(deployment: Document, service: Document) -> None:
    """Members of a deployment that ministack leaves out: the resolved platform version and the network."""
    if runs_on_fargate(service):
        version = service.get("platformVersion") or "LATEST"
        deployment["platformVersion"] = FARGATE_PLATFORM if version == "LATEST" else version
        deployment["platformFamily"] = "Linux"
    if service.get("networkConfiguration"):
        deployment["networkConfiguration"] = service["networkConfiguration"]


def rollout_reason(deployment: Document) -> str:
    """AWS's words for where a rollout is; ministack's are its own, and clients show these to people."""
    identity, state = deployment["id"], deployment.get("rolloutState")
    if state == "COMPLETED":
        return f"ECS deployment {identity} completed."
    if state == "FAILED":
        return "ECS deployment circuit breaker: tasks failed to start."
    if "rollback" in str(deployment.get("rolloutStateReason", "")):
        return f"ECS deployment circuit breaker: rolling back to deploymentId {identity}."
    return f"ECS deployment {identity} in progress."


def _can_rebalance(request: Document) -> bool:
    """Where AWS turns Availability Zone rebalancing on by itself for a new service."""
    placement: list[dict[str, Any]] = request["placementStrategy"]
    spreads_over_zones = not placement or (
        placement[0].get("type") == "spread" and placement[0].get("field") == "attribute:ecs.availability-zone"
    )
    return (
        request["schedulingStrategy"] == "REPLICA"
        and request["deploymentController"].get("type", "ECS") == "ECS"
        and request["deploymentConfiguration"]["maximumPercent"] > 100
        and not any(balancer.get("loadBalancerName") for balancer in request["loadBalancers"])
        and spreads_over_zones
    )
