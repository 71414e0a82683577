"""What a bug report and a record need to know of an installation."""

from __future__ import annotations

import platform
from importlib import metadata

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


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of every installed package that matters here.

    Returns
    -------
    dict of str to str
        Versions by distribution name; packages that are not installed are left out.
    """
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def show_versions() -> None:
    """Print the versions of Python and the packages, and the thread pools in use."""
    from threadpoolctl import threadpool_info

    from sparsecode._jit import threads

    for package, version in installed_versions().items():
        print(f"{package:>14} {version}")
    for pool in threadpool_info():
        print(f"{pool['internal_api']:>14} {pool['num_threads']} threads")
    with threads() as n_threads:
        print(f"{'kernels':>14} {n_threads} threads")
