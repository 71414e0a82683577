"""Data: images that ship with installed wheels, checked downloads, whitening, patches, plants.

Nothing here reaches for the network unless a loader is called with ``download=True``.
"""

from sparsecode.datasets.digits import prepare_digits
from sparsecode.datasets.folders import load_images
from sparsecode.datasets.images import ImageSet, LabelledImages, load_digits16, natural_images
from sparsecode.datasets.patches import extract_patches, patch_batches
from sparsecode.datasets.planted import PlantedCodes, planted_codes
from sparsecode.datasets.published import (
    RENTZEPERIS_NUMBERS,
    load_mnist,
    load_olshausen_field,
    load_van_hateren,
)
from sparsecode.datasets.sequences import CodeSequences, moving_edges, random_sequences
from sparsecode.datasets.videos import (
    WEIZMANN_ACTIONS,
    LabelledVideos,
    edge_sequences,
    load_weizmann,
)
from sparsecode.datasets.whitening import normalize_local_contrast, whiten

__all__ = [
    "RENTZEPERIS_NUMBERS",
    "WEIZMANN_ACTIONS",
    "CodeSequences",
    "ImageSet",
    "LabelledImages",
    "LabelledVideos",
    "PlantedCodes",
    "edge_sequences",
    "extract_patches",
    "load_digits16",
    "load_images",
    "load_mnist",
    "load_olshausen_field",
    "load_van_hateren",
    "load_weizmann",
    "moving_edges",
    "natural_images",
    "normalize_local_contrast",
    "patch_batches",
    "planted_codes",
    "prepare_digits",
    "random_sequences",
    "whiten",
]
