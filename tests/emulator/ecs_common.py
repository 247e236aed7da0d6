"""What the repairs of ministack's ECS share: errors, paging, look-ups, and clients for the other emulator."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import threading
from typing import Any, Iterable

import botocore.config
import botocore.session
from ledger import INTERNAL_USER_AGENT
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs

Document = dict[str, Any]

# CreateService, UpdateService and DeleteService read, decide and write; ministack answers every request in a thread.
SERVICE_LOCK = threading.RLock()


class AwsError(Exception):
    """An error that AWS documents for the operation; it becomes the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def call_original(operation: str, request: Document) -> Document:
    """ministack's own handler of an operation; its error answers come back as AwsError."""
    status, _, body = ecs._ACTION_MAP[operation](request)
    answer: Document = json.loads(body) if body else {}
    if status >= 400:
        raise AwsError(str(answer.get("__type", "ServerException")), str(answer.get("message", "")))
    return answer


def require_cluster(request: Document) -> str:
    """The name of the request's cluster. AWS answers ClusterNotFoundException; ministack would invent the cluster."""
    name = ecs._resolve_cluster_name(request.get("cluster") or "default")
    if name is None or ecs._clusters.get(name, {}).get("status") != "ACTIVE":
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return str(name)


def page(operation: str, items: list[str], request: Document, key: str, default: int) -> Document:
    """One page of a listing: at most `maxResults` (1 to 100) items, and a token where there are more.

    The token is opaque on AWS, so it is here; one of another operation or a made-up one is refused.
    """
    size = request.get("maxResults") or default
    if not 1 <= size <= 100:
        raise invalid("maxResults must be between 1 and 100.")
    start = 0
    if request.get("nextToken"):
        try:
            name, start_text = base64.b64decode(request["nextToken"], validate=True).decode().split(":")
            start = int(start_text)
        except ValueError:
            name = ""
        if name != operation:
            raise invalid("Invalid token.")
    answer: Document = {key: items[start : start + size]}
    if start + size < len(items):
        answer["nextToken"] = base64.b64encode(f"{operation}:{start + size}".encode()).decode()
    return answer


def shuffled_by_name(items: Iterable[Document]) -> list[Document]:
    """The order in which AWS returns named things that it keeps in a hash: neither as sent nor sorted."""
    return sorted(items, key=lambda item: hashlib.sha256(str(item.get("name")).encode()).hexdigest())


def without_empty(document: Document) -> Document:
    """Without the members that ministack holds as None or as an empty text. AWS leaves those out."""
    return {key: value for key, value in document.items() if value is not None and value != ""}


def client(service: str) -> Any:
    """A client of the emulator that holds everything but ECS, in the account and region of the current request."""
    return _client(service, get_account_id(), get_region())


@functools.cache
def _client(service: str, account: str, region: str) -> Any:
    return botocore.session.get_session().create_client(
        service,
        region_name=region,
        endpoint_url=os.environ["DRIFTLESS_EMULATOR_MOTO"],
        aws_access_key_id=account,
        aws_secret_access_key="test",
        config=botocore.config.Config(
            user_agent_extra=INTERNAL_USER_AGENT,
            connect_timeout=5,
            read_timeout=15,
            retries={"max_attempts": 1},
            max_pool_connections=32,
        ),
    )
