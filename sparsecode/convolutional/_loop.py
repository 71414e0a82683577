"""The loop that feeds batches to a convolutional learner, and keeps what it needs to go on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain, islice
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode._validation import level_outside
from sparsecode.convolutional._learners import AlternatingConvLearner, ConvLearner
from sparsecode.convolutional._result import ConvLearningResult
from sparsecode.core._course import COLUMNS, Checkpoint, History, check_callback

__all__ = ["KIND", "Callback", "learn", "of_array", "of_stream", "warn_unconverged"]

KIND = "convolutional learning checkpoint"

Callback = Callable[[int, dict[str, Any], np.ndarray], object]


def of_array(X: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield whole batches of an array, in a new random order at each pass, without end."""
    while True:
        order = rng.permutation(len(X))
        for first in range(0, len(X) - size + 1, size):
            yield X[order[first : first + size]]


def of_stream(batches: Any, n_steps: int | None) -> tuple[Any, Iterator[Any]]:
    """Return the first batch of a stream, and all of them."""
    if not isinstance(batches, Iterable):
        raise TypeError(
            f"batches must be an array of shape (n_samples, n_channels, *shape) or an iterable of "
            f"such; got {type(batches).__name__}."
        )
    if isinstance(batches, Sized) and n_steps is not None and len(batches) < n_steps:
        raise ValueError(_too_few(n_steps, len(batches)))
    rest = iter(batches)
    try:
        first = next(rest)
    except StopIteration:
        raise ValueError("batches must yield at least one batch; it was empty.") from None
    return first, chain([first], rest)


def _too_few(n_steps: int, got: int) -> str:
    return f"batches must yield at least n_steps = {n_steps} batches; got {got}."


def learn(
    learner: ConvLearner,
    stream: Iterator[Any],
    n_steps: int | None,
    file: Checkpoint,
    configuration: dict[str, Any],
    generator: np.random.Generator | None,
    callback: Callback | None,
    progress: bool,
) -> ConvLearningResult:
    """Let the learner take its steps, from the file's on, and keep their history.

    The stream draws from `generator`, which is put back to where the file's began.
    """
    check_callback(callback)
    history = History(*COLUMNS)
    first_draw = None if generator is None else generator.bit_generator.state
    left_at = file.resume({"learner": learner, "history": history}, configuration)
    if left_at is not None and generator is not None:
        file.wind(generator, left_at)
        first_draw = left_at
    n_done = learner.n_steps
    if n_steps is not None and n_done > n_steps:
        raise ValueError(
            f"the number of steps must be at least {n_done}, those behind the checkpoint; got "
            f"{n_steps}."
        )
    for index in range(n_done):  # those learned from are drawn and dropped
        if next(stream, None) is None:
            raise ValueError(_too_few(n_done, index))
    steps: Iterable[Any] = islice(stream, None if n_steps is None else n_steps - n_done)
    if progress:
        from tqdm.auto import tqdm  # which speaks up in notebooks without widgets

        steps = tqdm(steps, "learning", n_steps, leave=False, initial=n_done)
    for X in steps:
        row = learner.step(X)
        history.append(row, len(X))
        if file.due(learner.n_steps):
            file.save(first_draw)
        if callback is not None:
            callback(learner.n_steps - 1, row, learner.atoms)
    if n_steps is not None and learner.n_steps < n_steps:
        raise ValueError(_too_few(n_steps, learner.n_steps))
    if file.path is not None and learner.n_steps > n_done and not file.due(learner.n_steps):
        file.save(first_draw)
    columns = history.columns()
    warn_unconverged(columns["n_unconverged"], history.n_samples)
    code = learner.code if isinstance(learner, AlternatingConvLearner) else None
    return ConvLearningResult(np.array(learner.atoms), columns, code)


def warn_unconverged(n_unconverged: np.ndarray, n_samples: int) -> None:
    if n_unconverged.any():
        warnings.warn(
            f"{n_unconverged.sum()} of {n_samples} samples coded did not converge, in "
            f"{np.count_nonzero(n_unconverged)} of {n_unconverged.size} steps, and were learned "
            f"from all the same. Raise the solver's max_iter or tol, as in "
            f"solver=functools.partial(greedy_cd, tol=1e-2).",
            ConvergenceWarning,
            stacklevel=level_outside(),
        )
