"""Read estimators that were saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sparsecode.core import load_arrays, load_metadata
from sparsecode.core.io import understood
from sparsecode.estimators._packing import unpack
from sparsecode.estimators.conv_learner import ConvDictionaryLearner
from sparsecode.estimators.encoder import SparseEncoder
from sparsecode.estimators.learner import DictionaryLearner

__all__ = ["load"]

_CLASSES = {
    kind.__name__: kind for kind in (SparseEncoder, DictionaryLearner, ConvDictionaryLearner)
}


def load(path: str | os.PathLike[str]) -> Any:
    """Read an estimator that its `save` method wrote.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` or ``.npz`` file.

    Returns
    -------
    SparseEncoder, DictionaryLearner or ConvDictionaryLearner
        With the same parameters and the same fitted state: `partial_fit` goes on to the same
        bits.

    Raises
    ------
    ValueError
        If the file is damaged, was cut short, holds something else, or an estimator that this
        version does not know.
    OSError
        If it cannot be opened.

    Notes
    -----
    Nothing in a file is run: it names one of the estimators of this module, penalties and
    solvers of their registries, and holds numbers and text.

    Examples
    --------
    ::

        learner.save("atoms.safetensors")
        again = estimators.load("atoms.safetensors")
    """
    arrays, metadata = load_arrays(path), load_metadata(path)
    file = Path(path).name
    if not isinstance(metadata, dict) or metadata.get("kind") != "estimator":
        raise ValueError(f"{file} must hold an estimator; got other arrays. Use load_arrays.")
    kind = metadata.get("class")
    if kind not in list(_CLASSES):  # a list, for the file may name what has no hash
        raise ValueError(
            f"{file} must hold one of {', '.join(_CLASSES)}; got {kind!r}. Update sparsecode, or "
            f"read its arrays with load_arrays."
        )
    with understood(path, "hold a complete estimator"):
        estimator = _CLASSES[kind](**unpack(metadata["parameters"], arrays))
        estimator._restore(unpack(metadata["fitted"], arrays))
    return estimator
