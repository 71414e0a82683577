"""Whatever is done to a file, its loader returns or says in one sentence what is wrong with it."""

import contextlib
import json
import os
import warnings

import pytest
from damage import altered_json, damaged, resealed
from loaders import LOADERS

from sparsecode.core import save_json

#: Damages of each kind to each file; a long search is asked for from outside.
N = int(os.environ.get("SPARSECODE_FUZZ", "10"))
FIRST = int(os.environ.get("SPARSECODE_FUZZ_FIRST", "0"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the file of a loader and its bytes, made once."""
    known = {}

    def make(name):
        if name not in known:
            folder = tmp_path_factory.mktemp("loader")
            path = LOADERS[name].make(folder)
            known[name] = path, path.read_bytes()
        return known[name]

    return make


def right_or_refused(loader, path, seed):
    """Load a damaged file: a result, or one sentence, as ValueError or OSError, that names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = loader.load(path)
        except (ValueError, OSError) as error:
            said = str(error)
        except BaseException as error:
            raise AssertionError(f"damage {seed}: {type(error).__name__}: {error}") from error
        else:
            if loader.use is not None:
                with contextlib.suppress(Exception):  # odd contents may be refused later
                    loader.use(loaded)
            return
    places = [path.parent.name, *(file.name for file in path.parent.rglob("*"))]
    assert path.name in said or any(place in said for place in places), f"damage {seed}: {said}"
    assert len(said) < 700, f"damage {seed}: {said}"
    assert "\n" not in said, f"damage {seed}: {said}"


@pytest.mark.parametrize("name", LOADERS)
def test_damaged_bytes(made, name):
    path, content = made(name)
    try:
        for seed in range(FIRST, FIRST + N):
            path.write_bytes(damaged(content, seed))
            right_or_refused(LOADERS[name], path, seed)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", [name for name in LOADERS if LOADERS[name].sealed])
def test_other_contents_with_a_fitting_checksum(made, name):
    path, content = made(name)
    try:
        for seed in range(FIRST, FIRST + N):
            path.write_bytes(content)
            resealed(path, seed)
            right_or_refused(LOADERS[name], path, seed)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [name for name in LOADERS if name.endswith(("config", "manifest", "resumed", "record"))],
)
def test_other_json(made, name):
    path, content = made(name)
    try:
        for seed in range(FIRST, FIRST + N):
            if path.suffix == ".jsonl":
                lines = altered_json([json.loads(line) for line in content.splitlines()], seed)
                lines = lines if isinstance(lines, list) else [lines]
                path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            else:
                save_json(path, altered_json(json.loads(content), seed))
            right_or_refused(LOADERS[name], path, seed)
    finally:
        path.write_bytes(content)
