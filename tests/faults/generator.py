"""The agent with a journal: `python -m tests.faults.generator`.

It is `pi-agent run`, composed by the agent's own root and unchanged but for four seams, each a subclass or a wrapper
put in place before the root builds anything:

    Store           tells the journal of each transaction: what is about to be committed, and what became of it
    OutboxSender    tells it of each ack before the agent acts on it
    SystemClock     a wall clock that the parent can move, for the agent and for APScheduler alike
    the versions    bodies and greeting of an agent one version newer, or older

Beside the agent's own jobs a *crowd* appends other events at random moments, from a thread of its own.

Variables: FAULTS_JOURNAL (descriptor of the journal's channel), FAULTS_CLOCK (the file that `set_clock` writes),
FAULTS_VERSION (`same`, `newer`, `older`), FAULTS_CROWD_PER_S and FAULTS_SEED.
"""

import os
import random
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import apscheduler.executors.base
import apscheduler.schedulers.base
import msgspec

import pi_agent.app
import pi_agent.cli
import pi_agent.hello
import pi_agent.jobs.schedule
import pi_agent.outbox.files
import pi_agent.uplink.sender
from pi_agent.outbox.outbox import Outbox
from pi_agent.outbox.rows import Row
from pi_agent.outbox.store import Draft, Store
from pi_agent.uplink.sender import OutboxSender
from pi_agent.uplink.verdict import Fate, Token, Verdict, judge
from shared.clock import Clock, SystemClock
from shared.contract import CONTRACT_VERSION
from shared.contract.events import LED_STATUS_PUB_PI, MODEL_TRAIN_PUB_PI, MOTION_PUB_PI
from shared.contract.spec import EventSpec
from tests.faults.fingerprint import fingerprint
from tests.faults.journal import Pen

_CLOCK_BYTES = 32


# --- the journal ----------------------------------------------------------------------------------------------------


def journaled_store(pen: Pen) -> type[Store]:
    """The agent's store, with its transactions on record."""

    class JournaledStore(Store):
        def __init__(self, path: Path, new_stream: str) -> None:
            self._fresh: list[list[Any]] = []
            super().__init__(path, new_stream)

        def append(self, draft: Draft) -> int:
            id_ = super().append(draft)
            stamp = draft.stamp
            clock = {
                "boot_id": stamp.boot_id,
                "monotonic_ns": stamp.monotonic_ns,
                "synchronised": stamp.synchronised,
            }
            body = msgspec.json.decode(draft.fields) | {"clock": clock}
            row = [id_, draft.event, fingerprint(draft.event, body), stamp.wall_ms]
            if "first_id" in body:
                row += [body["first_id"], body["last_id"], body.get("of_stream")]
            self._fresh.append(row)
            return id_

        @contextmanager
        def commit(self) -> Iterator[None]:
            self._fresh = []
            try:
                with super().commit():
                    yield
                    pen.intent(self.progress.stream, self._fresh)
            except BaseException:
                if self._fresh:
                    pen.rolled_back(self.progress.stream, self._fresh[0][0], self._fresh[-1][0])
                raise
            if self._fresh:
                pen.committed(self.progress.stream, self._fresh[0][0], self._fresh[-1][0])

    return JournaledStore


def journaled_sender(pen: Pen) -> type[OutboxSender]:
    """The agent's sender, with its acks on record."""

    class JournaledSender(OutboxSender):
        def acked(self, token: Token, answer: tuple[object, ...]) -> Verdict | None:
            verdict = judge(answer)
            if token.stream is not None and verdict.fate is Fate.DONE:
                pen.ack(token.stream, token.id, verdict.code)
            return super().acked(token, answer)

    return JournaledSender


# --- the clock ------------------------------------------------------------------------------------------------------


def set_clock(path: Path, offset_s: float = 0.0, *, synchronised: bool = True) -> None:
    """Move the wall clock of the generator that reads `path`; it follows at once."""
    path.touch()
    with path.open("r+b") as file:
        file.write(b"%+020.3f %d".ljust(_CLOCK_BYTES) % (offset_s, synchronised))


