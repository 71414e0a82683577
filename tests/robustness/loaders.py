"""Every loader of a file, with a file for it, what to read it with, and what to do with that."""

import gzip
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

import memory
import sparsecode.estimators as estimators
from sdr.dendrites import SegmentBank
from sdr.pooling import SpatialPooler
from sdr.temporal import TemporalMemory
from sparsecode.bridges import (
    MLP,
    ActivationStore,
    LocalEncoder,
    SAEWeights,
    autoencoder,
    load_autoencoder,
    load_model,
    load_sae_lens,
    save_autoencoder,
    save_model,
    save_sae_lens,
    train_autoencoder,
)
from sparsecode.bridges.training import train
from sparsecode.cli import sources as cli
from sparsecode.convolutional import learn_online
from sparsecode.core import (
    OverlapIndex,
    SparseCode,
    load_arrays,
    load_code,
    load_json,
    load_metadata,
    save_arrays,
    save_code,
    save_json,
)  # fmt: skip
from sparsecode.datasets import formats, load_images, load_weizmann
from sparsecode.learning import online
from sparsecode.penalties import CEL0, L1
from sparsecode.scale import StoredCodes, encode_shards, learn_shards


@dataclass(frozen=True)
class Loader:
    """A file, and who reads it.

    `make` writes into a folder and returns the file to damage, `load` reads it, `use` does with
    the result what one would do next, which may fail, but not kill the process.
    """

    make: Callable[[Path], Path]
    load: Callable[[Path], Any]
    use: Callable[[Any], Any] | None = None
    sealed: bool = False  # whether `save_arrays` wrote it, with its checksum


def fixed(seed=0):
    return np.random.default_rng(seed)


CODE = SparseCode.from_dense(np.arange(24.0).reshape(4, 2, 3) % 4)
BINARY = SparseCode.from_dense(fixed().random((12, 8)) < 0.4)
ATOMS = np.eye(6)[:4] + 0.1
X = fixed(1).normal(size=(30, 6))
SIGNALS = fixed(2).normal(size=(3, 1, 12))


def arrays_of(suffix):
    def make(folder):
        path = folder / f"arrays{suffix}"
        save_arrays(path, {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(3)}, {"x": [1, "y"]})
        return path

    return make


def plain(name, *, binary=False):
    """Write an array as other programs do."""

    def make(folder):
        path = folder / name
        a = np.asfortranarray(np.arange(12.0).reshape(3, 4))
        if path.suffix == ".npy":
            np.save(path, a)
        elif path.suffix == ".npz":
            np.savez_compressed(path, a=a)
        else:
            save_file({"a": np.ascontiguousarray(a)}, path)
        return path

    return make


def code_in(suffix):
    def make(folder):
        save_code(folder / f"code{suffix}", CODE)
        return folder / f"code{suffix}"

    return make


def some_json(folder):
    save_json(folder / "a.json", {"a": [1, 2.5, {"b": None}], "c": "text", "d": [[]]})
    return folder / "a.json"


def encoder(folder):
    names = [f"f{i}" for i in range(6)]
    fitted = estimators.SparseEncoder(ATOMS, penalty=CEL0(0.1), solver="cd").fit(X)
    fitted.feature_names_in_ = np.array(names, dtype=object)
    fitted.save(folder / "encoder.npz")
    return folder / "encoder.npz"


def learner(folder):
    fitted = estimators.DictionaryLearner(5, penalty=L1(0.1), n_epochs=1, random_state=0)
    fitted.fit(X).save(folder / "learner.safetensors")
    return folder / "learner.safetensors"


def conv_learner(folder):
    fitted = estimators.ConvDictionaryLearner(
        2,
        3,
        penalty=L1(0.1),
        n_epochs=1,
        random_state=0,
        n_threads=1,
    )
    fitted.fit(SIGNALS).save(folder / "conv.npz")
    return folder / "conv.npz"


def use_estimator(loaded):
    if isinstance(loaded, estimators.ConvDictionaryLearner):
        loaded.partial_fit(SIGNALS)
    elif isinstance(loaded, estimators.DictionaryLearner):
        loaded.transform(X[:, : loaded.n_features_in_])
        loaded.partial_fit(X)
    else:
        loaded.transform(X)


def index(folder):
    made = OverlapIndex((8,))
    made.add(BINARY)
    made.save(folder / "index.npz")
    return folder / "index.npz"


def segments(folder):
    bank = SegmentBank((8,), n_neurons=4, n_segments=3)
    bank._set_synapses(BINARY)
    bank.save(folder / "bank.npz")
    return folder / "bank.npz"


def pooler(folder):
    made = SpatialPooler((10,), density=0.2, random_state=0, inhibition_radius=None)
    made.fit(fixed(3).random((6, 12)) < 0.4)
    made.save(folder / "pooler.npz")
    return folder / "pooler.npz"


