"""Windows: what they are made of, and when they say that they do not know."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.stress.readings import Reading, Reason
from server.stress.windows import (
    BASELINE_BUCKETS,
    GAP_S,
    LOST_S,
    NAMES,
    WARM_UP_S,
    WINDOW_S,
    WearerWindow,
    Windows,
)
from tests.relay.stress.people import calm


def outcomes(readings: list[Reading]) -> list[Any]:
    window = WearerWindow(readings[0].sensor)
    return [window.see(reading) for reading in readings]


def later(readings: list[Reading], seconds: float) -> list[Reading]:
    return [reading._replace(at_s=reading.at_s + seconds) for reading in readings]


def unknown_for(found: list[Any], reason: Reason) -> int:
    """How many readings at the beginning are unknown for `reason`."""
    return next((n for n, one in enumerate(found) if one is not reason), len(found))


def test_the_first_six_minutes_are_unknown() -> None:
    found = outcomes(calm(400))
    assert found[:WARM_UP_S] == [Reason.WARMING_UP] * WARM_UP_S
    assert all(isinstance(one, tuple) for one in found[WARM_UP_S:])


def test_the_features_are_what_their_names_say() -> None:
    readings = calm(2400)
    features = dict(zip(NAMES, outcomes(readings)[-1], strict=True))
    for place, signal in enumerate(("hr", "temp", "ln_eda"), start=3):
        values = np.array([reading[place] for reading in readings], dtype=float)
        values = np.log(values) if signal == "ln_eda" else values
        window = values[-WINDOW_S:]
        # The bucket that ends with the newest reading is not closed yet.
        buckets = values[:-10].reshape(-1, 10).mean(axis=1)
        expected = {
            "minus_median_30min": window.mean() - np.median(buckets[-BASELINE_BUCKETS:]),
            "minus_previous_4min": window.mean() - values[-WINDOW_S - 240 : -WINDOW_S].mean(),
            "sd": window.std(),
            "slope": np.polyfit(np.arange(WINDOW_S), window, 1)[0],
            "range": np.ptp(window),
        }
        for statistic, value in expected.items():
            assert features[f"{signal}_{statistic}"] == pytest.approx(value, abs=1e-9), (signal, statistic)


@settings(max_examples=30, deadline=None)
@given(shift_ms=st.integers(-(10**13), 10**13), step_ms=st.integers(200, 4_000))
def test_a_shifted_clock_gives_identical_windows(shift_ms: int, step_ms: int) -> None:
    readings = [one._replace(at_s=n * step_ms / 1000) for n, one in enumerate(calm(600))]
    moved = [one._replace(at_s=(n * step_ms + shift_ms) / 1000) for n, one in enumerate(readings)]
    assert outcomes(moved) == outcomes(readings)


def test_a_later_reading_changes_no_earlier_window() -> None:
    readings = calm(500)
    assert outcomes(readings)[:450] == outcomes(readings[:450])


def test_after_a_gap_the_window_fills_anew_and_the_baseline_stays() -> None:
    readings = calm(600)
    found = outcomes(readings[:500] + later(readings[500:], GAP_S + 1))[500:]
    assert unknown_for(found, Reason.GAP) == WINDOW_S - GAP_S - 1 + 1
    assert isinstance(found[-1], tuple)


def test_a_short_silence_is_no_gap() -> None:
    readings = calm(500)
    found = outcomes(readings[:450] + later(readings[450:], GAP_S - 1))
    assert all(isinstance(one, tuple) for one in found[WARM_UP_S:])


def test_after_a_long_gap_the_baseline_begins_anew() -> None:
    readings = calm(900)
    found = outcomes(readings[:450] + later(readings[450:], LOST_S))[450:]
    assert unknown_for(found, Reason.GAP) == WARM_UP_S


def test_many_short_gaps_leave_too_little_baseline() -> None:
    # Twenty readings, then a minute and a half of nothing: a window never fills.
    readings = [one for n, one in enumerate(calm(3000)) if n % 110 < 20]
    found = outcomes(readings)
    assert {one for one in found if isinstance(one, Reason)} == {Reason.WARMING_UP, Reason.GAP}
    assert not any(isinstance(one, tuple) for one in found)


def test_readings_too_far_apart_are_never_known() -> None:
    assert set(outcomes(calm(6000)[:: GAP_S + 1])) == {Reason.WARMING_UP, Reason.GAP}


def test_a_clock_set_back_begins_anew() -> None:
    readings = calm(900)
    found = outcomes(readings[:450] + later(readings[450:], -3600))[450:]
    assert unknown_for(found, Reason.CLOCK_STEP) == WARM_UP_S
    assert isinstance(found[-1], tuple)


def test_a_clock_set_forward_in_a_window_is_a_gap() -> None:
    readings = calm(900)
    found = outcomes(readings[:450] + later(readings[450:], 3600))[450:]
    assert unknown_for(found, Reason.GAP) == WARM_UP_S


def test_a_late_reading_is_left_out() -> None:
    readings = calm(500)
    late = readings[440]._replace(at_s=readings[449].at_s - 1.5, hr=200.0)
    found = outcomes([*readings[:450], late, *readings[450:]])
    assert found[450] is Reason.LATE
    assert found[:450] + found[451:] == outcomes(readings)


def test_another_sensor_begins_anew() -> None:
    readings = calm(900)
    found = outcomes(readings[:450] + [one._replace(sensor="other") for one in readings[450:]])[450:]
    assert unknown_for(found, Reason.SENSOR_CHANGED) == WARM_UP_S
    assert isinstance(found[-1], tuple)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, -1.0, 0.0, 1e9])
@pytest.mark.parametrize("signal", ["hr", "temp", "eda"])
def test_a_value_that_no_worn_sensor_gives_is_unknown_and_leaves_no_trace(signal: str, value: float | None) -> None:
    readings = calm(500)
    bad = Reading(**{**readings[450]._asdict(), signal: value})
    found = outcomes([*readings[:450], bad, *readings[451:]])
    assert found[450] is Reason.OUT_OF_RANGE
    assert found[451:] == outcomes([*readings[:450], *readings[451:]])[450:]


@pytest.mark.parametrize("at_s", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_number_is_out_of_range(at_s: float) -> None:
    readings = calm(500)
    found = outcomes([*readings[:450], readings[450]._replace(at_s=at_s), *readings[451:]])
    assert found[450] is Reason.OUT_OF_RANGE
    assert isinstance(found[-1], tuple)


@pytest.mark.parametrize("signal", ["hr", "eda"])
def test_a_sensor_that_is_stuck_for_a_window_is_unknown(signal: str) -> None:
    stuck = {signal: getattr(calm(451)[450], signal)}
    readings = [one if n < 450 else one._replace(**stuck) for n, one in enumerate(calm(600))]
    found = outcomes(readings)
    assert all(isinstance(one, tuple) for one in found[WARM_UP_S : 450 + WINDOW_S - 1])
    assert set(found[450 + WINDOW_S :]) == {Reason.CONSTANT}


def test_readings_of_one_second_count_as_their_mean() -> None:
    readings = calm(500)
    halves = [
        one._replace(at_s=one.at_s + part, hr=one.hr + sign)
        for one in readings
        if one.hr is not None
        for part, sign in ((0.0, 1.0), (0.5, -1.0))
    ]
    doubled, single = outcomes(halves)[-1], outcomes(readings)[-1]
    assert isinstance(doubled, tuple)
    assert isinstance(single, tuple)
    assert doubled == pytest.approx(single, abs=1e-9)


Value = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(20, 100)
Step = st.sampled_from([0.0, 0.3, 1.0, 1.0, 5.0, 9.9, 11.0, 200.0, -1.0, -30.0, 1e300, -1e300, math.nan])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(Step, Value, Value, Value, st.sampled_from("ab")), max_size=40), st.integers(0, 500))
def test_whatever_comes_it_answers_and_its_features_are_numbers(odd: list[Any], before: int) -> None:
    window = WearerWindow("s")
    at_s = 0.0
    for reading in calm(before):
        window.see(reading)
        at_s = reading.at_s
    for step, hr, temp, eda, sensor in odd:
        at_s = at_s + step if math.isfinite(at_s + step) else 0.0
        found = window.see(Reading("w", sensor, at_s, hr, temp, eda))
        assert isinstance(found, Reason) or all(map(math.isfinite, found))


def test_a_wearer_takes_a_bounded_amount_of_memory() -> None:
    hour = calm(2400)  # longer than anything that is remembered
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [WearerWindow("s") for _ in range(2)]
        for window in kept:
            for reading in hour:
                window.see(reading)
        per_wearer = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    finally:
        tracemalloc.stop()
    assert per_wearer < 12_000


def test_the_wearer_that_was_silent_longest_is_forgotten() -> None:
    windows = Windows(most=2)
    for reading in calm(400, wearer="a"):
        windows.see(reading)
    for wearer in ("b", "a", "c", "d"):
        windows.see(calm(1, wearer=wearer, start_s=400)[0])
    assert len(windows) == 2
    assert windows.see(calm(1, wearer="a", start_s=401)[0]) is Reason.WARMING_UP


def test_wearers_do_not_mix() -> None:
    windows = Windows()
    readings, others = calm(500), calm(500, wearer="v", start_s=7.0)
    found = []
    for reading, other in zip(readings, others, strict=True):
        found.append(windows.see(reading))
        windows.see(other._replace(hr=180.0))
    assert found == outcomes(readings)
