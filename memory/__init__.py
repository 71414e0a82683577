"""Associative memories that store sparse codes in a single presentation."""

from sparsecode._ownership import require_own

__distribution__ = "sparsecode"

require_own(__name__)
