"""Data larger than memory, coded shard by shard: in a loop, on processes, or on a cluster.

:func:`encode_shards` codes the rows of a file, one *shard* after another, and keeps each as soon as
it is done; :class:`StoredCodes` reads them back. :func:`learn_shards` learns a dictionary from the
same rows by the sums that they leave. What was interrupted goes on where it stopped, and codes are
the same to the bit whoever computes them.
"""

from sparsecode.scale.codes import StoredCodes
from sparsecode.scale.encoding import EncodingRun, encode_shards
from sparsecode.scale.learning import learn_shards
from sparsecode.scale.readers import NpyRows, ZarrRows, open_rows
from sparsecode.scale.runners import ShardError
from sparsecode.solvers._lazy import LazyResult, encode_lazily, is_lazy, transform_lazily

__all__ = [
    "EncodingRun",
    "LazyResult",
    "NpyRows",
    "ShardError",
    "StoredCodes",
    "ZarrRows",
    "encode_lazily",
    "encode_shards",
    "is_lazy",
    "learn_shards",
    "open_rows",
    "transform_lazily",
]
