"""Transforms of maps against windows, place by place."""

import numpy as np
import pytest

from sparsecode.convolutional import _fourier, correlate, reconstruct
from sparsecode.convolutional._fourier import AtomSum, GapStop, Transforms
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.core import SparseCode

BOUNDARIES = ["circular", "zero", "valid"]


@pytest.fixture(params=[(2, 13, 7), (1, 1, 17)], ids=["images", "signals"])
def arrays(request):
    rng = np.random.default_rng(3)
    channels, *shape = request.param
    kernel = [min(n, size) for n, size in zip((3, 4), shape)]
    X = rng.standard_normal((1, channels, *shape))
    return X, rng.standard_normal((35, channels, *kernel)), rng


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_products_are_correlations(boundary, arrays):
    X, atoms, _ = arrays
    problem = ConvProblem(X, atoms, boundary=boundary)
    transforms = Transforms(problem)
    height, width = transforms.maps
    spectrum = transforms.spectrum(problem.geometry.embed(X[0]))
    wanted = correlate(X, atoms, boundary=boundary)[0]
    for chunk in (chunk for group in transforms.groups for chunk in group):
        products = transforms.products(spectrum, chunk)[:, :height, :width]
        np.testing.assert_allclose(products, wanted[chunk], atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("window_entries", [0, 4, 10**9], ids=["dense", "default", "sparse"])
def test_sums_of_atoms_are_reconstructions(boundary, window_entries, arrays, monkeypatch):
    monkeypatch.setattr(_fourier, "WINDOW_ENTRIES", window_entries)
    X, atoms, rng = arrays
    problem = ConvProblem(X, atoms, boundary=boundary)
    transforms = Transforms(problem)
    maps = rng.standard_normal((len(atoms), *transforms.maps))
    maps[rng.random(maps.shape) < np.linspace(0.3, 1.0, len(atoms))[:, None, None]] = 0
    wanted = reconstruct(SparseCode.from_dense(maps[None]), atoms, boundary=boundary)[0]
    sums = []
    for group in transforms.groups:
        sums.append(AtomSum(transforms))
        for chunk in group:
            sums[-1].subtract(chunk, maps[chunk], np.count_nonzero(maps[chunk], axis=(1, 2)))
    found = -problem.geometry.crop(AtomSum.total(sums))
    np.testing.assert_allclose(found, wanted, atol=1e-11)


@pytest.mark.parametrize("n_atoms", [1, 2, 16, 17, 40])
def test_groups_cover_each_atom_once(n_atoms):
    X = np.ones((1, 1, 1, 9))
    groups = Transforms(ConvProblem(X, np.ones((n_atoms, 1, 1, 2)))).groups
    covered = [k for group in groups for chunk in group for k in range(chunk.start, chunk.stop)]
    assert covered == list(range(n_atoms))
    assert len(groups) <= _fourier.GROUPS


def test_a_gap_is_computed_only_where_its_bound_is_small_and_then_rarely():
    gaps = iter([3.0, 2.0, 0.5])
    stop = GapStop(lambda: next(gaps), 1.0)
    bounds = [9.0, 0.5] + [0.5] * 2 * _fourier.PATIENCE
    met = [stop.met(bound) for bound in bounds]
    assert met == [False] * (len(bounds) - 1) + [True]
    assert next(gaps, None) is None
