"""Encoders beside solvers: claims that fail when they should."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import _amortisation_claims as claims
from experiments import _amortisation_measure as parts
from experiments._framework import Record, Table, Verdict
from experiments.amortisation_gap import Config, amortisation_gap

CONFIG = Config(blocks=("patches",), architectures=("relu", "topk", "mp"), n_seeds=4)
GAINS = {
    "encoder": 0.0,
    "refit": 0.02,
    "omp": 0.1,
    "lasso": -0.05,
    "lasso_refit": 0.08,
    "cel0": 0.1,
}


def verdicts(**changes):
    """Return the verdicts of a record with these gains; MP's own is half as large."""
    values = np.ones((1, 3, 4, len(parts.METHODS), len(parts.MEASURES)))
    noise = 0.001 * np.random.default_rng(0).standard_normal(4)
    for i, method in enumerate(parts.METHODS):
        gain = (GAINS | changes)[method] + noise
        values[0, :2, :, i, 1] = gain
        values[0, 2, :, i, 1] = gain / changes.get("mp", 2)
        values[..., i, 4] = changes.get("certificate", 1e-7)
    table = Table(parts.table(CONFIG, values))
    record = Record(
        experiment="amortisation-gap", config=CONFIG, preset="paper", seed=0, table=table,
        arrays={"values": values},
    )  # fmt: skip
    return [claim.verdict for claim in claims.judge(record)]


def test_what_is_expected_is_reproduced():
    assert set(verdicts()) == {Verdict.REPRODUCED}


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (0, {"omp": -0.1}),
        (1, {"cel0": -0.1}),
        (2, {"lasso_refit": -0.1}),
        (3, {"lasso": 0.1}),
        (4, {"refit": 0.2}),
        (5, {"mp": 0.5}),
        (6, {"certificate": 1e-2}),
    ],
)
def test_what_differs_is_not(number, changes):
    assert verdicts(**changes)[number] == Verdict.NOT_REPRODUCED


def test_what_may_be_nothing_is_a_caveat():
    assert verdicts(omp=0.0)[0] == Verdict.CAVEAT


def test_inputs_come_from_other_halves_at_one_scale():
    from sparsecode.core.rng import Streams

    config = Config(blocks=("patches",), n_seeds=2, n_train=400, n_test=50, side=5)
    found = parts.inputs(config, Streams(0), "patches", 1)
    assert found["train"].shape == (400, 25)
    assert found["test"].shape == (50, 25)
    centred = found["train"] - found["train"].mean(axis=0)
    assert np.mean(centred**2) == pytest.approx(1, rel=1e-3)


def test_a_config_that_asks_nothing_is_refused():
    for change, said in (
        ({"blocks": ("sounds",)}, "blocks must be of"),
        ({"architectures": ()}, "architectures must be of"),
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"k": 1000}, "k must"),
        ({"n_train": 10}, "n_train must be at least 256"),
    ):
        with pytest.raises(ValueError, match=said):
            amortisation_gap.config(**change)
