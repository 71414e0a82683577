"""The loop under every learner: draw a batch, code it, update the atoms, replace dead ones."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain, islice
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sparsecode import solvers
from sparsecode._validation import check_count, check_data, check_rng
from sparsecode.core.dictionary import normalize
from sparsecode.learning._result import LearningResult
from sparsecode.penalties import Penalty, check_penalty
from sparsecode.solvers import SolverResult

__all__ = ["Callback", "Update", "learn"]

#: ``update(step, dictionary, codes, residuals)`` returns new atoms, of any norm above 0.
Update = Callable[[int, np.ndarray, sparse.csr_array, np.ndarray], np.ndarray]
Callback = Callable[[int, dict[str, Any], np.ndarray], object]


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
    generator = check_rng(rng)
    if n_batches is not None:
        n_batches = check_count("n_batches", n_batches)
    if dead_after is not None:
        dead_after = check_count("dead_after", dead_after)
    start = None
    if np.ndim(dictionary) == 0:
        n_atoms = check_count("dictionary, given as the number of atoms,", dictionary)
    else:
        start = normalize(dictionary)
        n_atoms = len(start)
    encode = _encoder(solver, penalty, alpha_ratio, n_threads, n_atoms)
    n_features = None if start is None else start.shape[1]
    first, stream, n_batches = _open(batches, batch_size, n_batches, n_features, generator)
    if progress:
        stream = _track(stream, n_batches)
    if start is None:
        start = normalize(generator.standard_normal((n_atoms, first.shape[1])))

    atoms = np.ascontiguousarray(start, dtype=first.dtype)
    silent_for = np.zeros(n_atoms, np.int64)
    rows: list[dict[str, Any]] = []
    n_samples = 0
    for step, batch in enumerate(stream):
        X = check_data(batch, n_features=atoms.shape[1], name=f"batch {step}", dtype=atoms.dtype)
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
        dead = np.zeros(0, np.int64)
        if dead_after is not None:
            dead = np.flatnonzero(silent_for >= dead_after)
            atoms, dead = _replace(atoms, dead, residuals)
            silent_for[dead] = 0
        atoms = normalize(atoms)
        atoms.setflags(write=False)
        rows.append(
            {
                "mse": float(np.mean(np.square(residuals), dtype=np.float64)),
                "objective": float(result.objective.mean()),
                "density": float(result.code.density),
                "n_silent": int(np.count_nonzero(~used)),
                "n_replaced": dead.size,
                "n_unconverged": n_unconverged,
            }
        )
        if callback is not None:
            callback(step, rows[-1], atoms)
    if n_batches is not None and len(rows) < n_batches:
        raise ValueError(_too_few(n_batches, len(rows)))
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
    given = {"alpha_ratio": alpha_ratio, "n_threads": n_threads}
    options = {name: value for name, value in given.items() if value is not None}
    arguments = () if penalty is None else (penalty,)
    try:
        inspect.signature(solve).bind(None, None, *arguments, **options)
    except TypeError as error:
        asked = ", ".join(["X", "dictionary", *["penalty"] * len(arguments), *options])
        raise TypeError(
            f"solver must take ({asked}), as given; got {solver!r}: {error}. A pursuit takes "
            f"penalty=None and solver=functools.partial(omp, n_nonzero=8)."
        ) from None

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
    """Return samples of the first batch, the whole stream, and how many batches it must yield."""
    batch_size = check_count("batch_size", batch_size)
    if isinstance(batches, np.ndarray) and batches.ndim != 3:
        X = check_data(batches, n_features=n_features)
        if not len(X):
            raise ValueError("X must hold samples to learn from; got none.")
        size = min(batch_size, len(X))
        n_batches = n_batches or len(X) // size
        return X[:1], islice(_minibatches(X, size, rng), n_batches), n_batches
    if not isinstance(batches, Iterable):
        raise TypeError(
            "batches must be an array of shape (n_samples, n_features) or an iterable of such; "
            f"got {type(batches).__name__}."
        )
    if isinstance(batches, Sized) and n_batches is not None and len(batches) < n_batches:
        raise ValueError(_too_few(n_batches, len(batches)))
    stream = iter(batches)
    try:
        head = next(stream)
    except StopIteration:
        raise ValueError("batches must yield at least one batch; it was empty.") from None
    first = check_data(head, n_features=n_features, name="batch 0")
    return first, islice(chain([first], stream), n_batches), n_batches


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
    if not dead.size:
        return atoms, dead
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


def _too_few(n_batches: int, got: int) -> str:
    return f"batches must yield at least n_batches = {n_batches} batches; got {got}."


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