def use_pooler(loaded):
    bits = fixed(4).random((4, 12)) < 0.4
    loaded.transform(bits)
    loaded.partial_fit(bits)


SEQUENCE = fixed(5).random((8, 10)) < 0.3


def temporal(folder):
    made = TemporalMemory(
        10, 3, activation_threshold=2, min_threshold=1, max_new_synapses=3, max_segments=4,
        max_synapses=6, rng=0,
    )  # fmt: skip
    for _ in range(3):
        made.partial_fit(SEQUENCE)
    made.save(folder / "temporal.npz")
    return folder / "temporal.npz"


def use_temporal(loaded):
    for _ in range(3):
        loaded.partial_fit(SEQUENCE)


def memory_in(kind, *sizes, **parameters):
    def make(folder):
        memory = kind(*sizes, **parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of memories that are full
            memory.store(BINARY)
        memory.save(folder / "memory.npz")
        return folder / "memory.npz"

    return make


def remember(kind, *sizes, **parameters):
    return Loader(
        memory_in(kind, *sizes, **parameters), kind.load,
        lambda one: (one.recall(BINARY), one.store(BINARY)), sealed=True,
    )  # fmt: skip


def hierarchy(folder):
    levels = [memory.Level(2, 3, shape=(1, 2)), memory.Level(2, 3)]
    made = memory.Hierarchy(levels, input_shape=(2, 4), random_state=0)
    made.store(BINARY)
    made.save(folder / "hierarchy.npz")
    return folder / "hierarchy.npz"


def use_hierarchy(loaded):
    loaded.recall(BINARY)
    loaded.store(BINARY)


def learn_to(path, n_batches=6):
    return online(X, 5, L1(0.1), rng=0, batch_size=10, n_batches=n_batches, n_threads=1,
                  checkpoint=path, warm_start=True)  # fmt: skip


def shards(name):
    def make(folder):
        encode_to(folder)
        return folder / name

    return make


def encode_to(folder):
    return encode_shards(X, ATOMS, folder, solver="omp", n_nonzero=2, shard_rows=12)


def use_shards(folder):
    codes = StoredCodes(folder)
    codes.verify()
    return [codes[:], *codes]


def learn_shards_to(path, method="online"):
    return learn_shards(X, 5, method=method, solver="omp", n_nonzero=2, n_passes=2, shard_rows=12,
                        round_shards=2, rng=0, checkpoint=path)  # fmt: skip


def shards_checkpoint(folder):
    learn_shards_to(folder / "shards.safetensors")
    return folder / "shards.safetensors"


def checkpoint(folder):
    learn_to(folder / "course.safetensors", 3)
    return folder / "course.safetensors"


def conv_learn_to(path, n_batches=4):
    return learn_online(SIGNALS, SIGNALS[:2, :, :3], L1(0.1), rng=0, n_steps=n_batches,
                        batch_size=2, n_threads=1, checkpoint=path)  # fmt: skip


def conv_checkpoint(folder):
    conv_learn_to(folder / "conv.safetensors", 2)
    return folder / "conv.safetensors"


def small_network():
    return MLP(6, 3, hidden=(4,), seed=0)


def train_to(path, n_epochs=3):
    return train(small_network(), X.astype(np.float32), np.arange(30) % 3, n_epochs=n_epochs,
                 batch_size=10, checkpoint=path)  # fmt: skip


def torch_checkpoint(folder):
    train_to(folder / "training.safetensors", 1)
    return folder / "training.safetensors"


def network(folder):
    save_model(folder / "mlp.safetensors", small_network())
    return folder / "mlp.safetensors"


def sae(folder):
    save_autoencoder(folder / "sae.safetensors", autoencoder("topk", 6, 8, rng=0, k=2))
    return folder / "sae.safetensors"


def sae_train_to(path, n_steps=4):
    model = autoencoder("topk", 6, 8, rng=0, k=2)
    return train_autoencoder(model, X.astype(np.float32), n_steps=n_steps, batch_size=10,
                             checkpoint=path, checkpoint_every=2)  # fmt: skip


def sae_checkpoint(folder):
    sae_train_to(folder / "sae-training.safetensors", 2)
    return folder / "sae-training.safetensors"


def sae_lens(name):
    def make(folder):
        weights = SAEWeights(
            np.ones((4, 3)), np.zeros(3), np.ones((3, 4)), np.zeros(4), k=2, architecture="topk"
        )
        save_sae_lens(folder, weights)
        return folder / name

    return make


BERT = {
    "model_type": "bert", "vocab_size": 7, "hidden_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 5, "max_position_embeddings": 6,
    "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
}  # fmt: skip


def bert(name):
    def make(folder):
        from sparsecode.bridges import local_model

        torch.manual_seed(0)
        theirs = {v: k for k, v in local_model._NAMES.items()}
        embeddings = {v: k for k, v in local_model._EMBEDDINGS.items()}
        tensors = {}
        for ours, tensor in LocalEncoder(BERT).state_dict().items():
            module, _, end = ours.rpartition(".")
            if module.startswith("layers."):
                _, number, part = module.split(".", 2)
                key = f"encoder.layer.{number}.{theirs[part]}.{end}"
            else:
                key = f"embeddings.{embeddings[module]}.{end}"
            tensors[key] = tensor.numpy()
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(BERT))
        return folder / name

    return make


