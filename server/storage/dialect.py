"""What differs between the databases, behind one protocol; `sqlite.py` and `postgres.py` are the two.

Rows go in and come out as one JSON text per statement. In a busy relay that is what makes it fast: each step of SQLite
and each wait for PostgreSQL gives the interpreter lock away and must win it back from the hub, 5 ms each time. Measured
under a busy hub: 500 events with five readings each take 7 s row by row, 127 ms in statements of many rows, 20 ms so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
from sqlalchemy import URL, Connection, Engine, Select, Table
from sqlalchemy.types import Double, Text

from server.storage.failures import DatabaseFailed

_encode = msgspec.json.encode


def as_json(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as a statement's one parameter takes them."""
    return _encode(rows).decode()


class Claim(Protocol):
    """The right to write the log; one process at a time has it."""

    mark: int
    """The highest cursor that any holder has noted; 0 where none is kept."""

    def note(self, cursor: int, /) -> None:
        """Events up to `cursor` are committed. Survives a crash of the process, not of the machine."""

    def renew(self, connection: Connection, /) -> None:
        """Make sure of it on a new connection. Raises `SettingsError` where another process has it."""

    def release(self) -> None:
        """Give it up."""


class Dialect(Protocol):
    """One kind of database."""

    name: str
    url: URL
    where: str
    """The database, for people; without a password."""

    @property
    def path(self) -> Path | None:
        """The database's file, where it is one."""

    def engine(self, *, writes: bool) -> Engine:
        """An engine for one native thread. Transactions are begun explicitly; else a statement commits at once."""

    def take_in(self, connection: Connection, first: int, received_at: int, rows: "Rows", /) -> None:
        """Write one group: one statement, one transaction. Its events get the cursors `first`, `first` + 1, …"""

    def source(self, columns: Sequence[str]) -> str:
        """A `SELECT` that yields one JSON parameter's rows. `columns` are SQL types, in the order of the row."""

    def rows(self, connection: Connection, select: Select[Any], /) -> list[list[Any]]:
        """Fetch all rows of `select` (numbers and text) in one step."""

    def iso_text(self, column: Any, /) -> Any:
        """Milliseconds since 1970 as ISO 8601 text."""

    def failure(self, error: BaseException, /) -> DatabaseFailed | None:
        """What a driver's error means; None where it is not the database's."""

    def note_damage(self) -> None:
        """The database was found damaged: see to it at the next start."""

    def lock_schema(self, connection: Connection, /) -> None:
        """Wait until no other process migrates; held until the transaction ends."""

    def claim(self, connection: Connection, /) -> Claim:
        """Become the one writer of the log. Raises `SettingsError` where another process is."""

    def used_bytes(self, connection: Connection) -> int:
        """What the data takes, free pages not counted."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One group, in the shape in which `Dialect.take_in` sends it: each field is the JSON of rows."""

    events: str
    """(stream_id, id, event, taken_at, body, hash)"""
    readings: str
    """(series_id, taken_at, index of the event in this group, value)"""
    drops: str
    """(index of the event in this group, stream_id, first, last, reason)"""


def insert_many(dialect: Dialect, table: Table, columns: Sequence[str], on_conflict: str = "") -> str:
    """An `INSERT` of one JSON parameter's rows into `columns` of `table`."""
    types = [_sql_type(table, column) for column in columns]
    return f"INSERT INTO {table.name} ({', '.join(columns)}) {dialect.source(types)} {on_conflict}"


def _sql_type(table: Table, column: str) -> str:
    kind = table.c[column].type
    return "text" if isinstance(kind, Text) else "double precision" if isinstance(kind, Double) else "bigint"
