"""Sparse distributed representations: spaces of them, their theory, dendrites that read them."""

from sparsecode._ownership import require_own

__distribution__ = "sparsecode"

require_own(__name__)
