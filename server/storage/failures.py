"""What a database may answer instead of doing what it was asked.

Refusal (unavailable: the same may succeed later)
└── DatabaseFailed      locked, gone, out of reach: nothing was stored
    ├── KeyTaken        a row with this key exists
    ├── RowRefused      the database cannot hold this value, now or later
    ├── DiskFull        there is no room
    ├── Superseded      another process is the one writer now
    └── Damaged         the file is not what was written

SettingsError
└── ClaimTaken          another process is the one writer
"""

from shared.errors import Code, Refusal
from shared.settings import SettingsError


class ClaimTaken(SettingsError):
    """Another process writes this database."""


class DatabaseFailed(Refusal):
    """The database did not do it; nothing has changed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(Code.UNAVAILABLE, f"the database cannot do this just now: {reason}")


class KeyTaken(DatabaseFailed):
    """A row with this key exists."""


class RowRefused(DatabaseFailed):
    """The database cannot hold this value."""


class DiskFull(DatabaseFailed):
    """There is no room for it."""


class Superseded(DatabaseFailed):
    """Another process writes this database now; it took over while this one could not reach it."""


class Damaged(DatabaseFailed):
    """The database file is not what was written."""
