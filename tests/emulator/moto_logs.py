"""Log groups as AWS answers them.

Source: the CloudWatch Logs API reference (CreateLogGroup, DeleteLogGroup, DescribeLogGroups, PutRetentionPolicy,
TagResource).
"""

from __future__ import annotations

import json
import re
from typing import Any

import moto.logs.responses as responses
from moto.core.exceptions import JsonRESTError
from moto_repairs import Document, install, page

RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096)
RETENTION_DAYS += (1827, 2192, 2557, 2922, 3288, 3653)
NAME = re.compile(r"^[\w.\-/#]{1,512}$")
CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS")
LARGEST_PAGE = 50
MOST_TAGS = 50


def repair() -> None:
    install(
        responses.LogsResponse,
        [
            create_log_group,
            delete_log_group,
            describe_log_groups,
            put_retention_policy,
            tag_resource,
            untag_resource,
            list_tags_for_resource,
        ],
    )


def refused(message: str, code: str = "InvalidParameterException") -> JsonRESTError:
    return JsonRESTError(code, message)


def _request(self: Any) -> Document:
    members: Document = json.loads(self.body or "{}")
    return {key: value for key, value in members.items() if value is not None}


def _group(self: Any, name: str) -> Any:
    group = self.logs_backend.groups.get(name)
    if group is None:
        raise refused("The specified log group does not exist.", "ResourceNotFoundException")
    return group


def create_log_group(self: Any) -> str:
    """Without retention: events never expire until PutRetentionPolicy says so."""
    asked = _request(self)
    backend = self.logs_backend
    name = asked.get("logGroupName", "")
    if not NAME.match(name):
        raise refused(f"Value '{name}' at 'logGroupName' failed to satisfy constraint: [\\.\\-_/#A-Za-z0-9]+")
    if asked.get("logGroupClass", "STANDARD") not in CLASSES:
        raise refused(f"Value '{asked['logGroupClass']}' at 'logGroupClass' must be one of {', '.join(CLASSES)}")
    if len(asked.get("tags", {})) > MOST_TAGS:
        raise refused(f"A log group can have at most {MOST_TAGS} tags")
    if name in backend.groups:
        raise refused("The specified log group already exists", "ResourceAlreadyExistsException")
    group = backend.create_log_group(name, dict(asked.get("tags", {})), kmsKeyId=asked.get("kmsKeyId"))
    group.log_group_class = asked.get("logGroupClass", "STANDARD")
    group.deletion_protection = bool(asked.get("deletionProtectionEnabled"))
    return ""


def delete_log_group(self: Any) -> str:
    """A new group of an old name has none of its tags."""
    backend = self.logs_backend
    group = _group(self, _request(self)["logGroupName"])
    if getattr(group, "deletion_protection", False):
        raise refused("Log group has deletion protection enabled", "ValidationException")
    backend.tagger.delete_all_tags_for_resource(group.arn)
    backend.delete_log_group(group.name)
    return ""


def describe_log_groups(self: Any) -> str:
    """By prefix or by pattern (any part of the name, whatever its case), sorted by name, fifty a page at most."""
    asked = _request(self)
    prefix, pattern = asked.get("logGroupNamePrefix"), asked.get("logGroupNamePattern")
    if prefix and pattern:
        raise refused("logGroupNamePrefix and logGroupNamePattern are mutually exclusive")
    size = asked.get("limit", LARGEST_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise refused(f"Value '{size}' at 'limit' must be between 1 and {LARGEST_PAGE}")
    groups = [
        _shown(group)
        for name, group in sorted(self.logs_backend.groups.items())
        if name.startswith(prefix or "") and (pattern or "").lower() in name.lower()
    ]
    found, token = page(groups, asked.get("nextToken"), size, refused("The specified nextToken is invalid."))
    return json.dumps({"logGroups": found, **({"nextToken": token} if token else {})})


def _shown(group: Any) -> Document:
    return {
        **group.to_describe_dict(),
        "logGroupClass": getattr(group, "log_group_class", "STANDARD"),
        "deletionProtectionEnabled": getattr(group, "deletion_protection", False),
    }


def put_retention_policy(self: Any) -> str:
    """Only certain numbers of days."""
    asked = _request(self)
    group = _group(self, asked["logGroupName"])
    if asked.get("retentionInDays") not in RETENTION_DAYS:
        raise refused(
            f"1 validation error detected: Value '{asked.get('retentionInDays')}' at 'retentionInDays' failed to "
            f"satisfy constraint: Member must satisfy enum value set: {list(RETENTION_DAYS)}"
        )
    group.set_retention_policy(asked["retentionInDays"])
    return ""


def tag_resource(self: Any) -> str:
    """Adds the tags to those of the group. Its ARN is the one without `:*` at the end."""
    asked = _request(self)
    tags = {**_tags(self, asked["resourceArn"]), **asked.get("tags", {})}
    if len(tags) > MOST_TAGS:
        raise refused(f"A log group can have at most {MOST_TAGS} tags", "TooManyTagsException")
    self.logs_backend.tag_resource(asked["resourceArn"], asked.get("tags", {}))
    return "{}"


def untag_resource(self: Any) -> str:
    asked = _request(self)
    _tags(self, asked["resourceArn"])
    self.logs_backend.untag_resource(asked["resourceArn"], asked.get("tagKeys", []))
    return "{}"


def list_tags_for_resource(self: Any) -> str:
    return json.dumps({"tags": _tags(self, _request(self)["resourceArn"])})


def _tags(self: Any, arn: str) -> dict[str, str]:
    """The tags of a resource; a log group has to exist."""
    if ":log-group:" in arn and arn not in {group.arn for group in self.logs_backend.groups.values()}:
        raise refused("The specified resource does not exist.", "ResourceNotFoundException")
    tags: dict[str, str] = self.logs_backend.list_tags_for_resource(arn)
    return tags
