"""Who holds a pin: the device tree, the kernel's lines, other programs."""

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pi_agent.hardware.real import chips, devicetree
from pi_agent.hardware.real.chips import Chip, Line, read_chips
from pi_agent.hardware.real.holders import line_holder, programs
from pi_agent.hardware.real.sysfs import Sysfs
from tests.agent.hardware.trees import PI_4_GPIO, cells, pwm_overlay, write


def chip_with(tmp_path, **lines):
    device = write(tmp_path, "dev/gpiochip0", "")
    return Chip(device, "pinctrl-bcm2711", lambda gpio: lines.get(f"gpio{gpio}", Line(used=False, consumer="")))


# The device tree


def one_wire(root, gpio, status=None):
    write(root, f"{PI_4_GPIO}/phandle", cells(7))
    write(root, f"proc/device-tree/onewire@{gpio:x}/gpios", cells(7, gpio, 0))
    write(root, f"proc/device-tree/onewire@{gpio:x}/compatible", "w1-gpio\0")
    if status:
        write(root, f"proc/device-tree/onewire@{gpio:x}/status", f"{status}\0")


def test_an_overlay_is_named_with_its_line(tmp_path):
    one_wire(tmp_path, 4)
    assert devicetree.holder(Sysfs(tmp_path), 4) == "1-Wire (dtoverlay=w1-gpio)"
    assert devicetree.holder(Sysfs(tmp_path), 5) is None


def test_an_overlay_that_is_off_holds_nothing(tmp_path):
    one_wire(tmp_path, 4, status="disabled")
    assert devicetree.holder(Sysfs(tmp_path), 4) is None


def test_a_line_of_another_chip_is_another_line(tmp_path):
    one_wire(tmp_path, 4)
    write(tmp_path, "proc/device-tree/leds/led-pwr/gpios", cells(12, 5, 1))  # the expander's
    write(tmp_path, "proc/device-tree/leds/led-act/gpios", cells(7, 16, 1))
    assert devicetree.holder(Sysfs(tmp_path), 5) is None
    assert devicetree.holder(Sysfs(tmp_path), 16) == "led-act of the device tree"


@pytest.mark.parametrize("pi_5", [False, True])
def test_a_pin_that_is_switched_to_pwm_is_held_by_it_though_no_line_is_used(tmp_path, pi_5):
    pwm_overlay(tmp_path, (18, 19), pi_5=pi_5)
    assert devicetree.holder(Sysfs(tmp_path), 19).startswith("pwm@")
    assert devicetree.holder(Sysfs(tmp_path), 12) is None
    assert devicetree.pwm_pins(Sysfs(tmp_path)) == {18, 19}


def test_a_bus_that_is_off_and_the_chips_own_defaults_hold_nothing(tmp_path):
    pwm_overlay(tmp_path, (18,), status="disabled")
    write(tmp_path, f"{PI_4_GPIO}/pinctrl-0", cells(99))
    assert devicetree.holder(Sysfs(tmp_path), 18) is None
    assert devicetree.pwm_pins(Sysfs(tmp_path)) == frozenset()


def test_a_machine_without_a_device_tree_names_nobody(tmp_path):
    assert devicetree.holder(Sysfs(tmp_path), 4) is None


# Lines and programs


def test_the_consumer_of_a_line_is_named_and_the_programs_at_the_chip(tmp_path):
    chip = chip_with(tmp_path, gpio18=Line(used=True, consumer="lg"), gpio4=Line(used=True, consumer=""))
    process = tmp_path / "proc/812"
    (process / "fd").mkdir(parents=True)
    (process / "fd/3").symlink_to(tmp_path / "dev/gpiochip0")
    write(tmp_path, "proc/812/comm", "python3\n")
    holder = line_holder(chip, Sysfs(tmp_path))
    assert holder(18) == "lg, python3 (process 812)"
    assert holder(4) == "the kernel, python3 (process 812)"
    assert holder(17) is None


def test_the_overlay_is_a_better_name_than_the_drivers(tmp_path):
    one_wire(tmp_path, 4)
    chip = chip_with(tmp_path, gpio4=Line(used=True, consumer="onewire@4"))
    assert line_holder(chip, Sysfs(tmp_path))(4) == "1-Wire (dtoverlay=w1-gpio)"


def test_we_ourselves_and_those_we_may_not_see_are_no_holders(tmp_path):
    device = write(tmp_path, "dev/ttyS0", "")
    (tmp_path / f"proc/{os.getpid()}/fd").mkdir(parents=True)
    (tmp_path / f"proc/{os.getpid()}/fd/3").symlink_to(device)
    (tmp_path / "proc/77").mkdir()
    assert programs(device, Sysfs(tmp_path)) is None


def test_a_program_of_ours_is_found_on_this_very_machine(tmp_path):
    file = write(tmp_path, "held", "")
    program = "import sys; held = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", program, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    assert f"(process {holder.pid})" in programs(file, Sysfs())
    holder.communicate()
    assert programs(file, Sysfs()) is None


# The kernel's own words


def kernel(monkeypatch, paths):
    """Answers to ioctl, in the layout of linux/gpio.h."""

    def ioctl(descriptor, request, argument):
        label, lines = paths[Path(f"/proc/self/fd/{descriptor}").readlink().name]
        if request == 0x8044B401:
            assert len(argument) == 68
            return struct.pack("=32s32sI", b"gpiochip", label, 54)
        assert request == 0xC100B405
        assert len(argument) == 256
        offset = int.from_bytes(argument[64:68], "little")
        if offset not in lines:
            raise OSError(22, "Invalid argument")
        flags, consumer = lines[offset]
        return argument[:32] + struct.pack("=32sIIQ", consumer, offset, 0, flags) + argument[80:]

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    monkeypatch.setattr(chips.Path, "is_char_device", lambda path: not path.name.endswith("9"))


def test_chips_and_lines_are_read_as_the_kernel_lays_them_out(tmp_path, monkeypatch):
    for number in (0, 2, 10, 9):
        write(tmp_path, f"gpiochip{number}", "")
    (tmp_path / "gpiochip4").symlink_to(tmp_path / "gpiochip0")
    held = {4: (0b1001, b"onewire@4"), 5: (0b100, b"")}
    kernel(monkeypatch, {"gpiochip0": (b"brcm", {}), "gpiochip2": (b"rpi", {}), "gpiochip10": (b"pinctrl-rp1", held)})
    found = read_chips(tmp_path)
    assert [(chip.number, chip.label, chip.is_header) for chip in found] == [
        (0, "brcm", False),
        (2, "rpi", False),
        (10, "pinctrl-rp1", True),
    ]
    assert found[2].line(4) == Line(used=True, consumer="onewire@4")
    assert found[2].line(5) == Line(used=False, consumer="")
    assert found[2].line(99) is None


def test_a_chip_that_may_not_be_opened_has_no_label(tmp_path, monkeypatch):
    write(tmp_path, "gpiochip0", "")
    kernel(monkeypatch, {})
    monkeypatch.setattr(chips.os, "open", lambda *args: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert read_chips(tmp_path) == [Chip(tmp_path / "gpiochip0", None)]
