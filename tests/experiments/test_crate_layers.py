"""`crate-layers` measures R^c and nonzeros before and after training, in the right places."""

from __future__ import annotations

import numpy as np
import pytest

from experiments._crate_layers_claims import ALPHA, PAPER
from experiments._crate_layers_measure import MEASURES, SPLITS, course, layers
from experiments._crate_networks import STATES, limits
from experiments._framework import Record, Table, Verdict
from experiments.crate_layers import Config, crate_layers
from sparsecode.bridges import compressed_rate

FALL = "R^c at the block's input falls from the first layer to the last"
SPARSER = "Training makes the later half of the layers sparser"


def planted(*, trained, untrained, n_seeds=4, spread=0.01):
    """Return a record in which every measure has the given course over depth."""
    config = crate_layers.config("quick", n_seeds=n_seeds, n_layers=len(trained))
    rows = [
        (3e-3, seed, state, split, layer + 1, *[values[layer] + spread * (seed % 2)] * 4)
        for seed in range(n_seeds)
        for state, values in zip(STATES, (untrained, trained))
        for split in SPLITS
        for layer in range(len(values))
    ]
    names = ("learning_rate", "seed", "state", "split", "layer", *MEASURES)
    arrays = {
        "accuracy": np.full((1, n_seeds, 2), 0.9),
        "parameters": np.array(list(PAPER["exact_parameters"].value.values())),
    }
    return Record(
        experiment="crate-layers", config=config, preset="quick", seed=0,
        table=Table(dict(zip(names, map(list, zip(*rows))))), arrays=arrays,
    )  # fmt: skip


def verdicts(record):
    return {claim.text: claim for claim in crate_layers.judge(record).claims}


def test_rates_and_shares_are_those_of_the_places_they_name():
    torch = pytest.importorskip("torch")
    from sparsecode.bridges import Crate

    model = Crate(16, 4, 10, d_model=8, n_heads=2, n_layers=2, seed=0).eval()
    images = np.random.default_rng(0).random((3, 1, 16, 16), dtype=np.float32)
    found = dict(zip(MEASURES, layers(model, images).T))
    with torch.no_grad():
        tokens = model.embed(model.tokens(torch.from_numpy(images)))
        tokens = torch.cat([model.cls_token.expand(3, -1, -1), tokens], dim=1) + model.position
        for layer, block in enumerate(model.blocks):
            half = tokens + block.attn(block.norm1(tokens))
            for name, z in (("rate_input", block.norm1(tokens)), ("rate_half", half)):
                rates = compressed_rate(z.numpy(), model.subspaces(layer), normalize=True)
                assert found[name][layer] == pytest.approx(rates.mean())
            if layer:
                before = compressed_rate(tokens.numpy(), model.subspaces(layer), normalize=True)
                assert found["rate_tokens"][layer] == pytest.approx(before.mean())
            tokens = block(tokens)
            assert found["nonzero"][layer] == pytest.approx(float((tokens > 0).float().mean()))
    assert np.isnan(found["rate_tokens"][0])


def test_untrained_twins_do_not_depend_on_the_learning_rate():
    pytest.importorskip("torch")
    record = crate_layers.run(crate_layers.config("smoke", learning_rates=(1e-4, 1e-1)))
    for measure in ("rate_input", "rate_half", "nonzero"):
        slow, fast = (course(record, measure, "untrained", rate) for rate in (1e-4, 1e-1))
        np.testing.assert_array_equal(slow, fast)
        slow, fast = (course(record, measure, "trained", rate) for rate in (1e-4, 1e-1))
        assert (slow != fast).any()
    exact = list(PAPER["exact_parameters"].value.values())
    assert record.arrays["parameters"].tolist() == exact


def test_a_course_that_an_untrained_network_has_too_is_not_learned():
    said = verdicts(planted(trained=(0.5, 0.4, 0.3, 0.2), untrained=(0.6, 0.4, 0.3, 0.1)))
    assert said[FALL].verdict == Verdict.CAVEAT
    assert "Without training it falls more" in said[FALL].note
    learned = next(claim for text, claim in said.items() if text.startswith("Training makes R^c"))
    assert learned.verdict == Verdict.NOT_REPRODUCED
    assert said["In the last layer the share of nonzeros rises again"].verdict == (
        Verdict.NOT_REPRODUCED
    )


def test_what_training_adds_is_found():
    said = verdicts(planted(trained=(0.5, 0.3, 0.2, 0.25), untrained=(0.5, 0.5, 0.5, 0.5)))
    assert said[FALL].verdict == Verdict.CAVEAT
    assert said[SPARSER].verdict == Verdict.REPRODUCED
    assert said["In the last layer the share of nonzeros rises again"].verdict == Verdict.CAVEAT
    opposite = verdicts(planted(trained=(0.5, 0.5, 0.5, 0.5), untrained=(0.5, 0.3, 0.2, 0.25)))
    assert opposite[SPARSER].verdict == Verdict.NOT_REPRODUCED
    assert opposite[FALL].verdict == Verdict.NOT_REPRODUCED


def test_what_needs_imagenet_is_kept_and_not_tested():
    claims = verdicts(planted(trained=(0.5, 0.4), untrained=(0.5, 0.4))).values()
    absent = [claim for claim in claims if "ImageNet is needed" in claim.note]
    assert len(absent) == 2
    assert {claim.verdict for claim in absent} == {Verdict.NOT_TESTED}
    assert list(ALPHA["ablation"].value.values()) == [68.5, 73.8, 75.8, 76.5]


def test_limits_are_those_of_student():
    mean, low, high = limits(np.array([1.0, 2.0, 3.0]))
    assert (mean, high - mean, mean - low) == pytest.approx((2.0, 2.48414, 2.48414), abs=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_layers": 1}, "n_layers must be at least 2"),
        ({"n_train": 1700}, "must not exceed 1797 together"),
        ({"n_heads": 5}, "n_heads must divide d_model"),
        ({"n_measured": 501}, "n_measured must be"),
        ({"n_epochs": 0}, "n_epochs must be at least 1"),
        ({"learning_rates": ()}, "learning_rates must be one number or several"),
        ({"learning_rates": (1e-3, 1e-3)}, "learning_rates must be one number or several"),
        ({"learning_rates": (float("nan"),)}, "a number of learning_rates must be"),
        ({"learning_rates": (0.0,)}, "a number of learning_rates must be"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)
