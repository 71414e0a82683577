"""The loop under every learner: draw a batch, code it, update the atoms, replace dead ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sparsecode import solvers
from sparsecode._validation import check_count, check_data, check_dictionary, check_rng
from sparsecode.core.dictionary import normalize
from sparsecode.learning._result import LearningResult
from sparsecode.penalties import Penalty, check_penalty
from sparsecode.solvers import SolverResult

__all__ = ["Callback", "Update", "learn"]

#: ``update(step, dictionary, codes, residuals)`` returns new atoms, of any norm above 0.
Update = Callable[[int, np.ndarray, sparse.csr_array, np.ndarray], np.ndarray]
Callback = Callable[[int, dict[str, float], np.ndarray], object]


def learn(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    update: Update,
    *,
    solver: str | Callable[..., SolverResult],
    alpha_ratio: float | None,
    skip_unconverged: bool,
    dead_after: int | None,
    batch_size: int,
    n_batches: int | None,
    callback: Callback | None,
    progress: bool,
    rng: Any,
    n_threads: int | None,
) -> LearningResult:
    """Learn a dictionary from a stream of batches; `update` is what tells learners apart.

    The other parameters are those of :func:`~sparsecode.learning.olshausen_field`.
    """
    rng = check_rng(rng)
    if n_batches is not None:
        n_batches = check_count("n_batches", n_batches)
    if dead_after is not None:
        dead_after = check_count("dead_after", dead_after)
    if np.ndim(dictionary) == 0:
        n_atoms = check_count("dictionary, given as the number of atoms,", dictionary)
    else:
        dictionary = normalize(dictionary)
        n_atoms = len(dictionary)
    encode = _encoder(solver, penalty, alpha_ratio, n_threads, n_atoms)
    n_features = dictionary.shape[1] if np.ndim(dictionary) else None
    first, stream, n_batches = _open(batches, batch_size, n_batches, n_features, rng)
    if np.ndim(dictionary) == 0:
        dictionary = normalize(rng.standard_normal((n_atoms, first.shape[1])))
    atoms = np.ascontiguousarray(dictionary, dtype=first.dtype)

    silent_for = np.zeros(n_atoms, np.int64)
    rows: list[dict[str, float]] = []
    n_samples = 0
    for step, X in enumerate(_track(stream, n_batches) if progress else stream):
        X = check_data(X, n_features=atoms.shape[1], name=f"batch {step}", dtype=atoms.dtype)
        if not len(X):
            raise ValueError(f"every batch must hold a sample; batch {step} is empty.")
        n_samples += len(X)
        result = encode(X, atoms)
        codes = result.code.to_scipy()
        residuals = X - codes @ atoms
        n_unconverged = int((~result.converged).sum())
        used = np.bincount(result.code.indices, minlength=n_atoms) > 0
        silent_for = np.where(used, 0, silent_for + 1)

        if not (skip_unconverged and n_unconverged):
            atoms = update(step, atoms, codes, residuals)
        replaced = np.zeros(0, np.int64)
        if dead_after is not None and silent_for.max() >= dead_after:
            atoms, replaced = _replace(atoms, np.flatnonzero(silent_for >= dead_after), residuals)
            silent_for[replaced] = 0
        atoms = normalize(atoms)
        atoms.setflags(write=False)
        rows.append(
            {
                "mse": float(np.mean(np.square(residuals), dtype=np.float64)),
                "objective": float(result.objective.mean()),
                "density": float(result.code.density),
                "n_silent": int(np.count_nonzero(~used)),
                "n_replaced": replaced.size,
                "n_unconverged": n_unconverged,
            }
        )
        if callback is not None:
            callback(step, rows[-1], atoms)
        if step + 1 == n_batches:
            break
    if n_batches is not None and len(rows) < n_batches:
        raise ValueError(
            f"batches must yield at least n_batches = {n_batches} batches; got {len(rows)}."
        )
    history = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    _warn(history["n_unconverged"], n_samples, skip_unconverged)
    return LearningResult(np.array(atoms), history)


def _encoder(
    solver: str | Callable[..., SolverResult],
    penalty: Penalty | str | None,
    alpha_ratio: float | None,
    n_threads: int | None,
    n_atoms: int,
) -> Callable[[np.ndarray, np.ndarray], SolverResult]:
    """Return ``encode(X, dictionary)``, silent about codes that did not converge."""
    if penalty is not None:
        check_penalty(penalty, np.ones(n_atoms))
    solve = solvers.get(solver) if isinstance(solver, str) else solver
    if not callable(solve):
        raise TypeError(f"solver must be a name or a callable; got {solver!r}.")
    options = {"alpha_ratio": alpha_ratio, "n_threads": n_threads}
    options = {name: given for name, given in options.items() if given is not None}
    arguments = () if penalty is None else (penalty,)

    def encode(X: np.ndarray, dictionary: np.ndarray) -> SolverResult:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return solve(X, dictionary, *arguments, **options)

    return encode


def _open(
    batches: Any,
    batch_size: int,
    n_batches: int | None,
    n_features: int | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Iterable[Any], int | None]:
    """Return the first batch, the stream that begins with it, and how many to expect."""
    batch_size = check_count("batch_size", batch_size)
    if isinstance(batches, np.ndarray) and batches.ndim != 3:
        X = check_data(batches, n_features=n_features)
        if not len(X):
            raise ValueError("X must hold samples to learn from; got none.")
        size = min(batch_size, len(X))
        n_batches = n_batches or len(X) // size
        stream = _minibatches(X, size, rng)
        return X[:1], stream, n_batches
    if not isinstance(batches, Iterable):
        raise TypeError(
            "batches must be an array of shape (n_samples, n_features) or an iterable of such; "
            f"got {type(batches).__name__}."
        )
    if isinstance(batches, Sized):
        expected = len(batches) if n_batches is None else n_batches
        if 0 < len(batches) < expected:
            raise ValueError(
                f"batches must yield at least n_batches = {expected} batches; got {len(batches)}."
            )
        n_batches = expected or None
    stream = iter(batches)
    first = next(stream, None)
    if first is None:
        raise ValueError("batches must yield at least one batch; it was empty.")
    first = check_data(first, n_features=n_features, name="batch 0")
    return first, chain([first], stream), n_batches


def _minibatches(X: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield whole batches without end, in a new order at each pass."""
    while True:
        order = rng.permutation(len(X))
        for start in range(0, len(X) - size + 1, size):
            yield X[order[start : start + size]]


