"""The parts of `spiking-dendrite`: voltages, curves, rates over drawn sets, and their theory."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from sdr.spiking import (
    EventPlateau,
    InputSpikes,
    NMDADendrite,
    PsychometricCurve,
    ThreeCompartment,
    ThresholdFit,
    draw_noisy,
    draw_spikes,
    draw_strangers,
    fit_threshold,
    psychometric_curve,
    simulate_dendrites,
)
from sdr.theory import (
    false_negative,
    false_positive,
    union_false_positive,
    union_size_distribution,
)
from sparsecode.core import SparseCode, overlap
from sparsecode.core.rng import Streams

__all__ = [
    "DRIVEN", "EXPLORED", "JITTER", "MODELS", "TRACED", "VARIANTS", "Question", "Setting",
    "abstract_rates", "asked_in", "effective_failure", "error_of_curve", "error_theory", "fitted",
    "groups", "law", "questions", "settings", "soma_answers", "spiking", "variants", "voltages",
]  # fmt: skip

#: The three cells.
MODELS = {"nmda": NMDADendrite(), "event": EventPlateau(), "three": ThreeCompartment()}
#: Where the questions are asked: spikes within 2 ms, every synapse transmits.
JITTER = 2.0
#: NMDA dendrites whose threshold is measured, beside the verified one.
VARIANTS = {
    "verified": NMDADendrite(),
    "less NMDA, more AMPA": NMDADendrite(nmda=1.0, ampa=0.5),
    "NMDA 1 nS": NMDADendrite(nmda=1.0),
    "NMDA 2 nS": NMDADendrite(nmda=2.0),
    "block at -35 mV": NMDADendrite(block_middle=-35.0),
    "block at -45 mV": NMDADendrite(block_middle=-45.0),
}
EXPLORED = np.arange(3, 31)
#: Time to simulate after the latest spike possible, in ms, and trials that run together.
LISTENING, TOGETHER = 100.0, 200_000
#: Inputs whose potentials are kept, and the feed-forward current of the driven soma, in pA.
TRACED = (9, 10, 20)
DRIVEN = 300.0
#: All runs are computed alike, so that a record does not depend on who has a compiler.
NUMPY: dict[str, Any] = {"codegen": "numpy"}


class Question(NamedTuple):
    """One rate to be measured: what is shown to which segments."""

    kind: str  # "false positive", "false negative" or "union"
    value: int  # synapses, moved bits or patterns

    @property
    def key(self) -> str:
        """Return a name for streams and files."""
        return f"{self.kind.replace(' ', '-')}-{self.value}"

    def draw(self, config: Any, n_trials: int, rng: Any) -> tuple[SparseCode, SparseCode]:
        """Draw segments and inputs."""
        n_units, n_active = config.n_units, config.n_active
        if self.kind == "false positive":
            return draw_strangers(n_units, n_active, self.value, n_trials, rng=rng)
        if self.kind == "false negative":
            s = config.n_synapses
            return draw_noisy(n_units, n_active, s, n_trials, n_moved=self.value, rng=rng)
        s = config.union_synapses
        return draw_strangers(n_units, n_active, s, n_trials, n_patterns=self.value, rng=rng)

    def error(self, recognised: Any) -> Any:
        """Return the rate of errors from that of recognitions."""
        return 1.0 - recognised if self.kind == "false negative" else recognised


def questions(config: Any) -> list[Question]:
    """Return every question of a config."""
    return [
        *(Question("false positive", s) for s in config.synapses),
        *(Question("false negative", v) for v in config.moved),
        *(Question("union", m) for m in config.patterns),
    ]


# ---------------------------------------------------------------------------- the theory


@lru_cache(maxsize=64)
def law(question: Question, config: Any) -> np.ndarray:
    """Return the exact distribution of the overlap: probabilities of 0, 1, 2, ..."""
    n, a = config.n_units, config.n_active
    b = np.arange(a + 1)
    if question.kind == "false positive":
        return stats.hypergeom(n, question.value, a).pmf(b)
    if question.kind == "false negative":
        s = config.n_synapses
        return stats.hypergeom(a, s, question.value).pmf(s - b)
    sizes = union_size_distribution(n, config.union_synapses, question.value)
    found = np.flatnonzero(sizes)
    return sum(sizes[size] * stats.hypergeom(n, size, a).pmf(b) for size in found)


def error_theory(question: Question, config: Any, theta: int, failure: float = 0.0) -> float:
    """Return the abstract segment's rate of errors, where synapses fail with a probability."""
    n, a, s = config.n_units, config.n_active, config.n_synapses
    if question.kind == "false positive":
        return float(false_positive(n, a, question.value, theta, failure=failure))
    if question.kind == "false negative":
        return float(false_negative(a, s, question.value, theta, failure=failure))
    s = config.union_synapses
    return float(union_false_positive(n, a, s, theta, question.value, failure=failure))


