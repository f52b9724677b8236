"""The log is bounded: repetitions are counted, not written, and no storm of lines wears a card out."""

import io
import logging
from collections.abc import Iterator

import pytest

from shared.logs import Bound, LogFormat, LogLevel, configure


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO, list[float]]]:
    logger, written, now = logging.getLogger("tests.bounded"), io.StringIO(), [0.0]
    handler = logging.StreamHandler(written)
    handler.addFilter(Bound(5, lambda: now[0]))
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger, written, now
    logger.removeHandler(handler)
    logger.propagate = True


def test_a_line_is_written_once_a_minute_and_the_others_are_counted(log) -> None:
    logger, written, now = log
    for _ in range(1000):
        logger.warning("sensor fails: part=%s", "climate")
    now[0] = 60
    logger.warning("sensor fails: part=%s", "climate")
    assert written.getvalue().splitlines() == [
        "sensor fails: part=climate",
        "sensor fails: part=climate (log lines left out before this one: 999)",
    ]


def test_what_differs_is_written_up_to_the_bound(log) -> None:
    logger, written, now = log
    for number in range(20):
        logger.info("depth=%d", number)
    assert len(written.getvalue().splitlines()) == 5
    now[0] = 61
    logger.info("quiet again")
    assert written.getvalue().splitlines()[-1] == "quiet again (log lines left out before this one: 15)"


def test_a_day_of_the_worst_log_stays_small(log) -> None:
    logger, written, now = log
    for minute in range(24 * 60):
        now[0] = minute * 60.0
        for number in range(50):
            logger.error("%d/%d: it is all broken", minute, number)
    assert len(written.getvalue().splitlines()) == 5 * 24 * 60


def test_debug_is_not_bounded_and_everything_else_is() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        for wanted, lines in ((LogLevel.DEBUG, 9), (LogLevel.INFO, 1)):
            written = io.StringIO()
            configure(wanted, LogFormat.HUMAN, written)
            for _ in range(9):
                logging.getLogger("tests.bounded.other").warning("again")
            assert len(written.getvalue().splitlines()) == lines
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def test_nobodys_words_begin_a_line_of_their_own() -> None:
    written, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure(LogLevel.INFO, LogFormat.HUMAN, written)
        logging.getLogger("tests.forged").warning("alert: %s", "hot\n12:00:00 ERROR forged \x1b[2J")
    finally:
        root.handlers[:], root.level = handlers, level
    assert written.getvalue().count("\n") == 1
    assert "hot\\x0a12:00:00 ERROR forged \\x1b[2J" in written.getvalue()
