"""Associative memories that store sparse codes in a single presentation."""

from sparsecode._ownership import require_own

__distribution__ = "sparsecode"

require_own(__name__)

# ruff: noqa: E402 - what follows must know that this package is ours
from memory._protocol import AssociativeMemory, Recall

__all__ = ["AssociativeMemory", "Recall"]
