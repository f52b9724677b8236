"""What the Python servers of the bench have in common: the event, the producer that standard input drives, commands."""

import itertools
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import gevent
from gevent.event import Event


def body(number: int) -> dict[str, Any]:
    """The event's body, of about 230 bytes."""
    return {
        "device": "bench",
        "stream": "bench",
        "clock": {"boot_id": "b", "monotonic_ns": time.monotonic_ns(), "synchronised": True},
        "id": number,
        "datetime": "2026-01-31 23:59:59",
        "fail": [],
        "data": {"temperature": 21.4, "humidity": 48.2},
    }


class Switchboard:
    """Who asked for which command, of the one device."""

    ORDER: ClassVar = {"pin": 18, "mode": "主動", "code": 1, "type": "on", "msg": "on"}

    def __init__(self) -> None:
        self.device = ""
        self._askers: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def ask(self, sid: str) -> str:
        """A command of its own number."""
        command = str(next(self._numbers))
        self._askers[command] = sid
        return command

    def asker(self, command: str) -> str:
        """Whom to tell the result, once."""
        return self._askers.pop(command)

    def result(self) -> dict[str, Any]:
        """What all results say."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"device": "bench", "action": "on", "state": "verified", "code": "accepted", "at": at}


def obey(publish: Callable[[int], None]) -> None:
    """Publish at the pace of the last line `RATE BURST`, until standard input ends."""
    pace = {"rate": 0, "burst": 1}
    asked = Event()

    def produce() -> None:
        number, due = 0, time.monotonic()
        while True:
            if not pace["rate"]:
                # Without a look from time to time: a producer over the wire would pay for it.
                asked.clear()
                asked.wait()
                due = time.monotonic()
                continue
            for _ in range(pace["burst"]):
                number += 1
                publish(number)
            due += 1 / pace["rate"]
            gevent.sleep(max(0.0, due - time.monotonic()))

    gevent.spawn(produce)
    while line := gevent.get_hub().threadpool.apply(sys.stdin.readline):
        pace["rate"], pace["burst"] = map(int, line.split())
        asked.set()
