"""Shards: the same codes whoever makes them, and every fault with a defined end."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode.core._locks import hold_lock
from sparsecode.penalties import L1
from sparsecode.scale import ShardError, StoredCodes, encode_shards, encoding
from sparsecode.scale.manifest import read_manifest
from sparsecode.solvers import feature_sign, omp

OMP = {"solver": "omp", "n_nonzero": 2, "shard_rows": 50}


@pytest.fixture(scope="module")
def cluster():
    """Give a client that is not the package's own: two worker processes."""
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made,
        Client(made) as client,
    ):
        yield client


class TestCodes:
    def test_they_are_the_solvers(self, X, atoms, rows, tmp_path):
        run = encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        whole = omp(X.astype(np.float32), atoms, n_nonzero=2).code
        assert (run.n_encoded, run.n_skipped, run.n_unconverged) == (5, 0, 0)
        assert run.codes.shape == whole.shape
        assert run.codes.dtype == np.float32
        assert run.codes.certificate <= 1e-4
        assert run.codes.certificate_name == "support residual"
        for some in (slice(None), slice(30, 171), slice(50, 100), slice(7, 7), slice(-3, None)):
            part = run.codes[some]
            np.testing.assert_array_equal(part.to_dense(), whole[some].to_dense())
        assert [len(code) for code in run.codes] == [50, 50, 50, 50, 30]
        assert run.codes.density == whole.density
        assert repr(run.codes).startswith("<StoredCodes 230 x 12, 16.7 % active, float32, in 5")

    def test_a_penalty_has_certificates_and_one_warning(self, X, atoms, tmp_path):
        with pytest.warns(ConvergenceWarning, match="of 230 rows did not converge") as said:
            run = encode_shards(
                X, atoms, tmp_path / "a", penalty=L1(0.05), shard_rows=40, max_iter=1
            )
        assert len(said) == 1
        exact = feature_sign(X, atoms, L1(0.05))
        run = encode_shards(X, atoms, tmp_path / "b", penalty=L1(0.05), shard_rows=40)
        np.testing.assert_allclose(run.codes[:].to_dense(), exact.code.to_dense(), atol=1e-5)
        assert run.codes.certificate <= 1e-6
        assert run.codes.certificate_name == "duality gap"

    def test_anybody_gives_the_same_bytes(self, atoms, rows, tmp_path, files, cluster):
        for name, how in (("a", {}), ("b", {"n_workers": 2}), ("c", {"client": cluster})):
            encode_shards(rows, atoms, tmp_path / name, **OMP, **how)
        assert files(tmp_path / "a") == files(tmp_path / "b") == files(tmp_path / "c")
        assert len(files(tmp_path / "a")) == 5

    def test_draws_depend_on_the_shard_alone(self, X, atoms, tmp_path, files):
        def drawing(X, dictionary, *, rng, n_threads=None):
            return omp(X, dictionary, n_nonzero=int(rng.integers(1, 5)))

        for name, how in (("a", {}), ("b", {"n_workers": 2}), ("c", {"seed": 1})):
            encode_shards(X, atoms, tmp_path / name, solver=drawing, shard_rows=50, **how)
        assert files(tmp_path / "a") == files(tmp_path / "b")
        assert files(tmp_path / "a") != files(tmp_path / "c")

    def test_what_is_done_is_skipped(self, atoms, rows, tmp_path):
        encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        for verify in (False, True):
            run = encode_shards(rows, atoms, tmp_path / "codes", **OMP, verify=verify)
            assert (run.n_encoded, run.n_skipped) == (0, 5)
        with pytest.raises(ValueError, match="must be empty unless resume is asked for"):
            encode_shards(rows, atoms, tmp_path / "codes", **OMP, resume=False)


