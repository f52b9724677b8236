"""What the relay's database holds, read past the product: plain SQL, no ledger, no cache."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.storage.records import fingerprint as row_hash
from tests.faults.journal import Key

_EVENTS = """
SELECT d.name, s.name, e.id, e.cursor, e.event, e.taken_at, e.received_at, e.body, e.hash
FROM events e JOIN streams s ON s.id = e.stream_id JOIN devices d ON d.id = s.device_id ORDER BY e.cursor
"""
_READINGS = "SELECT r.cursor, q.quantity, r.value FROM readings r JOIN series q ON q.id = r.series_id"
_DROPS = """
SELECT d.name, s.name, p.first, p.last, p.reason
FROM drops p JOIN streams s ON s.id = p.stream_id JOIN devices d ON d.id = s.device_id
"""


@dataclass(frozen=True)
class StoredEvent:
    """One row of the log."""

    key: Key
    cursor: int
    event: str
    taken_at_ms: int
    body: dict[str, Any]
    whole: bool
    """The row matches its own hash."""
    readings: dict[str, float] = field(default_factory=dict)
    """What the charts got of it."""


@dataclass(frozen=True)
class DropSpan:
    """Ids of a stream that the agent declared lost, first and last."""

    device: str
    stream: str
    first: int
    last: int
    reason: str


@dataclass(frozen=True)
class Contents:
    """All that the accounting needs of a database."""

    events: list[StoredEvent]
    drops: list[DropSpan]


def read_contents(url: str) -> Contents:
    """Read the database at `url`, which nobody writes meanwhile."""
    events, readings, drops = _fetch(url, (_EVENTS, _READINGS, _DROPS))
    values: dict[int, dict[str, float]] = {}
    for cursor, quantity, value in readings:
        values.setdefault(cursor, {})[quantity] = value
    return Contents(
        [_event(row, values.get(row[3], {})) for row in events],
        [DropSpan(*row) for row in drops],
    )


def _event(row: tuple[Any, ...], readings: dict[str, float]) -> StoredEvent:
    device, stream, id_, cursor, event, taken_at, received_at, body, digest = row
    whole = row_hash(cursor, device, stream, id_, event, taken_at, received_at, body) == digest
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = {}
    return StoredEvent(Key(device, stream, id_), cursor, event, taken_at, decoded, whole, readings)


def _fetch(url: str, statements: Iterable[str]) -> list[list[tuple[Any, ...]]]:
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            # Of a damaged row as much as there is: its hash tells.
            connection.text_factory = lambda raw: raw.decode(errors="replace")
            return [connection.execute(statement).fetchall() for statement in statements]
    import psycopg

    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1)) as session:
        return [session.execute(statement).fetchall() for statement in statements]
