"""
How many activations can be left out?
=====================================

A feed-forward block multiplies its hidden activations with a matrix; the column of a small one need
hardly be read. Rules differ in what they call small. This script trains a small transformer with
GELU, whose activations are never exactly 0, and asks each rule what it costs.
"""

# %%
# A ViT on scikit-learn's digits, some seconds on one core. Recorded are the hidden activations of
# its second block, on images to calibrate with and on others.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits

from sparsecode.bridges import ViT, collect, train
from sparsecode.bridges.thresholds import (
    activation_ratio,
    cett,
    epsilon_for_cett,
    output_error,
    r_sparse,
    teal,
    wina,
)

torch.set_num_threads(1)
digits = load_digits()
images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target
model = ViT(8, 2, 10, d_model=32, d_ff=128, n_layers=2, activation="gelu", seed=0)
print(
    train(
        model, images[:1200], labels[:1200], X_test=images[1200:], y_test=labels[1200:],
        n_epochs=12, learning_rate=3e-3,
    )
)  # fmt: skip
site = model.sites[1]
used, held_out = (
    collect(model, [torch.from_numpy(part)], [site])[site].astype(float)
    for part in (images[:300], images[1200:1500])
)
weight = model.blocks[1].mlp.contract.weight.detach().numpy().astype(float)

# %%
# TEAL cuts every activation at one quantile, WINA weighs each by the norm of its column, R-Sparse
# lets what is cut act through a low rank, which takes a tenth of what is read of the matrix here: a
# rank of 2 at first, and none from 70 % on. All are calibrated on the first images and judged on
# the others, by the relative error of the block's output.

sparsities = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
errors = {"TEAL": [], "WINA": [], "R-Sparse": []}
for sparsity in sparsities:
    for name, rule in (
        ("TEAL", teal(used, sparsity, quantile="magnitude")),
        ("WINA", wina(used, weight, sparsity)),
    ):
        errors[name].append(output_error(weight, held_out, rule.code(held_out)))
    errors["R-Sparse"].append(r_sparse(used, weight, sparsity, alpha=0.9).output_error(held_out))

# %%
# The other way round: say how much of the output may be lost, and count what is needed (CETT).

targets = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
needed = []
for target in targets:
    epsilon = epsilon_for_cett(used, weight, target)
    needed.append(activation_ratio(held_out, weight, epsilon))
    print(f"CETT asked {target:.2f}, held out {cett(held_out, weight, epsilon):.3f}: "
          f"{needed[-1]:.0%} of the activations")  # fmt: skip

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
for (name, values), color in zip(errors.items(), ("#0072b2", "#d55e00", "#009e73")):
    axes[0].plot(100 * sparsities, values, "o-", color=color, label=name)
axes[0].set(xlabel="not read of the matrix (%)", ylabel="relative error of the output")
axes[0].legend(frameon=False)
axes[1].plot(targets, 100 * np.array(needed), "o-", color="#0072b2", label="GELU")
positive = 100 * (held_out > 0).mean()
axes[1].axhline(positive, color="0.3", ls=":", label="positive activations")
axes[1].set(xlabel="error allowed (CETT)", ylabel="activations needed (%)", ylim=(0, 100))
axes[1].legend(frameon=False)
plt.show()
