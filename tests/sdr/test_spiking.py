"""Spiking dendrites: the verified numbers, the laws they must follow, and what they refuse."""

from __future__ import annotations

import builtins
import dataclasses
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from sdr import _spiking_run
from sdr.spiking import (
    DendriteTrials,
    EventPlateau,
    InputSpikes,
    NMDADendrite,
    PsychometricCurve,
    Recognition,
    ThreeCompartment,
    draw_noisy,
    draw_spikes,
    draw_strangers,
    fit_threshold,
    psychometric_curve,
    recognise,
    simulate_dendrites,
)
from sparsecode.core import SparseCode, overlap

MODELS = [NMDADendrite(), EventPlateau(), ThreeCompartment()]
FIELDS = [field.name for field in dataclasses.fields(DendriteTrials)]


def simulate(model, inputs, **options):
    return simulate_dendrites(model, inputs, codegen="numpy", **({"rng": 0} | options))


def together(counts, *, spread=0.0):
    """Return so many spikes in each trial, evenly over `spread` ms: no chance in it."""
    return InputSpikes.from_lists([np.linspace(0.0, spread, k) for k in counts])


# ---------------------------------------------------------------------- the verified model


@pytest.fixture(scope="module")
def verified():
    """Give 9, 10 and 20 inputs within 2 ms, 40 trials of each."""
    return simulate(NMDADendrite(), np.repeat([9, 10, 20], 40))


def test_nine_inputs_give_no_plateau_and_ten_always_do(verified):
    plateau = verified.plateau.reshape(3, 40)
    assert not plateau[0].any()
    assert plateau[1:].all()


def test_voltages_and_durations_are_those_of_the_reference(verified):
    peaks = verified.peak_dendrite.reshape(3, 40).mean(axis=1)
    durations = verified.duration.reshape(3, 40).mean(axis=1)
    soma = verified.peak_soma.reshape(3, 40).mean(axis=1) + 70.0
    np.testing.assert_allclose(peaks[:2], [-58.0, -19.0], atol=0.3)
    np.testing.assert_allclose(durations, [0.0, 69.0, 122.0], atol=1.0)
    assert soma[1] == pytest.approx(13.0, abs=0.3)


def test_onsets_exist_where_plateaus_do(verified):
    np.testing.assert_array_equal(np.isnan(verified.onset), ~verified.plateau)
    assert np.nanmin(verified.onset) > 0.0
    assert verified.onset[80:].max() < verified.onset[40:80].min()  # more inputs, sooner
    assert verified.soma_spikes.sum() == 0
    np.testing.assert_array_equal(verified.n_inputs, np.repeat([9, 10, 20], 40))


def euler(model, times, n_steps, dt=0.1):
    """Integrate the two-compartment NMDA model in plain Python: the slow twin."""
    rise, decay = model.nmda_rise, model.nmda_decay
    t = np.linspace(0.0, 100.0, 1_000_001)
    peak = (np.exp(-t / decay) - np.exp(-t / rise)).max()
    v, w, a, n, r = model.rest, model.rest, 0.0, 0.0, 0.0
    trace = []
    arrivals = np.bincount(np.floor(np.asarray(times) / dt + 1e-9).astype(int), minlength=n_steps)
    for step in range(n_steps):
        trace.append((v, w))
        gate = (n - r) / peak / (1.0 + np.exp(-model.block_slope * (v - model.block_middle)))
        synapses = (model.ampa * a + model.nmda * gate) * v
        dv = model.dendrite_leak * (model.rest - v) + model.coupling * (w - v) - synapses
        dw = model.soma_leak * (model.rest - w) + model.coupling * (v - w)
        v, w = v + dt * dv / model.dendrite_capacitance, w + dt * dw / model.soma_capacitance
        a, n, r = a - dt * a / model.ampa_decay, n - dt * n / decay, r - dt * r / rise
        a, n, r = (one + arrivals[step] for one in (a, n, r))
    return np.array(trace).T


