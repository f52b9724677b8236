"""Time, passed in. Nothing else in the house asks the operating system what time it is."""

import ctypes
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
_TIMEX_BYTES = 512  # more than any platform's struct timex


class Clock(Protocol):
    """Wall time for people, monotonic time for intervals, and how far the wall time can be trusted."""

    @property
    def boot_id(self) -> str:
        """Names this boot: monotonic times compare only within one."""

    def now(self) -> datetime:
        """Wall time, in UTC."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some fixed point of this boot; never steps back."""

    def synchronised(self) -> bool:
        """True when a time source (NTP, PTP) has set the wall clock."""


class SystemClock:
    """The machine's own clock."""

    @cached_property
    def boot_id(self) -> str:
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return str(uuid.uuid4())

    @cached_property
    def _libc(self) -> ctypes.CDLL:
        # Once: opening it costs more than all that an event asks of a clock.
        return ctypes.CDLL(None, use_errno=True)

    def now(self) -> datetime:
        return datetime.now(UTC)

    # The function itself: a relay asks several times for each event.
    monotonic_ns = staticmethod(time.monotonic_ns)

    def synchronised(self) -> bool:
        # adjtimex(2) with a zeroed struct only asks; it needs no privilege.
        try:
            state: int = self._libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
            # A sandbox (ProtectClock=) forbids even to ask. systemd-timesyncd leaves a word for others.
            return _TIMESYNCD.exists() if state == -1 else state != _TIME_ERROR
        except (OSError, AttributeError):
            return False


def monotonic_s(clock: Clock) -> float:
    """Monotonic seconds of `clock`, for deadlines."""
    return clock.monotonic_ns() / 1e9


def iso_utc(moment: datetime) -> str:
    """`moment` as the contract writes it: ISO 8601, UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_iso_utc(text: str) -> datetime:
    """Read a time stamp that `iso_utc` wrote (or any ISO 8601 with a zone). Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time stamp without a zone: {text!r}")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def local_text(moment: datetime) -> str:
    """`moment` in the machine's own zone as the original contract writes it: `YYYY-MM-DD HH:MM:SS`."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def to_ms(moment: datetime) -> int:
    """`moment` in milliseconds since 1970, UTC."""
    since = moment - _EPOCH
    # As `since // timedelta(milliseconds=1)` is, in a third of the time.
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def from_ms(at_ms: int) -> datetime:
    """The moment `at_ms` milliseconds after 1970. Raises `OverflowError` outside the years 1 to 9999."""
    return _EPOCH + timedelta(milliseconds=at_ms)
