"""Sparse codes, what is measured on them, and how they are kept."""

from sparsecode.core import compare, measures
from sparsecode.core.code import SparseCode
from sparsecode.core.dictionary import (
    Match,
    babel,
    coherence,
    gram,
    match,
    normalize,
    reconstruct,
    reconstruct_tiles,
)
from sparsecode.core.index import Matches, OverlapIndex
from sparsecode.core.io import (
    RowReader,
    atomic_path,
    load_arrays,
    load_code,
    load_json,
    load_metadata,
    save_arrays,
    save_code,
    save_json,
    write_bytes,
)
from sparsecode.core.ops import (
    concatenate_units,
    coordinates,
    difference,
    intersection,
    jaccard,
    overlap,
    reshape,
    symmetric_difference,
    top_k,
    union,
)
from sparsecode.core.rng import Streams

__all__ = [
    "Match",
    "Matches",
    "OverlapIndex",
    "RowReader",
    "SparseCode",
    "Streams",
    "atomic_path",
    "babel",
    "coherence",
    "compare",
    "concatenate_units",
    "coordinates",
    "difference",
    "gram",
    "intersection",
    "jaccard",
    "load_arrays",
    "load_code",
    "load_json",
    "load_metadata",
    "match",
    "measures",
    "normalize",
    "overlap",
    "reconstruct",
    "reconstruct_tiles",
    "reshape",
    "save_arrays",
    "save_code",
    "save_json",
    "symmetric_difference",
    "top_k",
    "union",
    "write_bytes",
]
