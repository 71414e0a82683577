"""Where compiled kernels are kept: a folder that changes whenever their source does."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["kernel_folder", "use_hashed_numba_cache"]


def _kernel_sources(root: Path) -> list[Path]:
    """Return every file whose code is compiled into kernels."""
    packages = [root / name for name in ("sparsecode", "sdr", "memory", "experiments")]
    names = "*_kernels.py", "*_simd.py"
    kernels = [path for package in packages for name in names for path in package.rglob(name)]
    penalties = list((root / "sparsecode" / "penalties").glob("*.py"))
    return sorted([root / "sparsecode" / "_jit.py", *kernels, *penalties])


def kernel_folder() -> Path:
    """Return the folder where this process keeps compiled kernels.

    It is ``NUMBA_CACHE_DIR`` where that is set, else one of the user's, named by a hash of all
    kernel sources: the same for scripts, notebooks, tests and command lines.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen) if chosen else _hashed_folder()


@cache
def _hashed_folder() -> Path:
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in _kernel_sources(root):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    name = Path("sparsecode", "numba", digest.hexdigest()[:16])
    try:
        folder = _cache_home() / name
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError) as error:
        return _passing_folder(error)
    return folder


def _cache_home() -> Path:
    """Return the user's folder of caches; a user without a home raises RuntimeError."""
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else Path.home() / ".cache"


def _passing_folder(reason: Exception) -> Path:
    """Return a folder for this process alone: what others could have put there would be run."""
    folder = Path(tempfile.mkdtemp(prefix="sparsecode-numba-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not a child that was forked
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    logging.getLogger("sparsecode").warning(
        "sparsecode must compile its kernels anew in every process, for none of the user's folders "
        "can keep them (%s); set NUMBA_CACHE_DIR to one that can be written.",
        reason,
    )
    return folder


def use_hashed_numba_cache() -> Path:
    """Set ``NUMBA_CACHE_DIR`` to :func:`kernel_folder`, for child processes and all of Numba.

    Numba notices an edit of the file that holds a kernel, but not of the files whose kernels
    and formulas are compiled into it. Tests and command lines call this before Numba is
    imported, so that stale machine code is never run. A value that is set already is left alone.

    Returns
    -------
    pathlib.Path
        The folder in use.
    """
    folder = kernel_folder()
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return folder
