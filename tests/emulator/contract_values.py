"""Variables in what is sent and in what is expected, and looking into answers."""

from __future__ import annotations

import re
from typing import Any

from contract_match import MISSING

Json = Any

VARIABLE = re.compile(r"\$\{([A-Za-z0-9_-]+)\}")


class TableError(Exception):
    """What is to be run is wrong itself."""


def filled(value: Json, variables: dict[str, Json]) -> Json:
    """With the variables' values in their places."""
    if isinstance(value, dict):
        return {filled(key, variables): filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    unknown = [name for name in VARIABLE.findall(value) if name not in variables]
    if unknown:
        raise TableError(f"no variable {', '.join(unknown)}")
    alone = VARIABLE.fullmatch(value)
    return variables[alone[1]] if alone else VARIABLE.sub(lambda found: str(variables[found[1]]), value)


def at(document: Json, pointer: str) -> Json:
    """What a JSON pointer leads to; MISSING where it leads nowhere."""
    for part in pointer.split("/")[1:]:
        if isinstance(document, list) and part.lstrip("-").isdigit() and -len(document) <= int(part) < len(document):
            document = document[int(part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            return MISSING
    return document
