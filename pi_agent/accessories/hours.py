"""Hours of the day, in the device's time zone: when a light is on by itself, and when it is quiet.

Nothing is planned ahead. What the local clock shows now decides, and a change of that is an edge: so a step of the
clock, and the beginning or end of summer time, need no rule of their own. A time that a day does not have (02:30 when
the clock jumps from 02:00 to 03:00) begins at the jump; an hour that a day has twice counts twice.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from shared.clock import Clock

log = logging.getLogger(__name__)

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MIN: Final = 24 * 60
_TIMES = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_EXAMPLES = "write 22:30-07:00, mon-fri 18:00-22:30 or sat,sun 10:00-24:00"


@dataclass(frozen=True)
class Span:
    """From one time of day to another, on some days of the week. One that runs over midnight belongs to its first day.

    `days` are 0 (Monday) to 6; `begin_min` and `end_min` are minutes after midnight, `end_min` up to 24:00.
    """

    days: frozenset[int]
    begin_min: int
    end_min: int

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Read `[DAYS ]HH:MM-HH:MM`. Raises `ValueError` with examples."""
        days, _, times = text.strip().rpartition(" ")
        found = _TIMES.fullmatch(times)
        if found is None:
            raise ValueError(f"{text!r} is no span of hours; {_EXAMPLES}")
        begin = int(found[1]) * 60 + int(found[2])
        end = _DAY_MIN if found[3] is None else int(found[3]) * 60 + int(found[4])
        if begin == end:
            raise ValueError(f"{text!r} begins and ends at once; {_EXAMPLES}")
        return cls(_days(days, text), begin, end)

    def holds(self, local: datetime) -> bool:
        """True while the clock on the wall is within it."""
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.begin_min < self.end_min:
            return today in self.days and self.begin_min <= minute < self.end_min
        yesterday = (today - 1) % 7
        return (today in self.days and minute >= self.begin_min) or (yesterday in self.days and minute < self.end_min)


def _days(words: str, text: str) -> frozenset[int]:
    if not words.strip():
        return frozenset(range(7))
    days: set[int] = set()
    for word in words.lower().split(","):
        first, dash, last = (part.strip() for part in word.partition("-"))
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f"{text!r} names no days of the week; {_EXAMPLES}")
        begin = _DAYS.index(first)
        length = (_DAYS.index(last) - begin) % 7 + 1 if dash else 1
        days.update((begin + day) % 7 for day in range(length))
    return frozenset(days)


class Hours:
    """The spans of one accessory, and what they ask for."""

    def __init__(self, schedule: Sequence[Span], quiet: Span | None, zone: tzinfo | None, clock: Clock) -> None:
        """`zone` is the device's; None: the machine's own."""
        self._schedule = schedule
        self._quiet = quiet
        self._zone = zone
        self._clock = clock
        self._trusted = False
        self._warned = False
        self._last: bool | None = None

    def edge(self) -> bool | None:
        """What to do now: True on, False off, None nothing. Each change is told once.

        Nothing before a time source has set the clock: a Pi that was switched on believes that it is some other day.
        """
        if not self._trust():
            return None
        local = self._clock.now().astimezone(self._zone)
        now = self._wanted(local)
        last, self._last = self._last, now
        return None if now is last else now

    def wait_s(self) -> float:
        """How long until the clock shows another minute."""
        return 60.0 - self._clock.now().timestamp() % 60

    def _wanted(self, local: datetime) -> bool | None:
        """True: on; False: off; None: as people want it."""
        if self._quiet is not None and self._quiet.holds(local):
            return False
        return any(span.holds(local) for span in self._schedule) if self._schedule else None

    def _trust(self) -> bool:
        if self._trusted:
            return True
        self._trusted = self._clock.synchronised()
        if self._trusted:
            log.info("schedule begins: the clock is synchronised")
        elif not self._warned:
            self._warned = True
            log.warning("schedule waits: no time source has set the clock yet; nothing is switched by it until one has")
        return self._trusted
