"""Recordings of people with labels, read from CSV, cut into examples. Every error names file, line and column."""

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TextIO

from server.stress.readings import Reading, Reason
from server.stress.windows import WINDOW_S, Features, WearerWindow

COLUMNS: Final = ("subject", "t", "hr", "temp", "eda", "label")
EVERY_S: Final = 10.0
"""So often an example is taken; windows overlap."""
_TOLD_EVERY: Final = 5_000

Progress = Callable[[str, int, int], None]
"""Told, during work of more than a second: what is done, how much of it, of how much."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody wants to know."""


class TrainingTrouble(StrEnum):
    """Why recordings train or judge no model."""

    UNREADABLE = "csv_unreadable"
    MISSING_COLUMN = "csv_missing_column"
    INVALID_VALUE = "csv_invalid_value"
    NO_WINDOWS = "no_windows"
    ONE_LABEL = "one_label"
    TOO_FEW_SUBJECTS = "too_few_subjects"
    NOTHING_LEARNED = "nothing_learned"
    NOT_THE_SAME = "not_the_same"


class TrainingRefused(Exception):
    """Recordings that train or judge no model. `trouble` is stable; the message tells people what to mend."""

    def __init__(self, trouble: TrainingTrouble, message: str) -> None:
        self.trouble = trouble
        super().__init__(f"{trouble}: {message}")


class Sample(NamedTuple):
    """One line: `at_s` in s, `hr` in bpm, `temp` in °C, `eda` in µS (None: not measured), and its label."""

    at_s: float
    hr: float | None
    temp: float | None
    eda: float | None
    stress: bool


class Recording(NamedTuple):
    """One subject's samples in the order of time."""

    subject: str
    samples: tuple[Sample, ...]

    def fingerprint(self) -> str:
        """16 hexadecimal digits that name these samples, whatever the subject is called and the clock said."""
        start = self.samples[0].at_s
        lines = (repr((round((s.at_s - start) * 1000), *s[1:])) for s in self.samples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def readings(self) -> Iterator[tuple[Reading, bool]]:
        """Each sample as a reading of its subject, with its label."""
        for sample in self.samples:
            yield Reading(self.subject, self.subject, sample.at_s, sample.hr, sample.temp, sample.eda), sample.stress


class Example(NamedTuple):
    """A window with features, and what is known of it."""

    subject: str
    at_s: float
    """Since the recording began."""
    features: Features
    stress: bool
    """Whether most of the window was."""
    pure: bool
    """Whether the whole window was of one label."""
    since_change_s: float | None
    """Since the label last changed; None in the first block, which began with the recording."""
    until_stress_s: float | None
    """Until the label next changes to stress; None in stress, and where it never does."""


class Unknowns(dict[Reason, int]):
    """How many windows had no features, by reason."""


def read_csv(path: Path, progress: Progress = silent) -> tuple[Recording, ...]:
    """The recordings in `path`, a CSV file (or .gz) with the columns of `COLUMNS`.

    Lines of several subjects may alternate. `t` is in seconds and does not fall within a subject, `label` is 0 or 1;
    an empty signal was not measured. Raises `TrainingRefused`.
    """
    subjects: dict[str, list[Sample]] = {}
    try:
        with path.open("rb") as raw, _text(raw, path) as file:
            size = path.stat().st_size
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            places = _places(path, header)
            for row in rows:
                if row:
                    subject, sample = _sample(path, rows.line_num, row, places)
                    before = subjects.setdefault(subject, [])
                    if before and sample.at_s < before[-1].at_s:
                        raise _invalid(path, rows.line_num, "t", f"{sample.at_s:g} comes after {before[-1].at_s:g}")
                    before.append(sample)
                if rows.line_num % _TOLD_EVERY == 0:
                    progress("reading bytes", raw.tell(), size)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        # gzip's errors are OSError and EOFError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TrainingRefused(TrainingTrouble.UNREADABLE, f"{path}: {reason}") from None
    if not subjects:
        raise TrainingRefused(TrainingTrouble.NO_WINDOWS, f"{path}: it has no rows")
    return tuple(Recording(subject, tuple(samples)) for subject, samples in subjects.items())


def _text(raw: BinaryIO, path: Path) -> TextIO:
    binary = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    return io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")


def _places(path: Path, header: Sequence[str]) -> Mapping[str, int]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise TrainingRefused(
            TrainingTrouble.MISSING_COLUMN,
            f"{path}, line 1: no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}",
        )
    return {name: header.index(name) for name in COLUMNS}


def _sample(path: Path, line: int, row: Sequence[str], places: Mapping[str, int]) -> tuple[str, Sample]:
    def text(column: str) -> str:
        if places[column] >= len(row):
            raise _invalid(path, line, column, "the line ends before it")
        return row[places[column]].strip()

    def number(column: str) -> float | None:
        if text(column).lower() in {"", "nan"}:
            return None
        try:
            value = float(text(column))
        except ValueError:
            value = math.inf
        if not math.isfinite(value):
            raise _invalid(path, line, column, f"{text(column)!r} is not a number")
        return value

    subject, at_s, label = text("subject"), number("t"), text("label")
    if not subject:
        raise _invalid(path, line, "subject", "it is empty")
    if at_s is None:
        raise _invalid(path, line, "t", "it is empty")
    if label not in {"0", "1"}:
        raise _invalid(path, line, "label", f"{label!r} is neither 0 (rest) nor 1 (stress)")
    return subject, Sample(at_s, number("hr"), number("temp"), number("eda"), label == "1")


def _invalid(path: Path, line: int, column: str, what: str) -> TrainingRefused:
    return TrainingRefused(TrainingTrouble.INVALID_VALUE, f"{path}, line {line}, column {column}: {what}")


def examples(recordings: Sequence[Recording], progress: Progress = silent) -> tuple[list[Example], Unknowns]:
    """An example every 10 s of each recording, by the very windows that serve; and how many windows were unknown."""
    found: list[Example] = []
    unknowns = Unknowns()
    for number, recording in enumerate(recordings):
        progress("windows", number, len(recordings))
        found += _examples(recording, unknowns)
    return found, unknowns


def _examples(recording: Recording, unknowns: Unknowns) -> Iterator[Example]:
    samples = recording.samples
    window = WearerWindow(recording.subject)
    changes = [n for n in range(1, len(samples)) if samples[n].stress != samples[n - 1].stress]
    start, due_s, oldest, passed = samples[0].at_s, samples[0].at_s, 0, 0
    for now, (reading, stress) in enumerate(recording.readings()):
        features = window.see(reading)
        while samples[oldest].at_s <= reading.at_s - WINDOW_S:
            oldest += 1
        while passed < len(changes) and changes[passed] <= now:
            passed += 1
        if reading.at_s < due_s:
            continue
        due_s += EVERY_S * (1 + (reading.at_s - due_s) // EVERY_S)
        if isinstance(features, Reason):
            unknowns[features] = unknowns.get(features, 0) + 1
            continue
        stressed = sum(sample.stress for sample in samples[oldest : now + 1])
        count = now + 1 - oldest
        next_at_s = samples[changes[passed]].at_s if passed < len(changes) else None
        yield Example(
            subject=recording.subject,
            at_s=reading.at_s - start,
            features=features,
            stress=stressed * 2 >= count,
            pure=stressed in (0, count),
            since_change_s=reading.at_s - samples[changes[passed - 1]].at_s if passed else None,
            until_stress_s=None if stress or next_at_s is None else next_at_s - reading.at_s,
        )
