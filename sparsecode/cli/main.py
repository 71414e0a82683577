"""Arguments, help, and what becomes of errors."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from sparsecode._cache import use_hashed_numba_cache
from sparsecode.cli._pages import with_page

__all__ = ["main"]

_SOURCES = (
    "A folder of pictures or a picture; .npy, .npz or .safetensors with samples (2-D) or images "
    "(3-D); or the published file of Olshausen and Field, olshausen_field_1996.npz or IMAGES.mat."
)
_EXAMPLES = {
    "learn": """examples:
  sparsecode learn photographs/ --penalty cel0 --n-atoms 512 -o dictionary.safetensors
  sparsecode learn samples.npy --penalty l1 --alpha 0.1 --n-atoms 64 -o dictionary.safetensors
""",
    "encode": """examples:
  sparsecode encode samples.npy --dictionary dictionary.safetensors -o codes.npz
  sparsecode encode samples.npy --dictionary d.npy --penalty l1 --alpha 0.1 -o codes.safetensors
  sparsecode encode samples.npy -d d.npy --n-nonzero 8 --workers 4 -o codes/
  sparsecode encode samples.npy -d d.npy --n-nonzero 8 --scheduler tcp://host:8786 -o codes/
""",
    "inspect": """examples:
  sparsecode inspect dictionary.safetensors --plot atoms.png
  sparsecode inspect codes.npz
""",
    "warm-up": """examples:
  sparsecode warm-up
  sparsecode warm-up --all --quiet
""",
    "completion": """examples:
  source <(sparsecode completion bash)
  sparsecode completion zsh > ~/.zfunc/_sparsecode
  sparsecode completion fish > ~/.config/fish/completions/sparsecode.fish
