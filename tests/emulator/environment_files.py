"""A tolerant reader of an environment's folder, for prepare.py.

It knows the layout (environment.yaml, services/**/*.yaml), `extends`, `defaults`, the task definition in a file of its
own and `${name}`, and nothing about validity: it has to find names in files that the product itself would refuse.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import yaml

Document = dict[str, Any]
VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}")


@dataclass
class Service:
    name: str
    document: Document
    task_definition: Document

    def containers(self) -> Iterator[tuple[str, Document]]:
        """Every container, with the service's `containers` laid over the task definition's."""
        overlays = dict(mapping(self.document.get("containers")))
        for container in listing(self.task_definition.get("containerDefinitions")):
            name = str(container.get("name"))
            yield name, {**container, "_overlay": mapping(overlays.pop(name, {}))}
        for name, overlay in overlays.items():
            yield str(name), {"_overlay": mapping(overlay)}


@dataclass
class Environment:
    document: Document
    services: list[Service]

    def text(self, key: str, default: str) -> str:
        return str(self.document.get(key) or default)


def read(folder: Path) -> Environment:
    environment = mapping(_load(folder / "environment.yaml"))
    variables = {key: environment.get(key) for key in ("environment", "account", "region", "cluster")}
    variables.update(mapping(environment.get("variables")))
    variables = mapping(_substitute(variables, variables))
    services = [
        _service(path, mapping(environment.get("defaults")), variables)
        for path in sorted((folder / "services").rglob("*"))
        if path.suffix in (".yaml", ".yml") and not path.name.endswith((".task.yaml", ".task.yml"))
    ]
    return Environment(mapping(_substitute(environment, variables)), services)


def mapping(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Document]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def named(value: Any, single: str = "") -> list[Document]:
    """The mappings in a list or in a mapping from names. With `single`, a mapping with that key is itself the one."""
    if isinstance(value, dict):
        one = single and isinstance(value.get(single), str)
        return [value] if one else [member for member in value.values() if isinstance(member, dict)]
    return listing(value)


def _service(path: Path, defaults: Document, variables: Document) -> Service:
    document = _merge(defaults, _extended(path))
    name = str(document.get("name") or path.name.split(".", 1)[0])
    document = mapping(_substitute(document, {**variables, "service": name}))
    definition = document.get("taskDefinition")
    if isinstance(definition, str):
        file = path.parent / definition
        definition = _substitute(_load(file), {**variables, "service": name}) if file.is_file() else {}
    definition = mapping(_lower_first(definition))
    definition = mapping(definition.get("taskDefinition")) or definition  # as describe-task-definition wraps it
    return Service(name, document, definition)


def _extended(path: Path) -> Document:
    """A document with everything it extends merged under it."""
    document = mapping(_load(path))
    bases = document.pop("extends", None) or []
    merged: Document = {}
    for base in [bases] if isinstance(bases, str) else bases:
        file = path.parent / str(base)
        inherited = _extended(file) if file.is_file() else {}
        definition = inherited.get("taskDefinition")
        if isinstance(definition, str):  # named relative to the file that names it
            inherited["taskDefinition"] = str((file.parent / definition).resolve())
        merged = _merge(merged, inherited)
    return _merge(merged, document)


def _load(path: Path) -> Any:
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def _merge(below: Any, above: Any) -> Any:
    """Mappings deeply, anything else as it stands above; null takes away."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    merged = {**below, **{key: _merge(below.get(key), value) for key, value in above.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def _substitute(value: Any, variables: Document) -> Any:
    """`${name}` inside every scalar; an unknown name (git.tag, say) stays as it is, and `$${` is a literal."""
    if isinstance(value, dict):
        return {key: _substitute(member, variables) for key, member in value.items()}
    if isinstance(value, list):
        return [_substitute(member, variables) for member in value]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return "${"
        found = variables.get(match.group(1).strip())
        return match.group(0) if found is None else str(found)

    return VARIABLE.sub(one, value)


def _lower_first(value: Any) -> Any:
    """Keys as ECS spells them: CloudFormation and Terraform users write the first letter large."""
    if isinstance(value, dict):
        return {str(key)[:1].lower() + str(key)[1:]: _lower_first(member) for key, member in value.items()}
    return [_lower_first(member) for member in value] if isinstance(value, list) else value
