"""The rules for faults: each finds its own kind, says why, and keeps quiet about a room that lives."""

import math
import random

import pytest

from pi_agent.insight.faults import SILENT_SLOTS, STUCK_SLOTS, Found, SlotRules, SpikeRule, dew_point
from pi_agent.insight.usual import DAYS, Usual
from pi_agent.training.climate import SLOTS_PER_DAY
from shared.contract.payloads import FindingKind, Severity
from tests.agent.training.rooms import room

Pair = tuple[float | None, float | None]


def lived(days: float = 9) -> list[Pair]:
    series = room(days=days)
    return list(zip(series.temperature, series.humidity, strict=True))


def moved(pair: Pair, celsius: float, percent: float = 0.0) -> Pair:
    assert pair[0] is not None
    assert pair[1] is not None
    return pair[0] + celsius, pair[1] + percent


def found(pairs: list[Pair], rules: SlotRules | None = None) -> list[Found]:
    rules = rules or SlotRules()
    return [one for pair in pairs for one in rules.see(*pair)]


def kinds(pairs: list[Pair]) -> list[tuple[FindingKind, bool]]:
    return [(one.kind, one.active) for one in found(pairs)]


def test_a_room_that_lives_has_no_faults() -> None:
    assert found(lived(30)) == []


def test_an_open_window_is_found_and_ends_when_it_is_warm_again() -> None:
    pairs = lived()
    for slot in range(16):
        depth = 4 * (1 - math.exp(-min(slot + 1, 4) / 2)) * (math.exp(-(slot - 3) / 4) if slot >= 4 else 1)
        pairs[-40 + slot] = moved(pairs[-40 + slot], -depth, -5)
    assert kinds(pairs) == [(FindingKind.OPEN_WINDOW, True), (FindingKind.OPEN_WINDOW, False)]


def test_an_offset_is_found_after_it_has_proved_to_stay() -> None:
    pairs = lived()
    pairs[-40:] = [moved(pair, 2.0) for pair in pairs[-40:]]
    (offset,) = found(pairs)
    assert (offset.kind, offset.active, offset.severity) == (FindingKind.OFFSET, True, Severity.WARNING)
    assert "+2" in offset.cause or "+1.9" in offset.cause


def test_an_offset_ends_when_it_goes_away() -> None:
    pairs = lived()
    pairs[-60:-30] = [moved(pair, -2.0) for pair in pairs[-60:-30]]
    assert kinds(pairs) == [(FindingKind.OFFSET, True), (FindingKind.OFFSET, False)]


def test_an_offset_that_stays_for_a_day_is_the_new_level() -> None:
    pairs = lived(12)
    pairs[-300:] = [moved(pair, 2.0) for pair in pairs[-300:]]
    assert kinds(pairs)[:2] == [(FindingKind.OFFSET, True), (FindingKind.OFFSET, False)]


def test_a_drift_is_found_by_its_dew_point() -> None:
    pairs = lived()
    pairs[-144:] = [moved(pair, 4 * min(1.0, slot / 72)) for slot, pair in enumerate(pairs[-144:])]
    assert (FindingKind.DRIFT, True) in kinds(pairs)


def test_a_room_that_is_heated_is_no_drift() -> None:
    pairs = lived()
    warmer = []
    for slot, (t, h) in enumerate(pairs[-144:]):
        assert t is not None
        assert h is not None
        # As much water as before: the dew point stays.
        after = t + 3 * min(1.0, slot / 72)
        vapour = 17.62 * dew_point(t, h) / (243.12 + dew_point(t, h))
        warmer.append((after, 100 * math.exp(vapour - 17.62 * after / (243.12 + after))))
    pairs[-144:] = warmer
    assert found(pairs) == []


def test_both_values_stuck_are_found_and_one_alone_is_not() -> None:
    pairs = lived()
    stuck = [*pairs, *[pairs[-1]] * (STUCK_SLOTS + 1), moved(pairs[-1], 0.1)]
    assert kinds(stuck) == [(FindingKind.STUCK, True), (FindingKind.STUCK, False)]
    rng = random.Random(1)
    assert kinds([*pairs, *[(pairs[-1][0], 45 + rng.random()) for _ in range(60)]]) == []


def test_a_sensor_of_whole_degrees_may_stay_the_same_for_hours() -> None:
    assert kinds([(21.0, 45.0)] * 60) == []
    assert kinds([(21.0, 45.0)] * 80) == [(FindingKind.STUCK, True)]


def test_silence_is_found_and_ends() -> None:
    pairs = [*lived(1), *[(None, None)] * SILENT_SLOTS, (21.0, 45.0)]
    assert kinds(pairs)[:2] == [(FindingKind.SILENT, True), (FindingKind.SILENT, False)]
    (begun, *_) = found(pairs)
    assert begun.severity is Severity.CRITICAL
    assert found([*lived(1), *[(math.nan, math.inf)] * SILENT_SLOTS])[0].kind is FindingKind.SILENT


def test_time_that_nobody_saw_is_no_silence() -> None:
    rules = SlotRules()
    found(lived(1), rules)
    rules.skip(500)
    assert rules.see(21.0, 45.0) == []


@pytest.mark.parametrize("away", [3.0, -3.0])
def test_one_reading_that_stands_out_is_a_spike(away: float) -> None:
    rule, rng = SpikeRule(), random.Random(3)
    readings = [21 + rng.gauss(0, 0.05) for _ in range(200)]
    readings[150] += away
    told = [rule.see(reading) for reading in readings]
    assert [number for number, one in enumerate(told) if one is not None] == [151]
    assert told[151] == pytest.approx(away, abs=0.3)


def test_a_step_and_a_fall_are_no_spikes() -> None:
    for readings in ([21.0] * 50 + [24.0] * 50, [21.0] * 50 + [21 - number * 0.5 for number in range(20)]):
        rule = SpikeRule()
        assert [rule.see(reading) for reading in readings] == [None] * len(readings)


def test_a_reading_that_is_missing_is_no_spike() -> None:
    rule = SpikeRule()
    assert [rule.see(value) for value in (21.0, None, 21.0, math.nan, 21.0)] == [None] * 5


def test_what_is_usual_follows_the_room_but_not_one_fault() -> None:
    usual = Usual(floor=1.0, factor=1.5)
    for _ in range(SLOTS_PER_DAY):
        usual.see(100.0)
    assert usual.limit == 1.5
    for _ in range(3):
        for _ in range(SLOTS_PER_DAY):
            usual.see(1.2)
    assert usual.limit == pytest.approx(1.8)
    for _ in range((DAYS + 1) * SLOTS_PER_DAY):
        usual.see(0.1)
    assert usual.limit == 1.0


def test_the_dew_point_is_that_of_the_tables() -> None:
    # WMO guide: 20 °C at 50 %RH has its dew point at 9.3 °C.
    assert dew_point(20.0, 50.0) == pytest.approx(9.27, abs=0.05)
    assert dew_point(20.0, 100.0) == pytest.approx(20.0)
