"""The installed command: what it writes, what it says, and what it leaves after an accident."""

import os
import re
import signal
import subprocess
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest

from sparsecode.cli import encode, main
from sparsecode.cli.main import build_parser
from sparsecode.cli.sources import read_source, tiles
from sparsecode.core.io import load_arrays, load_code, load_metadata, save_arrays, save_code
from sparsecode.datasets import ImageSet, load_images, whiten
from sparsecode.penalties import L1
from sparsecode.solvers import encode as encode_batch
from sparsecode.solvers import omp

LEARN = ["--penalty", "l1", "--n-atoms", "24", "--n-batches", "12", "--batch-size", "40", "--quiet"]


def run(*arguments):
    return main([str(argument) for argument in arguments])


# learn


@pytest.fixture(scope="module")
def learned(photographs, tmp_path_factory):
    path = tmp_path_factory.mktemp("learned") / "dictionary.safetensors"
    assert run("learn", photographs, *LEARN, "--patch-size", 6, "-o", path) == 0
    return path


def test_a_folder_of_photographs_becomes_a_dictionary(learned):
    atoms = load_arrays(learned)["dictionary"]
    assert atoms.shape == (24, 36)
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1.0, rtol=1e-5)
    notes = load_metadata(learned)
    assert notes["patch_shape"] == [6, 6]
    assert notes["whitened"] is True
    assert notes["penalty"] == "l1"
    assert notes["alpha"] > 0


def test_the_wanted_density_is_reached_on_the_dictionary(photographs, learned):
    patches = np.concatenate(list(tiles(whiten(load_images(photographs)), (6, 6))))
    notes = load_metadata(learned)
    density = encode_batch(
        patches, load_arrays(learned)["dictionary"], L1(notes["alpha"])
    ).code.density
    assert 0.01 < density < 0.04  # --density is 0.02, tuned on other patches


def test_the_same_command_learns_the_same_bits(photographs, learned, tmp_path):
    again = tmp_path / "again.npz"
    assert run("learn", photographs, *LEARN, "--patch-size", 6, "-o", again) == 0
    np.testing.assert_array_equal(
        load_arrays(again)["dictionary"], load_arrays(learned)["dictionary"]
    )
    other = tmp_path / "other.npz"
    assert run("learn", photographs, *LEARN, "--patch-size", 6, "--seed", 1, "-o", other) == 0
    assert np.any(load_arrays(other)["dictionary"] != load_arrays(learned)["dictionary"])


def test_samples_are_learned_from_without_whitening(samples, tmp_path):
    path = tmp_path / "d.npz"
    assert run("learn", samples, *LEARN, "--alpha", 0.5, "-o", path) == 0
    assert load_arrays(path)["dictionary"].shape == (24, 12)
    assert load_metadata(path)["alpha"] == 0.5
    assert "patch_shape" not in load_metadata(path)


def test_fewer_samples_than_atoms_are_allowed_and_said_once(tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(20, 12)))
    status = run("learn", tmp_path / "few.npy", *LEARN, "--density", 0.1, "-o", tmp_path / "d.npz")
    assert status == 0
    said = capsys.readouterr().err
    assert said.startswith("Warning: X has 20 samples, fewer than the 24 atoms")
    assert said.count("\n") == 1


def test_a_checkpoint_of_another_configuration_is_refused(samples, tmp_path, capsys):
    kept = ["--checkpoint", tmp_path / "kept.safetensors", "-o", tmp_path / "d.npz"]
    assert run("learn", samples, *LEARN, "--alpha", 0.5, *kept) == 0
    capsys.readouterr()
    assert run("learn", samples, *LEARN, "--alpha", 0.6, *kept) == 2
    said = capsys.readouterr().err
    assert re.search(r"kept\.safetensors must be a checkpoint of the same configuration", said)
    assert said.count("\n") == 1


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_bits(samples, tmp_path):
    script = (
        "import os, signal, sys\n"
        "from sparsecode.cli import main\n"
        "from sparsecode.core import _course\n"
        "save = _course.Checkpoint.save\n"
        "def killed(self, *given):\n"
        "    save(self, *given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "_course.Checkpoint.save = killed\n"
        "main(sys.argv[1:])\n"
    )
    command = ["learn", str(samples), *LEARN, "--alpha", "0.5"]
    kept = ["--checkpoint", str(tmp_path / "kept.safetensors")]
    first = subprocess.run(
        [sys.executable, "-c", script, *command, *kept, "-o", str(tmp_path / "d.npz")], check=False
    )
    assert first.returncode == -signal.SIGKILL
    assert not (tmp_path / "d.npz").exists()
    assert run(*command, *kept, "-o", tmp_path / "d.npz") == 0
    assert run(*command, "-o", tmp_path / "whole.npz") == 0
    np.testing.assert_array_equal(
        load_arrays(tmp_path / "d.npz")["dictionary"],
        load_arrays(tmp_path / "whole.npz")["dictionary"],
    )


