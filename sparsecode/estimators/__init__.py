"""scikit-learn estimators: thin shells over the solvers and learners."""

from sparsecode.estimators.encoder import SparseEncoder
from sparsecode.estimators.files import load
from sparsecode.estimators.learner import DictionaryLearner
from sparsecode.estimators.scoring import negative_objective

__all__ = ["DictionaryLearner", "SparseEncoder", "load", "negative_objective"]
