"""CEL0 relaxes l0 exactly (Soubies, Blanc-Féraud & Aubert 2015)."""

import itertools
import math

import numpy as np
import pytest

from sparsecode.penalties import CEL0, L0, prox, value


def planted(seed, n_atoms=7, n_features=5):
    """Return a sample and a dictionary with unequal norms, and an alpha that keeps some atoms."""
    rng = np.random.default_rng(seed)
    dictionary = rng.normal(size=(n_atoms, n_features)) * rng.uniform(0.4, 2, (n_atoms, 1))
    x = rng.normal(size=n_features)
    return x, dictionary, 0.03 * x @ x


def objective(x, dictionary, penalty, z):
    residual = x - z @ dictionary
    return 0.5 * residual @ residual + sum(value(penalty, u, j) for j, u in enumerate(z))


def least_squares_by_support(x, dictionary):
    """Yield the best code of each support."""
    n_atoms = len(dictionary)
    for size in range(n_atoms + 1):
        for support in map(list, itertools.combinations(range(n_atoms), size)):
            z = np.zeros(n_atoms)
            z[support] = np.linalg.lstsq(dictionary[support].T, x, rcond=None)[0]
            yield z


def descend(x, dictionary, penalty, z, n_iter=300):
    """Run proximal gradient steps below 1 / L."""
    step = 0.99 / np.linalg.norm(dictionary, 2) ** 2
    for _ in range(n_iter):
        v = z + step * dictionary @ (x - z @ dictionary)
        z = np.array([prox(penalty, v[j], step, j) for j in range(len(z))])
    return z


@pytest.mark.parametrize("seed", range(4))
def test_the_global_values_of_l0_and_cel0_agree(seed):
    x, dictionary, alpha = planted(seed)
    l0, cel0 = L0(alpha), CEL0(alpha, norms=np.linalg.norm(dictionary, axis=1))
    by_support = list(least_squares_by_support(x, dictionary))
    best = min(by_support, key=lambda z: objective(x, dictionary, l0, z))
    optimum = objective(x, dictionary, l0, best)
    assert 0 < np.count_nonzero(best) < len(best)
    assert objective(x, dictionary, cel0, best) == pytest.approx(optimum, abs=1e-12)

    rng = np.random.default_rng(seed + 100)
    reached = []
    for start in by_support:
        z = descend(x, dictionary, cel0, start + 0.1 * rng.normal(size=start.size))
        reached.append(objective(x, dictionary, cel0, z))
    assert optimum - 1e-12 <= min(reached) <= 1.01 * optimum  # nothing is lower, and they get near


@pytest.mark.parametrize("seed", range(3))
def test_the_global_minimiser_of_l0_is_a_fixed_point_at_every_step(seed):
    x, dictionary, alpha = planted(seed)
    norms = np.linalg.norm(dictionary, axis=1)
    by_support = least_squares_by_support(x, dictionary)
    best = min(by_support, key=lambda z: objective(x, dictionary, L0(alpha), z))
    correlation = dictionary @ (x - best @ dictionary)
    for j, u in enumerate(best):
        for step in np.array([0.3, 1.0]) / norms[j] ** 2:
            again = prox(CEL0(alpha, norms), u + step * correlation[j], step, j)
            assert again == pytest.approx(u, abs=1e-12)


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("offset", [-1.3, 0.0, 0.4, 2.0])
def test_along_an_axis_it_is_linear_then_quadratic(norm, offset):
    """1/2 (offset - norm z)**2 + CEL0: slope constant up to tau, curvature norm**2 beyond."""
    alpha, h = 0.3, 0.01
    tau = math.sqrt(2 * alpha) / norm
    penalty = CEL0(alpha, norms=np.array([norm]))

    def curvature(z):
        def cost(u):
            return 0.5 * (offset - norm * u) ** 2 + value(penalty, u, 0)

        return (cost(z - h) - 2 * cost(z) + cost(z + h)) / h**2

    for z in np.linspace(h, tau - h, 20):
        assert curvature(z) == pytest.approx(0.0, abs=1e-9)
    for z in np.linspace(tau + h, tau + 3, 20):
        assert curvature(z) == pytest.approx(norm**2, abs=1e-9)
    assert curvature(0.0) > 0.0  # the kink: the objective is convex along the axis


@pytest.mark.parametrize("offset", [-1.5, 0.0, 0.9])
def test_along_an_axis_it_is_the_convex_hull_of_l0(offset):
    alpha, norm = 0.3, 1.6
    z, slopes = np.linspace(-4, 4, 1601), np.linspace(-14, 14, 2801)
    data = 0.5 * (offset - norm * z) ** 2
    l0 = data + np.array([value(L0(alpha), u, 0) for u in z])
    cel0 = data + np.array([value(CEL0(alpha, np.array([norm])), u, 0) for u in z])
    conjugate = np.max(np.outer(slopes, z) - l0, axis=1)
    hull = np.max(np.outer(z, slopes) - conjugate, axis=1)
    inner = np.abs(z) < 3
    np.testing.assert_allclose(cel0[inner], hull[inner], atol=1e-3)


def test_orthonormal_atoms_and_step_1_give_the_hard_threshold():
    atoms, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))
    norms = np.linalg.norm(atoms, axis=1)
    assert np.ptp(norms) > 0  # rounded: curvatures on both sides of 1
    penalty = CEL0(0.3, norms=norms)
    threshold = math.sqrt(0.6)
    for j in range(12):
        for v in threshold * np.array([0.1, 1 - 1e-11, 1 + 1e-11, 3.0]):
            assert prox(penalty, v, 1.0, j) == (v if v > threshold else 0.0)


def test_norms_below_the_atoms_break_exactness():
    x = math.sqrt(0.6)  # with one unit atom, silence and activity tie: the optimum of l0 is 0.3
    relaxed = [
        0.5 * (x - z) ** 2 + value(CEL0(0.3, np.array([0.5])), z, 0) for z in np.linspace(0, 2, 201)
    ]
    exact = [
        0.5 * (x - z) ** 2 + value(CEL0(0.3, np.array([1.0])), z, 0) for z in np.linspace(0, 2, 201)
    ]
    assert min(exact) == pytest.approx(0.3, abs=1e-12)
    assert min(relaxed) < 0.29
