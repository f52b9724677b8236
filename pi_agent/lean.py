"""Imports without what comes with them and is never used: for a Pi with little memory.

What is left out is left out during one import alone; others may load it before and afterwards.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """As if these modules were not installed, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]  # None: cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def standing_in(name: str, **attributes: Any) -> Iterator[None]:
    """A module with these attributes alone instead of the one of this name, unless that is loaded already."""
    if name in sys.modules:
        yield
        return
    module = ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
