"""Checkpoints: learning goes on to the same bits, and from nothing else."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from interrupted import learn
from learners import LEARNERS

from sparsecode.core import load_arrays, save_arrays
from sparsecode.core._course import describe
from sparsecode.datasets import planted_codes
from sparsecode.learning import online
from sparsecode.penalties import CEL0, L1
from sparsecode.solvers import cd, encode, ista, omp

X = planted_codes(230, n_atoms=12, n_features=10, n_active=2, rng=0).X


class Stopped(Exception):
    pass


def stop_at(last):
    def callback(step, row, atoms):
        if step == last:
            raise Stopped

    return callback


def assert_same(one, other):
    np.testing.assert_array_equal(one.dictionary, other.dictionary)
    assert one.history.keys() == other.history.keys()
    for name, column in one.history.items():
        np.testing.assert_array_equal(column, other.history[name], err_msg=name)
    assert one.stopped_early == other.stopped_early


COMMON = dict(batch_size=40, n_batches=18, held_out=X[200:], held_out_every=5, patience=None)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("options", [{}, {"warm_start": True, "batch_size": None}], ids=str)
def test_resumed_is_uninterrupted_bit_by_bit(tmp_path, name, options):
    run = partial(LEARNERS[name], X[:200], 12, L1(0.1), rng=3, **{**COMMON, **options})
    whole = run()
    path = tmp_path / "course.safetensors"
    for last in (3, 4, 11, 16):  # in the middle of a pass, after one, at and off an evaluation
        with pytest.raises(Stopped):
            run(checkpoint=path, checkpoint_every=2, callback=stop_at(last))
        assert load_arrays(path)["learner.n_batches"] == (last + 1) // 2 * 2
    assert_same(run(checkpoint=path, checkpoint_every=7), whole)
    assert_same(run(checkpoint=path), whole)  # nothing is left to do


@pytest.mark.parametrize("name", LEARNERS)
def test_warm_codes_are_kept_between_batches(tmp_path, name):
    run = partial(LEARNERS[name], X, 12, CEL0(0.05), rng=3, warm_start=True, batch_size=40)
    whole = run(n_batches=14)
    with pytest.raises(Stopped):
        run(n_batches=14, checkpoint=tmp_path / "c.safetensors", checkpoint_every=1,
            callback=stop_at(7))  # fmt: skip
    assert_same(run(n_batches=14, checkpoint=tmp_path / "c.safetensors"), whole)


def test_a_finished_run_can_be_lengthened(tmp_path):
    run = partial(online, X[:200], 12, L1(0.1), rng=3, checkpoint=tmp_path / "c.safetensors")
    run(**{**COMMON, "n_batches": 7})
    assert_same(run(**COMMON), online(X[:200], 12, L1(0.1), rng=3, **COMMON))
    with pytest.raises(ValueError, match=r"n_batches must be at least 18, .* got 17"):
        run(**{**COMMON, "n_batches": 17})


def test_streams_are_wound_forward(tmp_path):
    path = tmp_path / "c.safetensors"
    batches = X[:200].reshape(10, 20, 10)
    whole = online(iter(batches), 12, L1(0.1), rng=3)
    with pytest.raises(Stopped):
        online(iter(batches), 12, L1(0.1), rng=3, checkpoint=path, checkpoint_every=3,
               callback=stop_at(7))  # fmt: skip
    with pytest.raises(ValueError, match="at least n_batches = 6 batches; got 4"):
        online(iter(batches[:4]), 12, L1(0.1), rng=3, checkpoint=path)
    assert_same(online(iter(batches), 12, L1(0.1), rng=3, checkpoint=path), whole)


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_generator_goes_on_where_it_stood(tmp_path, kind):
    def run(**options):
        rng = np.random.Generator(kind(5))
        online(X, 12, L1(0.1), rng=rng, batch_size=40, n_batches=14, **options)
        return rng.integers(2**60)

    drawn_after = run()
    with pytest.raises(Stopped):
        run(checkpoint=tmp_path / "c.safetensors", checkpoint_every=1, callback=stop_at(6))
    assert run(checkpoint=tmp_path / "c.safetensors") == drawn_after


def test_stopping_early_is_remembered(tmp_path):
    def run(**options):
        return online(
            X[:200], 12, L1(0.1), rng=3, batch_size=40, n_batches=400, held_out=X[200:],
            held_out_every=1, patience=2, n_threads=1, **options,
        )  # fmt: skip

    first = run(checkpoint=tmp_path / "c.safetensors")
    assert first.stopped_early
    assert first.n_batches < 400
    assert_same(run(checkpoint=tmp_path / "c.safetensors"), first)


# A process killed


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="only POSIX kills so")
@pytest.mark.parametrize("name", ["ksvd", "online"])
def test_a_killed_process_is_resumed_to_the_same_bits(tmp_path, name):
    path = tmp_path / "course.safetensors"
    here = Path(__file__).parent
    search = os.pathsep.join([str(here.parent.parent), str(here)])
    with subprocess.Popen(
        [sys.executable, str(here / "interrupted.py"), name, str(path)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": search},
    ) as process:  # fmt: skip
        for line in process.stdout:
            if int(line) >= 12:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert 13 <= load_arrays(path)["learner.n_batches"] < 40
    assert_same(learn(name, path), learn(name, None))


# Other files


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"penalty": L1(0.2)}, r"penalty = L1\(alpha=0.1, .* in the file, L1\(alpha=0.2, .* here"),
        ({"penalty": CEL0(0.1)}, "penalty = L1.* in the file, CEL0"),
        ({"dictionary": 11}, "dictionary = 12 in the file, 11 here"),
        ({"dictionary": np.eye(10)}, r"dictionary = 12 in the file, array float64 \(10, 10\)"),
        ({"batches": X[:199].astype(np.float32)}, r"samples = array float64 .* float32 \(199, 10"),
        ({"forgetting": 3.0}, r"learner = OnlineRule\(forgetting=2, .*\(forgetting=3,"),
        ({"solver": ista}, "solver = sparsecode.solvers.encode.encode in the file, .*ista"),
        (
            {"solver": partial(cd, tol=1e-3)},
            r"encode.encode in the file, .*cd.cd\(tol=0.001\) here",
        ),
        ({"rng": 4}, "rng = state .* in the file"),
        ({"batch_size": 41, "dead_after": 3}, "dead_after = 50 .*; batch_size = 40 .*, 41 here"),
        ({"constraint": "mean_free"}, "constraint = None in the file, 'mean_free' here"),
        ({"held_out": X[200:]}, "held_out = None in the file, array"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_another_configuration_is_named(tmp_path, changes, said):
    path = tmp_path / "c.safetensors"
    arguments = {"batches": X[:200], "dictionary": 12, "penalty": L1(0.1), "rng": 3}
    arguments |= {"batch_size": 40, "checkpoint": path}
    online(**arguments)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=f"^c.safetensors must .* same configuration; got .*{said}"
    ):
        online(**{**arguments, **changes})
    assert path.read_bytes() == before


def test_what_does_not_change_the_atoms_may_differ(tmp_path):
    path = tmp_path / "c.safetensors"
    online(X, 12, L1(0.1), rng=3, batch_size=40, checkpoint=path)
    resumed = online(
        X.copy(), 12, L1(0.1), solver=encode, rng=np.random.default_rng(3), batch_size=40,
        checkpoint=path, n_batches=8, checkpoint_every=3, n_threads=1, callback=print,
    )  # fmt: skip
    assert_same(resumed, online(X, 12, L1(0.1), rng=3, batch_size=40, n_batches=8))


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_refused(tmp_path, harm):
    path = tmp_path / "c.safetensors"
    online(X, 12, L1(0.1), rng=3, checkpoint=path)
    data = bytearray(path.read_bytes())
    if harm == "flipped":
        data[-5] ^= 1
    path.write_bytes(data[: {"cut": len(data) // 2, "flipped": len(data), "empty": 0}[harm]])
    with pytest.raises(ValueError, match=r"^c\.safetensors must be an intact \.safetensors file"):
        online(X, 12, L1(0.1), rng=3, checkpoint=path)


def test_other_arrays_are_no_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    save_arrays(path, {"atoms": np.eye(3)})
    with pytest.raises(ValueError, match="must be a learning checkpoint; got other arrays"):
        online(X, 12, L1(0.1), checkpoint=path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "c.safetensors"
    run = partial(online, X, 12, L1(0.1), rng=3, batch_size=40)
    whole = run(n_batches=10)
    run(n_batches=4, checkpoint=path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r"^c\.safetensors could not be written, .* too large"):
            run(n_batches=10, checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c.safetensors"]
    assert_same(run(n_batches=10, checkpoint=path), whole)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"checkpoint": "c.npz"}, "checkpoint must be a .safetensors file; got c.npz"),
        ({"checkpoint": "none/c.safetensors"}, "folder that exists; .*none does not. Make it"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1; got 0"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(tmp_path, monkeypatch, changes, said):
    monkeypatch.chdir(tmp_path)
    stream = iter([X])
    with pytest.raises(ValueError, match=said):
        online(stream, 12, L1(0.1), **changes)
    assert next(stream) is X


# Fingerprints


def test_values_are_described_alike_in_every_process():
    assert describe(np.arange(3)) == describe(np.arange(3)) != describe(np.arange(3.0))
    assert describe(np.zeros((2, 3))) != describe(np.zeros((3, 2)))
    assert describe(partial(omp, n_nonzero=3)) == "sparsecode.solvers.pursuit.omp(n_nonzero=3)"
    assert describe(L1(0.1, weights=np.ones(2))) != describe(L1(0.1, weights=np.zeros(2)))
    assert describe(np.random.default_rng(1)) == describe(np.random.default_rng(1))
    assert describe(np.float64(0.1)) == describe(0.1) != describe(0.1000001)
    assert describe(L1(1)) == describe(L1(np.float32(1.0))) == describe(L1(1.0)) != describe(1)
    assert describe(True) != describe(1)


def test_a_solver_that_is_an_object_is_known_by_its_class(tmp_path):
    class Coder:
        def __call__(self, X, dictionary, penalty):
            return cd(X, dictionary, penalty)

    path = tmp_path / "c.safetensors"
    first = online(X, 12, L1(0.1), solver=Coder(), rng=3, checkpoint=path)
    assert_same(online(X, 12, L1(0.1), solver=Coder(), rng=3, checkpoint=path), first)


def test_bad_types_get_one_sentence():
    with pytest.raises(TypeError, match="callback must be callable or None; got 3"):
        online(X, 12, L1(0.1), callback=3)
    with pytest.raises(TypeError, match="checkpoint must be a path or None; got 3"):
        online(X, 12, L1(0.1), checkpoint=3)
