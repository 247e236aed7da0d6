"""Virtual environments for the emulator, made on first use and kept in a cache outside the repository."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

HERE = Path(__file__).resolve().parent


def home() -> Path:
    """Where the virtual environments live: $DRIFTLESS_EMULATOR_HOME, else ~/.cache/driftless-emulator."""
    configured = os.environ.get("DRIFTLESS_EMULATOR_HOME")
    return Path(configured) if configured else Path.home() / ".cache" / "driftless-emulator"


def python_of(name: str) -> Path:
    """The interpreter of the environment made from requirements-NAME.txt, installing it if it is not there.

    The folder's name holds a hash of the requirements and of the Python version, so a changed pin makes a new
    environment and an old one is never half upgraded. Concurrent first uses wait for one another on a lock file.
    """
    requirements = HERE / f"requirements-{name}.txt"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = home() / f"{name}-{key}"
    python = environment / "bin" / "python"
    complete = environment / ".complete"
    if complete.exists():
        return python
    with _lock(home() / f"{name}.lock"):
        if not complete.exists():
            _install(environment, requirements)
            complete.touch()
    return python


def enter(name: str) -> None:
    """Go on in that environment: the same script with its interpreter, unless it is that already."""
    python = python_of(name)
    if Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])


def _install(environment: Path, requirements: Path) -> None:
    print(f"emulator: installing {requirements.name} into {environment} (once)", file=sys.stderr)
    started = time.monotonic()
    shutil.rmtree(environment, ignore_errors=True)  # what an interrupted run left behind
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    for command in ([sys.executable, "-m", "venv", str(environment)], [*pip, "-r", str(requirements)]):
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode != 0:
            shutil.rmtree(environment, ignore_errors=True)
            sys.exit(f"emulator: failed: {' '.join(command)}\n{result.stdout}{result.stderr}")
    print(f"emulator: installed in {time.monotonic() - started:.0f} s", file=sys.stderr)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("emulator: another process is installing; waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
