"""How well a memory recalls: errors, information, similarity of codes, and capacity.

What was recalled is compared with what `store` returned, sample by sample: a unit that was stored
and is not recalled is *missing*, one that is recalled and was not stored is *spurious*. The error
criteria of the literature are made of these two, and they differ where it matters: ten spurious
units of a million are a bit error of 1e-5, and a pattern of ten units drowned in noise. A
comparison of memories therefore reports all of them, as :func:`recall_curve` does.

======================  =====================================================  ================
measure                 is                                                     gives
======================  =====================================================  ================
bit_error               share of all units that differ                         one per pattern
spurious, missing       numbers of units                                       one per pattern
relative_error          (spurious + missing) / active units of the pattern     one per pattern
exact_recall            share of patterns without any error                    one number
within_epsilon          whether the mean relative error is at most epsilon     yes or no
mutual_information      bits that a recalled pattern tells about its original  one number
report                  all of these, and bits per synapse and per byte        a dictionary
======================  =====================================================  ================
"""

from memory._errors import (
    bit_error,
    exact_recall,
    missing,
    mutual_information,
    relative_error,
    report,
    spurious,
    within_epsilon,
)
from memory._loads import Capacity, capacity, recall_curve
from memory._similarity import Similarity, similarity_preservation

__all__ = [
    "Capacity",
    "Similarity",
    "bit_error",
    "capacity",
    "exact_recall",
    "missing",
    "mutual_information",
    "recall_curve",
    "relative_error",
    "report",
    "similarity_preservation",
    "spurious",
    "within_epsilon",
]
