"""Scheduled actions as AWS answers them.

Source: the Application Auto Scaling API reference (PutScheduledAction, DescribeScheduledActions,
DeleteScheduledAction).
"""

from __future__ import annotations

import json
import re
from typing import Any

import moto.applicationautoscaling.responses as responses
from moto_repairs import Document, install
from moto_scaling_common import (
    answer,
    backend_of,
    described_by,
    one_page,
    refused,
    request_of,
    require_target,
    target_key,
)

SCHEDULE = re.compile(
    r"^(at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)|rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\))$"
)


def repair() -> None:
    install(
        responses.ApplicationAutoScalingResponse,
        [put_scheduled_action, describe_scheduled_actions, delete_scheduled_action],
    )


def put_scheduled_action(self: Any) -> str:
    """Of an action that is there, what is left out stays, except that StartTime and EndTime are deleted."""
    asked = request_of(self)
    backend = backend_of(self)
    require_target(backend, asked)
    previous = _find(backend, asked)
    if previous is None and not ("Schedule" in asked and asked.get("ScalableTargetAction")):
        raise refused("Schedule and ScalableTargetAction must be specified for a new scheduled action")
    if "Schedule" in asked and not SCHEDULE.match(asked["Schedule"].strip()):
        raise refused(f"Schedule expression '{asked['Schedule']}' is not valid")
    action = asked.get("ScalableTargetAction")
    if action is not None:
        lowest, highest = action.get("MinCapacity"), action.get("MaxCapacity")
        if lowest is None and highest is None:
            raise refused("At least one of MinCapacity and MaxCapacity must be specified")
        if lowest is not None and highest is not None and lowest > highest:
            raise refused("Maximum capacity cannot be less than minimum capacity")
    backend.put_scheduled_action(
        service_namespace=asked["ServiceNamespace"],
        schedule=asked.get("Schedule"),
        timezone=asked.get("Timezone"),
        scheduled_action_name=asked["ScheduledActionName"],
        resource_id=asked["ResourceId"],
        scalable_dimension=asked["ScalableDimension"],
        start_time=asked.get("StartTime"),
        end_time=asked.get("EndTime"),
        scalable_target_action=action,
    )
    return json.dumps({})


def describe_scheduled_actions(self: Any) -> str:
    """By name, not in the order in which they were made."""
    asked = request_of(self)
    names = asked.get("ScheduledActionNames") or []
    actions = [_shown(action) for action in backend_of(self).scheduled_actions]
    actions = [
        each
        for each in sorted(actions, key=lambda each: str(each["ScheduledActionName"]))
        if described_by(asked, each) and (not names or each["ScheduledActionName"] in names)
    ]
    found, token = one_page(actions, asked, 50)
    return answer("ScheduledActions", found, token)


def delete_scheduled_action(self: Any) -> str:
    asked = request_of(self)
    backend = backend_of(self)
    if _find(backend, asked) is None:
        namespace, resource, dimension = target_key(asked)
        raise refused(
            f"No scheduled action found for service namespace: {namespace}, resource ID: {resource}, "
            f"scalable dimension: {dimension}, scheduled action name: {asked['ScheduledActionName']}",
            "ObjectNotFoundException",
        )
    backend.delete_scheduled_action(
        asked["ServiceNamespace"], asked["ScheduledActionName"], asked["ResourceId"], asked["ScalableDimension"]
    )
    return json.dumps({})


def remove_all(backend: Any, asked: Document) -> None:
    """The scheduled actions of a target that is deregistered."""
    backend.scheduled_actions = [each for each in backend.scheduled_actions if _key(each) != target_key(asked)]


def _key(action: Any) -> tuple[str, str, str]:
    return action.service_namespace, action.resource_id, action.scalable_dimension


def _find(backend: Any, asked: Document) -> Any:
    for action in backend.scheduled_actions:
        if _key(action) == target_key(asked) and action.scheduled_action_name == asked["ScheduledActionName"]:
            return action
    return None


def _shown(action: Any) -> Document:
    shown = {
        "ScheduledActionName": action.scheduled_action_name,
        "ScheduledActionARN": action.arn,
        "ServiceNamespace": action.service_namespace,
        "Schedule": action.schedule,
        "Timezone": action.timezone,
        "ResourceId": action.resource_id,
        "ScalableDimension": action.scalable_dimension,
        "StartTime": action.start_time,
        "EndTime": action.end_time,
        "CreationTime": action.creation_time,
        "ScalableTargetAction": action.scalable_target_action,
    }
    return {key: value for key, value in shown.items() if value is not None}
