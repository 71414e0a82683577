"""Factorised Newton systems over images, against the explicit matrix."""

import numpy as np
import pytest

from sparsecode.convolutional import _band
from sparsecode.convolutional._band import Band


def explicit(kernels, weights, domain, is_circular):
    """Return I + D W D^T, atom by atom and tap by tap."""
    _, n_channels, height, width = kernels.shape
    matrix = np.eye(n_channels * domain[0] * domain[1])
    for (k, y, x), weight in np.ndenumerate(weights):
        atom = np.zeros((n_channels, *domain))
        for dy in range(height):
            for dx in range(width):
                place = (y + dy, x + dx)
                if is_circular:
                    place = place[0] % domain[0], place[1] % domain[1]
                atom[:, place[0], place[1]] += kernels[k, :, dy, dx]
        matrix += weight * np.outer(atom, atom)
    return matrix


@pytest.fixture
def system():
    def make(domain, kernel, n_channels, is_circular, seed=0):
        rng = np.random.default_rng(seed)
        kernels = rng.standard_normal((3, n_channels, *kernel))
        maps = domain
        if not is_circular:
            maps = tuple(n - k + 1 for n, k in zip(domain, kernel))
        weights = np.exp(2.0 * rng.standard_normal((3, *maps)))
        return kernels, weights, rng.standard_normal((n_channels, *domain))

    return make


@pytest.mark.parametrize("is_circular", [True, False])
@pytest.mark.parametrize("side", [1, 16, 1000])
@pytest.mark.parametrize(
    ("domain", "kernel", "n_channels"),
    [
        ((9, 7), (3, 2), 1),
        ((12, 8), (3, 4), 2),
        ((8, 9), (1, 3), 1),
        ((5, 5), (4, 4), 1),  # atoms overlap with themselves around the circle
        ((3, 3), (3, 3), 2),
        ((1, 30), (1, 4), 1),
        ((30, 1), (4, 1), 1),
    ],
)
def test_solutions_are_those_of_the_explicit_system(
    domain, kernel, n_channels, side, is_circular, system, monkeypatch
):
    monkeypatch.setattr(_band, "SIDE", side)
    kernels, weights, right = system(domain, kernel, n_channels, is_circular)
    band = Band(kernels, domain, is_circular, n_threads=2)
    band.factorise(weights)
    expected = np.linalg.solve(explicit(kernels, weights, domain, is_circular), right.reshape(-1))
    np.testing.assert_allclose(band.solve(right).reshape(-1), expected, rtol=0, atol=1e-11)


def test_solutions_do_not_depend_on_threads(system):
    kernels, weights, right = system((40, 40), (5, 5), 1, True)
    solutions = []
    for n_threads in (1, 2):
        band = Band(kernels, (40, 40), True, n_threads)
        band.factorise(weights)
        solutions.append(band.solve(right))
    np.testing.assert_array_equal(*solutions)


def test_factors_may_be_made_anew(system):
    kernels, weights, right = system((12, 12), (3, 3), 1, True)
    band = Band(kernels, (12, 12), True, 1)
    band.factorise(100.0 * weights)
    band.factorise(weights)
    expected = np.linalg.solve(explicit(kernels, weights, (12, 12), True), right.reshape(-1))
    np.testing.assert_allclose(band.solve(right).reshape(-1), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("is_circular", [True, False])
def test_entries_are_counted_before_they_are_held(is_circular, system):
    kernels, weights, _ = system((40, 30), (4, 4), 1, is_circular)
    band = Band(kernels, (40, 30), is_circular, 1)
    counted, operations = band.n_entries, band.n_operations
    band.factorise(weights)
    assert counted == sum(panel.size for panel in band.panels)
    assert counted < operations


def test_systems_that_are_not_definite_are_refused(system):
    kernels, weights, _ = system((6, 6), (3, 3), 1, True)
    with pytest.raises(np.linalg.LinAlgError):
        Band(kernels, (6, 6), True, 1).factorise(-100.0 * weights)