@pytest.mark.parametrize("k", [9, 10])
def test_the_nmda_dendrite_is_its_equations(k):
    spikes = draw_spikes([k], rng=k)
    ours = simulate(NMDADendrite(), spikes, duration=60.0, record=True, rng=None)
    dendrite, soma = euler(NMDADendrite(), spikes.time, 600)
    np.testing.assert_allclose(ours.time, np.arange(600) * 0.1, atol=1e-9)
    np.testing.assert_allclose(ours.dendrite[0], dendrite, atol=1e-6)
    np.testing.assert_allclose(ours.soma[0], soma, atol=1e-6)


def test_less_nmda_and_more_ampa_leave_the_threshold():
    trials = simulate(NMDADendrite(nmda=1.0, ampa=0.5), [9, 10], duration=60.0)
    assert trials.plateau.tolist() == [False, True]


def test_the_standard_block_is_graded():
    counts = np.arange(4, 21)
    peaks = {
        block: simulate(NMDADendrite(block=block), together(counts), duration=60.0, rng=None)
        for block in ("steep", "standard")
    }
    steps = {block: np.diff(one.peak_dendrite) for block, one in peaks.items()}
    assert steps["steep"].max() > 35.0
    assert 0.0 < steps["standard"].min() <= steps["standard"].max() < 10.0


def test_the_standard_block_is_that_of_jahr_and_stevens():
    constants = NMDADendrite(block="standard", magnesium=1.5).constants()
    slope, middle = constants["slope"][0], constants["middle"][0]
    volts = np.linspace(-90.0, 30.0, 13)
    np.testing.assert_allclose(
        1.0 / (1.0 + np.exp(-slope * (volts - middle))),
        1.0 / (1.0 + 1.5 * np.exp(-0.062 * volts) / 3.57),
    )


# ---------------------------------------------------------------------- the other two cells


def test_the_counter_counts_within_its_window():
    model = EventPlateau(theta=5, window=5.0, plateau_duration=80.0)
    spikes = InputSpikes.from_lists(
        [
            np.linspace(0.0, 4.9, 5),  # all within the window
            np.linspace(0.0, 5.0, 5),  # the first leaves as the last arrives
            np.linspace(0.0, 4.0, 4),
            [0.0, 6.0, 7.0, 8.0, 9.0, 10.0],  # five of six
            [3.0] * 5,
        ]
    )
    trials = simulate(model, spikes, duration=150.0, rng=None)
    assert trials.plateau.tolist() == [True, False, False, True, True]
    # the dendrite takes longer to rise through -40 mV than to fall through it
    np.testing.assert_allclose(trials.duration[trials.plateau], 78.0, atol=0.5)
    assert trials.onset[4] == pytest.approx(3.1)  # the step after
    assert trials.peak_dendrite[0] == pytest.approx(-21.0, abs=1.0)


def test_the_counter_is_the_scan_of_its_spikes():
    spikes = draw_spikes(np.repeat([10, 14, 18], 40), jitter=12.0, rng=3)
    trials = simulate(EventPlateau(), spikes, duration=40.0, rng=None)
    for trial in range(spikes.n_trials):
        steps = np.sort(np.floor(spikes.time[spikes.trial == trial] / 0.1 + 1e-9))
        most = max(np.sum((steps >= one) & (steps < one + 50)) for one in steps)
        assert trials.plateau[trial] == (most >= 10)
    assert 0 < trials.plateau.sum() < 120


def test_a_driven_soma_fires_sooner_on_a_plateau():
    quiet = simulate(ThreeCompartment(), [0, 9, 10, 20])
    driven = simulate(ThreeCompartment(drive=300.0), [0, 9, 10, 20])
    assert quiet.plateau.tolist() == [False, False, True, True]
    assert quiet.soma_spikes.sum() == 0
    assert (driven.soma_spikes > 0).all()
    assert np.isnan(quiet.first_soma_spike).all()
    assert driven.first_soma_spike[2] < driven.first_soma_spike[0] - 20.0
    assert driven.first_soma_spike.min() > ThreeCompartment().drive_onset
    assert (np.diff(driven.soma_spikes) >= 0).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda one: type(one).__name__)
