"""What an outbox holds, for people; read beside a running agent."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pi_agent.outbox.schema import connect_reader
from shared.clock import iso_utc


@dataclass(frozen=True)
class DeadLetter:
    """An event that can never be sent."""

    id: int
    event: str
    code: str
    message: str


@dataclass(frozen=True)
class OutboxReport:
    """The state of one outbox file."""

    path: str
    stream: str
    depth: int
    """Events that wait for the relay's ack."""
    next_id: int
    file_bytes: int
    oldest_taken_at: str | None
    """By the wall clock of that moment, however far that was right."""
    dropped: dict[str, int]
    """Events given up so far, by reason."""
    dead_letters: tuple[DeadLetter, ...]
    """The newest first."""


def inspect(path: Path) -> OutboxReport:
    """Read the outbox at `path`. Raises `OSError` where there is none, or it cannot be read."""
    if not path.exists():
        raise OSError(f"there is no outbox at {path} yet; start the agent, or set outbox.path")
    try:
        connection = connect_reader(path)
        try:
            return _read(path, connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise OSError(f"the outbox at {path} cannot be read: {error}") from None


def _read(path: Path, db: sqlite3.Connection) -> OutboxReport:
    stream, next_id = db.execute("SELECT name, next_id FROM stream").fetchone()
    depth, oldest_ms = db.execute("SELECT count(*), min(wall_ms) FROM event").fetchone()
    oldest = None if oldest_ms is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=oldest_ms)
    letters = db.execute("SELECT id, event, code, message FROM dead ORDER BY number DESC").fetchall()
    return OutboxReport(
        path=str(path),
        stream=stream,
        depth=depth,
        next_id=next_id,
        file_bytes=path.stat().st_size,
        oldest_taken_at=iso_utc(oldest) if oldest else None,
        dropped=dict(db.execute("SELECT reason, events FROM tally ORDER BY reason").fetchall()),
        dead_letters=tuple(DeadLetter(*letter) for letter in letters),
    )
