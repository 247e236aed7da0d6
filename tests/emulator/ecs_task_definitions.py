"""Task definitions as AWS keeps them: refused, filled in, and returned in another order than they were sent."""

from __future__ import annotations

import copy
import re
from typing import Any

from ecs_common import AwsError, Document, call_original, page, shuffled_by_name, without_empty
from ministack.services import ecs

ALWAYS_RETURNED_LISTS = ("environment", "mountPoints", "portMappings", "systemControls", "volumesFrom")
HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}
NOT_A_MEMBER = ("tags",)  # of the request, but not of the stored definition

# Fargate's CPU units, each with the memory it may have in MiB (the developer guide's table of task sizes).
GIB = 1024
FARGATE_SIZES: dict[int, set[int]] = {
    256: {512, 1 * GIB, 2 * GIB},
    512: {n * GIB for n in range(1, 5)},
    1024: {n * GIB for n in range(2, 9)},
    2048: {n * GIB for n in range(4, 17)},
    4096: {n * GIB for n in range(8, 31)},
    8192: {n * GIB for n in range(16, 61, 4)},
    16384: {n * GIB for n in range(32, 121, 8)},
}


def client_error(message: str) -> AwsError:
    return AwsError("ClientException", message)


def register(request: Document) -> Document:
    """RegisterTaskDefinition: refuses what AWS refuses, fills in what AWS fills in, keeps what ministack drops."""
    request = copy.deepcopy(request)
    for unit in ("cpu", "memory"):
        if request.get(unit):
            request[unit] = _units(unit, str(request[unit]))
    _refuse_invalid(request)
    for container in request.get("containerDefinitions") or []:
        _fill_container(container, request.get("networkMode"))
    for volume in request.get("volumes") or []:
        if set(volume) <= {"name", "configuredAtLaunch"} and not volume.get("configuredAtLaunch"):
            volume["host"] = {}  # AWS says so of a volume without a configuration

    registered = call_original("RegisterTaskDefinition", request)["taskDefinition"]
    stored = ecs._task_defs[f"{registered['family']}:{registered['revision']}"]
    for key, value in request.items():
        if key not in stored and key not in NOT_A_MEMBER:
            stored[key] = value  # enableFaultInjection, and whatever AWS adds next
    stored["requiresAttributes"] = _required_attributes(stored)
    answer: Document = {"taskDefinition": view(stored)}
    if request.get("tags"):
        answer["tags"] = request["tags"]
    return answer


def describe(request: Document) -> Document:
    """DescribeTaskDefinition: a family alone is its newest ACTIVE revision; tags come only with include=TAGS."""
    definition = find(str(request.get("taskDefinition") or ""))
    if definition is None:
        raise client_error("Unable to describe task definition.")
    answer: Document = {"taskDefinition": view(definition)}
    if "TAGS" in (request.get("include") or []):
        answer["tags"] = ecs._tags.get(definition["taskDefinitionArn"], [])
    return answer


def deregister(request: Document) -> Document:
    call_original("DeregisterTaskDefinition", request)
    return {"taskDefinition": view(ecs._task_defs[ecs._resolve_td_key(request["taskDefinition"])])}


def list_arns(request: Document) -> Document:
    """ListTaskDefinitions: pages of 100; `familyPrefix` is the whole family name in spite of what it is called;
    sorted by family and by revision as a number. ministack takes a prefix and sorts by time of registration."""
    family, status = request.get("familyPrefix"), request.get("status") or "ACTIVE"
    chosen = [
        definition
        for definition in ecs._task_defs.values()
        if definition["status"] == status and (not family or definition["family"] == family)
    ]
    chosen.sort(key=lambda definition: (definition["family"], definition["revision"]))
    if request.get("sort") == "DESC":
        chosen.reverse()
    arns = [definition["taskDefinitionArn"] for definition in chosen]
    return page("ListTaskDefinitions", arns, request, "taskDefinitionArns", default=100)


