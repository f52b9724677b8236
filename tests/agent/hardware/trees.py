"""Trees of files that look like a Pi's /sys and /proc."""

import errno
import os
from pathlib import Path

from pi_agent.hardware.real.sysfs import Sysfs

PI_4_GPIO = "proc/device-tree/soc/gpio@7e200000"
PI_5_GPIO = "proc/device-tree/axi/pcie@1000120000/rp1/gpio@d0000"


def write(root: Path, name: str, content: str | bytes) -> Path:
    """Make the file, and the folders on the way to it."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode("ascii"))
    return file


def cells(*numbers: int) -> bytes:
    """A device tree property of 32-bit numbers."""
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def pwm_overlay(root: Path, pins: tuple[int, ...], *, status: str = "okay", pi_5: bool = False) -> None:
    """What `dtoverlay=pwm` leaves in the device tree."""
    chip = PI_5_GPIO if pi_5 else PI_4_GPIO
    write(root, f"{chip}/phandle", cells(7))
    write(root, f"{chip}/pwm_pins/phandle", cells(99))
    if pi_5:
        write(root, f"{chip}/pwm_pins/pins", b"".join(b"gpio%d\0" % pin for pin in pins))
    else:
        write(root, f"{chip}/pwm_pins/brcm,pins", cells(*pins))
    node = f"{chip.rpartition('/')[0]}/{'pwm@98000' if pi_5 else 'pwm@7e20c000'}"
    write(root, f"{node}/pinctrl-0", cells(99))
    write(root, f"{node}/status", f"{status}\0")


class FakeSysfs(Sysfs):
    """A tree whose kernel answers: `fails` maps a file's name to an errno; an export makes a PWM channel."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fails: dict[str, int] = {}
        self.frozen = False
        self.lines: list[tuple[str, str]] = []

    def read(self, file: str) -> str:
        self._fail(file)
        return super().read(file)

    def write(self, file: str, value: str) -> None:
        self._fail(file)
        folder, _, name = file.rpartition("/")
        self.lines.append((name, value))
        if name == "export":
            for attribute, content in {"duty_cycle": "0", "period": "0", "enable": "0", "polarity": "normal"}.items():
                write(self.root, f"{folder}/pwm{value}/{attribute}", f"{content}\n")
        elif name == "unexport":
            for attribute in (self.root / folder / f"pwm{value}").iterdir():
                attribute.unlink()
            (self.root / folder / f"pwm{value}").rmdir()
        else:
            self._check_pwm(folder, name, value)
            if not self.frozen:
                super().write(file, f"{value}\n")

    def _check_pwm(self, folder: str, name: str, value: str) -> None:
        """What the kernel refuses."""
        period, duty = int(self.text(f"{folder}/period") or 0), int(self.text(f"{folder}/duty_cycle") or 0)
        wrong = {
            "duty_cycle": lambda: int(value) > period,
            "period": lambda: int(value) < duty,
            "polarity": lambda: self.text(f"{folder}/enable") == "1",
            "enable": lambda: value == "1" and period == 0,
        }
        if wrong.get(name, lambda: False)():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), name)

    def _fail(self, file: str) -> None:
        if code := self.fails.get(file.rpartition("/")[2]):
            raise OSError(code, os.strerror(code), file)


def pwm_tree(root: Path, device: str = "platform/soc/fe20c000.pwm", number: int = 0, files: int = 0) -> FakeSysfs:
    """A PWM chip at the device path, as its driver leaves it; `files` more chips come before it."""
    for other in range(files):
        write(root, f"sys/devices/platform/other{other}.pwm/pwm/pwmchip{number + other}/npwm", "1\n")
        _link_chip(root, f"platform/other{other}.pwm", number + other)
    write(root, f"sys/devices/{device}/pwm/pwmchip{number + files}/npwm", "2\n")
    _link_chip(root, device, number + files)
    return FakeSysfs(root)


def _link_chip(root: Path, device: str, number: int) -> None:
    chip = root / f"sys/devices/{device}/pwm/pwmchip{number}"
    (chip / "device").symlink_to(root / f"sys/devices/{device}")
    shown = root / "sys/class/pwm"
    shown.mkdir(parents=True, exist_ok=True)
    (shown / f"pwmchip{number}").symlink_to(chip)
