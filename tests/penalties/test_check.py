"""A bad penalty is refused in one sentence, before any work is done."""

import math
import re

import numpy as np
import pytest
from penalties.examples import N_ATOMS, every_penalty

from sparsecode.penalties import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    ElasticNet,
    LogSum,
    check_penalty,
    make,
    registered,
)
from sparsecode.solvers.cd import cd

NORMS = np.array([1.0, 2.0, 0.5])
KNOWN = ("l1", "elastic_net", "l0", "half", "cel0", "paper_cel0", "mcp", "scad", "log_sum")


@every_penalty
@pytest.mark.parametrize(
    ("alpha", "error", "message"),
    [
        (0, ValueError, "must be finite and above 0; got 0."),
        (-0.5, ValueError, "must be finite and above 0; got -0.5."),
        (math.nan, ValueError, "must be finite and above 0; got nan."),
        (math.inf, ValueError, "must be finite and above 0; got inf."),
        ("0.1", TypeError, "must be a number above 0; got '0.1'."),
        (None, TypeError, "must be a number above 0; got None."),
        (True, TypeError, "must be a number above 0; got True."),
        (1j, TypeError, "must be a number above 0; got 1j."),
        ([0.1, 0.2], TypeError, "must be a number above 0; got [0.1, 0.2]."),
    ],
)
def test_alpha_must_be_a_number_above_0(penalty, alpha, error, message):
    with pytest.raises(error, match=rf"^alpha of [a-z0-9_]+ {re.escape(message)}$"):
        check_penalty(penalty._replace(alpha=alpha), NORMS)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (SCAD(0.1, c=2.0), "c of scad must lie above 2; got 2.0. Fan & Li use 3.7."),
        (SCAD(0.1, c=math.inf), "c of scad must be finite and above 0; got inf."),
        (
            ElasticNet(0.1, l1_ratio=1.5),
            "l1_ratio of elastic_net must lie above 0 and at most at 1; got 1.5.",
        ),
        (ElasticNet(0.1, l1_ratio=0), "l1_ratio of elastic_net must be finite and above 0; got 0."),
        (MCP(0.1, beta=-1), "beta of mcp must be finite and above 0; got -1."),
        (LogSum(0.1, epsilon=0), "epsilon of log_sum must be finite and above 0; got 0."),
        (
            L1(0.1, weights=[1, 2]),
            "weights of the penalty must have shape (3,), one number an atom; got (2,).",
        ),
        (
            L1(0.1, weights=np.ones((3, 1))),
            "weights of the penalty must have shape (3,), one number an atom; got (3, 1).",
        ),
        (L0(0.1, weights=[1, 0, 2]), "weights of the penalty must be above 0; got 0.0 for atom 1."),
        (
            L0(0.1, weights=[1, 2, -3]),
            "weights of the penalty must be above 0; got -3.0 for atom 2.",
        ),
        (
            L0(0.1, weights=[1, math.nan, math.inf]),
            "weights of the penalty must be finite; got 2 NaN or infinite entries. "
            "Remove or impute them.",
        ),
        (
            CEL0(0.1, norms=np.ones(4)),
            "norms of the penalty must have shape (3,), one number an atom; got (4,).",
        ),
        (CEL0(0.1, norms=[0, 1, 1]), "norms of the penalty must be above 0; got 0.0 for atom 0."),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense(penalty, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_penalty(penalty, NORMS)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (L1(0.1, weights=["a"] * 3), "weights of the penalty must hold real numbers; got dtype"),
        (L1(0.1, weights=1j * NORMS), "weights of the penalty must hold real numbers; got dtype"),
        (L1(0.1, NORMS), "positive of l1 must be True or False; got array"),
        (L1(0.1, "no"), "positive of l1 must be True or False; got 'no'"),
        (L1, "penalty must be a registered struct such as L1(0.1), or one of the names"),
        ((0.1, False, None), "penalty must be a registered struct such as L1(0.1), or one of"),
        (None, "penalty must be a registered struct such as L1(0.1), or one of the names"),
    ],
    ids=["text", "complex", "positional", "word", "class", "tuple", "none"],
)
def test_things_that_are_no_penalty(penalty, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        check_penalty(penalty, NORMS)


@pytest.mark.parametrize("find", [make, lambda name: check_penalty(name, NORMS)])
def test_an_unknown_name_lists_the_known_ones(find):
    with pytest.raises(ValueError, match=r"^penalty must be one of .*; got 'lasso'\.$") as caught:
        find("lasso")
    assert all(repr(name) in str(caught.value) for name in KNOWN)


def test_an_unregistered_struct_is_told_the_known_names():
    with pytest.raises(TypeError, match=r"got \(1, 2\)\.$") as caught:
        check_penalty((1, 2), NORMS)
    assert all(name in str(caught.value) for name in KNOWN)


def test_the_names_are_those_of_the_command_lines():
    assert set(KNOWN) <= set(registered())


@every_penalty
def test_checked_fields_are_what_kernels_take(penalty):
    weights = list(range(1, N_ATOMS + 1))
    given = penalty._replace(alpha=np.float32(0.5), weights=weights)
    checked = check_penalty(given._replace(positive=np.True_), np.ones(N_ATOMS))
    assert type(checked) is type(penalty)
    assert checked.positive is True
    for field in set(penalty._fields) - {"positive", "weights", "norms"}:
        assert type(getattr(checked, field)) is float
    for field in {"weights", "norms"} & set(penalty._fields):
        array = getattr(checked, field)
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
    np.testing.assert_array_equal(checked.weights, weights)


def test_unset_norms_are_those_of_the_atoms():
    np.testing.assert_array_equal(check_penalty(CEL0(0.3), NORMS).norms, NORMS)
    np.testing.assert_array_equal(check_penalty(CEL0(0.3, norms=[1, 1, 2]), NORMS).norms, [1, 1, 2])


def test_unset_weights_are_1_and_a_name_is_alpha_1():
    np.testing.assert_array_equal(check_penalty(L1(0.3), NORMS).weights, np.ones(3))
    assert check_penalty("scad", NORMS).alpha == 1.0
    assert make("scad", 0.3, c=2.5, positive=True) == SCAD(0.3, c=2.5, positive=True)


@pytest.mark.parametrize("penalty", [L1(-1.0), L1(0.1, weights=np.ones(2)), "lasso", 0.1])
def test_solvers_refuse_what_the_check_refuses(penalty):
    with pytest.raises((TypeError, ValueError), match="must"):
        cd(np.ones((2, 4)), np.eye(3, 4), penalty, alpha_ratio=0.5)
