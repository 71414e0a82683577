"""`top-k-transformer` makes the noise, the errors and the verdicts that it names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments._framework import Record, Table, Verdict
from experiments._top_k_transformer_claims import PAPER, difference
from experiments._top_k_transformer_measure import (
    CORRUPTIONS,
    MEASURES,
    calibration_error,
    corrupt,
    one_network,
    redraw,
    same_as_dense,
    values,
)
from experiments.top_k_transformer import Config, top_k_transformer
from sparsecode.core.rng import Streams

SMALL = top_k_transformer.config("smoke")
CLEAN = "Top-k is as accurate as dense on clean data"
CALIBRATED = "Top-k is better calibrated: its expected calibration error is lower"


def planted(n_seeds=8, ks=(8, 16, 192), same=0.0, **gain):
    """Return a record of which top-k less dense is `gain`, by measure or noise."""
    config = top_k_transformer.config("paper", n_seeds=n_seeds, ks=ks)
    rows = []
    for share in config.label_noise:
        for k in ks:
            for seed in range(n_seeds):
                row = dict.fromkeys(MEASURES, 50.0)
                row["nonzero"], row["most_active"] = 100.0 * min(k, 60) / 192, min(k, 60)
                if k < 192:
                    key = "clean" if share == 0.0 else f"noise_{100 * share:.0f}"
                    row["accuracy"] += gain.get(key, 0.0)
                    for name in (*CORRUPTIONS, "calibration", "train_accuracy"):
                        row[name] += gain.get(name, 0.0)
                row = {name: value + 0.1 * ((seed + k) % 3) for name, value in row.items()}
                row["most_active"] = min(k, 60)
                rows.append((share, k, seed, *row.values()))
    names = ("label_noise", "k", "seed", *MEASURES)
    return Record(
        experiment="top-k-transformer", config=config, preset="paper", seed=0,
        table=Table(dict(zip(names, map(list, zip(*rows))))),
        arrays={"same": np.array(same), "severities": np.full((24, 3, 5), 50.0)},
    )  # fmt: skip


def verdicts(record):
    return {claim.text: claim for claim in top_k_transformer.judge(record).claims}


def test_k_equal_to_d_ff_is_the_dense_network_after_training():
    pytest.importorskip("torch")
    assert same_as_dense(SMALL, Streams(3))["difference"] == 0.0


def test_k_binds_and_noise_does_not_depend_on_it():
    pytest.importorskip("torch")
    found = {
        k: dict(
            zip(MEASURES, one_network(dataclasses.replace(SMALL, n_test=32), Streams(0), 0.0, k, 0)
                ["measures"])
        )
        for k in SMALL.ks
    }  # fmt: skip
    assert found[2]["most_active"] == 2
    assert found[2]["nonzero"] <= 100 * 2 / 12
    assert 2 < found[12]["most_active"] <= 12
    noisy = one_network(SMALL, Streams(0), 0.4, 2, 0)
    assert np.isnan(noisy["measures"][MEASURES.index("shot")])
    assert noisy["severities"].shape == (0, 5)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruptions_have_the_spread_that_they_name(kind):
    images = np.full((200, 100), 0.5, np.float32)
    rng = np.random.default_rng(0)
    if kind == "gaussian":
        added = corrupt(images, kind, 0.08, rng) - 0.5
        assert added.std() == pytest.approx(0.08, abs=5 * 0.08 / np.sqrt(2 * images.size))
    elif kind == "impulse":
        found = corrupt(images, kind, 0.2, rng)
        changed = np.mean(found != 0.5)
        assert changed == pytest.approx(0.2, abs=5 * np.sqrt(0.2 * 0.8 / images.size))
        assert set(np.unique(found)) == {0.0, 0.5, 1.0}
    else:
        found = corrupt(images, kind, 60.0, rng)
        spread = np.sqrt(0.5 / 60)
        assert found.std() == pytest.approx(spread, rel=0.05)
        assert found.mean() == pytest.approx(0.5, abs=5 * spread / np.sqrt(images.size))
    worst = corrupt(images, kind, CORRUPTIONS[kind][-1], rng)
    assert worst.min() >= 0.0
    assert worst.max() <= 1.0
    assert worst.dtype == np.float32


@settings(deadline=None, max_examples=30)
@given(share=st.floats(0.0, 1.0), n=st.integers(1, 60), seed=st.integers(0, 9))
def test_no_more_labels_change_than_are_drawn_anew(share, n, seed):
    labels = np.arange(n) % 10
    found = redraw(labels, share, np.random.default_rng(seed))
    assert np.count_nonzero(found != labels) <= round(share * n)
    assert ((found >= 0) & (found < 10)).all()
    np.testing.assert_array_equal(labels, np.arange(n) % 10)


def test_a_tenth_of_the_labels_drawn_anew_stays():
    labels = np.full(20_000, 7)
    kept = np.mean(redraw(labels, 0.8, np.random.default_rng(0)) == 7)
    assert kept == pytest.approx(0.2 + 0.8 / 10, abs=5 * np.sqrt(0.1 * 0.9 / 16_000))


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    # one bin for .9 (one right of two), one for .6 (right), one for .7 (wrong), of ten
    expected = (2 * abs(0.5 - 0.9) + abs(1 - 0.6) + abs(0 - 0.7)) / 4
    assert calibration_error(probabilities, np.array([0, 1, 1, 0]), 10) == pytest.approx(expected)
    # all in one bin: accuracy .5, mean confidence .775
    assert calibration_error(probabilities, np.array([0, 1, 1, 0]), 1) == pytest.approx(0.275)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), n=st.integers(1, 40), n_bins=st.integers(1, 20))
def test_calibration_error_equals_a_loop_over_bins(seed, n, n_bins):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), n)
    y = rng.integers(3, size=n)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for low in range(n_bins):
        within = (confidence * n_bins > low) & (confidence * n_bins <= low + 1)
        if within.any():
            total += within.mean() * abs(right[within].mean() - confidence[within].mean())
    assert calibration_error(p, y, n_bins) == pytest.approx(total, abs=1e-12)


def test_certain_and_right_is_calibrated():
    assert calibration_error(np.eye(3), np.arange(3), 15) == 0.0
    assert calibration_error(np.eye(3), np.array([1, 2, 0]), 15) == 1.0


def test_differences_are_paired_and_signs_are_kept():
    record = planted(noise_40=3.0, noise_80=-3.0, shot=2.0, calibration=-1.0)
    assert difference(record, "accuracy", 8, 0.4).mean() == pytest.approx(3.0, abs=0.2)
    assert values(record, "accuracy", 192, 0.8).shape == (8,)
    said = verdicts(record)
    assert said["Top-k loses less to 40 % label noise"].verdict == Verdict.CAVEAT
    assert said["Top-k loses less to 80 % label noise"].verdict == Verdict.NOT_REPRODUCED
    assert said["Top-k loses less to shot noise in the images"].verdict == Verdict.CAVEAT
    assert said["Top-k loses less to impulse noise in the images"].verdict == (
        Verdict.NOT_REPRODUCED
    )
    assert said[CALIBRATED].verdict == Verdict.CAVEAT
    assert verdicts(planted(calibration=1.0))[CALIBRATED].verdict == Verdict.NOT_REPRODUCED


def test_what_clean_accuracy_explains_is_not_robustness():
    text = "Top-k loses less to Gaussian noise in the images"
    assert verdicts(planted(gaussian=5.0))[text].verdict == Verdict.CAVEAT
    explained = verdicts(planted(gaussian=5.0, clean=5.0))[text]
    assert explained.verdict == Verdict.NOT_REPRODUCED
    assert "what noise takes from clean accuracy" in explained.note


def test_a_lower_clean_accuracy_is_said():
    assert verdicts(planted())[CLEAN].verdict == Verdict.CAVEAT
    assert "The limits exclude a loss of 0.3" in verdicts(planted())[CLEAN].note
    assert verdicts(planted(clean=-4.0))[CLEAN].verdict == Verdict.NOT_REPRODUCED
    assert verdicts(planted(clean=-0.3))[CLEAN].verdict == Verdict.NOT_TESTED
    assert "too few seeds" in verdicts(planted(clean=-0.3))[CLEAN].note


def test_a_network_that_differs_from_the_dense_one_is_found():
    text = "With k = d_ff the network is the dense one, trained and tested"
    assert verdicts(planted())[text].verdict == Verdict.REPRODUCED
    assert verdicts(planted(same=1e-7))[text].verdict == Verdict.NOT_REPRODUCED


def test_label_noise_that_was_not_run_is_not_judged():
    record = planted()
    config = dataclasses.replace(record.config, label_noise=(0.0, 0.4))
    said = verdicts(dataclasses.replace(record, config=config))
    assert said["Top-k loses less to 80 % label noise"].verdict == Verdict.NOT_TESTED


def test_table_1_is_kept():
    assert PAPER["clean"].value == {"dense": 74.85, "top-k": 74.83}
    assert PAPER["calibration"].value == {"dense": 8.42, "top-k": 7.48}
    assert Config().k == 8
    absent = [c for c in verdicts(planted()).values() if c.note.startswith("Not reproduced")]
    assert len(absent) == 2
    assert {claim.verdict for claim in absent} == {Verdict.NOT_TESTED}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ks": ()}, "ks must be one value or several"),
        ({"ks": (8, 8, 192)}, "ks must be one value or several"),
        ({"ks": (8, 16)}, "ks must hold d_ff, 192"),
        ({"ks": (192,)}, "ks must hold d_ff, 192"),
        ({"ks": (0, 192)}, "a number of ks must be"),
        ({"ks": (193, 192)}, "a number of ks must be"),
        ({"label_noise": (0.4,)}, "label_noise must hold 0"),
        ({"label_noise": (0.0, 1.5)}, "a number of label_noise must lie"),
        ({"label_noise": (0.0, float("nan"))}, "a number of label_noise must lie"),
        ({"n_bins": 0}, "n_bins must be at least 1"),
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_test": 501}, "must not exceed 1797 together"),
        ({"rate": -1.0}, "rate must be"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)
