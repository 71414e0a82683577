"""
Are they like cells of the visual cortex?
=========================================

Atoms learned from natural images look like receptive fields of simple cells. This script says so
in the numbers that neuroscientists use: a Gabor function fitted to every atom, and the width of
its tuning to the orientation of gratings.
"""

# %%
# A dictionary of 144 atoms, learned from whitened photographs in steps that get smaller.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode.datasets import natural_images, patch_batches, whiten
from sparsecode.learning import olshausen_field
from sparsecode.penalties import L1
from sparsecode.plotting import gabor_ellipses, receptive_fields, tuning_curves
from sparsecode.receptive_fields import fit_gabors, orientation_tuning

images = whiten(natural_images())
batches = patch_batches(images, 100, size=12, n_batches=300, rng=0)
atoms = olshausen_field(batches, 144, L1(0.3), learning_rate=10, decay=0.02, rng=0).dictionary

# %%
# :func:`~sparsecode.receptive_fields.fit_gabors` describes each atom by eight numbers, and says
# what fraction of its energy they leave unexplained. Below, the atoms from the best explained to
# the worst; the ellipse is where the envelope is at half its height, the line in it runs along
# the stripes.

fits = fit_gabors(atoms)
order = np.argsort(fits.error)
print(fits)
print(f"{np.mean(fits.error < 0.2):.0%} of the atoms are Gabors up to a fifth of their energy")

figure, ax = plt.subplots(figsize=(7, 7), layout="constrained")
receptive_fields(atoms, ax, order=order)
gabor_ellipses(fits, ax, order=order)
plt.show()

# %%
# Ringach (2002) measured the envelopes of cells of the macaque in periods of their stripes,
# across (:math:`n_x`) and along (:math:`n_y`): they lie along a curve, from blobs at the origin to
# elongated cells with several stripes. Only atoms that are well fitted belong here. Odd ones with
# less than a period, dark on one side and light on the other, have no frequency of their own:
# their fits stand at the lowest frequency that is allowed, to the left of the dotted line.

good = fits.error < 0.2
odd = np.abs(np.sin(np.radians(fits.phase)))
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
points = left.scatter(fits.n_x[good], fits.n_y[good], c=odd[good], s=14, cmap="viridis")
left.axvline(0.1, linestyle=":", color="0.5")
left.set(xlabel="$n_x$, periods across", ylabel="$n_y$, periods along")
left.set(xlim=(0, None), ylim=(0, None))
figure.colorbar(points, label="even (0) to odd (1)")
right.hist(fits.peak_frequency[good], bins=np.linspace(0, 0.5, 21), color="#0072b2")
right.set(xlabel="peak of the spectrum (cycles per pixel)", ylabel="atoms")
plt.show()

# %%
# Selectivity does not need a Gabor: show gratings of all orientations and take the circular
# variance of the responses, 0 for a cell that answers one orientation alone and 1 for a cell that
# answers them all alike (Ringach et al. 2002).

tuning = orientation_tuning(atoms)
variance = tuning.circular_variance
ranks = np.argsort(variance)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
tuning_curves(tuning, left, order=ranks[[0, len(ranks) // 2, -1]]).legend()
right.hist(variance, bins=np.linspace(0, 1, 21), color="#0072b2")
right.set(xlabel="circular variance", ylabel="atoms")
plt.show()
