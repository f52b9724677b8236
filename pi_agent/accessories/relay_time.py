"""The relay's time, in which commands end. A Pi may have no wall clock of its own yet."""

from shared.clock import Clock, monotonic_s


class RelayTime:
    """What the relay's clock shows at the latest, by its acks to heartbeats. Safe on any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: tuple[float, float] | None = None
        """The relay's time in ms, and the monotonic second before which it cannot have been so late."""

    def learn(self, relay_ms: int, sent_s: float) -> None:
        """A heartbeat that was sent at `sent_s` was acked with `relay_ms`: it was that late then, or earlier."""
        if self._known is None or sent_s >= self._known[1]:
            self._known = (float(relay_ms), sent_s)

    def forget(self) -> None:
        """Another connection, perhaps to another relay."""
        self._known = None

    def latest_ms(self) -> float | None:
        """The latest that it can be there now, in ms; None before the first ack of this connection."""
        known = self._known
        return None if known is None else known[0] + (monotonic_s(self._clock) - known[1]) * 1e3
