"""Parameters and fitted state as plain JSON beside named arrays, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from sparsecode import convolutional, solvers
from sparsecode._validation import check_option
from sparsecode.penalties import registered
from sparsecode.solvers import SolverResult

__all__ = ["CONV_SOLVERS", "pack", "unpack"]

#: Convolutional solvers by name; that of some is a plain solver's, too.
CONV_SOLVERS: dict[str, Callable[..., SolverResult]] = {
    solver.__name__: solver
    for solver in (
        convolutional.admm,
        convolutional.fista,
        convolutional.greedy_cd,
        convolutional.interior_point,
        convolutional.mp,
    )
}

_SOLVERS = {
    **solvers.registered(),
    **{f"convolutional.{name}": solver for name, solver in CONV_SOLVERS.items()},
}
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def pack(name: str, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return `value` in JSON; its arrays go into `arrays`, under names that begin with `name`.

    What JSON has no word for becomes a dict whose first key says what it is.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if type(value) in registered().values():
        kind = next(known for known, struct in registered().items() if struct is type(value))
        return {"penalty": kind, "fields": _pack_items(name, value._asdict(), arrays)}
    if isinstance(value, Mapping):
        return {"dict": _pack_items(name, value, arrays)}
    if type(value) in (list, tuple):
        packed = _pack_items(name, {str(i): item for i, item in enumerate(value)}, arrays)
        return {type(value).__name__: list(packed.values())}
    if isinstance(value, np.random.Generator):
        return {"generator": pack(name, value.bit_generator.state, arrays)}
    if isinstance(value, np.random.RandomState):
        return {"random_state": pack(name, value.get_state(legacy=False), arrays)}
    if callable(value):
        return _pack_solver(name, value, arrays)
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind == "O":  # names of features
            return {"names": pack(name, array.tolist(), arrays)}
        arrays[name] = array
        return {"array": name}
    raise TypeError(
        f"{name} must be plain data, an array, a penalty or a solver to be saved; got {value!r}."
    )


def _pack_items(name: str, items: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> dict:
    return {key: pack(f"{name}.{key}", value, arrays) for key, value in items.items()}


def _pack_solver(name: str, solver: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Name a registered solver, or one with options bound; its code is not saved."""
    function, options = solver, {}
    if isinstance(solver, partial) and not solver.args:
        function, options = solver.func, solver.keywords
    for known, registered_solver in _SOLVERS.items():
        if function is registered_solver:
            bound = None if function is solver else _pack_items(name, options, arrays)
            return {"solver": known, "options": bound}
    raise TypeError(
        f"{name} must be a registered solver, or a functools.partial of one with keyword "
        f"arguments, to be saved; got {solver!r}."
    )


def unpack(packed: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return what :func:`pack` was given.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError, RecursionError
        If it was never given such a thing.
    """
    if not isinstance(packed, dict):
        return packed
    kind, *_ = packed
    content = packed[kind]

    def items(given: dict[str, Any]) -> dict[str, Any]:
        return {key: unpack(value, arrays) for key, value in given.items()}

    match kind:
        case "penalty":
            return registered()[content](**items(packed["fields"]))
        case "dict":
            return items(content)
        case "list":
            return [unpack(item, arrays) for item in content]
        case "tuple":
            return tuple(unpack(item, arrays) for item in content)
        case "names":
            return np.array(unpack(content, arrays), dtype=object)
        case "array":
            return arrays[content]
        case "generator":
            return np.random.Generator(_bit_generator(unpack(content, arrays)))
        case "random_state":
            state = unpack(content, arrays)
            restored = np.random.RandomState(_bit_generator(state))
            restored.set_state(state)
            return restored
        case "solver":
            solver = _SOLVERS[check_option("solver", content, _SOLVERS)]
            options = packed["options"]
            return solver if options is None else partial(solver, **items(options))
    raise ValueError(f"nothing is called {kind!r}")


def _bit_generator(state: dict[str, Any]) -> Any:
    kind = check_option("bit_generator", state["bit_generator"], _BIT_GENERATORS)
    bits = getattr(np.random, kind)()
    bits.state = state
    return bits
