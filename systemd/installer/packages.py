"""Python's packages: what must be there before, and what Debian has and the index has not."""

import importlib.util
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from place import Place
from system import Trouble, run, say

_SYSTEM_PYTHON = "/usr/bin/python3"
_HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")


def prepare(place: Place) -> None:
    """Check Python, and have what a virtual environment needs. Raises `Trouble` with the command that mends it."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        version = ".".join(map(str, sys.version_info[:2]))
        raise Trouble(f"this is Python {version}; 3.11 to 3.13 work: make PYTHON=python3.13 …")
    if place.live and _in_a_home(Path(sys.executable).resolve()):
        # The sandbox hides all homes: a service could not even start it.
        if _in_a_home(Path(_SYSTEM_PYTHON).resolve()) or not Path(_SYSTEM_PYTHON).exists():
            raise Trouble(f"{sys.executable} is in a home, where no service reaches it: make PYTHON=/usr/bin/python3 …")
        say(f"{sys.executable} is in a home, where no service reaches it: {_SYSTEM_PYTHON} is used")
        os.execv(_SYSTEM_PYTHON, [_SYSTEM_PYTHON, "-B", *sys.argv])  # noqa: S606 (this program again)
    # Debian's Python has venv without it, but not what fills one.
    if not _can_make_venv() and not (_apt(place, "python3-venv") and _can_make_venv()):
        raise Trouble("no virtual environment can be made: sudo apt-get install -y python3-venv, then try again")
    if place.service.name != "agent" or not _wants_debians_lgpio() or debian_has_lgpio():
        return
    if not (_apt(place, "python3-lgpio") and debian_has_lgpio()):
        say("warning: no lgpio for this Python, so pins cannot be driven: sudo apt-get install -y python3-lgpio")


def debian_has_lgpio() -> bool:
    """True where the system's own Python has the real lgpio, and the index has no wheel of it for this machine."""
    return _wants_debians_lgpio() and importlib.util.find_spec("_lgpio") is not None


def lines_for(lock: Path, *, leave_out_lgpio: bool) -> str:
    """The text of a lock for pip; without lgpio where Debian's is used, or there is no wheel of it for this Python."""
    text = lock.read_text(encoding="utf-8")
    if leave_out_lgpio or not _lgpio_has_wheel():
        text = re.sub(r"^lgpio==.*\n(?:[ \t].*\n)*", "", text, flags=re.MULTILINE)
    return text


def has_header() -> bool:
    """True where a GPIO chip of a Pi is here: a Pi, or a machine that has one simulated by its kernel."""
    import fcntl
    import struct

    for path in Path("/dev").glob("gpiochip*"):
        try:
            with path.open("rb") as chip:
                info = fcntl.ioctl(chip, 0x8044B401, bytes(68))  # GPIO_GET_CHIPINFO_IOCTL
        except OSError:
            continue
        if struct.unpack("=32s32sI", info)[1].partition(b"\0")[0].decode("ascii", "replace") in _HEADER_LABELS:
            return True
    return False


def is_pi() -> bool:
    """True on a Raspberry Pi."""
    try:
        return Path("/proc/device-tree/model").read_bytes().startswith(b"Raspberry Pi")
    except OSError:
        return False


def _in_a_home(python: Path) -> bool:
    return any(python.is_relative_to(home) for home in ("/home", "/root", "/run/user"))


def _can_make_venv() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


def _wants_debians_lgpio() -> bool:
    """True where pins are to be driven and pip has no lgpio for them: there it would take an empty stub."""
    return not _lgpio_has_wheel() and (is_pi() or has_header() or importlib.util.find_spec("_lgpio") is not None)


def _lgpio_has_wheel() -> bool:
    return platform.machine() == "aarch64" and sys.version_info[:2] == (3, 11)


def _apt(place: Place, package: str) -> bool:
    """Install a package of Debian's; False where that cannot be done here."""
    if not place.live or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"installing {package}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-y", "-qq", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
    command = ["apt-get", "install", *options, package]
    if not run(command, "", environ=environ, fails=False):
        run(["apt-get", "update", "-qq"], "", environ=environ, fails=False)
        if not run(command, "", environ=environ, fails=False):
            return False
    importlib.invalidate_caches()
    return True
