"""Saturated ingest: events acked after COMMIT, beside a bare SQLite loop that writes the same rows in the same groups.

200 devices, five quantities each. The bare loop has its rows ready in memory: no checks, no hash, no roll-ups, nobody
who waits.
"""

import gc
import hashlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import gevent
from rich.console import Console
from rich.table import Table

from server.storage.engine import Database
from server.storage.recorder import Limits, Recorder
from server.storage.records import Event
from shared.clock import SystemClock

DEVICES, EVENTS, GROUP, ROUNDS = 200, 40_000, 500, 3
SWITCH_S = 0.0005
"""As the relay sets it: the writer's thread must win the interpreter lock from a busy hub."""
QUANTITIES = ("temperature", "humidity", "cpu_temperature", "cpu_load", "memory_used")
START_MS = 1_767_225_600_000
_BODY = (
    '{"id":%d,"device":"pi-%03d","stream":"Qk3v9XyZ","datetime":"2026-01-01 00:00:00",'
    '"taken_at":"2026-01-01T00:00:00.000Z",'
    '"data":{"temperature":21.4,"humidity":48.2,"cpu_temperature":51.2,"cpu_load":0.31,"memory_used":41.0},'
    '"clock":{"boot_id":"8d1e0f5c-77aa-4a53-bd0e-3d1f0a6a1a11","monotonic_ns":123456789012,"synchronised":true}}'
)


@dataclass(frozen=True)
class Wrote:
    """What a loop took."""

    wall_s: float
    cpu_s: float


def event(number: int, quantities: int = len(QUANTITIES)) -> Event:
    """The `number`th event: devices take turns."""
    device, id_ = number % DEVICES, number // DEVICES + 1
    values = (21.4 + id_ % 7 / 10, 48.2, 51.2, 0.31, 41.0)
    return Event(
        device=f"pi-{device:03d}",
        stream="Qk3v9XyZ",
        id=id_,
        event="sensor_data_pub_pi",
        taken_at_ms=START_MS + id_ * 1000,
        body=_BODY % (id_, device),
        readings=dict(list(zip(QUANTITIES, values, strict=True))[:quantities]),
    )


def bare(path: Path, events: list[Event], group: int) -> Wrote:
    """A loop that does nothing but write."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA cache_size=-32768",
        "CREATE TABLE events (cursor INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL, id INTEGER NOT NULL,"
        " event TEXT NOT NULL, taken_at INTEGER NOT NULL, received_at INTEGER NOT NULL, body TEXT NOT NULL,"
        " hash TEXT NOT NULL, UNIQUE (stream_id, id))",
        "CREATE TABLE readings (series_id INTEGER NOT NULL, taken_at INTEGER NOT NULL, cursor INTEGER NOT NULL,"
        " value REAL NOT NULL, PRIMARY KEY (series_id, taken_at, cursor)) WITHOUT ROWID",
    ):
        connection.execute(statement)
    rows, values = [], []
    digest = hashlib.blake2b(b"x", digest_size=16).hexdigest()
    for cursor, one in enumerate(events, 1):
        device = int(one.device[3:])
        rows.append((cursor, device, one.id, one.event, one.taken_at_ms, one.taken_at_ms, one.body, digest))
        values.append(
            [(device * 5 + at, one.taken_at_ms, cursor, value) for at, value in enumerate(one.readings.values())]
        )
    started, used = time.perf_counter(), time.process_time()
    for at in range(0, len(rows), group):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?)", rows[at : at + group])
        connection.executemany(
            "INSERT INTO readings VALUES (?,?,?,?)", [row for part in values[at : at + group] for row in part]
        )
        connection.execute("COMMIT")
    wrote = Wrote(time.perf_counter() - started, time.process_time() - used)
    connection.close()
    return wrote


def saturated(path: Path, events: list[Event], group: int) -> tuple[float, list[float]]:
    """Seconds until all are acked, with `group` senders that each wait for their ack; and each wait in seconds."""
    database = Database.open(f"sqlite:///{path}")
    recorder = Recorder.start(database, SystemClock(), Limits(group_events=group))
    waits: list[float] = []
    queue = iter(events)

    def sender() -> None:
        for one in queue:
            began = time.perf_counter()
            recorder.submit(one)
            waits.append(time.perf_counter() - began)

    started = time.perf_counter()
    gevent.joinall([gevent.spawn(sender) for _ in range(2 * group)], raise_error=True)
    took = time.perf_counter() - started
    recorder.close()
    database.close()
    return took, waits


def run(console: Console) -> None:
    """In a process of its own: the switch interval and the frozen heap are the whole interpreter's."""
    subprocess.run([sys.executable, "-m", "tests.bench.bench_ingest"], check=True)
    console.print("the aim is a ratio of 0.5 or better")


def main() -> None:
    """Both in alternating rounds."""
    sys.setswitchinterval(SWITCH_S)
    events = [event(number) for number in range(EVENTS)]
    gc.freeze()
    ratios = []
    table = Table("round", "bare events/s", "recorder events/s", "ratio", "ack p50 ms", "ack p99 ms")
    for number in range(1, ROUNDS + 1):
        with tempfile.TemporaryDirectory() as directory:
            base = bare(Path(directory) / "bare.db", events, GROUP).wall_s
            ours, waits = saturated(Path(directory) / "ours.db", events, GROUP)
        quantiles = statistics.quantiles(waits, n=100)
        ratios.append(base / ours)
        table.add_row(
            str(number),
            f"{EVENTS / base:,.0f}",
            f"{EVENTS / ours:,.0f}",
            f"{base / ours:.2f}",
            f"{quantiles[49] * 1e3:.1f}",
            f"{quantiles[98] * 1e3:.1f}",
        )
    table.add_row("median", "", "", f"{statistics.median(ratios):.2f}", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
