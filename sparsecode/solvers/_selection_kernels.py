"""The largest of many scores, without sorting them all."""

from sparsecode._jit import jit

__all__ = ["largest"]


@jit
def largest(scores, n_wanted, chosen):
    """Fill `chosen` with the indices of the largest scores above 0, largest first.

    At most `n_wanted`; ties go to the lower index. Returns how many there are. Few scores are
    ever moved, as most are smaller than the smallest one kept.
    """
    size = 0
    for j in range(scores.size):
        score = scores[j]
        if score <= 0.0 or (size == n_wanted and score <= scores[chosen[size - 1]]):
            continue
        size = min(size + 1, n_wanted)
        position = size - 1
        while position > 0 and scores[chosen[position - 1]] < score:
            chosen[position] = chosen[position - 1]
            position -= 1
        chosen[position] = j
    return size
