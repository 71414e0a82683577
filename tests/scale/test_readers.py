"""Rows of files, opened by whoever reads them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from sparsecode.bridges import ActivationStore
from sparsecode.core import RowReader
from sparsecode.scale import NpyRows, ZarrRows, open_rows


@pytest.mark.parametrize("how", ["path", "map", "array", "list", "zarr", "site"])
def test_every_source_reads_the_same(how, X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    sources = {"path": tmp_path / "rows.npy", "array": X, "list": X.tolist()}
    if how == "map":
        sources["map"] = np.load(tmp_path / "rows.npy", mmap_mode="r")
    elif how == "zarr":
        import zarr

        made = zarr.create_array(tmp_path / "rows.zarr", shape=X.shape, chunks=(64, 6), dtype="f8")
        made[:] = X
        sources["zarr"] = str(tmp_path / "rows.zarr")
    elif how == "site":
        with ActivationStore.create(tmp_path / "store", dtype="float64") as writer:
            writer.append("relu", X)
        sources["site"] = ActivationStore(tmp_path / "store")["relu"]
    rows = open_rows(sources[how])
    assert isinstance(rows, RowReader)
    assert (rows.shape, rows.dtype, len(rows)) == (X.shape, X.dtype, len(X))
    sent = pickle.loads(pickle.dumps(rows))
    np.testing.assert_array_equal(sent[17:93], X[17:93])
    if how in ("path", "map", "zarr"):
        assert isinstance(rows, ZarrRows if how == "zarr" else NpyRows)
        assert len(pickle.dumps(rows)) < 1000


def test_a_part_of_a_map_is_not_taken_for_the_file(X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for part in (mapped[5:], mapped[::-1], mapped[:, ::-1]):
        np.testing.assert_array_equal(open_rows(part)[0:9], part[0:9])


def test_what_holds_no_rows_is_refused(X, tmp_path):
    np.save(tmp_path / "flat.npy", X.ravel())
    np.save(tmp_path / "none.npy", X[:0])
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    np.save(tmp_path / "objects.npy", np.array([[None, 1]], object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "flat.npy").read_bytes()[:99])
    (tmp_path / "rows.csv").write_text("1,2\n")
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("flat.npy", r"got float64 of shape \(1380,\)"),
        ("none.npy", r"at least one row; got float64 of shape \(0, 6\)"),
        ("words.npy", "must hold real numbers"),
        ("objects.npy", "do not hold object"),
        ("cut.npy", r"must be an intact \.npy file"),
        ("rows.csv", r"must be a \.npy file or the folder of a zarr array; got rows\.csv"),
        ("empty", "must be a zarr array; got something else"),
    ):
        with pytest.raises(ValueError, match=said):
            open_rows(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        open_rows(tmp_path / "nothing.npy")
    with pytest.raises(TypeError, match="source must be a path, an array or a RowReader; got set"):
        open_rows({1})


def test_a_whole_store_is_no_rows(X, tmp_path):
    with ActivationStore.create(tmp_path / "store", dtype="float64") as writer:
        writer.append("relu", X)
    with pytest.raises(ValueError, match=r"ActivationStore\(path\)\[site\]"):
        open_rows(tmp_path / "store")
