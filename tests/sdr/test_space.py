"""SDRs are uniform over their space, and noise keeps its contracts."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strategies import codes

from sdr.space import SDRSpace
from sparsecode.core import SparseCode, difference, intersection, overlap


def supports(code):
    return [set(row.indices.tolist()) for row in code]


def is_well_formed(code):
    """Say whether rows are sorted and units in range, which the public constructor checks."""
    return SparseCode(code.indptr, code.indices, None, code.unit_shape) == code


def test_every_code_is_equally_likely():
    space, n_samples = SDRSpace(6, 3, (2, 3)), 20_000
    assert space.n_codes == comb(6, 3)
    code = space.sample(n_samples, rng=0)
    assert code in space
    assert is_well_formed(code)
    counts = {frozenset(units): 0 for units in combinations(range(6), 3)}
    for support in supports(code):
        counts[frozenset(support)] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_overlaps_of_samples_are_hypergeometric():
    space, n_samples = SDRSpace(300, 24), 20_000
    a, b = space.sample(n_samples, rng=1), space.sample(n_samples, rng=2)
    law = stats.hypergeom(300, 24, 24)
    counts = np.bincount(overlap(a, b, rowwise=True), minlength=25)
    for shared in range(7):
        low, high = stats.binom(n_samples, law.pmf(shared)).interval(0.9999)
        assert low <= counts[shared] <= high


@pytest.mark.parametrize(("n_units", "n_active"), [(1, 1), (33, 32), (64, 64), (2000, 3)])
def test_samples_of_any_size(n_units, n_active):
    space = SDRSpace(n_units, n_active)
    code = space.sample(50, rng=3)
    assert is_well_formed(code)
    assert code in space
    assert space.sample(20, rng=3) == code[:20]
    assert len(space.sample(0)) == 0


def test_samples_are_the_same_however_they_are_drawn(monkeypatch):
    space = SDRSpace(100, 9)
    whole = space.sample(40, rng=5)
    monkeypatch.setattr("sdr.space._CHUNK", 20)
    assert space.sample(40, rng=5) == whole


@given(st.data())
def test_noise_keeps_its_contracts(data):
    code = data.draw(codes(binary=True))
    space = SDRSpace(code.n_units, data.draw(st.integers(1, code.n_units)), code.unit_shape)
    seed = data.draw(st.integers(0, 99))
    most = min([*code.n_active, *(code.n_units - code.n_active)], default=0)
    n = data.draw(st.integers(0, int(most)))
    moved = space.corrupt(code, n_moved=n, rng=seed)
    added = space.add_noise(code, n, rng=seed)
    dropped = space.drop(code, 0.4, rng=seed)
    killed = space.kill_cells(code, 0.4, rng=seed)
    for noisy in (moved, added, dropped, killed):
        assert is_well_formed(noisy)
        assert noisy.unit_shape == code.unit_shape
    np.testing.assert_array_equal(moved.n_active, code.n_active)
    np.testing.assert_array_equal(overlap(code, moved, rowwise=True), code.n_active - n)
    np.testing.assert_array_equal(added.n_active, code.n_active + n)
    assert intersection(code, added) == code
    assert intersection(code, dropped) == dropped
    dead = set().union(*supports(difference(code, killed))) if len(code) else set()
    assert len(dead) <= round(0.4 * code.n_units)
    assert not dead & set(killed.indices.tolist())
    assert space.corrupt(code, n_moved=n, rng=seed) == moved


def test_noise_is_uniform():
    space = SDRSpace(12, 4)
    code = SparseCode.from_indices([[0, 3, 4, 11]] * 30_000, 12)
    moved = space.corrupt(code, fraction=0.5, rng=0)
    kept, new = intersection(code, moved), difference(moved, code)
    for counts, places in ((kept, [0, 3, 4, 11]), (new, [1, 2, 5, 6, 7, 8, 9, 10])):
        found = np.bincount(counts.indices, minlength=12)
        assert found.sum() == 60_000
        assert stats.chisquare(found[places]).pvalue > 1e-3
    lost = code.nnz - space.drop(code, 0.3, rng=1).nnz
    low, high = stats.binom(code.nnz, 0.3).interval(0.999)
    assert low <= lost <= high


def test_fractions_and_limits():
    space = SDRSpace(100, 25)
    code = space.sample(3, rng=0)
    for fraction, n_moved in ((0.0, 0), (0.3, 8), (0.5, 12), (1.0, 25)):
        shared = overlap(code, space.corrupt(code, fraction=fraction, rng=1), rowwise=True)
        assert shared.tolist() == [25 - n_moved] * 3
    assert space.drop(code, 0.0) == code
    assert space.drop(code, 1.0).nnz == 0
    everybody = space.add_noise(code, 75)
    assert everybody.n_active.tolist() == [100] * 3
    for fraction in (0.0, 0.07, 1.0):
        alive = space.kill_cells(everybody, fraction, rng=2)
        assert alive.n_active.tolist() == [100 - round(100 * fraction)] * 3
        assert len({frozenset(row) for row in supports(alive)}) == 1
        again = space.kill_cells(code, fraction, rng=2)  # the same cells of any code
        assert again == intersection(code, alive)


def test_membership():
    space = SDRSpace(6, 2, (2, 3))
    assert SparseCode.from_indices([[0, 5], [1, 2]], (2, 3)) in space
    assert SparseCode.from_indices([[0, 5], [1]], (2, 3)) not in space
    assert SparseCode.from_indices([[0, 5]], 6) not in space
    assert np.zeros((1, 6)) not in space
    assert space == SDRSpace(6, 2, [2, 3])
    assert space.sparsity == pytest.approx(1 / 3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_active must be at most n_units, 10; got 11"):
        SDRSpace(10, 11)
    with pytest.raises(
        ValueError, match=r"unit_shape must hold n_units, 10; got \(3, 3\), 9 units"
    ):
        SDRSpace(10, 2, (3, 3))
    space = SDRSpace(10, 6)
    code = space.sample(2, rng=0)
    noises = (
        lambda code: space.corrupt(code, n_moved=1),
        lambda code: space.add_noise(code, 1),
        lambda code: space.drop(code, 0.5),
        lambda code: space.kill_cells(code, 0.5),
    )
    for noise in noises:
        with pytest.raises(ValueError, match=r"unit_shape \(10,\), that of the space; got \(11,\)"):
            noise(SDRSpace(11, 6).sample(1))
        with pytest.raises(TypeError, match="must be binary; got float64"):
            noise(SparseCode.from_dense(np.ones((1, 10))))
        with pytest.raises(TypeError, match="must be a SparseCode; got list"):
            noise([1, 2])
    with pytest.raises(ValueError, match="as many units off as are to be turned on, 5; got 4"):
        space.corrupt(code, n_moved=5)
    with pytest.raises(ValueError, match="at most the number of active units; got 7 for 6 units"):
        space.corrupt(code, n_moved=7)
    with pytest.raises(ValueError, match="fraction or n_moved must be given, one of them"):
        space.corrupt(code)
    for value, error in ((1.5, ValueError), (-0.1, ValueError), (float("nan"), ValueError)):
        with pytest.raises(error, match="must lie between 0 and 1"):
            space.drop(code, value)
    with pytest.raises(TypeError, match="fraction must be a number between 0 and 1; got 'half'"):
        space.kill_cells(code, "half")
    with pytest.raises(TypeError, match="n_samples must be an integer"):
        space.sample(2.5)
