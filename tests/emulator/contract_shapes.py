"""Is an answer of the documented shape? What came over the wire against botocore's model of the operation's output.

botocore itself passes over members that it does not know and takes `"80"` for a number, so its parsed answer shows
neither. Here every member has to be known, of its type and, where the model says so, there; a text with documented
values has to be one of them. Also for what the AWS CLI prints, where times may be texts.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
import xml.etree.ElementTree as ElementTree
from typing import Any, Iterator

Json = Any
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def findings(operation: Any, protocol: str, body: bytes) -> list[str]:
    """`PATH: what is wrong`, where a path has `*` for the place in a list."""
    if protocol in ("query", "ec2"):
        return sorted(set(_of_query(operation, body)))
    form = "cbor" if "cbor" in protocol else "json"
    try:
        document = _cbor(body) if form == "cbor" else json.loads(body or b"{}")
    except ValueError as error:
        return [f"/: cannot be read: {error}"]
    return of_document(operation, document, form)


def of_document(operation: Any, document: Json, form: str) -> list[str]:
    """The same of a document that has been read; `form` is json, cbor or printed."""
    if operation.output_shape is None:
        return [] if document in ({}, None) else [f"/: {document!r} where nothing is documented"]
    return sorted(set(_of_value(operation.output_shape, document, "", form)))


def _cbor(body: bytes) -> Json:
    import cbor2  # in the environment of the emulator, not in that of the AWS CLI

    try:
        return cbor2.loads(body) if body else {}
    except cbor2.CBORDecodeError as error:
        raise ValueError(str(error)) from None


def _of_value(shape: Any, value: Json, at: str, form: str) -> Iterator[str]:
    if value is None:
        yield f"{at or '/'}: null"
    elif shape.type_name == "structure" and isinstance(value, dict):
        yield from _of_members(shape, value.keys(), at)
        for name in value.keys() & shape.members.keys():
            yield from _of_value(shape.members[name], value[name], f"{at}/{name}", form)
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from _of_value(shape.member, item, f"{at}/*", form)
    elif shape.type_name == "map" and isinstance(value, dict):
        for item in value.values():
            yield from _of_value(shape.value, item, f"{at}/*", form)
    elif not _is_of_type(shape, value, form):
        yield f"{at or '/'}: {type(value).__name__} {value!r} is no {shape.type_name}"
    else:
        yield from _of_text(shape, value, at)


def _of_members(shape: Any, names: Any, at: str) -> Iterator[str]:
    for name in names - shape.members.keys():
        yield f"{at}/{name}: no member of {shape.name}"
    for name in set(shape.required_members) - names:
        yield f"{at}/{name}: lacks, but {shape.name} requires it"


def _of_text(shape: Any, value: Json, at: str) -> Iterator[str]:
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{at or '/'}: {value!r} is no documented value of {shape.name}"


def _is_of_type(shape: Any, value: Json, form: str) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match shape.type_name:
        case "string" | "character":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "long":
            return isinstance(value, int) and number
        case "float" | "double":
            return number
        case "timestamp":
            return (
                isinstance(value, datetime.datetime)
                if form == "cbor"
                else number or (form == "printed" and isinstance(value, str))
            )
        case "blob":
            return isinstance(value, bytes if form == "cbor" else str)
    return False


# Query: XML


def _of_query(operation: Any, body: bytes) -> Iterator[str]:
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        yield f"/: cannot be read: {error}"
        return
    if _name(root) != f"{operation.name}Response":
        yield f"/: {_name(root)} instead of {operation.name}Response"
    children = {_name(child): child for child in root}
    metadata = children.pop("ResponseMetadata", None)
    if metadata is None or not [child for child in metadata if _name(child) == "RequestId" and child.text]:
        yield "/: no RequestId"
    shape = operation.output_shape
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    result = children.pop(wrapper, None) if wrapper else None
    for name in children:
        yield f"/: {name} beside the result"
    if wrapper and result is None:
        yield f"/: no {wrapper}"
    elif result is not None:
        yield from _of_element(shape, result, "")


def _of_element(shape: Any, element: ElementTree.Element, at: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from _of_members(shape, {_name(child) for child in element}, at)
        seen: set[str] = set()
        for child in element:
            name = _name(child)
            if name in seen and not shape.members.get(name, shape).serialization.get("flattened"):
                yield f"{at}/{name}: twice"
            seen.add(name)
            if name in shape.members:
                yield from _of_element(shape.members[name], child, f"{at}/{name}")
    elif shape.type_name == "list":
        for child in element:
            if _name(child) != "member":
                yield f"{at}: {_name(child)} instead of member"
            yield from _of_element(shape.member, child, f"{at}/*")
    elif shape.type_name == "map":
        for child in element:
            for value in child:
                if _name(value) == "value":
                    yield from _of_element(shape.value, value, f"{at}/*")
    elif len(element) or not _is_text_of_type(shape, element.text or ""):
        yield f"{at}: {element.text!r} is no {shape.type_name}"
    else:
        yield from _of_text(shape, element.text or "", at)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _is_text_of_type(shape: Any, text: str) -> bool:
    match shape.type_name:
        case "boolean":
            return text in ("true", "false")
        case "integer" | "long":
            return re.fullmatch(r"-?\d+", text) is not None
        case "float" | "double":
            return re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) is not None
        case "timestamp":
            return ISO_8601.fullmatch(text) is not None
        case "blob":
            try:
                base64.b64decode(text, validate=True)
            except binascii.Error:
                return False
    return True
