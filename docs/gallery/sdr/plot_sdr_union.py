r"""
The union of many SDRs
======================

A set of sparse patterns can be kept as one: the units active in any of them. A dendrite does so
when it learns several patterns, and so does a cell that predicts several successors. How many fit,
before strangers are recognised too?
"""

# %%
# A space of codes: 40 of 2,048 units are active in each. The union of ten of them fills about a
# fifth of the units, and contains every one of the ten.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import hypergeom

from sdr import SDRSpace
from sparsecode.core import SparseCode, overlap, union

space = SDRSpace(2048, 40, unit_shape=(32, 64))
patterns = space.sample(80, rng=0)
print(union(patterns[:10]))
print(overlap(union(patterns[:10]), patterns[:10]))

# %%
# Recognition allows for noise: a pattern counts as known if at least ``threshold`` of its 40 units
# are in the union. Ten units of every stored pattern are moved elsewhere, and 20,000 strangers are
# tried.

threshold = 28
numbers = np.arange(4, 81, 4)
unions = SparseCode.concatenate([union(patterns[:n]) for n in numbers])
noisy = space.corrupt(patterns, n_moved=10, rng=1)
strangers = space.sample(20_000, rng=2)

shared = overlap(unions, strangers)
false = (shared >= threshold).mean(axis=1)
true = [np.mean(overlap(unions[i], noisy[:n]) >= threshold) for i, n in enumerate(numbers)]

# %%
# A stranger's overlap with a given union is hypergeometric, so that its chance is known for each
# of these unions, and, through the expected number of their units, for unions at large
# (:cite:t:`ahmad2016`).

exact = hypergeom(space.n_units, unions.n_active, space.n_active).sf(threshold - 1)
expected = space.n_units * (1 - (1 - space.sparsity) ** numbers)
predicted = hypergeom(space.n_units, np.rint(expected).astype(int), space.n_active)
predicted = predicted.sf(threshold - 1)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for ax, i in zip(axes, (1, 9)):
    ax.imshow(unions[i].to_dense()[0], cmap="binary", aspect="auto")
    share = unions[i].density
    ax.set(title=f"union of {numbers[i]}: {share:.0%} active", xticks=[], yticks=[])
ax = axes[2]
ax.semilogy(numbers, predicted, color="C0", label="strangers, expected union")
ax.semilogy(numbers, exact, "+", color="C0", label="strangers, these unions")
ax.semilogy(numbers[false > 0], false[false > 0], "o", color="C1", mfc="none", label="measured")
ax.semilogy(numbers, true, color="C2", label="stored, 10 units moved")
ax.set(xlabel="patterns in the union", ylabel="share recognised", ylim=(1e-12, 3))
ax.legend(frameon=False, fontsize=8)

# %%
# Stored patterns are recognised in spite of the noise, all of them. Strangers are not, until the
# union holds dozens of patterns: below that the chance falls by orders of magnitude for every few
# patterns fewer, far beyond what any number of trials could show.
