"""Time contestants in turn on one problem, and hold each to the same certified precision."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Entry", "Lane", "Outcome", "Race", "Sizes", "load", "on_threads", "rotated", "run"]


@dataclass(frozen=True)
class Sizes:
    """What every benchmark's config has."""

    n_rounds: int = 5
    n_matrix: int = 2048


class Entry(NamedTuple):
    """A contestant of a race: a solver, its parameters and where it may stop.

    `stops` run from loose to tight; the first that is precise enough is timed. `n_samples` limits
    what a slow one is given, `n_rounds` how often it runs. `goal` is how many times as fast ours
    should be.
    """

    solver: str
    parameters: dict[str, Any]
    stops: tuple[float, ...] = (1,)
    n_samples: int | None = None
    n_rounds: int | None = None
    goal: float = np.nan


class Race(NamedTuple):
    """One problem, those who solve it, ours first, and what precision counts.

    The objective's measure must be at most `limit`; or, without one, at most ``1 + slack`` times
    what the first entry called `reference` reaches on the same samples. Where one run goes through
    all stops, it goes to no other one after `max_seconds`.
    """

    name: str
    benchmark: str
    objective: dict[str, Any]
    dataset: str
    data: dict[str, Any]
    entries: tuple[Entry, ...]
    limit: float | None = None
    reference: str | None = None
    slack: float = 0.0
    per: str = "sample"
    max_seconds: float = np.inf

    def is_reference(self, entry: Entry) -> bool:
        """Say whether an entry is the one that others must come up to."""
        named = [one for one in self.entries if one.solver == self.reference]
        return bool(named) and entry is named[0]


@dataclass(eq=False)
class Lane:
    """One contestant at work."""

    entry: Entry
    solver: Any
    n_samples: int
    measure: str
    limit: float = np.nan
    value: float = np.nan
    stop: float = np.nan
    seconds: list[float] = field(default_factory=list)

    @property
    def is_precise(self) -> bool:
        """Say whether the last run was precise enough."""
        return bool(self.value <= self.limit)

    def time(self) -> None:
        """Run once, on the clock."""
        self.solver.pre_run_hook(self.stop)
        start = time.perf_counter()
        self.solver.run(self.stop)
        self.seconds.append(time.perf_counter() - start)


class Outcome(NamedTuple):
    """What came of a race: its lanes, and one sentence for each contestant that did not run."""

    race: Race
    lanes: list[Lane]
    absent: list[str]


def on_threads(n_threads: int) -> str:
    """Return a number of threads in words."""
    return f"{n_threads} thread{'s'[: n_threads - 1]}"


def load(benchmark: str, kind: str, name: str = "") -> Any:
    """Return the class ``Objective``, ``Dataset`` or ``Solver`` of a benchmark, as benchopt would.

    Parameters
    ----------
    benchmark : str
        A folder beside this file.
    kind : {"Objective", "Dataset", "Solver"}
    name : str
        The file's name without its ending; an objective has none.
    """
    place = f".{kind.lower()}s.{name}" if name else f".{kind.lower()}"
    return getattr(import_module(f"{__package__}.{benchmark}{place}"), kind)


def rotated(lanes: Sequence[Any], round_: int) -> list[Any]:
    """Return `lanes` in the order of a round: each is first once in as many rounds."""
    first = round_ % max(len(lanes), 1)
    return [*lanes[first:], *lanes[:first]]


def run(
    race: Race,
    n_rounds: int,
    seed: int = 0,
    progress: Callable[..., Iterable[Any]] = lambda items, text: items,
) -> Outcome:
    """Find each contestant's stop, time all of them in turn, and judge what they leave.

    Parameters
    ----------
    race : Race
    n_rounds : int
        How often everybody runs, after a run that is not timed; the order rotates.
    seed : int
        Seed of the data.
    progress : callable
        Wraps the rounds.
    """
    objective = load(race.benchmark, "Objective").get_instance(**race.objective)
    data = load(race.benchmark, "Dataset", race.dataset).get_instance(**race.data, seed=seed)
    objective.set_data(**data.get_data())
    lanes, absent = line_up(race, objective)
    reference = [lane for lane in lanes if race.is_reference(lane.entry)]
    if race.reference and not reference:
        return Outcome(race, [], [*absent, f"{race.name}: nobody says how good is good enough"])
    reached = None
    for lane in sorted(lanes, key=lambda lane: lane not in reference):
        values = approach(lane, objective, race, reached)
        reached = values if lane in reference else reached
    for round_ in progress(range(n_rounds), race.name):
        for lane in rotated(lanes, round_):
            if lane.entry.n_rounds is None or round_ < lane.entry.n_rounds:
                lane.time()
    for lane in lanes:  # what was timed, not what was tried before
        judge(lane, objective, race, reached)
    return Outcome(race, lanes, absent)


def line_up(race: Race, objective: Any) -> tuple[list[Lane], list[str]]:
    """Return the contestants, warm, and a sentence for each that is passed over."""
    lanes, absent = [], []
    for entry in race.entries:
        solver = load(race.benchmark, "Solver", entry.solver).get_instance(**entry.parameters)
        given = dict(objective.get_objective())
        given["X"] = given["X"][: entry.n_samples]
        skipped, reason = solver.skip(**given)
        if skipped:
            absent.append(f"{race.name}: {solver.name} is passed over: {reason}")
            continue
        solver.set_objective(**given)
        solver.warm_up()
        lanes.append(Lane(entry, solver, len(given["X"]), objective.measure))
    return lanes, absent


def approach(lane: Lane, objective: Any, race: Race, reached: np.ndarray | None) -> np.ndarray:
    """Tighten a contestant's stop until it is precise enough; return how good each sample is."""
    for stop in lane.entry.stops:
        lane.stop = stop
        lane.solver.pre_run_hook(stop)
        lane.solver.run(stop)
        values = judge(lane, objective, race, reached)
        if lane.is_precise:
            break
    return values


def judge(lane: Lane, objective: Any, race: Race, reached: np.ndarray | None) -> np.ndarray:
    """Set what a contestant's last run is worth, and what it must be; return it per sample."""
    values = objective.judge(**lane.solver.get_result())
    shared = len(values) if reached is None else min(len(values), len(reached))
    lane.value = float(objective.reduce(values[:shared]))
    if race.limit is not None:
        lane.limit = race.limit
    elif race.is_reference(lane.entry) or reached is None:
        lane.limit = lane.value
    else:
        lane.limit = (1 + race.slack) * float(objective.reduce(reached[:shared]))
    return values


def report(outcome: Outcome) -> None:
    """Say who did not run, and who missed the precision."""
    for sentence in outcome.absent:
        print(sentence, file=sys.stderr)
    for lane in outcome.lanes:
        if not lane.is_precise:
            print(
                f"{outcome.race.name}: {lane.solver.name} missed the precision: {lane.value:.6g} "
                f"instead of at most {lane.limit:.6g}",
                file=sys.stderr,
            )
