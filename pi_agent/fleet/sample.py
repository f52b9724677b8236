"""What a fleet looks like at one moment."""

from msgspec import Struct


class Sample(Struct, frozen=True, kw_only=True):
    """One line of `--json`. Counts are since the start, rates since the sample before, latencies of the last 10 s."""

    at: str
    elapsed_s: float
    devices: int
    connected: int
    connecting: int
    """Started, and not admitted by the relay yet, or not again."""
    cut: int
    down: int
    """Killed and not back yet."""
    rounds: int
    """Sampling rounds that are on disk."""
    rounds_acked: int
    taken: int
    """Events that are on disk: rounds, changes, movements."""
    acked: int
    waiting: int
    dropped: dict[str, int]
    """Events given up on record, by reason."""
    rounds_per_s: float
    acked_per_s: float
    ack_p50_ms: float | None
    """From sending an event to its ack."""
    ack_p99_ms: float | None
    commands: int
    answered: int
    refusals: dict[str, int]
    """What the relay refused, by its code."""
    cuts: int
    kills: int
    gone: int
    """Events that were not on disk yet when their agent was killed."""
    troubles: int
    """Agents that broke, and were started again."""
    cpu_pct: float
    """Of one core."""
    rss_mb: float
    late_ms: float
    """By how much the latest piece of work began late: near a second, this machine is the limit, not the relay."""

    @property
    def clean(self) -> bool:
        """Everything that was taken was acked, and nothing broke."""
        return not self.waiting and not self.dropped and not self.troubles
