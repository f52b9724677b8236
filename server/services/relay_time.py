"""The relay's time, in which commands end: milliseconds that never go back while the relay runs."""

from shared.clock import Clock, to_ms


class RelayTime:
    """Wall time when the relay was started, and monotonic time from there on.

    A wall clock that is set meanwhile changes nothing. Agents learn this time from the acks to their heartbeats; they
    need no wall clock of their own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_ns = to_ms(clock.now()) * 1_000_000 - clock.monotonic_ns()

    def ms(self) -> int:
        """Now."""
        return (self._base_ns + self._clock.monotonic_ns()) // 1_000_000