def test_a_failing_synapse_transmits_nothing(model):
    trials = simulate(model, [30] * 3, failure=1.0, duration=30.0)
    assert not trials.plateau.any()
    assert trials.n_inputs.sum() == 0
    np.testing.assert_array_equal(trials.peak_dendrite, -70.0)


# ---------------------------------------------------------------------- inputs


def test_spikes_are_spread_and_fail_as_asked():
    spikes = draw_spikes(np.full(2000, 10), jitter=4.0, failure=0.3, rng=0)
    low, high = stats.binom(20_000, 0.7).interval(0.999)
    assert low <= spikes.trial.size <= high
    assert 0.0 <= spikes.time.min() < 0.01 < 3.99 < spikes.time.max() < 4.0
    assert stats.kstest(spikes.time / 4.0, "uniform").pvalue > 1e-3
    assert draw_spikes([3], jitter=0.0, rng=0).time.tolist() == [0.0] * 3


def test_strangers_overlap_hypergeometrically():
    segments, inputs = draw_strangers(60, 20, 12, 3000, rng=0)
    assert set(segments.n_active) == {12}
    assert set(inputs.n_active) == {20}
    counts = np.bincount(overlap(segments, inputs, rowwise=True), minlength=13)
    expected = 3000 * stats.hypergeom(60, 12, 20).pmf(np.arange(13))
    assert ((counts - expected) ** 2 / expected)[1:8].sum() < stats.chi2(7).isf(1e-3)
    units = np.bincount(segments.indices, minlength=60)
    assert ((units - 600.0) ** 2 / 600.0).sum() < stats.chi2(60).isf(1e-3)


def test_unions_have_the_expected_size():
    segments, _ = draw_strangers(60, 20, 12, 3000, n_patterns=4, rng=1)
    mean, error = segments.n_active.mean(), segments.n_active.std() / np.sqrt(3000)
    assert mean == pytest.approx(60 * (1 - 0.8**4), abs=3.3 * error)
    assert segments.n_active.max() <= 48


def test_noisy_inputs_move_bits_out_of_the_pattern():
    segments, inputs = draw_noisy(60, 20, 12, 3000, n_moved=7, rng=2)
    assert set(segments.n_active) == {12}
    assert set(inputs.n_active) == {20}
    lost = 12 - overlap(segments, inputs, rowwise=True)
    counts = np.bincount(lost, minlength=8)
    expected = 3000 * stats.hypergeom(20, 12, 7).pmf(np.arange(8))
    assert ((counts - expected) ** 2 / expected)[1:].sum() < stats.chi2(7).isf(1e-3)


@pytest.mark.parametrize(("n_moved", "left"), [(0, 12), (20, 0)])
def test_no_and_all_bits_moved(n_moved, left):
    segments, inputs = draw_noisy(60, 20, 12, 5, n_moved=n_moved, rng=2)
    assert overlap(segments, inputs, rowwise=True).tolist() == [left] * 5


def test_sets_are_the_same_in_blocks_of_any_law(monkeypatch):
    whole = draw_noisy(50, 10, 5, 40, n_moved=3, rng=0)
    again = draw_noisy(50, 10, 5, 40, n_moved=3, rng=0)
    assert whole == again
    monkeypatch.setattr("sdr._spiking_inputs.BLOCK", 200)  # four trials together
    segments, inputs = draw_noisy(50, 10, 5, 41, n_moved=3, rng=0)
    assert segments.n_samples == inputs.n_samples == 41
    assert set(inputs.n_active) == {10}


# ---------------------------------------------------------------------- curves and thresholds


