"""
The lower half of a photograph, from the upper one
==================================================

An associative memory completes what it has stored. Which patterns suit it decides how well: this
script shows the same photographs, in black and white, to four memories, and then asks how many
random patterns of two kinds fit.
"""

# %%
# Six photographs as patterns of 48 x 48 pixels, half of them white: each pixel is white where it is
# brighter than the median. The cue is the upper half; of the lower half nothing is known.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from skimage.transform import resize

from memory import DenseMemory, Hopfield, SparseDistributedMemory, Willshaw
from sdr import SDRSpace
from sparsecode import datasets
from sparsecode.core import SparseCode

SIDE = 48
photographs = [datasets.natural_images()[i] for i in (0, 1, 2, 3, 4, 8)]
small = np.stack([resize(image, (SIDE, SIDE), anti_aliasing=True) for image in photographs])
patterns = (small > np.median(small, axis=(1, 2), keepdims=True)).reshape(6, -1)
cues = patterns.copy()
cues[:, SIDE**2 // 2 :] = False

# %%
# Each memory stores all six, once, and is shown the cues.

memories = {
    "Willshaw": Willshaw(),
    "Hopfield": Hopfield(),
    "Kanerva": SparseDistributedMemory(2000, radius=1128, max_iter=20, random_state=0),
    "softmax": DenseMemory("softmax", beta=0.05),
}
rows = {"stored": patterns, "cue": cues}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Willshaw's memory says that it is full
    for name, memory in memories.items():
        memory.store(SparseCode.from_dense(patterns))
        recalled = memory.recall(SparseCode.from_dense(cues)).pattern.to_dense()
        rows[name] = recalled
        wrong = (recalled != patterns).mean()
        print(f"{name:9} {wrong:6.1%} of the pixels wrong, {memory.nbytes / 2**20:.1f} MiB")

figure, axes = plt.subplots(6, 6, figsize=(7.2, 7.4), layout="constrained")
for line, (name, images) in zip(axes, rows.items()):
    line[0].set_ylabel(name)
    for ax, image in zip(line, images):
        ax.imshow(image.reshape(SIDE, SIDE), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Photographs are alike, bright above and dark below. Hopfield's network and Kanerva's memory mix
# them; they ask for patterns that have nothing in common. Willshaw's memory, a bit for each pair of
# units, still tells six apart, and the softmax memory keeps the patterns themselves.
#
# Now random patterns of 1,000 units, of which 20 or 500 are active, and cues in which 30 % of the
# active units are missing. Sparse ones suit Willshaw's memory, which is full before 2,000; dense
# ones fill it at once, and suit Hopfield's network, whose limit of 138 allows some errors: without
# any it is reached before 60. The softmax memory keeps all, and takes a number for each unit of
# each.

kinds = {"20 active": SDRSpace(1000, 20), "500 active": SDRSpace(1000, 500)}
loads = (10, 30, 60, 100, 300, 1000, 2000, 3000)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True, layout="constrained")
for ax, (kind, space) in zip(axes, kinds.items()):
    for (name, make), color in zip(
        {
            "Willshaw": Willshaw,
            "Hopfield": lambda: Hopfield(max_iter=20),
            "softmax": lambda: DenseMemory("softmax", beta=0.5),
        }.items(),
        ("#0072b2", "#d55e00", "#009e73"),
    ):
        exact = []
        for load in loads:
            stored = space.sample(load, rng=0)
            asked = stored[: min(load, 100)]
            memory = make()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # beyond their limits, as they say
                memory.store(stored)
            found = memory.recall(space.drop(asked, 0.3, rng=1)).code
            exact.append(np.mean(found == asked))
        ax.semilogx(loads, exact, "o-", color=color, label=name)
    ax.set(title=f"{kind} of 1,000", xlabel="patterns stored")
axes[0].set_ylabel("recalled without an error")
axes[1].legend(frameon=False, loc="center right")
plt.show()
