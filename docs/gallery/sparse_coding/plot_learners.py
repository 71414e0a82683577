"""
Four learners and a dictionary that is known
============================================

Samples are made of a few planted atoms each. Four ways to learn the atoms back, each after the same
number of samples: which finds how many, and how soon?
"""

# %%
# 32 atoms in 32 dimensions, two of them in every sample, with a little noise. A planted atom
# counts as found once a learned one has a cosine above 0.99 with it, up to the sign.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode.core import match
from sparsecode.datasets import planted_codes
from sparsecode.learning import ksvd, mod, olshausen_field, online
from sparsecode.penalties import L1

planted = planted_codes(
    1500, n_atoms=32, n_features=32, n_active=2, amplitudes="uniform", noise=0.01, rng=7
)
X, truth = planted.X, planted.dictionary
penalty = L1(0.1)

# %%
# A callback sees the atoms after every step. MOD and K-SVD take all samples at once and are shown
# them 30 times; the gradient rule and the online learner take batches of 50. Both kinds code
# every sample 30 times.


def watch(found):
    """Return a callback that notes the fraction of planted atoms that were found."""

    def note(step, metrics, atoms):
        found.append(np.mean(match(truth, atoms, signed=False).cosines > 0.99))

    return note


n_passes = 30
batched = {"batch_size": 50, "n_batches": n_passes * len(X) // 50}
learners = {
    "gradient": lambda **to: olshausen_field(
        X, 32, penalty, learning_rate=40, decay=0.02, **batched, **to
    ),
    "online": lambda **to: online(X, 32, penalty, forgetting=8, **batched, **to),
    "MOD": lambda **to: mod(X, 32, penalty, n_batches=n_passes, **to),
    "K-SVD": lambda **to: ksvd(X, 32, penalty, n_batches=n_passes, **to),
}
found, results = {}, {}
for name, learn in learners.items():
    found[name] = []
    results[name] = learn(callback=watch(found[name]), rng=1)
    print(f"{name:9} {100 * found[name][-1]:3.0f} % found, {results[name]}")

# %%
# The gradient rule needs a rate, and a rate that falls; the online learner is told to forget the
# codes of its first atoms faster than by default. MOD and K-SVD need no number, but hold the codes
# of all samples. All four give an atom that no sample uses the sample that is explained worst.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for name, fractions in found.items():
    passes = np.linspace(0, n_passes, len(fractions) + 1)[1:]
    axes[0].plot(passes, 100 * np.array(fractions), label=name)
    axes[1].semilogy(passes, results[name].history["objective"], label=name, alpha=0.8)
axes[0].set(xlabel="passes over the samples", ylabel="planted atoms found (%)", ylim=(0, 103))
axes[1].set(xlabel="passes over the samples", ylabel="mean objective of a batch")
axes[0].legend()
plt.show()
