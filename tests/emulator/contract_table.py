"""The table of scenarios: its files, its variables, and what is wrong with it before anything is called.

A file of `tests/it/contract` is `{"scenarios": [...]}`; `given.json` is `{"given": {NAME: ...}}`, what scenarios build
on. A scenario:

    {"name": "clusters-create",              its own; `--only` finds it
     "says": "what AWS does, as a sentence",
     "source": "where that is written",
     "given": ["cluster", "service"],        steps of given.json that come first, with those that they are given
     "protocols": ["json", "query"],         once for each, where the service speaks several
     "steps": [...],
     "finally": [...]}                       calls that end it, whatever came of it; what they answer does not count

A step:

    {"call": "elbv2 CreateRule",             the product's name of the service, AWS's of the operation
     "input": {"ListenerArn": "${listener}", "Priority": 10, ...},
     "answer": {...} or "error": "Code"      what AWS answers (see contract_match.py); neither: it succeeds
     "message": "...",                       a pattern that the error's message has
     "keep": {"rule": "/Rules/0/RuleArn"},   variables for later steps, by JSON pointer
     "for": {"n": 12},                       once for each n of 1 to 12
     "until": 30,                            again and again until the answer is so, that many seconds at most
     "after": 5,                             only after so many seconds, for what does not happen
     "pages": [2, 1],                        all pages, of these sizes; `answer` is of the whole list
     "source": "...", "says": "...",         where the scenario's own do not say it
     "differs": {"emulator": {"answer"/"error"/"message"/"after"/"pages": what it does instead,
                              "instead": "the same as a sentence", "source": "why the table is right",
                              "ends": true}}}    the scenario goes no further there

Variables: `${own}` is another short name in every scenario and run; `${now}` its time in milliseconds; `${account}`, `${region}`, `${vpc}`, `${subnet1}`,
`${subnet2}`, `${certificate1}`, `${certificate2}`, `${certificate3}`; and what steps keep. A text that is nothing but
one variable is its value, a number too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Iterator

import contract_match
from contract_client import SERVICES, Clients
from contract_values import TableError

Json = Any

COUNTERPARTS = ("emulator", "simulated")
_OUTCOME = {"answer", "error", "message", "until", "after", "pages"}
_STEP = {"call", "input", "keep", "for", "says", "source", "differs"} | _OUTCOME
_DIFFERS = {"instead", "source", "ends"} | _OUTCOME
_SCENARIO = {"name", "says", "source", "given", "protocols", "steps", "finally"}


@dataclass
class Step:
    """One call and what AWS answers."""

    call: str
    members: dict[str, Json]
    scenario: str = ""

    def outcome(self, counterpart: str) -> dict[str, Json]:
        """What is expected of it: AWS's answer or, where it differs, its own."""
        return {key: value for key, value in self.differs.get(counterpart, self.members).items() if key in _OUTCOME}

    @property
    def differs(self) -> dict[str, dict[str, Json]]:
        return dict(self.members.get("differs", {}))


@dataclass
class Scenario:
    """Steps that need nothing of any other scenario."""

    name: str
    says: str
    source: str
    file: str
    steps: list[Step]
    protocol: str = ""
    given: list[Step] = field(default_factory=list)
    last: list[Step] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.name} ({self.protocol})" if self.protocol else self.name


@dataclass
class Table:
    """All scenarios, and the places where answers are not of the documented shape."""

    scenarios: list[Scenario]
    shapes: list[dict[str, str]]


def read(folder: Path) -> Table:
    """All files of the folder, checked for what can be checked without an account."""
    given = _document(folder / "given.json")["given"]
    shapes = _document(folder / "shapes.json")["shapes"]
    scenarios: list[Scenario] = []
    for file in sorted(folder.glob("*.json")):
        if file.name not in ("given.json", "shapes.json"):
            for document in _document(file)["scenarios"]:
                scenarios += _scenarios(document, file.stem, given)
    names = [scenario.title for scenario in scenarios]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TableError(f"names that are there twice: {twice}")
    return Table(scenarios, shapes)


