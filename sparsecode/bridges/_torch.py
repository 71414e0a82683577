"""The one place that imports PyTorch, which is an extra."""

try:
    import torch
    from torch import nn
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "torch":
        raise
    raise ImportError(
        "torch must be installed to build, train or record networks; run "
        "`pip install 'sparsecode[torch]'`.",
        name="torch",
    ) from error

__all__ = ["nn", "torch"]
