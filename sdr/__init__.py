"""Sparse distributed representations: spaces of them, their theory, dendrites that read them."""

from sparsecode._ownership import require_own

__distribution__ = "sparsecode"

require_own(__name__)

from sdr import theory  # noqa: E402 - after it is clear that this package is ours

__all__ = ["theory"]
