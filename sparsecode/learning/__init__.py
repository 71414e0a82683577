"""Dictionary learning from streams of samples, with any penalty and any solver."""

from sparsecode.learning._result import LearningResult
from sparsecode.learning.gradient import olshausen_field
from sparsecode.learning.ksvd import ksvd
from sparsecode.learning.mod import mod
from sparsecode.learning.online import online

__all__ = ["LearningResult", "ksvd", "mod", "olshausen_field", "online"]