#: Kills the process at the third shard, at one of the stages that a shard goes through.
KILLED = textwrap.dedent(
    """
    import os, signal, sys
    import numpy as np
    from sparsecode.core import io
    from sparsecode.scale import encode_shards, encoding, manifest

    def third(function, before=None):
        calls = iter(range(1, 100))
        def wrapped(*args, **options):
            if next(calls) == 3:
                if before is not None:
                    before(*args)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)
        return wrapped

    def torn(self, line):
        with open(self.path, "ab") as file:
            file.write(b'{"shard": 1, "start": 5')
            file.flush()

    rows, atoms, out = sys.argv[1:]
    for stage in ("before", "temporary", "renamed", "torn"):
        if os.fork() == 0:
            if stage == "before":
                encoding.save_code = third(encoding.save_code)
            elif stage == "temporary":
                io.os.replace = third(os.replace)
            elif stage == "renamed":
                encoding.sha256 = third(encoding.sha256)
            else:
                manifest.Manifest._write = third(manifest.Manifest._write, torn)
            encode_shards(
                rows, np.load(atoms), f"{out}/{stage}", solver="omp", n_nonzero=2, shard_rows=50
            )
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL, stage
    """
)


class TestFaults:
    def test_a_client_killed_at_any_stage_goes_on_to_the_same_bytes(
        self, atoms, rows, tmp_path, files
    ):
        np.save(tmp_path / "atoms.npy", atoms)
        subprocess.run(
            [sys.executable, "-c", KILLED, rows, tmp_path / "atoms.npy", tmp_path], check=True
        )
        encode_shards(rows, atoms, tmp_path / "whole", **OMP)
        left = {"before": 3, "temporary": 3, "renamed": 3, "torn": 4}  # the header is a line, too
        for stage, n_left in left.items():
            with pytest.raises(ValueError, match="are not done"):
                StoredCodes(tmp_path / stage)
            begun = list((tmp_path / stage).glob(".*.tmp*"))
            assert len(begun) == (stage == "temporary")
            run = encode_shards(rows, atoms, tmp_path / stage, **OMP)
            assert (run.n_encoded, run.n_skipped) == (n_left, 5 - n_left), stage
            assert files(tmp_path / stage) == files(tmp_path / "whole")
            assert not list((tmp_path / stage).glob(".*.tmp*"))

    @pytest.mark.filterwarnings("ignore:A worker stopped while some jobs:UserWarning")
    @pytest.mark.parametrize("where", ["processes", "cluster"])
    def test_a_killed_worker_is_replaced(self, where, atoms, rows, tmp_path, files, cluster):
        flag = str(tmp_path / "killed")

        def dying(X, dictionary, *, n_threads=None):
            if len(X) == 30 and not os.path.exists(flag):  # the last shard, the first time
                open(flag, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return omp(X, dictionary, n_nonzero=2, n_threads=1)

        how = {"n_workers": 2} if where == "processes" else {"client": cluster}
        encode_shards(rows, atoms, tmp_path / "codes", solver=dying, shard_rows=50, **how)
        encode_shards(rows, atoms, tmp_path / "whole", **OMP)
        assert Path(flag).exists()
        assert files(tmp_path / "codes") == files(tmp_path / "whole")

    @pytest.mark.filterwarnings("ignore:A worker stopped while some jobs:UserWarning")
    def test_a_shard_that_kills_its_worker_does_not_lose_the_rest(self, atoms, rows, tmp_path):
        def deadly(X, dictionary, *, n_threads=None):
            if len(X) == 30:
                os.kill(os.getpid(), signal.SIGKILL)
            return omp(X, dictionary, n_nonzero=2, n_threads=1)

        with pytest.raises(ShardError, match=r"1 of 5 that failed, the first shard 4 .*killed"):
            encode_shards(
                rows, atoms, tmp_path / "codes", solver=deadly, shard_rows=50, n_workers=2
            )
        _, lines = read_manifest(tmp_path / "codes")
        assert sorted(i for i, line in lines.items() if "sha256" in line) == [0, 1, 2, 3]

    @pytest.mark.parametrize("n_workers", [1, 2])
    def test_a_bad_shard_does_not_lose_the_rest(self, n_workers, X, atoms, tmp_path, files):
        bad = X.copy()
        bad[120, 3] = np.nan
        np.save(tmp_path / "rows.npy", bad)
        with pytest.raises(ShardError, match=r"shard 2 \(rows 100 to 149\).* NaN") as raised:
            encode_shards(tmp_path / "rows.npy", atoms, tmp_path / "a", **OMP, n_workers=n_workers)
        assert list(raised.value.failed) == [2]
        np.save(tmp_path / "rows.npy", X)
        run = encode_shards(tmp_path / "rows.npy", atoms, tmp_path / "a", **OMP)
        assert (run.n_encoded, run.n_skipped) == (1, 4)
        encode_shards(X, atoms, tmp_path / "b", **OMP)
        assert files(tmp_path / "a") == files(tmp_path / "b")

    @pytest.mark.parametrize("what", ["shard", "manifest"])
    def test_a_full_disk_is_said_and_what_was_done_is_kept(
        self, what, atoms, rows, tmp_path, monkeypatch
    ):
        calls = iter(range(1, 100))
        save_code, fsync = encoding.save_code, os.fsync

        def fail_at_third():
            if next(calls) == 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def failing_save(path, code):
            fail_at_third()
            save_code(path, code)

        def failing_fsync(descriptor):
            if _is_manifest(descriptor):
                fail_at_third()
            fsync(descriptor)

        with monkeypatch.context() as patch:
            if what == "shard":
                patch.setattr(encoding, "save_code", failing_save)
            else:
                patch.setattr(os, "fsync", failing_fsync)
            with pytest.raises(OSError, match="Make room, and run again"):
                encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        run = encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        assert run.n_skipped == (2 if what == "shard" else 1)  # the header is a line, too
        assert not run.codes.verify()

    def test_a_corrupted_shard_is_found_by_its_hash(self, atoms, rows, tmp_path, files):
        run = encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        before = files(tmp_path / "codes")
        path = tmp_path / "codes" / "000002.safetensors"
        path.write_bytes(before[path.name][:-1] + b"\x55")
        assert run.codes.verify() == [2]
        with pytest.raises(ValueError, match=r"000002\.safetensors"):
            StoredCodes(tmp_path / "codes").shard(2)
        again = encode_shards(rows, atoms, tmp_path / "codes", **OMP, verify=True)
        assert (again.n_encoded, again.n_skipped) == (1, 4)
        path.write_bytes(b"cut short")
        assert encode_shards(rows, atoms, tmp_path / "codes", **OMP).n_encoded == 1
        assert files(tmp_path / "codes") == before

    def test_a_second_run_on_a_folder_is_refused(self, atoms, rows, tmp_path):
        (tmp_path / "codes").mkdir()
        with (
            hold_lock(tmp_path / "codes" / ".lock"),
            pytest.raises(ValueError, match="one run at a time; another one is at work"),
        ):
            encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        encode_shards(rows, atoms, tmp_path / "codes", **OMP)

    def test_a_damaged_manifest_is_refused(self, atoms, rows, tmp_path):
        encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        path = tmp_path / "codes" / "manifest.jsonl"
        lines = path.read_text().splitlines()
        stolen = json.loads(lines[3]) | {"file": "../rows.npy"}
        for i, text in ((2, lines[2][:40]), (3, json.dumps(stolen)), (1, "[]"), (0, "{}")):
            path.write_text("\n".join([*lines[:i], text, *lines[i + 1 :], ""]))
            for read in (
                lambda: StoredCodes(tmp_path / "codes"),
                lambda: encode_shards(rows, atoms, tmp_path / "codes", **OMP),
            ):
                with pytest.raises(ValueError, match=f"line {i + 1} is not one"):
                    read()


class TestRefusals:
    def test_another_run_is_refused_with_what_differs(self, X, atoms, rows, tmp_path):
        encode_shards(rows, atoms, tmp_path / "codes", **OMP)
        for change, said in (
            ({"n_nonzero": 3}, r"option n_nonzero = 2 there, 3 here"),
            ({"shard_rows": 60}, r"shard_rows = 50 there, 60 here"),
            ({"seed": 1}, r"seed = 0 there, 1 here"),
        ):
            with pytest.raises(ValueError, match=said):
                encode_shards(rows, atoms, tmp_path / "codes", **(OMP | change))
        with pytest.raises(ValueError, match="dictionary = array"):
            encode_shards(rows, 2 * atoms, tmp_path / "codes", **OMP)
        with pytest.raises(ValueError, match="source = float32"):
            encode_shards(X, atoms, tmp_path / "codes", **OMP)
        np.save(rows, X[::-1].astype(np.float32))
        for verify in (False, True):
            with pytest.raises(ValueError, match=r"shard 0 \(rows 0 to 49\) has others"):
                encode_shards(rows, atoms, tmp_path / "codes", **OMP, verify=verify)

    def test_a_folder_of_other_things_is_refused(self, atoms, rows, tmp_path):
        with pytest.raises(ValueError, match=r"must be empty or hold shards; got 'rows\.npy'"):
            encode_shards(rows, atoms, tmp_path, **OMP)
        with pytest.raises(ValueError, match=r"must hold manifest\.jsonl"):
            StoredCodes(tmp_path)

    @pytest.mark.parametrize(
        ("change", "error", "said"),
        [
            ({"shard_rows": 0}, ValueError, "shard_rows must be at least 1"),
            ({"n_workers": 0}, ValueError, "n_workers must be at least 1"),
            ({"seed": -1}, ValueError, "seed must be at least 0"),
            ({"solver": "nobody"}, ValueError, "solver must be"),
            ({"solver": 3}, TypeError, "solver must be a name or a callable"),
            ({"n_atoms": 3}, TypeError, "solver must take"),
            ({"penalty": "l1", "solver": "auto"}, ValueError, "needs alpha_ratio"),
            ({"client": object()}, TypeError, r"must be a dask\.distributed\.Client; got object"),
        ],
    )
    def test_arguments(self, change, error, said, X, atoms, tmp_path):
        with pytest.raises(error, match=said):
            encode_shards(X, atoms, tmp_path / "codes", **(OMP | change))
        assert not (tmp_path / "codes").exists()

    def test_shapes(self, X, atoms, tmp_path):
        with pytest.raises(ValueError, match=r"\(n_samples, 6\).*got \(230, 5\)"):
            encode_shards(X[:, :5], atoms, tmp_path / "codes", **OMP)
        codes = encode_shards(X, atoms, tmp_path / "codes", **OMP).codes
        with pytest.raises(TypeError, match="rows must be a slice without a step"):
            codes[3]
        with pytest.raises(IndexError, match="between 0 and 4; got 5"):
            codes.shard(5)


def _is_manifest(descriptor):
    """Say whether a file that is open is a manifest; it alone is of lines."""
    plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
    return plain and os.pread(descriptor, 30, 0).startswith(b'{"format": "sparsecode shards"')


class TestCommand:
    @pytest.fixture
    def command(self, atoms, rows, tmp_path, capsys):
        from sparsecode.cli import main

        np.save(tmp_path / "atoms.npy", atoms)

        def run(*more):
            files = (str(rows), "-d", str(tmp_path / "atoms.npy"), "-o", str(tmp_path / "codes"))
            status = main(["encode", *files, "--quiet", "--shard-size", "50", *more])
            return status, capsys.readouterr()

        return run

    def test_a_folder_is_encoded_on_workers_and_resumed(
        self, command, atoms, rows, tmp_path, files
    ):
        status, said = command("--n-nonzero", "2", "--workers", "2")
        assert status == 0
        assert "5 shards encoded, 0 done before; largest support residual" in said.out
        encode_shards(rows, atoms, tmp_path / "whole", **OMP)
        assert files(tmp_path / "codes") == files(tmp_path / "whole")
        status, said = command("--n-nonzero", "2")
        assert status == 2
        assert "must be empty unless resume is asked for" in said.err
        status, said = command("--n-nonzero", "2", "--resume")
        assert "0 shards encoded, 5 done before" in said.out
        assert command("--n-nonzero", "3", "--resume")[0] == 2

    def test_a_cluster_by_its_address(self, command, cluster, tmp_path):
        status, said = command("--density", "0.2", "--penalty", "l1", "--scheduler",
                               cluster.scheduler.address)  # fmt: skip
        assert (status, said.err) == (0, "")
        assert "duality gap" in said.out
        assert StoredCodes(tmp_path / "codes").density == pytest.approx(0.2, rel=0.3)
        assert cluster.status == "running"

    def test_a_shard_that_fails_is_one_sentence(self, command, X, rows):
        bad = X.astype(np.float32)
        bad[60] = np.nan
        np.save(rows, bad)
        status, said = command("--n-nonzero", "2")
        assert status == 2
        assert "shard 1 (rows 50 to 99)" in said.err

    def test_options_of_folders_need_one(self, rows, tmp_path, capsys):
        from sparsecode.cli import main

        given = ["encode", str(rows), "-d", str(rows), "-o", str(tmp_path / "codes.npz")]
        assert main([*given, "--workers", "2"]) == 2
        assert "--workers goes with a folder of shards" in capsys.readouterr().err
