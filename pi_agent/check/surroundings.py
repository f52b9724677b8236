"""What the checks look at: files under a root, and what only a running system can be asked. Tests bring their own."""

import grp
import importlib.metadata
import importlib.util
import os
import platform
import pwd
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pi_agent.hardware.real.chips import Chip, read_chips
from shared.clock import Clock, SystemClock


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _groups() -> frozenset[str]:
    names = set()
    for number in {*os.getgroups(), os.getegid()}:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _module(name: str) -> bool:
    # Not imported: lgpio makes a pipe in the working directory, RPi.GPIO fails on a machine that is no Pi.
    return importlib.util.find_spec(name) is not None


@dataclass(frozen=True)
class Surroundings:
    """One machine, as this process sees it."""

    root: Path = Path("/")
    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    user: str = field(default_factory=_user)
    groups: frozenset[str] = field(default_factory=_groups)
    machine: str = field(default_factory=platform.machine)
    bits: int = struct.calcsize("P") * 8
    """Of the programs, not of the kernel: a 64-bit kernel runs 32-bit systems too."""
    python: tuple[int, int] = sys.version_info[:2]
    version_of: Callable[[str], str | None] = _version
    """The version of an installed distribution, None where it is not there."""
    has_module: Callable[[str], bool] = _module
    chips: Callable[[Path], Sequence[Chip]] = read_chips
    """The GPIO chips of a /dev."""

    def text(self, path: str) -> str:
        """What a file under the root says, without the blanks and NULs around it; empty where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip(" \n\0")
        except OSError:
            return ""

    @property
    def model(self) -> str:
        """The board's name as its firmware gives it; empty on a PC."""
        return self.text("proc/device-tree/model")

    @property
    def is_pi(self) -> bool:
        """True on a Raspberry Pi."""
        return self.model.startswith("Raspberry Pi")

    @property
    def boot_config(self) -> str:
        """The firmware's configuration file, as people write it in a command."""
        return "/boot/config.txt" if not (self.root / "boot/firmware/config.txt").exists() else _BOOT_CONFIG


_BOOT_CONFIG = "/boot/firmware/config.txt"
