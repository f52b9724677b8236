"""Run in a process of its own, with everything patched as in the relay: does the hub stay free?

Writes one JSON object to its standard output. Its argument is a database URL.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from itertools import pairwise  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent._hub_local import get_hub_if_exists  # noqa: E402

from server.storage.engine import Database  # noqa: E402
from server.storage.history import History  # noqa: E402
from server.storage.recorder import Recorder  # noqa: E402
from shared.clock import SystemClock  # noqa: E402
from tests.relay.storage.building import START_MS, event  # noqa: E402

_SLOW = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3e6) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(0.5)",
}
_TICK_S = 0.005

native_ident: Any = monkey.get_original("threading", "get_ident")


def main(url: str) -> dict[str, Any]:
    """Do a little of everything, and a slow query beside a greenlet that ticks."""
    clock = SystemClock()
    database = Database.open(url)
    recorder = Recorder.start(database, clock)
    tickets = [recorder.offer(event(id_)) for id_ in range(1, 200)]
    for ticket in tickets:
        ticket.wait()
    chart = History(database, clock, recorder.settle).readings("pi", "temperature", START_MS, START_MS + 10**7, 50)

    ticks = [time.monotonic()]
    ticker = gevent.spawn(_tick, ticks)
    slow = _SLOW[database.dialect.name]
    threads = {"hub": native_ident()}
    hubs = {}

    def query(kind: str, connection: Any) -> None:
        threads[kind] = native_ident()
        connection.exec_driver_sql(slow).all()
        hubs[kind] = get_hub_if_exists() is not None

    started = time.monotonic()
    gevent.joinall(
        [
            gevent.spawn(database.write, lambda connection: query("writer", connection)),
            gevent.spawn(database.read, lambda connection: query("reader", connection)),
        ],
        raise_error=True,
    )
    took = time.monotonic() - started
    ticker.kill()
    recorder.close()
    database.close()
    return {
        "stored": sum(not ticket.wait().duplicate for ticket in tickets),
        "charted": sum(point.count for point in chart.points),
        "threads": threads,
        "hubs": hubs,
        "took_s": took,
        "ticks": len(ticks),
        "longest_pause_s": max(later - earlier for earlier, later in pairwise(ticks)),
        "thread_is_patched": threading.Thread.__module__ != "threading" or monkey.is_module_patched("threading"),
    }


def _tick(ticks: list[float]) -> None:
    while True:
        gevent.sleep(_TICK_S)
        ticks.append(time.monotonic())


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
