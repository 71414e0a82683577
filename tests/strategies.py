"""Hypothesis strategies that the tests share."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsecode.core import SparseCode

# Kernels compile on first use, so that no example has a deadline; the same examples every time.
settings.register_profile("sparsecode", deadline=None, derandomize=True)
settings.load_profile("sparsecode")

unit_shapes = st.one_of(
    st.tuples(st.integers(1, 12)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 3)),
)
magnitudes = st.floats(2**-20, 8, width=32)  # products of a few stay within float32
reals = st.just(0.0) | magnitudes | magnitudes.map(lambda x: -x)


@st.composite
def codes(draw, n_samples=None, unit_shape=None, binary=None, dtype=None):
    """Draw a SparseCode: empty batches, silent and full rows, several unit shapes included."""
    n_samples = draw(st.integers(0, 6)) if n_samples is None else n_samples
    unit_shape = draw(unit_shapes) if unit_shape is None else unit_shape
    binary = draw(st.booleans()) if binary is None else binary
    shape = (n_samples, *unit_shape)
    dense = draw(hnp.arrays(bool, shape, fill=st.just(False)))
    if not binary:
        dtype = draw(st.sampled_from([np.float32, np.float64])) if dtype is None else dtype
        dense = np.where(dense, draw(hnp.arrays(dtype, shape, elements=reals)), dtype(0))
    return SparseCode.from_dense(dense)


@st.composite
def code_pairs(draw, same_length=False):
    """Draw two codes over the same units."""
    a = draw(codes())
    b = draw(codes(a.n_samples if same_length else None, a.unit_shape))
    return a, b


@st.composite
def dictionaries(draw, n_atoms=None, n_features=None, dtype=np.float64):
    """Draw a dictionary of any norms above 0, shape (n_atoms, n_features)."""
    n_atoms = draw(st.integers(1, 6)) if n_atoms is None else n_atoms
    n_features = draw(st.integers(1, 5)) if n_features is None else n_features
    atoms = draw(hnp.arrays(dtype, (n_atoms, n_features), elements=reals))
    silent = np.flatnonzero(~atoms.any(axis=1))
    atoms[silent, silent % n_features] = 1
    return atoms
