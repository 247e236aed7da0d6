#!/usr/bin/env python3
"""The examples of AWS's own documents as data: what goes into an operation, and what comes back.

    tests/emulator/documented_examples.py > examples.json      # no server is started, nothing is called

Two sources, both of the pinned packages:

- botocore: `data/SERVICE/VERSION/examples-1.json`, inputs and outputs as JSON;
- the AWS CLI: `examples/SERVICE/COMMAND.rst`. A command line is read by the CLI itself (quoting, shorthand, files,
  `--cli-input-json`), with the last step, the call, replaced by one that keeps the input.

Prints `{"examples": [...], "skipped": [...], "without": [...], "leaves": {...}, "counts": {...}}`. An example has `source`, `service`,
`operation`, `title`, `input` and `output` (null where the document shows none), and `repairs`: what had to be mended in
the document before a shell or a JSON reader takes it. What cannot be read is in `skipped` with the reason, operations
without any example are in `without`. Times are RFC 3339 where the API's model has a time; the CLI prints them in other
forms, too. `leaves` has the inputs of the operations as botocore's model knows them, down to the last field.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator

sys.dont_write_bytecode = True  # no __pycache__ in the repository

import virtualenvs  # noqa: E402

# The folder of the service in both packages, and the operations of desired state and of reading it back.
OPERATIONS: dict[str, list[str]] = {
    "ecs": [
        "RegisterTaskDefinition",
        "DescribeTaskDefinition",
        "CreateService",
        "UpdateService",
        "DescribeServices",
    ],
    "elbv2": [
        "CreateTargetGroup",
        "ModifyTargetGroup",
        "DescribeTargetGroups",
        "ModifyTargetGroupAttributes",
        "DescribeTargetGroupAttributes",
        "CreateRule",
        "ModifyRule",
        "DescribeRules",
        "SetRulePriorities",
        "CreateListener",
        "ModifyListener",
        "DescribeListeners",
    ],
    "application-autoscaling": [
        "RegisterScalableTarget",
        "DescribeScalableTargets",
        "PutScalingPolicy",
        "DescribeScalingPolicies",
        "PutScheduledAction",
        "DescribeScheduledActions",
    ],
    "cloudwatch": ["PutMetricAlarm", "DescribeAlarms"],
    "servicediscovery": ["CreateService", "UpdateService", "GetService"],
}
# Operations of which only the leaves are wanted.
MORE_OPERATIONS: dict[str, list[str]] = {
    "elbv2": ["AddListenerCertificates", "ModifyListenerAttributes", "ModifyLoadBalancerAttributes"],
}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

Json = Any


@dataclass
class Example:
    """One example of one document."""

    source: str
    service: str
    operation: str
    title: str
    input: Json = None
    output: Json = None
    repairs: list[str] = field(default_factory=list)


@dataclass
class Found:
    """Everything that was read, and what could not be."""

    examples: list[Example] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    without: list[dict[str, str]] = field(default_factory=list)

    def skip(self, example: Example, part: str, reason: str) -> None:
        place = {"source": example.source, "service": example.service, "operation": example.operation}
        self.skipped.append({**place, "title": example.title, "part": part, "reason": reason})


class Unreadable(Exception):
    """A part of a document that even mending does not make readable; says why."""


# --- JSON and times -------------------------------------------------------------------------------------------------


def lenient_json(text: str, repairs: list[str], what: str) -> Json:
    """JSON as the documents have it. What had to be mended is added to `repairs`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        first = error
    mended = re.sub(r",(\s*[}\]])", r"\1", text)
    try:
        value = json.loads(mended)
    except json.JSONDecodeError:
        raise Unreadable(f"{what} is no JSON: {first}") from None
    repairs.append(f"{what} has a comma before a closing bracket")
    return value


