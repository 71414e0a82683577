"""Codes that are of other units, real where they must be binary, or no codes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from sparsecode.core import SparseCode
from sparsecode.core._checks import as_binary_code, check_code

CODE = SparseCode.from_indices([[0, 3], [], [1]], 4)


def test_codes_that_fit_come_back_as_they_are() -> None:
    assert check_code("code", CODE, unit_shape=(4,), whose="the space", binary=True) is CODE
    assert as_binary_code("X", CODE) is CODE


@pytest.mark.parametrize("kind", [bool, np.int8, float])
def test_arrays_of_0_and_1_become_codes(kind: type) -> None:
    dense = CODE.to_dense().astype(kind)
    assert as_binary_code("X", dense) == CODE
    assert as_binary_code("X", dense.tolist()) == CODE
    assert as_binary_code("X", sparse.coo_array(dense)) == CODE


def test_explicit_zeros_of_sparse_arrays_are_no_units() -> None:
    zeros = sparse.csr_array((np.zeros(1), np.zeros(1, int), [0, 1]), shape=(1, 4))
    assert as_binary_code("X", zeros) == SparseCode.from_indices([[]], 4)


def test_empty_batches_are_codes() -> None:
    assert as_binary_code("X", np.zeros((0, 4))).n_samples == 0


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match=r"code must be a SparseCode; got list\. Use"):
        check_code("code", [[0, 1]])
    with pytest.raises(ValueError, match=r"unit_shape \(5,\), that of the space; got \(4,\)\."):
        check_code("code", CODE, unit_shape=(5,), whose="the space")
    real = SparseCode.from_dense(np.array([[0.5, 0.0]]))
    with pytest.raises(TypeError, match=r"cues must be binary; got float64 values\. Call \.bin"):
        as_binary_code("cues", real)
    with pytest.raises(ValueError, match=r"cues must hold 0 and 1 only; got 0\.5\. Binarise"):
        as_binary_code("cues", [[0.5, 1.0]])
    with pytest.raises(ValueError, match=r"cues must be finite; got 1 NaN or infinite entries"):
        as_binary_code("cues", [[np.nan, 1.0]])
    for shapeless in ([0.0, 1.0], np.zeros((2, 0)), np.zeros((1, 2, 2)), 1.0):
        with pytest.raises(ValueError, match=r"cues must have shape \(n_samples, n_units\)"):
            as_binary_code("cues", shapeless)
    with pytest.raises(TypeError, match=r"cues must hold real numbers; got dtype"):
        as_binary_code("cues", [["a", "b"]])
    with pytest.raises(ValueError, match=r"cues must be a rectangular array"):
        as_binary_code("cues", [[0, 1], [1]])
