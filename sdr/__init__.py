"""Sparse distributed representations: spaces of them, their theory, dendrites that read them."""

from sparsecode._ownership import require_own

__distribution__ = "sparsecode"

require_own(__name__)

# ruff: noqa: E402 - what follows must know that this package is ours
from sdr import simulation, spiking, theory
from sdr.dendrites import SegmentBank
from sdr.metrics import Metrics, Spread
from sdr.pooling import SpatialPooler
from sdr.space import SDRSpace
from sdr.temporal import Segments, Step, TemporalMemory, Trace

__all__ = [
    "Metrics",
    "SDRSpace",
    "SegmentBank",
    "Segments",
    "SpatialPooler",
    "Spread",
    "Step",
    "TemporalMemory",
    "Trace",
    "simulation",
    "spiking",
    "theory",
]