class Times:
    """Turns what the API's model calls a timestamp into RFC 3339."""

    def __init__(self) -> None:
        self.converted = 0

    def convert(self, value: Json, shape: Any) -> Json:
        if shape is None:
            return value
        if shape.type_name == "structure" and isinstance(value, dict):
            return {key: self.convert(item, shape.members.get(key)) for key, item in value.items()}
        if shape.type_name == "list" and isinstance(value, list):
            return [self.convert(item, shape.member) for item in value]
        if shape.type_name == "map" and isinstance(value, dict):
            return {key: self.convert(item, shape.value) for key, item in value.items()}
        if shape.type_name == "timestamp" and not (isinstance(value, str) and RFC_3339.fullmatch(value)):
            self.converted += 1
            return rfc_3339(value)
        return value


def rfc_3339(value: Json) -> Json:
    """A time of any form that the documents use; as it is if it is none."""
    from dateutil import parser, tz  # in the environment of the AWS CLI

    if isinstance(value, (int, float)) and not isinstance(value, bool):
        time = datetime.fromtimestamp(value, timezone.utc)
    else:
        try:
            time = parser.parse(value)
        except (TypeError, ValueError, OverflowError):
            return value
        time = (time if time.tzinfo else time.replace(tzinfo=tz.tzutc())).astimezone(timezone.utc)
    return time.isoformat().replace("+00:00", "Z")


# --- botocore -------------------------------------------------------------------------------------------------------


def botocore_examples(data: Path, found: Found) -> None:
    for service, operations in OPERATIONS.items():
        versions = sorted((data / service).glob("*/examples-1.json"))
        examples: dict[str, list[Json]] = json.loads(versions[-1].read_text())["examples"] if versions else {}
        for operation in operations:
            if not examples.get(operation):
                found.without.append({"source": "botocore", "service": service, "operation": operation})
            for each in examples.get(operation, []):
                example = Example("botocore", service, operation, each.get("title", ""))
                example.input, example.output = each.get("input"), each.get("output")
                found.examples.append(example)


def botocore_leaves(data: Path) -> dict[str, list[str]]:
    """The paths of all inputs of each operation; list elements and map values have no step of their own."""
    leaves: dict[str, list[str]] = {}
    for service, operations in OPERATIONS.items():
        newest = sorted((data / service).glob("*/service-2.json.gz"))[-1]
        model = json.loads(gzip.decompress(newest.read_bytes()))
        for operation in operations + MORE_OPERATIONS.get(service, []):
            shape = model["operations"][operation]["input"]["shape"]
            leaves[f"{service} {operation}"] = sorted(leaves_of(model["shapes"], shape, ""))
    return leaves


def leaves_of(shapes: Json, name: str, path: str) -> Iterator[str]:
    shape = shapes[name]
    if shape["type"] == "list":
        yield from leaves_of(shapes, shape["member"]["shape"], path)
    elif shape["type"] == "map":
        yield from leaves_of(shapes, shape["value"]["shape"], path)
    elif shape["type"] == "structure" and shape["members"]:
        for member, target in shape["members"].items():
            yield from leaves_of(shapes, target["shape"], f"{path}.{member}")
    else:
        yield path


# --- the AWS CLI ----------------------------------------------------------------------------------------------------


@dataclass
class Block:
    """An indented block of a document and the sentence before it."""

    label: str
    text: str


