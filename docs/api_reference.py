"""The API reference: one table, from which the pages are written.

``tests/test_public_api.py`` compares it with the ``__all__`` of every public module. Penalties
come from their registry, so that a new one needs no edit here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sparsecode import penalties

__all__ = ["API", "Section", "write"]


@dataclass(frozen=True)
class Section:
    """One page: a public module, what it is for, and its names by group."""

    module: str
    title: str
    groups: dict[str, tuple[str, ...]]

    @property
    def names(self) -> set[str]:
        """Return every name on the page."""
        return {name for group in self.groups.values() for name in group}


API = (
    Section(
        "sparsecode.core",
        "Sparse codes",
        {
            "The code": ("SparseCode",),
            "Operations": (
                "concatenate_units",
                "coordinates",
                "difference",
                "intersection",
                "jaccard",
                "overlap",
                "reshape",
                "symmetric_difference",
                "top_k",
                "union",
            ),
            "Search": ("OverlapIndex", "Matches"),
            "Dictionaries": (
                "babel",
                "coherence",
                "gram",
                "match",
                "Match",
                "normalize",
                "reconstruct",
                "reconstruct_tiles",
            ),
            "Files": (
                "RowReader",
                "atomic_path",
                "load_arrays",
                "load_code",
                "load_json",
                "load_metadata",
                "save_arrays",
                "save_code",
                "save_json",
                "write_bytes",
            ),
            "Random streams": ("Streams",),
        },
    ),
    Section(
        "sparsecode.core.measures",
        "Measures of sparseness",
        {
            "Measures": (
                "entropy",
                "excess_kurtosis",
                "gini",
                "hoyer",
                "kappa4",
                "l0",
                "participation_ratio",
                "treves_rolls",
                "vinje_gallant",
            ),
            "Over units and over samples": ("lifetime", "population", "summary"),
            "Of reconstructions": ("explained_variance",),
            "Constants": ("HIGHER_IS_SPARSER",),
        },
    ),
    Section(
        "sparsecode.core.compare",
        "Comparing representations",
        {
            "Of stimuli": (
                *("canonical_correlations", "cca", "cka", "mutual_knn", "procrustes", "rsa"),
                "svcca",
            ),
            "Of atoms": ("dictionary_similarity",),
            "With chance and noise": ("compare", "Similarity", "similarity_matrix"),
            "Constants": ("HIGHER_IS_ALIKE",),
        },
    ),
    Section(
        "sparsecode.penalties",
        "Penalties",
        {
            "Structs": tuple(struct.__name__ for struct in penalties.registered().values()),
            "Evaluate": ("prox", "value"),
            "Choose": ("check_penalty", "make", "paper", "Penalty", "register", "registered"),
        },
    ),
    Section(
        "sparsecode.solvers",
        "Solvers",
        {
            "With a penalty": (
                *("encode", "cd", "cel0_macro", "feature_sign", "fista", "homotopy", "irl1"),
                *("ista", "lca"),
            ),
            "With a number of atoms": ("htp", "mp", "ols", "omp"),
            "With either": ("branch_and_bound", "iht", "sbr"),
            "Paths and starts": ("alpha_path", "lasso_path", "LassoPath", "multi_start"),
            "Result": ("SolverResult", "certify"),
            "Choose": ("alpha_for_density", "alpha_max", "get", "registered"),
            "Time course": ("lca_time_course", "LCATimeCourse"),
        },
    ),
    Section(
        "sparsecode.convolutional",
        "Convolutional coding",
        {
            "Solvers": ("greedy_cd", "interior_point", "mp", "fista", "admm"),
            "Operators": ("correlate", "reconstruct"),
            "Learning": ("learn_online", "learn_alternating", "draw_atoms", "ConvLearningResult"),
            "Log-Gabor banks": (
                *("log_gabor", "log_gabor_bank", "log_gabor_preset", "LogGaborParameters"),
                *("fit_log_gabor", "LogGaborFits"),
            ),
        },
    ),
    Section(
        "sparsecode.learning",
        "Dictionary learning",
        {"Learners": ("ksvd", "mod", "olshausen_field", "online"), "Result": ("LearningResult",)},
    ),
    Section(
        "sparsecode.scale",
        "Data beyond memory",
        {
            "Shards": ("encode_shards", "learn_shards"),
            "Results": ("EncodingRun", "StoredCodes"),
            "Rows on disk": ("NpyRows", "ZarrRows", "open_rows"),
            "Dask arrays": ("LazyResult", "encode_lazily", "is_lazy", "transform_lazily"),
            "Errors": ("ShardError",),
        },
    ),
    Section(
        "sparsecode.estimators",
        "scikit-learn estimators",
        {
            "Estimators": ("ConvDictionaryLearner", "DictionaryLearner", "SparseEncoder"),
            "Files": ("load",),
            "Scorers": ("negative_objective",),
        },
    ),
    Section(
        "sparsecode.datasets",
        "Data",
        {
            "Without network": ("load_digits16", "load_images", "natural_images", "planted_codes"),
            "Opt-in downloads": ("load_mnist", "load_olshausen_field", "load_van_hateren"),
            "From a copy of one's own": ("load_weizmann",),
            "Prepare": (
                *("extract_patches", "normalize_local_contrast", "patch_batches", "prepare_digits"),
                "whiten",
            ),
            "Sequences": ("edge_sequences", "moving_edges", "random_sequences"),
            "Results": (
                *("CodeSequences", "ImageSet", "LabelledImages", "LabelledVideos"),
                "PlantedCodes",
            ),
            "Constants": ("RENTZEPERIS_NUMBERS", "WEIZMANN_ACTIONS"),
        },
    ),
    Section(
        "sparsecode.receptive_fields",
        "Receptive fields",
        {
            "Shape": ("fit_gabors", "gabors"),
            "Orientation tuning": (
                "circular_variance",
                "gratings",
                "half_width",
                "orientation_tuning",
                "preferred_orientation",
            ),
            "Results": ("GaborFits", "Tuning"),
        },
    ),
    Section(
        "sparsecode.plotting",
        "Figures",
        {
            "Draw": (
                "codes_raster",
                "gabor_ellipses",
                "mse_against_density",
                "penalty_curves",
                "receptive_fields",
                "tuning_curves",
            ),
            "Constants": ("COLORS", "MARKERS"),
        },
    ),
    Section(
        "sdr",
        "Sparse distributed representations",
        {
            "Spaces": ("Metrics", "SDRSpace", "Spread"),
            "Dendrites": ("SegmentBank",),
            "Sequences": ("Segments", "SpatialPooler", "Step", "TemporalMemory", "Trace"),
        },
    ),
    Section(
        "sdr.theory",
        "Theory of sparse patterns",
        {
            "One segment": (
                "any_false_positive",
                "false_negative",
                "false_positive",
                "false_positive_single_term",
                "overlap_probability",
                "overlap_set_size",
            ),
            "Unions": (
                "bloom_false_positive",
                "union_false_positive",
                "union_size",
                "union_size_distribution",
                "unset_probability",
            ),
            "Sequences": (
                "cell_false_positive",
                "prediction_accuracy",
                "prediction_jaccard",
                "segments_per_cell",
            ),
            "Real-valued vectors": ("ScalarEstimate", "scalar_false_positive"),
            "Design": ("SegmentDesign", "design_segment", "largest_union", "threshold_range"),
        },
    ),
    Section(
        "sdr.simulation",
        "Segments and inputs, drawn",
        {
            "Errors": (
                "simulate_false_negatives",
                "simulate_false_positives",
                "simulate_union",
            ),
            "Counts": ("ErrorCounts", "UnionCounts"),
        },
    ),
    Section(
        "sdr.spiking",
        "Spiking dendrites",
        {
            "Cells": ("EventPlateau", "NMDADendrite", "ThreeCompartment"),
            "Simulation": ("DendriteTrials", "InputSpikes", "draw_spikes", "simulate_dendrites"),
            "Thresholds": (
                "PsychometricCurve",
                "ThresholdFit",
                "fit_threshold",
                "psychometric_curve",
            ),
            "Recognition": ("Recognition", "draw_noisy", "draw_strangers", "recognise"),
        },
    ),
    Section(
        "memory",
        "Associative memories",
        {
            "Protocol": ("AssociativeMemory", "Recall"),
            "Memories": (
                *("BCPNN", "DenseMemory", "Hopfield", "NearestPattern"),
                *("SparseDistributedMemory", "SparseHopfield", "Sparsey", "Willshaw"),
            ),
            "Levels of macs": (
                *("ClassField", "Description", "Hierarchy", "Level", "LevelDescription"),
            ),
            "Sparsey's choice of a code": (
                *("CodeChoice", "Sigmoid2010", "Sigmoid2014", "SigmoidCore", "SigmoidNeurithmic"),
                *("SmoothDecay", "TableDecay"),
            ),
        },
    ),
    Section(
        "memory.theory",
        "What theory says of memories",
        {
            "Willshaw": (
                *("willshaw_capacity", "willshaw_false_positive", "willshaw_information"),
                "willshaw_load",
            ),
            "Attractor networks": (
                *("dense_capacity", "hopfield_capacity", "hopfield_overlap"),
                "sparse_hopfield_capacity",
            ),
            "Kanerva": (
                *("sdm_activation", "sdm_bit_error", "sdm_critical_distance"),
                *("sdm_shared_activation", "sdm_signal_to_noise"),
            ),
        },
    ),
    Section(
        "memory.measures",
        "How well a memory recalls",
        {
            "Errors": (
                *("bit_error", "exact_recall", "missing", "relative_error", "spurious"),
                "within_epsilon",
            ),
            "Information": ("mutual_information", "report"),
            "Load": ("capacity", "recall_curve"),
            "Codes": ("similarity_preservation",),
            "Results": ("Capacity", "Similarity"),
        },
    ),
    Section(
        "sparsecode.bridges",
        "Bridges to transformers",
        {
            "Record": ("collect", "sites_of", "LocalEncoder"),
            "Keep on disk": ("ActivationStore", "ActivationWriter", "StoredSite"),
            "Lazy neurons": ("LazyStatistics", "lazy_by_layer", "lazy_statistics"),
            "As sparse codes": ("to_code",),
            "SAELens' layout": ("SAEWeights", "load_sae_lens", "save_sae_lens"),
            "Networks": ("Crate", "CrateAlpha", "MLP", "Mixer", "ViT"),
            "Training": ("load_model", "save_model", "train"),
            "Rate reduction": (
                *("coding_rate", "compressed_rate", "compressed_rate_gradient"),
                "sparse_rate_reduction",
            ),
            "CRATE beside exact codes": ("compare_codes",),
            "Results": ("CodeComparison", "CrateSize", "TrainingResult"),
            "Constants": ("CRATE_ALPHA_ABLATION", "CRATE_SIZES"),
            "Sparse autoencoders": (
                *("SparseAutoencoder", "autoencoder", "train_autoencoder"),
                *("save_autoencoder", "load_autoencoder", "from_weights"),
            ),
            "Architectures": (
                *("ReLUAutoencoder", "TopKAutoencoder", "BatchTopKAutoencoder"),
                *("JumpReLUAutoencoder", "GatedAutoencoder", "MatryoshkaAutoencoder"),
                *("MutualChoiceAutoencoder", "FeatureChoiceAutoencoder", "GradientAutoencoder"),
                *("Transcoder", "MatchingPursuitAutoencoder", "Pursuit"),
            ),
            "What autoencoders lose": (
                *("amortisation_gap", "encode_rows", "streamed_explained_variance"),
                *("fraction_variance_unexplained", "loss_recovered", "firing_rates"),
                *("silent_latents", "effective_rank", "dark_matter", "DarkMatter"),
            ),
            "The hierarchical benchmark": (
                *("hierarchical_features", "HierarchicalFeatures", "sibling_mixing"),
                *("match_latents", "absorption", "gram_errors"),
            ),
        },
    ),
    Section(
        "sparsecode.bridges.thresholds",
        "Sparse activations at inference",
        {
            "Thresholds": (
                "cats",
                "chess",
                "r_sparse",
                "search_r_sparse",
                "teal",
                "teal_blocks",
                "wina",
            ),
            "Core neurons": ("core_neurons", "sentence_core"),
            "What is lost": (
                *("activation_ratio", "cett", "cett_ppl", "epsilon_for_cett", "output_error"),
            ),
            "Training": ("deft_gradient", "deft_loss", "prosparse_weight", "shifted_relu"),
            "Laws": ("fit_sparsing_law",),
            "Results": (
                *("CettPPL", "RSparse", "SparsingLaw", "TealAllocation", "Thresholds"),
                "TopScores",
            ),
        },
    ),
    Section("sparsecode.cli", "The command", {"Entry": ("main",)}),
    Section("sparsecode", "The installation", {"Report": ("show_versions",)}),
)


def write(folder: Path) -> None:
    """Write one page a module into `folder`, and an index of them."""
    folder.mkdir(exist_ok=True)
    for section in API:
        lines = [
            f"{section.title}: ``{section.module}``",
            "=" * (len(section.title) + len(section.module) + 6),
            "",
            f".. automodule:: {section.module}",
            f".. currentmodule:: {section.module}",
            "",
        ]
        for title, names in section.groups.items():
            lines += [title, "-" * len(title), "", ".. autosummary::", "   :toctree: objects", ""]
            lines += [*(f"   {name}" for name in names), ""]
        (folder / f"{section.module}.rst").write_text("\n".join(lines), encoding="utf8")
    index = ["API reference", "=============", "", ".. toctree::", "   :maxdepth: 1", ""]
    index += [f"   {section.module}" for section in API]
    (folder / "index.rst").write_text("\n".join([*index, ""]), encoding="utf8")
