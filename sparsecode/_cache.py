"""Where compiled kernels are kept: a folder that changes whenever their source does."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

__all__ = ["use_hashed_numba_cache"]


def _kernel_sources(root: Path) -> list[Path]:
    """Return every file whose code is compiled into kernels."""
    packages = [root / name for name in ("sparsecode", "sdr", "memory", "experiments")]
    names = "*_kernels.py", "*_simd.py"
    kernels = [path for package in packages for name in names for path in package.rglob(name)]
    penalties = list((root / "sparsecode" / "penalties").glob("*.py"))
    return sorted([root / "sparsecode" / "_jit.py", *kernels, *penalties])


def use_hashed_numba_cache() -> Path:
    """Set ``NUMBA_CACHE_DIR`` to a folder named by a hash of all kernel sources.

    Numba notices an edit of the file that holds a kernel, but not of the files whose kernels
    and formulas are compiled into it. Tests and command lines call this before Numba is
    imported, so that stale machine code is never run. A value that is set already is left alone.

    Returns
    -------
    pathlib.Path
        The folder in use.
    """
    root = Path(__file__).resolve().parent.parent
    if "NUMBA_CACHE_DIR" not in os.environ:
        digest = hashlib.sha256()
        for path in _kernel_sources(root):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home) / "sparsecode" / "numba" / digest.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            # a new one: what others could have put there would be run
            folder = Path(tempfile.mkdtemp(prefix="sparsecode-numba-"))
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return Path(os.environ["NUMBA_CACHE_DIR"])
