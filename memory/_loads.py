"""How recall fares as more is stored: curves over the load, and the load where a criterion ends."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from memory._errors import Counts, check_tolerance, count_errors, report
from memory._protocol import AssociativeMemory
from sparsecode._validation import check_count, check_option, check_positive, check_rng
from sparsecode.core.code import SparseCode
from sparsecode.core.rng import Streams

_CRITERIA: dict[str, Callable[[Counts], float]] = {
    "epsilon": lambda counts: counts.relative_mean(),
    "exact": lambda counts: counts.mean(counts.errors > 0),
    "bit_error": lambda counts: counts.mean(counts.errors / counts.n_units),
    "missing": lambda counts: float(counts.missing.sum() / max(counts.active.sum(), 1)),
}


class Capacity(NamedTuple):
    """How many patterns a memory holds while a criterion is met.

    Attributes
    ----------
    n_patterns : int
        The largest load found at which the mean error over trials is at most the tolerance; 0 if
        one pattern is too many.
    interval : tuple of (int, float)
        The largest load tried at which the whole confidence interval of the mean error lies at or
        below the tolerance, and one less than the smallest beyond at which it lies above: loads
        between are those at which the test cannot tell. The second is infinite if there is none.
    confidence : float
        Level of the interval at each load.
    tolerance : float
        What the mean error was held against.
    is_bounded : bool
        Whether a load that fails was found; if not, `n_patterns` is `high`, a lower bound.
    loads : ndarray of int64, shape (n_evaluated,)
        Every load that was tried, rising.
    errors : ndarray of shape (n_evaluated, n_trials)
        The criterion's error in each trial at each of them.
    limits : ndarray of shape (n_evaluated, 2)
        Confidence limits of the mean error.
    """

    n_patterns: int
    interval: tuple[int, float]
    confidence: float
    tolerance: float
    is_bounded: bool
    loads: np.ndarray
    errors: np.ndarray
    limits: np.ndarray


class _Stored(NamedTuple):
    """Patterns in a memory, and what it should answer to each."""

    patterns: SparseCode
    wanted: SparseCode


class _Protocol(NamedTuple):
    """How patterns are drawn, stored, and recalled from cues."""

    make_memory: Callable[[np.random.Generator], AssociativeMemory]
    draw_patterns: Callable[[int, np.random.Generator], Any]
    make_cues: Callable[[SparseCode, np.random.Generator], Any] | None
    n_cues: int | None
    answer: str

    def draw(self, n_patterns: int, rng: np.random.Generator) -> tuple[Any, ...]:
        """Return the batches that `store` takes: patterns, and their targets if there are any."""
        drawn = self.draw_patterns(n_patterns, rng)
        batches = drawn if isinstance(drawn, tuple) else (drawn,)
        for batch in batches:
            found = batch.shape[0] if hasattr(batch, "shape") else len(batch)
            if found != n_patterns:
                raise ValueError(
                    f"draw_patterns must return as many patterns as it is asked for, {n_patterns}; "
                    f"got {found}."
                )
        return batches

    def store(self, memory: AssociativeMemory, batches: tuple[Any, ...]) -> _Stored:
        """Store, silent about loads beyond a known limit: to go there is the purpose."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            wanted = memory.store(*batches)
        patterns = memory._check_patterns(batches[0])
        return _Stored(patterns, wanted if self.answer == "code" else patterns)

    def recall(
        self, memory: AssociativeMemory, stored: _Stored, rng: np.random.Generator
    ) -> tuple[SparseCode, SparseCode, SparseCode]:
        """Return what was recalled, what should have been, and the cues."""
        patterns, wanted = stored
        if self.n_cues is not None and self.n_cues < patterns.n_samples:
            chosen = np.sort(rng.choice(patterns.n_samples, self.n_cues, replace=False))
            patterns, wanted = patterns[chosen], wanted[chosen]
        cues = patterns if self.make_cues is None else self.make_cues(patterns, rng)
        return getattr(memory.recall(cues), self.answer), wanted, cues


def _check_protocol(
    make_memory: Any, draw_patterns: Any, make_cues: Any, n_cues: Any, answer: Any
) -> _Protocol:
    for name, function in (("make_memory", make_memory), ("draw_patterns", draw_patterns)):
        if not callable(function):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}.")
    if make_cues is not None and not callable(make_cues):
        raise TypeError(f"make_cues must be a function or None; got {type(make_cues).__name__}.")
    if n_cues is not None:
        n_cues = check_count("n_cues", n_cues)
    check_option("answer", answer, ("code", "pattern"))
    return _Protocol(make_memory, draw_patterns, make_cues, n_cues, answer)


