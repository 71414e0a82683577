"""`lazy-neurons` counts the right units of the right networks, and says what the counts say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from experiments._framework import Record, Table, Verdict
from experiments._lazy_networks import digits, limits
from experiments._lazy_neurons_claims import PAPER, change, grid
from experiments._lazy_neurons_measure import (
    STATES,
    TASKS,
    THEORY,
    Setting,
    base,
    course,
    gradients,
    layers,
    model_score,
    one_network,
    settings,
    table,
)
from experiments.lazy_neurons import Config, lazy_neurons
from sparsecode.core.rng import Streams

SMALL = lazy_neurons.config("smoke")
SOMEWHERE = "Training makes each kind of network sparser, in at least one setting"
EVERYWHERE = "Training makes activations sparser whatever the optimizer's settings"
NARROWER = "Wider layers have a smaller share of active units"
MORE = "Wider layers have more active units"


def n_sites(setting):
    return setting.n_layers * (2 if setting.network == "mixer" else 1)


def planted(nonzero, *, n_seeds=4, rates=(1e-3, 1e-2), depths=(2, 4)):
    """Return a record in which `nonzero(setting, layer)` per cent are active after training.

    Untrained networks have 50 %; seeds differ by a tenth of a point.
    """
    config = lazy_neurons.config(
        "quick", n_seeds=n_seeds, rates=rates, depths=depths, widths=(48, 96, 192)
    )
    runs = [(setting, seed) for setting in settings(config) for seed in range(n_seeds)]
    found = []
    for setting, seed in runs:
        both = []
        for state in STATES:
            rows = []
            for layer in range(n_sites(setting)):
                share = 50.0 if state == STATES[0] else nonzero(setting, layer)
                share += 0.1 * (seed % 2)
                rows.append((share, share, 0.0, 100.0 - share, share * setting.d_ff / 100.0))
            both.append(rows)
        found.append({"layers": np.array(both), "accuracy": np.full((2, 2), 0.9)})
    n_scales = len(config.theory_scales)
    slopes = np.zeros((n_scales, len(THEORY), 2))
    slopes[..., 0], slopes[..., 1] = 1.0, 0.1
    arrays = {
        "course": np.full((len(settings(config)), n_seeds, config.n_epochs + 1), 50.0),
        "firing": np.full((n_seeds, 2, config.n_layers, config.d_ff), 0.5),
        "theory slopes": slopes,
        "theory excess": np.tile([0.0, 1.0], (n_scales, 1)),
        "theory activations": np.ones(config.theory_width),
        "theory units": np.ones((n_scales, config.theory_width)),
    }
    return Record(
        experiment="lazy-neurons", config=config, preset="paper", seed=0,
        table=Table(table(runs, found)), arrays=arrays,
    )  # fmt: skip


def verdicts(record):
    return {claim.text: claim for claim in lazy_neurons.judge(record).claims}


def test_counts_are_those_of_the_network():
    torch = pytest.importorskip("torch")
    from sparsecode.bridges import ViT

    config = dataclasses.replace(SMALL, n_epochs=1)
    setting = base(config, "vit")
    found = one_network(config, Streams(0), setting, 0)
    split = digits(config, Streams(0), 0)
    weights = int(Streams(0)("weights-0").integers(2**31, size=2)[0])
    model = ViT(8, 2, 10, d_model=8, d_ff=12, n_heads=2, n_layers=1, seed=weights).eval()
    with torch.no_grad():
        tokens = model.embed(model.tokens(torch.from_numpy(split.held_out)))
        tokens = torch.cat([model.cls_token.expand(16, -1, -1), tokens], dim=1) + model.position
        block = model.blocks[0]
        half = tokens + block.attn(block.norm1(tokens))
        active = (block.mlp.expand(block.norm2(half)) > 0).reshape(-1, 12).numpy()
    rates = active.mean(axis=0)
    nonzero, _, dead, lazy, n_active = found["layers"][0, 0]
    assert nonzero == pytest.approx(100 * active.mean())
    assert dead == pytest.approx(100 * np.mean(rates == 0))
    assert lazy == pytest.approx(100 * np.mean(rates < 0.1))
    assert n_active == pytest.approx(active.sum(axis=1).mean())
    assert found["course"][0] == pytest.approx(nonzero)
    np.testing.assert_allclose(found["firing"][0, 0], np.sort(rates))


def test_networks_of_one_seed_begin_alike_whatever_they_learn():
    pytest.importorskip("torch")
    config = dataclasses.replace(SMALL, rates=(1e-3, 1e-1))
    first, second = (
        one_network(config, Streams(0), base(config, "mlp", rate=rate), 0) for rate in config.rates
    )
    np.testing.assert_array_equal(first["layers"][0], second["layers"][0])
    assert (first["layers"][1] != second["layers"][1]).any()
    labels = one_network(config, Streams(0), base(config, "mlp", task=TASKS[1]), 0)
    np.testing.assert_array_equal(first["layers"][0], labels["layers"][0])
    inputs = one_network(config, Streams(0), base(config, "mlp", task=TASKS[2]), 0)
    assert (first["layers"][0] != inputs["layers"][0]).any()


def test_fresh_noise_is_not_the_noise_of_random_inputs():
    pytest.importorskip("torch")
    config = dataclasses.replace(SMALL, rate=1e-1)
    fixed, fresh = (
        one_network(config, Streams(0), base(config, "mlp", task=task), 0) for task in TASKS[2:]
    )
    assert fixed["course"][-1] != fresh["course"][-1]
    assert fixed["course"].shape == (config.n_epochs + 1,)


def test_gradients_are_those_of_autograd_and_of_theory():
    torch = pytest.importorskip("torch")
    config = dataclasses.replace(SMALL, n_draws=20_000, theory_scales=(0.1,), theory_width=16)
    found = gradients(config, Streams(0))
    a, slopes = found["activations"], found["slopes"][0]
    for (mean, error), value in zip(slopes[:2], (found["slopes"][0, 2, 0], 10 * 0.1**2)):
        assert abs(mean - value) < 4 * error
        assert mean > 4 * error
    assert slopes[2, 0] < 0.1**2 * 0.9
    np.testing.assert_array_equal(found["units"][0][a > 0] > 0, True)

    rng = np.random.default_rng(0)
    V = torch.tensor(0.1 * rng.normal(size=(10, 16)))
    point = torch.tensor(a, requires_grad=True)
    torch.nn.functional.cross_entropy((V @ point)[None], torch.tensor([3])).backward()
    u = V.numpy() @ a
    p = np.exp(u) / np.exp(u).sum()
    p[3] -= 1
    assert float(point.grad @ torch.tensor(a)) == pytest.approx(float(u @ p))


def test_every_setting_is_there_once_and_differs_in_one_thing():
    found = settings(Config())
    assert len(found) == len(set(found)) == len({one.key for one in found})
    for one in found:
        standard = base(Config(), one.network)
        changed = {
            field for field, a, b in zip(Setting._fields, one, standard) if a != b
        } - {"rate"}  # fmt: skip
        assert len(changed) <= 1
    assert {one.task for one in found} == set(TASKS)
    assert {one.network for one in grid(planted(lambda *_: 30.0))} == {"vit", "mixer", "mlp"}


def test_a_fall_everywhere_is_reproduced_and_a_rise_is_said():
    said = verdicts(planted(lambda *_: 30.0))
    assert said[SOMEWHERE].verdict == Verdict.REPRODUCED
    assert said[EVERYWHERE].verdict == Verdict.REPRODUCED
    mixed = verdicts(
        planted(lambda one, _: 75.0 if one.network == "mlp" and one.rate == 1e-3 else 30.0)
    )
    assert mixed[SOMEWHERE].verdict == Verdict.CAVEAT
    assert "MLP adamw 0.001" in mixed[SOMEWHERE].note
    assert mixed[EVERYWHERE].verdict == Verdict.NOT_REPRODUCED
    never = verdicts(planted(lambda one, _: 75.0 if one.network == "mixer" else 30.0))
    assert never[SOMEWHERE].verdict == Verdict.NOT_REPRODUCED


def test_tasks_are_judged_by_themselves():
    said = verdicts(planted(lambda one, _: 50.0 if one.task == "fresh noise" else 30.0))
    by_task = {
        task: next(one for text, one in said.items() if f"learn {task}" in text)
        for task in TASKS[1:]
    }
    assert by_task["random labels"].verdict == Verdict.CAVEAT
    assert by_task["fresh noise"].verdict == Verdict.NOT_REPRODUCED


def test_a_count_that_rises_with_the_share_constant_does_not_make_wide_layers_sparser():
    constant = verdicts(planted(lambda *_: 30.0))
    assert constant[MORE].verdict == Verdict.REPRODUCED
    assert constant[NARROWER].verdict == Verdict.NOT_REPRODUCED
    falling = verdicts(planted(lambda one, _: 30.0 - 4 * np.log2(one.d_ff / 48)))
    assert falling[NARROWER].verdict == Verdict.REPRODUCED


def test_ends_of_a_deep_network_are_compared_with_its_middle():
    text = "The first and the last layer are the densest"
    ends = verdicts(planted(lambda one, i: 30.0 if i in (0, one.n_layers - 1) else 20.0))
    assert ends[text].verdict == Verdict.REPRODUCED
    one_end = verdicts(planted(lambda one, i: 30.0 if i == 0 else 20.0))
    assert one_end[text].verdict == Verdict.NOT_REPRODUCED
    shallow = verdicts(planted(lambda *_: 30.0, depths=(1, 2)))
    assert shallow[text].verdict == Verdict.NOT_TESTED


def test_published_numbers_are_kept_and_not_tested():
    absent = [
        claim
        for claim in verdicts(planted(lambda *_: 30.0)).values()
        if claim.note.startswith("Not reproduced offline")
    ]
    assert len(absent) == 3
    assert {claim.verdict for claim in absent} == {Verdict.NOT_TESTED}
    assert PAPER["t5_base"].value == {"mean": 2.7, "densest layer": 12.0, "sparsest layer": 1.1}
    assert PAPER["vit"].value == 6.3


def test_a_record_is_read_back_by_setting():
    record = planted(lambda one, layer: 20.0 + layer)
    one = base(record.config, "vit", n_layers=4)
    np.testing.assert_allclose(layers(record, one, "nonzero")[0], [20, 21, 22, 23])
    assert model_score(record, one)[1] == pytest.approx(21.6)
    np.testing.assert_allclose(change(record, one), -28.5)
    assert course(record, one).shape == (4, record.config.n_epochs + 1)


def test_limits_of_several_looks_are_wider():
    values = np.array([1.0, 2.0, 3.0])
    mean, low, high = limits(values)
    assert (mean, high - mean, mean - low) == pytest.approx((2.0, 2.48414, 2.48414), abs=1e-5)
    # Student's quantile at 1 - 0.025 / 5 with two degrees of freedom is 9.92484
    assert limits(values, 5)[2] - mean == pytest.approx(9.92484 / np.sqrt(3), abs=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_train": 1700}, "must not exceed 1797 together"),
        ({"n_heads": 5}, "n_heads must divide d_model"),
        ({"n_epochs": 0}, "n_epochs must be at least 1"),
        ({"n_layers": 0}, "n_layers must be at least 1"),
        ({"rates": ()}, "rates must be one value or several"),
        ({"rates": (1e-3, 1e-3)}, "rates must be one value or several"),
        ({"rates": (float("nan"),)}, "a number of rates must be"),
        ({"sgd_rates": (0.0,)}, "a number of sgd_rates must be"),
        ({"rate": float("inf")}, "rate must be"),
        ({"widths": (1, 48)}, "a number of widths must be at least 2"),
        ({"widths": (48,)}, "widths must be several"),
        ({"depths": (0, 1)}, "a number of depths must be at least 1"),
        ({"theory_scales": (-0.1,)}, "a number of theory_scales must be"),
        ({"n_draws": 10}, "n_draws must be at least 100"),
    ],
)
def test_bad_config(given, said):
    with pytest.raises(ValueError, match=said):
        Config(**given)
