"""Compares an answer with what a table says of it.

The members that the table names have to be there and equal; others may be there as well. A list is compared whole, one
item after the other. An object with one member that begins with `$` asks for something else:

    {"$any": true}            anything, but it is there        {"$absent": true}         it is not there
    {"$matches": "^arn:"}     a text that the pattern finds    {"$count": 3}             a list of so many items
    {"$set": [...]}           these items in any order         {"$shuffled": [...]}      these, in another order
    {"$has": [...]}           these items among others         {"$lacks": [...]}         none of these items
    {"$between": [0, 2]}      a number in this range           {"$every": {...}}         a list of which all are so
    {"$whole": {...}}         these members and no others
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Iterator

MISSING = object()

Json = Any


def differences(want: Json, got: Json, at: str = "") -> list[str]:
    """What is not as the table says, a line each; `got` is MISSING where the answer has nothing."""
    asked = matcher(want)
    if asked is not None:
        name, argument = asked
        return [f"{at or '/'}: {found}" for found in _MATCHERS[name](argument, got)]
    if got is MISSING:
        return [f"{at or '/'}: not there, wanted {shown(want)}"]
    if isinstance(want, dict) and isinstance(got, dict):
        return [
            each for key, value in want.items() for each in differences(value, got.get(key, MISSING), f"{at}/{key}")
        ]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [each for n, value in enumerate(want) for each in differences(value, got[n], f"{at}/{n}")]
    return [] if same(want, got) else [f"{at or '/'}: {shown(got)}, wanted {shown(want)}"]


def matcher(want: Json) -> tuple[str, Json] | None:
    """Name and argument, if `want` is a matcher."""
    if isinstance(want, dict) and len(want) == 1:
        [(name, argument)] = want.items()
        if name in _MATCHERS:
            return name, argument
    return None


def same(want: Json, got: Json) -> bool:
    """Equal scalars: 70 is 70.0, but true is not 1."""
    return isinstance(want, bool) == isinstance(got, bool) and bool(want == got)


def shown(value: Json) -> str:
    if value is MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 600 else text[:600] + " …"


def _any(argument: Json, got: Json) -> Iterator[str]:
    if (got is MISSING) == bool(argument):
        yield "not there" if argument else f"{shown(got)} is there"


def _absent(argument: Json, got: Json) -> Iterator[str]:
    if got is not MISSING:
        yield f"{shown(got)} is there, wanted nothing"


def _matches(pattern: str, got: Json) -> Iterator[str]:
    if not isinstance(got, str) or not re.search(pattern, got):
        yield f"{shown(got)} does not match {pattern!r}"


def _count(count: int, got: Json) -> Iterator[str]:
    if not isinstance(got, list) or len(got) != count:
        yield f"{shown(got)} has not {count} items"


def _between(bounds: list[float], got: Json) -> Iterator[str]:
    if isinstance(got, bool) or not isinstance(got, (int, float)) or not bounds[0] <= got <= bounds[1]:
        yield f"{shown(got)} is not between {bounds[0]} and {bounds[1]}"


def _every(want: Json, got: Json) -> Iterator[str]:
    if not isinstance(got, list):
        yield f"{shown(got)} is no list"
        return
    for number, item in enumerate(got):
        yield from (f"item {number} {each}" for each in differences(want, item))


def _whole(want: dict[str, Json], got: Json) -> Iterator[str]:
    if not isinstance(got, dict):
        yield f"{shown(got)} is no object"
        return
    yield from differences(dict(want), got)
    for key in got.keys() - want.keys():
        yield f"{key} is there: {shown(got[key])}"


def _paired(wanted: list[Json], got: list[Json]) -> tuple[list[Json], list[Json]]:
    """What is wanted and has no item of its own, and the items that nobody wanted."""
    owner: dict[int, int] = {}

    def give(number: int, seen: set[int]) -> bool:
        for index, item in enumerate(got):
            if index not in seen and not differences(wanted[number], item):
                seen.add(index)
                if index not in owner or give(owner[index], seen):
                    owner[index] = number
                    return True
        return False

    unmet = [wanted[number] for number in range(len(wanted)) if not give(number, set())]
    return unmet, [item for index, item in enumerate(got) if index not in owner]


def _set(wanted: list[Json], got: Json) -> Iterator[str]:
    if not isinstance(got, list):
        yield f"{shown(got)}, wanted the list {shown(wanted)}"
        return
    unmet, others = _paired(wanted, got)
    if unmet or others:
        yield f"without {shown(unmet)}, and with {shown(others)}"


def _shuffled(wanted: list[Json], got: Json) -> Iterator[str]:
    yield from _set(wanted, got)
    if isinstance(got, list) and not differences(wanted, got):
        yield f"{shown(got)} is in the order of the request"


def _has(wanted: list[Json], got: Json) -> Iterator[str]:
    if not isinstance(got, list):
        yield f"{shown(got)}, wanted a list with {shown(wanted)}"
        return
    unmet, _ = _paired(wanted, got)
    if unmet:
        yield f"{shown(got)} is without {shown(unmet)}"


def _lacks(unwanted: list[Json], got: Json) -> Iterator[str]:
    items = got if isinstance(got, list) else []
    found = [item for item in items if any(not differences(each, item) for each in unwanted)]
    if found:
        yield f"{shown(found)} is there"


_MATCHERS: dict[str, Callable[[Json, Json], Iterator[str]]] = {
    "$any": _any,
    "$absent": _absent,
    "$matches": _matches,
    "$count": _count,
    "$between": _between,
    "$every": _every,
    "$whole": _whole,
    "$set": _set,
    "$shuffled": _shuffled,
    "$has": _has,
    "$lacks": _lacks,
}
