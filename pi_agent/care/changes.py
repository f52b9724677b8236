"""Settings that were changed from afar, on trial until the agent has met the relay with them.

They lie over the settings file, in the state directory: the file itself belongs to the machine's owner and is read-only
for the service. A change that keeps the agent from starting, or from reaching the relay, is taken back by itself.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

log = logging.getLogger(__name__)

FILE_NAME = "settings-from-afar.json"
_STARTS = 2
"""A change that has been started with so often, and never met the relay, is taken back."""

Tree = dict[str, Any]


class Changes(Struct, frozen=True, kw_only=True):
    """What the file holds."""

    settings: Tree = {}
    before: Tree | None = None
    """What was there before a change that is on trial; null: nothing is on trial."""
    starts: int = 0
    """How often the agent has started with the change on trial."""
    undone: str = ""
    """Why the last change was taken back."""


class ChangesFile:
    """The file. Written whole, to the disk, under another name first."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    def read(self) -> Changes:
        """What it holds; nothing where there is none, or none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Changes)
        except FileNotFoundError:
            return Changes()
        except (OSError, msgspec.MsgspecError) as error:
            log.error("settings from afar cannot be read, they are left out: file=%s: %s", self._path, error)
            return Changes()

    def try_out(self, change: Mapping[str, Any]) -> Changes:
        """Put `change` on trial, over what was confirmed. Raises `OSError`."""
        known = self.read()
        confirmed = known.settings if known.before is None else known.before
        return self._write(Changes(settings=merged(confirmed, change), before=confirmed))

    def keep(self, change: Mapping[str, Any]) -> Changes:
        """Take `change` over without a trial: it was applied, and cannot keep the agent from its work."""
        known = self.read()
        return self._write(msgspec.structs.replace(known, settings=merged(known.settings, change), undone=""))

    def starting(self) -> Changes:
        """The agent starts: what it starts with. Takes back what has failed too often."""
        known = self.read()
        if known.before is None:
            return known
        if known.starts >= _STARTS:
            return self.undo("the agent did not meet the relay with it")
        return self._write(msgspec.structs.replace(known, starts=known.starts + 1))

    def confirm(self) -> None:
        """The agent has met the relay: what is on trial stays."""
        known = self.read()
        if known.before is not None:
            self._write(Changes(settings=known.settings))
            log.info("settings from afar are confirmed")

    def undo(self, why: str) -> Changes:
        """Take back what is on trial."""
        known = self.read()
        log.error("settings from afar are taken back: %s", why)
        return self._write(Changes(settings=known.before or {}, undone=why))

    def _write(self, changes: Changes) -> Changes:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(changes))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return changes


def merged(tree: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    """`tree` with `change` over it; a null takes a setting back to what it is without it."""
    result = dict(tree)
    for name, value in change.items():
        known = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            inner = merged(known if isinstance(known, Mapping) else {}, value)
            if inner:
                result[name] = inner
            else:
                result.pop(name, None)
        else:
            result[name] = value
    return result


def leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every setting of `tree` by its dotted name."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= leaves(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
