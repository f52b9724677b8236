"""What a round is told with: forecasts, findings, scores; and what clocks and restarts do to them."""

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_agent.insight.anomaly import HOLD_OFF, LEARN, AnomalyScore
from pi_agent.insight.motion import FEWEST_WEEKS, MotionHours, hour_of
from pi_agent.insight.slots import Slots
from pi_agent.insight.watch import Watch
from pi_agent.training.climate import SLOTS_PER_DAY, STEP_S, slot_begin
from pi_agent.training.history import History
from pi_agent.training.trainer import train
from shared.contract.payloads import Insight, parse
from tests.agent.training.rooms import room

START = slot_begin(2_900_000)


class Life:
    """A watch that sees a made-up room, a round every ten minutes, told as the contract allows."""

    def __init__(self, path: Path) -> None:
        self.history = History(path / "history.db")
        self.watch = Watch(self.history)
        self.moment = START
        self.monotonic_s = 0.0

    def round(self, temperature: float | None, humidity: float | None, every_s: float = STEP_S) -> dict[str, Any]:
        fields = self.watch.observe({"temperature": temperature, "humidity": humidity}, self.moment, self.monotonic_s)
        parse(Insight, fields)
        self.moment += timedelta(seconds=every_s)
        self.monotonic_s += every_s
        return fields

    def days(self, days: float) -> list[dict[str, Any]]:
        series = room(days=days)
        return [self.round(t, h) for t, h in zip(series.temperature, series.humidity, strict=True)]


def test_the_history_fills_with_one_row_per_slot(tmp_path: Path) -> None:
    life = Life(tmp_path)
    for number in range(100):
        life.round(21 + number * 0.001, 45.0, every_s=30)
    series = life.history.recent()
    assert (series.start, len(series)) == (2_900_000, 4)
    # Of twenty readings the lowest and the highest are left out.
    assert series.temperature[0] == pytest.approx(21 + 9.5 * 0.001)


def test_forecasts_come_with_a_model_and_a_day_of_history(tmp_path: Path) -> None:
    life = Life(tmp_path)
    assert not any("forecast" in fields for fields in life.days(2))
    life.watch.serve(7, train(room(days=10)).model)
    fields = life.round(21.0, 45.0)
    assert fields["model"] == 7
    assert {(one["quantity"], one["minutes"]) for one in fields["forecast"]} == {
        (quantity, minutes) for quantity in ("temperature", "humidity") for minutes in (10, 60)
    }
    assert all(one["low"] <= one["value"] <= one["high"] for one in fields["forecast"])
    # Within one slot there is nothing new to say.
    life.round(21.0, 45.0, every_s=1)
    assert "forecast" not in life.round(21.0, 45.0)


def test_what_was_learnt_outlives_a_restart(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.days(3)
    model = train(room(days=10)).model
    again = Life(tmp_path)
    again.moment = life.moment
    again.watch.serve(1, model)
    again.round(21.0, 45.0)
    assert "forecast" in again.round(21.0, 45.0)


def test_findings_are_told_with_the_round_that_showed_them(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.days(2)
    told = [life.round(None, None) for _ in range(5)]
    findings = [finding for fields in told for finding in fields.get("findings", [])]
    assert [(one["kind"], one["active"], one["severity"]) for one in findings] == [("silent", True, "critical")]
    (back,) = [life.round(21.0, 45.0), life.round(21.0, 45.0)][1]["findings"]
    assert (back["kind"], back["active"]) == ("silent", False)


@pytest.mark.parametrize("hours", [-30, -1, 1, 500_000])
def test_a_clock_step_invents_nothing(tmp_path: Path, hours: int) -> None:
    life = Life(tmp_path)
    life.days(2)
    before = len(life.history.recent())
    life.moment += timedelta(hours=hours)
    last = room(days=2)
    t, h = last.temperature[-1], last.humidity[-1]
    assert t is not None
    told = [life.round(t + number % 3 * 0.1, h) for number in range(6)]
    assert [fields["findings"] for fields in told if "findings" in fields] == []
    assert len(life.history.recent()) <= 30 * SLOTS_PER_DAY
    if hours < 0:
        # What had been dated later than now is gone: it was dated wrongly.
        assert len(life.history.recent()) == before + 1 + hours * 6 + 5


def test_an_anomaly_is_scored_once_and_the_hold_off_ends() -> None:
    score, rng = AnomalyScore(), random.Random(5)
    told = [score.see(21 + rng.gauss(0, 0.1)) for _ in range(2000)]
    assert max(told[500:]) < 0.6
    assert score.see(25.0) > 0.8
    after = [score.see(25.0) for _ in range(HOLD_OFF - 1)]
    assert max(after) == 0.0


def test_a_series_is_only_learnt_from_at_first() -> None:
    score = AnomalyScore()
    assert [score.see(float(number**3)) for number in range(LEARN)] == [0.0] * LEARN


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300))
def test_a_score_is_between_nothing_and_one(values: list[float]) -> None:
    score = AnomalyScore()
    assert all(0.0 <= score.see(value) <= 1.0 for value in values)


