"""The course of learning under every learner: batches, held-out samples, checkpoints."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode._validation import (
    check_count,
    check_dictionary,
    check_option,
    check_rng,
    warn_of_few_samples,
)
from sparsecode.core._course import COLUMNS, Checkpoint, History, Part, check_callback
from sparsecode.learning._held_out import HeldOut
from sparsecode.learning._learner import Learner
from sparsecode.learning._result import LearningResult
from sparsecode.learning._rule import Rule
from sparsecode.learning._stream import LastCodes, open_batches, too_few
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["Callback", "Learner", "learn"]

KIND = "learning checkpoint"

Callback = Callable[[int, dict[str, Any], np.ndarray], object]


def learn(
    rule: Rule,
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    solver: str | Callable[..., SolverResult],
    alpha_ratio: float | None,
    init: str,
    constraint: str | None,
    skip_unconverged: bool,
    dead_after: int | None,
    max_cosine: float | None,
    warm_start: bool,
    batch_size: int | None,
    n_batches: int | None,
    n_passes: int = 1,
    held_out: Any,
    held_out_every: int,
    patience: int | None,
    checkpoint: Any,
    checkpoint_every: int,
    callback: Callback | None,
    progress: bool,
    rng: Any,
    n_threads: int | None,
) -> LearningResult:
    """Learn a dictionary from a stream of batches; `rule` is what tells learners apart.

    The other parameters are those of :func:`~sparsecode.learning.olshausen_field`; `n_passes`
    over an array stand for `n_batches` if it is None.
    """
    check_callback(callback)
    generator = check_rng(rng)
    drawn_from = None if rng is None else deepcopy(generator)
    check_option("init", init, ("gaussian", "samples"))
    if np.ndim(dictionary):
        dictionary = check_dictionary(dictionary)
    else:
        dictionary = check_count("dictionary, given as the number of atoms,", dictionary)
    learner = Learner(
        rule, penalty, solver=solver, alpha_ratio=alpha_ratio, constraint=constraint,
        skip_unconverged=skip_unconverged, dead_after=dead_after, max_cosine=max_cosine,
        warm_start=warm_start, n_threads=n_threads,
    )  # fmt: skip
    file = Checkpoint(checkpoint, checkpoint_every, KIND)
    source = open_batches(
        batches, batch_size=batch_size, n_batches=n_batches, n_passes=n_passes,
        n_features=dictionary.shape[1] if np.ndim(dictionary) else None, rng=generator,
    )  # fmt: skip
    samples = source.samples
    watch = HeldOut(held_out, held_out_every, patience, like=samples)
    learner.start(
        dictionary, samples.shape[1], samples.dtype, generator,
        samples=samples if init == "samples" else None,
    )  # fmt: skip
    n_atoms = len(learner.atoms)
    if source.n_samples is not None:
        warn_of_few_samples(source.n_samples, n_atoms, stacklevel=3)
    history = History(*COLUMNS, "held_out")
    parts: dict[str, Part] = {"learner": learner, "held_out": watch, "history": history}
    last_codes = None
    if warm_start and source.n_samples is not None:
        last_codes = LastCodes(source.n_samples, n_atoms, learner.atoms.dtype)
        parts["codes"] = last_codes
    left_at = file.resume(
        parts,
        dict(
            learner=rule, penalty=penalty, solver=learner.solve, alpha_ratio=alpha_ratio,
            dictionary=dictionary, init=init, constraint=constraint,
            skip_unconverged=skip_unconverged, dead_after=dead_after, max_cosine=max_cosine,
            warm_start=warm_start, batch_size=batch_size, samples=samples, held_out=watch.X,
            held_out_every=held_out_every, patience=patience, rng=drawn_from,
        ),
    )  # fmt: skip
    n_done, n_batches = learner.n_batches, source.n_batches
    if n_batches is not None and n_done > n_batches:
        raise ValueError(
            f"n_batches must be at least {n_done}, those behind the checkpoint; got {n_batches}."
        )
    if left_at is not None:
        file.wind(generator, left_at)
    stream: Iterable[Any] = source.after(n_done)
    stream = islice(stream, None if n_batches is None else n_batches - n_done)
    if progress:
        stream = _track(stream, n_batches, n_done)

    if not watch.gave_up:
        for rows, X in stream:
            row = learner.step(X, None if last_codes is None else last_codes[rows])
            if last_codes is not None:
                last_codes.keep(rows, learner.codes)
            row["held_out"] = watch.evaluate(learner) if watch.due(learner.n_batches) else np.nan
            history.append(row, len(X))
            if file.due(learner.n_batches):
                file.save(source.pass_state)
            if callback is not None:
                callback(learner.n_batches - 1, row, learner.atoms)
            if watch.gave_up:
                break
        else:
            if n_batches is not None and learner.n_batches < n_batches:
                raise ValueError(too_few(n_batches, learner.n_batches))
    if file.path is not None and learner.n_batches > n_done and not file.due(learner.n_batches):
        file.save(source.pass_state)
    stopped_early = watch.gave_up
    if watch.X is not None and not watch.due(learner.n_batches):
        history.rows[-1]["held_out"] = watch.evaluate(learner)
    columns = history.columns()
    _warn(columns["n_unconverged"], history.n_samples, skip_unconverged)
    atoms = learner.atoms if watch.best is None else watch.best
    return LearningResult(np.array(atoms), columns, stopped_early)


def _track(stream: Iterable[Any], n_batches: int | None, n_done: int) -> Iterable[Any]:
    from tqdm.auto import tqdm  # which speaks up in notebooks without widgets

    return tqdm(stream, "learning", n_batches, leave=False, initial=n_done)


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
