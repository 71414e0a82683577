"""Autoencoders and a hierarchy: claims that fail when they should."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import _sae_hierarchy_claims as claims
from experiments import _sae_hierarchy_measure as parts
from experiments._framework import Record, Table, Verdict
from experiments.sae_hierarchy import Config, sae_hierarchy

CONFIG = Config(n_seeds=4, n_most=3)


def record(changes):
    """Return a record with scores as published, and some changed."""
    labels = list(parts.methods(CONFIG))
    wanted = {"MP": 0.001, "BatchTopK": 0.46, "ReLU 0.1": 0.47}
    rng = np.random.default_rng(0)
    scores = np.ones((4, len(labels), len(parts.SCORES)))
    for i, label in enumerate(labels):
        scores[:, i, 0] = changes.get(label, wanted.get(label, 0.21)) + 0.003 * rng.normal(size=4)
    scores[:, :, parts.SCORES.index("true_l0")] = 1.36
    errors = np.tile([0.4, 0.1, 0.01], (4, len(labels), 1))
    errors[:, labels.index("BatchTopK")] = changes.get("errors", [0.3, 0.1, 0.2])
    table = Table(parts.table(CONFIG, scores))
    return Record(
        experiment="sae-hierarchy", config=CONFIG, preset="paper", seed=0, table=table,
        arrays={"scores": scores, "errors": errors},
    )  # fmt: skip


def verdicts(changes):
    return {claim.text: claim.verdict for claim in claims.judge(record(changes))}


def test_what_is_as_published_is_reproduced():
    assert set(verdicts({}).values()) == {Verdict.REPRODUCED}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"MP": 0.3}, "MP tells children from parents"),
        ({"MP": 0.6}, "MP absorbs less than BatchTopK"),
        ({"Matryoshka 11, 20": 0.7}, "Matryoshka 11, 20 absorbs less than BatchTopK"),
        ({"ReLU 0.1": 0.9}, "ReLU 0.1 absorbs about as much as BatchTopK"),
        ({"BatchTopK": 0.4}, "Absorption of BatchTopK"),
        (
            {"errors": [0.3, 0.2, 0.1]},
            "The error of BatchTopK rises beyond the number of atoms that it was trained for",
        ),
    ],
)
def test_what_differs_is_not(changes, text):
    assert verdicts(changes)[text] == Verdict.NOT_REPRODUCED


def test_an_order_within_the_limits_is_not_established():
    wide = record({})
    wide.arrays["scores"][:, list(parts.methods(CONFIG)).index("Matryoshka 11, 20"), 0] = (
        0.0, 0.9, 0.1, 0.6,
    )  # fmt: skip
    found = {claim.text: claim for claim in claims.judge(wide)}
    one = found["Matryoshka 11, 20 absorbs less than BatchTopK"]
    assert one.verdict == Verdict.CAVEAT
    assert "not established" in one.note


def test_a_config_that_asks_nothing_is_refused():
    for change, said in (
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_steps": 5}, "n_steps must be at least 200"),
        ({"penalties": ()}, "prefixes and penalties must each hold one"),
    ):
        with pytest.raises(ValueError, match=said):
            sae_hierarchy.config(**change)
