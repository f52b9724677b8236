"""Logging for both processes: lines for people, JSON for collectors. An event first, then key=value with units."""

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from shared.clock import iso_utc


class LogFormat(StrEnum):
    """How a log line looks."""

    HUMAN = "human"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_MINUTE_S = 60.0
_RECENT_CHARS = 500


_SHOWN = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
"""How control characters are written: what people and devices say may hold some."""


class _LineFormatter(logging.Formatter):
    """One record, one line: nobody's words begin a line of their own, or tell the terminal something."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        return super().formatMessage(record).translate(_SHOWN)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": iso_utc(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Bound(logging.Filter):
    """Keeps a log small, so that it wears no memory card out: in a minute a line is written once, and its repetitions
    are counted; and no more than `most_lines` lines, whatever they say. What was left out is told with the next line
    that is written.

    A repetition is the same words of the same logger at the same level.
    """

    def __init__(self, most_lines: int, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most_lines = most_lines
        self._now_s = now_s
        self._minute = -1
        self._seen: set[tuple[str, int, str]] = set()
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """True when the line is to be written. Called with the handler's lock held."""
        minute = int(self._now_s() // _MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._seen.clear()
        words = record.getMessage()
        key = (record.name, record.levelno, words)
        if key in self._seen or len(self._seen) >= self._most_lines:
            self._left_out += 1
            return False
        self._seen.add(key)
        if self._left_out:
            record.msg, record.args = f"{words} (log lines left out before this one: {self._left_out})", None
            self._left_out = 0
        return True


class _Recent(logging.Handler):
    """The last lines, for whoever looks for a fault later."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record)[:_RECENT_CHARS])


def configure(
    level: LogLevel, style: LogFormat, stream: TextIO | None = None, *, most_per_minute: int = 3000, keep: int = 0
) -> None:
    """Send every logger's lines from `level` up to `stream` (standard error by default). Call once, at start.

    The last `keep` lines can be had from `recent`.

    Who asks for debug lines is looking: all of them are written. Else the log is bounded, see `Bound`.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    if level is not LogLevel.DEBUG:
        handler.addFilter(Bound(most_per_minute))
    if style is LogFormat.JSON:
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(_LineFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if keep:
        memory = _Recent(keep)
        memory.setFormatter(_LineFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
        root.addHandler(memory)
    set_level(level)


def set_level(level: LogLevel) -> None:
    """Write lines from `level` up, from now on."""
    logging.getLogger().setLevel(level.upper())
    # These libraries log every packet at INFO.
    for chatty in ("socketio", "engineio", "apscheduler", "alembic", "geventwebsocket"):
        logging.getLogger(chatty).setLevel(logging.WARNING if level is not LogLevel.DEBUG else logging.DEBUG)


def recent() -> list[str]:
    """The last lines that were logged, the oldest first; as many as `configure` was told to keep."""
    kept = [handler for handler in logging.getLogger().handlers if isinstance(handler, _Recent)]
    return [line for handler in kept for line in handler.lines]


def quiet(name: str) -> logging.Logger:
    """A logger for a library, that tells only what is broken here: what peers do wrong is answered and counted."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.CRITICAL)
    return logger
