"""Examples of every registered penalty: a line here puts a penalty under all the contracts."""

import numpy as np
import pytest

from sparsecode.penalties import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    ElasticNet,
    Half,
    LogSum,
    PaperCEL0,
)

#: The per-atom arrays belong to a dictionary of this many atoms.
N_ATOMS = 12
WEIGHTS = np.linspace(0.5, 2.0, N_ATOMS)
NORMS = np.geomspace(0.4, 2.5, N_ATOMS)

EXAMPLES = [
    L1(0.3),
    L1(0.3, positive=True, weights=WEIGHTS),
    ElasticNet(0.4, l1_ratio=0.7),
    ElasticNet(0.4, l1_ratio=0.2, positive=True, weights=WEIGHTS),
    L0(0.3),
    L0(0.3, positive=True, weights=WEIGHTS),
    Half(0.3),
    Half(0.3, positive=True, weights=WEIGHTS),
    CEL0(0.3),
    CEL0(0.3, norms=NORMS),
    CEL0(0.3, norms=NORMS, positive=True, weights=WEIGHTS),
    PaperCEL0(0.3),
    PaperCEL0(0.3, positive=True, weights=WEIGHTS),
    MCP(0.5, beta=1.5),
    MCP(0.5, beta=0.6, positive=True, weights=WEIGHTS),
    SCAD(0.5),
    SCAD(0.5, c=2.2, positive=True, weights=WEIGHTS),
    LogSum(0.3),
    LogSum(0.3, epsilon=1.0, positive=True, weights=WEIGHTS),
]
#: On both sides of every change of branch: CEL0's at 1 / norm**2, MCP's at beta, SCAD's at c - 1.
STEPS = (0.1, 0.5, 0.9, 1.0, 1.7, 4.0)


def describe(penalty):
    """Name an example in test reports."""
    fields = (
        field if isinstance(given, np.ndarray | bool) else f"{field}={given:g}"
        for field, given in penalty._asdict().items()
        if given is not None and given is not False and field != "alpha"
    )
    return "-".join([type(penalty).__name__, *fields])


def is_proximal(penalty, step):
    """Say whether `prox` minimises at this step: the paper's CEL0 is silent from step 1 on."""
    return not (isinstance(penalty, PaperCEL0) and step >= 1)


every_penalty = pytest.mark.parametrize("penalty", EXAMPLES, ids=describe)
every_proximal_step = pytest.mark.parametrize(
    ("penalty", "step"),
    [
        pytest.param(penalty, step, id=f"{describe(penalty)}-at-{step:g}")
        for penalty in EXAMPLES
        for step in STEPS
        if is_proximal(penalty, step)
    ],
)
