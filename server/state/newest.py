"""Of each kind of news of one device, when the newest was taken: what is older comes out of a backlog."""

from datetime import datetime

from shared.clock import iso_utc


class Newest:
    """Times by kind of news."""

    def __init__(self) -> None:
        self._as_of: dict[str, str] = {}

    def is_news(self, of: str, taken_at: str | None, now: datetime) -> bool:
        """Whether this is not older than the newest of its kind; a missing time stamp says nothing.

        One from the future counts as taken now: else all that follows were old once the device's clock is set right.
        """
        if taken_at is None:
            return True
        at = min(taken_at, iso_utc(now))
        if at < self._as_of.get(of, ""):
            return False
        self._as_of[of] = at
        return True

    def recall(self, of: str, taken_at: str) -> None:
        """Take over what was known before."""
        self._as_of.setdefault(of, taken_at)

    def forget(self, of: str) -> None:
        """There is no such kind any more."""
        self._as_of.pop(of, None)
