"""The ledger's ranges on disk, each with a seal: a flipped bit in one would turn new events into duplicates.

A range whose seal does not fit is left out, and the ids of its stream that the log still has are taken instead.
"""

from typing import Any
from zlib import crc32

from sqlalchemy import ColumnElement, Connection, select

from server.storage.dialect import Dialect
from server.storage.tables import events, stored_ranges

Ranges = dict[int, list[tuple[int, int]]]
"""Stream's row to (first, last); they may overlap and come in any order."""


def seal(stream: int, first: int, last: int) -> int:
    """What the column `seal` of this range must be."""
    return crc32(f"{stream} {first} {last}".encode())


def read_ranges(
    dialect: Dialect, connection: Connection, of: ColumnElement[bool] | None = None
) -> tuple[Ranges, list[int]]:
    """The ranges of all streams, or of those that fit `of`; and the streams of which one was damaged."""
    chosen = select(stored_ranges.c.stream_id, stored_ranges.c.first, stored_ranges.c.last, stored_ranges.c.seal)
    found: Ranges = {}
    damaged = set()
    for stream, first, last, sealed in dialect.rows(connection, chosen if of is None else chosen.where(of)):
        if sealed == seal(stream, first, last):
            found.setdefault(stream, []).append((first, last))
        else:
            damaged.add(stream)
    for stream in damaged:
        found.setdefault(stream, []).extend(_from_log(dialect, connection, stream))
    return found, sorted(damaged)


def _from_log(dialect: Dialect, connection: Connection, stream: int) -> list[tuple[int, int]]:
    rows: list[list[Any]] = dialect.rows(connection, select(events.c.id).where(events.c.stream_id == stream))
    return [(id_, id_) for (id_,) in rows]