@dataclass
class Section:
    """What stands below one title."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    prose: str = ""


def sections(text: str) -> list[Section]:
    """The titles of a document and the indented blocks below each.

    Not read with docutils: several blocks lack the `::` that would make them literal, and are meant all the same.
    """
    found: list[Section] = [Section("")]
    indented: list[str] = []
    label = ""

    def close() -> None:
        nonlocal indented
        if any(line.strip() for line in indented):
            found[-1].blocks.append(Block(label, "\n".join(indented).rstrip()))
        indented = []

    for line in text.splitlines():
        if line[:1] in (" ", "\t") or (indented and not line.strip()):
            indented.append(line)
            continue
        close()
        title = re.fullmatch(r"\*\*(.+?)\*\*\s*", line)
        if title:
            found.append(Section(title.group(1)))
        elif line.strip():
            label = line.strip()
            found[-1].prose += line + "\n"
    close()
    return [section for section in found if section.blocks]


def arguments_of(block: str, repairs: list[str]) -> list[list[str]]:
    """The command lines of a block, each as a shell would split it, without the leading `aws`."""
    commands: list[str] = []
    goes_on = False
    for line in block.splitlines():
        stripped = line.strip()
        if not stripped:
            continue
        if stripped.startswith("aws "):
            commands.append("")
        elif not commands:
            raise Unreadable(f"a command that does not begin with `aws`: {stripped[:60]}")
        elif not goes_on:
            repairs.append(f"no backslash before the line {stripped.split()[0]}")
        goes_on = stripped.endswith("\\")
        if goes_on and line != line.rstrip():
            repairs.append("a blank behind a backslash")
        commands[-1] += " " + stripped.removesuffix("\\")
    try:
        return [joined(shlex.split(command)[1:], repairs) for command in commands]
    except ValueError as error:
        raise Unreadable(f"the command line cannot be split: {error}") from None


def joined(arguments: list[str], repairs: list[str]) -> list[str]:
    """Puts together what a blank behind a comma takes apart: `Type=redirect, RedirectConfig=...`."""
    result: list[str] = []
    for argument in arguments:
        if result and result[-1].endswith(","):
            repairs.append(f"a blank behind {result[-1]}")
            result[-1] += argument
        else:
            result.append(argument)
    return result


class Cli:
    """The AWS CLI up to the point where it would call AWS."""

    def __init__(self) -> None:
        import awscli.clidriver as clidriver  # in the environment of the AWS CLI

        self.kept: Json = None
        outer = self

        class Keep:
            def __init__(self, session: Any) -> None:
                pass

            def invoke(self, service: str, operation: str, parameters: dict[str, Json], parsed_globals: Any) -> int:
                # What pages the answer is no input of the operation.
                outer.kept = {key: value for key, value in parameters.items() if key != "PaginationConfig"}
                return 0

        clidriver.CLIOperationCaller = Keep
        self.driver = clidriver.create_clidriver()

    def model(self, service: str, operation: str) -> Any:
        return self.driver.session.get_service_model(service).operation_model(operation)

    def input_of(self, arguments: list[str]) -> Json:
        """The input that this command line sends."""
        self.kept = None
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            try:
                code = self.driver.main(arguments)
            except SystemExit as exit:
                code = exit.code
        if self.kept is None:
            said = " ".join(errors.getvalue().split())
            raise Unreadable(f"the AWS CLI refuses the command (code {code}): {said[-400:]}")
        return self.kept


def command_of(operation: str) -> str:
    """`CreateTargetGroup` -> `create-target-group`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", operation).lower()


def is_output(block: Block) -> bool:
    return block.label.lower().startswith(("output", "the output"))


def files_of(section: Section, arguments: list[str], repairs: list[str]) -> dict[str, str]:
    """The files that a command line names, with the contents that the document shows for each."""
    shown = [block for block in section.blocks if block.text.lstrip()[:1] in ("{", "[")]
    shown = [block for block in shown if not is_output(block)]
    files: dict[str, str] = {}
    for argument in arguments:
        if not argument.startswith("file://"):
            continue
        path = argument.removeprefix("file://")
        name = path.rsplit("/", 1)[-1]
        named = [block for block in shown if name in block.label] or (shown if len(shown) == 1 else [])
        if not named:
            raise Unreadable(f"the contents of {name} are not shown")
        # Mended, too: the CLI is as strict as we are.
        files[path] = json.dumps(lenient_json(named[0].text, repairs, name))
    return files


