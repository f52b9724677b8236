"""A small record of this agent's starts and ends, beside the outbox: systemd's journal is volatile on Raspberry Pi OS.

One JSON object per line: a start, then its end. A start without an end was killed, or the power went: the boot tells.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.clock import Clock, iso_utc

log = logging.getLogger(__name__)

FILE_NAME = "lives.jsonl"
_MOST_LINES = 200
_MOST_BYTES = 128 * 2**10
_STARTS_AN_HOUR = 20
"""More are not written: an agent that fails every two seconds must not wear the card out with telling so."""
_HOUR_NS = 3_600_000_000_000
_REASON_LETTERS = 300


class Ending(StrEnum):
    """How a life ended."""

    RUNNING = "running"
    """It has not, as far as anybody knows."""
    STOPPED = "stopped"
    FAILED = "failed"
    KILLED = "killed"
    """Without a word, and the machine stayed up: killed, or crashed in a library."""
    POWER = "power"
    """Without a word, and the machine started anew: a power cut, a reset, a kernel that crashed."""


class Line(Struct, frozen=True, omit_defaults=True):
    """One line of the file: a start, or with `ending` the end of the start before it."""

    at: str
    boot_id: str
    monotonic_ns: int
    version: str = ""
    ending: Ending | None = None
    reason: str = ""


class Life(Struct, frozen=True):
    """From one start to its end."""

    began_at: str
    boot_id: str
    version: str
    ending: Ending
    ended_at: str | None = None
    reason: str = ""


class Lives:
    """The record in the hands of a running agent. What cannot be written is logged, and keeps nobody from working."""

    def __init__(self, path: Path, clock: Clock, version: str) -> None:
        self._path = path
        self._clock = clock
        self._version = version

    @contextmanager
    def one(self) -> Iterator["Will"]:
        """The life of this process. An exception that passes is its end, and passes on."""
        before = read_lives(self._path, self._clock.boot_id)
        if before and before[-1].ending in (Ending.KILLED, Ending.POWER):
            log.warning("the agent before this one ended without a word: began_at=%s how=%s", *_told(before[-1]))
        written = self._begin()
        will = Will()
        try:
            yield will
        except BaseException as error:
            will.reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            if written:
                how = Ending.FAILED if will.reason else Ending.STOPPED
                self._write(self._line(ending=how, reason=" ".join(will.reason.split())[:_REASON_LETTERS]))

    def _begin(self) -> bool:
        now, boot = self._clock.monotonic_ns(), self._clock.boot_id
        lines = _lines(self._path)
        starts = [
            line for line in lines if not line.ending and line.boot_id == boot and now - line.monotonic_ns < _HOUR_NS
        ]
        if len(starts) >= _STARTS_AN_HOUR:
            return False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and (len(lines) >= _MOST_LINES or self._path.stat().st_size > _MOST_BYTES):
                _shorten(self._path, lines[-_MOST_LINES // 2 :])
        except OSError as error:
            log.warning("the record of starts cannot be kept: %s", error)
            return False
        return self._write(self._line(version=self._version))

    def _line(self, *, version: str = "", ending: Ending | None = None, reason: str = "") -> Line:
        clock = self._clock
        return Line(iso_utc(clock.now()), clock.boot_id, clock.monotonic_ns(), version, ending, reason)

    def _write(self, line: Line) -> bool:
        try:
            with self._path.open("ab") as file:
                # After a cut-off line: what follows must not be lost with it.
                torn = file.tell() > 0 and _last_byte(self._path) != b"\n"
                file.write((b"\n" if torn else b"") + msgspec.json.encode(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            log.warning("the record of starts cannot be kept: %s", error)
            return False
        return True


class Will:
    """What is to be written at the end of a life: nothing, or why it failed."""

    reason: str = ""


def read_lives(path: Path, boot_id: str) -> list[Life]:
    """The lives on record, oldest first; `boot_id` is that of the running system.

    The last one without an end is `running` or `killed`: only who knows whether an agent runs now can tell, so it is
    said to be `killed`.
    """
    lives: deque[Life] = deque()
    start: Line | None = None
    for line in _lines(path):
        if line.ending is None:
            if start is not None:
                lives.append(_unended(start, line.boot_id))
            start = line
        elif start is not None:
            lives.append(Life(start.at, start.boot_id, start.version, line.ending, line.at, line.reason))
            start = None
    if start is not None:
        lives.append(_unended(start, boot_id))
    return list(lives)


def _unended(start: Line, next_boot_id: str) -> Life:
    how = Ending.KILLED if start.boot_id == next_boot_id else Ending.POWER
    return Life(start.at, start.boot_id, start.version, how)


def _lines(path: Path) -> list[Line]:
    try:
        texts = path.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for text in texts:
        try:
            found.append(msgspec.json.decode(text, type=Line))
        except msgspec.MsgspecError:
            continue  # cut off by a power failure
    return found


def _shorten(path: Path, lines: list[Line]) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _told(life: Life) -> tuple[str, str]:
    return life.began_at, {Ending.POWER: "power cut or reset", Ending.KILLED: "killed or crashed"}[life.ending]
