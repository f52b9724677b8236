"""Recorded readings: a CSV file, checked to the last row before the first one is told.

Its header names a column `time` (ISO 8601 with a zone, or seconds), one column per quantity, and `motion` (0 or 1)
where there was an infrared sensor. A reading holds until the next row; an empty cell is a reading that failed.
"""

import csv
import difflib
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pi_agent.hardware.base import PartUnavailable
from shared.clock import parse_iso_utc
from shared.contract.quantities import QUANTITIES, problem

NAME: Final = "replay"
MAX_ROWS: Final = 1_000_000
_TIME = "time"
_MOTION = "motion"
_LONE_ROW_NS = 1_000_000_000
_SHOWN_CHARS = 60
_LONGEST_S = 4e9  # nanoseconds between any two times fit 64 bits


@dataclass(frozen=True)
class Recording:
    """A recording in memory. Row `i` holds from `times_ns[i]`, in ns since the first row, until the next one.

    `columns` has one value per row and quantity, NaN where there was none; `motion` is None where nobody watched.
    """

    times_ns: Sequence[int]
    columns: Mapping[str, Sequence[float]]
    motion: Sequence[int] | None

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
        raise ValueError(f"the header needs a column `{_TIME}`; it has {_shown(', '.join(header))}")
    known = [_TIME, _MOTION, *QUANTITIES]
    for name in header:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else "docs/EVENTS.md has the table of quantities"
            raise ValueError(f"{_shown(name)} is no quantity; {hint}")
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
            raise ValueError(f"time {_shown(cell)} is neither ISO 8601 with a zone nor a number of seconds") from None
    if not abs(at_s) < _LONGEST_S:
        raise ValueError(f"time {_shown(cell)} is out of range")
    return at_s


def _value(name: str, cell: str) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{name} {_shown(cell)} is not a number") from None
    if why := problem(name, value):
        raise ValueError(why)
    return value


def _motion(cell: str) -> int:
    if cell not in ("0", "1"):
        raise ValueError(f"motion {_shown(cell)} is neither 0 nor 1")
    return int(cell)


def _shown(cell: str) -> str:
    """A cell on one line, whatever is in it."""
    return repr(cell if len(cell) <= _SHOWN_CHARS else cell[:_SHOWN_CHARS] + "…")
