"""Bridges to transformers: their activations, measured with the instruments of sparse codes.

What needs only arrays works without PyTorch. Names that need it load it when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__: list[str] = []

#: Names whose modules import PyTorch, and those modules.
_NEED_TORCH: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
