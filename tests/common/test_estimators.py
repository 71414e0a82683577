"""scikit-learn's checks on every estimator, whatever it is asked to do."""

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import SparseCoder
from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_CHECK_PARAMS
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import estimators
from sparsecode.estimators import ConvDictionaryLearner, DictionaryLearner, SparseEncoder
from sparsecode.penalties import L0

# An encoder has the features of its dictionary, and each check has its own number of features.
# scikit-learn keeps dictionaries that fit for its own SparseCoder; they fit here, too.
PER_ESTIMATOR_CHECK_PARAMS[SparseEncoder] = PER_ESTIMATOR_CHECK_PARAMS[SparseCoder]

DICTIONARY = np.random.default_rng(0).normal(size=(5, 3))
SMALL = {"n_atoms": 3, "n_epochs": 2, "batch_size": 10}


class OnRows(ConvDictionaryLearner):
    """A convolutional learner of rows, whose features are the channels of signals of length 1."""

    def fit(self, X, y=None):
        return super().fit(signals(X), y)

    def partial_fit(self, X, y=None):
        return super().partial_fit(signals(X), y)

    def encode(self, X):
        return super().encode(signals(X))

    def score(self, X, y=None):
        return super().score(signals(X), y)

    def transform(self, X):
        return super().transform(X).toarray()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def signals(X):
    """Return rows as signals of length 1, and whatever else as it is."""
    if hasattr(X, "toarray"):
        return X
    X = np.asarray(X)
    return X[:, :, None] if X.ndim == 2 else X


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
    OnRows(3, 1, n_epochs=2, init="noise", output="sparse"),
    OnRows(2, 1, n_epochs=2, init="noise", output="sparse", method="alternating", n_threads=2),
]
#: Checks that ask for words about tables, which would mislead about signals; that the errors are
#: raised, and what they say, is tested in tests/estimators/test_conv_learner.py.
OTHER_WORDS = {
    "check_n_features_in_after_fitting": "numbers of channels are said to differ, not of features",
    "check_estimators_empty_data_messages": "an axis of length 0 may be that of channels or places",
    "check_fit2d_predict1d": "a single signal lacks two axes, which reshape(1, -1) would not give",
}


def words(estimator):
    """Return the checks whose words do not suit an estimator."""
    return OTHER_WORDS if isinstance(estimator, OnRows) else {}


def test_every_estimator_is_examined():
    public = {getattr(estimators, name) for name in estimators.__all__}
    classes = {one for one in public if inspect.isclass(one) and issubclass(one, BaseEstimator)}
    examined = {ours for ours in classes for one in ESTIMATORS if isinstance(one, ours)}
    assert classes == examined


@pytest.mark.filterwarnings("ignore:X has .* samples, fewer than:UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=words, xfail_strict=True)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)
