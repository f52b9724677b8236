"""Damage to the relay's own database: no second copy exists, so here the demand is another one.

After a run a backup is made and everything is killed, with the database's write-ahead log as it is. Of that state
copies are damaged, one way at a time, and a relay is started on each, as systemd would. It must come to take events
again; everything that still is in the database must be as it was; and `pi-relay doctor` must name just what is not
there, or not as it was. Where the relay says that a backup is needed, or the database server does not start, the backup
must do, and nothing is lost.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import websocket

from tests.faults.cases import Case, Original
from tests.faults.journal import Key
from tests.faults.stored import Contents, StoredEvent, read_contents
from tests.faults.supervisor import Supervised
from tests.support import processes
from tests.support.processes import wait_for
from tests.support.raw import RawClient

SERVICE_S = 60.0
"""Within this time a relay on a damaged database must take events."""
_NEW_EVENTS = 20
_VISITS = 3
"""How often the doctor may find the file itself damaged, before the next start has helped."""


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
    """Damages copies of `original`, and sees what a relay makes of them; `backup` was made of it."""

    def __init__(
        self, original: Original, before: Contents, backup: Path, in_backup: set[Key], scratch: Path, port: int
    ) -> None:
        """`in_backup` are the events that were stored before the backup began."""
        self._original = original
        self._in_backup = in_backup
        self._before = {event.key: event for event in before.events}
        # Whoever sent the last event goes on sending: what was lost before it is a gap then.
        self._sender = max(before.events, key=lambda event: event.cursor).key
        self._next_id = max(key.id for key in self._before if key[:2] == self._sender[:2]) + 1
        self._backup = backup
        self._scratch = scratch
        self._port = port

    def run(self, rng: random.Random, repeats: int, ways: int | None = None) -> Iterator[Wreck]:
        """Every way of damage, or so many of the `ways`, `repeats` times.

        What has problems is left in place, to be looked at.
        """
        for number in range(repeats):
            for how in rng.sample(self._original.ways, ways or len(self._original.ways)):
                case = self._original.copy(self._scratch / f"{number}-{how.replace(' ', '-')}")
                wreck = Wreck(how, case.damage(how, rng))
                try:
                    self._live_with_it(wreck, case)
                finally:
                    case.end()
                if not wreck.problems:
                    case.remove()
                yield wreck

    def _live_with_it(self, wreck: Wreck, case: Case) -> None:
        report: dict[str, Any] = {}
        began_s = time.monotonic()
        if not case.begin():
            self._from_backup(wreck, case)
        for visit in range(_VISITS):
            if trouble := self._serve(wreck, case, visit):
                wreck.problems.append(trouble)
                return
            wreck.restored_s = wreck.restored_s or time.monotonic() - began_s
            report = doctor(case.environ)
            if not (report["structure"] or report["unreadable"]):
                break
            # The doctor has noted it for the next start, which puts in its place what can be saved.
            if visit and not wreck.backup:
                case.end()
                self._from_backup(wreck, case)
        else:
            wreck.problems.append(f"still damaged: {report['structure'][:3]} {report['unreadable'][:3]}")
            return
        self._compare(wreck, read_contents(case.url), report)

    def _from_backup(self, wreck: Wreck, case: Case) -> None:
        wreck.backup = True
        case.renew()
        pi_relay(case.environ, "db", "restore", str(self._backup))

    def _compare(self, wreck: Wreck, contents: Contents, report: dict[str, Any]) -> None:
        before = self._before
        after = {event.key: event for event in contents.events}
        lost = {key for key, event in before.items() if not _unchanged(event, after.get(key))}
        named = set(_named(report, before))
        wreck.lost, wreck.named, wreck.kept = len(lost), len(lost & named), len(before) - len(lost)
        problems = {
            "lost and not named by the doctor": lost - named,
            "named by the doctor though nothing is wrong": named - lost,
            "altered, and called whole": {key for key in lost if key in after and after[key].whole},
            "lost though they are in the backup": lost & self._in_backup if wreck.backup else set(),
        }
        wreck.problems += [f"{what}: {_some(keys)}" for what, keys in problems.items() if keys]

    def _serve(self, wreck: Wreck, case: Case, visit: int) -> str:
        """Have a relay live with it for a while. Returns what it does not do."""
        send = partial(_store, f"http://127.0.0.1:{self._port}", self._sender, self._next_id + visit * _NEW_EVENTS)
        try:
            try:
                _visit(wreck, case, self._port, send)
            except _NeedsBackup:
                self._from_backup(wreck, case)
                _visit(wreck, case, self._port, send)
        except AssertionError as error:
            return f"no service: {error}"
        return ""


def _named(report: dict[str, Any], before: dict[Key, StoredEvent]) -> Iterator[Key]:
    """The events that the doctor says are damaged, gone or missing."""
    by_cursor = {event.cursor: key for key, event in before.items()}
    cursors = {row["cursor"] for row in report["corrupt_rows"]}
    cursors |= {cursor for first, last in report["lost_cursors"] for cursor in range(first, last + 1)}
    yield from (by_cursor[cursor] for cursor in cursors & by_cursor.keys())
    for stream in report["streams"]:
        for first, last in stream["missing"]:
            for id_ in range(first, last + 1):
                key = Key(stream["device"], stream["stream"], id_)
                if key in before:
                    yield key


class _NeedsBackup(Exception):
    """The relay says so."""


def _visit(wreck: Wreck, case: Case, port: int, send: Callable[[set[int]], bool]) -> None:
    """Store new events and look at the devices, however often the relay has to start for it."""
    stored: set[int] = set()
    with _relay(case, port) as relay:

        def served() -> bool:
            if any(life.said("put back a backup") for life in relay.lives):
                raise _NeedsBackup
            return send(stored)

        try:
            wait_for("new events are stored", served, SERVICE_S)
            wait_for("the devices are listed", lambda: _get(f"http://127.0.0.1:{port}/api/devices"), SERVICE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; {[life.lines[-1:] for life in relay.lives[-2:]]}") from None
        finally:
            wreck.starts += len(relay.lives)


def _unchanged(before: StoredEvent, after: StoredEvent | None) -> bool:
    """The event itself; what the charts got of it is derived, and the doctor looks there."""
    return after is not None and after.whole and replace(after, readings=before.readings) == before


def _some(keys: set[Key]) -> str:
    return f"{[key.id for key in sorted(keys)[:5]]}, {len(keys)} in all"


@contextmanager
def _relay(case: Case, port: int) -> Iterator[Supervised]:
    relay = Supervised(
        "relay", lambda: processes.start("server", ["serve", "--demo", "--port", str(port)], case.environ)
    )
    relay.start()
    try:
        yield relay
    finally:
        relay.stop(signal.SIGTERM)


def _store(url: str, sender: Key, first: int, stored: set[int]) -> bool:
    """Have some new events stored, from id `first` on; `stored` are those that are already."""
    try:
        with RawClient(url, "/pi", {"device": sender.device, "contract": "1.0"}) as agent:
            for id_ in range(first, first + _NEW_EVENTS):
                if id_ not in stored:
                    [ack] = agent.call("sensor_data_pub_pi", _round(sender.stream, id_))
                    if not ack["ok"]:
                        return False
                    stored.add(id_)
    except (OSError, websocket.WebSocketException, ValueError):
        return False
    return True


def _round(stream: str, id_: int) -> dict[str, Any]:
    data = {"temperature": 20.0}
    return {"id": id_, "stream": stream, "datetime": "2026-03-01 12:00:00", "fail": [], "data": data}


def _get(address: str) -> Any:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.loads(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def doctor(environ: Mapping[str, str]) -> dict[str, Any]:
    """What `pi-relay doctor` finds."""
    report: dict[str, Any] = json.loads(pi_relay(environ, "doctor", "--json", code=None))
    return report


def pi_relay(environ: Mapping[str, str], *arguments: str, code: int | None = 0) -> str:
    """Run `pi-relay` with these settings; what it prints. `code`: the exit code that it must have, None for any."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("PI_")}
    command = [sys.executable, "-m", "server", *arguments]
    whole = {**around, **environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=processes.ROOT, env=whole, capture_output=True, text=True, timeout=120)
    if code not in (None, done.returncode) or not done.stdout.strip():
        raise AssertionError(f"pi-relay {' '.join(arguments)} exits {done.returncode}: {done.stderr[-500:]}")
    return done.stdout