def recall_curve(
    make_memory: Callable[[np.random.Generator], AssociativeMemory],
    draw_patterns: Callable[[int, np.random.Generator], Any],
    loads: Iterable[int],
    *,
    make_cues: Callable[[SparseCode, np.random.Generator], Any] | None = None,
    n_trials: int = 5,
    n_cues: int | None = None,
    epsilon: float = 0.01,
    answer: str = "code",
    rng: np.random.Generator | int | None = None,
) -> dict[str, np.ndarray]:
    """Measure every error criterion of one memory on one axis of loads.

    In each trial one memory is filled, load after load, and recalls at each of them.

    Parameters
    ----------
    make_memory : callable
        ``make_memory(rng)`` returns an empty memory; one without randomness ignores `rng`.
    draw_patterns : callable
        ``draw_patterns(n, rng)`` returns `n` binary patterns, or a tuple of what `store` takes:
        patterns and their targets.
    loads : iterable of int
        Numbers of patterns.
    make_cues : callable, optional
        ``make_cues(patterns, rng)`` returns a cue for each; by default the pattern itself.
    n_trials : int, default=5
        Memories that are filled, each with patterns of its own.
    n_cues : int, optional
        Recall from so many cues, of patterns drawn at random from those stored so far, where there
        are more; by default from all.
    epsilon : float, default=0.01
        Errors allowed for each active unit.
    answer : {"code", "pattern"}, default="code"
        Which part of a `Recall` is judged: the code, against what `store` returned, or the pattern,
        against what was given to it.
    rng : Generator, int or None
        Source of randomness. Each trial has a stream of its own.

    Returns
    -------
    dict of str to ndarray of shape (n_trials * n_loads,)
        Columns of a table with one row for each trial and load: ``trial``, ``load``,
        ``n_weights``, ``nbytes``, and those of :func:`report`. The bits beyond those of the cue
        are there only where the pattern itself is to be recalled.

    Raises
    ------
    ValueError, TypeError
        If a count or option is out of range, or a function returns what it must not.

    Notes
    -----
    Warnings of memories about loads beyond a limit of theirs are not shown.
    """
    protocol = _check_protocol(make_memory, draw_patterns, make_cues, n_cues, answer)
    loads = sorted({check_count("loads", load) for load in loads})
    if not loads:
        raise ValueError("loads must name at least one number of patterns; got none.")
    n_trials = check_count("n_trials", n_trials)
    epsilon = check_tolerance("epsilon", epsilon)
    streams = _streams(rng)
    rows: list[dict[str, float]] = []
    for trial in range(n_trials):
        rows += _fill_and_recall(protocol, loads, trial, streams(f"trial-{trial}"), epsilon)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _fill_and_recall(
    protocol: _Protocol,
    loads: list[int],
    trial: int,
    rng: np.random.Generator,
    epsilon: float,
) -> list[dict[str, float]]:
    """Fill one memory load after load, and return a row of the table for each."""
    memory = protocol.make_memory(rng)
    batches = protocol.draw(loads[-1], rng)
    parts: list[_Stored] = []
    rows = []
    for start, load in zip([0, *loads[:-1]], loads):
        parts.append(protocol.store(memory, tuple(batch[start:load] for batch in batches)))
        stored = _Stored(*(SparseCode.concatenate(each) for each in zip(*parts)))
        parts = [stored]
        recalled, wanted, cues = protocol.recall(memory, stored, rng)
        told = cues if stored.wanted == stored.patterns else None
        measured = report(recalled, wanted, memory=memory, cues=told, epsilon=epsilon)
        about = {"trial": trial, "load": load}
        rows.append(about | {"n_weights": memory.n_weights, "nbytes": memory.nbytes} | measured)
    return rows


