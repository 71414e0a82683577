"""Probes of `similar-inputs-similar-codes` share what they are said to share."""

from __future__ import annotations

import numpy as np

from experiments.similar_inputs_similar_codes import similar_inputs_similar_codes


def test_the_smoke_run_has_every_overlap_and_sigmoid():
    record = similar_inputs_similar_codes.run(similar_inputs_similar_codes.config("smoke"))
    assert len(record.claims) == 11
    assert {"2014", "2010", "core", "neurithmic"} <= set(map(str, np.unique(
        np.concatenate([column for column in record.table.values() if column.dtype.kind == "U"])
    )))  # fmt: skip
    assert similar_inputs_similar_codes.draw(record).axes[0].has_data()
