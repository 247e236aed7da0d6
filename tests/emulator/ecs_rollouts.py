"""Repairs inside ministack's scheduler: what a client sees of a rollout while it runs.

These replace functions that ministack calls itself, so they are bound to the version in requirements-ministack.txt.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import botocore.exceptions
import ecs_tasks
import ministack.services.alb as alb
from ecs_common import Document, client
from ministack.core.responses import new_uuid
from ministack.services import ecs

EXITED_CACHE_SECONDS = 0.2


def install() -> None:
    # ministack counts a rollout as done when its tasks have lived this long.
    ecs._ECS_DEPLOYMENT_STEADY_DELAY = float(os.environ.get("DRIFTLESS_EMULATOR_STEADY_SECONDS", "1"))
    alb.set_targets_for_group = _set_targets
    ecs._resolve_container_secrets = ecs_tasks.resolve_container_secrets
    _start_first_deployment_in_progress()
    _announce_completed_deployments()
    _count_failures_without_circuit_breaker()
    _ask_once_for_all_containers()


def _set_targets(group_arn: str, targets: list[tuple[str, int]], previous_ids: Any = ()) -> bool:
    """Register a service's tasks in the target groups of the ELBv2 emulator, and withdraw the ones that are gone."""
    current = {identity for identity, _ in targets}
    previous = set(previous_ids)
    gone = [{"Id": identity} for identity in sorted(previous - current)]
    new = [{"Id": identity, "Port": port} for identity, port in targets if identity not in previous]
    try:
        if gone:
            client("elbv2").deregister_targets(TargetGroupArn=group_arn, Targets=gone)
        if new:
            client("elbv2").register_targets(TargetGroupArn=group_arn, Targets=new)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        print(f"ecs_server: targets of {group_arn}: {error}", file=sys.stderr)
        return False
    return True


def _start_first_deployment_in_progress() -> None:
    """On AWS the first deployment of a service is IN_PROGRESS until its tasks are steady; ministack has it COMPLETED
    from the start, so a client that waits for it would not wait, and its circuit breaker could never act."""
    make = ecs._make_deployment

    def make_in_progress(*arguments: Any, **keywords: Any) -> Document:
        deployment: Document = make(*arguments, **keywords)
        deployment["rolloutState"] = "IN_PROGRESS"
        deployment["rolloutStateReason"] = ""
        return deployment

    ecs._make_deployment = make_in_progress


def _announce_completed_deployments() -> None:
    """AWS puts two events on a service whose rollout is done; clients and people look for them."""
    complete = ecs._complete_service_deployment

    def complete_and_announce(cluster: str, key: str, expected_deployment_id: str | None = None) -> None:
        primary = ecs._primary_deployment(ecs._services.get(key) or {})
        was_in_progress = bool(primary) and primary["rolloutState"] == "IN_PROGRESS"
        complete(cluster, key, expected_deployment_id)
        service = ecs._services.get(key)
        if service and was_in_progress and primary["rolloutState"] == "COMPLETED":
            name = service["serviceName"]
            for text in (f"(deployment {primary['id']}) deployment completed.", "has reached a steady state."):
                event = {"id": new_uuid(), "createdAt": ecs._iso(), "message": f"(service {name}) {text}"}
                service["events"].insert(0, event)

    ecs._complete_service_deployment = complete_and_announce


def _count_failures_without_circuit_breaker() -> None:
    """`failedTasks` counts on AWS whether or not the circuit breaker is on; ministack counts only with it."""
    record = ecs._record_service_task_failure

    def record_and_count(task: Document, digest_resolution_failed: bool = False) -> None:
        cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
        name = str(task.get("group", "")).removeprefix("service:")
        service = ecs._services.get(f"{cluster}/{name}")
        breaker = ((service or {}).get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
        if service and not breaker.get("enable") and not digest_resolution_failed:
            deployment = ecs._deployment_for_task(service, task)
            if deployment and deployment.get("rolloutState") == "IN_PROGRESS":
                deployment["failedTasks"] = int(deployment.get("failedTasks", 0)) + 1
        record(task, digest_resolution_failed)

    ecs._record_service_task_failure = record_and_count


def _ask_once_for_all_containers() -> None:
    """ministack inspects every container ten times a second. With a hundred services that is all that two cores do;
    so first ask the stand-in, once for all tasks, which containers have ended, and inspect only those."""
    inspect = ecs._maybe_mark_stopped
    exited = _ExitedContainers()

    def inspect_if_exited(task: Document, docker_client: Any = None) -> None:
        if exited.include_any(task.get("_docker_ids") or []):
            inspect(task, docker_client)

    ecs._maybe_mark_stopped = inspect_if_exited


class _ExitedContainers:
    """The ids of the containers that have ended, as of at most EXITED_CACHE_SECONDS ago."""

    def __init__(self) -> None:
        self._url = os.environ["DOCKER_HOST"].replace("tcp://", "http://", 1) + "/control/exited"
        self._lock = threading.Lock()
        self._ids: frozenset[str] = frozenset()
        self._read_at = 0.0

    def include_any(self, ids: list[str]) -> bool:
        with self._lock:
            if time.monotonic() - self._read_at > EXITED_CACHE_SECONDS:
                self._ids = self._read()
                self._read_at = time.monotonic()
            return not self._ids.isdisjoint(ids)

    def _read(self) -> frozenset[str]:
        try:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                return frozenset(json.load(answer)["exited"])
        except (urllib.error.URLError, OSError, ValueError):
            return self._ids