""",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``sparsecode``; by default that of this process.

    Returns
    -------
    int
        0 when done, 2 after bad input or a failed read or write (one sentence on standard
        error), 130 when interrupted or terminated. Files are written whole or not at all.
    """
    given = build_parser().parse_args(arguments)
    os.environ.setdefault("MPLBACKEND", "agg")
    try:
        with warnings.catch_warnings(), _terminable(), _hushed(given):
            warnings.simplefilter("default")
            warnings.showwarning = _Said()
            use_hashed_numba_cache()  # before anything imports Numba
            import_module(f"sparsecode.cli.{given.command.replace('-', '_')}").run(given)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        print(f"sparsecode {given.command}: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        shards = given.command == "encode" and not given.output.suffix
        left = "--resume goes on from here" if shards else "no output was written"
        print(f"sparsecode {given.command}: interrupted; {left}.", file=sys.stderr)
        return 130
    return 0


@contextmanager
def _hushed(given: argparse.Namespace) -> Iterator[None]:
    """Keep still about kernels being compiled if asked to, or where it is the whole purpose."""
    logger = logging.getLogger("sparsecode")
    before = logger.level
    if given.command == "warm-up" or getattr(given, "quiet", False):
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the command as SIGINT does, so that temporary files are removed."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        name = Path(str(error.filename)).name if error.filename else "the output"
        return f"{name}: {error.strerror}."
    return with_page(str(error))


class _Said:
    """Print each warning once, as one line."""

    def __init__(self) -> None:
        self.messages: set[str] = set()

    def __call__(self, message: Any, *_: Any, **__: Any) -> None:
        if str(message) not in self.messages:
            self.messages.add(str(message))
            print(f"Warning: {with_page(str(message))}", file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="sparsecode",
        description="Learn dictionaries, encode with certificates, inspect the files.",
    )
    ours = sys.modules["sparsecode"].__version__
    parser.add_argument("--version", action="version", version=f"sparsecode {ours}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="learn|encode|inspect|warm-up|completion"
    )

    learn = _add(commands, "learn", "Learn a dictionary from pictures or samples.")
    _add_source(learn, 1024)
    learn.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="Dictionary to write: .safetensors or .npz.",
    )
    learn.add_argument("--n-atoms", type=int, default=256, metavar="N", help="default: 256")
    learn.add_argument(
        "--method",
        choices=("online", "gradient"),
        default="online",
        help="How atoms learn; default: online (Mairal et al. 2010).",
    )
    _add_penalty(learn, "cel0")
    learn.add_argument(
        "--constraint",
        choices=("positive", "mean_free"),
        help="What atoms of norm 1 must be besides.",
    )
    learn.add_argument(
        "--patch-size",
        type=int,
        default=16,
        metavar="PIXELS",
        help="Side of the patches drawn from images; default: 16.",
    )
    learn.add_argument(
        "--whiten",
        choices=("auto", "yes", "no"),
        default="auto",
        help="Whiten images; auto does so for pictures, not for arrays.",
    )
    learn.add_argument("--n-batches", type=int, default=500, metavar="N", help="default: 500")
    learn.add_argument("--batch-size", type=int, default=250, metavar="N", help="default: 250")
    learn.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE.safetensors",
        help="Kept while learning; the same command goes on from it.",
    )
    learn.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    _add_common(learn)

    encode = _add(commands, "encode", "Encode samples or pictures with a dictionary.")
    _add_source(encode, None)
    encode.add_argument(
        "-d",
        "--dictionary",
        type=Path,
        required=True,
        metavar="FILE",
        help="What `learn` wrote, or an array (n_atoms, n_features).",
    )
    encode.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE|FOLDER",
        help="Codes to write: .npz or .safetensors; or a folder, shard by shard, from a .npy file "
        "or a zarr array of any size.",
    )
    _add_penalty(encode, None)
    encode.add_argument(
        "--n-nonzero",
        type=int,
        metavar="K",
        help="Orthogonal matching pursuit with K atoms, not a penalty.",
    )
    encode.add_argument(
        "--tol",
        type=float,
        metavar="T",
        help="Largest certificate; default: 1e-6, or 1e-4 for float32.",
    )
    encode.add_argument(
        "--block-size",
        type=int,
        default=10_000,
        metavar="N",
        help="Samples held in memory at once; default: 10000.",
    )
    workers = encode.add_mutually_exclusive_group()
    workers.add_argument(
        "--workers", type=int, metavar="N", help="Processes that code shards; default: 1."
    )
    workers.add_argument(
        "--scheduler", metavar="ADDRESS", help="Of a dask cluster whose workers code the shards."
    )
    encode.add_argument(
        "--shard-size", type=int, metavar="N", help="Samples of a shard; default: 32 MiB of them."
    )
    encode.add_argument(
        "--resume", action="store_true", help="Go on in a folder that holds shards of this run."
    )
    _add_common(encode)

    inspect = _add(commands, "inspect", "Show what a file of atoms, codes or samples holds.")
    inspect.add_argument("source", type=Path, metavar="file", help="Any file of these commands.")
    _add_key(inspect)
    inspect.add_argument(
        "--plot", type=Path, metavar="PICTURE", help="Draw the atoms or codes: .png, .pdf or .svg."
    )

    warm_up = _add(
        commands, "warm-up", "Compile kernels ahead of their first use; they are kept on disk."
    )
    warm_up.add_argument(
        "--all",
        action="store_true",
        help="Every solver, penalty and learner, which takes minutes; by default the common ones.",
    )
    _add_quiet(warm_up)

    completion = _add(commands, "completion", "Print what lets a shell complete these commands.")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="Which shell.")
    return parser


def _add(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=what,
        epilog=_EXAMPLES[name],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_key(command: argparse.ArgumentParser) -> None:
    command.add_argument("--key", metavar="NAME", help="Which array, where a file holds several.")


def _add_source(command: argparse.ArgumentParser, max_side: int | None) -> None:
    command.add_argument("source", type=Path, help=_SOURCES)
    _add_key(command)
    command.add_argument(
        "--sha256", metavar="HEX", help="Checksum that IMAGES.mat must have; nobody published one."
    )
    command.add_argument(
        "--max-side",
        type=int,
        default=max_side,
        metavar="PIXELS",
        help="Larger pictures are averaged over blocks; default: "
        + (f"{max_side}." if max_side else "that of the dictionary, else 1024."),
    )


def _add_penalty(command: argparse.ArgumentParser, default: str | None) -> None:
    names = ("l1", "half", "l0", "cel0", "mcp", "scad", "log_sum", "elastic_net")
    stated = f"default: {default}" if default else "default: that of the dictionary"
    command.add_argument("--penalty", choices=names, default=default, help=stated)
    weight = command.add_mutually_exclusive_group()
    weight.add_argument("--alpha", type=float, metavar="A", help="Weight of the penalty.")
    weight.add_argument(
        "--density",
        type=float,
        metavar="P",
        help="Find the weight that activates this fraction of the atoms"
        + ("; default: 0.02." if default else "."),
    )


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--threads", type=int, metavar="N", help="default: all")
    _add_quiet(command)


def _add_quiet(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quiet", action="store_true", help="No progress.")
