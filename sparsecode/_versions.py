"""What a bug report and a record need to know of an installation."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["installed_versions", "show_versions"]

_PACKAGES = (
    "sparsecode",
    "numpy",
    "scipy",
    "numba",
    "scikit-learn",
    "scikit-image",
    "matplotlib",
    "brian2",
    "torch",
    "dask",
)
#: What only a bug report asks for.
_OTHERS = ("llvmlite", "joblib", "pillow", "pooch", "safetensors", "threadpoolctl", "tqdm", "zarr")
#: Variables of the environment that change how many threads compute, and where kernels are kept.
_VARIABLES = (
    "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER", "NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
#: What kernels gain from, of all that a processor may offer.
_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512vpopcntdq", "neon", "sve")


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of every installed package that matters here.

    Returns
    -------
    dict of str to str
        Versions by distribution name; packages that are not installed are left out.
    """
    return {"python": platform.python_version(), **_versions(_PACKAGES)}


def show_versions() -> None:
    """Print what a bug report should hold: versions, machine, threads, BLAS, the kernels' cache.

    Nothing in it names a user, a host or a folder of theirs.

    Examples
    --------
    ::

        python -c "import sparsecode; sparsecode.show_versions()"
    """
    from threadpoolctl import threadpool_info

    from sparsecode._jit import available_threads, threads

    _print("versions", {**installed_versions(), **_versions(_OTHERS)})
    name, features = _processor()
    _print(
        "machine",
        {
            "system": f"{platform.system()} {platform.release()}",
            "architecture": platform.machine(),
            "processor": name,
            "features": ", ".join(each for each in _FEATURES if each in features) or "unknown",
            "cores": f"{os.cpu_count()}, of which {_usable_cores()} may be used",
        },
    )
    with threads() as n_threads:
        kernels = {"threads": f"{n_threads} of {available_threads()}", "layer": _layer()}
    _print("kernels", {**kernels, "cache": _cache_state()})
    pools: dict[str, str] = {}
    for pool in threadpool_info():
        known = [pool.get(key) for key in ("version", "architecture", "threading_layer")]
        about = ", ".join(
            [*(str(each) for each in known if each), f"{pool['num_threads']} threads"]
        )
        place = Path(pool["filepath"]).name.partition("-")[0]
        pools[f"{pool['internal_api']} ({place})"] = about
    _print("thread pools", pools)
    _print("environment", {each: os.environ[each] for each in _VARIABLES if each in os.environ})


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _print(title: str, entries: dict[str, Any]) -> None:
    if entries:
        print(title)
        width = max(map(len, entries))
        for name, value in entries.items():
            print(f"  {name:>{width}} {value}")


def _processor() -> tuple[str, set[str]]:
    """Return the name of the processor, as LLVM knows it, and what it offers."""
    import llvmlite.binding as llvm

    features = {name for name, there in llvm.get_host_cpu_features().items() if there}
    return llvm.get_host_cpu_name(), features


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _layer() -> str:
    """Return the layer that runs Numba's parallel loops, which the first of them settles."""
    import numba

    try:
        return str(numba.threading_layer())
    except ValueError:
        return f"none yet ({numba.config.THREADING_LAYER})"  # type: ignore[attr-defined]


def _cache_state() -> str:
    """Say how much the cache of kernels holds, and whose folder it is, but not where."""
    from sparsecode._cache import kernel_folder

    folder = kernel_folder()
    place = "NUMBA_CACHE_DIR" if "NUMBA_CACHE_DIR" in os.environ else "the user's caches"
    try:
        sizes = [path.stat().st_size for path in folder.rglob("*.nbc")]
        writable = "writable" if os.access(folder, os.W_OK) else "not writable"
    except OSError as error:
        return f"in {place}, not readable ({type(error).__name__})"
    return f"{len(sizes)} kernels, {sum(sizes) / 2**20:.1f} MiB, in {place}, {writable}"
