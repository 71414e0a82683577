"""PyTorch on one thread: the tests share the cores already."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Let PyTorch compute on one thread in every test: the solvers' own limits undo it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
