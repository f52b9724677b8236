#!/usr/bin/env python3
"""A `systemctl` for tests: runs a unit's ExecStart for real, hears READY and WATCHDOG, starts it again when it ends.

FAKE_SYSTEMD is a directory of its own; FAKE_ROOT is where the units were laid down.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

STATES = Path(os.environ["FAKE_SYSTEMD"])
ROOT = Path(os.environ["FAKE_ROOT"])
START_S = 20.0
IDLE = {"ActiveState": "inactive", "Result": "success", "MainPID": "0", "WatchdogTimestampMonotonic": "0"}


def state_of(unit: str) -> dict:
    try:
        return json.loads((STATES / f"{unit}.json").read_text())
    except (OSError, ValueError):
        return dict(IDLE)


def tell(unit: str, **changes: object) -> None:
    state = state_of(unit) | {name: str(value) for name, value in changes.items()}
    fresh = STATES / f".{unit}.new"
    fresh.write_text(json.dumps(state))
    fresh.rename(STATES / f"{unit}.json")


def supervise(unit: str) -> None:
    words = next(
        line.removeprefix("ExecStart=")
        for line in (ROOT / "etc/systemd/system" / unit).read_text().splitlines()
        if line.startswith("ExecStart=")
    )
    name = unit.removeprefix("pi-").removesuffix(".service")
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = STATES / f"{unit}.notify"
    path.unlink(missing_ok=True)
    heard.bind(str(path))
    heard.settimeout(0.1)
    child = None

    def end(*_: object) -> None:
        if child and child.poll() is None:
            child.terminate()
            child.wait(10)
        tell(unit, **IDLE)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    environ = {**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "4000000"}
    environ["STATE_DIRECTORY"] = str(ROOT / "var/lib/breathlight" / name)
    while True:
        child = subprocess.Popen(shlex.split(words), env=environ, stdin=subprocess.DEVNULL)
        tell(unit, ActiveState="activating", Result="success", MainPID=child.pid)
        while child.poll() is None:
            try:
                said = heard.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
            if "READY=1" in said:
                tell(unit, ActiveState="active", WatchdogTimestampMonotonic=time.monotonic_ns() // 1000)
            if "WATCHDOG=1" in said:
                tell(unit, WatchdogTimestampMonotonic=time.monotonic_ns() // 1000)
        tell(unit, ActiveState="failed" if child.returncode else "inactive", Result="exit-code", MainPID=0)
        time.sleep(0.3)


def stop(unit: str) -> None:
    pid = STATES / f"{unit}.pid"
    if pid.exists():
        try:
            os.kill(int(pid.read_text()), signal.SIGTERM)
            for _ in range(100):
                os.kill(int(pid.read_text()), 0)
                time.sleep(0.05)
        except (ProcessLookupError, ValueError):
            pass
        pid.unlink(missing_ok=True)


def start(unit: str) -> int:
    tell(unit, **IDLE)
    child = subprocess.Popen(
        [sys.executable, __file__, "supervise", unit],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=(STATES / f"{unit}.log").open("a"),
        stderr=subprocess.STDOUT,
    )
    (STATES / f"{unit}.pid").write_text(str(child.pid))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        state = state_of(unit)["ActiveState"]
        if state == "active":
            return 0
        if state == "failed":
            return 1
        time.sleep(0.05)
    return 1


def main() -> int:
    with (STATES / "calls").open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    action, *rest = [word for word in sys.argv[1:] if word not in ("--quiet", "--now")]
    unit = next((word for word in rest if not word.startswith("--")), "")
    if unit and not unit.endswith(".service"):
        return 0
    if action == "supervise":
        supervise(unit)
    if action in ("stop", "restart"):
        stop(unit)
    if action in ("start", "restart"):
        return start(unit)
    if action == "show":
        wanted = rest[-1].removeprefix("--property=").split(",")
        print("\n".join(f"{name}={value}" for name, value in state_of(unit).items() if name in wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
