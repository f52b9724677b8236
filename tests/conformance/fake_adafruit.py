"""A stand-in for adafruit_dht with its manners: it caches for 2 s, also after a failure, and says nothing of it."""

import itertools
from collections import deque
from collections.abc import Iterator

from tests.support.clock import FakeClock

NOT_FOUND = "DHT sensor not found, check wiring"
NOT_FULL = "A full buffer was not returned. Try again."
CHECKSUM = "Checksum did not validate. Try again."
UNPLAUSIBLE = "Received unplausible data. Try again."

Outcome = tuple[float, float] | Exception


class FakeDht:
    """What the next attempts give: `script` first, then `always`."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.script: deque[Outcome] = deque()
        self.always: Outcome = (21.5, 48.25)
        self.attempts = 0
        self.exits = 0
        self.takes_s: Iterator[float] = itertools.repeat(0.0)
        self._last_s: float | None = None
        self._values: tuple[float | None, float | None] = (None, None)

    def measure(self) -> None:
        now_s = self.clock.monotonic_ns() / 1e9
        if self._last_s is not None and now_s - self._last_s <= 2:
            return
        self._last_s = now_s
        self.attempts += 1
        outcome = self.script.popleft() if self.script else self.always
        self.clock.advance(next(self.takes_s))
        if isinstance(outcome, Exception):
            raise outcome
        self._values = outcome

    @property
    def temperature(self) -> float | None:
        self.measure()
        return self._values[0]

    @property
    def humidity(self) -> float | None:
        self.measure()
        return self._values[1]

    def exit(self) -> None:
        self.exits += 1