def error_of_curve(question: Question, config: Any, curve: PsychometricCurve) -> float:
    """Return the rate of errors of a cell with this psychometric curve."""
    chances = law(question, config)
    return float(question.error(chances @ curve.at(np.arange(chances.size))))


def effective_failure(curve: PsychometricCurve, theta: int) -> float:
    """Return the failure that makes the abstract segment most like a curve."""
    b, k, n = curve.overlaps, curve.n_plateaus, curve.n_trials

    def cost(failure: float) -> float:
        p = np.clip(stats.binom.sf(theta - 1, b, 1.0 - failure), 1e-9, 1.0 - 1e-9)
        return -float(k @ np.log(p) + (n - k) @ np.log(1.0 - p))

    trials = np.linspace(0.0, 0.9, 91)
    best = trials[int(np.argmin([cost(one) for one in trials]))]
    found = optimize.minimize_scalar(
        cost, bounds=(max(0.0, best - 0.01), best + 0.01), method="bounded"
    )
    return float(found.x) if found.fun < cost(0.0) else 0.0


# ---------------------------------------------------------------------------- the cells


def voltages(config: Any, streams: Streams) -> dict[str, np.ndarray]:
    """Record potentials over time, and their peaks over overlaps with both blocks."""
    traced = simulate_dendrites(
        NMDADendrite(), TRACED, record=True, rng=streams("traces"), **NUMPY
    )  # fmt: skip
    assert traced.time is not None
    assert traced.dendrite is not None
    assert traced.soma is not None
    overlaps = np.repeat(config.curve_overlaps, config.n_voltages)
    found = {
        "trace_time": traced.time[::5].astype(np.float32),
        "trace_dendrite": traced.dendrite[:, ::5].astype(np.float32),
        "trace_soma": traced.soma[:, ::5].astype(np.float32),
    }
    for block in ("steep", "standard"):
        rng = streams(f"block-{block}")
        trials = simulate_dendrites(NMDADendrite(block=block), overlaps, rng=rng, **NUMPY)
        for name in ("peak_dendrite", "peak_soma", "duration"):
            values = getattr(trials, name).reshape(-1, config.n_voltages).mean(axis=1)
            found[f"{name}_{block}"] = np.round(values, 3)
    return found


class Setting(NamedTuple):
    """How spikes arrive."""

    part: str  # of the experiment
    jitter: float
    failure: float

    @property
    def key(self) -> str:
        """Return a name for streams and arrays."""
        return f"{self.jitter:g}-{self.failure:g}"


def settings(config: Any) -> list[Setting]:
    """Return where the theory is asked, then the two sweeps."""
    return [
        Setting("rates", JITTER, 0.0),
        *(Setting("jitter", jitter, 0.0) for jitter in config.jitters),
        *(Setting("failure", JITTER, failure) for failure in config.failures),
    ]


def asked_in(setting: Setting, config: Any) -> list[Question]:
    """Return the questions of a setting: all, or one with and one without the pattern."""
    if setting.part == "rates":
        return questions(config)
    return [
        Question("false positive", config.n_synapses),
        Question("false negative", config.n_moved),
    ]


