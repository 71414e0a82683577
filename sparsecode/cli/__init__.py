"""The installed command ``sparsecode``: learn a dictionary, encode with it, inspect the files."""

from sparsecode.cli.main import main

__all__ = ["main"]
