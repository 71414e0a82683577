"""How a penalty struct finds its formulas, in Python and in compiled kernels alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from sparsecode._jit import jit, overload, source_hash
from sparsecode._validation import check_numbers, check_option, check_positive

__all__ = [
    "Penalty",
    "at",
    "check_penalty",
    "dual_parts",
    "make",
    "prox",
    "register",
    "registered",
    "slope",
    "struct_of",
    "value",
    "with_alpha",
]

#: Any registered penalty struct: a NamedTuple with at least ``alpha``, ``positive``, ``weights``.
Penalty = Any


@dataclass(frozen=True)
class Formulas:
    """What :func:`register` was given for one struct."""

    name: str
    prox: Callable
    value: Callable
    slope: Callable | None
    dual_parts: Callable | None
    check: Callable | None


_FORMULAS: dict[type, Formulas] = {}


def register(
    struct: type,
    name: str,
    *,
    prox: Callable,
    value: Callable,
    slope: Callable | None = None,
    dual_parts: Callable | None = None,
    check: Callable | None = None,
) -> None:
    """Make a penalty known to every solver.

    Penalties are even functions of each coefficient, so the formulas are written for magnitudes;
    signs and positivity are added here, once. The formulas are plain Python functions that
    Numba can compile.

    Parameters
    ----------
    struct : type
        A ``NamedTuple`` class with the fields ``alpha``, ``positive`` and ``weights`` beside its
        own.
    name : str
        The name that command lines and configurations use.
    prox : callable
        ``prox(penalty, v, step, j)`` for ``v >= 0``: the minimiser over ``u >= 0`` of
        ``(u - v)**2 / (2 * step) + value(penalty, u, j)``.
    value : callable
        ``value(penalty, u, j)`` for ``u >= 0``: the whole term of atom ``j``.
    slope : callable, optional
        ``slope(penalty, u, j)``: the derivative of ``value`` at ``u``, from the right at 0. Needed
        by iteratively reweighted l1; give it only if it is finite and never grows with ``u``.
    dual_parts : callable, optional
        ``dual_parts(penalty, j)``: the pair (l1, ridge) if the penalty is
        ``l1 * u + ridge * u**2 / 2``. Marks the penalty as convex: its solvers report a
        duality gap.
    check : callable, optional
        ``check(penalty)`` raises a ``ValueError`` for parameters of the struct's own that make no
        sense.

    Raises
    ------
    ValueError
        If the struct lacks one of the common fields or the name is taken by another struct.
    """
    missing = {"alpha", "positive", "weights"} - set(getattr(struct, "_fields", ()))
    if missing:
        raise ValueError(
            f"a penalty struct must be a NamedTuple with fields alpha, positive and weights; "
            f"{struct.__name__} lacks {', '.join(sorted(missing))}."
        )
    if any(known.name == name and other is not struct for other, known in _FORMULAS.items()):
        raise ValueError(f"the penalty name must be new; {name!r} is taken. Choose another.")
    source_hash(struct)  # of now: the module may be edited before a kernel is compiled
    _FORMULAS[struct] = Formulas(name, prox, value, slope, dual_parts, check)


def registered() -> dict[str, type]:
    """Return every registered struct by its name."""
    return {formulas.name: struct for struct, formulas in _FORMULAS.items()}


def formulas(penalty: Penalty) -> Formulas:
    """Return what was registered for the struct of `penalty`."""
    try:
        return _FORMULAS[type(penalty)]
    except KeyError:
        raise TypeError(
            f"penalty must be a registered struct such as L1(0.1), or one of the names "
            f"{', '.join(registered())}; got {penalty!r}."
        ) from None


def make(name: str, alpha: float = 1.0, **parameters: Any) -> Penalty:
    """Return the penalty registered as `name`.

    Parameters
    ----------
    name : str
        One of :func:`registered`.
    alpha : float, default=1.0
        Weight of the penalty.
    **parameters
        Further fields of the struct.

    Returns
    -------
    penalty struct
        Not checked: solvers do that, once they know the atoms.

    Raises
    ------
    ValueError
        If no penalty of that name is registered; the known names are listed.
    """
    check_option("penalty", name, registered())
    return registered()[name](alpha, **parameters)


def struct_of(penalty: Penalty | str) -> Penalty:
    """Return a registered struct, with ``alpha = 1`` if a name is given; nothing else is checked.

    Raises
    ------
    TypeError
        If `penalty` is neither a registered struct nor a name.
    ValueError
        If no penalty of that name is registered.
    """
    struct = make(penalty) if isinstance(penalty, str) else penalty
    formulas(struct)
    return struct


def check_penalty(penalty: Penalty | str, norms: np.ndarray) -> Penalty:
    """Return `penalty` ready for kernels: fields cast, per-atom arrays filled in.

    Parameters
    ----------
    penalty : penalty struct or str
        A name stands for the struct with ``alpha = 1``.
    norms : ndarray of shape (n_atoms,)
        Norms of the atoms; they become the ``norms`` of a struct that has this field unset.

    Returns
    -------
    penalty struct
        Of the same class, numbers as floats, per-atom fields as float64 arrays of shape
        (n_atoms,).

    Raises
    ------
    TypeError
        If `penalty` is neither a registered struct nor a name, or a field has a wrong type.
    ValueError
        If a parameter is not finite or not above 0, or a per-atom array has a wrong shape.
    """
    penalty = struct_of(penalty)
    known = formulas(penalty)
    fields: dict[str, Any] = {}
    for field, given in penalty._asdict().items():
        if field == "positive":
            if not isinstance(given, bool | np.bool_):
                raise TypeError(f"positive of {known.name} must be True or False; got {given!r}.")
            fields[field] = bool(given)
        elif field in ("weights", "norms"):
            default = norms if field == "norms" else np.ones_like(norms)
            fields[field] = _check_per_atom(field, default if given is None else given, norms.size)
        else:
            fields[field] = check_positive(f"{field} of {known.name}", given)
    penalty = type(penalty)(**fields)
    if known.check is not None:
        known.check(penalty)
    return penalty


def _check_per_atom(name: str, given: Any, n_atoms: int) -> np.ndarray:
    array = check_numbers(given, f"{name} of the penalty", np.float64)
    if array.shape != (n_atoms,):
        raise ValueError(
            f"{name} of the penalty must have shape ({n_atoms},), one number an atom; got "
            f"{array.shape}."
        )
    if (array <= 0).any():
        first = int(np.argmax(array <= 0))
        raise ValueError(
            f"{name} of the penalty must be above 0; got {array[first]} for atom {first}."
        )
    return array


def prox(penalty: Penalty, v: float, step: float, j: int) -> float:
    """Minimise ``(u - v)**2 / (2 * step) + value(penalty, u, j)`` over ``u``.

    Parameters
    ----------
    penalty : penalty struct
        Any struct of :func:`registered`.
    v : float
        Where the operator is evaluated.
    step : float
        Step size, above 0.
    j : int
        Index of the atom, for per-atom weights and norms.

    Returns
    -------
    float
        A global minimiser; 0 where 0 ties with another.
    """
    if v >= 0.0:
        return prox_of_magnitude(penalty, v, step, j)
    if penalty.positive:
        return 0.0
    return -prox_of_magnitude(penalty, -v, step, j)


def value(penalty: Penalty, u: float, j: int) -> float:
    """Return the penalty of coefficient `u` of atom `j`; infinite where positivity is violated."""
    if penalty.positive and u < 0.0:
        return np.inf
    return value_of_magnitude(penalty, abs(u), j)


def slope(penalty: Penalty, u: float, j: int) -> float:
    """Return the derivative of the penalty at magnitude ``u >= 0`` (from the right at 0)."""
    function = formulas(penalty).slope
    if function is None:
        raise TypeError(
            f"penalty must have a slope that is finite and never grows; got "
            f"{formulas(penalty).name}, which registers none."
        )
    return function(penalty, u, j)


def dual_parts(penalty: Penalty, j: int) -> tuple[float, float]:
    """Return (l1, ridge) of a convex penalty ``l1 * |u| + ridge * u**2 / 2``, else (0, 0)."""
    function = formulas(penalty).dual_parts
    return (0.0, 0.0) if function is None else function(penalty, j)


def with_alpha(penalty: Penalty, alpha: float) -> Penalty:
    """Return `penalty` with another `alpha`; works in kernels, where ``_replace`` does not."""
    return penalty._replace(alpha=alpha)


def at(per_atom: np.ndarray | None, j: int) -> float:
    """Return entry `j` of a per-atom field, 1 where it was left unset."""
    return 1.0 if per_atom is None else per_atom[j]


def prox_of_magnitude(penalty: Penalty, v: float, step: float, j: int) -> float:
    return formulas(penalty).prox(penalty, v, step, j)


def value_of_magnitude(penalty: Penalty, u: float, j: int) -> float:
    return formulas(penalty).value(penalty, u, j)


# The same functions inside kernels. Numba asks once per struct and compiles what it is handed.


def _registered_for(penalty: types.Type) -> Formulas | None:
    return _FORMULAS.get(getattr(penalty, "instance_class", None))  # type: ignore[arg-type]


@overload(prox_of_magnitude, strict=False)
def _compiled_prox_of_magnitude(penalty, v, step, j):
    known = _registered_for(penalty)
    return known and known.prox


@overload(value_of_magnitude, strict=False)
def _compiled_value_of_magnitude(penalty, u, j):
    known = _registered_for(penalty)
    return known and known.value


@overload(prox, strict=False)
def _compiled_prox(penalty, v, step, j):
    return prox


@overload(value, strict=False)
def _compiled_value(penalty, u, j):
    return value


@overload(slope, strict=False)
def _compiled_slope(penalty, u, j):
    known = _registered_for(penalty)
    return known and known.slope


@overload(dual_parts, strict=False)
def _compiled_dual_parts(penalty, j):
    known = _registered_for(penalty)
    if known is None:
        return None
    return known.dual_parts or (lambda penalty, j: (0.0, 0.0))


@overload(at, strict=False)
def _compiled_at(per_atom, j):
    if isinstance(per_atom, types.NoneType):
        return lambda per_atom, j: 1.0
    return lambda per_atom, j: per_atom[j]


@overload(with_alpha, strict=False)
def _compiled_with_alpha(penalty, alpha):
    return lambda penalty, alpha: _insert_alpha(penalty, alpha)  # type: ignore[call-arg]


@intrinsic
def _insert_alpha(typing_context, penalty, alpha):
    position = penalty.fields.index("alpha")

    def generate(context, builder, signature, arguments):
        struct, number = arguments
        number = context.cast(builder, number, signature.args[1], penalty.types[position])
        fresh = builder.insert_value(struct, number, position)
        context.nrt.incref(builder, penalty, fresh)
        return fresh

    return penalty(penalty, alpha), generate


@jit
def soft(v, threshold):
    """Return ``max(v - threshold, 0)``: the soft threshold of a magnitude."""
    return max(v - threshold, 0.0)


@jit
def hard(v, threshold):
    """Return `v` where it exceeds `threshold`, else 0: the hard threshold of a magnitude."""
    return v if v > threshold else 0.0