@contextlib.contextmanager
def folder_with(files: dict[str, str]) -> Iterator[None]:
    """A current folder that holds these files."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="driftless-examples-") as folder:
        os.chdir(folder)
        try:
            for path, text in files.items():
                target = (Path(folder) / path).resolve()
                if not target.is_relative_to(Path(folder).resolve()):
                    raise Unreadable(f"the command names a file outside of its folder: {path}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
            yield
        finally:
            os.chdir(before)


def output_of(section: Section, before: Json, repairs: list[str]) -> Json:
    """The documented answer; that of the example before where the document says that it is the same."""
    for block in section.blocks:
        if is_output(block) and block.text.lstrip()[:1] in ("{", "["):
            return lenient_json(block.text, repairs, "the output")
    if "output is identical to the previous example" in section.prose.lower():
        return before
    return None


def cli_examples(folder: Path, cli: Cli, found: Found) -> None:
    for service, operations in OPERATIONS.items():
        for operation in operations:
            command = command_of(operation)
            document = folder / service / f"{command}.rst"
            if not document.is_file():
                found.without.append({"source": "awscli", "service": service, "operation": operation})
                continue
            before: Json = None
            for section in sections(document.read_text()):
                before = cli_section(section, Example("awscli", service, operation, section.title), before, cli, found)


def cli_section(section: Section, example: Example, before: Json, cli: Cli, found: Found) -> Json:
    """Reads one section of a document into `found`; gives its output."""
    commands = [block for block in section.blocks if block.text.lstrip().startswith("aws ")]
    if not commands:
        shown = ", ".join(repr(block.label[:60]) for block in section.blocks)
        found.skip(example, "input", f"the section has no command line, only: {shown}")
        return before
    try:
        example.output = output_of(section, before, example.repairs)
    except Unreadable as reason:
        found.skip(example, "output", str(reason))
    wanted = [example.service, command_of(example.operation)]
    for block in commands:
        try:
            for arguments in arguments_of(block.text, example.repairs):
                if arguments[:2] != wanted:
                    found.skip(example, "input", f"a command of another operation: {' '.join(arguments[:2])}")
                    continue
                if example.input is not None:
                    found.skip(example, "input", "a second command in one example")
                    continue
                with folder_with(files_of(section, arguments, example.repairs)):
                    example.input = cli.input_of(arguments)
        except Unreadable as reason:
            found.skip(example, "input", str(reason))
    if example.input is not None or example.output is not None:
        found.examples.append(example)
    return example.output


# --- all of it ------------------------------------------------------------------------------------------------------


def collect(botocore_data: Path) -> Json:
    import awscli  # in the environment of the AWS CLI

    cli, found, times = Cli(), Found(), Times()
    botocore_examples(botocore_data, found)
    cli_examples(Path(awscli.__file__).parent / "examples", cli, found)
    for example in found.examples:
        model = cli.model(example.service, example.operation)
        example.input = times.convert(example.input, model.input_shape)
        example.output = times.convert(example.output, model.output_shape)

    def of(source: str) -> dict[str, int]:
        own = [example for example in found.examples if example.source == source]
        return {
            "examples": len(own),
            "inputs": sum(example.input is not None for example in own),
            "outputs": sum(example.output is not None for example in own),
            "repaired": sum(bool(example.repairs) for example in own),
            "skipped": sum(skipped["source"] == source for skipped in found.skipped),
        }

    return {
        "counts": {"botocore": of("botocore"), "awscli": of("awscli"), "times converted": times.converted},
        "examples": [vars(example) for example in found.examples],
        "skipped": found.skipped,
        "without": found.without,
        "leaves": botocore_leaves(botocore_data),
    }


def main() -> None:
    if len(sys.argv) == 1:
        # Once more, with the Python that has the AWS CLI, and the place of the other package.
        python, moto = virtualenvs.python_of("awscli"), virtualenvs.python_of("moto")
        [botocore_data] = moto.parent.parent.glob("lib/python*/site-packages/botocore/data")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        environment |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        os.execve(python, [str(python), __file__, str(botocore_data)], environment)
    result = collect(Path(sys.argv[1]))
    json.dump(result, sys.stdout, indent=1)
    print()
    print(json.dumps(result["counts"]), file=sys.stderr)


if __name__ == "__main__":
    main()
