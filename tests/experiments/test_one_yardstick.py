"""`one-yardstick` measures what it says, of stimuli that share nothing but their source."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import _yardstick_measure as parts
from experiments import _yardstick_systems as systems
from experiments._yardstick_stimuli import SIZE, on_off, stimuli
from experiments.one_yardstick import Config, one_yardstick
from sdr import SDRSpace
from sparsecode.convolutional import log_gabor_bank
from sparsecode.convolutional import reconstruct as convolved
from sparsecode.core import SparseCode, reconstruct
from sparsecode.core.rng import Streams

CONFIG = one_yardstick.config("smoke")


@pytest.mark.parametrize("block", parts.BLOCKS)
def test_stimuli_have_unit_variance_and_all_classes(block):
    seen = stimuli(CONFIG, block, Streams(0), 0)
    for X in (seen.X, seen.X_test):
        assert X.std(axis=1) == pytest.approx(np.ones(len(X)), rel=1e-5)
        assert X.shape[1] == SIZE**2
    assert set(seen.y_test) <= set(seen.y)
    assert seen.n_classes == {"photographs": 12, "digits": 10}[block]
    assert (on_off(seen.X).sum(axis=1) < SIZE**2).all()


def test_shifted_kernels_are_the_convolution_within_the_image():
    bank, _ = log_gabor_bank(2, 30.0, 2, 8, normalize="unit")
    atoms = systems.shifted(bank)
    assert atoms.shape == (4 * 81, 256)
    z = np.zeros((1, 4, 9, 9))
    z[0, 1, 2, 5], z[0, 3, 8, 0] = 2.0, -1.0
    code = SparseCode.from_dense(z)
    flat = SparseCode.from_dense(z.reshape(1, -1))
    expected = convolved(code, bank, boundary="valid").reshape(1, -1)
    np.testing.assert_allclose(reconstruct(flat, atoms), expected, atol=1e-12)


def test_random_codes_are_held_as_random_codes_are():
    rng = np.random.default_rng(0)
    found = parts.holding(SDRSpace(256, 6).sample(1000, rng), rng)
    assert found["capacity"] > 100
    assert 0.7 < found["share of random"] < 1.4  # interpolated between doubled loads


def test_noise_and_strangers():
    rng = np.random.default_rng(1)
    code = SDRSpace(100, 5).sample(50, rng)
    found = parts.robustness(code, code, rng)
    assert found["robust"] == 1.0
    assert found["strangers"] < 0.2
    silent = SparseCode.from_dense(np.zeros((50, 100)))
    assert parts.holding(silent, rng) == {"capacity": 0.0, "share of random": 0.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blocks": ("faces",)}, "blocks must be of"),
        ({"digits": "letters"}, "digits must be 'digits' or 'mnist'"),
        ({"n_train": 10}, "n_train must be at least 100"),
        ({"densities": (0.5,)}, "densities must lie between"),
        ({"n_repeats": 1}, "n_repeats must be at least 2"),
        ({"noise": 0.0}, "noise must be above 0"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)


def test_digits_that_are_not_there():
    with pytest.raises(ValueError, match="n_train \\+ n_test must be at most 1797"):
        stimuli(one_yardstick.config("smoke", n_train=1_750), "digits", Streams(0), 0)


def test_without_networks_claims_about_them_are_not_tested():
    record = one_yardstick.run(one_yardstick.config("smoke", networks=False, n_repeats=2))
    assert not {"ViT", "CRATE"} & set(record.table["system"])
    about = [claim for claim in record.claims if "ViT" in claim.text or "network" in claim.text]
    assert len(about) == 3
    assert all("need PyTorch" in claim.note for claim in about)
