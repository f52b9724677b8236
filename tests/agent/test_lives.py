"""The record of starts and ends: bounded, honest about what ended without a word, readable after any power cut."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_agent.lives import Ending, Lives, read_lives
from tests.support.clock import FakeClock

DAY_S = 86_400


def begin_only(path: Path, clock: FakeClock) -> None:
    """A life that is cut off."""
    with Lives(path, clock, "1.0").one():
        so_far = path.read_bytes()
    path.write_bytes(so_far)


def test_a_stop_a_failure_and_a_crash_are_told_apart(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "state" / "lives.jsonl"
    with Lives(path, clock, "1.0").one():
        clock.advance(10)
    with Lives(path, clock, "1.0").one() as will:
        will.reason = "outbox: thread died"
    with pytest.raises(ZeroDivisionError), Lives(path, clock, "1.0").one():
        raise ZeroDivisionError("division by zero")
    lives = read_lives(path, clock.boot_id)
    assert [(life.ending, life.reason) for life in lives] == [
        (Ending.STOPPED, ""),
        (Ending.FAILED, "outbox: thread died"),
        (Ending.FAILED, "ZeroDivisionError: division by zero"),
    ]


def test_no_end_in_the_same_boot_is_a_kill_in_another_one_a_power_cut(tmp_path: Path, caplog) -> None:
    clock, path = FakeClock(), tmp_path / "lives.jsonl"
    begin_only(path, clock)
    begin_only(path, clock)
    assert "killed or crashed" in caplog.text
    clock.boot_id = "another-boot"
    with Lives(path, clock, "1.1").one():
        pass
    assert "power cut" in caplog.text
    assert [life.ending for life in read_lives(path, clock.boot_id)] == [Ending.KILLED, Ending.POWER, Ending.STOPPED]


@given(st.data())
def test_a_power_cut_within_a_line_costs_no_other_line(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    clock, path = FakeClock(), tmp_path_factory.mktemp("cut") / "lives.jsonl"
    for _ in range(3):
        with Lives(path, clock, "1.0").one():
            clock.advance(1)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    kept = [life for life in read_lives(path, clock.boot_id) if life.ending is Ending.STOPPED]
    with Lives(path, clock, "1.0").one():
        pass
    after = [life for life in read_lives(path, clock.boot_id) if life.ending is Ending.STOPPED]
    assert after[: len(kept)] == kept
    assert len(after) == len(kept) + 1


def test_failing_for_ever_writes_a_bounded_file_and_a_bounded_number_of_bytes(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "lives.jsonl"
    written = 0
    for _ in range(DAY_S // 30):  # a day of failing twice a minute
        before = path.stat().st_size if path.exists() else 0
        with pytest.raises(OSError, match="no chip"), Lives(path, clock, "1.0").one():
            raise OSError("no chip " * 100)
        after = path.stat().st_size
        written += max(after - before, 0) if after >= before else after
        clock.advance(30)
    assert path.stat().st_size < 128 * 1024
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 220
    assert written < 1_000_000


def test_a_directory_that_cannot_be_written_keeps_nobody_from_working(tmp_path: Path, caplog) -> None:
    (tmp_path / "state").touch()
    with Lives(tmp_path / "state" / "lives.jsonl", FakeClock(), "1.0").one():
        pass
    assert "cannot be kept" in caplog.text


def test_lines_are_json_that_other_programs_can_read(tmp_path: Path) -> None:
    path = tmp_path / "lives.jsonl"
    with Lives(path, FakeClock(), "1.0").one():
        pass
    start, end = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert start["version"] == "1.0"
    assert end["ending"] == "stopped"
