"""The tables of the outbox file, and how an older file becomes a newer one."""

import sqlite3
from pathlib import Path
from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE stream (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, next_id INTEGER NOT NULL,
                         low INTEGER NOT NULL, digest BLOB NOT NULL);
    CREATE TABLE event (id INTEGER PRIMARY KEY, event TEXT NOT NULL, fields BLOB NOT NULL, boot_id TEXT NOT NULL,
                        monotonic_ns INTEGER NOT NULL, wall_ms INTEGER NOT NULL, synchronised INTEGER NOT NULL,
                        digest BLOB NOT NULL);
    -- Ids above `low` that are no longer in `event` although no ack settled them.
    CREATE TABLE gone (first_id INTEGER PRIMARY KEY, last_id INTEGER NOT NULL);
    CREATE TABLE dead (number INTEGER PRIMARY KEY, id INTEGER NOT NULL, event TEXT NOT NULL, fields BLOB NOT NULL,
                       wall_ms INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL);
    CREATE TABLE tally (reason TEXT PRIMARY KEY, events INTEGER NOT NULL);
    """,
)
"""What leads from version n to n + 1. A step that was released is never changed; `PRAGMA user_version` counts them."""


class NewerSchema(OSError):
    """The file was written by a newer version of this program."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file as a writer. Raises `sqlite3.DatabaseError` when it is damaged."""
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        # A damaged text must come as far as the row's hash, which locates it.
        connection.text_factory = _text
        # A commit writes whole pages: with small ones, a quarter of what it would be.
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA cache_size = -512")
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a file that a writer has prepared, to read. Raises `sqlite3.DatabaseError` when it is damaged."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None, check_same_thread=False
    )
    try:
        connection.text_factory = _text
        connection.execute("PRAGMA cache_size = -512")
    except BaseException:
        connection.close()
        raise
    return connection


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def migrate(connection: sqlite3.Connection, steps: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring the file to the newest version, whole or not at all. Raises `NewerSchema`."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise NewerSchema(
            f"the outbox has schema {version}, this program knows {len(steps)}; upgrade it, or move the file"
        )
    if version < len(steps):
        script = "\n".join(steps[version:])
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {len(steps)};\nCOMMIT;")
