"""scikit-learn estimators: thin shells over the solvers and learners."""

from sparsecode.estimators.conv_learner import ConvDictionaryLearner
from sparsecode.estimators.encoder import SparseEncoder
from sparsecode.estimators.files import load
from sparsecode.estimators.learner import DictionaryLearner
from sparsecode.estimators.scoring import negative_objective

__all__ = [
    "ConvDictionaryLearner",
    "DictionaryLearner",
    "SparseEncoder",
    "load",
    "negative_objective",
]
