"""A recording, told again at the speed of a clock, or many times faster."""

import math
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction

from pi_agent.hardware.base import PartFailed, TransientReadError
from pi_agent.hardware.options import SimulatedPart
from pi_agent.hardware.recording import NAME, Recording
from pi_agent.hardware.sim.faults import Faults
from shared.clock import Clock


class Tape:
    """Where in a recording a moment lies, counted in ns since the start; `speed` times faster than it was recorded."""

    def __init__(self, recording: Recording, speed: float, *, loop: bool) -> None:
        self.recording = recording
        self._speed = Fraction(str(speed))  # 0.3 is meant, not the float beside it
        self._loop = loop
        self._period_ns = recording.period_ns

    def row(self, at_ns: int) -> int:
        """The row that holds then. Raises `PartFailed` after the end, unless the recording begins again."""
        return bisect_right(self.recording.times_ns, self._position(at_ns)[1]) - 1

    def check(self, at_ns: int) -> None:
        """Raise `PartFailed` after the end, unless the recording begins again."""
        self._position(at_ns)

    def next_of(self, times_ns: Sequence[int], after_ns: int) -> int | None:
        """When the first of some recorded times (in order, from 0) comes strictly after `after_ns`; None: never."""
        try:
            lap, position = self._position(after_ns)
        except PartFailed:
            return None
        following = bisect_right(times_ns, position)
        if following < len(times_ns):
            return self._moment(lap, times_ns[following])
        return self._moment(lap + 1, 0) if self._loop else None

    def end_ns(self) -> int | None:
        """When it ends; None where it begins again."""
        return None if self._loop else self._moment(1, 0)

    def _position(self, at_ns: int) -> tuple[int, int]:
        """How many times the recording has ended by then, and the ns since it last began."""
        lap, position = divmod(at_ns * self._speed.numerator // self._speed.denominator, self._period_ns)
        if lap > 0 and not self._loop:
            raise PartFailed(f"{NAME}: the recording has ended; set hardware.replay.loop to begin again")
        return lap, position

    def _moment(self, lap: int, position_ns: int) -> int:
        """The first moment that `_position` maps to there: rounded up, or an edge would be told for ever."""
        return -(-(lap * self._period_ns + position_ns) * self._speed.denominator // self._speed.numerator)


class ReplayedSensor:
    """All recorded quantities, as one sensor. It may be read at any time."""

    min_interval_s: float = 0.0

    def __init__(self, tape: Tape, clock: Clock, faults: Faults) -> None:
        self.name = NAME
        self.quantities = tuple(tape.recording.columns)
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._start_ns = clock.monotonic_ns()
        self._last_row: int | None = None
        self._open = True

    def read(self) -> Mapping[str, float]:
        """The row that holds now. Raises `TransientReadError` where a cell of it is empty, `PartFailed` at the end."""
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        self._faults.check_read(SimulatedPart.CLIMATE)
        if self._last_row is None or not self._faults.frozen(SimulatedPart.CLIMATE):
            self._last_row = self._tape.row(self._clock.monotonic_ns() - self._start_ns)
        reading = {name: column[self._last_row] for name, column in self._tape.recording.columns.items()}
        if missing := [name for name, value in reading.items() if math.isnan(value)]:
            raise TransientReadError(f"{self.name}: no {missing[0]} in row {self._last_row + 1} of the recording")
        return reading

    def close(self) -> None:
        self._open = False


class RecordedMotion:
    """The `motion` column of a recording, as the schedule of an infrared sensor."""

    def __init__(self, tape: Tape, motion: Sequence[int]) -> None:
        self._tape = tape
        self._motion = motion
        times_ns = tape.recording.times_ns
        self._edges_ns = array("q", [t for row, t in enumerate(times_ns) if row == 0 or motion[row] != motion[row - 1]])

    def check(self, at_ns: int) -> None:
        self._tape.check(at_ns)

    def active(self, at_ns: int) -> bool:
        """What was recorded for then; after the end nobody moves."""
        end_ns = self._tape.end_ns()
        return (end_ns is None or at_ns < end_ns) and bool(self._motion[self._tape.row(at_ns)])

    def next_edge(self, after_ns: int) -> tuple[bool, int] | None:
        """The next change; the beginning and the end of the recording count as such."""
        at_ns = self._tape.next_of(self._edges_ns, after_ns)
        if at_ns is None:
            at_ns = self._tape.end_ns()
        return (self.active(at_ns), at_ns) if at_ns is not None and at_ns > after_ns else None
