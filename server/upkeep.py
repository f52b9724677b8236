"""What keeps the database well while the relay runs: retention, room on the disk, a way out of damage."""

import logging
import time
from pathlib import Path

from server.settings import RetentionPolicy
from server.storage.engine import Database, Progress, dialect_of
from server.storage.retention import Retention
from server.storage.salvage import mend
from server.storage.space import DiskSpace, disk_space
from shared.clock import Clock, monotonic_s
from shared.settings import SettingsError

log = logging.getLogger(__name__)

_FIRST_S = 60.0
_EVERY_S = 3600.0
_TOLD_EVERY_S = 2.0


class Upkeep:
    """Runs retention once an hour, and sooner when the database cannot take events."""

    def __init__(self, database: Database, retention: Retention, policy: RetentionPolicy, clock: Clock) -> None:
        self._database = database
        self._retention = retention
        self._policy = policy
        self._clock = clock
        self._due_s = monotonic_s(clock) + _FIRST_S
        self.space: DiskSpace | None = None
        """How things stood when it was last looked at."""

    def tick(self, *, healthy: bool) -> None:
        """Do what is due. Call it every few seconds; `healthy` tells whether the database takes events."""
        now = monotonic_s(self._clock)
        if now < self._due_s:
            return
        self._due_s = now + (_EVERY_S if healthy else _FIRST_S)
        pruned = self._retention.run(logged())
        removed = pruned.events + pruned.readings + pruned.minutes + pruned.hours
        if removed:
            log.info("old data removed: rows=%d used_bytes=%d", removed, pruned.used_bytes)
        self.space = disk_space(self._database, self._policy.max_bytes)
        if self.space.warning:
            log.warning("disk: %s", self.space.warning)


def open_database(url: str, clock: Clock) -> Database:
    """Open the database as its one writer; one that was found damaged is first replaced by what can be saved of it.

    Raises `SettingsError`.
    """
    path = dialect_of(url).path
    if path is None:
        return Database.open(url, progress=logged(), claims=True)
    _mend(path, clock, check=False)
    try:
        return Database.open(url, progress=logged(), claims=True)
    except SettingsError:
        if not _mend(path, clock, check=True):
            raise
    return Database.open(url, progress=logged(), claims=True)


def logged() -> Progress:
    """Progress as log lines, one every two seconds."""
    told_at = time.monotonic()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _TOLD_EVERY_S:
            told_at = time.monotonic()
            log.info("%s: done=%d total=%d", what, done, total)

    return tell


def _mend(path: Path, clock: Clock, *, check: bool) -> bool:
    saved = mend(path, clock, logged(), check=check)
    if saved is None:
        return False
    log.error(
        "database was damaged, what could be saved is in use: events=%d corrupt=%d corrupt_cursors=%s kept_aside=%s.*",
        saved.events,
        saved.corrupt,
        saved.corrupt_cursors[:20],
        f"{path.name}.damaged-",
    )
    return True
