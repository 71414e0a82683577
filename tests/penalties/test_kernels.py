"""Kernels and Python run the same formulas, compiled or interpreted."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from penalties.examples import EXAMPLES, N_ATOMS, NORMS, STEPS, WEIGHTS, every_penalty
from penalties.table_kernels import (
    change_alpha,
    sum_over_alphas,
    tabulate,
    tabulate_dual_parts,
    tabulate_slopes,
)

from sparsecode.penalties import CEL0, L1, SCAD, check_penalty, prox, value
from sparsecode.penalties._dispatch import dual_parts, formulas, slope

TESTS = Path(__file__).resolve().parent.parent
POINTS = np.linspace(-4, 4, 83)
MAGNITUDES = np.linspace(0, 4, 41)


def in_kernels(penalty):
    """Return the operators and values that compiled code finds."""
    proxes = np.empty((N_ATOMS, len(STEPS), POINTS.size))
    values = np.empty((N_ATOMS, POINTS.size))
    tabulate(penalty, POINTS, np.array(STEPS), proxes, values)
    return proxes, values


def checked(penalty):
    return check_penalty(penalty, np.ones(N_ATOMS))


@every_penalty
def test_prox_and_value_are_the_same_in_kernels(penalty):
    proxes, values = in_kernels(checked(penalty))
    for j in range(N_ATOMS):
        expected = [[prox(penalty, v, step, j) for v in POINTS] for step in STEPS]
        np.testing.assert_allclose(proxes[j], expected, rtol=1e-14, atol=1e-14)
        expected = [value(penalty, u, j) for u in POINTS]
        np.testing.assert_allclose(values[j], expected, rtol=1e-14, atol=1e-14)


@every_penalty
def test_slope_and_dual_parts_are_the_same_in_kernels(penalty):
    parts = np.empty((N_ATOMS, 2))
    tabulate_dual_parts(checked(penalty), parts)
    expected = [dual_parts(penalty, j) for j in range(N_ATOMS)]
    np.testing.assert_allclose(parts, expected, rtol=1e-14)
    if formulas(penalty).slope is not None:
        slopes = np.empty((N_ATOMS, MAGNITUDES.size))
        tabulate_slopes(checked(penalty), MAGNITUDES, slopes)
        expected = [[slope(penalty, u, j) for u in MAGNITUDES] for j in range(N_ATOMS)]
        np.testing.assert_allclose(slopes, expected, rtol=1e-14, atol=1e-14)


def test_unset_per_atom_fields_count_as_1_in_kernels():
    for ours, theirs in zip(in_kernels(CEL0(0.3)), in_kernels(checked(CEL0(0.3))), strict=True):
        np.testing.assert_array_equal(ours, theirs)


INTERPRETED = """
import sys
import numba
import numpy as np
from penalties.examples import EXAMPLES
from penalties.test_kernels import change_alpha, checked, in_kernels

assert numba.config.DISABLE_JIT
tables = [table for penalty in EXAMPLES for table in in_kernels(checked(penalty))]
assert change_alpha(checked(EXAMPLES[0]), 0.7).alpha == 0.7
np.savez(sys.argv[1], *tables)
"""


def test_kernels_run_interpreted(tmp_path):
    path = os.pathsep.join([str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-c", INTERPRETED, tmp_path / "tables.npz"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
        check=True,
    )
    expected = [table for penalty in EXAMPLES for table in in_kernels(checked(penalty))]
    with np.load(tmp_path / "tables.npz") as interpreted:
        for name, table in zip(interpreted.files, expected, strict=True):
            np.testing.assert_allclose(interpreted[name], table, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    "penalty", [L1(0.3, positive=True), SCAD(0.3, c=2.5), CEL0(0.3, NORMS, True, WEIGHTS)], ids=str
)
@pytest.mark.parametrize("alpha", [0.7, 2, np.float32(0.5)], ids=repr)
def test_another_alpha_is_all_that_changes(penalty, alpha):
    given = checked(penalty)
    changed = change_alpha(given, alpha)
    assert type(changed) is type(penalty)
    for field, expected in given._replace(alpha=alpha)._asdict().items():
        np.testing.assert_array_equal(getattr(changed, field), expected)
    assert given.alpha == 0.3


def test_many_alphas_neither_leak_nor_free_the_arrays():
    norms, weights = NORMS.copy(), WEIGHTS.copy()
    penalty = CEL0(0.3, norms, False, weights)
    alphas = np.linspace(0.1, 1.0, 100_000)
    before = sys.getrefcount(norms), sys.getrefcount(weights)
    total = sum_over_alphas(penalty, alphas, 0.4, 3)
    for alpha in alphas[:1000]:
        change_alpha(penalty, alpha)
    assert (sys.getrefcount(norms), sys.getrefcount(weights)) == before
    np.testing.assert_array_equal(norms, NORMS)
    np.testing.assert_array_equal(weights, WEIGHTS)
    expected = sum(value(penalty._replace(alpha=alpha), 0.4, 3) for alpha in alphas)
    assert total == pytest.approx(expected, rel=1e-12)
