"""The memory of a process of its own, whose peak nothing before it has raised."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["GIB", "alone", "forget_peak", "peak", "resident"]

ROOT = Path(__file__).resolve().parent.parent.parent
CHILD = (
    "import json, sys; from importlib import import_module; "
    "module, name, *arguments = json.loads(sys.argv[1]); "
    "print(json.dumps(getattr(import_module(module), name)(*arguments)))"
)
GIB = 2.0**30


def alone(module: str, name: str, *arguments: Any) -> Any:
    """Return what a function returns in a fresh process; all that passes must be JSON."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps([module, name, *arguments])],
        check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def forget_peak() -> None:
    """Give freed memory back and let the peak begin anew, where the system can."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Return the most memory that was held, in GiB; since `forget_peak` where the system tells."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) * 1024 / GIB
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB


def resident() -> float:
    """Return the memory that is held now, where the system tells, else the peak so far."""
    table = Path("/proc/self/statm")
    if not table.exists():
        return peak()
    return int(table.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / GIB
