"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """`shared.clock.Clock` in a test's hands."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self.wall = start
        self.mono_ns = 1_000_000_000
        self.boot_id = "00000000-boot"
        self.is_synchronised = True

    def now(self) -> datetime:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.mono_ns

    def synchronised(self) -> bool:
        return self.is_synchronised

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.mono_ns += round(seconds * 1e9)
        self.wall += timedelta(seconds=seconds)

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.wall += timedelta(seconds=seconds)
