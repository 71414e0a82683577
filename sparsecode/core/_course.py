"""What goes on step by step: its history, and the file that it goes on from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sparsecode._validation import check_count
from sparsecode.core.io import load_arrays, load_metadata, save_arrays, understood

__all__ = [
    "COLUMNS",
    "Checkpoint",
    "History",
    "Part",
    "check_callback",
    "describe",
    "taken",
    "taken_count",
]

#: What every learner says of a batch.
COLUMNS = ("mse", "objective", "density", "n_silent", "n_replaced", "n_unconverged")


class Part(Protocol):
    """Something whose state goes into a checkpoint."""

    def state(self) -> dict[str, np.ndarray]: ...
    def restore(self, arrays: dict[str, np.ndarray]) -> None: ...


class History:
    """The rows of a history as they come in, and the samples they are about.

    Parameters
    ----------
    *names : str
        Its columns.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self.rows: list[dict[str, Any]] = []
        self.n_samples = 0

    def append(self, row: dict[str, Any], n_samples: int) -> None:
        """Add what one batch gave."""
        self.rows.append(row)
        self.n_samples += n_samples

    def columns(self) -> dict[str, np.ndarray]:
        """Return one array a name."""
        return {name: np.array([row[name] for row in self.rows]) for name in self.rows[0]}

    def state(self) -> dict[str, np.ndarray]:
        """Return the columns and the number of samples."""
        return {**self.columns(), "n_samples": np.array(self.n_samples)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        columns = dict(arrays)
        self.n_samples = taken_count(columns, "n_samples")
        del columns["n_samples"]
        if set(self.names) != set(columns):
            raise ValueError(f"a history must have the columns {', '.join(self.names)}")
        if {column.ndim for column in columns.values()} != {1}:
            raise ValueError("the columns of a history must have one dimension")
        if len({column.size for column in columns.values()}) > 1:
            raise ValueError("the columns of a history must be equally long")
        values = zip(*(column.tolist() for column in columns.values()))
        self.rows = [dict(zip(columns, row)) for row in values]


class Checkpoint:
    """Everything the next step depends on, in one file that is whole or absent.

    Parameters
    ----------
    path : path-like or None
        A ``.safetensors`` file, in a folder that exists; None keeps nothing.
    every : int
        Steps between two checkpoints.
    kind : str
        What the file says of itself.
    """

    def __init__(self, path: Any, every: int, kind: str) -> None:
        self.kind = kind
        self.every = check_count("checkpoint_every", every)
        if not isinstance(path, str | os.PathLike | None):
            raise TypeError(
                f"checkpoint must be a path or None; got {path!r}. Pass the path of a "
                f".safetensors file."
            )
        self.path = None if path is None else Path(path)
        if self.path is None:
            return
        if self.path.suffix != ".safetensors":
            raise ValueError(f"checkpoint must be a .safetensors file; got {self.path.name}.")
        if not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint must lie in a folder that exists; {self.path.parent} does not. "
                f"Make it first."
            )

    def resume(self, parts: dict[str, Part], configuration: dict[str, Any]) -> Any:
        """Restore all parts from the file, if there is one; return its note, else None.

        Later checkpoints hold these parts, and tell `configuration` from others.
        """
        if self.path is None:
            return None
        self.parts = parts
        self.configuration = {name: describe(value) for name, value in configuration.items()}
        if not self.path.exists():
            return None
        metadata = load_metadata(self.path)
        if not isinstance(metadata, dict) or metadata.get("kind") != self.kind:
            raise ValueError(
                f"{self.path.name} must be a {self.kind}; got other arrays. Pass another path."
            )
        theirs = metadata.get("configuration")
        self._compare(theirs if isinstance(theirs, dict) else {})
        arrays = load_arrays(self.path)
        with understood(self.path, f"be a whole {self.kind}"):
            for name, part in parts.items():
                prefix = f"{name}."
                own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
                part.restore(own)
            return metadata["note"]

    def wind(self, generator: np.random.Generator, note: Any) -> None:
        """Set a generator to the state that a note of the file keeps."""
        assert self.path is not None
        with understood(self.path, f"be a whole {self.kind}"):
            generator.bit_generator.state = note

    def _compare(self, theirs: dict[str, str]) -> None:
        ours = self.configuration
        differing = [
            f"{name} = {theirs.get(name)} in the file, {ours.get(name)} here"
            for name in {**ours, **theirs}
            if theirs.get(name) != ours.get(name)
        ]
        if differing:
            said = "; ".join(one if len(one) < 200 else f"{one[:200]}..." for one in differing[:3])
            if len(differing) > 3:
                said += f"; and {len(differing) - 3} more"
            raise ValueError(
                f"{self.path and self.path.name} must be a checkpoint of the same configuration; "
                f"got {said}. Pass the same arguments, or another path."
            )

    def due(self, n_steps: int) -> bool:
        """Say whether it is time, after so many steps."""
        return self.path is not None and n_steps % self.every == 0

    def save(self, note: Any) -> None:
        """Replace the file by the state of all parts as it is, and a note that JSON can hold."""
        arrays = {
            f"{name}.{field}": array
            for name, part in self.parts.items()
            for field, array in part.state().items()
        }
        assert self.path is not None
        metadata = {"kind": self.kind, "configuration": self.configuration, "note": note}
        try:
            save_arrays(self.path, arrays, metadata)
        except OSError as error:
            raise OSError(
                f"{self.path.name} could not be written, and is as the checkpoint before left it: "
                f"{error}. Make room, and learning goes on from there."
            ) from error


