"""What the repairs of Application Auto Scaling share: requests, errors, pages, and the target that all needs."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto_repairs import Document, page


def refused(message: str, code: str = "ValidationException") -> JsonRESTError:
    return JsonRESTError(code, message)


def request_of(self: Any) -> Document:
    """The members of the request that are not null."""
    members: Document = json.loads(self.body or "{}")
    return {key: value for key, value in members.items() if value is not None}


def backend_of(self: Any) -> Any:
    return self.applicationautoscaling_backend


def target_key(asked: Document) -> tuple[str, str, str]:
    return asked["ServiceNamespace"], asked["ResourceId"], asked.get("ScalableDimension", "")


def described_by(asked: Document, item: Document) -> bool:
    """Whether a describing request means the item, as far as the filters go that all such requests have."""
    filters = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    return all(key not in asked or asked[key] == item[key] for key in filters)


def one_page(items: list[Document], asked: Document, most: int) -> tuple[list[Document], str | None]:
    size = asked.get("MaxResults") or most
    if not 1 <= size <= most:
        raise refused(f"MaxResults must be between 1 and {most}.")
    return page(items, asked.get("NextToken"), size, refused("Invalid token.", "InvalidNextTokenException"))


def target_of(backend: Any, asked: Document) -> Any:
    return backend.targets.get(asked.get("ScalableDimension"), {}).get(asked["ResourceId"])


def require_target(backend: Any, asked: Document) -> None:
    """Policies and scheduled actions need a registered target: ObjectNotFoundException; moto takes them without."""
    if target_of(backend, asked) is None:
        namespace, resource, dimension = target_key(asked)
        raise refused(
            f"No scalable target registered for service namespace: {namespace}, resource ID: {resource}, "
            f"scalable dimension: {dimension}",
            "ObjectNotFoundException",
        )


def answer(key: str, items: list[Document], token: str | None) -> str:
    return json.dumps({key: items, **({"NextToken": token} if token else {})})
