"""A bundle for whoever looks for a fault from afar: bounded, and without secrets."""

import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pi_agent.lives import FILE_NAME, read_lives
from pi_agent.outbox.report import inspect
from shared import VERSION
from shared.clock import Clock, iso_utc
from shared.contract.payloads import About
from shared.logs import recent
from shared.wire import MAX_EVENT_CHARS

_LIVES = 20
_CHECK_S = 20.0
_REASON_CHARS = 300
_ROOM = MAX_EVENT_CHARS * 3 // 4
"""Characters; the rest of an event's room is for its frame, and for quotes that are quoted again."""


def about(root: Path = Path("/")) -> About:
    """Which program this is, on what."""
    system = dict(line.partition("=")[::2] for line in _text(root / "etc/os-release").splitlines())
    return About.build(
        version=VERSION,
        python=platform.python_version(),
        os=system.get("PRETTY_NAME", platform.system()).strip('"')[:64] or "unknown",
        machine=platform.machine()[:64] or "unknown",
        model=_text(root / "proc/device-tree/model")[:64] or "unknown",
    )


class Diagnostics:
    """Collects what there is to know."""

    def __init__(self, outbox: Path, config: Path | None, clock: Clock, depth: Callable[[], int]) -> None:
        self._outbox = outbox
        self._config = config
        self._clock = clock
        self._depth = depth

    def collect(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Everything, the newest log lines as far as there is room."""
        waiting = inspect(self._outbox)
        bundle: dict[str, Any] = {
            "at": iso_utc(self._clock.now()),
            "clock_synchronised": self._clock.synchronised(),
            "about": msgspec.to_builtins(about()),
            "settings": settings,
            "findings": self._findings(),
            "lives": msgspec.to_builtins(read_lives(self._outbox.with_name(FILE_NAME), self._clock.boot_id)[-_LIVES:]),
            "outbox": {"waiting": self._depth(), "bytes": waiting.file_bytes, "dropped": dict(waiting.dropped)},
            "process": {
                "memory_kb": _memory_kb(),
                "threads": sorted(thread.name for thread in threading.enumerate()),
                "modules": len(sys.modules),
            },
            "log": [],
        }
        room = _ROOM - len(msgspec.json.encode(bundle))
        for line in reversed(recent()):
            room -= len(line.encode()) + 8
            if room < 0:
                break
            bundle["log"].insert(0, line)
        return bundle

    def _findings(self) -> Any:
        """What `pi-agent check` finds: in a process of its own, so that this one stays small."""
        command = [sys.executable, "-m", "pi_agent", "check", "--json"]
        command += ["--config", str(self._config)] if self._config else []
        try:
            done = subprocess.run(command, capture_output=True, timeout=_CHECK_S, check=False)  # noqa: S603 - this program
            return msgspec.json.decode(done.stdout)
        except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
            return {"ok": False, "error": str(error)[:_REASON_CHARS]}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip(" \n\0")
    except OSError:
        return ""


def _memory_kb() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
