"""
Six digits stored in one trial
==============================

Sparsey (:cite:t:`rinkus2014`) stores a pattern the first time it sees it. Six handwritten digits
are presented once, and recalled from their upper halves.
"""

# %%
# The digits come from scikit-learn, and are prepared as for Sparsey: a frame of 24 x 16 pixels,
# black or white, with strokes one pixel wide.

import matplotlib.pyplot as plt
import numpy as np

from memory import Sparsey
from sparsecode.core import overlap
from sparsecode.datasets import load_digits16, prepare_digits

digits = load_digits16()
first = [int(np.argmax(digits.labels == label)) for label in range(6)]
patterns = prepare_digits(digits.images[first])
print(patterns)

# %%
# A code has one winner in each of 24 modules of 8 units. Before it is learned, each digit has the
# familiarity that those before it gave to its pixels: none for the first.

memory = Sparsey(24, 8, random_state=0)
codes = memory.store(patterns)
print(memory)
print("familiarity when stored:", memory.familiarity_.round(2))

# %%
# The cue is the upper half of each digit, with a stroke drawn across the first for company: pixels
# that no stored digit had. The stroke costs familiarity; the code is found all the same, and the
# digit that it gives back is whole, without the stroke.

cues = patterns.to_dense()
cues[:, 12:] = False
cues[0, 2:8, 1] = True
recalled = memory.recall(cues.reshape(6, -1))
shared = np.diag(overlap(recalled.code, codes))
errors = (recalled.pattern.to_dense() != patterns.to_dense()).sum(axis=(1, 2))
for label in range(6):
    print(
        f"{label}: cue of {cues[label].sum()} pixels, familiarity "
        f"{recalled.familiarity[label]:.2f}, {shared[label]:.0f} of 24 winners, "
        f"{errors[label]} pixels wrong"
    )

# %%
# Each code is a picture too: a row for every module, with its winner black.

figure, axes = plt.subplots(4, 6, figsize=(8.4, 9.2), layout="constrained")
names = ("stored", "cue", "code (24 modules x 8 units)", "given back")
pictures = (patterns.to_dense(), cues, recalled.code.to_dense(), recalled.pattern.to_dense())
for row, name, batch in zip(axes, names, pictures, strict=True):
    row[0].set_ylabel(name)
    for ax, picture in zip(row, batch, strict=True):
        ax.imshow(picture, cmap="binary", aspect="equal" if name[:4] != "code" else "auto")
        ax.set(xticks=[], yticks=[])
for label, ax in enumerate(axes[2]):
    ax.set_title(f"G = {recalled.familiarity[label]:.2f}", fontsize=9)
plt.show()

# %%
# Similar digits got similar codes: the number of winners that two codes share, above the 3 that
# chance gives, goes with the pixels that the digits share.

alike, same = overlap(patterns, patterns), overlap(codes, codes)
upper = np.triu_indices(6, 1)
figure, ax = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
ax.plot(alike[upper], same[upper], "o")
ax.axhline(3, color="0.5", linestyle=":")
ax.set(xlabel="pixels that two digits share", ylabel="winners that their codes share")
plt.show()
