"""One penalty is another, or becomes it in a limit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from penalties.examples import STEPS
from strategies import reals

from sparsecode.penalties import CEL0, L0, L1, MCP, SCAD, ElasticNet, Half, LogSum, prox, value
from sparsecode.penalties._dispatch import dual_parts, slope

POINTS = np.linspace(-4, 4, 161)


def assert_same(one, other, steps=STEPS, atol=1e-12):
    """Compare values, and operators except within `atol` of a jump."""
    for u in POINTS:
        assert value(one, u, 0) == pytest.approx(value(other, u, 0), rel=atol, abs=atol)
        for step in steps:
            around = [prox(other, u + side * atol, step, 0) for side in (-1, 1)]
            assert around[0] - 2 * atol <= prox(one, u, step, 0) <= around[1] + 2 * atol


@given(norm=st.floats(0.3, 3.0), alpha=st.floats(0.05, 2.0), v=reals, step=st.floats(0.05, 4.0))
def test_cel0_is_mcp(norm, alpha, v, step):
    cel0 = CEL0(alpha, np.array([norm]))
    mcp = MCP(norm * math.sqrt(2 * alpha), beta=1 / norm**2)
    assert value(cel0, v, 0) == pytest.approx(value(mcp, v, 0), rel=1e-12, abs=1e-12)
    assert slope(cel0, abs(v), 0) == pytest.approx(slope(mcp, abs(v), 0), rel=1e-12, abs=1e-12)
    curvature = step * norm**2
    threshold = (
        math.sqrt(2 * step * alpha) if curvature >= 1 else math.sqrt(2 * alpha) * step * norm
    )
    if abs(abs(v) - threshold) > 1e-12 and abs(curvature - 1) > 1e-3:
        assert prox(cel0, v, step, 0) == pytest.approx(prox(mcp, v, step, 0), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("norm", [0.4, 1.0, 1.7])
def test_cel0_is_mcp_on_a_grid(norm):
    assert_same(
        CEL0(0.3, np.array([norm])), MCP(norm * math.sqrt(0.6), beta=1 / norm**2), atol=1e-12
    )


@given(norm=st.floats(0.3, 3.0), alpha=st.floats(0.05, 2.0), v=reals, excess=st.floats(1.0, 9.0))
def test_cel0_is_the_hard_threshold_from_curvature_1_on(norm, alpha, v, excess):
    step = excess / norm**2
    assert prox(CEL0(alpha, np.array([norm])), v, step, 0) == prox(L0(alpha), v, step, 0)


def test_half_threshold_is_the_minimiser_by_brute_force():
    grid = np.linspace(0, 5, 2_000_001)
    root = np.sqrt(grid)
    for alpha, step, v in ((0.3, 1.0, 0.9), (0.3, 1.0, 2.0), (1.0, 0.5, 1.2), (0.05, 2.0, 4.0)):
        best = grid[np.argmin((grid - v) ** 2 / (2 * step) + alpha * root)]
        assert prox(Half(alpha), v, step, 0) == pytest.approx(best, abs=5e-6)


def test_elastic_net_without_ridge_is_l1():
    net, l1 = ElasticNet(0.4, l1_ratio=1.0), L1(0.4)
    assert_same(net, l1)
    assert dual_parts(net, 0) == dual_parts(l1, 0)


def test_weights_multiply_alpha():
    weights = np.array([1.0, 2.5])
    for struct in (L1, L0, Half, CEL0, MCP, SCAD, LogSum, ElasticNet):
        weighted, plain = struct(0.4, weights=weights), struct(1.0)
        for u in POINTS:
            assert value(weighted, u, 1) == value(plain, u, 0)
            assert prox(weighted, u, 0.7, 1) == prox(plain, u, 0.7, 0)


@pytest.mark.parametrize(
    ("penalty", "limit"),
    [
        (MCP(0.4, beta=1e9), L1(0.4)),
        (SCAD(0.4, c=1e9), L1(0.4)),
        (LogSum(0.4e6, epsilon=1e6), L1(0.4)),
        (MCP(math.sqrt(2 * 0.4 * 1e9), beta=1e-9), L0(0.4)),
        (CEL0(0.4, norms=np.array([1e6])), L0(0.4)),
        (LogSum(0.4 / math.log(1e100), epsilon=1e-100), L0(0.4)),
    ],
    ids=["MCP-to-L1", "SCAD-to-L1", "LogSum-to-L1", "MCP-to-L0", "CEL0-to-L0", "LogSum-to-L0"],
)
def test_limits(penalty, limit):
    assert_same(penalty, limit, atol=2e-2 if limit == L0(0.4) else 1e-5)
