"""Dictionary learning from streams of samples, with any penalty and any solver."""

from sparsecode.learning._result import LearningResult
from sparsecode.learning.gradient import olshausen_field

__all__ = ["LearningResult", "olshausen_field"]
