"""Recorded readings, told again at the speed of a clock, or many times faster.

A recording is a CSV file with a header: a column `time` (ISO 8601 with a zone, or seconds), one column per quantity,
and `motion` (0 or 1) where there was an infrared sensor. A reading holds until the next row; an empty cell is a
reading that failed.
"""

import csv
import difflib
import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from pi_agent.hardware.base import PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.options import SimulatedPart
from pi_agent.hardware.sim.faults import Faults
from shared.clock import Clock, parse_iso_utc
from shared.contract.quantities import QUANTITIES, problem

NAME: Final = "replay"
MAX_ROWS: Final = 1_000_000
_TIME = "time"
_MOTION = "motion"
_LONE_ROW_NS = 1_000_000_000
_LONGEST_S = 4e9  # nanoseconds between any two times fit 64 bits


@dataclass(frozen=True)
class Recording:
    """A recording in memory. Row `i` holds from `times_ns[i]`, in ns since the first row, until the next one.

    `columns` has one value per row and quantity, NaN where there was none; `motion` is None where nobody watched.
    """

    times_ns: array[int]
    columns: Mapping[str, array[float]]
    motion: array[int] | None

    @property
    def period_ns(self) -> int:
        """How long it lasts: the last row holds as long as the one before it."""
        last = self.times_ns[-1]
        return last + (last - self.times_ns[-2] if len(self.times_ns) > 1 else _LONE_ROW_NS)


def load(file: Path) -> Recording:
    """Read the recording in `file`. Raises `PartUnavailable` with file, line and remedy for anything wrong in it."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return parse(lines, str(file))
    except PartUnavailable:
        raise
    except OSError as error:
        raise PartUnavailable(NAME, f"{file}: {error.strerror}; set hardware.replay.file to a CSV file") from None


def parse(lines: Iterable[str], file: str) -> Recording:
    """Read a recording from the lines of `file` (a name for messages). Raises `PartUnavailable`."""
    reader = csv.reader(lines, strict=True)
    try:
        return _recording(reader)
    except csv.Error as error:
        raise PartUnavailable(NAME, f"{file}, line {reader.line_num}: is not CSV: {error}") from None
    except ValueError as error:
        raise PartUnavailable(NAME, f"{file}, line {max(reader.line_num, 1)}: {error}") from None


def _recording(reader: Iterator[list[str]]) -> Recording:
    header = [name.strip() for name in next(reader, [])]
    _check_header(header)
    columns = {name: array("d") for name in header if name not in (_TIME, _MOTION)}
    times_ns, motion = array("q"), array("b")
    first_s: float | None = None
    for row in reader:
        if not row:  # an empty line
            continue
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells under {len(header)} column names")
        if len(times_ns) == MAX_ROWS:
            raise ValueError(f"more than {MAX_ROWS} rows; cut the recording")
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        at_s = _seconds(cells.pop(_TIME))
        first_s = at_s if first_s is None else first_s
        at_ns = round((at_s - first_s) * 1e9)
        if times_ns and at_ns <= times_ns[-1]:
            raise ValueError("its time is not after that of the row before; sort the rows by time")
        times_ns.append(at_ns)
        if _MOTION in cells:
            motion.append(_motion(cells.pop(_MOTION)))
        for name, cell in cells.items():
            columns[name].append(_value(name, cell))
    if not times_ns:
        raise ValueError("there are no rows under the header")
    return Recording(times_ns, columns, motion or None)


def _check_header(header: list[str]) -> None:
    if _TIME not in header:
        raise ValueError(f"the header needs a column `{_TIME}`; it has: {', '.join(header) or 'nothing'}")
    known = [_TIME, _MOTION, *QUANTITIES]
    for name in header:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
            raise ValueError(f"`{name}` is no quantity; {hint}")
        if header.count(name) > 1:
            raise ValueError(f"there is more than one column `{name}`")
    if len(header) == 1:
        raise ValueError(f"there is no column beside `{_TIME}`")


def _seconds(cell: str) -> float:
    try:
        at_s = float(cell)
    except ValueError:
        try:
            at_s = parse_iso_utc(cell).timestamp()
        except ValueError:
            raise ValueError(f"time `{cell}` is neither ISO 8601 with a zone nor a number of seconds") from None
    if not abs(at_s) < _LONGEST_S:
        raise ValueError(f"time `{cell}` is out of range")
    return at_s


def _value(name: str, cell: str) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{name} `{cell}` is not a number") from None
    if why := problem(name, value):
        raise ValueError(why)
    return value


def _motion(cell: str) -> int:
    if cell not in ("0", "1"):
        raise ValueError(f"motion `{cell}` is neither 0 nor 1")
    return int(cell)


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

    def __init__(self, tape: Tape, motion: array[int]) -> None:
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
