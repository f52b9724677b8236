"""The machine itself, from /proc and /sys. Real in every mode."""

import os
from collections.abc import Mapping
from pathlib import Path

from pi_agent.hardware.base import PartFailed
from pi_agent.hardware.real.disk import Probe, disk_probes
from pi_agent.hardware.real.sysfs import Sysfs

_CPU_ZONES = ("cpu-thermal", "cpu_thermal", "x86_pkg_temp", "soc_thermal", "soc-thermal", "acpitz")
_CPU_SENSORS = ("cpu_thermal", "coretemp", "k10temp", "zenpower")

_UNDER_VOLTAGE = 1 << 0
_THROTTLED = 1 << 2
_UNDER_VOLTAGE_SEEN = 1 << 16
_THROTTLED_SEEN = 1 << 18


class Host:
    """Load, memory, disk and its wear, uptime and CPU temperature of this machine; on a Pi its firmware's power flags.

    `quantities` has what this machine can tell: a virtual machine has no temperature, a PC no power flags. `root` is
    where /proc and /sys are found, and the file system that `disk_used` is about.
    """

    min_interval_s: float = 0.0

    def __init__(self, root: Path = Path("/")) -> None:
        self.name = "host"
        self._probes = _probes(root)
        self._open = True
        self.quantities: tuple[str, ...] = tuple(self._measure())

    def read(self) -> Mapping[str, float]:
        """All of them, now. Raises `PartFailed` where a file that was there at the start is gone."""
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        reading = self._measure()
        if missing := [name for name in self.quantities if name not in reading]:
            raise PartFailed(f"{self.name}: {missing[0]} can no longer be read")
        return {name: reading[name] for name in self.quantities}

    def close(self) -> None:
        self._open = False

    def _measure(self) -> dict[str, float]:
        reading: dict[str, float] = {}
        for probe in self._probes:
            try:
                reading |= probe()
            except (OSError, ValueError, IndexError, KeyError, ZeroDivisionError):
                continue
        return reading


def _probes(root: Path) -> tuple[Probe, ...]:
    proc, sys = root / "proc", root / "sys"

    def cpu_load() -> dict[str, float]:
        return {"cpu_load": float(_words(proc / "loadavg")[0])}

    def memory_used() -> dict[str, float]:
        lines = (line.split() for line in (proc / "meminfo").read_text(encoding="ascii").splitlines())
        kib = {words[0]: int(words[1]) for words in lines}
        return {"memory_used": 100 * (1 - kib["MemAvailable:"] / kib["MemTotal:"])}

    def disk_used() -> dict[str, float]:
        disk = os.statvfs(root)
        used = disk.f_blocks - disk.f_bfree
        return {"disk_used": 100 * used / (used + disk.f_bavail)}

    def uptime() -> dict[str, float]:
        return {"uptime": float(_words(proc / "uptime")[0])}

    probes: list[Probe] = [cpu_load, memory_used, disk_used, uptime]
    if file := _cpu_temperature_file(sys):
        probes.append(lambda: {"cpu_temperature": int(_words(file)[0]) / 1000})
    if power := _power_probe(sys):
        probes.append(power)
    probes += disk_probes(Sysfs(root))
    return tuple(probes)


def _cpu_temperature_file(sys: Path) -> Path | None:
    """The file with the CPU's temperature in m°C: the thermal zone that is the CPU's, else a sensor chip in it."""
    zones = {_name(zone / "type"): zone / "temp" for zone in sorted(sys.glob("class/thermal/thermal_zone*"))}
    chips = {_name(chip / "name"): chip / "temp1_input" for chip in sorted(sys.glob("class/hwmon/hwmon*"))}
    files = [zones[name] for name in _CPU_ZONES if name in zones] + [chips[n] for n in _CPU_SENSORS if n in chips]
    return next((file for file in files if _name(file)), None)


def _power_probe(sys: Path) -> Probe | None:
    """The firmware's flags; where the kernel does not pass them on, the alarm of its voltage sensor."""
    seen: set[str] = set()

    def told(name: str, *, now: bool, before: bool = False) -> dict[str, float]:
        # The kernel asks the firmware every 2 s, and asking clears the firmware's memory: we remember.
        if now or before:
            seen.add(name)
        return {name: float(now), f"{name}_seen": float(name in seen)}

    for file in sorted(sys.glob("devices/platform/soc*/soc*:firmware/get_throttled")):

        def firmware(file: Path = file) -> dict[str, float]:
            flags = int(_words(file)[0], 16)
            under_voltage = told(
                "under_voltage", now=bool(flags & _UNDER_VOLTAGE), before=bool(flags & _UNDER_VOLTAGE_SEEN)
            )
            throttled = told("throttled", now=bool(flags & _THROTTLED), before=bool(flags & _THROTTLED_SEEN))
            return under_voltage | throttled

        return firmware
    for chip in sorted(sys.glob("class/hwmon/hwmon*")):
        if _name(chip / "name") == "rpi_volt":
            return lambda: told("under_voltage", now=_words(chip / "in0_lcrit_alarm")[0] == "1")
    return None


def _words(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").split()


def _name(file: Path) -> str:
    """The one line in `file`; empty where there is none."""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
