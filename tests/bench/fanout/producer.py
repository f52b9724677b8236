"""What the Python servers of the bench have in common: the event, and the producer that standard input drives."""

import sys
import time
from collections.abc import Callable
from typing import Any

import gevent


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


def obey(publish: Callable[[int], None]) -> None:
    """Publish at the pace of the last line `RATE BURST`, until standard input ends."""
    pace = {"rate": 0, "burst": 1}

    def produce() -> None:
        number, due = 0, time.monotonic()
        while True:
            if not pace["rate"]:
                gevent.sleep(0.05)
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
