"""History: a year of ten-second samples of five quantities, asked for as a chart of 400 points."""

import math
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, insert

from server.storage.engine import Database
from server.storage.fold import HOUR_MS, MINUTE_MS
from server.storage.history import History
from server.storage.tables import devices, hours, minutes, readings, series
from shared.clock import SystemClock

DAY_MS = 24 * HOUR_MS
END_MS = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
QUANTITIES = ("temperature", "humidity", "cpu_temperature", "cpu_load", "memory_used")
SAMPLE_MS = 10_000
RUNS = 15


def run(console: Console) -> None:
    with tempfile.TemporaryDirectory() as directory:
        database = Database.open(f"sqlite:///{directory}/relay.db")
        try:
            database.write(_fill)
            history = History(database, SystemClock())
            table = Table("span", "drawn from", "points", "median ms", "worst ms")
            for name, span_ms in (
                ("15 minutes", 15 * MINUTE_MS),
                ("1 day", DAY_MS),
                ("30 days", 30 * DAY_MS),
                ("1 year", 365 * DAY_MS),
            ):
                times = []
                for number in range(RUNS):
                    began = time.perf_counter()
                    chart = history.readings("pi-1", QUANTITIES[number % 5], END_MS - span_ms, END_MS, 400)
                    times.append((time.perf_counter() - began) * 1e3)
                table.add_row(
                    name,
                    chart.resolution,
                    str(len(chart.points)),
                    f"{statistics.median(times):.1f}",
                    f"{max(times):.1f}",
                )
            console.print(table)
            size = Path(directory, "relay.db").stat().st_size / 1e6
            console.print(f"readings kept for 30 days, minutes and hours for a year: {size:,.0f} MB")
        finally:
            database.close()


def _fill(connection: Connection) -> None:
    """What is left of a year after retention: 30 days of readings, the minutes and hours of all of it."""
    connection.execute(insert(devices).values(id=1, name="pi-1", first_seen=0, last_seen=END_MS, info="{}"))
    for row, quantity in enumerate(QUANTITIES, 1):
        connection.execute(insert(series).values(id=row, device_id=1, quantity=quantity))
        for level, unit_ms in ((minutes, MINUTE_MS), (hours, HOUR_MS)):
            count = unit_ms // SAMPLE_MS
            _many(
                connection,
                level,
                (
                    {
                        "series_id": row,
                        "start": start,
                        "count": count,
                        "total": count * _value(start),
                        "low": _value(start) - 1,
                        "high": _value(start) + 1,
                    }
                    for start in range(END_MS - 365 * DAY_MS, END_MS, unit_ms)
                ),
            )
        _many(
            connection,
            readings,
            (
                {"series_id": row, "taken_at": at, "cursor": at // SAMPLE_MS, "value": _value(at)}
                for at in range(END_MS - 30 * DAY_MS, END_MS, SAMPLE_MS)
            ),
        )


def _value(at_ms: int) -> float:
    return 20 + 5 * math.sin(at_ms / DAY_MS * 2 * math.pi)


def _many(connection: Connection, table, rows) -> None:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == 20_000:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)
