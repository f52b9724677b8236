"""A witness beside the database: how far the ids had come.

SQLite drops what follows the first damaged frame of its log without a word, and would then give ids away twice. The
mark is written after every commit, never before: when it is ahead of the database, commits have been lost. It is not
flushed, so it may be behind after a power failure; then it merely says nothing.
"""

import fcntl
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

_BYTES = 128


class OutboxBusy(OSError):
    """Another process has the outbox open."""


@dataclass(frozen=True)
class Progress:
    """Where a stream stood."""

    stream: str
    next_id: int
    """The id that the next event gets."""
    low: int
    """Everything below is settled: stored by the relay, or given up on record."""

    def digest(self) -> bytes:
        """What the row of the stream must hash to when it is read again."""
        return hashlib.blake2b(repr((self.stream, self.next_id, self.low)).encode(), digest_size=8).digest()


class Mark:
    """The mark's file; open, it is also the lock of the whole outbox."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises `OutboxBusy`, or `OSError` where it cannot be written."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise OutboxBusy(f"{path.parent} is used by another agent; stop it, or set outbox.path") from None

    def read(self) -> Progress | None:
        """What was last written; None for a new or damaged mark."""
        words = os.pread(self._fd, _BYTES, 0).split()
        if len(words) != 4 or words[3] != _check(words[:3]):
            return None
        stream, next_id, low, _ = words
        return Progress(stream.decode("ascii"), int(next_id), int(low))

    def write(self, progress: Progress) -> None:
        """Replace the mark. Its place on the disk is taken once, so a full disk does not stop it."""
        words = [progress.stream.encode("ascii"), b"%d" % progress.next_id, b"%d" % progress.low]
        os.pwrite(self._fd, b" ".join([*words, _check(words)]).ljust(_BYTES - 1) + b"\n", 0)

    def close(self) -> None:
        """Let another process have the outbox."""
        os.close(self._fd)


def _check(words: list[bytes]) -> bytes:
    return b"%08x" % zlib.crc32(b" ".join(words))
