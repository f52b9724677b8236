"""Room on the disk: how much there is, and a little that is kept for the moment when there is none."""

import os
from pathlib import Path

from msgspec import Struct

from server.storage.engine import Database

RESERVE_BYTES = 16 * 1024 * 1024
_LEAST_BYTES = 256 * 1024 * 1024
_LEAST_PART = 0.05


class DiskSpace(Struct, frozen=True):
    """What the database takes, and what is left for it."""

    used_bytes: int
    bound_bytes: int
    """Where retention stops its growth."""
    free_bytes: int | None
    """None where the database is on a server: its disk is not ours to see."""
    warning: str = ""
    """What to do, well before the disk is full; empty when there is nothing to do."""


def disk_space(database: Database, bound_bytes: int) -> DiskSpace:
    """How things stand. `bound_bytes` is the policy's `max_bytes`. Raises `DatabaseFailed`."""
    used = database.read(database.dialect.used_bytes)
    path = database.dialect.path
    if path is None:
        return DiskSpace(used, bound_bytes, None)
    disk = os.statvfs(path.parent)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    growth = max(0, bound_bytes - used)
    warning = ""
    if free < max(_LEAST_BYTES, _LEAST_PART * total):
        warning = (
            f"{_mb(free)} left on the disk of {path}; make room, or keep less: retention.max_bytes, retention.log_days"
        )
    elif free < growth:
        warning = (
            f"the database may grow by {_mb(growth)} more and the disk of {path} has {_mb(free)}; make room, or lower "
            "retention.max_bytes"
        )
    return DiskSpace(used, bound_bytes, free, warning)


class Reserve:
    """A file beside the database that is removed when the disk is full, so that retention can do its work."""

    def __init__(self, database: Path | None) -> None:
        """`database` is None where there is no file: then there is no reserve."""
        self._path = database.with_name(database.name + ".reserve") if database else None

    def make(self) -> None:
        """Set the room aside, where there is plenty. Never raises: without it there is only less safety."""
        if self._path is None or self._path.exists():
            return
        try:
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < 4 * RESERVE_BYTES:
                return
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, RESERVE_BYTES)
            finally:
                os.close(file)
        except OSError:
            self._path.unlink(missing_ok=True)

    def release(self) -> bool:
        """Give the room up. False where there was none."""
        if self._path is None or not self._path.exists():
            return False
        self._path.unlink()
        return True


def _mb(size: float) -> str:
    return f"{size / 1024**2:.0f} MB"
