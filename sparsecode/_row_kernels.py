"""Copies between rows."""

from sparsecode._jit import jit

__all__ = ["copy_row"]


@jit
def copy_row(source, target):
    """Copy `source` to the first entries of `target`, casting them.

    ``target[:] = source`` would do; but Numba compiles with it, for more than a second, the words
    of the error that it would raise for other sizes.
    """
    for f in range(source.size):
        target[f] = source[f]