# encode


@pytest.mark.parametrize("block_size", [7, 300, 10_000])
def test_codes_are_those_of_the_solver_whatever_the_blocks(samples, atoms, tmp_path, block_size):
    path = tmp_path / "codes.npz"
    status = run("encode", samples, "-d", atoms, "-o", path, "--block-size", block_size, "--quiet")
    assert status == 0
    expected = encode_batch(np.load(samples), load_arrays(atoms)["dictionary"], L1(0.7)).code
    code = load_code(path)
    np.testing.assert_array_equal(code.indptr, expected.indptr)
    np.testing.assert_allclose(code.to_dense(), expected.to_dense(), atol=1e-9)


def test_arguments_come_before_the_notes_of_the_dictionary(samples, atoms, tmp_path):
    path = tmp_path / "codes.safetensors"
    assert run("encode", samples, "-d", atoms, "-o", path, "--alpha", 1.5, "--quiet") == 0
    expected = encode_batch(np.load(samples), load_arrays(atoms)["dictionary"], L1(1.5)).code
    assert load_code(path).nnz == expected.nnz


def test_a_density_or_a_number_of_atoms_replaces_the_weight(samples, atoms, tmp_path, capsys):
    path = tmp_path / "codes.npz"
    assert run("encode", samples, "-d", atoms, "-o", path, "--density", 0.1, "--quiet") == 0
    assert abs(load_code(path).density - 0.1) < 0.01
    assert "activates 10 % of the atoms" in capsys.readouterr().out
    assert run("encode", samples, "-d", atoms, "-o", path, "--n-nonzero", 3, "--quiet") == 0
    expected = omp(np.load(samples), load_arrays(atoms)["dictionary"], n_nonzero=3).code
    np.testing.assert_array_equal(load_code(path).indices, expected.indices)