class MovableClock(SystemClock):
    """The machine's clock, with a wall time that somebody else can move."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)

    def _setting(self) -> tuple[timedelta, bool]:
        offset, synchronised = os.pread(self._file, _CLOCK_BYTES, 0).split()
        return timedelta(seconds=float(offset)), synchronised == b"1"

    def now(self) -> datetime:
        return super().now() + self._setting()[0]

    def synchronised(self) -> bool:
        return self._setting()[1]


def moved_datetime(clock: MovableClock) -> type[datetime]:
    """`datetime` for those who ask the operating system themselves."""

    class MovedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return clock.now().astimezone(tz)

    return MovedDatetime


# --- other versions -------------------------------------------------------------------------------------------------


def newer_outbox() -> type[Outbox]:
    """An agent one minor version ahead: fields that this relay does not know."""

    class NewerOutbox(Outbox):
        def append(
            self, spec: EventSpec, fields: Mapping[str, Any], monotonic_ns: int | None = None, receipt: Any = None
        ) -> None:
            invented = {"invented": {"by": "the next version", "list": [1, None, "x"]}, "priority": 3}
            super().append(spec, {**fields, **invented}, monotonic_ns, receipt)

    return NewerOutbox


def become(version: str) -> None:
    """Speak as another version of the agent does."""
    if version == "same":
        return
    major, minor = (int(part) for part in CONTRACT_VERSION.split("."))
    greet, write = pi_agent.app.say_hello, pi_agent.uplink.sender.wire_body
    if version == "newer":
        pi_agent.app.Outbox = newer_outbox()  # type: ignore[misc]
        pi_agent.hello.CONTRACT_VERSION = f"{major}.{minor + 1}"  # type: ignore[misc]
        pi_agent.app.say_hello = lambda *given: {**greet(*given), "invented": [{"name": "later"}]}

        def body(row: Row, device: str, clock: Clock) -> dict[str, Any]:
            plain = write(row, device, clock)
            return plain | {"clock": {**plain["clock"], "leap_seconds": 37}}

    elif version == "older":
        pi_agent.hello.CONTRACT_VERSION = f"{major - 1}.9"  # type: ignore[misc]
        known = ("token", "device", "version", "contract", "stream")
        pi_agent.app.say_hello = lambda *given: {name: value for name, value in greet(*given).items() if name in known}

        def body(row: Row, device: str, clock: Clock) -> dict[str, Any]:
            return {name: value for name, value in write(row, device, clock).items() if name != "device"}

    else:
        raise ValueError(f"FAULTS_VERSION={version}: same, newer or older")
    pi_agent.uplink.sender.wire_body = body


# --- the crowd ------------------------------------------------------------------------------------------------------


def crowd(outbox: Outbox, per_s: float, rng: random.Random) -> None:
    """Append events for ever, `per_s` on average: alone, and now and then many at once."""
    pause, count = threading.Event(), 0
    while not pause.wait(rng.expovariate(per_s / 2)):
        for _ in range(rng.choice((1, 1, 1, 5))):
            count += 1
            what = rng.randrange(3)
            if what == 0:
                outbox.append(MOTION_PUB_PI, {"motion": bool(count % 2), "count": count})
            elif what == 1:
                fields = {"status": bool(count % 2), "level": round(rng.random(), 3), "cause": "rule"}
                outbox.append(LED_STATUS_PUB_PI, fields)
            else:
                progress = {"status": True, "phase": "progress", "job": f"job-{count}", "progress": rng.random()}
                outbox.append(MODEL_TRAIN_PUB_PI, progress)


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the agent with its seams in place."""
    pen = Pen(socket.socket(fileno=int(environ["FAULTS_JOURNAL"])))
    version = environ.get("FAULTS_VERSION", "same")
    clock = MovableClock(Path(environ["FAULTS_CLOCK"]))
    pi_agent.outbox.files.Store = journaled_store(pen)  # type: ignore[misc]
    pi_agent.app.OutboxSender = journaled_sender(pen)  # type: ignore[misc]
    pi_agent.cli.SystemClock = lambda: clock  # type: ignore[misc,assignment]
    for module in (apscheduler.schedulers.base, apscheduler.executors.base, pi_agent.jobs.schedule):
        module.datetime = moved_datetime(clock)
    become(version)
    build = pi_agent.app.build_agent
    per_s = float(environ.get("FAULTS_CROWD_PER_S", "0"))
    rng = random.Random(f"{environ.get('FAULTS_SEED')}-{os.getpid()}")

    def build_and_crowd(*given: Any) -> pi_agent.app.Agent:
        agent = build(*given)
        pen.note(f"generator starts: version={version} stream={agent._outbox.stream} waiting={agent._outbox.depth}")
        if per_s:
            threading.Thread(target=crowd, args=(agent._outbox, per_s, rng), name="crowd", daemon=True).start()
        return agent

    pi_agent.app.build_agent = build_and_crowd
    return pi_agent.cli.main(["run"])


if __name__ == "__main__":
    sys.exit(main())
