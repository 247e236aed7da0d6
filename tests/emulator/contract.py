#!/usr/bin/env python3
"""Run the table of `tests/it/contract` against an account.

    tests/emulator/run tests/emulator/contract.py emulator
    AWS_ENDPOINT_URL=http://127.0.0.1:PORT ... tests/emulator/contract.py simulated --only rule-
    tests/emulator/contract.py --write-differences docs/emulator-differences.md      # calls nothing

The endpoints come from the AWS SDK's variables. Every scenario is a line; what is not as the table says follows it.
Where a step of the table says that this account differs, it has to differ just so: an account that begins to do as AWS
does is reported, too, so that the table stays true. Every answer is held against botocore's model of it; where it is
not of that shape, `shapes.json` has to know. Exit code 1 when anything is not as it should be.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import secrets
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

sys.dont_write_bytecode = True  # no __pycache__ in the repository

import virtualenvs  # noqa: E402

if __name__ == "__main__":
    virtualenvs.enter("moto")  # has the newest botocore

import contract_differences  # noqa: E402
import contract_table  # noqa: E402
from contract_client import Answered, Clients, surroundings  # noqa: E402
from contract_match import MISSING, differences, shown  # noqa: E402
from contract_table import COUNTERPARTS, Scenario, Step, Table  # noqa: E402
from contract_values import TableError, at, filled  # noqa: E402

Json = Any

REPOSITORY = Path(__file__).resolve().parents[2]
LOOK_SECONDS = 0.1
TOKEN_PAGES = 200


class Failed(Exception):
    """A step did not go as the table says."""

    def __init__(self, step: Step, request: Json, found: list[str]) -> None:
        super().__init__(step.call)
        self.step, self.request, self.found = step, request, found


class Run:
    """Scenarios against one counterpart."""

    def __init__(self, counterpart: str, table: Table) -> None:
        self.counterpart = counterpart
        self.clients = Clients()
        self.surroundings = surroundings(self.clients, counterpart)
        self.number = secrets.token_hex(2)
        self.shapes = [each for each in table.shapes if each["counterpart"] in ("AWS", counterpart)]
        self.met: Counter[int] = Counter()

    def scenario(self, scenario: Scenario, number: int) -> list[str]:
        """What is wrong, a line each."""
        own = {"own": f"c{self.number}-{number}", "now": int(time.time() * 1000)}
        variables = {**self.surroundings, **own}
        try:
            return self._steps(scenario, variables)
        finally:
            for step in scenario.last:
                self.clients.call(step.call, filled(step.members.get("input", {}), variables), scenario.protocol)

    def _steps(self, scenario: Scenario, variables: dict[str, Json]) -> list[str]:
        for place, step in enumerate(scenario.given + scenario.steps, start=1 - len(scenario.given)):
            try:
                for each in self._each(step, variables):
                    self._step(step, each, scenario.protocol)
                    variables |= {key: value for key, value in each.items() if key not in step.members.get("for", {})}
            except Failed as failed:
                head = f"step {place}, {failed.step.call} {shown(failed.request)}"
                return [head, *("  " + line for line in failed.found)]
            except TableError as error:
                return [f"step {place}: {error}"]
            if step.differs.get(self.counterpart, {}).get("ends"):
                break
        return []

    def _each(self, step: Step, variables: dict[str, Json]) -> Iterator[dict[str, Json]]:
        counted = step.members.get("for")
        if not counted:
            yield variables
            return
        [(name, count)] = counted.items()
        for number in range(1, count + 1):
            yield {**variables, name: number}

    def _step(self, step: Step, variables: dict[str, Json], protocol: str) -> None:
        request = filled(step.members.get("input", {}), variables)
        expected = filled(step.outcome(self.counterpart), variables)
        time.sleep(expected.get("after", 0))
        deadline = time.monotonic() + expected.get("until", 0)
        while True:
            answered, sizes = self._call(step, request, expected, protocol)
            wrong = unlike(expected, answered, sizes)
            if not wrong or time.monotonic() > deadline:
                break
            time.sleep(LOOK_SECONDS)
        wrong += self._misshapen(step.call, answered)
        if not wrong and self.counterpart in step.differs:
            documented = {
                key: step.members[key] for key in ("answer", "error", "message", "pages") if key in step.members
            }
            if not unlike(filled(documented, variables), answered, sizes):
                wrong = ["it does as AWS does: its entry in `differs` has to go"]
        for name, pointer in step.members.get("keep", {}).items():
            value = at(answered.document, filled(pointer, variables))
            if value is not MISSING:
                variables[str(filled(name, variables))] = value
            elif not wrong and "ends" not in step.differs.get(self.counterpart, {}):
                wrong = [f"nothing at {pointer} to keep as {name}"]
        if wrong:
            raise Failed(
                step,
                request,
                [*wrong, f"it answered {shown(answered.document) if not answered.code else answered.text()}"],
            )

    def _call(self, step: Step, request: Json, expected: Json, protocol: str) -> tuple[Answered, list[int]]:
        """The answer, that of all pages where the table wants pages, and their sizes."""
        if "pages" not in expected:
            return self.clients.call(step.call, request, protocol), []
        pages = self.clients.pages(step.call)
        [token], [next_token] = as_list(pages["input_token"]), as_list(pages["output_token"])
        into = as_list(pages["result_key"])[0]
        whole = Answered()
        sizes: list[int] = []
        while len(sizes) < TOKEN_PAGES:
            answered = self.clients.call(step.call, request, protocol)
            if answered.code:
                return answered, sizes
            whole.misshapen += answered.misshapen
            items = answered.document.get(into, [])
            sizes.append(len(items))
            whole.document = {**answered.document, into: (whole.document or {}).get(into, []) + items}
            if not answered.document.get(next_token):
                break
            request = {**request, token: answered.document[next_token]}
        return whole, sizes

    def _misshapen(self, call: str, answered: Answered) -> list[str]:
        unknown = []
        for found in answered.misshapen:
            rows = [n for n, row in enumerate(self.shapes) if row["call"] == call and found.startswith(row["finding"])]
            self.met.update(rows)
            unknown += [] if rows else [f"not of the documented shape: {found}"]
        return unknown

    def stale_shapes(self) -> list[str]:
        """Rows of shapes.json that no answer needed; what AWS does, this account may do otherwise."""
        rows = [row for n, row in enumerate(self.shapes) if not self.met[n] and row["counterpart"] != "AWS"]
        return [f"{row['call']} {row['finding']}" for row in rows]


def as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def unlike(expected: Json, answered: Answered, sizes: list[int]) -> list[str]:
    """How an answer is not the expected one."""
    if "error" in expected:
        if answered.code != expected["error"]:
            return [f"{answered.text()}, wanted the error {expected['error']}"]
        return (
            differences({"$matches": expected["message"]}, answered.message, "message") if "message" in expected else []
        )
    if answered.code:
        return [f"{answered.text()}, wanted an answer"]
    wrong = differences(expected.get("answer", {}), answered.document)
    if "pages" in expected and sizes != expected["pages"]:
        wrong.append(f"pages of {sizes}, wanted {expected['pages']}")
    return wrong


def run(table: Table, counterpart: str, only: list[str], jobs: int) -> int:
    chosen = [
        (number, scenario)
        for number, scenario in enumerate(table.scenarios)
        if not only or any(text in f"{scenario.file} {scenario.title}" for text in only)
    ]
    running = Run(counterpart, table)
    wrong_table = contract_table.mistakes(table, running.clients)
    for each in wrong_table:
        print(f"the table: {each}")
    failed = 0
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda each: running.scenario(each[1], each[0]), chosen)
        for (_, scenario), wrong in zip(chosen, results):
            failed += bool(wrong)
            print(f"{'DIFFERS' if wrong else 'ok     '} {scenario.file} {scenario.title}", flush=True)
            for line in wrong:
                print(f"        {line}", flush=True)
    stale = [] if only or failed else running.stale_shapes()
    for each in stale:
        print(f"shapes.json has a row that nothing needs: {each}")
    print(f"{len(chosen) - failed} as AWS does, {failed} differ, in {time.monotonic() - started:.0f} s")
    return 1 if failed or stale or wrong_table or not chosen else 0


def check(table: Table, differences_file: Path, policy: Path) -> int:
    """Whether the committed file is up to date, and the table calls all that the product may call."""
    wrong = contract_table.mistakes(table, Clients())
    if differences_file.read_text() != contract_differences.text(table):
        wrong.append(f"{differences_file} is old: contract.py --write-differences writes it")
    called = {contract_table.action(step.call) for each in table.scenarios for step in each.given + each.steps}
    statements = json.loads(policy.read_text())["Statement"]
    allowed = {action for statement in statements for action in as_list(statement["Action"])}
    wrong += [f"nothing calls {action}" for action in sorted(allowed - called) if not action.startswith("iam:")]
    for each in wrong:
        print(each)
    return 1 if wrong else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="contract.py", description="Run the contract's table against an account.")
    parser.add_argument("counterpart", nargs="?", choices=COUNTERPARTS)
    parser.add_argument("--table", type=Path, default=REPOSITORY / "tests/it/contract", metavar="DIR")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="scenarios with TEXT in their names"
    )
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="scenarios at once")
    parser.add_argument("--list", action="store_true", help="print every scenario and what it says")
    parser.add_argument("--write-differences", type=Path, metavar="FILE", help="write what differs, and call nothing")
    parser.add_argument(
        "--check",
        nargs=2,
        type=Path,
        metavar=("FILE", "POLICY"),
        help="call nothing; fail if --write-differences writes another FILE, or the table lacks an action of POLICY",
    )
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    try:
        table = contract_table.read(arguments.table)
    except TableError as error:
        print(f"the table: {error}")
        return 1
    if arguments.list:
        for scenario in table.scenarios:
            print(f"{scenario.file} {scenario.title}: {scenario.says}")
        return 0
    if arguments.write_differences:
        arguments.write_differences.write_text(contract_differences.text(table))
        return 0
    if arguments.check:
        return check(table, *arguments.check)
    if not arguments.counterpart or not os.environ.get("AWS_ENDPOINT_URL"):
        print("a counterpart and AWS_ENDPOINT_URL are needed", file=sys.stderr)
        return 2
    return run(table, arguments.counterpart, arguments.only, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