def test_photographs_are_encoded_as_the_dictionary_was_learned(photographs, learned, tmp_path):
    path = tmp_path / "codes.npz"
    assert run("encode", photographs, "-d", learned, "-o", path, "--quiet") == 0
    images = load_images(photographs)
    patches = np.concatenate(list(tiles(whiten(images), (6, 6))))
    assert load_code(path).n_samples == len(patches)
    assert sum((i.shape[0] // 6) * (i.shape[1] // 6) for i in images) == len(patches)
    alpha = load_metadata(learned)["alpha"]
    expected = encode_batch(patches, load_arrays(learned)["dictionary"], L1(alpha)).code
    np.testing.assert_allclose(load_code(path).to_dense(), expected.to_dense(), atol=1e-3)


def test_tiles_are_the_patches_of_the_grid_without_their_means():
    image = np.arange(35.0).reshape(5, 7)
    (patches,) = tiles(ImageSet(("a",), (image,), ("",)), (2, 3))
    expected = [image[r : r + 2, c : c + 3].ravel() for r in (0, 2) for c in (0, 3)]
    expected = [patch - patch.mean() for patch in expected]
    np.testing.assert_allclose(patches, expected)


def test_arrays_stay_on_disk(samples):
    given = build_parser().parse_args(["encode", str(samples), "-d", "d", "-o", "c"])
    assert isinstance(read_source(given), np.memmap)


def test_a_density_is_that_of_all_samples_whatever_the_blocks(samples, atoms, tmp_path):
    X = np.load(samples)
    np.save(tmp_path / "uneven.npy", np.concatenate([0.1 * X[:100], X[100:]]))
    densities = []
    for size in (1, 1000):
        given = ["--density", 0.1, "--block-size", size, "--quiet", "-o", tmp_path / "c.npz"]
        assert run("encode", tmp_path / "uneven.npy", "-d", atoms, *given) == 0
        densities.append(load_code(tmp_path / "c.npz").density)
    assert densities[0] == densities[1]
    assert abs(densities[0] - 0.1) < 0.01


def test_pictures_are_scaled_as_those_that_the_atoms_were_learned_from(
    photographs, learned, tmp_path
):
    """What lies beside a picture must not change its codes."""
    name = "1-L.png"
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / name).write_bytes((photographs / name).read_bytes())
    for folder in (photographs, tmp_path / "alone"):
        assert run("encode", folder, "-d", learned, "-o", tmp_path / "c.npz", "--quiet") == 0
        code = load_code(tmp_path / "c.npz")
        if folder == photographs:
            before = sum((i.shape[0] // 6) * (i.shape[1] // 6) for i in load_images(folder)[:1])
            expected = code[before : before + (48 // 6) * (60 // 6)]
    assert code == expected


def test_whitened_images_are_not_whitened_again(learned, tmp_path):
    images = np.random.default_rng(2).normal(size=(2, 24, 24))
    np.save(tmp_path / "images.npy", images)
    given = ["--alpha", 0.5, "--patch-size", 6]
    assert run("learn", tmp_path / "images.npy", *LEARN, *given, "-o", tmp_path / "d.npz") == 0
    assert load_metadata(tmp_path / "d.npz")["whitened"] is False
    assert "scale" not in load_metadata(tmp_path / "d.npz")
    assert load_metadata(learned)["scale"] > 0
    assert load_metadata(learned)["max_side"] == 1024


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "bool"])
def test_any_real_numbers_are_learned_from(dtype, tmp_path):
    values = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 100, (200, 6))
    np.save(tmp_path / "x.npy", values.astype(dtype))
    np.save(tmp_path / "f.npy", values.astype("float32" if dtype == "float32" else "float64"))
    for name in ("x", "f"):
        output = tmp_path / f"{name}.npz"
        assert run("learn", tmp_path / f"{name}.npy", *LEARN, "--density", 0.1, "-o", output) == 0
    np.testing.assert_array_equal(
        load_arrays(tmp_path / "x.npz")["dictionary"], load_arrays(tmp_path / "f.npz")["dictionary"]
    )


def test_more_batches_may_follow_a_checkpoint(samples, tmp_path):
    short = ["learn", samples, *LEARN, "--density", 0.1, "-o", tmp_path / "d.npz"]
    kept = ["--checkpoint", tmp_path / "kept.safetensors"]
    assert run(*short, *kept) == 0
    assert run(*short, *kept, "--n-batches", 20) == 0
    resumed = load_arrays(tmp_path / "d.npz")["dictionary"]
    assert run(*short, "--n-batches", 20) == 0
    np.testing.assert_array_equal(resumed, load_arrays(tmp_path / "d.npz")["dictionary"])


def test_warnings_are_one_line(samples, atoms, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        encode, "encode_batch", lambda X, **given: encode_batch(X, **given, max_iter=1)
    )
    status = run(
        "encode", samples, "-d", atoms, "-o", tmp_path / "c.npz", "--quiet", "--tol", 1e-12
    )
    assert status == 0
    said = capsys.readouterr()
    assert re.search(r"^Warning: \d+ of 300 samples did not converge", said.err)
    assert said.err.count("\n") == 1
    assert re.search(r"[1-9]\d* of 300 samples did not converge", said.out)


# inspect


def test_inspect_shows_atoms_codes_and_arrays(learned, samples, tmp_path, capsys):
    assert run("inspect", learned, "--plot", tmp_path / "atoms.png") == 0
    said = capsys.readouterr().out
    assert "24 atoms of 36 features" in said
    assert "coherence" in said
    assert "patch shape: [6, 6]" in said
    assert (tmp_path / "atoms.png").read_bytes().startswith(b"\x89PNG")

    code = encode_batch(np.load(samples), np.eye(12), L1(1.0)).code
    save_code(tmp_path / "codes.npz", code)
    assert run("inspect", tmp_path / "codes.npz", "--plot", tmp_path / "codes.svg") == 0
    said = capsys.readouterr().out
    assert repr(code) in said
    assert "hoyer" in said
    assert (tmp_path / "codes.svg").stat().st_size > 0

    assert run("inspect", samples) == 0
    assert "shape (300, 12)" in capsys.readouterr().out


# Bad input: exit status 2, one sentence, nothing written


def write_empty_folder(folder):
    (folder / "empty").mkdir()
    return ["learn", folder / "empty"]


def write_damaged_picture(folder):
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"\x89PNG nothing more")
    return ["learn", folder / "pictures"]


def write_several_arrays(folder):
    np.savez(folder / "two.npz", a=np.ones((3, 4)), b=np.ones((3, 4)))
    return ["learn", folder / "two.npz"]


def write_wrong_shape(folder):
    np.save(folder / "line.npy", np.ones(9))
    return ["learn", folder / "line.npy"]


def write_words(folder):
    np.save(folder / "words.npy", np.array(["a", "b"]))
    return ["learn", folder / "words.npy"]


def write_nan(folder):
    np.save(folder / "nan.npy", np.full((60, 4), np.nan))
    return ["learn", folder / "nan.npy", "--alpha", 0.1, "--n-atoms", 8]


def write_cut_short(folder):
    save_arrays(folder / "whole.safetensors", {"X": np.ones((30, 4))})
    (folder / "cut.safetensors").write_bytes((folder / "whole.safetensors").read_bytes()[:-9])
    (folder / "whole.safetensors").unlink()
    return ["learn", folder / "cut.safetensors"]


LEARNING_FAILS = {
    write_empty_folder: r"empty must hold pictures \(.*\); it holds none",
    write_damaged_picture: r"a\.png must be a picture that can be read",
    write_several_arrays: r"two\.npz holds several arrays; name one with --key: a, b",
    write_wrong_shape: r"line\.npy must hold samples .* got shape \(9,\)",
    write_words: r"words\.npy must hold real numbers; got dtype <U1",
    write_nan: r"finite",
    write_cut_short: r"cut\.safetensors must be an intact \.safetensors file",
}


@pytest.mark.parametrize("write", LEARNING_FAILS, ids=lambda write: write.__name__)
def test_learning_from_bad_files_fails_with_a_sentence(write, tmp_path, capsys):
    command = write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(*command, "--quiet", "-o", tmp_path / "d.npz") == 2
    said = capsys.readouterr().err
    assert re.search(LEARNING_FAILS[write], said)
    assert said.startswith("sparsecode learn: ")
    assert said.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-atoms", 0], r"--n-atoms must be at least 1; got 0"),
        (["--patch-size", 0], r"--patch-size must be at least 1; got 0"),
        (["--patch-size", 50], r"every image must hold a patch of 50 x 50 pixels; image '0-RGB"),
        (["--density", 1.5], r"density must"),
        (["--alpha", -1], r"alpha of cel0 must"),
        (["--n-batches", 0], r"--n-batches must"),
        (["--max-side", 0], r"max_side must"),
        (["--threads", 0], r"n_threads must"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else "",
)
def test_learning_with_bad_numbers_fails_with_a_sentence(
    options, message, photographs, tmp_path, capsys
):
    status = run("learn", photographs, *options, "--quiet", "-o", tmp_path / "d.npz")
    said = capsys.readouterr().err
    assert status == 2, said
    assert re.search(message, said)
    assert said.count("\n") == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["learn", "nowhere", "-o", "d.npz"], r"nowhere must be a file or a folder; there is none"),
        (["learn", "{samples}", "-o", "d.txt"], r"--output must end in \.safetensors or \.npz"),
        (["learn", "{samples}", "-o", "no/d.npz"], r"the folder of no/d\.npz must exist"),
        (["encode", "{samples}", "-d", "no.npy", "-o", "c.npz"], r"no\.npy must be a dictionary"),
        (["encode", "{samples}", "-d", "{samples}", "-o", "c.npz"], r"names no penalty"),
        (["encode", "{samples}", "-d", "{atoms}", "-o", "c.npz", "--penalty", "l0"],
         r"the penalty l0 needs a weight"),
        (["encode", "{samples}", "-d", "{atoms}", "-o", "c.npz", "--penalty", "l0",
          "--n-nonzero", "2"], r"--n-nonzero takes no penalty"),
        (["encode", "{samples}", "-d", "{learned}", "-o", "c.npz"],
         r"shape \(n_samples, 36\), the dictionary's n_features, .* got \(300, 12\)"),
        (["encode", "{photographs}", "-d", "{atoms}", "-o", "c.npz"],
         r"a dictionary of square patches"),
        (["encode", "{samples}", "-d", "{atoms}", "-o", "c.npz", "--block-size", "0"],
         r"--block-size must be at least 1"),
        (["learn", "{samples}", "-o", "d.npz", "--checkpoint", "c.npz"],
         r"--checkpoint must end in \.safetensors"),
        (["learn", "{samples}", "-o", "d.safetensors", "--checkpoint", "d.safetensors"],
         r"--checkpoint must be another file than --output"),
        (["inspect", "nowhere.npy"], r"nowhere\.npy must be a file"),
        (["inspect", "{atoms}", "--plot", "a.txt"], r"--plot must end in"),
        (["inspect", "{atoms}", "--plot", "no/a.png"], r"the folder of no/a\.png must exist"),
        (["inspect", "{photographs}/notes.txt"], r"notes\.txt must end in \.npy, "),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_commands_fail_with_a_sentence(
    command, message, samples, atoms, learned, photographs, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    files = {"samples": samples, "atoms": atoms, "learned": learned, "photographs": photographs}
    assert main([part.format(**files) for part in command]) == 2
    said = capsys.readouterr().err
    assert re.search(message, said)
    assert said.startswith(f"sparsecode {command[0]}: ")
    assert said.count("\n") == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [[4], "abc", [4.0, 5.0], [4, 5], [-4, -3], [True, 12]])
