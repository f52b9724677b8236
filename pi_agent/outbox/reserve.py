"""Disk space kept for bad days: on a full disk, deleting needs space too."""

import logging
import os
import shutil
from pathlib import Path

log = logging.getLogger(__name__)


class Reserve:
    """A file of a given size beside the outbox, given up when the disk is full and made again when it is not."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def fill(self) -> None:
        """Make the file, where it is wanted, missing, and leaves the disk as much again."""
        if not self._size_bytes or self._path.exists():
            return
        try:
            if shutil.disk_usage(self._path.parent).free < 2 * self._size_bytes:
                return
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
        except OSError as error:
            log.warning("no disk space in reserve: path=%s: %s", self._path, error.strerror)
            self._path.unlink(missing_ok=True)

    def spend(self) -> bool:
        """Give the space back to the disk. False when there was none."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        log.warning("disk full: the reserve is spent: path=%s bytes=%d", self._path, self._size_bytes)
        return True
