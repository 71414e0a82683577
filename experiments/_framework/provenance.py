"""Where a result came from: revision, source, versions and machine, without names or paths."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from sparsecode._versions import installed_versions

__all__ = ["ROOT", "provenance", "source_hash"]

#: The checkout.
ROOT = Path(__file__).resolve().parents[2]


def provenance(experiment_file: Path | None = None) -> dict[str, Any]:
    """Return what a reader needs to trust or repeat a result.

    Parameters
    ----------
    experiment_file : pathlib.Path, optional
        The module that declares the experiment; it takes part in the source hash.
    """
    # records that other runs have left there are no change of what is run
    status = _git("status", "--porcelain", "--", ".", ":!docs/records")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "source": source_hash(experiment_file),
        "cpu": _cpu_model(),
        "threads": _threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": installed_versions(),
    }


def source_hash(experiment_file: Path | None = None) -> str:
    """Return a hash of all code a result depends on: packages, shared helpers, the experiment."""
    packages = [ROOT / name for name in ("sparsecode", "sdr", "memory")]
    sources = [path for package in packages for path in package.rglob("*.py")]
    sources += (ROOT / "experiments").glob("_*.py")
    if experiment_file is not None:
        sources.append(experiment_file)
    digest = hashlib.sha256()
    for path in sorted(set(sources)):
        digest.update(path.name.encode() + b"\n" + path.read_bytes())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    """Return git's answer about the checkout, or None where there is no git or no commit."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@cache
def _cpu_model() -> str:
    """Return the processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> dict[str, int]:
    """Return how many threads the machine lends us, and how many each library takes."""
    lent = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    counts = {"available": lent or 1}
    if "numba" in sys.modules:
        counts["numba"] = sys.modules["numba"].config.NUMBA_NUM_THREADS
    for pool in threadpool_info():
        counts[pool["internal_api"]] = pool["num_threads"]
    return counts
