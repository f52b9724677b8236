"""Chips are asked of the kernel by its own structures; where there is a chip, also for real."""

import struct
from pathlib import Path
from typing import Any

import pytest

from pi_agent.check import chips


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev whose chips answer as linux/gpio.h says."""

    def ioctl(_descriptor: int, request: int, argument: bytes) -> bytes:
        if request == 0x8044B401:
            assert len(argument) == 68
            return struct.pack("=32s32sI", b"gpiochip0", b"pinctrl-rp1", 54)
        assert request == 0xC100B405
        assert len(argument) == 256
        (offset,) = struct.unpack_from("=I", argument, 64)
        if offset >= 54:
            raise OSError(22, "Invalid argument")
        used = offset == 18
        return struct.pack("=32s32sIIQ176x", b"GPIO18", b"fan" if used else b"", offset, 0, int(used))

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    monkeypatch.setattr(Path, "is_char_device", lambda self: True)
    (tmp_path / "gpiochip0").touch()
    return tmp_path


def test_label_and_lines_are_read(kernel: Path) -> None:
    (chip,) = chips.read_chips(kernel)
    assert chip.is_header
    assert chip.line(18) == chips.Line(used=True, consumer="fan")
    assert chip.line(4) == chips.Line(used=False, consumer="")
    assert chip.line(60) is None


def test_a_chip_that_may_not_be_opened_is_listed_without_a_label(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    (chip,) = chips.read_chips(kernel)
    assert chip.label is None
    assert not chip.is_header


def test_the_chips_of_this_machine_answer() -> None:
    found = [chip for chip in chips.read_chips(Path("/dev")) if chip.label is not None]
    if not found:
        pytest.skip("this machine has no GPIO chip that can be opened")
    assert all(chip.line(0) is not None for chip in found)
