"""
Do two codes see the same patches alike?
========================================

No unit of one code belongs to a unit of another. What can be compared is geometry: which stimuli
lie near each other. This script codes the same patches of photographs in six ways, compares every
pair, and says what the numbers are worth.
"""

# %%
# 600 whitened patches of norm 1, and three codes over one learned dictionary: l1, CEL0 and OMP, all
# with about 5 % of the atoms active. Beside them the patches as they are, a spatial pooler that
# sees which pixels are bright and which are dark, and random units.

import matplotlib.pyplot as plt
import numpy as np

from sdr import SpatialPooler
from sparsecode import datasets
from sparsecode.core.compare import compare, similarity_matrix
from sparsecode.estimators import DictionaryLearner
from sparsecode.penalties import CEL0, L1
from sparsecode.solvers import alpha_for_density, encode, omp

images = datasets.whiten(datasets.natural_images())
X = datasets.extract_patches(images, 12, n_patches=4000, rng=0)
X -= X.mean(axis=1, keepdims=True)
X /= np.linalg.norm(X, axis=1, keepdims=True)
learner = DictionaryLearner(192, n_epochs=3, random_state=0, solver="omp", n_nonzero=10).fit(X)
atoms, X = learner.components_, X[:600]
l1 = L1(alpha_for_density(X, atoms, "l1", 0.05))
cel0 = CEL0(alpha_for_density(X, atoms, "cel0", 0.05))
spread = X.std()
bright_or_dark = np.concatenate([spread < X, -spread > X], axis=1)
pooler = SpatialPooler(192, density=0.05, random_state=0).fit(bright_or_dark)
codes = {
    "l1": encode(X, atoms, l1).code,
    "CEL0": encode(X, atoms, cel0).code,
    "OMP": omp(X, atoms, n_nonzero=10).code,
    "pixels": X,
    "pooler": pooler.transform(bright_or_dark).astype(float),
    "random": np.maximum(X @ np.random.default_rng(0).standard_normal((144, 192)), 0),
}

# %%
# Debiased CKA of every pair, and how many of the ten nearest neighbours of a patch are the same.

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.9), layout="constrained")
for ax, measure, title, options in (
    (axes[0], "cka", "CKA, debiased", {"debiased": True}),
    (axes[1], "mutual_knn", "nearest neighbours in common", {}),
):
    matrix = similarity_matrix(list(codes.values()), measure, **options)
    ax.imshow(matrix, vmin=0, vmax=1, cmap="Blues")
    for (i, j), value in np.ndenumerate(matrix):
        ax.text(j, i, f"{value:.2f}", ha="center", va="center",
                color="white" if value > 0.6 else "black", fontsize="small")  # fmt: skip
    ax.set(title=title, yticks=range(6), yticklabels=codes)
    ax.set_xticks(range(6), codes, rotation=45, ha="right")
plt.show()

# %%
# What is such a number worth? The null is what is left when the patches of one code are shuffled;
# the ceiling is what poolers of other seeds reach among themselves. That is less than what each
# has in common with the pixels: a column sees a random half of them, and few columns win.

seeds = [
    SpatialPooler(192, density=0.05, random_state=seed).fit(bright_or_dark).transform(
        bright_or_dark
    ).astype(float)
    for seed in (1, 2, 3)
]  # fmt: skip
names = [name for name in codes if name != "pooler"]
found = [
    compare(codes["pooler"], codes[name], "cka", rng=0, ceiling=seeds, debiased=True)
    for name in names
]
figure, ax = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
ax.bar(names, [one.value for one in found], color="#0072b2", label="with the pooler")
ax.plot(names, [one.null_mean for one in found], "_", color="black", ms=26, label="null")
ax.axhline(found[0].ceiling, color="#d55e00", ls="--", label="poolers among themselves")
ax.set(ylabel="CKA, debiased", ylim=(-0.03, 0.4))
ax.legend(frameon=False)
plt.show()
