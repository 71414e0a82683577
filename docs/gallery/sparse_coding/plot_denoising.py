"""
A photograph without its noise
==============================

Noise has no sparse code. Learn atoms from the patches of a noisy photograph itself, code each patch
with as few atoms as the noise level asks for, and average the overlapping patches: the method of
Elad and Aharon (IEEE Trans. Image Process. 15, 2006).
"""

# %%
# A part of a photograph that ships with scikit-image, with Gaussian noise of a standard deviation
# of 0.1. Cutting into patches and averaging them back is scikit-learn's.

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.metrics import peak_signal_noise_ratio
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d

from sparsecode.core import reconstruct
from sparsecode.learning import online
from sparsecode.penalties import L1
from sparsecode.plotting import receptive_fields
from sparsecode.solvers import omp

sigma = 0.1
clean = data.camera()[60:260, 140:340] / 255.0
noisy = clean + sigma * np.random.default_rng(0).standard_normal(clean.shape)
patches = extract_patches_2d(noisy, (8, 8)).reshape(-1, 64)
means = patches.mean(axis=1, keepdims=True)
X = patches - means
print(f"{len(X)} patches of 64 pixels")

# %%
# Two passes of the online learner. Atoms without a mean, as the patches have none.

learned = online(X, 128, L1(0.3), constraint="mean_free", n_batches=2 * len(X) // 256, rng=0)
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
receptive_fields(learned.dictionary, ax)
plt.show()

# %%
# Orthogonal matching pursuit adds atoms until what is left has the norm of the noise,
# :math:`\|x - zD\| \le 1.15\,\sigma \sqrt{64}`. Flat patches get no atom at all.

result = omp(X, learned.dictionary, error=1.15 * sigma * 8)
print(result.code)
restored = reconstruct_from_patches_2d(
    (reconstruct(result.code, learned.dictionary) + means).reshape(-1, 8, 8), clean.shape
)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, (title, image) in zip(
    axes, {"photograph": clean, "noisy": noisy, "restored": restored}.items()
):
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    decibels = peak_signal_noise_ratio(clean, image, data_range=1.0) if image is not clean else 0
    ax.set_title(f"{title}, {decibels:.1f} dB" if decibels else title)
    ax.axis("off")
plt.show()
