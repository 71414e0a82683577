"""The element-wise step of the proximal gradient that Rentzeperis et al. run on whole batches."""

from sparsecode._jit import jit
from sparsecode.penalties._dispatch import prox, with_alpha

__all__ = ["prox_batch"]


@jit
def prox_batch(penalty, alphas, step, codes):
    """Replace every coefficient of every sample by its proximal operator."""
    for i in range(codes.shape[0]):
        weighted = with_alpha(penalty, alphas[i])
        for j in range(codes.shape[1]):
            codes[i, j] = prox(weighted, codes[i, j], step, j)
