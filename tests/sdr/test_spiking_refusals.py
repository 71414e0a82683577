"""What spiking dendrites refuse: one sentence for each bad argument."""

from __future__ import annotations

import numpy as np
import pytest

from sdr.spiking import (
    EventPlateau,
    InputSpikes,
    NMDADendrite,
    PsychometricCurve,
    ThreeCompartment,
    draw_noisy,
    draw_spikes,
    draw_strangers,
    fit_threshold,
    psychometric_curve,
    recognise,
    simulate_dendrites,
)
from sparsecode.core import SparseCode

simulate = simulate_dendrites
CODE = SparseCode.from_indices([range(12)], 40)
CURVE = PsychometricCurve([1, 2], [0, 1], [4, 4])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: draw_spikes([3], jitter=-1.0), "jitter must be finite and at least 0; got -1.0"),
        (lambda: draw_spikes([3], jitter=np.nan), "jitter must be finite and at least 0"),
        (lambda: draw_spikes([3], failure=1.2), "failure must lie between 0 and 1; got 1.2"),
        (lambda: draw_spikes([3], failure=-0.1), "failure must lie between 0 and 1; got -0.1"),
        (lambda: draw_spikes([-3]), "overlaps must be at least 0; got -3"),
        (lambda: draw_spikes([[3]]), r"overlaps must have one dimension; got shape \(1, 1\)"),
        (lambda: InputSpikes([0, 1], [0.0], 2), r"trial and time must have shape \(n_spikes,\)"),
        (lambda: InputSpikes([2], [0.0], 2), "trial must lie below n_trials, 2; got 2"),
        (lambda: InputSpikes([0], [-0.1], 2), "time must be at least 0 ms; got -0.1"),
        (lambda: InputSpikes([0], [np.nan], 2), "time must be finite"),
        (lambda: draw_strangers(10, 11, 5, 1), "n_active must be at least 1 and at most 10"),
        (lambda: draw_strangers(10, 5, 11, 1), "n_synapses must be at least 1 and at most 10"),
        (lambda: draw_strangers(10, 5, 5, 1, n_patterns=0), "n_patterns must be at least 1"),
        (lambda: draw_noisy(10, 5, 6, 1, n_moved=0), "n_synapses must be .* at most 5; got 6"),
        (lambda: draw_noisy(10, 8, 6, 1, n_moved=3), "n_moved must be .* at most 2; got 3"),
        (lambda: NMDADendrite(block="flat"), "block must be one of 'steep', 'standard'"),
        (lambda: NMDADendrite(ampa=-0.1), "ampa must be finite and above 0; got -0.1"),
        (lambda: NMDADendrite(coupling=0.0), "coupling must be finite and above 0; got 0.0"),
        (lambda: NMDADendrite(rest=np.inf), "rest must be finite; got inf"),
        (lambda: NMDADendrite(nmda_rise=60.0), "nmda_rise must be below nmda_decay, 60 ms"),
        (lambda: NMDADendrite(plateau_level=-80), "plateau_level must be above rest, -70 mV"),
        (lambda: EventPlateau(theta=0), "theta must be at least 1; got 0"),
        (lambda: ThreeCompartment(soma_rest_after=-50), "soma_rest_after must be below"),
        (lambda: simulate(NMDADendrite(), []), "inputs must hold at least one trial; got none"),
        (lambda: simulate(NMDADendrite(), [1], dt=0.0), "dt must be finite and above 0"),
        (lambda: simulate(NMDADendrite(), [1], duration=-1), "duration must be finite and above"),
        (lambda: simulate(NMDADendrite(), [1], duration=0.01), "duration must be at least dt, 0.1"),
        (lambda: psychometric_curve(EventPlateau(), [1], jitter=-200), "jitter must be finite and"),
        (lambda: recognise(EventPlateau(), CODE, CODE, jitter=-2), "jitter must be finite and at"),
        (lambda: recognise(EventPlateau(), CODE, CODE, failure=2), "failure must lie between 0"),
        (lambda: simulate(NMDADendrite(), InputSpikes.from_lists([[0.0, 9.0]]), duration=5.0),
         "inputs must arrive before the end, 5 ms; got a spike at 9 ms. Raise duration"),
        (lambda: simulate(NMDADendrite(), InputSpikes.from_lists([[0.0]]), jitter=2.0),
         "jitter and failure must be left out when inputs are spikes"),
        (lambda: simulate(NMDADendrite(), [1], codegen="fast"), "codegen must be one of"),
        (lambda: recognise(EventPlateau(theta=13), CODE, CODE),
         "theta must be at most the number of synapses, 12 on the largest segment; got 13"),
        (lambda: recognise(EventPlateau(), CODE, SparseCode.from_indices([[1]], 41)),
         r"segments and inputs must be over the same units; got unit_shape \(40,\) and \(41,\)"),
        (lambda: recognise(EventPlateau(), CODE[[0, 0]], CODE[[0, 0, 0]]),
         "segments must have one row, or as many as inputs, 3; got 2"),
        (lambda: recognise(EventPlateau(), CODE[:0], CODE), "segments must hold at least one row"),
        (lambda: fit_threshold(CURVE), "curve must rise through one half within its overlaps"),
        (lambda: fit_threshold(PsychometricCurve([3, 4], [3, 4], [4, 4])), "from 0.75 to 1"),
        (lambda: PsychometricCurve([2, 1], [0, 1], [4, 4]), r"overlaps must rise; got \[2, 1\]"),
        (lambda: PsychometricCurve([1, 2], [0, 5], [4, 4]), "n_trials must be at least 1 and at"),
        (lambda: PsychometricCurve([1, 2], [0], [4, 4]), "must be equally long"),
        (lambda: PsychometricCurve([1, 2], [0, 1], [4, 4], 1.5), "confidence must lie above 0"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: simulate("nmda", [1]),
            "model must be NMDADendrite, EventPlateau or Three",
        ),
        (
            lambda: simulate(NMDADendrite(), [1.5]),
            "overlaps must hold integers; got dtype float64",
        ),
        (lambda: recognise(EventPlateau(), np.eye(3), CODE), "segments must be a SparseCode"),
        (lambda: recognise(EventPlateau(), CODE, None), "inputs must be a SparseCode"),
        (lambda: draw_spikes([1], failure="often"), "failure must be a number between 0 and 1"),
        (lambda: NMDADendrite(rest="low"), "rest must be a number; got 'low'"),
        (lambda: EventPlateau(theta=9.5), "theta must be an integer; got 9.5"),
    ],
)
def test_bad_types_are_one_sentence(call, said):
    with pytest.raises(TypeError, match=said):
        call()
