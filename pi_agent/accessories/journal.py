"""The journal of commands: what was about to be done, on disk before a pin moves, and what came of it.

It outlives the process. So a command that comes twice is executed once, one that a newer one has overtaken not at all,
and one whose process died in between is found, and answered, when the next one starts.
"""

import logging
import secrets
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pi_agent.outbox.files import is_damage
from pi_agent.outbox.schema import connect, migrate
from shared.clock import Clock
from shared.errors import Code

log = logging.getLogger(__name__)

KEPT: Final = 1000
"""So many commands are remembered, those that still need an answer in any case."""
_LEDGERS = 4
"""Of so many relays it is remembered how far their numbers had come."""
_SET_ASIDE = 3
_MIGRATIONS: Final = (
    """
    CREATE TABLE intent (number INTEGER PRIMARY KEY, id TEXT NOT NULL, accessory TEXT NOT NULL, action TEXT NOT NULL,
                         ledger TEXT, seq INTEGER, verdict TEXT, status INTEGER, fault TEXT,
                         answered INTEGER NOT NULL DEFAULT 0, UNIQUE (id, accessory));
    CREATE TABLE taken (ledger TEXT NOT NULL, accessory TEXT NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL,
                        PRIMARY KEY (ledger, accessory));
    """,
)


@dataclass(frozen=True)
class Intent:
    """What a command is about to do at one accessory; `verdict` says why it is not done (None: it is)."""

    id: str
    accessory: str
    action: str
    ledger: str | None = None
    seq: int | None = None
    verdict: Code | None = None


@dataclass(frozen=True)
class Outcome:
    """What the pin read in the end, and why that is not what was wanted (None: it is)."""

    id: str
    accessory: str
    status: bool
    fault: Code | None = None


