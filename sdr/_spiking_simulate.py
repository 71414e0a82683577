"""Simulate one cell per trial, in networks of many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sdr._spiking_cell import Cell
from sdr._spiking_inputs import InputSpikes, draw_spikes
from sdr._spiking_run import N_RECORDED, N_TOGETHER, choose_target, run_cells
from sparsecode._validation import check_option, check_positive

__all__ = ["Codegen", "DendriteTrials", "check_model", "simulate_dendrites"]

Codegen = Literal["auto", "cython", "numpy"]


@dataclass(frozen=True, eq=False, repr=False)
class DendriteTrials:
    """What simulated dendrites did, trial by trial.

    Attributes
    ----------
    plateau : ndarray of bool, shape (n_trials,)
        Whether a plateau started.
    onset : ndarray of float64, shape (n_trials,)
        When the first one did, in ms; NaN where none did.
    duration : ndarray of float64, shape (n_trials,)
        Time for which the dendrite was above the model's `plateau_level`, in ms.
    peak_dendrite, peak_soma : ndarray of float64, shape (n_trials,)
        Highest potentials, in mV.
    soma_spikes : ndarray of int64, shape (n_trials,)
        Spikes of the soma; 0 for the models whose soma has none.
    first_soma_spike : ndarray of float64, shape (n_trials,)
        Time of the first one, in ms; NaN where there is none.
    n_inputs : ndarray of int64, shape (n_trials,)
        Spikes that arrived.
    codegen : str
        What computed it, "cython" or "numpy".
    time : ndarray of float64, shape (n_steps,), or None
        Times of the potentials below, in ms, if they were recorded.
    dendrite, soma : ndarray of float64, shape (n_trials, n_steps), or None
        Potentials, in mV.
    """

    plateau: np.ndarray
    onset: np.ndarray
    duration: np.ndarray
    peak_dendrite: np.ndarray
    peak_soma: np.ndarray
    soma_spikes: np.ndarray
    first_soma_spike: np.ndarray
    n_inputs: np.ndarray
    codegen: str
    time: np.ndarray | None = None
    dendrite: np.ndarray | None = None
    soma: np.ndarray | None = None

    def __repr__(self) -> str:
        return (
            f"<DendriteTrials {self.plateau.size} trials, {self.plateau.sum()} plateaus, "
            f"{self.codegen}>"
        )


def simulate_dendrites(
    model: Cell,
    inputs: Any,
    *,
    jitter: float | None = None,
    failure: float | None = None,
    duration: float = 250.0,
    dt: float = 0.1,
    codegen: Codegen = "auto",
    record: bool = False,
    progress: bool = False,
    rng: Any = None,
) -> DendriteTrials:
    """Simulate one cell per trial, all in one network.

    Parameters
    ----------
    model : NMDADendrite, EventPlateau or ThreeCompartment
        The cell.
    inputs : array-like of int, shape (n_trials,), or InputSpikes
        How many synapses the input of each trial hits, of which spikes are drawn by
        :func:`draw_spikes`; or the spikes themselves.
    jitter : float, optional
        Spikes are spread over so many ms; 2 by default. Not with spikes given.
    failure : float, optional
        Probability that a synapse transmits nothing; 0 by default. Not with spikes given.
    duration : float, default=250
        Time to simulate, in ms.
    dt : float, default=0.1
        Step of the forward Euler method, in ms; spikes take effect at the end of their step.
    codegen : {"auto", "cython", "numpy"}, default="auto"
        How Brian2 computes. "auto" compiles with Cython where there is a compiler and the job is
        long enough to repay it (from two million trials of 300 ms on), and uses NumPy otherwise:
        Cython is a fifth faster, after half a minute. Results of the two agree up to rounding.
    record : bool, default=False
        Keep the potentials of all steps: 16 bytes a trial and step.
    progress : bool, default=False
        Whether to show a progress bar, over networks of 32,768 trials.
    rng : Generator, int or None
        Random numbers for the spikes.

    Returns
    -------
    DendriteTrials

    Raises
    ------
    ModuleNotFoundError
        If Brian2 is not installed.
    RuntimeError
        If ``codegen="cython"`` finds no compiler.
    ValueError, TypeError
        If an argument is out of its range, or spikes come after the end.

    Notes
    -----
    Brian2 is used with an explicit network on its runtime device; the caller's device and code
    generation target are the same afterwards. For equal inputs the NumPy target gives equal
    results.

    Examples
    --------
    >>> from sdr.spiking import NMDADendrite, simulate_dendrites
    >>> trials = simulate_dendrites(NMDADendrite(), [9, 10], rng=0, codegen="numpy")
    >>> trials.plateau.tolist()
    [False, True]
    """
    check_model(model)
    check_option("codegen", codegen, ("auto", "cython", "numpy"))
    duration, dt = check_positive("duration", duration), check_positive("dt", dt)
    n_steps = round(duration / dt)
    if n_steps < 1:
        raise ValueError(f"duration must be at least dt, {dt:g} ms; got {duration:g}.")
    spikes = _spikes(inputs, jitter, failure, rng)
    steps = np.floor(spikes.time / dt + 1e-9).astype(np.int64)
    if steps.size and steps.max() >= n_steps:
        raise ValueError(
            f"inputs must arrive before the end, {duration:g} ms; got a spike at "
            f"{spikes.time.max():g} ms. Raise duration."
        )
    target = choose_target(codegen, spikes.n_trials * n_steps)
    together = N_TOGETHER if not record else max(1, min(N_TOGETHER, N_RECORDED // n_steps))
    starts = range(0, spikes.n_trials, together)
    order = np.argsort(spikes.trial, kind="stable")
    cells, steps = spikes.trial[order], steps[order]
    bounds = np.searchsorted(cells, [*starts, spikes.n_trials])
    parts = [
        run_cells(
            model, min(together, spikes.n_trials - start), cells[low:high] - start,
            steps[low:high], n_steps, dt=dt, target=target, record=record,
        )
        for start, low, high in _shown(list(zip(starts, bounds[:-1], bounds[1:])), progress)
    ]  # fmt: skip
    return _joined(parts, np.bincount(cells, minlength=spikes.n_trials), target)


def _joined(parts: list[dict[str, np.ndarray]], n_inputs: np.ndarray, target: str) -> Any:
    if not parts:
        raise ValueError("inputs must hold at least one trial; got none.")
    time = parts[0].pop("time", None)
    for part in parts[1:]:
        part.pop("time", None)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return DendriteTrials(**found, n_inputs=n_inputs, codegen=target, time=time)


def _spikes(inputs: Any, jitter: float | None, failure: float | None, rng: Any) -> InputSpikes:
    if not isinstance(inputs, InputSpikes):
        return draw_spikes(
            inputs,
            jitter=2.0 if jitter is None else jitter,
            failure=0.0 if failure is None else failure,
            rng=rng,
        )
    if jitter is not None or failure is not None:
        raise ValueError(
            "jitter and failure must be left out when inputs are spikes, whose times are given; "
            f"got {jitter!r} and {failure!r}. Use draw_spikes."
        )
    return inputs


def check_model(model: Any) -> None:
    """Refuse what is not a cell."""
    if not isinstance(model, Cell):
        raise TypeError(
            f"model must be NMDADendrite, EventPlateau or ThreeCompartment; got "
            f"{type(model).__name__}."
        )


def _shown(items: list[Any], progress: bool) -> Iterable[Any]:
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items)
