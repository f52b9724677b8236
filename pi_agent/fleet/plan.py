"""What happens to a fleet, and when: all of it follows from one seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.clock import Clock

_CUT_SHARE: Final = 0.1
"""Of the links, each time; at least one."""


@dataclass(frozen=True)
class Cut:
    """So many devices lose their links."""

    devices: tuple[int, ...]


@dataclass(frozen=True)
class Kill:
    """One device dies without a word."""

    device: int


class Faults:
    """Cuts and kills in the order in which they are due. Two of the same seed and size are the same."""

    def __init__(self, seed: int, devices: int, *, cut_every_s: float | None, kill_every_s: float | None) -> None:
        self._devices = devices
        self._rng = {what: random.Random(f"fleet/{seed}/{what}") for what in ("cut", "kill")}
        self._every = {"cut": cut_every_s, "kill": kill_every_s}
        self._next = {what: every_s for what, every_s in self._every.items() if every_s is not None}

    def due(self, elapsed_s: float) -> Iterator[Cut | Kill]:
        """What is due by now and was not told before."""
        while ready := [(at_s, what) for what, at_s in self._next.items() if at_s <= elapsed_s]:
            at_s, what = min(ready)
            self._next[what] = at_s + (self._every[what] or 0.0)
            yield self._cut() if what == "cut" else Kill(self._rng[what].randrange(self._devices))

    def _cut(self) -> Cut:
        count = max(1, round(self._devices * _CUT_SHARE))
        return Cut(tuple(self._rng["cut"].sample(range(self._devices), count)))


def seed_of(seed: int, number: int) -> int:
    """The seed of one device's simulated room and faults."""
    return random.Random(f"fleet/{seed}/room/{number}").randrange(2**31)


def skew_of(seed: int, number: int, most_s: float) -> float:
    """How far one device's wall clock is off, in seconds either way."""
    return random.Random(f"fleet/{seed}/clock/{number}").uniform(-most_s, most_s) if most_s else 0.0


class SkewedClock:
    """A clock that nobody has set: its wall time is off, and it does not claim otherwise."""

    def __init__(self, clock: Clock, skew_s: float) -> None:
        self._clock = clock
        self._skew = timedelta(seconds=skew_s)

    @property
    def boot_id(self) -> str:
        return self._clock.boot_id

    def now(self) -> datetime:
        return self._clock.now() + self._skew

    def monotonic_ns(self) -> int:
        return self._clock.monotonic_ns()

    def synchronised(self) -> bool:
        return False
