"""Is this `sdr` ours? Another distribution of the same name may have overwritten it."""

from __future__ import annotations

import importlib
import sys

__all__ = ["require_own"]


def require_own(package: str) -> None:
    """Refuse a package that this distribution did not install.

    ``sdr`` and ``memory`` are short names: an unrelated distribution that installs the same one
    silently overwrites our ``__init__.py``. Whatever needs one of them asks here first.

    Parameters
    ----------
    package : str
        Name of a top-level package, ``"sdr"`` or ``"memory"``.

    Raises
    ------
    ImportError
        If the package that Python finds is not ours; the message names its file.
    """
    module = sys.modules.get(package) or importlib.import_module(package)
    if getattr(module, "__distribution__", None) != "sparsecode":
        found = getattr(module, "__file__", None) or list(getattr(module, "__path__", []))
        raise ImportError(
            f"The package {package!r} must be the one that sparsecode installs; Python found "
            f"{found}, which is not ours. Uninstall the distribution it belongs to, then run: "
            "pip install --force-reinstall --no-deps sparsecode",
            name=package,
        )
