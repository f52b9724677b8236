"""Logging for both processes: lines for people, JSON for collectors. An event first, then key=value with units."""

import json
import logging
import sys
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


def configure(level: LogLevel, style: LogFormat, stream: TextIO | None = None) -> None:
    """Send every logger's lines from `level` up to `stream` (standard error by default). Call once, at start."""
    handler = logging.StreamHandler(stream or sys.stderr)
    if style is LogFormat.JSON:
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These libraries log every packet at INFO.
    for chatty in ("socketio", "engineio", "apscheduler", "alembic", "geventwebsocket"):
        logging.getLogger(chatty).setLevel(logging.WARNING if level is not LogLevel.DEBUG else logging.DEBUG)


def quiet(name: str) -> logging.Logger:
    """A logger for a library, that tells only what is broken here: what peers do wrong is answered and counted."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.CRITICAL)
    return logger
