"""Associative memories that store sparse codes in a single presentation."""

from sparsecode._ownership import require_own

__distribution__ = "sparsecode"

require_own(__name__)

# ruff: noqa: E402 - what follows must know that this package is ours
from memory import measures, theory
from memory._code_choice import CodeChoice
from memory._decay import SmoothDecay, TableDecay
from memory._protocol import AssociativeMemory, Recall
from memory._sigmoids import Sigmoid2010, Sigmoid2014, SigmoidCore, SigmoidNeurithmic
from memory.bcpnn import BCPNN
from memory.dense import DenseMemory
from memory.hierarchy import Description, Hierarchy, Level, LevelDescription
from memory.hopfield import Hopfield
from memory.kanerva import SparseDistributedMemory
from memory.nearest import NearestPattern
from memory.readout import ClassField
from memory.sparse_hopfield import SparseHopfield
from memory.sparsey import Sparsey
from memory.willshaw import Willshaw

__all__ = [
    "BCPNN",
    "AssociativeMemory",
    "ClassField",
    "CodeChoice",
    "DenseMemory",
    "Description",
    "Hierarchy",
    "Hopfield",
    "Level",
    "LevelDescription",
    "NearestPattern",
    "Recall",
    "Sigmoid2010",
    "Sigmoid2014",
    "SigmoidCore",
    "SigmoidNeurithmic",
    "SmoothDecay",
    "SparseDistributedMemory",
    "SparseHopfield",
    "Sparsey",
    "TableDecay",
    "Willshaw",
    "measures",
    "theory",
]