def test_cells_are_all_or_none_and_the_threshold_is_the_step():
    for model in MODELS:
        curve = psychometric_curve(model, np.arange(8, 13), 20, codegen="numpy", rng=0)
        fit = fit_threshold(curve)
        assert (fit.theta, fit.midpoint, fit.all_or_none) == (10, 9.5, True)
        assert fit.standard_error == fit.width == 0.0


def test_failures_make_the_curve_binomial():
    overlaps = np.arange(9, 18)
    curve = psychometric_curve(
        EventPlateau(), overlaps, 300, failure=0.2, duration=20.0, codegen="numpy", rng=1
    )
    low, high = stats.binom(300, stats.binom.sf(9, overlaps, 0.8)).interval(0.9999)
    assert ((low <= curve.n_plateaus) & (curve.n_plateaus <= high)).all()
    fit = fit_threshold(curve)
    assert fit.method == "logistic"
    assert fit.theta == 12
    assert fit.midpoint == pytest.approx(12.0, abs=0.3)


def test_a_logistic_curve_is_found_with_an_honest_error():
    overlaps, rng = np.arange(4, 21), np.random.default_rng(0)
    p = 1.0 / (1.0 + np.exp(-(overlaps - 11.3) / 1.2))
    n_trials = np.full(overlaps.size, 200)
    fits = [
        fit_threshold(PsychometricCurve(overlaps, rng.binomial(200, p), n_trials))
        for _ in range(40)
    ]
    found, errors = (np.array([getattr(one, name) for one in fits])
                     for name in ("midpoint", "standard_error"))  # fmt: skip
    assert abs(found.mean() - 11.3) < 3.3 * errors.mean() / np.sqrt(40)
    ratio = (found.std(ddof=1) / errors.mean()) ** 2 * 39
    assert stats.chi2(39).ppf(5e-4) < ratio < stats.chi2(39).isf(5e-4)
    assert fits[0].width == pytest.approx(2 * np.log(3) * 1.2, rel=0.15)


def test_one_graded_overlap_is_interpolated():
    fit = fit_threshold(PsychometricCurve([8, 9, 10, 11], [0, 0, 40, 100], [100] * 4))
    assert (fit.theta, fit.method) == (11, "interpolation")
    assert fit.midpoint == pytest.approx(10 + 0.1 / 0.6)
    assert fit.standard_error == pytest.approx(0.5 / 0.36 * np.sqrt(0.24 / 100))


def test_intervals_are_exact():
    curve = PsychometricCurve([1, 2, 3], [0, 3, 10], [10, 10, 10])
    low, high = curve.interval
    for k, one, other in zip(curve.n_plateaus, low, high):
        exact = stats.binomtest(int(k), 10).proportion_ci()
        assert (one, other) == pytest.approx((exact.low, exact.high))
    np.testing.assert_allclose(curve.at([0, 2, 9]), [0.0, 0.3, 1.0])


# ---------------------------------------------------------------------- recognition


def test_the_rate_of_false_positives_is_the_hypergeometric_tail():
    segments, inputs = draw_strangers(300, 64, 30, 4000, rng=5)
    found = recognise(NMDADendrite(), segments, inputs, codegen="numpy", duration=60.0, rng=6)
    np.testing.assert_array_equal(found.trials.plateau, found.overlaps >= 10)
    assert abs(found.deviation(stats.hypergeom(300, 30, 64).sf(9))) <= 3.0
    low, high = found.interval()
    assert low < found.rate < high


def test_one_segment_serves_all_inputs():
    segment = SparseCode.from_indices([range(12)], 40)
    inputs = SparseCode.from_indices([range(12), range(3, 15), range(20, 32)], 40)
    found = recognise(EventPlateau(theta=9), segment, inputs, codegen="numpy", rng=0)
    assert found.overlaps.tolist() == [12, 9, 0]
    assert found.trials.plateau.tolist() == [True, True, False]
    assert repr(found) == "<Recognition 2 of 3>"


