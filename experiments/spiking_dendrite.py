"""Does a neuron that spikes recognise as the theory of dendrites says, and when does it not?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _spiking_claims, _spiking_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._spiking_measure import (
    JITTER,
    MODELS,
    Question,
    Setting,
    abstract_rates,
    asked_in,
    effective_failure,
    error_of_curve,
    error_theory,
    fitted,
    groups,
    questions,
    soma_answers,
    spiking,
    variants,
    voltages,
)
from sdr.spiking import PsychometricCurve, ThresholdFit
from sparsecode._validation import check_count
from sparsecode.core.rng import Streams

__all__ = ["Config", "spiking_dendrite"]

#: What the table says of each rate; NaN where it does not apply.
COLUMNS = (
    "part", "model", "question", "value", "jitter", "failure", "theta", "n_trials", "measured",
    "theory", "abstract", "effective_failure", "with_failure", "with_threshold", "with_curve",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Do spiking dendrites err as often as the theory of the abstract segment says?

    Three cells are asked three questions: how often an unknown input, a noisy pattern, or an
    unknown input of a dendrite that stores several patterns is recognised or missed. Segments and
    inputs are drawn as sets; each trial is a cell of its own, for whose threshold the theory's is
    taken that its psychometric curve shows. Then spikes are spread in time, and synapses fail.
    """

    n_units: int = 300
    n_active: int = 64
    n_synapses: int = 30
    synapses: tuple[int, ...] = (18, 20, 22, 24, 27, 30, 36)
    moved: tuple[int, ...] = (32, 34, 36, 38, 40, 44)
    union_synapses: int = 12
    patterns: tuple[int, ...] = (2, 3, 4, 5, 6)
    n_moved: int = 40
    jitters: tuple[float, ...] = (0.0, 2.0, 5.0, 7.5, 10.0, 15.0, 20.0)
    failures: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
    n_trials: int = 40_000
    n_abstract: int = 5
    n_curve: int = 1000
    n_voltages: int = 50
    curve_overlaps: tuple[int, ...] = tuple(range(4, 21))

    def __post_init__(self) -> None:
        for name in ("n_trials", "n_abstract", "n_curve", "n_voltages"):
            check_count(name, getattr(self, name))
        if not self.n_synapses <= self.n_active <= self.n_units // 2:
            raise ValueError(
                "n_synapses must be at most n_active, and this at most half of n_units; got "
                f"{self.n_synapses}, {self.n_active} and {self.n_units}."
            )
        if JITTER not in self.jitters or 0.0 not in self.failures:
            raise ValueError(
                f"jitters must hold {JITTER:g} ms and failures 0, where the theory is asked; got "
                f"{self.jitters} and {self.failures}."
            )
        if self.n_synapses not in self.synapses or self.n_moved not in self.moved:
            raise ValueError(
                f"synapses must hold n_synapses, {self.n_synapses}, and moved n_moved, "
                f"{self.n_moved}; got {self.synapses} and {self.moved}."
            )


@experiment(
    "spiking-dendrite",
    config=Config,
    title="A spiking dendrite and its theory",
    cites=("arXiv:1601.00720", "doi:10.3389/fncir.2016.00023"),
    smoke=dict(
        synapses=(24, 30), moved=(36, 40), patterns=(3, 4), jitters=(2.0, 20.0),
        failures=(0.0, 0.2), n_trials=50, n_abstract=2, n_curve=3, n_voltages=1,
    ),
    quick=dict(
        jitters=(0.0, 2.0, 5.0, 10.0, 20.0), failures=(0.0, 0.1, 0.2, 0.4), n_trials=3000,
        n_abstract=4, n_curve=100, n_voltages=10,
    ),
    headline=True,
    requires=("brian2",),
)  # fmt: skip
def spiking_dendrite(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Record voltages, measure curves, then rates: where the theory holds and beyond."""
    arrays = cached("voltages", voltages, config, streams)
    arrays |= cached("soma", soma_answers, streams)
    arrays["variants"] = cached("variants", variants, streams)["theta"]
    asked = questions(config)
    tasks: dict[str, tuple[Any, ...]] = {
        f"abstract-{one.key}": (abstract_rates, config, streams, one) for one in asked
    }
    rates = swept(tasks, "sets")
    abstract = {one: rates[f"abstract-{one.key}"]["n_at_least"] for one in asked}
    tasks = {
        f"{name}-{number}": (spiking, config, streams, name, together)
        for name in MODELS
        for number, together in enumerate(groups(config))
    }
    cells = swept(tasks, "cells")
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for name in MODELS:
        theta = 0
        for number, together in enumerate(groups(config)):
            found = cells[f"{name}-{number}"]
            arrays |= {f"{key}-{name}": found[key] for key in found if not key.startswith("rates")}
            for setting in together:
                key = f"{setting.part}-{setting.key}"
                curve, fit = fitted(config, found[f"curve-{key}"])
                if setting.part == "rates":
                    assert fit is not None
                    theta = fit.theta
                rows = _rows(config, setting, theta, curve, fit, found[f"rates-{key}"], abstract)
                for row in rows:
                    for column, value in zip(columns.values(), (setting.part, name, *row)):
                        column.append(value)
    return Outcome(columns, arrays)


def _rows(
    config: Config,
    setting: Setting,
    theta: int,
    curve: PsychometricCurve,
    fit: ThresholdFit | None,
    n_recognised: np.ndarray,
    abstract: dict[Question, np.ndarray],
) -> Iterator[tuple[Any, ...]]:
    """Yield for each question what was measured and what four theories say."""
    failure = setting.failure
    if setting.part == "jitter":
        failure = effective_failure(curve, theta)
    for one, n_found in zip(asked_in(setting, config), n_recognised):
        counts = abstract[one]
        yield (
            one.kind, one.value, setting.jitter, setting.failure, theta, config.n_trials,
            one.error(n_found / config.n_trials),
            error_theory(one, config, theta),
            one.error(counts[theta] / counts[0]),
            failure,
            error_theory(one, config, theta, failure),
            error_theory(one, config, fit.theta) if fit else np.nan,
            error_of_curve(one, config, curve),
        )  # fmt: skip


@spiking_dendrite.claims
def claims(record: Record) -> list[Claim]:
    """Judge thresholds, plateaus and rates, and say where the theory stops."""
    return _spiking_claims.judge(record)


@spiking_dendrite.plot
def figure(record: Record, figure: Any) -> None:
    """Draw voltages and curves, the three answers, and what jitter and failures do."""
    _spiking_figures.draw(record, figure)
