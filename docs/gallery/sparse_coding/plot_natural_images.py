"""
A photograph in few words
=========================

Learn a dictionary from natural images, then write one of them with 5 % of its atoms active, once
with the l1 penalty and once with CEL0: the same dictionary, the same density, another error.
"""

# %%
# Photographs that ship with scikit-learn and scikit-image, whitened as Olshausen and Field did,
# and cut into patches of 10 by 10 pixels. A hundred atoms are learned from 300 batches: they
# become localised, oriented and bandpass, like receptive fields of the primary visual cortex.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode.core import reconstruct
from sparsecode.datasets import natural_images, patch_batches, whiten
from sparsecode.learning import olshausen_field
from sparsecode.penalties import L1, make
from sparsecode.plotting import receptive_fields
from sparsecode.solvers import alpha_for_density, cd

images = whiten(natural_images())
batches = patch_batches(images, 100, size=10, n_batches=300, rng=0)
learned = olshausen_field(batches, 100, L1(0.2), learning_rate=5, rng=0)
atoms = learned.dictionary

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
receptive_fields(atoms, ax)
plt.show()

# %%
# One photograph, tile by tile, each without its mean. For the same density,
# :func:`~sparsecode.solvers.alpha_for_density` finds the weight of either penalty. Coordinate
# descent stops on its certificate, which is recomputed from the codes that it returns.

photograph = images["astronaut"][:510, :510].astype(float)
tiles = photograph.reshape(51, 10, 51, 10).swapaxes(1, 2).reshape(-1, 100)
means = tiles.mean(axis=1, keepdims=True)

written = {"whitened photograph": photograph}
for name in ("l1", "cel0"):
    alpha = alpha_for_density(tiles - means, atoms, name, density=0.05)
    result = cd(tiles - means, atoms, make(name, alpha))
    image = (reconstruct(result.code, atoms) + means).reshape(51, 51, 10, 10)
    image = image.swapaxes(1, 2).reshape(510, 510)
    error = np.sum((photograph - image) ** 2) / np.sum(photograph**2)
    written[f"{name}: {error:.0%} of the energy lost"] = image
    print(f"{name}: alpha {alpha:.3g}, {result.code}")
    print(f"    largest {result.certificate_name} {result.certificate.max():.1e}")

# %%
# l1 pays for its sparsity with shrunken coefficients: strong edges come out pale. CEL0 leaves what
# is above its threshold as it is, so that as many atoms explain more.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
limit = 3 * photograph.std()
for ax, (title, image) in zip(axes, written.items()):
    ax.imshow(image, cmap="gray", vmin=-limit, vmax=limit)
    ax.set_title(title)
    ax.set_axis_off()
plt.show()

# %%
# Whose photograph it is:

print(images.credits[images.names.index("astronaut")])
