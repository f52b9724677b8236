"""The machine under the agent: board, system, Python, power, clock, disk."""

import os
from pathlib import Path

from pi_agent.check.findings import Finding, fail, ok, warn
from pi_agent.check.surroundings import Surroundings
from pi_agent.hardware.options import HardwareOptions, Mode

_OLDEST, _NEWEST = (3, 11), (3, 13)
_TIGHT_BYTES = 200 * 2**20
_FULL_BYTES = 20 * 2**20


def board(here: Surroundings, hardware: HardwareOptions) -> Finding:
    """Is it a Pi, where the settings speak of one?"""
    name = "machine"
    if here.is_pi or hardware.mode is not Mode.REAL:
        return ok(name, here.model or f"{here.machine}, no Raspberry Pi; parts are {hardware.mode}")
    return warn(
        name,
        f"no Raspberry Pi ({here.model or here.machine}): real parts need the GPIO lines of one",
        'to try without parts, set mode = "simulated" under [hardware]',
    )


def system(here: Surroundings) -> Finding:
    """Is it a 64-bit system?"""
    known = dict(line.partition("=")[::2] for line in here.text("etc/os-release").splitlines())
    pretty = known.get("PRETTY_NAME", "an unknown system").strip('"')
    if here.bits == 64:
        return ok("system", f"{pretty}, 64 bit")
    kernel = " on a 64-bit kernel" if here.machine == "aarch64" else ""
    return fail(
        "system",
        f"{pretty} is a 32-bit system{kernel}: half of the packages do not exist for it",
        "write the card anew with Raspberry Pi OS Lite (64-bit)",
    )


def python(here: Surroundings) -> Finding:
    """Is it a Python that the packages are locked for?"""
    version = ".".join(map(str, here.python))
    if _OLDEST <= here.python <= _NEWEST:
        return ok("python", version)
    return fail(
        "python", f"{version}; 3.11 to 3.13 work", "sudo make install-agent PYTHON=python3.13, with one of those"
    )


def power(here: Surroundings) -> Finding | None:
    """Is the supply strong enough? None on a machine that cannot tell."""
    from pi_agent.hardware.base import PartFailed
    from pi_agent.hardware.real.host import Host

    try:
        told = Host(here.root).read()
    except PartFailed:
        return None
    if "under_voltage" not in told:
        return None
    remedy = "use the supply that belongs to this Pi and a short cable, and unplug what draws from its USB ports"
    if told["under_voltage"]:
        return fail("power", "the voltage is too low right now: readings and the card are at risk", remedy)
    if told.get("throttled"):
        return warn("power", "the processor is slowed down now: too hot, or the voltage is too low", remedy)
    if told.get("under_voltage_seen"):
        return warn("power", "the voltage has been too low since the start", remedy)
    return ok("power", "the voltage has been fine since the start")


def clock(here: Surroundings) -> Finding:
    """Has somebody set the clock?"""
    if here.clock.synchronised():
        return ok("clock", "set by a time source")
    return warn(
        "clock",
        "nobody has set it yet; readings are taken all the same, and dated again when it is set",
        "sudo timedatectl set-ntp true; see timedatectl timesync-status",
    )


def disk(state: Path) -> Finding:
    """Is there room where the outbox is, and may it be written?"""
    name = "disk"
    there = next(path for path in (state, *state.parents) if path.exists())
    if there == state and not os.access(state, os.W_OK | os.X_OK):
        owner = "run this as the service does: sudo pi-agent check"
        return fail(name, f"{state} cannot be written by this user", owner)
    if not os.access(there, os.W_OK | os.X_OK):
        return fail(name, f"{state} does not exist and cannot be made", f"sudo install -d -o $USER {state}")
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    words = f"{free / 2**20:,.0f} MiB free for {state}"
    if found.f_flag & os.ST_RDONLY:
        return fail(name, f"{state} is mounted read-only: the card may be worn out", "sudo dmesg | grep -iE 'mmc|ext4'")
    if free < _FULL_BYTES:
        return fail(name, words, "sudo apt clean; sudo journalctl --vacuum-size=50M; df -h")
    if free < _TIGHT_BYTES:
        return warn(name, words, "sudo apt clean; sudo journalctl --vacuum-size=50M; df -h")
    return ok(name, words)
