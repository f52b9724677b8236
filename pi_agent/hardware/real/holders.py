"""Who has what we want: named in the message, so that somebody can free it."""

import os
from collections.abc import Callable
from pathlib import Path

from pi_agent.hardware.real import devicetree
from pi_agent.hardware.real.chips import Chip
from pi_agent.hardware.real.sysfs import Sysfs

Holder = Callable[[int], str | None]
"""Names who has a line of the header; None where nobody has it, as far as the kernel tells."""


def line_holder(chip: Chip | None, sysfs: Sysfs) -> Holder:
    """Ask the device tree, and `chip`: by what its user calls itself, and by the programs that have the chip open."""

    def holder(gpio: int) -> str | None:
        overlay = devicetree.holder(sysfs, gpio)
        line = chip.line(gpio) if chip else None
        if overlay or chip is None or line is None or not line.used:
            return overlay
        return f"{line.consumer or 'the kernel'}{_suffix(programs(chip.path, sysfs))}"

    return holder


def programs(device: Path, sysfs: Sysfs) -> str | None:
    """The other programs that have `device` open, as far as this user may see them: `python3 (process 812)`."""
    found = []
    for process in sysfs.find("proc/[0-9]*"):
        number = process.rpartition("/")[2]
        if number != str(os.getpid()) and _has_open(sysfs.root / process / "fd", device):
            found.append(f"{sysfs.text(f'{process}/comm') or 'a program'} (process {number})")
    return " and ".join(found) or None


def _has_open(descriptors: Path, device: Path) -> bool:
    wanted = str(device.resolve())
    try:
        with os.scandir(descriptors) as entries:
            return any(_link(entry.path) == wanted for entry in entries)
    except OSError:
        return False  # another user's, or it has just ended


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _suffix(programs: str | None) -> str:
    return f", {programs}" if programs else ""