def capacity(
    make_memory: Callable[[np.random.Generator], AssociativeMemory],
    draw_patterns: Callable[[int, np.random.Generator], Any],
    *,
    criterion: str | Callable[[SparseCode, SparseCode], float] = "epsilon",
    tolerance: float = 0.01,
    make_cues: Callable[[SparseCode, np.random.Generator], Any] | None = None,
    low: int = 16,
    high: int = 2**20,
    resolution: float = 0.02,
    n_trials: int = 8,
    confidence: float = 0.95,
    n_cues: int | None = None,
    answer: str = "code",
    rng: np.random.Generator | int | None = None,
) -> Capacity:
    r"""Find the largest number of stored patterns at which recall meets a criterion.

    The load is doubled from `low` (or halved, down to 1) until the criterion fails, and bisected
    from there. At each load `n_trials` memories are filled, each with patterns of its own, and the
    criterion's error is averaged over them: mean :math:`\bar e`, standard error :math:`s`. The
    criterion is met if :math:`\bar e` is at most `tolerance`. The interval of the answer is that of
    the loads at which Student's t test with ``n_trials - 1`` degrees of freedom cannot tell, where
    :math:`\bar e \pm t s` contains the tolerance; both its ends are searched in the same way.

    Parameters
    ----------
    make_memory : callable
        ``make_memory(rng)`` returns an empty memory; one without randomness ignores `rng`.
    draw_patterns : callable
        ``draw_patterns(n, rng)`` returns `n` binary patterns, or a tuple of what `store` takes:
        patterns and their targets.
    criterion : {"epsilon", "exact", "bit_error", "missing"} or callable, default="epsilon"
        The error: of units for each active one, the share of patterns with any error, of units
        that differ, of active units that are missing; or ``criterion(recalled, stored)``, a number
        that is smaller where recall is better.
    tolerance : float, default=0.01
        How large the error may be on the mean.
    make_cues : callable, optional
        ``make_cues(patterns, rng)`` returns a cue for each; by default the pattern itself.
    low : int, default=16
        Load to start from.
    high : int, default=2**20
        Largest load that is tried.
    resolution : float, default=0.02
        Width of the last step, as a share of the load; 1 pattern at least.
    n_trials : int, default=8
        Trials at each load, at least 2.
    confidence : float, default=0.95
        Level of the interval at each load, between 0 and 1.
    n_cues : int, optional
        Recall from so many cues, of stored patterns drawn at random, where there are more; by
        default from all.
    answer : {"code", "pattern"}, default="code"
        Which part of a `Recall` is judged: the code, against what `store` returned, or the pattern,
        against what was given to it.
    rng : Generator, int or None
        Source of randomness. The numbers of a trial depend on it, the load and the trial alone.

    Returns
    -------
    Capacity
        The load, its interval, and every load that was evaluated.

    Raises
    ------
    ValueError, TypeError
        If a count or option is out of range, or a function returns what it must not.

    Notes
    -----
    It is taken for granted that the error rises with the load. The level is that of the test at one
    load; searches for the two ends try several, and as a rule end further out: on memories whose
    capacity is known, intervals at 95 % contain it in 99 of 100 cases. Trials that all have the
    same error give an interval of width 0. Warnings of memories about loads beyond a limit of
    theirs are not shown.
    """
    protocol = _check_protocol(make_memory, draw_patterns, make_cues, n_cues, answer)
    if not callable(criterion):
        check_option("criterion", criterion, _CRITERIA)
    tolerance = check_tolerance("tolerance", tolerance)
    low = check_count("low", low)
    high = check_count("high", high, minimum=low)
    resolution = check_positive("resolution", resolution)
    n_trials = check_count("n_trials", n_trials, minimum=2)
    if not 0 < check_positive("confidence", confidence) < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence!r}.")
    quantile = float(stdtrit(n_trials - 1, 0.5 + confidence / 2))
    streams = _streams(rng)
    tried: dict[int, np.ndarray] = {}

    def limits(load: int, sign: float) -> float:
        """Return the mean error at a load, plus so many standard errors."""
        if load not in tried:
            names = [f"load-{load}-trial-{trial}" for trial in range(n_trials)]
            errors = [_error(protocol, criterion, load, streams(name)) for name in names]
            tried[load] = np.array(errors)
        found = tried[load]
        spread = found.std(ddof=1) if np.isfinite(found).all() else 0.0
        return float(found.mean() + sign * quantile * spread / np.sqrt(n_trials))

    bound = tolerance * (1.0 + 1e-12)

    def search(sign: float) -> tuple[int, float]:
        return _bracket(lambda load: limits(load, sign) <= bound, low, high, resolution)

    (estimate, beyond), (lower, _), (_, upper) = search(0.0), search(1.0), search(-1.0)
    loads = np.array(sorted(tried))
    return Capacity(
        estimate,
        (min(lower, estimate), max(upper - 1.0, estimate)),
        float(confidence),
        tolerance,
        bool(np.isfinite(beyond)),
        loads,
        np.array([tried[load] for load in loads]),
        np.array([[limits(load, -1.0), limits(load, 1.0)] for load in loads]),
    )


def _error(protocol: _Protocol, criterion: Any, load: int, rng: np.random.Generator) -> float:
    """Return the criterion's error of one memory at one load."""
    memory = protocol.make_memory(rng)
    stored = protocol.store(memory, protocol.draw(load, rng))
    recalled, wanted, _ = protocol.recall(memory, stored, rng)
    if callable(criterion):
        return float(criterion(recalled, wanted))
    return _CRITERIA[criterion](count_errors(recalled, wanted))


def _bracket(
    holds: Callable[[int], bool], low: int, high: int, resolution: float
) -> tuple[int, float]:
    """Return the largest load tried at which `holds`, 0 if at none, and the next, where not."""
    good, bad = 0, low
    while holds(bad):
        good = bad
        if bad == high:
            return high, float("inf")
        bad = min(2 * bad, high)
    while good == 0 and bad > 1:
        half = bad // 2
        good, bad = (half, bad) if holds(half) else (0, half)
    while bad - good > max(1, resolution * good):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good, bad


def _streams(rng: Any) -> Streams:
    """Return streams by name, all of which follow from one draw."""
    return Streams(int(check_rng(rng).integers(2**63)))
