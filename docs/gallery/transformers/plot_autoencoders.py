"""
What autoencoders learn from photographs, and what their encoders miss
======================================================================

A TopK autoencoder and one that pursues (MP) learn atoms of whitened patches. Each atom is drawn,
and then the codes of new patches are made again: over the same atoms, with the same number of them,
by orthogonal matching pursuit.
"""

# %%
# Patches of 8 x 8 pixels from the left halves of photographs to learn from, and from the right
# halves to test. Both autoencoders may use six of 100 latents for a patch.

import matplotlib.pyplot as plt
import numpy as np
import torch

from sparsecode.bridges import amortisation_gap, autoencoder, train_autoencoder
from sparsecode.datasets import extract_patches, natural_images, whiten

torch.set_num_threads(1)
pool = whiten(natural_images())
left = [image[:, : image.shape[1] // 2] for image in pool]
right = [image[:, image.shape[1] // 2 :] for image in pool]
X = extract_patches(left, 8, n_patches=20_000, rng=0, dtype=np.float32)
test = extract_patches(right, 8, n_patches=500, rng=1, dtype=np.float32)
scale = 1 / X.std()
models = {
    "TopK": autoencoder("topk", 64, 100, k=6, rng=0),
    "MP": autoencoder("mp", 64, 100, n_steps=6, rng=0),
}
for model in models.values():
    train_autoencoder(
        model, scale * X, n_steps=1200, batch_size=256, learning_rate=2e-3, n_warmup=50
    )

# %%
# Their atoms, the most used first. Where an encoder must find its latents in one step, atoms that
# look alike get in each other's way; a pursuit takes away what one atom has explained before it
# looks for the next.

figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.3), layout="constrained")
for ax, (name, model) in zip(axes, models.items()):
    usage = np.bincount(model.to_code(scale * test).indices, minlength=100)
    atoms = model.dictionary[np.argsort(-usage)].reshape(10, 10, 8, 8)
    largest = np.abs(atoms).max(axis=(2, 3), keepdims=True)
    tiles = np.pad(atoms / largest, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=1)
    ax.imshow(tiles.transpose(0, 2, 1, 3).reshape(90, 90)[:-1, :-1], "gray", vmin=-1, vmax=1)
    ax.set_title(f"atoms of {name}")
    ax.set_axis_off()

# %%
# The same atoms, the same number of active ones: how much of new patches do the encoder, OMP and
# CEL0 explain? Both solvers are held to codes at or above 0, as the encoder is. CEL0 keeps the mean
# number and may give one patch more atoms than another.

figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
ways = {"encoder": "#6b7280", "refit": "#9ca3af", "omp": "#0072b2", "cel0": "#009e73"}
labels = ("the encoder", "its atoms, refitted", "OMP", "CEL0")
for place, model in enumerate(models.values()):
    gap = amortisation_gap(scale * test, model, methods=["refit", "omp", "cel0"])
    for shift, (way, color) in enumerate(ways.items()):
        height = gap[way]["explained_variance"]
        bar = ax.bar(place + 0.19 * (shift - 1.5), height, 0.17, color=color)
        ax.bar_label(bar, fmt="%.2f", fontsize="small")
        if place == 0:
            bar.set_label(labels[shift])
ax.set(xticks=[0, 1], xticklabels=list(models), ylabel="explained variance", ylim=(0, 1.1))
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
