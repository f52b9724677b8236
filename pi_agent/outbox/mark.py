"""A witness beside the database: how far the ids had come.

SQLite drops what follows the first damaged frame of its log without a word, and would then give ids away twice. The
mark is written after every commit, never before: when it is ahead of the database, commits have been lost. It is not
flushed, so it may be behind after a power failure; then it merely says nothing.

It also keeps what the drop records say that the relay does not have yet: one that is lost itself is made again.
"""

import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from shared.contract.payloads import DropReason

_BYTES = 128
_DECLARED_BYTES = 3_968
"""The rest of the one block that the file takes. Some forty declarations; of more the newest are kept."""


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


@dataclass(frozen=True)
class Declaration:
    """What a drop record says of which ids; `record_id` is its own."""

    record_id: int
    stream: str
    first: int
    last: int
    count: int
    reason: DropReason


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
        self._written: list[Declaration] | None = None

    def read(self) -> Progress | None:
        """What was last written; None for a new or damaged mark."""
        words = os.pread(self._fd, _BYTES, 0).split()
        if len(words) != 4 or words[3] != _check(words[:3]):
            return None
        stream, next_id, low, _ = words
        return Progress(stream.decode("ascii"), int(next_id), int(low))

    def declared(self) -> list[Declaration]:
        """What was last declared lost and not known to be told; empty in a new or damaged mark."""
        *words, check = os.pread(self._fd, _DECLARED_BYTES, _BYTES).split() or [b""]
        if check != _check(words) or len(words) % 6:
            return []
        rows = (words[at : at + 6] for at in range(0, len(words), 6))
        return [
            Declaration(
                int(id_), stream.decode("ascii"), int(first), int(last), int(count), DropReason(reason.decode())
            )
            for id_, stream, first, last, count, reason in rows
        ]

    def write(self, progress: Progress, declared: Iterable[Declaration] = ()) -> None:
        """Replace the mark. Its place on the disk is taken once, so a full disk does not stop it."""
        words = [progress.stream.encode("ascii"), b"%d" % progress.next_id, b"%d" % progress.low]
        os.pwrite(self._fd, b" ".join([*words, _check(words)]).ljust(_BYTES - 1) + b"\n", 0)
        present = list(declared)
        if present != self._written:
            os.pwrite(self._fd, _encoded(present), _BYTES)
            self._written = present

    def close(self) -> None:
        """Let another process have the outbox."""
        os.close(self._fd)


def _encoded(declared: list[Declaration]) -> bytes:
    while True:
        words = [str(word).encode("ascii") for declaration in declared for word in astuple(declaration)]
        text = b" ".join([*words, _check(words)])
        if len(text) < _DECLARED_BYTES:
            return text.ljust(_DECLARED_BYTES - 1) + b"\n"
        declared = declared[1:]


def _check(words: list[bytes]) -> bytes:
    return b"%08x" % zlib.crc32(b" ".join(words))