class Journal:
    """The commands of one agent. `begin` is one thread's, `finish` may be another's; the questions are anybody's.

    Memory is as good as the file while the process lives: where the disk takes nothing, nothing is executed twice all
    the same, and `begin` says so.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make `path`; a damaged file is set aside. Raises `OSError` where it cannot be written."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, dict[str, Outcome | None]] = OrderedDict()
        """By command and accessory what came of it; None: not answered yet."""
        self._open: OrderedDict[tuple[str, str], Intent] = OrderedDict()
        self._taken: OrderedDict[str, dict[str, int]] = OrderedDict()
        """By ledger, the one used last at the end, the highest number per accessory."""
        self._unwritten: list[Outcome] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = self._opened()
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from None

    # --- questions ----------------------------------------------------------------------------------------------

    def known(self, command_id: str) -> bool:
        """True for a command that was begun before."""
        return command_id in self._known

    def outcomes(self, command_id: str) -> Sequence[Outcome]:
        """What was answered to a command, per accessory; empty while that is still to come."""
        found = list(self._known.get(command_id, {}).values())
        return [outcome for outcome in found if outcome is not None] if None not in found else []

    def taken(self, ledger: str, accessory: str) -> int:
        """The highest number of that ledger that was taken for the accessory; -1: none."""
        return self._taken.get(ledger, {}).get(accessory, -1)

    def latest(self) -> tuple[str, int] | None:
        """The ledger whose commands were taken last, and the highest of their numbers."""
        newest = next(reversed(self._taken.items()), None)
        return None if newest is None else (newest[0], max(newest[1].values()))

    def unanswered(self) -> Sequence[Intent]:
        """What was begun and not answered, the oldest first."""
        return list(self._open.values())

    # --- entries ------------------------------------------------------------------------------------------------

    def begin(self, intents: Sequence[Intent]) -> bool:
        """Note what is about to be done; False when only in memory, as the disk does not take it."""
        with self._lock:
            for intent in intents:
                self._remember(intent)
            return self._write(intents)

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        """Note answers that are safely on their way."""
        with self._lock:
            for outcome in outcomes:
                self._settle(outcome)
                self._unwritten.append(outcome)
            self._write(())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # --- memory -------------------------------------------------------------------------------------------------

    def _remember(self, intent: Intent) -> None:
        self._known.setdefault(intent.id, {})[intent.accessory] = None
        self._open[intent.id, intent.accessory] = intent
        if intent.ledger is not None and intent.seq is not None:
            numbers = self._taken.setdefault(intent.ledger, {})
            numbers[intent.accessory] = max(intent.seq, numbers.get(intent.accessory, -1))
            self._taken.move_to_end(intent.ledger)
            while len(self._taken) > _LEDGERS:
                self._taken.popitem(last=False)
        while len(self._known) > KEPT and (oldest := next((key for key in self._known if self.outcomes(key)), None)):
            del self._known[oldest]

    def _settle(self, outcome: Outcome) -> None:
        self._open.pop((outcome.id, outcome.accessory), None)
        if outcome.id in self._known:
            self._known[outcome.id][outcome.accessory] = outcome

    # --- the file -----------------------------------------------------------------------------------------------

    def _write(self, intents: Sequence[Intent]) -> bool:
        """One commit of `intents` and of every outcome that waits for one."""
        try:
            try:
                self._commit(self._db, intents)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._db.close()
                self._set_aside(str(error))
                self._db = self._made()
                self._commit(self._db, list(self._open.values()), whole=True)
        except (sqlite3.Error, OSError) as error:
            log.error("journal of commands cannot be written: %s", error)
            return False
        self._unwritten.clear()
        return True

    def _commit(self, db: sqlite3.Connection, intents: Sequence[Intent], *, whole: bool = False) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                "INSERT OR IGNORE INTO intent (id, accessory, action, ledger, seq, verdict) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (intent.id, intent.accessory, intent.action, intent.ledger, intent.seq, intent.verdict)
                    for intent in intents
                ],
            )
            touched = self._taken if whole else {intent.ledger for intent in intents} & self._taken.keys()
            db.executemany(
                "INSERT OR REPLACE INTO taken VALUES (?, ?, ?, (SELECT coalesce(max(number), 0) FROM intent))",
                [
                    (ledger, accessory, seq)
                    for ledger in self._taken
                    if ledger in touched
                    for accessory, seq in self._taken[ledger].items()
                ],
            )
            for outcome in self._unwritten:
                db.execute(
                    "UPDATE intent SET status = ?, fault = ?, answered = 1 WHERE id = ? AND accessory = ?",
                    (outcome.status, outcome.fault, outcome.id, outcome.accessory),
                )
            if intents:
                db.execute(
                    "DELETE FROM intent WHERE answered AND number <= (SELECT max(number) FROM intent) - ?", (KEPT,)
                )
                marks = ", ".join("?" * len(self._taken))
                db.execute(f"DELETE FROM taken WHERE ledger NOT IN ({marks})", list(self._taken))  # noqa: S608
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _opened(self) -> sqlite3.Connection:
        db = None
        try:
            db = connect(self._path)
            migrate(db, _MIGRATIONS)
            if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(found)
            self._recall(db)
        except (sqlite3.Error, ValueError) as error:
            if db is not None:
                db.close()
            if isinstance(error, sqlite3.Error) and not is_damage(error):
                raise
            for memory in (self._known, self._open, self._taken):
                memory.clear()
            self._set_aside(str(error))
            return self._made()
        return db

    def _made(self) -> sqlite3.Connection:
        db = connect(self._path)
        try:
            migrate(db, _MIGRATIONS)
        except BaseException:
            db.close()
            raise
        return db

    def _recall(self, db: sqlite3.Connection) -> None:
        """Read what was remembered. Raises `ValueError` for what no version of this program wrote."""
        for ledger, accessory, seq in db.execute("SELECT ledger, accessory, seq FROM taken ORDER BY number"):
            self._taken.setdefault(ledger, {})[accessory] = int(seq)
            self._taken.move_to_end(ledger)
        rows = db.execute(
            "SELECT id, accessory, action, ledger, seq, verdict, status, fault, answered FROM intent ORDER BY number"
        )
        for id_, accessory, action, ledger, seq, verdict, status, fault, answered in rows:
            outcome = Outcome(id_, accessory, bool(status), Code(fault) if fault else None) if answered else None
            self._known.setdefault(id_, {})[accessory] = outcome
            if outcome is None:
                why = Code(verdict) if verdict else None
                self._open[id_, accessory] = Intent(id_, accessory, action, ledger, seq, why)

    def _set_aside(self, why: str) -> None:
        """Keep the damaged file under another name, and begin a new one."""
        name = f"{self._path.name}.damaged-{self._clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        log.error("journal of commands damaged, set aside: path=%s as=%s: %s", self._path, name, why)
        for suffix in ("", "-wal", "-shm"):
            file = self._path.with_name(self._path.name + suffix)
            if file.exists():
                file.rename(file.with_name(name + suffix))
        aside = self._path.parent.glob(f"{self._path.name}.damaged-*[0-9a-f]")  # not their -wal and -shm
        for old in sorted(aside, key=lambda file: file.stat().st_mtime)[:-_SET_ASIDE]:
            for file in self._path.parent.glob(f"{old.name}*"):
                file.unlink(missing_ok=True)
