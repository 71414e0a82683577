"""Sparse codes: learnt, certified, stored and compared on one footing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsecode import (
        core,
        datasets,
        estimators,
        learning,
        penalties,
        plotting,
        receptive_fields,
        solvers,
    )
    from sparsecode._versions import show_versions
    from sparsecode.core.code import SparseCode

__version__ = "0.1.0.dev0"

__all__ = [
    "SparseCode",
    "__version__",
    "core",
    "datasets",
    "estimators",
    "learning",
    "penalties",
    "plotting",
    "receptive_fields",
    "show_versions",
    "solvers",
]

#: Names that live in a module of their own; everything else in ``__all__`` is a module.
_HOMES = {"SparseCode": "sparsecode.core.code", "show_versions": "sparsecode._versions"}


def __getattr__(name: str) -> Any:
    """Import on first use, so that command lines can choose the kernel cache before Numba loads."""
    if name not in __all__:
        raise AttributeError(f"module 'sparsecode' has no attribute {name!r}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    return import_module(f"sparsecode.{name}")


def __dir__() -> list[str]:
    return __all__
