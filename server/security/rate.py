"""The rate limit of one connection: a counter over a sliding window, see docs/adr/0011."""

from shared.clock import Clock, monotonic_s
from shared.errors import Code, Refusal

_WINDOW_S = 10


class RateLimit:
    """At most `per_s` events a second on average over ten seconds, per key. A burst of ten seconds' worth is fine.

    Counted are this window and the one before it, which weighs as much as of it is still within the last ten seconds.
    """

    def __init__(self, per_s: int, clock: Clock) -> None:
        self._most = per_s * _WINDOW_S
        self._clock = clock
        self._since_s = 0.0
        """When this window began."""
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def hit(self, key: str) -> None:
        """Count one event. Raises `Refusal` with `rate_limited`; what is refused is not counted."""
        into_s = monotonic_s(self._clock) - self._since_s
        if into_s >= _WINDOW_S:
            into_s = self._turn(into_s)
        count = self._counts.get(key, 0)
        if count + 1 + self._before.get(key, 0) * (1 - into_s / _WINDOW_S) > self._most:
            raise Refusal(
                Code.RATE_LIMITED, f"more than {self._most} events in {_WINDOW_S} s; wait, then send it again"
            )
        self._counts[key] = count + 1

    def _turn(self, into_s: float) -> float:
        """Begin the window of now. Returns how far into it that is."""
        windows, left_s = divmod(into_s, _WINDOW_S)
        self._before = self._counts if windows == 1 else {}
        self._counts = {}
        self._since_s += windows * _WINDOW_S
        return left_s
