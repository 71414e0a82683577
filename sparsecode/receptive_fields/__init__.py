"""Atoms described as receptive fields: fitted Gabors, and tuning to the orientation of gratings.

Orientations are those of the stripes, in degrees from 0 to 180: 0 is horizontal, and they grow
counter-clockwise in the picture, so that 90 is vertical. Positions are in pixels: ``x`` counts
columns from the left, ``y`` rows from the top, and (0, 0) is the middle of the first pixel.
Frequencies are in cycles per pixel, phases in degrees.
"""

from sparsecode.receptive_fields.gabors import GaborFits, fit_gabors, gabors
from sparsecode.receptive_fields.tuning import (
    Tuning,
    circular_variance,
    gratings,
    half_width,
    orientation_tuning,
    preferred_orientation,
)

__all__ = [
    "GaborFits",
    "Tuning",
    "circular_variance",
    "fit_gabors",
    "gabors",
    "gratings",
    "half_width",
    "orientation_tuning",
    "preferred_orientation",
]