def groups(config: Any) -> list[list[Setting]]:
    """Return the settings whose trials run together: a network takes long to set up."""
    rates, *swept = settings(config)
    curve = config.n_curve * (config.n_synapses + 1)
    together = max(1, TOGETHER // (2 * config.n_trials + curve))
    return [[rates], *(swept[i : i + together] for i in range(0, len(swept), together))]


def spiking(
    config: Any, streams: Streams, name: str, together: list[Setting]
) -> dict[str, np.ndarray]:
    """Measure curves and rates of one cell: drawn sets, drawn spikes, one simulation for all."""
    shown, spikes = [], []
    for one in together:
        stream = streams.spawn(f"{name}-{one.part}-{one.key}")
        blocks = [np.repeat(np.arange(config.n_synapses + 1), config.n_curve)]
        for question in asked_in(one, config):
            drawn = question.draw(config, config.n_trials, stream(question.key))
            blocks.append(overlap(*drawn, rowwise=True))
        shown.append(np.concatenate(blocks))
        spikes.append(
            draw_spikes(shown[-1], jitter=one.jitter, failure=one.failure, rng=stream("spikes"))
        )
    starts = np.cumsum([0, *(one.n_trials for one in spikes)])
    everything = InputSpikes(
        np.concatenate([one.trial + start for one, start in zip(spikes, starts)]),
        np.concatenate([one.time for one in spikes]),
        int(starts[-1]),
    )
    longest = LISTENING + max(one.jitter for one in together)
    trials = simulate_dendrites(MODELS[name], everything, duration=longest, **NUMPY)
    n_curve = config.n_curve * (config.n_synapses + 1)
    found: dict[str, np.ndarray] = {}
    for one, overlaps, start in zip(together, shown, starts):
        plateau = trials.plateau[start : start + overlaps.size]
        key = f"{one.part}-{one.key}"
        found[f"curve-{key}"] = plateau[:n_curve].reshape(-1, config.n_curve).sum(axis=1)
        found[f"rates-{key}"] = plateau[n_curve:].reshape(-1, config.n_trials).sum(axis=1)
        if one.part == "rates":
            n_bins = config.n_active + 1
            found["seen"] = np.bincount(overlaps[n_curve:], minlength=n_bins)
            found["plateaus"] = np.bincount(overlaps[n_curve:][plateau[n_curve:]], minlength=n_bins)
    return found


def fitted(config: Any, n_plateaus: np.ndarray) -> tuple[PsychometricCurve, ThresholdFit | None]:
    """Return the curve of these counts and its threshold; None where it does not reach one half."""
    overlaps = np.arange(config.n_synapses + 1)
    curve = PsychometricCurve(overlaps, n_plateaus, np.full(overlaps.size, config.n_curve))
    return curve, fit_threshold(curve) if curve.probability[-1] >= 0.5 else None


def abstract_rates(config: Any, streams: Streams, question: Question) -> dict[str, np.ndarray]:
    """Count overlaps of sets drawn afresh: the abstract segment, for every threshold."""
    n_trials = config.n_trials * config.n_abstract
    drawn = question.draw(config, n_trials, streams(f"abstract-{question.key}"))
    counts = np.bincount(overlap(*drawn, rowwise=True), minlength=config.n_active + 1)
    return {"n_at_least": counts[::-1].cumsum()[::-1]}


def variants(streams: Streams) -> dict[str, np.ndarray]:
    """Measure the thresholds of cells with other conductances and blocks."""
    found = []
    for name, model in VARIANTS.items():
        curve = psychometric_curve(
            model, EXPLORED, 20, jitter=JITTER, rng=streams(f"variant-{name}"), **NUMPY
        )
        found.append(fit_threshold(curve).theta)
    return {"theta": np.array(found)}


def soma_answers(streams: Streams) -> dict[str, np.ndarray]:
    """Show inputs to the three-compartment cell, with and without feed-forward drive."""
    overlaps = np.array([0, 9, 10, 20])
    found = {"soma_overlaps": overlaps}
    for label, drive in (("alone", 0.0), ("driven", DRIVEN)):
        trials = simulate_dendrites(
            ThreeCompartment(drive=drive), overlaps, jitter=JITTER,
            rng=streams(f"soma-{label}"), **NUMPY,
        )  # fmt: skip
        found[f"soma_spikes_{label}"] = trials.soma_spikes
        found[f"soma_first_{label}"] = np.round(trials.first_soma_spike, 1)
        found[f"soma_plateau_{label}"] = trials.plateau
    return found
