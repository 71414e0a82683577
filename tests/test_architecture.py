"""Imports point one way, and a bare ``import sparsecode`` stays light."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sparsecode", "sdr", "memory", "experiments")

#: Parts of sparsecode; each may import itself, underscore modules and those before it.
CHAIN = (
    "core",
    "penalties",
    "solvers",
    "convolutional",
    "learning",
    "scale",
    "estimators",
)
MAY_IMPORT = {
    **{part: set(CHAIN[:rank]) for rank, part in enumerate(CHAIN)},
    "cli": {*CHAIN, "bridges", "datasets", "plotting"},
    "bridges": {"core", "penalties", "solvers"},
    "datasets": {"core"},
    "receptive_fields": {"core"},
    "plotting": {"core", "receptive_fields"},
}
#: Distribution names whose import name differs.
IMPORT_NAMES = {
    "faiss-cpu": "faiss",
    "imageio-ffmpeg": "imageio_ffmpeg",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "spams-bin": "spams",
    "torch-hd": "torchhd",
}
#: Core requirements that may only be imported where they are used, beside the extras.
LAZY = {"matplotlib"}


def sources(package: str, root: Path = ROOT) -> list[Path]:
    return sorted((root / package).rglob("*.py"))


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, root: Path = ROOT) -> Iterator[tuple[str, bool]]:
    """Yield each imported module's full name, and whether it is imported with the file."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    deferred = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    package = module_name(path, root)
    if path.name != "__init__.py":
        package = package.rpartition(".")[0]
    for node in ast.walk(tree):
        at_once = id(node) not in deferred
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, at_once
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            origin = ".".join([*above, node.module or ""] if node.level else [node.module or ""])
            for alias in node.names:  # `from package import module` imports the module
                inner = root.joinpath(*origin.strip(".").split("."), alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield f"{origin.strip('.')}.{alias.name}" if is_module else origin, at_once


def is_allowed(importer: str, imported: str) -> bool:
    """Say whether module `importer` may import module `imported`, both with their full names."""
    ours, theirs = importer.split("."), imported.split(".")
    if theirs[0] not in PACKAGES or ours[0] == "experiments":
        return True
    if theirs[0] == "experiments":
        return False
    if ours[0] == theirs[0] and ours[0] != "sparsecode":
        return True
    if theirs[0] != "sparsecode":  # sdr and memory are siblings, and sparsecode is below both
        return False
    if importer == "sparsecode":  # the curated names
        return True
    if len(theirs) == 1:
        return False
    part = theirs[1]
    if part.startswith("_"):
        return True
    if ours[0] != "sparsecode":
        return part == "core"
    if ours[1].startswith("_"):
        return False
    return part == ours[1] or part in MAY_IMPORT[ours[1]]


def violations(root: Path = ROOT) -> list[str]:
    return [
        f"{module_name(path, root)} imports {imported}"
        for package in PACKAGES
        for path in sources(package, root)
        for imported, _ in imports(path, root)
        if not is_allowed(module_name(path, root), imported)
    ]


def test_imports_point_one_way():
    assert violations() == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("sparsecode/core/code.py", "from sparsecode.solvers import cd"),
        ("sparsecode/core/code.py", "from sparsecode import penalties"),
        ("sparsecode/core/code.py", "from ..penalties import L1"),
        ("sparsecode/core/code.py", "import sparsecode"),
        ("sparsecode/_jit.py", "from sparsecode.core.code import SparseCode"),
        ("sparsecode/datasets/images.py", "from sparsecode.plotting import show"),
        ("sparsecode/solvers/cd.py", "def f():\n    import sparsecode.learning"),
        ("sdr/space.py", "from sparsecode.solvers import cd"),
        ("sdr/space.py", "import memory"),
        ("memory/willshaw.py", "from experiments import v1_penalties"),
    ],
)
def test_an_import_against_the_direction_is_found(tmp_path, path, line):
    for package in ("sparsecode/core", "sparsecode/penalties", "sparsecode/solvers", "sdr"):
        (tmp_path / package).mkdir(parents=True, exist_ok=True)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(line)
    assert len(violations(tmp_path)) == 1


def test_every_part_has_its_place():
    parts = {path.stem for path in (ROOT / "sparsecode").iterdir() if path.suffix != ".typed"}
    assert {part for part in parts if not part.startswith(("_", "."))} <= set(MAY_IMPORT)


def test_only_kernels_and_penalties_compile():
    for package in PACKAGES:
        for path in sources(package):
            modules = {imported for imported, at_once in imports(path) if at_once}
            compiles = path.name.endswith(("_jit.py", "_simd.py"))
            if compiles or "sparsecode.penalties" in module_name(path):
                continue
            assert not any(name.split(".")[0] == "numba" for name in modules), path
            text = path.read_text(encoding="utf8")
            if not path.name.endswith("_kernels.py"):
                assert not re.search(r"^@(parallel_)?jit\b", text, re.MULTILINE), path


def requirements(*options: str) -> set[str]:
    """Return the import names of the core requirements, or of extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    lines = [
        line
        for option in options
        for line in (
            setup["options"]["install_requires"]
            if option == "core"
            else setup["options.extras_require"][option]
        ).splitlines()
    ]
    names = {re.split(r"[<>=!~;\[ ]", line.strip())[0].lower() for line in lines}
    return {IMPORT_NAMES.get(name, name) for name in names if name and name[0] != "#"}


@pytest.mark.parametrize("package", ["sparsecode", "sdr", "memory"])
def test_only_core_requirements_are_imported_with_a_module(package):
    core = requirements("core") - LAZY
    extras = requirements("experiments", "torch", "dask", "video") | LAZY
    for path in sources(package):
        for imported, at_once in imports(path):
            name = imported.split(".")[0]
            if name in sys.stdlib_module_names or name in PACKAGES:
                continue
            if name == "torch" and path.match("sparsecode/bridges/_torch.py"):
                continue  # loaded with the names that need it, see `test_bridges_without_torch`
            assert name in (core if at_once else core | extras), (
                f"{path} imports {name}: a core requirement may be imported at the top, one of "
                "an extra inside a function, and a peer of the bench extra nowhere"
            )


def test_bare_import_is_light():
    listing = "import sys, sparsecode; print(*sorted(m.split('.')[0] for m in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert "sparsecode" in loaded
    heavy = {"matplotlib", "brian2", "torch", "dask", "zarr", "imageio", "experiments"}
    assert heavy.isdisjoint(loaded)


def test_bridges_without_torch():
    script = """
import sys

class Absent:  # SciPy takes a None in sys.modules for the module itself
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import sparsecode.bridges as bridges
for name in bridges.__all__:
    try:
        getattr(bridges, name)
    except ImportError as error:
        assert "pip install 'sparsecode[torch]'" in str(error), error
        assert name in bridges._NEED_TORCH, name
    else:
        assert name not in bridges._NEED_TORCH, name
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
