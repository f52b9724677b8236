"""Schedules and quiet hours, through time zones, daylight saving and clocks that nobody has set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_agent.accessories.base import Conduct
from pi_agent.accessories.hours import Hours, Span
from pi_agent.settings import AgentSettings
from shared.contract.payloads import Action
from shared.settings import SettingsError, load
from tests.support.clock import FakeClock
from tests.support.house import LIGHT, House

ZURICH = ZoneInfo("Europe/Zurich")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def at(text: str) -> FakeClock:
    """A clock that shows this in Zurich."""
    return FakeClock(datetime.fromisoformat(text).replace(tzinfo=ZURICH).astimezone(UTC))


def hours(clock: FakeClock, *schedule: str, quiet: str | None = None, zone=ZURICH) -> Hours:
    return Hours([Span.parse(text) for text in schedule], Span.parse(quiet) if quiet else None, zone, clock)


def edges(clock: FakeClock, kept: Hours, days: float) -> list[tuple[str, bool]]:
    """What it asks for over some days, minute by minute, by the clock on the wall."""
    found = []
    for _ in range(round(days * 24 * 60)):
        if (edge := kept.edge()) is not None:
            found.append((f"{clock.now().astimezone(ZURICH):%a %d %H:%M}", edge))
        clock.advance(60)
    return found


# --- spans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("18:00-22:30", "mon tue wed thu fri sat sun"),
        ("mon-fri 18:00-22:30", "mon tue wed thu fri"),
        ("Sat, Sun 18:00-22:30", "sat sun"),
        ("fri-mon 18:00-22:30", "fri sat sun mon"),
        ("wed 18:00-24:00", "wed"),
    ],
)
def test_a_span_names_its_days(text, days) -> None:
    assert {DAYS[day] for day in Span.parse(text).days} == set(days.split())


@pytest.mark.parametrize(
    "text", ["", "18:00", "18-22", "25:00-26:00", "18:00-18:00", "monday 18:00-19:00", "mon- 18:00-19:00"]
)
def test_what_is_no_span_is_refused_with_examples(text) -> None:
    with pytest.raises(ValueError, match=r"write 22:30-07:00, mon-fri 18:00-22:30"):
        Span.parse(text)


def test_a_wrong_span_in_the_settings_is_named() -> None:
    with pytest.raises(SettingsError, match=r"breathing.*'6pm' is no span of hours"):
        load(AgentSettings, None, {"PI_AGENT_BREATHING__SCHEDULE": '["6pm"]'}, "PI_AGENT_")


def test_an_unknown_time_zone_is_named() -> None:
    settings = load(AgentSettings, None, {"PI_AGENT_TIME_ZONE": "Europe/Zuerich"}, "PI_AGENT_")
    with pytest.raises(SettingsError, match=r"time_zone.*IANA"):
        _ = settings.zone


minutes = st.integers(0, 24 * 60 - 1)


@given(
    days=st.sets(st.sampled_from(range(7)), min_size=1),
    begin=minutes,
    end=minutes,
    minute_of_years=st.integers(0, 2 * 365 * 24 * 60),
)
def test_a_span_holds_exactly_when_the_wall_clock_is_within_it(days, begin, end, minute_of_years) -> None:
    if begin == end:
        return
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute_of_years)
    span = Span(frozenset(days), begin, end)
    local = moment.astimezone(ZURICH).replace(tzinfo=None)
    length = timedelta(minutes=(end - begin) % (24 * 60))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = [midnight - timedelta(days=back) + timedelta(minutes=begin) for back in (0, 1)]
    expected = any(start.weekday() in days and start <= local < start + length for start in begins)
    assert span.holds(moment.astimezone(ZURICH)) is expected


# --- what they ask for -----------------------------------------------------------------------------------------------


def test_a_schedule_turns_on_and_off_on_its_days() -> None:
    clock = at("2026-03-05T12:00")  # a Thursday
    assert edges(clock, hours(clock, "mon-fri 18:00-22:30", "sat 23:00-01:00"), 4) == [
        ("Thu 05 12:00", False),
        ("Thu 05 18:00", True),
        ("Thu 05 22:30", False),
        ("Fri 06 18:00", True),
        ("Fri 06 22:30", False),
        ("Sat 07 23:00", True),
        ("Sun 08 01:00", False),
    ]


def test_quiet_hours_end_what_is_on_and_begin_nothing() -> None:
    clock = at("2026-03-05T12:00")
    assert edges(clock, hours(clock, quiet="22:00-07:00"), 1) == [("Thu 05 22:00", False)]


def test_quiet_hours_come_before_the_schedule() -> None:
    clock = at("2026-03-05T12:00")
    assert edges(clock, hours(clock, "20:00-08:00", quiet="22:00-07:00"), 1) == [
        ("Thu 05 12:00", False),
        ("Thu 05 20:00", True),
        ("Thu 05 22:00", False),
        ("Fri 06 07:00", True),
        ("Fri 06 08:00", False),
    ]


def test_an_hour_that_is_skipped_begins_at_the_jump() -> None:
    clock = at("2026-03-29T00:00")  # 02:00 becomes 03:00
    assert edges(clock, hours(clock, "02:30-04:00", "02:10-02:20"), 0.5)[1:] == [
        ("Sun 29 03:00", True),
        ("Sun 29 04:00", False),
    ]


def test_an_hour_that_comes_twice_counts_twice() -> None:
    clock = at("2026-10-25T00:00")  # 03:00 becomes 02:00
    assert (
        edges(clock, hours(clock, "02:10-02:20"), 0.5)[1:]
        == [
            ("Sun 25 02:10", True),
            ("Sun 25 02:20", False),
        ]
        * 2
    )


def test_a_clock_that_nobody_has_set_switches_nothing_and_says_so_once(caplog) -> None:
    caplog.set_level("INFO")
    clock = at("2026-03-05T12:00")
    clock.is_synchronised = False
    kept = hours(clock, "mon-fri 18:00-22:30")
    assert edges(clock, kept, 1) == []
    assert caplog.text.count("no time source has set the clock yet") == 1
    clock.is_synchronised = True
    clock.step(-3 * 3600)  # it was wrong; Friday noon minus three hours
    assert kept.edge() is False
    assert "schedule begins" in caplog.text
    clock.is_synchronised = False  # a network that goes does not make the clock wrong
    clock.advance(9.5 * 3600)
    assert kept.edge() is True


def test_without_a_zone_the_machines_own_counts(monkeypatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        clock = FakeClock(datetime(2026, 3, 5, 10, 0, tzinfo=UTC))  # 19:00 there
        assert hours(clock, "18:00-20:00", zone=None).edge() is True
    finally:
        monkeypatch.undo()
        time.tzset()


# --- the light -------------------------------------------------------------------------------------------------------


def test_the_light_follows_its_hours_to_the_minute_and_a_rule_is_the_cause() -> None:
    clock = at("2026-03-05T17:59:30")
    house = House(light=Conduct(hours=hours(clock, "18:00-18:10")), clock=clock)
    house.commands.begin()
    house.let(29)
    house.sink.take()
    assert not house.lamp.shines
    said = house.let(2)
    assert [(way, fields["status"], fields["cause"]) for way, fields in said] == [("change", True, "rule")]
    assert house.lamp.shines
    assert house.commands.step() <= 0.04  # it breathes
    house.let(600)
    assert not house.lamp.shines
    house.close()


def test_people_have_the_last_word_until_the_next_edge() -> None:
    clock = at("2026-03-05T18:01")
    house = House(light=Conduct(hours=hours(clock, "18:00-18:10", quiet="20:00-21:00")), clock=clock)
    house.commands.begin()
    house.let(1)
    assert house.lamp.shines
    house.do(Action.OFF)
    house.let(120)
    assert not house.lamp.shines
    house.do(Action.ON)
    house.let(500)
    assert not house.lamp.shines
    clock.advance(2 * 3600)
    house.let(1)
    house.do(Action.ON, LIGHT)  # in quiet hours: somebody wants it
    house.let(60)
    assert house.lamp.shines
    house.close()


def test_a_light_without_the_relay_for_too_long_is_not_turned_on_by_its_hours() -> None:
    clock = at("2026-03-05T17:00")
    house = House(light=Conduct(hours=hours(clock, "18:00-18:10"), link_loss_s=60), clock=clock)
    house.commands.begin()
    house.sink.take()
    said = house.let(65 * 60, linked=False)
    assert [fields["cause"] for _, fields in said] == ["rule"]  # off, at the start
    assert not house.lamp.shines
    house.close()
