"""CloudWatch's rpcv2Cbor protocol in front of a server that speaks awsJson only.

The Rust SDK's CloudWatch client (from 1.100.0 on) sends nothing but CBOR to /service/.../operation/NAME. moto 5.2.5
answers that with an HTML 404. The two protocols carry the same members, so a request is decoded and handed on as
awsJson, and the answer is encoded with the types that botocore's service model names (CBOR tells a timestamp from a
number and a float from an integer; JSON does not).
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import botocore.session
import cbor2

PATH = re.compile(r"^/service/GraniteServiceVersion20100801/operation/(\w+)$")
JSON_TARGET = "GraniteServiceVersion20100801."
RESPONSE_HEADERS = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
EPOCH_SECONDS = 1  # the CBOR tag of a timestamp

_MODEL = botocore.session.get_session().get_service_model("cloudwatch")


def operation(path: str) -> str | None:
    """The operation that a CBOR request names in its path; None for any other request."""
    match = PATH.match(path)
    return match.group(1) if match else None


def decode_request(body: bytes) -> Any:
    """The request's members as awsJson spells them."""
    return _plain(cbor2.loads(body)) if body else {}


def encode_response(name: str, status: int, body: bytes) -> bytes:
    """An awsJson answer as CBOR. An error has no shape of its own here: its `__type` and `message` go as they are."""
    try:
        members = json.loads(body) if body else {}
    except ValueError:
        members = {"__type": "InternalFailure", "message": body.decode(errors="replace")[:500]}
    shape = _MODEL.operation_model(name).output_shape if status < 300 else None
    return cbor2.dumps(_typed(members, shape))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value


def _typed(value: Any, shape: Any) -> Any:
    if value is None or shape is None:
        return value
    if shape.type_name == "structure":
        return {key: _typed(m, shape.members.get(key)) for key, m in value.items() if m is not None}
    if shape.type_name == "list":
        return [_typed(member, shape.member) for member in value]
    if shape.type_name == "map":
        return {key: _typed(member, shape.value) for key, member in value.items()}
    if shape.type_name == "timestamp":
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
        return cbor2.CBORTag(EPOCH_SECONDS, float(value))
    if shape.type_name in ("double", "float"):
        return float(value)
    return value
