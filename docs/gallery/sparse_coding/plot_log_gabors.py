"""
A bank of log-Gabors, and what each sees
========================================

The two banks of Ladret, Casanova and Perrinet (2024) have 144 kernels each. In the homogeneous one
all are tuned to orientation alike, and orientations are dense; in the heterogeneous one there are
few orientations, and kernels from the narrowly to the broadly tuned.
"""

# %%
# Both come in pairs, even and odd.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from sparsecode.convolutional import greedy_cd, log_gabor_preset
from sparsecode.datasets import natural_images, normalize_local_contrast
from sparsecode.plotting import receptive_fields

banks = {name: log_gabor_preset(name) for name in ("homogeneous", "heterogeneous")}
figure, axes = plt.subplots(1, 2, figsize=(11, 5.6), layout="constrained")
for ax, (name, (bank, _)) in zip(axes, banks.items()):
    receptive_fields(bank[:, 0].reshape(len(bank), -1), ax)
    ax.set_title(name)
plt.show()

# %%
# A natural image, its contrast made even, coded by each bank to the same duality gap. Kernels have
# norm 1 here, so that none is cheaper than another; the price is a tenth of what silences all.

image = normalize_local_contrast(natural_images()[2:3])[0][100:228, 100:228]
codes = {}
for name in banks:
    bank, _ = log_gabor_preset(name, normalize="unit")
    result = greedy_cd(image[None, None], bank, "l1", alpha_ratio=0.1, tol=1e-3)
    codes[name] = result.code
    print(f"{name}: {result.code.nnz / image.size:.2f} coefficients a pixel")

# %%
# How much each bandwidth of the heterogeneous bank is used, and where, a little blurred: narrowly
# tuned kernels follow contours, broadly tuned ones serve texture.

_, parameters = banks["heterogeneous"]
used = np.abs(codes["heterogeneous"].to_dense()[0])
bandwidths = np.unique(parameters.orientation_bandwidth)
figure, axes = plt.subplots(1, 1 + len(bandwidths), figsize=(13, 2.4), layout="constrained")
axes[0].imshow(image, cmap="gray")
axes[0].set_title("image")
for ax, bandwidth in zip(axes[1:], bandwidths):
    here = used[parameters.orientation_bandwidth == bandwidth].sum(axis=0)
    ax.imshow(gaussian_filter(here, 0.7), cmap="magma", vmax=0.2 * used.max())
    ax.set_title(f"{bandwidth:.0f}°: {here.sum() / used.sum():.0%}")
for ax in axes:
    ax.axis("off")
plt.show()
