"""Many AWS CLI commands in one process: each takes a tenth of the second that a process of its own takes.

Standard input is a JSON list of argument lists. Standard output is a JSON list of what each printed, in the same order.
The first command that fails ends it, with that command's exit code.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver

commands: list[list[str]] = json.load(sys.stdin)
answers: list[object] = []
# What it has read of the services' models is shared: that is most of the second.
loader = create_clidriver().session.get_component("data_loader")
for command in commands:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        # A driver each, as in a process each: what one command registers is not the next one's.
        driver = create_clidriver()
        driver.session.register_component("data_loader", loader)
        status = driver.main([*command, "--output", "json"])
    if status != 0:
        print(f"aws {' '.join(command)}", file=sys.stderr)
        sys.exit(status)
    answers.append(json.loads(printed.getvalue() or "null"))
json.dump(answers, sys.stdout)
