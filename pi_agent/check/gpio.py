"""The way to the pins: groups, chips, libraries, and who holds what."""

from collections.abc import Iterator

from pi_agent.check.findings import Finding, fail, ok, warn
from pi_agent.check.surroundings import Surroundings
from pi_agent.check.wiring import driver_of, position_of, used_pins, where_set
from pi_agent.hardware.options import HardwareOptions, Mode, PinLibrary
from pi_agent.hardware.real import devicetree
from pi_agent.hardware.real.chips import Chip
from pi_agent.hardware.real.holders import programs
from pi_agent.hardware.real.sysfs import Sysfs
from pi_agent.settings import AgentSettings

_SERVICE = "breathlight-agent"
_LIBRARIES = ("lg", "gpiozero", "breathlight")
"""What the libraries of an agent call themselves as holders of a line."""
_KERNELS = ("iio", "pwm", "ds18b20", "pms5003")
"""Drivers of parts whose pin the kernel has: it is held when all is well."""


def groups(here: Surroundings) -> Finding:
    """May this user use the pins?"""
    known = {line.partition(":")[0] for line in here.text("etc/group").splitlines()}
    if "gpio" not in known:
        return warn(
            "groups", "this system has no group gpio: only root may use pins", "sudo make install-agent makes it"
        )
    if here.user == "root" or "gpio" in here.groups:
        others = [name for name in ("i2c", "spi", "dialout") if name in here.groups]
        return ok("groups", f"{here.user} is in gpio{''.join(f', {name}' for name in others)}")
    return fail(
        "groups",
        f"{here.user} is not in the group gpio",
        f"sudo usermod -aG gpio {here.user}, then log in again; or sudo pi-agent check, to look as {_SERVICE}",
    )


def header_chip(here: Surroundings) -> tuple[Finding, Chip | None]:
    """The chip with the header's lines, found by its label."""
    chips = here.chips(here.root / "dev")
    for chip in chips:
        if chip.is_header:
            return ok("chip", f"{chip.path.name} is {chip.label}"), chip
    found = ", ".join(f"{chip.path.name} ({chip.label or 'no access'})" for chip in chips) or "none at all"
    if any(chip.label is None for chip in chips):
        return fail("chip", f"no chip of a Pi can be opened; there are: {found}", "sudo pi-agent check"), None
    return (
        fail(
            "chip",
            f"no GPIO chip of a Raspberry Pi; there are: {found}",
            'on a Pi: sudo apt full-upgrade; else set mode = "simulated" under [hardware]',
        ),
        None,
    )


def library(here: Surroundings, hardware: HardwareOptions) -> Iterator[Finding]:
    """Is the library that drives the pins there, whole, and alone?"""
    legacy, drop_in = here.version_of("RPi.GPIO"), here.version_of("rpi-lgpio")
    if legacy and drop_in:
        yield fail(
            "RPi.GPIO",
            f"RPi.GPIO {legacy} and rpi-lgpio {drop_in} are both installed, under one import name",
            "sudo apt purge python3-rpi.gpio; /opt/breathlight/agent/current/bin/pip uninstall -y RPi.GPIO",
        )
    if hardware.pins is PinLibrary.RPIGPIO:
        yield _legacy(here, legacy or drop_in)
    elif hardware.pins is PinLibrary.LGPIO:
        yield _lgpio(here)


def _legacy(here: Surroundings, version: str | None) -> Finding:
    if version is None:
        return fail("library", "RPi.GPIO is not installed", "pip install 'breathlight[pi-legacy]'")
    if here.model.startswith("Raspberry Pi 5"):
        return fail("library", f"RPi.GPIO {version} cannot drive a Pi 5", 'set pins = "lgpio" under [hardware]')
    return ok("library", f"RPi.GPIO {version}")


def _lgpio(here: Surroundings) -> Finding:
    version = here.version_of("lgpio")
    remedy = "sudo apt install -y python3-lgpio && sudo make install-agent"
    if not here.has_module("lgpio"):
        return fail("library", "lgpio is not installed", remedy)
    if not here.has_module("_lgpio"):
        return fail("library", f"lgpio {version or ''} is an empty stub, without the library itself", remedy)
    return ok("library", f"lgpio {version or 'of the system'}")


def pins(here: Surroundings, settings: AgentSettings, chip: Chip) -> Iterator[Finding]:
    """Is every configured pin free, or held by the agent itself?"""
    agent = running_agent(here)
    for part, gpio in used_pins(settings):
        name = f"GPIO {gpio}"
        where = f"{part}, position {position_of(gpio)}"
        table = where_set(settings, part)
        line = chip.line(gpio)
        overlay = devicetree.holder(Sysfs(here.root), gpio)
        if line is None:
            yield fail(name, f"{where}: {chip.path.name} has no such line", f"set another gpio under [{table}]")
        elif not line.used and overlay is None:
            yield ok(name, f"{where}: free")
        elif driver_of(settings, part) in _KERNELS:
            yield ok(name, f"{where}: held by {overlay or line.consumer or 'the kernel'}, which drives it")
        elif not line.used:
            yield fail(name, f"{where}: held by {overlay}", _freeing(here, table, overlay or ""))
        elif agent and (not line.consumer or line.consumer.startswith(_LIBRARIES)):
            yield ok(name, f"{where}: held by the running agent (process {agent})")
        else:
            holder = overlay or line.consumer or "the kernel"
            who = programs(chip.path, Sysfs(here.root))
            yield fail(name, f"{where}: held by {holder}{f', {who}' if who else ''}", _freeing(here, table, holder))


def pins_matter(settings: AgentSettings) -> bool:
    """True where real pins are to be driven."""
    hardware = settings.hardware
    return hardware.mode is Mode.REAL and hardware.pins is not PinLibrary.MOCK and bool(used_pins(settings))


def _freeing(here: Surroundings, table: str, holder: str) -> str:
    if holder.startswith(("onewire", "w1", "1-Wire")):
        return f"remove dtoverlay=w1-gpio from {here.boot_config} and restart; or set another gpio under [{table}]"
    if holder.startswith(_LIBRARIES):
        return "end the other program that drives pins: ps ax | grep -i gpio"
    return f"free it (look for {holder} in {here.boot_config}), or set another gpio under [{table}]"


def running_agent(here: Surroundings) -> int | None:
    """The process that is `pi-agent run`, None where there is none."""
    for process in (here.root / "proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"run" in words and any(
            word.endswith((b"/pi-agent", b"pi_agent", b"pi_agent/__main__.py")) for word in words
        ):
            return int(process.name)
    return None
