"""GPIO chips and their lines, asked of the kernel: nothing is claimed, and no library is needed.

Source: linux/gpio.h, the character device (GPIO_GET_CHIPINFO_IOCTL, GPIO_V2_GET_LINEINFO_IOCTL).
"""

import fcntl
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER_LABELS: Final = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""The chips that a Pi's header hangs on. Their numbers are not stable: on a Pi 5 it was 4, then 0, then 11 to 15."""

_CHIP_INFO: Final = struct.Struct("=32s32sI")
_GET_CHIP_INFO: Final = 0x8044B401
_LINE_INFO: Final = struct.Struct("=32s32sIIQ160s4I")
_GET_LINE_INFO: Final = 0xC100B405
_USED: Final = 1


@dataclass(frozen=True)
class Line:
    """One line of a chip. `consumer` is what its user calls itself; empty where it does not say, or nobody has it."""

    used: bool
    consumer: str


def _no_line(_offset: int) -> Line | None:
    return None


@dataclass(frozen=True)
class Chip:
    """One GPIO chip. `label` is None where this user may not open it; `line` is None for a line it has not."""

    path: Path
    label: str | None
    line: Callable[[int], Line | None] = _no_line

    @property
    def number(self) -> int:
        """Its number of today."""
        return int(self.path.name.removeprefix("gpiochip"))

    @property
    def is_header(self) -> bool:
        """True for the chip with the 40-pin header's lines."""
        return self.label in HEADER_LABELS


def read_chips(dev: Path = Path("/dev")) -> Sequence[Chip]:
    """The chips in `dev`, in the order of their numbers; a link to one is not one more."""
    paths = sorted(dev.glob("gpiochip*"), key=lambda path: (len(path.name), path.name))
    return [_chip(path) for path in paths if path.is_char_device() and not path.is_symlink()]


def _chip(path: Path) -> Chip:
    try:
        _, label, _ = _CHIP_INFO.unpack(_ask(path, _GET_CHIP_INFO, bytes(_CHIP_INFO.size)))
    except OSError:
        return Chip(path, None)

    def line(offset: int) -> Line | None:
        question = _LINE_INFO.pack(b"", b"", offset, 0, 0, b"", 0, 0, 0, 0)
        try:
            found = _LINE_INFO.unpack(_ask(path, _GET_LINE_INFO, question))
        except OSError:
            return None
        return Line(bool(found[4] & _USED), _text(found[1]))

    return Chip(path, _text(label), line)


def _ask(path: Path, request: int, argument: bytes) -> bytes:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(descriptor, request, argument)
    finally:
        os.close(descriptor)


def _text(padded: bytes) -> str:
    return padded.partition(b"\0")[0].decode("ascii", "replace")
