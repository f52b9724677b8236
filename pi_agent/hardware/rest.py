"""The pause that a sensor's hardware needs between two reads."""

from pi_agent.hardware.base import TransientReadError
from shared.clock import Clock


class Rest:
    """Counts from the end of each read, also of a failed one. A driver calls `check` first and `begin` last."""

    def __init__(self, name: str, min_interval_s: float, clock: Clock) -> None:
        self._name = name
        self._min_interval_s = min_interval_s
        self._clock = clock
        self._ended_ns: int | None = None

    def check(self) -> None:
        """Raise `TransientReadError` while the part rests: it would tell its last value as a new one."""
        if self._ended_ns is None:
            return
        rest_s = self._min_interval_s - (self._clock.monotonic_ns() - self._ended_ns) / 1e9
        if rest_s > 0:
            raise TransientReadError(f"{self._name}: read too soon; it rests for another {rest_s:.1f} s")

    def begin(self) -> None:
        """A read has just ended."""
        self._ended_ns = self._clock.monotonic_ns()
