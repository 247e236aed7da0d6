"""What the contract's table says of accounts that do not do as AWS does, as one readable file."""

from __future__ import annotations

from contract_table import COUNTERPARTS, Scenario, Step, Table

HEAD = """\
# Where the counterparts of the tests differ from AWS

Written by `tests/emulator/contract.py --write-differences` from the table in `tests/it/contract`. Every line is checked
with every run: a counterpart that does something else than its line says fails, also when it begins to do as AWS does.
"Recorded answers" are those of real resources in the corpus of go-to-k/cdk-real-drift, the notes of go-to-k/cdkd, and
the issue trackers of Terraform's AWS provider and ecspresso.

{counts}
"""
NAMES = {
    "emulator": "The emulators (ministack for ECS, moto for the rest, repaired; see tests/emulator/README.md)",
    "simulated": "The simulated account (src/sim)",
}


def text(table: Table) -> str:
    """The whole file."""
    scenarios = {scenario.name: scenario for scenario in table.scenarios}.values()
    steps = sum(len(scenario.steps) for scenario in scenarios)
    counts = f"The table has {len(scenarios)} scenarios with {steps} steps."
    parts = [HEAD.format(counts=counts)]
    for counterpart in COUNTERPARTS:
        parts += [
            "## " + NAMES[counterpart] + "\n",
            *_answers(counterpart, list(scenarios)),
            *_shapes(counterpart, table),
        ]
    parts += ["## AWS itself\n", *_shapes("AWS", table)]
    return "\n".join(parts).rstrip("\n") + "\n"


def _answers(counterpart: str, scenarios: list[Scenario]) -> list[str]:
    rows = [
        _row(scenario, number, step, step.differs[counterpart])
        for scenario in scenarios
        for number, step in enumerate(scenario.steps, start=1)
        if counterpart in step.differs
    ]
    if not rows:
        return ["No answer differs.\n"]
    return ["| scenario, step | call | AWS | instead | source |", "| --- | --- | --- | --- | --- |", *rows, ""]


def _row(scenario: Scenario, number: int, step: Step, differs: dict[str, str]) -> str:
    says = step.members.get("says", scenario.says)
    source = differs["source"]
    return _cells(f"{scenario.name}, {number}", f"`{step.call}`", says, differs["instead"], source)


def _shapes(counterpart: str, table: Table) -> list[str]:
    rows = [
        _cells(f"`{row['call']}`", f"`{row['finding']}`", row["source"])
        for row in table.shapes
        if row["counterpart"] == counterpart
    ]
    if not rows:
        return ["Every answer is of the documented shape.\n"]
    head = ["Answers that are not of the documented shape:\n", "| call | member | source |", "| --- | --- | --- |"]
    return [*head, *rows, ""]


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
