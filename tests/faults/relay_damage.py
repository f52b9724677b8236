"""Damage to the relay's own database: no second copy exists, so here the demand is another one.

After a run a backup is made and the relay is killed, with its write-ahead log as it is. Of that state copies are
damaged, one way at a time, and a relay is started on each, as systemd would. It must come to take events again;
everything that still is in the database must be as it was; and `pi-relay doctor` must name just what is not there, or
not as it was.
Where the relay says that nothing can be read and a backup is needed, the backup must do, and nothing is lost.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import websocket

from tests.faults.inject import cut_short, flip_bits
from tests.faults.stored import StoredEvent, read_contents
from tests.faults.supervisor import Supervised
from tests.support import processes
from tests.support.processes import wait_for
from tests.support.raw import RawClient

SERVICE_S = 60.0
"""Within this time a relay on a damaged database must take events."""
_BITS = 3
_NEW_EVENTS = 20
_VISITS = 3
"""How often the doctor may find the file itself damaged, before the next start has helped."""

Damage = Callable[[Path, random.Random], object]
WAYS: dict[str, tuple[str, Damage]] = {
    "bits flipped in database": ("relay.db", lambda path, rng: flip_bits(path, rng, _BITS)),
    "database cut short": ("relay.db", cut_short),
    "bits flipped in log": ("relay.db-wal", lambda path, rng: flip_bits(path, rng, _BITS)),
    "log cut short": ("relay.db-wal", cut_short),
}
"""By their names: which file, and what is done to it."""


@dataclass
class Wreck:
    """One damaged copy, and what became of it."""

    how: str
    where: str
    lost: int = 0
    """Events that were there, and are not any more, or not as they were."""
    named: int = 0
    """Of them, how many the doctor names."""
    kept: int = 0
    restored_s: float | None = None
    """Until the relay had stored a new event."""
    starts: int = 0
    backup: bool = False
    """Nothing could be read any more; the backup had to be put in its place."""
    problems: list[str] = field(default_factory=list)


class Surgery:
    """Damages copies of the state directory `pristine` of a killed relay; `backup` was made of it."""

    def __init__(self, pristine: Path, backup: Path, scratch: Path, port: int) -> None:
        self._pristine = pristine
        self._backup = backup
        self._scratch = scratch
        self._port = port
        contents = read_contents(f"sqlite:///{pristine / 'relay.db'}")
        self._before = {event.cursor: event for event in contents.events}

    def run(self, rng: random.Random, repeats: int) -> Iterator[Wreck]:
        """Every way of damage `repeats` times. What has problems is left in place, to be looked at."""
        for number in range(repeats):
            for how, (name, damage) in WAYS.items():
                state = self._scratch / f"{number}-{how.replace(' ', '-')}"
                shutil.copytree(self._pristine, state)
                wreck = Wreck(how, repr(damage(state / name, rng)))
                self._live_with_it(wreck, state)
                if not wreck.problems:
                    shutil.rmtree(state)
                yield wreck

    def _live_with_it(self, wreck: Wreck, state: Path) -> None:
        report: dict[str, Any] = {}
        for visit in range(_VISITS):
            if trouble := self._serve(wreck, state, visit):
                wreck.problems.append(trouble)
                return
            report = _doctor(state)
            if not (report["structure"] or report["unreadable"]):
                break
            # The doctor has noted it for the next start, which puts in its place what can be saved.
        else:
            wreck.problems.append(f"still damaged: {report['structure'][:3]} {report['unreadable'][:3]}")
            return
        self._compare(wreck, state, report)

    def _compare(self, wreck: Wreck, state: Path, report: dict[str, Any]) -> None:
        before = self._before
        after = {event.cursor: event for event in read_contents(f"sqlite:///{state / 'relay.db'}").events}
        lost = {cursor for cursor, event in before.items() if not _unchanged(event, after.get(cursor))}
        named = {row["cursor"] for row in report["corrupt_rows"]}
        named |= {cursor for first, last in report["lost_cursors"] for cursor in range(first, last + 1)}
        wreck.lost, wreck.named, wreck.kept = len(lost), len(lost & named), len(before) - len(lost)
        problems = {
            "lost and not named by the doctor": lost - named,
            "named by the doctor though nothing is wrong": (named - lost) & before.keys(),
            "altered, and called whole": {cursor for cursor in lost if cursor in after and after[cursor].whole},
            "lost though there was a backup": lost if wreck.backup else set(),
        }
        wreck.problems += [f"{what}: cursors {_some(cursors)}" for what, cursors in problems.items() if cursors]

    def _serve(self, wreck: Wreck, state: Path, visit: int) -> str:
        """Have a relay live on `state` for a while. Returns what it does not do."""
        began_s = time.monotonic()
        device = f"after-{visit}"
        lines: list[str] = []
        try:
            try:
                lines += _visit(wreck, state, self._port, device)
            except _NeedsBackup:
                wreck.backup = True
                _run(state, "db", "restore", str(self._backup))
                lines += _visit(wreck, state, self._port, device)
        except AssertionError as error:
            return f"no service: {error}"
        wreck.restored_s = max(time.monotonic() - began_s, wreck.restored_s or 0.0)
        (state / f"relay-{visit}.log").write_text("\n".join(lines), encoding="utf-8")
        return ""


class _NeedsBackup(Exception):
    """The relay says so."""


def _visit(wreck: Wreck, state: Path, port: int, device: str) -> list[str]:
    """Store new events and look at the devices, however often the relay has to start for it. Returns what it said."""
    url = f"http://127.0.0.1:{port}"
    stored: set[int] = set()
    with _relay(state, port) as relay:

        def served() -> bool:
            if len(relay.lives) > 1 and relay.lives[-2].said("put back a backup"):
                raise _NeedsBackup
            return _store(url, device, stored)

        try:
            wait_for("new events are stored", served, SERVICE_S)
            wait_for("the devices are listed", lambda: _get(f"{url}/api/devices"), SERVICE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; {relay.lives[-1].lines[-1:]}") from None
        finally:
            wreck.starts += len(relay.lives)
    return [line for life in relay.lives for line in life.lines]


def _unchanged(before: StoredEvent, after: StoredEvent | None) -> bool:
    """The event itself; what the charts got of it is derived, and the doctor looks there."""
    return after is not None and after.whole and replace(after, readings=before.readings) == before


def _some(cursors: set[int]) -> str:
    return f"{sorted(cursors)[:5]}, {len(cursors)} in all"


@contextmanager
def _relay(state: Path, port: int) -> Iterator[Supervised]:
    def spawn() -> processes.Process:
        return processes.start("server", ["serve", "--demo", "--port", str(port)], {"STATE_DIRECTORY": str(state)})

    relay = Supervised("relay", spawn)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop(signal.SIGTERM)


def _store(url: str, device: str, stored: set[int]) -> bool:
    try:
        with RawClient(url, "/pi", {"device": device, "contract": "1.0"}) as agent:
            for id_ in range(1, _NEW_EVENTS + 1):
                if id_ not in stored:
                    [ack] = agent.call("sensor_data_pub_pi", _round(id_))
                    if not ack["ok"]:
                        return False
                    stored.add(id_)
    except (OSError, websocket.WebSocketException, ValueError):
        return False
    return True


def _round(id_: int) -> dict[str, Any]:
    data = {"temperature": 20.0}
    return {"id": id_, "stream": "after", "datetime": "2026-03-01 12:00:00", "fail": [], "data": data}


def _get(address: str) -> Any:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.loads(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def _doctor(state: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(_run(state, "doctor", "--json", code=None))
    return report


def back_up(state: Path, target: Path) -> None:
    """Make a backup of the running relay in `state`."""
    _run(state, "db", "backup", str(target))


def _run(state: Path, *arguments: str, code: int | None = 0) -> str:
    """Run `pi-relay` on a state directory; what it prints. `code`: the exit code that it must have, None for any."""
    environ = {"STATE_DIRECTORY": str(state), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    command = [sys.executable, "-m", "server", *arguments]
    done = subprocess.run(command, cwd=processes.ROOT, env=environ, capture_output=True, text=True, timeout=120)
    if code not in (None, done.returncode) or not done.stdout.strip():
        raise AssertionError(f"pi-relay {' '.join(arguments)} exits {done.returncode}: {done.stderr[-500:]}")
    return done.stdout