def use_bert(loaded):
    loaded(torch.zeros((2, 3), dtype=torch.int64))


def picture(name, mode="RGB", **options):
    def make(folder):
        pixels = fixed(6).integers(0, 255, (9, 11, 4), dtype=np.uint8)
        image = Image.fromarray(pixels[..., :3]).convert(mode)
        if mode == "I;16":
            image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
        if mode == "F":
            image = Image.fromarray(pixels[..., 0].astype(np.float32) / 255)
        image.save(folder / name, **options)
        return folder / name

    return make


def bytes_parsed(parse):
    return lambda path: parse(path.read_bytes(), name=path.name)


def idx(name):
    def make(folder):
        images = fixed(7).integers(0, 255, (3, 4, 5), dtype=np.uint8)
        content = formats.idx_header(images.shape) + images.tobytes()
        if name.endswith(".gz"):
            content = gzip.compress(content, mtime=0)
        (folder / name).write_bytes(content)
        return folder / name

    return make


def mat(folder):
    from scipy.io import savemat

    savemat(folder / "IMAGES.mat", {"IMAGES": np.arange(24.0).reshape(2, 3, 4)},
            do_compression=True)  # fmt: skip
    return folder / "IMAGES.mat"


def weizmann(folder):
    with zipfile.ZipFile(folder / "bend.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("daria_bend.avi", bytes(range(60)) * 3)
        archive.writestr("sub/denis_bend.avi", bytes(range(60)) * 3)
    return folder / "bend.zip"


def frames(path):
    yield np.frombuffer(path.read_bytes()[:60], np.uint8).reshape(10, 6)


def store(name):
    def make(folder):
        folder = folder / "store"
        shutil.rmtree(folder, ignore_errors=True)
        with ActivationStore.create(folder, n_rows_per_shard=4) as writer:
            writer.append("layer", X[:10], sample_ids=np.arange(10))
        return folder / name

    return make


def use_store(folder):
    opened = ActivationStore(folder)
    return [
        (site[:], site[-1:], site.sample_ids, site.position_ids, site.scale)
        for site in opened.values()
    ]


def resume_store(folder):
    with ActivationStore.create(folder, resume=True) as writer:
        writer.last_id("layer")


def record(name):
    def make(folder):
        from experiments._framework.experiment import discover, get

        if not _RECORDED:
            discover()
            one = get("union-property")
            _RECORDED["one"] = one
            _RECORDED["record"] = one.run(one.config("smoke"))
        _RECORDED["record"].save(folder)
        return folder / name

    return make


_RECORDED: dict[str, Any] = {}


def load_record(path):
    return _RECORDED["one"].load(path.parent)


def dictionary(folder):
    notes = {"kind": "dictionary", "patch_shape": [2, 3], "whitened": True, "scale": 0.5,
             "penalty": "cel0", "alpha": 0.1}  # fmt: skip
    save_arrays(folder / "atoms.safetensors", {"dictionary": ATOMS}, notes)
    return folder / "atoms.safetensors"


LOADERS = {
    "arrays.npz": Loader(arrays_of(".npz"), load_arrays, sealed=True),
    "arrays.safetensors": Loader(arrays_of(".safetensors"), load_arrays, sealed=True),
    "metadata.npz": Loader(arrays_of(".npz"), load_metadata, sealed=True),
    "code.npz": Loader(code_in(".npz"), load_code, sealed=True),
    "code.safetensors": Loader(code_in(".safetensors"), load_code, sealed=True),
    "foreign.npz": Loader(plain("a.npz"), partial(load_arrays, checksum=False)),
    "foreign.safetensors": Loader(plain("a.safetensors"), partial(load_arrays, checksum=False)),
    "json": Loader(some_json, load_json),
    "encoder": Loader(encoder, estimators.load, use_estimator, sealed=True),
    "learner": Loader(learner, estimators.load, use_estimator, sealed=True),
    "conv_learner": Loader(conv_learner, estimators.load, use_estimator, sealed=True),
    "index": Loader(index, OverlapIndex.load, lambda one: one.overlaps(BINARY), sealed=True),
    "segments": Loader(segments, SegmentBank.load, lambda one: one.counts(BINARY), sealed=True),
    "pooler": Loader(pooler, SpatialPooler.load, use_pooler, sealed=True),
    "temporal": Loader(temporal, TemporalMemory.load, use_temporal, sealed=True),
    "nearest": remember(memory.NearestPattern),
    "Willshaw": remember(memory.Willshaw),
    "Hopfield": remember(memory.Hopfield),
    "Kanerva": remember(memory.SparseDistributedMemory, n_locations=20, radius=4, random_state=0),
    "BCPNN": remember(memory.BCPNN),
    "sparse Hopfield": remember(memory.SparseHopfield),
    "dense": remember(memory.DenseMemory),
    "Sparsey": remember(memory.Sparsey, 3, 4, random_state=0),
    "hierarchy": Loader(hierarchy, memory.Hierarchy.load, use_hierarchy, sealed=True),
    "checkpoint": Loader(checkpoint, learn_to, sealed=True),
    "conv_checkpoint": Loader(conv_checkpoint, conv_learn_to, sealed=True),
    "shards manifest": Loader(shards("manifest.jsonl"), lambda path: use_shards(path.parent)),
    "shards manifest, resumed": Loader(
        shards("manifest.jsonl"), lambda path: encode_to(path.parent)
    ),
    "shard": Loader(shards("000001.safetensors"), lambda path: use_shards(path.parent)),
    "shards_checkpoint": Loader(shards_checkpoint, learn_shards_to, sealed=True),
    "torch_checkpoint": Loader(torch_checkpoint, train_to, sealed=True),
    "network": Loader(network, load_model, lambda one: one(torch.zeros(2, 6)), sealed=True),
    "sae": Loader(sae, load_autoencoder, lambda one: one(torch.zeros(2, 6)), sealed=True),
    "sae_checkpoint": Loader(sae_checkpoint, sae_train_to, sealed=True),
    "sae_lens config": Loader(sae_lens("cfg.json"), lambda path: load_sae_lens(path.parent)),
    "sae_lens weights": Loader(
        sae_lens("sae_weights.safetensors"), lambda path: load_sae_lens(path.parent)
    ),
    "bert config": Loader(
        bert("config.json"), lambda path: LocalEncoder.from_folder(path.parent), use_bert
    ),
    "bert weights": Loader(
        bert("model.safetensors"), lambda path: LocalEncoder.from_folder(path.parent), use_bert
    ),
    "png": Loader(picture("a.png", "RGBA"), load_images),
    "png16": Loader(picture("a.png", "I;16"), load_images),
    "palette": Loader(picture("a.png", "P"), load_images),
    "jpeg": Loader(picture("a.jpg"), load_images),
    "gif": Loader(picture("a.gif", "P"), load_images),
    "bmp": Loader(picture("a.bmp"), load_images),
    "pgm": Loader(picture("a.pgm", "L"), load_images),
    "tiff": Loader(picture("a.tif", "F"), load_images),
    "tiff lzw": Loader(picture("a.tif", compression="tiff_lzw"), load_images),
    "webp": Loader(picture("a.webp"), load_images),
    "idx": Loader(idx("a-idx3-ubyte"), bytes_parsed(formats.parse_idx)),
    "idx.gz": Loader(idx("a-idx3-ubyte.gz"), bytes_parsed(formats.parse_idx)),
    "van Hateren": Loader(idx("a.iml"), bytes_parsed(formats.parse_van_hateren)),
    "published.npz": Loader(
        plain("a.npz"),
        bytes_parsed(lambda content, name: formats.parse_npz(content, "a", name=name)),
    ),
    "mat": Loader(
        mat, bytes_parsed(lambda content, name: formats.parse_mat(content, "IMAGES", name=name))
    ),
    "weizmann": Loader(weizmann, partial(load_weizmann, reader=frames)),
    "store manifest": Loader(store("manifest.json"), lambda path: use_store(path.parent)),
    "store manifest, resumed": Loader(
        store("manifest.json"), lambda path: resume_store(path.parent)
    ),
    "store shard": Loader(store("000-layer/00001.npy"), lambda path: use_store(path.parents[1])),
    "store ids": Loader(store("000-layer/00001.ids.npy"), lambda path: use_store(path.parents[1])),
    "store last ids": Loader(
        store("000-layer/00002.ids.npy"), lambda path: resume_store(path.parents[1])
    ),
    "record": Loader(record("record.json"), load_record),
    "record arrays": Loader(record("arrays.npz"), load_record, sealed=True),
    "command .npy": Loader(plain("a.npy"), lambda path: np.array(cli.read_array(path))),
    "command .npz": Loader(plain("a.npz"), cli.read_array),
    "command dictionary": Loader(dictionary, cli.read_dictionary, sealed=True),
}  # fmt: skip
