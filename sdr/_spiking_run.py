"""Run cells with an active dendrite in Brian2: one explicit network, every trial a cell of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sdr._spiking_cell import Cell

__all__ = ["N_TOGETHER", "choose_target", "run_cells"]

#: Trials in one network: about 10 MB, and enough of them that steps cost more than their start.
N_TOGETHER = 2**15
#: Recorded potentials of one network, in numbers.
N_RECORDED = 2**25
#: Steps of cells from which Cython saves more than its compilation takes, two million trials of
#: 300 ms. Measured in processor time: 24 s to compile, then 3.0 s instead of NumPy's 3.6 s for
#: 65,536 such trials.
WORTH_COMPILING = 6 * 10**9

#: What is noted of each cell while it runs.
_WATCHED = """
peak_d : volt
peak_s : volt
above : second
onset : second
last : second
n_plateaus : integer
first_spike : second
n_spikes : integer
"""
_WATCH = """
peak_d = clip(v_d, peak_d, volt)
peak_s = clip(v_s, peak_s, volt)
above += int(v_d > level) * dt
"""
_NOTE_PLATEAU = """
onset = int(n_plateaus == 0) * t + int(n_plateaus > 0) * onset
last = t
n_plateaus += 1
"""
_NOTE_SPIKE = """
first_spike = int(n_spikes == 0) * t + int(n_spikes > 0) * first_spike
n_spikes += 1
"""


@contextmanager
def _quiet() -> Iterator[None]:
    """Pass over what Brian2 calls of other packages' deprecated names: users cannot mend it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def import_brian2() -> Any:
    """Return Brian2, or say in one sentence how to get it."""
    try:
        with _quiet():
            import brian2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "brian2":
            raise
        raise ModuleNotFoundError(
            "brian2 must be installed to simulate spiking dendrites; run "
            "pip install '.[experiments]' in the checkout.",
            name="brian2",
        ) from None
    except AttributeError as error:  # Brian2 2.9 uses what NumPy 2.4 has taken away
        raise ImportError(
            f"brian2 must be able to use the installed NumPy, {np.__version__}, and it is not "
            f"({error}); run pip install '.[experiments]' in the checkout, which installs a pair "
            "that fits.",
            name="brian2",
        ) from error
    return brian2


def choose_target(codegen: str, n_steps: int) -> str:
    """Return "cython" or "numpy" for `n_steps` steps of one cell in all."""
    import_brian2()
    if codegen == "numpy" or (codegen == "auto" and n_steps < WORTH_COMPILING):
        return "numpy"
    from brian2.devices.device import auto_target
    from brian2.utils.logger import catch_logs

    with catch_logs():  # its word on a missing compiler; ours follows
        compiles = auto_target().class_name == "cython"
    if codegen == "cython" and not compiles:
        raise RuntimeError(
            "codegen='cython' must find Cython and a working C++ compiler; got none. "
            "Use codegen='numpy' or 'auto'."
        )
    return "cython" if compiles else "numpy"


@contextmanager
def _settings(brian2: Any, target: str) -> Iterator[None]:
    """Use the runtime device and `target`; give the caller's device and target back."""
    from brian2.devices.device import get_device, reset_device, runtime_device, set_device

    changed = get_device() is not runtime_device
    chosen = brian2.prefs.codegen.target
    if changed:
        set_device("runtime")
    brian2.prefs.codegen.target = target
    try:
        with _quiet():
            yield
    finally:
        brian2.prefs.codegen.target = chosen
        if changed:
            reset_device()


