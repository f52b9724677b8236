"""Of one kind of news of a device, when the newest was taken: what is older comes out of a backlog."""

from datetime import datetime

from shared.clock import iso_utc


def as_of(taken_at: str | None, now: datetime, taken: datetime | None = None) -> str | None:
    """When news counts as taken; None where it has no time stamp, which says nothing.

    From the future it counts as taken now: else all that follows were old once the device's clock is set right. `taken`
    is what `taken_at` says, where that has been read already: to write a time down takes longer.
    """
    if taken_at is None or (taken is not None and taken <= now):
        return taken_at
    return min(taken_at, iso_utc(now))


class Newest:
    """The time of the newest news of one kind."""

    __slots__ = ("_as_of",)

    def __init__(self) -> None:
        self._as_of = ""

    def is_news(self, at: str | None) -> bool:
        """Whether this is not older than the newest. `at` is of `as_of`."""
        if at is None:
            return True
        if at < self._as_of:
            return False
        self._as_of = at
        return True

    def recall(self, taken_at: str) -> None:
        """Take over what was known before."""
        self._as_of = self._as_of or taken_at
