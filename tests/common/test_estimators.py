"""scikit-learn's checks on every estimator, whatever it is asked to do."""

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import SparseCoder
from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_CHECK_PARAMS
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import estimators
from sparsecode.estimators import DictionaryLearner, SparseEncoder
from sparsecode.penalties import L0

# An encoder has the features of its dictionary, and each check has its own number of features.
# scikit-learn keeps dictionaries that fit for its own SparseCoder; they fit here, too.
PER_ESTIMATOR_CHECK_PARAMS[SparseEncoder] = PER_ESTIMATOR_CHECK_PARAMS[SparseCoder]

DICTIONARY = np.random.default_rng(0).normal(size=(5, 3))
SMALL = {"n_atoms": 3, "n_epochs": 2, "batch_size": 10}
ESTIMATORS = [
    SparseEncoder(DICTIONARY),
    # a cost at which no sample is fitted exactly: of exact fits rounding chooses one
    SparseEncoder(DICTIONARY, penalty=L0(10.0), output="sparse"),
    SparseEncoder(DICTIONARY, penalty="l1", alpha_ratio=0.1, positive=True, n_threads=2),
    SparseEncoder(DICTIONARY, solver="omp", n_nonzero=2),
    DictionaryLearner(**SMALL),
    DictionaryLearner(**SMALL, method="gradient", penalty=L0(0.1), output="sparse"),
    DictionaryLearner(**SMALL, method="mod", solver="omp", n_nonzero=2, n_threads=2),
    DictionaryLearner(**SMALL, method="ksvd", penalty="l1", alpha_ratio=0.1, positive=True),
]


def test_every_estimator_is_examined():
    public = {getattr(estimators, name) for name in estimators.__all__}
    classes = {one for one in public if inspect.isclass(one) and issubclass(one, BaseEstimator)}
    assert classes == {type(estimator) for estimator in ESTIMATORS}


@pytest.mark.filterwarnings("ignore:X has .* samples, fewer than:UserWarning")
@parametrize_with_checks(ESTIMATORS)  # with no expected failure
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)
