"""
A layer of CRATE, and the code it is a step towards
===================================================

The sparsifying block of CRATE is one proximal step on a non-negative lasso. This script trains a
small CRATE on digits, takes the inputs of one of its blocks, and lets the steps go on: towards the
minimum, which a solver finds and certifies.
"""

# %%
# Train a network of four layers on scikit-learn's digits, enlarged to 16 x 16 pixels: some seconds
# on one core. It sees 16 patches of 4 x 4 pixels and a class token.

import matplotlib.pyplot as plt
import numpy as np
import torch

from sparsecode.bridges import Crate, compare_codes, train
from sparsecode.datasets import load_digits16

torch.set_num_threads(1)
digits = load_digits16()
images, labels = digits.images[:, None].astype(np.float32), digits.labels
model = Crate(16, 4, 10, d_model=32, n_heads=4, n_layers=4, seed=0)
result = train(
    model, images[:1200], labels[:1200], X_test=images[1200:], y_test=labels[1200:],
    n_epochs=15, learning_rate=5e-3,
)  # fmt: skip
print(result)

# %%
# Now the inputs and codes of its third block, 300 tokens of images that it was not trained on,
# beside more steps from the same start, z = x, and the exact code.

found = model.trace(torch.from_numpy(images[1200:]))
tokens = np.random.default_rng(0).choice(597 * 17, 300, replace=False)
x = found["ista_input"][2].reshape(-1, 32)[tokens]
z = found["code"][2].reshape(-1, 32)[tokens]
steps = (1, 2, 3, 5, 10, 20, 50, 100, 200)
compared = compare_codes(x, model.dictionary(2), layer=z, n_steps=steps)
certificate = compared.table["certificate"][compared.methods.index("lasso")].max()
print(f"exact codes certified to {certificate:.0e}; step x L = {0.1 * compared.curvature:.2f}")

# %%
# The block ends after its first step. Its objective is far from the minimum then, and its support
# is not yet the exact one.

minimum = compared.mean("lasso")["objective"]
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
for suffix, color, name in (("", "#0072b2", "from z = x"), ("_from_0", "#009e73", "from z = 0")):
    means = [compared.mean(f"ista_{count}{suffix}") for count in steps]
    axes[0].plot(
        steps, [100 * (one["objective"] / minimum - 1) for one in means], "o-", color=color,
        label=name,
    )  # fmt: skip
    axes[1].plot(steps, [one["jaccard"] for one in means], "o-", color=color)
block = compared.mean("layer")
axes[0].plot(1, 100 * (block["objective"] / minimum - 1), "*", color="#d55e00", ms=13,
             label="the block")  # fmt: skip
axes[1].plot(1, block["jaccard"], "*", color="#d55e00", ms=13)
axes[0].axhline(1.0, color="0.5", lw=0.8)
axes[0].set(xscale="log", yscale="log", xlabel="proximal steps", ylabel="objective, % over minimum")
axes[1].set(xscale="log", ylim=(0, 1.02), xlabel="proximal steps", ylabel="Jaccard of the support")
axes[0].legend(frameon=False)
plt.show()

# %%
# One token, in full. The block keeps what was positive in its input, moved by one step; the exact
# code explains the input by other atoms. Whether the network would gain from exact codes is another
# question: its weights were trained for one step.

token = int(np.argmax(compared.table["gap"][compared.methods.index("layer")]))
shown = {"the block": "layer", "10 steps": "ista_10", "exact": "lasso", "CEL0": "cel0"}
figure, axes = plt.subplots(
    4, 1, figsize=(8.4, 5.2), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, method) in zip(axes, shown.items()):
    values = compared.codes[method][token].to_dense().ravel()
    color = "#d55e00" if method == "layer" else "#0072b2"
    ax.vlines(np.arange(32), 0, values, color=color, lw=3)
    ax.set(ylabel=name, title="")
    ax.axhline(0, color="0.5", lw=0.8)
axes[-1].set(xlabel="atom", xlim=(-1, 32))
plt.show()
