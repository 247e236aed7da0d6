#!/usr/bin/env python3
"""Drive the AWS CLI through an account: create, update and read a cluster, a service, a target group, a listener rule
and scaling policies; compare what it prints with what AWS documents.

    tests/emulator/cli_tour.py emulator|simulated        # the endpoints come from the AWS SDK's variables

Three checks of every output: it is of the shape of botocore's model of the operation; it has every member that AWS's
own example of the command shows (the CLI's example page, else botocore's), down to the last one; and it says what the
tour says it does. What an example shows and this account does not is listed in `LACKS`, each with the reason; a row
that is not needed any more fails. Prints a line for each command. Exit code 1 when anything is not as documented.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shlex
import sys
import time
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True  # no __pycache__ in the repository

import contract_shapes  # noqa: E402
import documented_examples  # noqa: E402
import virtualenvs  # noqa: E402
from cli_tour_stops import STOPS, Stop  # noqa: E402
from contract_match import differences  # noqa: E402
from contract_values import TableError, at, filled  # noqa: E402

Json = Any

# Counterpart ("" for all), command, member of the example that is not printed, and why.
LACKS: list[tuple[str, str, str, str]] = [
    (
        "emulator",
        "elbv2 create-load-balancer",
        "/LoadBalancers/*/SecurityGroups/*",
        "moto gives no default security group",
    ),
    (
        "emulator",
        "elbv2 create-load-balancer",
        "/LoadBalancers/*/Scheme",
        "moto keeps the scheme only when it is given",
    ),
    (
        "",
        "ecs update-service",
        "/service/deploymentConfiguration/alarms",
        "absent where no alarms were given: recorded answers have both forms",
    ),
]
LOOK_SECONDS = 0.2


class Tour:
    """The stops, one after the other, in one process: what each prints is all that is looked at."""

    def __init__(self, counterpart: str) -> None:
        from awscli.clidriver import create_clidriver  # in the environment of the AWS CLI

        self.create_driver = create_clidriver
        self.driver = create_clidriver()
        self.loader = self.driver.session.get_component("data_loader")
        self.counterpart = counterpart
        self.lacks = [row for row in LACKS if row[0] in ("", counterpart)]
        self.needed: set[int] = set()
        self.variables: dict[str, Json] = {"own": "tour-" + secrets.token_hex(3), **self.network()}

    def network(self) -> dict[str, str]:
        """The simulated account has no EC2, and takes any name."""
        if self.counterpart == "simulated":
            return {"vpc": "vpc-0contract", "subnet1": "subnet-0contract1", "subnet2": "subnet-0contract2"}
        vpc = self.aws("ec2 create-vpc --cidr-block 10.201.0.0/16")["Vpc"]["VpcId"]
        tags = "--tag-specifications ResourceType=subnet,Tags=[{Key=Name,Value=tour}]"
        create = f"ec2 create-subnet --vpc-id {vpc} {tags}"
        zone = os.environ["AWS_REGION"]
        made = [
            self.aws(f"{create} --cidr-block 10.201.{n}.0/24 --availability-zone {zone}{letter}")["Subnet"]["SubnetId"]
            for n, letter in enumerate("ab")
        ]
        return {"vpc": vpc, "subnet1": made[0], "subnet2": made[1]}

    def aws(self, command: str) -> Json:
        """What the CLI prints, read. A driver each, as in a process each; the models that were read are shared."""
        driver = self.create_driver()
        driver.session.register_component("data_loader", self.loader)
        printed, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            try:
                status = driver.main([*shlex.split(command), "--output", "json"])
            except SystemExit as exit:
                status = exit.code
        if status:
            raise TableError(f"exit code {status}: {' '.join(complained.getvalue().split())}")
        return json.loads(printed.getvalue() or "{}")

    def stop(self, stop: Stop) -> list[str]:
        """What is wrong with it."""
        command = str(filled(stop.command, self.variables))
        says = filled(stop.says, self.variables)
        deadline = time.monotonic() + stop.until
        while True:
            printed = self.aws(command)
            wrong = differences(says, printed)
            if not wrong or time.monotonic() > deadline:
                break
            time.sleep(LOOK_SECONDS)
        for name, pointer in stop.keep.items():
            self.variables[name] = at(printed, pointer)
        service, name = command.split()[:2]
        model = self.model(service, name)
        wrong += [
            f"not of the documented shape: {each}" for each in contract_shapes.of_document(model, printed, "printed")
        ]
        if stop.example and model.output_shape and model.output_shape.members:
            example = example_of(service, name, model.name, stop.example)
            if example is None:
                wrong.append("there is no documented output of it")
            else:
                lacking = sorted(set(lacks(example, printed, "")))
                wrong += [each for each in lacking if not self.is_known(f"{service} {name}", each)]
        return wrong

    def is_known(self, command: str, finding: str) -> bool:
        rows = [n for n, row in enumerate(self.lacks) if row[1] == command and finding.startswith(row[2])]
        self.needed.update(rows)
        return bool(rows)

    def model(self, service: str, command: str) -> Any:
        model = self.driver.session.get_service_model(service)
        operations = {documented_examples.command_of(name): name for name in model.operation_names}
        return model.operation_model(operations[command])


def example_of(service: str, command: str, operation: str, number: int) -> Json:
    """The output of an example of the CLI's page; where that shows none, of botocore's examples of the operation."""
    import awscli  # in the environment of the AWS CLI

    folder = Path(awscli.__file__).parent
    page = folder / "examples" / service / f"{command}.rst"
    sections = documented_examples.sections(page.read_text()) if page.is_file() else []
    shown = [s for s in sections if any(block.text.lstrip().startswith("aws ") for block in s.blocks)]
    output = documented_examples.output_of(shown[number - 1], None, []) if len(shown) >= number else None
    if output is None:
        files = sorted((folder / "botocore" / "data" / service).glob("*/examples-1.json"))
        examples = json.loads(files[-1].read_text())["examples"].get(operation, []) if files else []
        output = next((example["output"] for example in examples if example.get("output")), None)
    return output


def lacks(example: Json, printed: Json, path: str) -> list[str]:
    """The members of an example that are not printed. Of a list, every item of the example has to have one like it."""
    if isinstance(example, dict) and isinstance(printed, dict):
        missing = [f"{path}/{key} is in AWS's example, but is not printed" for key in example.keys() - printed.keys()]
        return missing + [
            each
            for key in example.keys() & printed.keys()
            for each in lacks(example[key], printed[key], f"{path}/{key}")
        ]
    if isinstance(example, list) and isinstance(printed, list) and example:
        if not printed:
            return [f"{path}/* is in AWS's example, but nothing is printed"]
        return [
            each
            for item in example
            for each in min((lacks(item, candidate, f"{path}/*") for candidate in printed), key=len)
        ]
    return (
        []
        if type(example) is type(printed) or is_scalar(example) and is_scalar(printed)
        else [f"{path} is of another type"]
    )


def is_scalar(value: Json) -> bool:
    """Times are numbers in some examples, and texts in others."""
    return not isinstance(value, (dict, list))


def tour(counterpart: str) -> int:
    going = Tour(counterpart)
    failed = 0
    for stop in STOPS:
        try:
            wrong = going.stop(stop)
        except TableError as error:
            wrong = [str(error)]
        failed += bool(wrong)
        print(f"{'DIFFERS' if wrong else 'ok     '} aws {' '.join(stop.command.split()[:2])}", flush=True)
        for line in wrong:
            print(f"        {line}", flush=True)
    unneeded = [row for n, row in enumerate(going.lacks) if n not in going.needed]
    for row in unneeded:
        print(f"nothing needs the row {row}")
    print(f"{len(STOPS) - failed} as documented, {failed} differ")
    return 1 if failed or unneeded else 0


def main() -> int:
    if sys.argv[1:] not in (["emulator"], ["simulated"]) or not os.environ.get("AWS_ENDPOINT_URL"):
        print("cli_tour.py emulator|simulated; AWS_ENDPOINT_URL is needed", file=sys.stderr)
        return 2
    virtualenvs.enter("awscli")  # another Python may have another AWS CLI
    return tour(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