def test_a_constant_series_scores_nothing() -> None:
    score = AnomalyScore()
    assert {score.see(21.0) for _ in range(500)} == {0.0}


@given(st.lists(st.tuples(st.floats(0, 5000), st.one_of(st.none(), st.floats(-50, 50))), max_size=60))
def test_slots_come_in_order_and_hold_what_was_read(rounds: list[tuple[float, float | None]]) -> None:
    slots, at_s, numbers = Slots(), 0.0, []
    for wait_s, value in rounds:
        at_s += wait_s
        for slot in slots.see({"temperature": value, "humidity": value}, START + timedelta(seconds=at_s), at_s):
            numbers.append(slot.number)
            assert slot.temperature is None or -50 <= slot.temperature <= 50
    assert numbers == sorted(set(numbers))


def test_a_slot_of_two_times_is_given_up() -> None:
    slots = Slots()
    slots.see({"temperature": 21.0}, START, 0.0)
    assert slots.see({"temperature": 22.0}, START + timedelta(hours=5), 30.0) == []
    assert slots.see({"temperature": 22.0}, START - timedelta(hours=5), 60.0) == []
    assert slots.set_back_to == 2_900_000 - 30


# --- movements ------------------------------------------------------------------------------------------------------

NIGHT = datetime(2026, 3, 2, 3, 10, tzinfo=UTC)


def weeks(count: int, by_night: int = 0, by_day: int = 30) -> Mapping[int, int]:
    first = hour_of(NIGHT) - count * 168
    return {first - 100: 1} | {
        hour: by_day if 8 <= hour % 24 <= 20 else by_night for hour in range(first - 99, hour_of(NIGHT))
    }


def test_many_movements_in_an_hour_that_has_none_are_unusual() -> None:
    motion = MotionHours(weeks(4))
    told = [motion.see(NIGHT + timedelta(minutes=number), 1) for number in range(10)]
    (unusual,) = [one for one in told if one is not None]
    assert unusual[0] is True
    assert "movements" in unusual[1]
    assert motion.see(NIGHT + timedelta(hours=1), 0) == (False, "the hour is over")


def test_as_many_as_ever_are_usual() -> None:
    motion = MotionHours(weeks(6, by_night=30))
    assert [motion.see(NIGHT + timedelta(minutes=number), 1) for number in range(30)] == [None] * 30


def test_nothing_is_unusual_before_the_room_is_known() -> None:
    motion = MotionHours(weeks(FEWEST_WEEKS - 1))
    assert [motion.see(NIGHT + timedelta(minutes=number), 5) for number in range(30)] == [None] * 30
    assert MotionHours({}).see(NIGHT, 100) is None


def test_a_movement_is_told_with_the_next_round(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.moment = START
    life.round(21.0, 45.0)
    for _ in range(3):
        life.watch.moved()
    life.round(21.0, 45.0)
    life.round(21.0, 45.0)
    assert sum(life.history.motion().values()) == 3


def test_readings_that_are_no_numbers_are_nothing(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.days(1)
    assert "scores" not in life.round(math.nan, math.inf)
