"""The agent's own memory of a room: means of ten minutes, and movements per hour, bounded, for training.

The outbox forgets what the relay has stored; this file remembers some weeks. One commit per ten minutes.
"""

import logging
import sqlite3
import threading
from collections import deque
from pathlib import Path
from typing import Final

from pi_agent.outbox.files import is_damage
from pi_agent.training.climate import SLOTS_PER_DAY, STEP_S, Series, known

log = logging.getLogger(__name__)

KEPT_DAYS: Final = 30
KEPT_HOURS: Final = 8 * 7 * 24
_SCHEMA: Final = 1
_MOST_PENDING: Final = 2 * SLOTS_PER_DAY
"""What waits in memory while the disk takes nothing; the oldest go."""
_CREATE: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE climate (slot INTEGER PRIMARY KEY, temperature REAL, humidity REAL);
CREATE TABLE motion (hour INTEGER PRIMARY KEY, movements INTEGER NOT NULL);
PRAGMA user_version = {_SCHEMA};
COMMIT;
"""
_ADD: Final = {
    "climate": "INSERT OR IGNORE INTO climate VALUES (?, ?, ?)",
    "motion": "INSERT INTO motion VALUES (?, ?) ON CONFLICT DO UPDATE SET movements = movements + excluded.movements",
}

_BOUND: Final = {
    "DELETE FROM climate WHERE slot <= (SELECT slot FROM climate ORDER BY slot DESC LIMIT 1 OFFSET ?)": KEPT_DAYS
    * SLOTS_PER_DAY,
    "DELETE FROM motion WHERE hour <= (SELECT hour FROM motion ORDER BY hour DESC LIMIT 1 OFFSET ?)": KEPT_HOURS,
}


class History:
    """Slots and hours on disk. Safe on any thread."""

    def __init__(self, path: Path) -> None:
        """Open or begin; a file that is damaged, or of another version, is set aside. Raises `OSError`."""
        self.path = path
        self._lock = threading.Lock()
        self._pending: deque[tuple[str, tuple[float | None, ...]]] = deque(maxlen=_MOST_PENDING)
        self._failing = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _connect(path)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise OSError(f"{path}: {error}") from None
            self._connection = self._begin_anew(str(error))

    def add(self, slot: int, temperature: float | None, humidity: float | None) -> None:
        """Keep the means of one slot; the first of two with the same number stays.

        Never raises: a disk that takes nothing is tried again with the next slot.
        """
        if known(temperature) is None and known(humidity) is None:
            return
        self._keep("climate", (slot, known(temperature), known(humidity)))

    def fill(self, past: Series) -> None:
        """Take over slots at once; those that are known already stay. Raises `OSError`."""
        rows = [
            (past.start + index, known(past.temperature[index]), known(past.humidity[index]))
            for index in range(len(past))
        ]
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(_ADD["climate"], rows)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise OSError(f"{self.path}: {error}") from None

    def add_motion(self, hour: int, movements: int) -> None:
        """Add movements to hour number `hour` (whole hours since 1970, UTC)."""
        if movements > 0:
            self._keep("motion", (hour, movements))

    def forget_from(self, slot: int) -> None:
        """The wall clock was set back: what is dated `slot` or later was dated wrongly."""
        with self._lock:
            self._pending.clear()
            self._run("DELETE FROM climate WHERE slot >= ?", (slot,))
            self._run("DELETE FROM motion WHERE hour >= ?", (slot * STEP_S // 3600,))

    def recent(self, days: int = KEPT_DAYS) -> Series:
        """The newest slots, oldest first, those without values included; empty where there is nothing."""
        with self._lock:
            rows = self._run("SELECT slot, temperature, humidity FROM climate ORDER BY slot DESC", ())
        if not rows:
            return Series(0, (), ())
        newest = int(rows[0][0])
        found = {int(row[0]): row for row in rows if newest - row[0] < days * SLOTS_PER_DAY}
        start = min(found)
        empty = (0, None, None)
        slots = [found.get(slot, empty) for slot in range(start, newest + 1)]
        return Series(start, [_number(row[1]) for row in slots], [_number(row[2]) for row in slots])

    def motion(self) -> dict[int, int]:
        """Movements by hour number, where there were any."""
        with self._lock:
            return {int(hour): int(count) for hour, count in self._run("SELECT hour, movements FROM motion", ())}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # --- parts --------------------------------------------------------------------------------------------------

    def _keep(self, table: str, row: tuple[float | None, ...]) -> None:
        with self._lock:
            self._pending.append((table, row))
            try:
                self._write()
            except sqlite3.Error as error:
                if not self._failing:
                    log.warning("history not written, kept in memory: pending=%d: %s", len(self._pending), error)
                self._failing = True
                if is_damage(error):
                    self._connection.close()
                    self._connection = self._begin_anew(str(error))

    def _write(self) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for table, row in self._pending:
                connection.execute(_ADD[table], row)
            # By number, not by age: one slot that a wrong clock dates years ahead must not make all others old.
            for bound, most in _BOUND.items():
                connection.execute(bound, (most,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._pending.clear()
        if self._failing:
            log.info("history is written again")
        self._failing = False

    def _run(self, statement: str, values: tuple[int, ...]) -> list[tuple[float, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            log.warning("history cannot be read: %s", error)
            return []

    def _begin_anew(self, why: str) -> sqlite3.Connection:
        aside = self.path.with_name(f"{self.path.name}.damaged")
        log.error("history set aside: path=%s as=%s: %s", self.path, aside.name, why)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(aside)
        try:
            return _connect(self.path)
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -256")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(_CREATE)
        elif version != _SCHEMA:
            raise sqlite3.DatabaseError(f"schema {version}; this program knows {_SCHEMA}")
        connection.execute("SELECT count(*) FROM climate").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None
