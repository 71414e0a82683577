"""What objectives, datasets and solvers inherit: benchopt's classes where it is installed.

The ratio tables need of benchopt no more than parameters by name, which `Named` offers too, so
that they and the tests run without it.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["BaseDataset", "BaseObjective", "BaseSolver", "Named"]


class Named:
    """An object with a name and parameters, made as benchopt makes them."""

    name: str
    parameters: dict[str, list[Any]] = {}  # noqa: RUF012  # as benchopt spells it

    @classmethod
    def get_instance(cls, **parameters: Any) -> Any:
        """Return an instance with these parameters, and the first known value of the others."""
        made = cls()
        values = {name: known[0] for name, known in cls.parameters.items()} | parameters
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def skip(self, **given: Any) -> tuple[bool, str | None]:
        """Say that nothing speaks against a run."""
        return False, None

    def pre_run_hook(self, stop_val: Any) -> None:
        """Prepare nothing before the clock starts."""


BaseDataset: Any = Named
BaseObjective: Any = Named
BaseSolver: Any = Named

if find_spec("benchopt"):
    benchopt = import_module("benchopt")
    BaseDataset = benchopt.BaseDataset
    BaseObjective = benchopt.BaseObjective
    BaseSolver = benchopt.BaseSolver
