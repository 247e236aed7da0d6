"""RunTask as AWS answers it, and the secrets that a starting container asks for."""

from __future__ import annotations

import copy
import json
from typing import Any

import botocore.exceptions
import ecs_task_definitions
from ecs_common import SERVICE_LOCK, AwsError, Document, call_original, client, require_cluster
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs

_requests_by_token: dict[tuple[str, str, str, str], tuple[Document, list[str]]] = {}


def run(request: Document) -> Document:
    """RunTask: the same clientToken with the same request returns the tasks of the first call, not more tasks.

    With another request the token is in conflict (ConflictException).
    """
    cluster = require_cluster(request)
    asked = copy.deepcopy(request)
    definition = ecs_task_definitions.find_active(str(asked.get("taskDefinition") or ""))
    asked["taskDefinition"] = definition["taskDefinitionArn"]
    token = request.get("clientToken")
    if not token:
        return call_original("RunTask", asked)
    with SERVICE_LOCK:
        key = (get_account_id(), get_region(), cluster, str(token))
        if key in _requests_by_token:
            first_request, arns = _requests_by_token[key]
            if first_request != request:
                raise AwsError("ConflictException", "The client token was used with another request.")
            return call_original("DescribeTasks", {"cluster": cluster, "tasks": arns})
        answer = call_original("RunTask", asked)
        _requests_by_token[key] = (copy.deepcopy(request), [task["taskArn"] for task in answer["tasks"]])
        return answer


def resolve_container_secrets(container: Document) -> dict[str, str]:
    """The values of a container's `secrets`, read from the emulator that holds Secrets Manager and SSM.

    ministack would look into its own stores, which nothing fills. As on AWS, a task whose secret does not exist does
    not start (ResourceInitializationError).
    """
    values = {}
    for secret in container.get("secrets") or []:
        try:
            values[secret["name"]] = _read(secret["valueFrom"])
        except (botocore.exceptions.ClientError, LookupError, ValueError) as error:
            raise ecs._SecretResolutionError(f"unable to retrieve {secret['valueFrom']}: {error}") from error
    return values


def _read(value_from: str) -> str:
    if ":secretsmanager:" not in value_from:
        name = value_from.split(":parameter", 1)[-1]  # an ARN holds the name behind `:parameter`
        answer = client("ssm").get_parameter(Name=name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])
    # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX[:JSON-KEY:STAGE:VERSION]
    parts = value_from.split(":")
    text = _secret_string(":".join(parts[:7]))
    json_key = parts[7] if len(parts) > 7 else ""
    return str(json.loads(text)[json_key]) if json_key else text


def _secret_string(arn: str) -> str:
    """By ARN, else by the name in it: the suffix that an environment's files hold is not the emulator's."""
    secrets: Any = client("secretsmanager")
    try:
        return str(secrets.get_secret_value(SecretId=arn)["SecretString"])
    except botocore.exceptions.ClientError:
        name = arn.rsplit(":", 1)[-1]
        stem, _, suffix = name.rpartition("-")
        if len(suffix) != 6 or not stem:
            return str(secrets.get_secret_value(SecretId=name)["SecretString"])
        return str(secrets.get_secret_value(SecretId=stem)["SecretString"])
