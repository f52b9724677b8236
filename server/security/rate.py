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
        self._window = 0.0
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def hit(self, key: str) -> None:
        """Count one event. Raises `Refusal` with `rate_limited`; what is refused is not counted."""
        window, into_s = divmod(monotonic_s(self._clock), _WINDOW_S)
        if window != self._window:
            self._before = self._counts if window == self._window + 1 else {}
            self._window, self._counts = window, {}
        count = self._counts.get(key, 0)
        if count + 1 + self._before.get(key, 0) * (1 - into_s / _WINDOW_S) > self._most:
            raise Refusal(
                Code.RATE_LIMITED, f"more than {self._most} events in {_WINDOW_S} s; wait, then send it again"
            )
        self._counts[key] = count + 1
