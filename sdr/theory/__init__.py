"""Theory of recognition by sparse patterns: exact, in logarithms, and backwards, for design.

A population of `n` units of which `a` are active; a segment with `s` synapses on it, which matches
from an overlap of `theta` on. Every function takes arrays that broadcast against each other.

Formulas are those of Ahmad and Hawkins 2016 (arXiv:1601.00720), 2015 (arXiv:1503.07469) and Ahmad
and Scheinkman 2019 (arXiv:1903.11257).
"""

from sdr.theory._design import SegmentDesign, design_segment, largest_union, threshold_range
from sdr.theory._misses import false_negative
from sdr.theory._recognition import (
    any_false_positive,
    false_positive,
    false_positive_single_term,
    overlap_probability,
    overlap_set_size,
)
from sdr.theory._scalar import ScalarEstimate, scalar_false_positive
from sdr.theory._sequences import (
    cell_false_positive,
    prediction_accuracy,
    prediction_jaccard,
    segments_per_cell,
)
from sdr.theory._unions import (
    bloom_false_positive,
    union_false_positive,
    union_size,
    union_size_distribution,
    unset_probability,
)

__all__ = [
    "ScalarEstimate",
    "SegmentDesign",
    "any_false_positive",
    "bloom_false_positive",
    "cell_false_positive",
    "design_segment",
    "false_negative",
    "false_positive",
    "false_positive_single_term",
    "largest_union",
    "overlap_probability",
    "overlap_set_size",
    "prediction_accuracy",
    "prediction_jaccard",
    "scalar_false_positive",
    "segments_per_cell",
    "threshold_range",
    "union_false_positive",
    "union_size",
    "union_size_distribution",
    "unset_probability",
]
