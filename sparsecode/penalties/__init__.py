"""Penalties: what a code pays for being active.

Each is a small struct. ``prox`` and ``value`` evaluate any of them, here and inside kernels.
A penalty's value is the whole term; ``weights`` multiply ``alpha`` atom by atom.
"""

from sparsecode.penalties._dispatch import (
    Penalty,
    check_penalty,
    make,
    prox,
    register,
    registered,
    value,
)
from sparsecode.penalties._paper import paper
from sparsecode.penalties.cel0 import CEL0, PaperCEL0
from sparsecode.penalties.half import Half
from sparsecode.penalties.l0 import L0
from sparsecode.penalties.l1 import L1, ElasticNet
from sparsecode.penalties.log_sum import LogSum
from sparsecode.penalties.mcp import MCP
from sparsecode.penalties.scad import SCAD

__all__ = [
    "CEL0",
    "L0",
    "L1",
    "MCP",
    "SCAD",
    "ElasticNet",
    "Half",
    "LogSum",
    "PaperCEL0",
    "Penalty",
    "check_penalty",
    "make",
    "paper",
    "prox",
    "register",
    "registered",
    "value",
]
