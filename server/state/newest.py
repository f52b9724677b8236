"""Of each kind of news of one device, when the newest was taken: what is older comes out of a backlog."""

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
    """Times by kind of news."""

    def __init__(self) -> None:
        self._as_of: dict[str, str] = {}

    def is_news(self, of: str, at: str | None) -> bool:
        """Whether this is not older than the newest of its kind. `at` is of `as_of`."""
        if at is None:
            return True
        if at < self._as_of.get(of, ""):
            return False
        self._as_of[of] = at
        return True

    def forget(self, of: str) -> None:
        """There is no such kind any more."""
        self._as_of.pop(of, None)