def find(reference: str) -> Document | None:
    """A definition by `family`, `family:revision` or ARN, in any status if a revision is named."""
    key = ecs._resolve_td_key(reference)
    if not key:
        return None
    if ":" in reference.rsplit("/", 1)[-1]:
        found: Document | None = ecs._task_defs.get(key)
        return found
    family = key.split(":", 1)[0]
    revisions = [d for d in ecs._task_defs.values() if d["family"] == family and d["status"] == "ACTIVE"]
    return max(revisions, key=lambda definition: definition["revision"], default=None)


def find_active(reference: str) -> Document:
    """The definition that a service or a task is to run. AWS refuses one that is missing or INACTIVE."""
    definition = find(reference)
    if definition is None:
        raise client_error("TaskDefinition not found.")
    if definition["status"] != "ACTIVE":
        raise client_error("TaskDefinition is inactive")
    return definition


def view(definition: Document) -> Document:
    """A stored definition as AWS returns it. AWS keeps containers, environment and secrets as sets: non-essential
    containers were seen to come first, and variables in the order of a hash. Order must not matter to a client."""
    shown = without_empty(ecs._sanitize(copy.deepcopy(definition)))
    containers = shuffled_by_name(shown["containerDefinitions"])
    containers.sort(key=lambda container: bool(container.get("essential", True)))
    for container in containers:
        for key in ("environment", "secrets"):
            if key in container:
                container[key] = shuffled_by_name(container[key])
    shown["containerDefinitions"] = containers
    return shown


def _fill_container(container: Document, network_mode: str | None) -> None:
    container.setdefault("cpu", 0)
    container.setdefault("essential", True)
    for key in ALWAYS_RETURNED_LISTS:
        if container.get(key) is None:
            container[key] = []
    for mapping in container["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if "containerPort" in mapping:
            same_port = network_mode in ("awsvpc", "host")
            mapping.setdefault("hostPort", mapping["containerPort"] if same_port else 0)
    if container.get("healthCheck"):
        container["healthCheck"] = {**HEALTH_CHECK_DEFAULTS, **container["healthCheck"]}


def _refuse_invalid(request: Document) -> None:
    volumes = {volume.get("name") for volume in request.get("volumes") or []}
    for container in request.get("containerDefinitions") or []:
        for mount in container.get("mountPoints") or []:
            if mount.get("sourceVolume") not in volumes:
                raise client_error(f"Unknown volume '{mount.get('sourceVolume')}'.")
        for mapping in container.get("portMappings") or []:
            if request.get("networkMode") == "awsvpc" and mapping.get("hostPort", 0) not in (
                0,
                mapping.get("containerPort"),
            ):
                raise client_error(
                    "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
                )
    if "FARGATE" not in (request.get("requiresCompatibilities") or []):
        return
    if request.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode 'awsvpc'.")
    if not request.get("cpu") or not request.get("memory"):
        raise client_error("Fargate requires that 'cpu' and 'memory' be defined at the task level.")
    cpu, memory = request["cpu"], request["memory"]
    if not (cpu.isdigit() and memory.isdigit() and int(memory) in FARGATE_SIZES.get(int(cpu), set())):
        raise client_error(f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory.")


def _units(unit: str, text: str) -> str:
    """`0.25 vCPU` is stored as 256 and `1 GB` as 1024, both as texts; plain numbers stay."""
    suffix = "vcpu" if unit == "cpu" else "gb"
    match = re.fullmatch(rf"([\d.]+)\s*{suffix}", text.strip(), re.IGNORECASE)
    return str(int(float(match.group(1)) * 1024)) if match else text


def _required_attributes(definition: Document) -> list[dict[str, Any]]:
    """A few of the attributes that AWS derives: output that a client must leave alone."""
    names = ["com.amazonaws.ecs.capability.docker-remote-api.1.18"]
    if definition.get("taskRoleArn"):
        names.append("com.amazonaws.ecs.capability.task-iam-role")
    if definition.get("networkMode") == "awsvpc":
        names.append("ecs.capability.task-eni")
    return [{"name": name} for name in names]