def test_a_deviation_from_the_impossible_is_infinite():
    trials = SimpleNamespace(plateau=np.array([True, False, False, False]))
    found = Recognition(np.zeros(4, int), trials)
    assert found.deviation(0.25) == 0.0
    assert found.deviation(0.5) == pytest.approx(-1.0)
    assert found.deviation(0.0) == np.inf
    assert found.deviation(1.0) == -np.inf


# ---------------------------------------------------------------------- how it runs


def test_results_are_equal_for_equal_seeds_and_batches(monkeypatch):
    overlaps = np.tile([8, 10, 12, 15], 5)
    options = {"failure": 0.1, "duration": 20.0, "record": True}
    one = simulate(NMDADendrite(), overlaps, **options)
    monkeypatch.setattr("sdr._spiking_simulate.N_TOGETHER", 7)
    again = simulate(NMDADendrite(), overlaps, progress=False, **options)
    other = simulate(NMDADendrite(), overlaps, rng=1, **options)
    for name in FIELDS:
        first, second = getattr(one, name), getattr(again, name)
        if name == "codegen":
            assert first == second == "numpy"
        else:  # vectors of other lengths may end in other last bits
            np.testing.assert_allclose(first, second, rtol=1e-12, err_msg=name)
    assert not np.array_equal(one.dendrite, other.dendrite)
    assert repr(one).startswith("<DendriteTrials 20 trials, ")


def test_the_callers_preferences_device_and_networks_stay():
    import brian2

    clock = brian2.defaultclock.dt
    chosen = brian2.prefs.codegen.target
    brian2.set_device("cpp_standalone", build_on_run=False)
    try:
        brian2.prefs.codegen.target = "cython"
        trials = simulate(EventPlateau(), [12], duration=20.0)
        assert brian2.get_device() is brian2.all_devices["cpp_standalone"]
        assert brian2.prefs.codegen.target == "cython"
    finally:
        brian2.prefs.codegen.target = chosen
        brian2.device.reinit()
        brian2.set_device("runtime")
    assert trials.plateau.all()
    assert brian2.defaultclock.dt == clock


def pretend(monkeypatch, target):
    """Let Brian2 find a compiler, or none."""
    _spiking_run.import_brian2()
    devices = sys.modules["brian2.devices.device"]  # which an object of its own name shadows
    monkeypatch.setattr(devices, "auto_target", lambda: SimpleNamespace(class_name=target))


@pytest.mark.parametrize(
    ("codegen", "n_steps", "compiles", "target"),
    [
        ("numpy", 10**12, True, "numpy"),
        ("auto", 1000, True, "numpy"),
        ("auto", 10**10, True, "cython"),
        ("auto", 10**10, False, "numpy"),
        ("cython", 1, True, "cython"),
    ],
)
def test_the_target_follows_compiler_and_size(monkeypatch, codegen, n_steps, compiles, target):
    pretend(monkeypatch, "cython" if compiles else "numpy")
    assert _spiking_run.choose_target(codegen, n_steps) == target


def test_cython_without_a_compiler_is_refused(monkeypatch):
    pretend(monkeypatch, "numpy")
    with pytest.raises(RuntimeError, match=r"must find Cython .* Use codegen='numpy' or 'auto'"):
        simulate_dendrites(EventPlateau(), [1], codegen="cython")


def test_brian2_is_imported_late():
    code = "import sys, sdr.spiking; print('brian2' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ModuleNotFoundError("No module named 'brian2'", name="brian2"),
            r"brian2 must be installed .* run pip install '\.\[experiments\]' in the checkout\.$",
        ),
        (AttributeError("ndarray has no attribute 'ptp'"), r"the installed NumPy, .*ptp"),
        (ModuleNotFoundError("No module named 'sympy'", name="sympy"), "^No module named 'sympy'"),
    ],
)
def test_a_missing_brian2_is_one_sentence(monkeypatch, error, said):
    found = builtins.__import__

    def refuse(name, *arguments):
        if name == "brian2":
            raise error
        return found(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=said):
        simulate_dendrites(NMDADendrite(), [10])
