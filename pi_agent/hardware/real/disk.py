"""How much a memory card or eMMC has aged, and how fast it is written: what wears a Pi out first."""

from collections import deque
from collections.abc import Callable, Iterator

from pi_agent.hardware.real.sysfs import Sysfs

_SECTOR_BYTES = 512
_DAY_S, _HOUR_S = 86_400.0, 3600.0
_SECTORS_WRITTEN = 6  # the seventh field of `stat`
_SHARE_PCT = 10
"""A life time estimate of 0x03 means that 20 to 30 % of the life time are used: the upper end is told."""

Probe = Callable[[], dict[str, float]]


def disk_probes(sysfs: Sysfs) -> Iterator[Probe]:
    """What can be told of the disk that holds `/`: nothing where it is no block device of this machine."""
    disk = _disk_of_root(sysfs)
    if disk is None:
        return
    yield _Written(sysfs, f"{disk}/stat").per_day
    # An SD card tells nothing of its age; JEDEC eMMC 5.0 does.
    if sysfs.exists(f"{disk}/device/life_time"):
        yield lambda: {"disk_wear": _wear_pct(sysfs.read(f"{disk}/device/life_time"))}
    if sysfs.exists(f"{disk}/device/pre_eol_info"):
        yield lambda: {"disk_end_of_life": _level(sysfs.read(f"{disk}/device/pre_eol_info"))}


def _wear_pct(life_time: str) -> float:
    """The worse of the two kinds of memory, `0x01 0x03`. Raises `ValueError` where the device does not tell."""
    steps = max(int(word, 16) for word in life_time.split())
    if steps == 0:
        raise ValueError("life time is not told")
    return float(steps * _SHARE_PCT)


def _level(pre_eol_info: str) -> float:
    """0: normal, 1: 80 % of the reserved blocks are used, 2: urgent. Raises `ValueError` where it is not told."""
    level = int(pre_eol_info, 16)
    if level == 0:
        raise ValueError("pre-EOL information is not told")
    return float(level - 1)


def _disk_of_root(sysfs: Sysfs) -> str | None:
    """The folder of the disk, a partition's parent, under /sys/dev/block."""
    for line in sysfs.text("proc/self/mountinfo").splitlines():
        words = line.split()
        if len(words) > 4 and words[4] == "/":
            device = f"sys/dev/block/{words[2]}"
            folder = f"{device}/.." if sysfs.exists(f"{device}/partition") else device
            return folder if sysfs.exists(f"{folder}/stat") else None
    return None


class _Written:
    """Bytes written, over the last day at most: one mark an hour is remembered, since the kernel counts from boot."""

    def __init__(self, sysfs: Sysfs, stat: str) -> None:
        self._sysfs = sysfs
        self._stat = stat
        self._marks: deque[tuple[float, int]] = deque(maxlen=25)

    def per_day(self) -> dict[str, float]:
        """MB per day. Within the first hour what was written counts as an hour's: little is known by then."""
        now_s = float(self._sysfs.read("proc/uptime").split()[0])
        written = int(self._sysfs.read(self._stat).split()[_SECTORS_WRITTEN]) * _SECTOR_BYTES
        if not self._marks or now_s - self._marks[-1][0] >= _HOUR_S:
            self._marks.append((now_s, written))
        since_s, before = self._marks[0]
        return {"disk_written_per_day": (written - before) / max(now_s - since_s, _HOUR_S) * _DAY_S / 1e6}
