"""The request ledger: one JSON line for every request that a client sends to the emulator.

The file is named by DRIFTLESS_EMULATOR_LEDGER. Tests read it to count writes ("a second sync sends nothing"),
which no emulator can tell by itself. Requests that the emulator makes to itself (ECS registering targets,
prepare.py filling the account) carry INTERNAL_USER_AGENT and are left out.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

INTERNAL_USER_AGENT = "driftless-emulator-internal"


def record(
    service: str,
    operation: str,
    account: str,
    request: Any,
    status: int,
    *,
    region: str = "",
    user_agent: str = "",
) -> None:
    """Append one request. One write() on an O_APPEND file, so that two servers can share the file."""
    path = os.environ.get("DRIFTLESS_EMULATOR_LEDGER")
    if not path or INTERNAL_USER_AGENT in user_agent:
        return
    entry = {
        "time": round(time.time(), 3),
        "service": service,
        "operation": operation,
        "account": account,
        "region": region,
        "status": status,
        "client": user_agent,
        "input": request,
    }
    line = json.dumps(entry, default=str, ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
