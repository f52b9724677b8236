"""The rate limit of one connection."""

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from shared.errors import Code, Refusal

_WINDOW_S = 10


class RateLimit:
    """At most `per_s` events a second on average over ten seconds, per key. A burst of ten seconds' worth is fine."""

    def __init__(self, per_s: int) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerSecond(per_s * _WINDOW_S, _WINDOW_S)

    def hit(self, key: str) -> None:
        """Count one event. Raises `Refusal` with `rate_limited`."""
        if not self._limiter.hit(self._item, key):
            raise Refusal(
                Code.RATE_LIMITED, f"more than {self._item.amount} events in {_WINDOW_S} s; wait, then send it again"
            )
