r"""Sparse activations in trained transformers: thresholds, what they cost, laws of sparsity.

Arrays in, masks or :class:`~sparsecode.core.SparseCode` out. A method is calibrated on the
activations of some tokens, shape (n_tokens, n_channels), and what it returns is used on others:
``.mask(x)``, ``.apply(x)``, ``.code(x)``, ``.sparsity(x)``.

============  ============================================================  =====================
method        an entry is zeroed where                                      is the same as
============  ============================================================  =====================
cats          the gate's magnitude is below its quantile
teal          an input's magnitude is at most its quantile
chess         a gate is below its channel's threshold                       cats, if all
                                                                            E[up^2] are equal
wina          an input is not among the largest by magnitude times norm     teal, if all columns'
              of its column                                                 norms are equal
r_sparse      as wina; the zeroed inputs act through a low rank             teal, if alpha is 1
core_neurons  an activation is not among the largest positive ones
============  ============================================================  =====================

A share of zeros is no measure of what is lost: compare methods by :func:`output_error`, and
activations that are never exactly 0, as GELU's and SiLU's, by :func:`cett`. The accuracies and
speeds that the papers report are of large language models, and none is claimed for this code.
"""

from sparsecode.bridges._cett import (
    CettPPL,
    SparsingLaw,
    activation_ratio,
    cett,
    cett_ppl,
    epsilon_for_cett,
    fit_sparsing_law,
)
from sparsecode.bridges._density import (
    deft_gradient,
    deft_loss,
    prosparse_weight,
    shifted_relu,
)
from sparsecode.bridges._masks import (
    RSparse,
    TealAllocation,
    Thresholds,
    TopScores,
    cats,
    chess,
    core_neurons,
    output_error,
    r_sparse,
    search_r_sparse,
    sentence_core,
    teal,
    teal_blocks,
    wina,
)

__all__ = [
    "CettPPL",
    "RSparse",
    "SparsingLaw",
    "TealAllocation",
    "Thresholds",
    "TopScores",
    "activation_ratio",
    "cats",
    "cett",
    "cett_ppl",
    "chess",
    "core_neurons",
    "deft_gradient",
    "deft_loss",
    "epsilon_for_cett",
    "fit_sparsing_law",
    "output_error",
    "prosparse_weight",
    "r_sparse",
    "search_r_sparse",
    "sentence_core",
    "shifted_relu",
    "teal",
    "teal_blocks",
    "wina",
]