def run_cells(
    model: Cell,
    n_cells: int,
    cells: np.ndarray,
    steps: np.ndarray,
    n_steps: int,
    *,
    dt: float,
    target: str,
    record: bool = False,
) -> dict[str, np.ndarray]:
    """Run `n_cells` equal cells for `n_steps` of `dt` ms and return what was noted of each.

    Spike ``i`` arrives at cell ``cells[i]`` at the step ``steps[i]``. Potentials come in mV, times
    in ms.
    """
    brian2 = import_brian2()
    with _settings(brian2, target):
        clock = brian2.Clock(dt * brian2.ms, name="clock_of_dendrites")
        group = _group(brian2, model, n_cells, clock)
        objects = [group, *_inputs(brian2, model, group, cells, steps, clock)]
        monitor = None
        if record:
            monitor = brian2.StateMonitor(group, ("v_d", "v_s"), record=True, clock=clock)
            objects.append(monitor)
        network = brian2.Network(objects)
        network.run(n_steps * dt * brian2.ms, namespace={})
        found = _found(group)
        if monitor is not None:
            found |= {
                "time": np.asarray(monitor.t) * 1e3,
                "dendrite": np.asarray(monitor.v_d) * 1e3,
                "soma": np.asarray(monitor.v_s) * 1e3,
            }
    return found


def _group(brian2: Any, model: Cell, n_cells: int, clock: Any) -> Any:
    """Return the cells at rest, and what watches them."""
    constants = {
        name: value * _unit(brian2, unit) for name, (value, unit) in model.constants().items()
    }
    spiking = {}
    if model.soma_threshold:
        spiking = {
            "threshold": model.soma_threshold,
            "reset": f"{model.soma_reset}\n{_NOTE_SPIKE}",
            "refractory": constants["refractory"],
        }
    group = brian2.NeuronGroup(
        n_cells,
        model.equations + _WATCHED,
        method="euler",
        events={"plateau": f"{model.plateau_condition} and t - last >= lockout"},
        namespace=constants,
        clock=clock,
        name="dendrites",
        **spiking,
    )
    group.run_on_event("plateau", f"{_NOTE_PLATEAU}\n{model.on_plateau}")
    group.run_regularly(_WATCH, when="end", clock=clock, name="dendrites_watch")
    for name in ("v_d", "v_p", "v_s", "peak_d", "peak_s"):
        if name in group.variables:
            setattr(group, name, constants["rest"])
    group.last = -constants["lockout"] - clock.dt
    return group


def _unit(brian2: Any, unit: str) -> Any:
    if unit == "1/mV":
        return 1.0 / brian2.mV
    return getattr(brian2, unit) if unit else 1.0


def _inputs(
    brian2: Any, model: Cell, group: Any, cells: np.ndarray, steps: np.ndarray, clock: Any
) -> list[Any]:
    """Return one source a spike, connected to the cell at which it arrives."""
    if not cells.size:
        return []
    sources = np.arange(cells.size)
    generator = brian2.SpikeGeneratorGroup(
        cells.size, sources, steps * clock.dt, clock=clock, name="dendrites_inputs"
    )
    names = [f"pathway_{number}" for number in range(len(model.pathways))]
    synapses = brian2.Synapses(
        generator,
        group,
        on_pre={name: path.statement for name, path in zip(names, model.pathways)},
        delay={name: path.delay * brian2.ms for name, path in zip(names, model.pathways)},
        clock=clock,
        name="dendrites_synapses",
    )
    synapses.connect(i=sources, j=cells)
    return [generator, synapses]


def _found(group: Any) -> dict[str, np.ndarray]:
    """Return what was noted of each cell, in mV and ms; NaN for what never happened."""

    def times(name: str, count: np.ndarray) -> np.ndarray:
        return np.where(count > 0, np.asarray(getattr(group, name)) * 1e3, np.nan)

    n_plateaus, n_spikes = np.array(group.n_plateaus[:]), np.array(group.n_spikes[:])
    return {
        "plateau": n_plateaus > 0,
        "onset": times("onset", n_plateaus),
        "duration": np.asarray(group.above) * 1e3,
        "peak_dendrite": np.asarray(group.peak_d) * 1e3,
        "peak_soma": np.asarray(group.peak_s) * 1e3,
        "soma_spikes": n_spikes.astype(np.int64),
        "first_soma_spike": times("first_spike", n_spikes),
    }
