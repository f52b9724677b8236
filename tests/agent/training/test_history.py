"""The agent's own memory: bounded, and never in the way of sampling."""

import math
import sqlite3
from pathlib import Path

import pytest

from pi_agent.training.climate import SLOTS_PER_DAY
from pi_agent.training.history import KEPT_DAYS, KEPT_HOURS, History


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_what_is_added_is_there_after_a_restart(path: Path) -> None:
    history = History(path)
    history.add(100, 21.5, 45.0)
    history.add(102, 21.7, None)
    history.close()
    series = History(path).recent()
    assert (series.start, series.temperature, series.humidity) == (100, [21.5, None, 21.7], [45.0, None, None])


def test_it_is_bounded(path: Path) -> None:
    history = History(path)
    for slot in range((KEPT_DAYS + 5) * SLOTS_PER_DAY):
        history.add(slot, 21.0, 45.0)
    assert len(history.recent()) == KEPT_DAYS * SLOTS_PER_DAY
    for hour in range(KEPT_HOURS + 50):
        history.add_motion(hour, 1)
    assert len(history.motion()) == KEPT_HOURS
    history.close()
    assert path.stat().st_size < 512 * 1024


def test_what_is_no_number_is_nothing(path: Path) -> None:
    history = History(path)
    history.add(1, math.nan, math.inf)
    history.add(2, None, None)
    assert len(history.recent()) == 0


def test_movements_of_an_hour_add_up(path: Path) -> None:
    history = History(path)
    history.add_motion(7, 2)
    history.add_motion(7, 3)
    history.add_motion(8, 0)
    assert history.motion() == {7: 5}


def test_the_first_of_two_slots_stays_and_a_clock_set_back_forgets_the_future(path: Path) -> None:
    history = History(path)
    history.add(100, 21.0, 45.0)
    history.add(100, 99.0, 45.0)
    history.add(5000, 22.0, 45.0)
    history.forget_from(101)
    assert history.recent().temperature == [21.0]


def test_a_damaged_file_is_set_aside(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 1000)
    history = History(path)
    history.add(1, 21.0, 45.0)
    assert len(history.recent()) == 1
    assert path.with_name("history.db.damaged").exists()


def test_a_file_of_a_newer_version_is_set_aside(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    assert len(History(path).recent()) == 0
    assert path.with_name("history.db.damaged").exists()


def test_while_the_disk_is_full_slots_wait_in_memory(path: Path) -> None:
    history = History(path)
    history.add(1, 21.0, 45.0)
    (pages,) = history._connection.execute("PRAGMA page_count").fetchone()
    history._connection.execute(f"PRAGMA max_page_count = {pages}")
    for slot in range(2, 200):
        history.add(slot, 21.0, 45.0)
    stored = len(history.recent())
    assert stored < 199
    history._connection.execute("PRAGMA max_page_count = 100000")
    history.add(200, 21.0, 45.0)
    assert len(history.recent()) == 200