def taken(arrays: Mapping[str, Any], name: str, like: np.ndarray) -> np.ndarray:
    """Return a copy of an array of a file, which must have shape and dtype of another."""
    array = np.array(arrays[name])
    if (array.shape, array.dtype) != (like.shape, like.dtype):
        raise ValueError(
            f"{name} must be {like.dtype} of shape {like.shape}; got {array.dtype} of shape "
            f"{array.shape}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def taken_count(arrays: Mapping[str, Any], name: str) -> int:
    """Return a number of a file, which must be whole and at least 0."""
    return check_count(name, np.asarray(arrays[name])[()], minimum=0)


def check_callback(callback: Any) -> None:
    """Raise a TypeError if it can be called by nobody."""
    if callback is not None and not callable(callback):
        raise TypeError(
            f"callback must be callable or None; got {callback!r}. Pass a function of "
            f"(step, metrics, dictionary)."
        )


def describe(value: Any) -> str:
    """Return text that is the same, in any process, for values that make learning the same."""
    if isinstance(value, np.ndarray):
        data = hashlib.sha256(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return f"array {value.dtype} {value.shape} {data.hexdigest()[:16]}"
    if isinstance(value, np.random.Generator):
        state = json.dumps(value.bit_generator.state, default=np.ndarray.tolist)
        return f"state {hashlib.sha256(state.encode()).hexdigest()[:16]}"
    if isinstance(value, partial):
        return describe(value.func) + _fields(
            {str(index): given for index, given in enumerate(value.args)} | value.keywords
        )
    if hasattr(value, "_asdict"):
        return type(value).__name__ + _fields(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return type(value).__name__ + _fields({name: getattr(value, name) for name in names})
    if callable(value):
        named = value if hasattr(value, "__qualname__") else type(value)
        return f"{named.__module__}.{named.__qualname__}"
    if isinstance(value, Real) and not isinstance(value, bool):  # 2, 2.0 and np.float32(2) agree
        number = float(value)
        return repr(int(number) if number.is_integer() else number)
    return repr(value)


def _fields(fields: dict[str, Any]) -> str:
    return f"({', '.join(f'{name}={describe(value)}' for name, value in fields.items())})"