def _replace(
    atoms: np.ndarray, dead: np.ndarray, residuals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give dead atoms the largest residuals of the batch; return atoms and those replaced."""
    errors = np.einsum("if,if->i", residuals, residuals)
    worst = np.argsort(-errors, kind="stable")[: dead.size]
    worst = worst[errors[worst] > 0]
    dead = dead[: worst.size]
    atoms = np.array(atoms)
    atoms[dead] = residuals[worst]
    return atoms, dead


def _track(stream: Iterable[Any], n_batches: int | None) -> Iterable[Any]:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            "progress=True needs tqdm, which is not installed. Install sparsecode[experiments], "
            "or pass a callback."
        ) from error
    return tqdm(stream, "learning", n_batches, leave=False)


def _warn(n_unconverged: np.ndarray, n_samples: int, skipped: bool) -> None:
    if n_unconverged.any():
        touched = np.count_nonzero(n_unconverged)
        warnings.warn(
            f"{n_unconverged.sum()} of {n_samples} samples did not converge; the {touched} of "
            f"{n_unconverged.size} batches they lie in were "
            f"{'skipped' if skipped else 'learned from all the same'}. Raise the solver's max_iter "
            f"or tol, as in solver=functools.partial(cd, max_iter=100_000).",
            ConvergenceWarning,
            stacklevel=4,
        )