def _document(file: Path) -> Json:
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise TableError(f"{file.name}: {error}") from None


def _scenarios(document: Json, file: str, given: dict[str, Json]) -> Iterator[Scenario]:
    name = document.get("name", "?")
    _only(f"{file} {name}", document, _SCENARIO, {"name", "says", "source", "steps"})
    steps = [_step(step, f"{file} {name}") for step in document["steps"]]
    first = [_step(step, "given") for step in _given(document.get("given", []), given, [])]
    last = [_step(step, f"{file} {name}") for step in document.get("finally", [])]
    whole = Scenario(name, document["says"], document["source"], file, steps, given=first, last=last)
    for protocol in document.get("protocols", [""]):
        yield replace(whole, protocol=protocol)


def _given(names: list[str], given: dict[str, Json], done: list[str]) -> Iterator[Json]:
    for name in names:
        if name not in done:
            done.append(name)
            if name not in given:
                raise TableError(f"nothing is given as {name}")
            yield from _given(given[name].get("given", []), given, done)
            yield from given[name]["steps"]


def _step(document: Json, place: str) -> Step:
    place = f"{place}, {document.get('call', '?')}"
    _only(place, document, _STEP, {"call"})
    for counterpart, differs in document.get("differs", {}).items():
        if counterpart not in COUNTERPARTS:
            raise TableError(f"{place}: {counterpart} is no counterpart")
        _only(f"{place}, differs", differs, _DIFFERS, {"instead", "source"})
    return Step(document["call"], document)


def _only(place: str, document: Json, known: set[str], needed: set[str]) -> None:
    if document.keys() - known or needed - document.keys():
        raise TableError(
            f"{place}: unknown {document.keys() - known or '{}'}, lacks {needed - document.keys() or '{}'}"
        )
    if "answer" in document and "error" in document:
        raise TableError(f"{place}: an answer and an error")


def action(call: str) -> str:
    """IAM's name of a call."""
    prefixes = {
        "elbv2": "elasticloadbalancing",
        "autoscaling": "application-autoscaling",
        "discovery": "servicediscovery",
    }
    service, operation = call.split()
    return f"{prefixes.get(service, service)}:{operation}"


def mistakes(table: Table, clients: Clients) -> list[str]:
    """Operations and members that AWS does not have: a misspelt member would be sent or looked for in vain."""
    found: list[str] = []
    for scenario in table.scenarios:
        for step in scenario.given + scenario.steps + scenario.last:
            found += [f"{scenario.file} {scenario.name}, {step.call}: {each}" for each in _of_step(step, clients)]
    return list(dict.fromkeys(found))


def _of_step(step: Step, clients: Clients) -> Iterator[str]:
    if step.call.split()[0] not in SERVICES:
        yield "no such service"
        return
    model = clients.model(step.call)
    yield from _unknown(model.input_shape, step.members.get("input", {}), "input")
    for outcome in (step.members, *step.differs.values()):
        yield from _unknown(model.output_shape, outcome.get("answer", {}), "answer")


def _unknown(shape: Any, value: Json, place: str) -> Iterator[str]:
    asked = contract_match.matcher(value)
    if asked is not None:
        name, argument = asked
        if name == "$every":
            yield from _unknown(shape.member, argument, place)
        elif name in ("$set", "$shuffled", "$has", "$lacks", "$whole"):
            yield from _unknown(shape, argument, place)
    elif isinstance(value, dict) and shape is not None and shape.type_name == "structure":
        for key, item in value.items():
            if key in shape.members:
                yield from _unknown(shape.members[key], item, f"{place}/{key}")
            else:
                yield f"{place}/{key} is no member of {shape.name}"
    elif isinstance(value, list) and shape is not None and shape.type_name == "list":
        for item in value:
            yield from _unknown(shape.member, item, place)
