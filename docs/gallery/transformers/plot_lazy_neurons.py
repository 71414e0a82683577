"""
Lazy neurons: how many hidden units are active
==============================================

Of the hidden units of a ReLU network about half are active before training. This script trains a
small vision transformer on digits and counts again, layer by layer and neuron by neuron.
"""

# %%
# A transformer of three layers for scikit-learn's digits, 8 x 8 pixels in patches of 2 x 2: 16
# patches and a class token. ``sites`` names the modules whose outputs are its codes, and
# ``collect`` records them on images that it is not trained on, a row for each token.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits

from sparsecode.bridges import ViT, collect, lazy_by_layer, train

torch.set_num_threads(1)
digits = load_digits()
images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target
held_out = torch.from_numpy(images[1300:])
model = ViT(8, 2, 10, d_model=32, d_ff=128, n_layers=3, seed=0)
untrained = lazy_by_layer(collect(model, [held_out], model.sites))

# %%
# Train it with a large learning rate: some seconds on one core. With a small one, less changes.

result = train(
    model, images[:1300], labels[:1300], X_test=images[1300:], y_test=labels[1300:],
    n_epochs=25, learning_rate=5e-3,
)  # fmt: skip
trained = lazy_by_layer(collect(model, [held_out], model.sites))
print(result)
for name, layers in (("untrained", untrained), ("trained", trained)):
    score = np.mean([layer.percent_nonzero for layer in layers.values()])
    print(f"{name}: {score:.1f} % of the units active, mean over layers")

# %%
# The share of active units of every layer, before beside after; and how often each neuron of the
# last layer fires, the laziest first.

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
places = np.arange(1, 4)
for shift, name, layers, color in (
    (-0.2, "untrained", untrained, "#9aa3af"),
    (0.2, "trained", trained, "#0072b2"),
):
    shares = [layer.percent_nonzero for layer in layers.values()]
    axes[0].bar(places + shift, shares, 0.38, color=color, label=name)
    rates = np.sort(layers[model.sites[-1]].firing_rate)
    axes[1].plot(np.linspace(0, 100, rates.size), 100 * rates, color=color, label=name)
axes[0].axhline(50, color="0.3", lw=0.8, ls=":")
axes[0].set(xlabel="layer", ylabel="active units (%)", xticks=places, ylim=(0, 70))
axes[1].set(
    xlabel="neurons of layer 3, the laziest first (%)", ylabel="tokens at which one is active (%)"
)
for ax in axes:
    ax.legend(frameon=False, loc="upper left")
plt.show()