def test_a_patch_shape_that_makes_no_sense_is_refused(shape, photographs, tmp_path, capsys):
    atoms = np.random.default_rng(0).normal(size=(5, 12))
    notes = {"kind": "dictionary", "penalty": "l1", "alpha": 0.5, "patch_shape": shape}
    save_arrays(tmp_path / "d.npz", {"dictionary": atoms}, notes)
    assert run("encode", photographs, "-d", tmp_path / "d.npz", "-o", tmp_path / "c.npz") == 2
    said = capsys.readouterr().err
    assert re.search(r"d\.npz must note a patch_shape \[height, width\] of its 12 features", said)


def test_a_damaged_dictionary_is_refused(learned, tmp_path, capsys):
    content = bytearray(learned.read_bytes())
    content[-3] ^= 1
    (tmp_path / "d.safetensors").write_bytes(content)
    assert run("inspect", tmp_path / "d.safetensors") == 2
    assert "d.safetensors" in capsys.readouterr().err


# Accidents


def test_an_interruption_leaves_nothing(samples, atoms, tmp_path, capsys, monkeypatch):
    blocks = iter(range(2))

    def interrupted(X, **given):
        if next(blocks):
            raise KeyboardInterrupt
        return encode_batch(X, **given)

    monkeypatch.setattr(encode, "encode_batch", interrupted)
    path = tmp_path / "codes.npz"
    assert run("encode", samples, "-d", atoms, "-o", path, "--block-size", 50, "--quiet") == 130
    assert "interrupted; no output was written" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_terminated_encoder_leaves_nothing(samples, atoms, tmp_path):
    script = (
        "import os, signal, sys\n"
        "from sparsecode.core import io\n"
        "from sparsecode.cli import main\n"
        "def terminated(path, arrays):\n"
        "    path.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "io._write_npz = terminated\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = ["encode", str(samples), "-d", str(atoms), "-o", str(tmp_path / "c.npz"), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr == "sparsecode encode: interrupted; no output was written.\n"
    assert not any(tmp_path.iterdir())


def test_a_killed_encoder_leaves_nothing(samples, atoms, tmp_path):
    script = (
        "import os, signal, sys\n"
        "from sparsecode.cli import encode, main\n"
        "append = encode.Spool.append\n"
        "def killed(self, code):\n"
        "    append(self, code)\n"
        "    for file in self.files.values():\n"
        "        file.flush()\n"
        "    if len(self.counts) > 3:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "encode.Spool.append = killed\n"
        "main(sys.argv[1:])\n"
    )
    command = ["encode", str(samples), "-d", str(atoms), "-o", str(tmp_path / "c.npz")]
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--block-size", "50", "--quiet"], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="a limit on file sizes stands in for a full disk")
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("command", ["learn", "encode"])
def test_a_full_disk_leaves_the_old_file(command, suffix, samples, atoms, tmp_path):
    script = (
        "import resource, signal, sys\n"
        "from sparsecode.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    output = tmp_path / f"old{suffix}"
    output.write_bytes(b"precious")
    given = {
        "learn": ["learn", str(samples), *LEARN, "--alpha", "0.5"],
        "encode": ["encode", str(samples), "-d", str(atoms), "--quiet"],
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", script, *given, "-o", str(output)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "NUMBA_DISABLE_CACHING": "1"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert re.search(rf"^sparsecode {command}: .*File too large", done.stderr, flags=re.MULTILINE)
    assert done.stderr.count("\n") == 1
    assert output.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [output]


# Help


@pytest.mark.parametrize("command", ["learn", "encode", "inspect", "warm-up"])
def test_help_ends_with_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.split("examples:\n")[1].split("\n")
    examples = [line.split()[1:] for line in lines if line.strip()]
    assert len(examples) >= 1
    for example in examples:
        assert build_parser().parse_args(example).command == command


def test_nothing_and_nonsense_exit_with_2(capsys):
    for arguments in ([], ["dance"], ["learn"], ["learn", "x", "-o", "d.npz", "--n-atoms", "many"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_the_command_is_installed_by_its_name():
    (entry,) = [e for e in entry_points(group="console_scripts") if e.name == "sparsecode"]
    assert entry.value == "sparsecode.cli:main"
