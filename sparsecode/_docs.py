"""Words that several docstrings share, written once."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["sharing"]

F = TypeVar("F", bound=Callable)


def sharing(shared: Mapping[str, str]) -> Callable[[F], F]:
    """Return a decorator that replaces each line ``<name>`` of a docstring by the shared words."""

    def fill(function: F) -> F:
        def words(line: re.Match) -> str:
            return textwrap.indent(textwrap.dedent(shared[line[2]]).strip(), line[1])

        function.__doc__ = re.sub(r"^( *)<(\w+)>$", words, function.__doc__ or "", flags=re.M)
        return function

    return fill
