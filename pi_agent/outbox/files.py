"""The files of an outbox: opened, set aside when damaged, and made anew."""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from pi_agent.outbox.mark import Mark, Progress
from pi_agent.outbox.reader import Reader
from pi_agent.outbox.rows import Stamp
from pi_agent.outbox.salvage import Wreck
from pi_agent.outbox.store import Store
from shared.clock import Clock

log = logging.getLogger(__name__)

_SET_ASIDE = 3
"""As many damaged files are kept, for people to look at."""
_DAMAGE = {
    sqlite3.SQLITE_ERROR,  # our statements are constants: a table or column is missing
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,  # an id that was given away before
    sqlite3.SQLITE_MISMATCH,
}


class Files:
    """Database and mark of one outbox, locked against other processes while open."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open what is there, or begin. Raises `OSError`: not writable, in use, of a newer version."""
        self.path = path
        self.generation = 0
        """Counts the files that had to be replaced: a reader of an earlier one must be opened anew."""
        self._whole = threading.Lock()
        """Held while the file is replaced: one that is only half taken over would look like one with gaps."""
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        self._mark = Mark(path.with_suffix(".mark"))
        try:
            self.store = self._open()
        except sqlite3.Error as error:
            self._mark.close()
            raise OSError(f"{path}: {error}") from None
        except BaseException:
            self._mark.close()
            raise

    def mark(self) -> None:
        """Note how far the ids have come; after every commit."""
        self._mark.write(self.store.progress, self.store.declared.values())

    def reader(self) -> Reader:
        """A reader of the present file. Raises `sqlite3.Error`."""
        with self._whole:
            return Reader(self.path)

    def replace(self, why: str) -> None:
        """Set the damaged file aside and go on with what can be read of it; what cannot is found missing, and told.

        Where not even the stream can be read, a new one begins, and says what was lost.
        """
        with self._whole:
            self.store.close()
            self.store = self._afresh(why)
            self.generation += 1

    def close(self) -> None:
        """Close everything and let another process have it."""
        self.store.close()
        self._mark.close()

    def _open(self) -> Store:
        try:
            store = Store(self.path, _new_stream())
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return self._afresh(str(error))
        self._confess(store)
        self._recall(store)
        return store

    def _afresh(self, why: str) -> Store:
        wreck = self._set_aside(why)
        try:
            progress = wreck.progress() if wreck else None
            store = Store(self.path, progress or _new_stream())
            self._confess(store)
            if wreck and progress:
                self._salvage(wreck, progress, store)
            self._recall(store)
        finally:
            if wreck:
                wreck.close()
        return store

    def _salvage(self, wreck: Wreck, progress: Progress, store: Store) -> None:
        count = 0
        try:
            for rows in wreck.rows(progress):
                with store.commit():
                    store.adopt(rows, ())
                count += len(rows)
            with store.commit():
                store.adopt((), wreck.gone())
        except sqlite3.Error as error:
            # Such as a full disk: what was not taken over is found missing later.
            log.error("outbox not taken over whole: %s", error)
        log.warning("outbox taken over: events=%d of at most %d", count, progress.next_id - progress.low)

    def _confess(self, store: Store) -> None:
        """Put on record what the mark knows of and the file does not have."""
        known, present = self._mark.read(), store.progress
        stamp = Stamp.of(self._clock)
        if known is None:
            pass
        elif known.stream == present.stream and known.next_id > present.next_id:
            log.error("outbox commits lost: from_id=%d to_id=%d", present.next_id, known.next_id - 1)
            with store.commit():
                store.skip_to(known.next_id, stamp)
        elif known.stream != present.stream and known.next_id > known.low:
            log.error("outbox lost: stream=%s from_id=%d to_id=%d", known.stream, known.low, known.next_id - 1)
            with store.commit():
                store.record_lost_stream(known, stamp, "the outbox file was lost or damaged")

    def _recall(self, store: Store) -> None:
        """Drop records may have been lost as well. From then on the mark is that of `store`."""
        known, stamp = self._mark.read(), Stamp.of(self._clock)
        if known and (declared := self._mark.declared()):
            with store.commit():
                for said in declared:
                    store.recall(said, known.stream, stamp)
        self._mark.write(store.progress, store.declared.values())

    def _set_aside(self, why: str) -> Wreck | None:
        """Keep the damaged file under another name; what can be read of it, None where nothing can."""
        name = f"{self.path.name}.damaged-{self._clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        log.error("outbox damaged, set aside: path=%s as=%s: %s", self.path, name, why)
        for file in self._parts():
            file.rename(file.with_name(file.name.replace(self.path.name, name, 1)))
        aside = sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"), key=lambda file: file.stat().st_mtime)
        bases = list(dict.fromkeys(file.name.removesuffix("-wal").removesuffix("-shm") for file in aside))
        for base in bases[:-_SET_ASIDE]:
            for file in self.path.parent.glob(f"{base}*"):
                file.unlink(missing_ok=True)
        try:
            return Wreck(self.path.with_name(name))
        except sqlite3.Error:
            return None

    def _parts(self) -> Iterator[Path]:
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                yield file


def is_damage(error: sqlite3.Error) -> bool:
    """True when `error` says that the file itself is not what it should be, false for a full disk, a lock, a slip."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _DAMAGE


def _new_stream() -> Progress:
    return Progress(secrets.token_urlsafe(12), next_id=1, low=1)
