"""Time contestants to each of several precisions on the way to the last one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from experiments.benchmarks._race import Lane, Outcome, Race, line_up, load, rotated

__all__ = ["Standard", "run"]


class Standard(NamedTuple):
    """What a code may be held to: a measure, and what it must be at most."""

    measure: str
    limit: float
    words: str


def run(
    race: Race,
    n_rounds: int,
    seed: int = 0,
    progress: Callable[..., Iterable[Any]] = lambda items, text: items,
) -> list[Outcome]:
    """Let everybody go through its stops in turn; return an outcome for each precision.

    Iterations are dear, and one run passes all stops: the clock is stopped there while the code is
    judged, and the seconds to a precision are those of all iterations so far. Who takes a
    tolerance starts anew at each stop, and the seconds are those of that run alone. The first
    round finds the stops; others, whose order is rotated, go to no other ones. Whoever has taken
    `race.max_seconds` without being precise has missed it.

    Parameters
    ----------
    race, n_rounds, seed, progress
        As `experiments.benchmarks._race.run` takes them; the objective's standards replace the
        race's limit.
    """
    objective = load(race.benchmark, "Objective").get_instance(**race.objective)
    data = load(race.benchmark, "Dataset", race.dataset).get_instance(**race.data, seed=seed)
    objective.set_data(**data.get_data())
    contestants, absent = line_up(race, objective)
    standards = objective.standards
    lanes = {
        one: [
            Lane(one.entry, one.solver, one.n_samples, standard.measure, standard.limit)
            for standard in standards
        ]
        for one in contestants
    }
    for round_ in progress(range(n_rounds), race.name):
        for one in rotated(contestants, round_):
            if one.entry.n_rounds is None or round_ < one.entry.n_rounds:
                go(lanes[one], objective, one.entry.stops, race.max_seconds)
    return [
        Outcome(
            race._replace(name=f"{race.name}, {standard.words}"),
            [lanes[one][i] for one in contestants],
            absent if i == 0 else [],
        )
        for i, standard in enumerate(standards)
    ]


def go(lanes: list[Lane], objective: Any, stops: tuple[float, ...], max_seconds: float) -> None:
    """Take one contestant from stop to stop; time each lane to the first that is precise enough.

    Lanes that no stop is precise enough for keep what the last one took and gave.
    """
    solver = lanes[0].solver
    if lanes[0].seconds:  # not the first round
        stops = tuple(stop for stop in stops if any(stop == lane.stop for lane in lanes))
    waiting, seconds = list(lanes), 0.0
    for stop in stops:
        if stop == stops[0] or not solver.resumes:
            solver.pre_run_hook(stop)
            seconds = 0.0
        start = time.perf_counter()
        solver.run(stop)
        seconds += time.perf_counter() - start
        proof = objective.certify(**solver.get_result())
        is_last = stop == stops[-1] or seconds >= max_seconds
        for lane in waiting:
            lane.stop, lane.value = stop, proof[lane.measure]
            if lane.is_precise or is_last:
                lane.seconds.append(seconds)
        waiting = [lane for lane in waiting if not lane.is_precise]
        if is_last or not waiting:
            break
