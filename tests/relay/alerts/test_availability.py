"""Online and offline are proved, told with their reason, stored, and not told again and again."""

from hypothesis import given
from hypothesis import strategies as st

from server.rules import AvailabilitySettings
from server.services.damper import Damper
from server.state.schedule import Schedule

HEARTBEAT_S, TIMEOUT_S = 5.0, 10.0


def stored(site, device="pi"):
    return site.comings.newest()[device]


def test_a_device_whose_connection_ends_is_offline_at_once_and_says_why(site):
    house = site()
    house.come()
    house.leave()
    assert house.links == [(True, None, False), (False, "connection_lost", False)]
    assert (stored(house).online, stored(house).reason) == (False, "connection_lost")


def test_a_device_that_says_its_last_word_has_ended(site):
    house = site()
    house.come()
    house.beat(ending=True)
    house.leave()
    assert house.links[-1] == (False, "ended", False)


def test_a_device_that_falls_silent_on_an_open_connection_is_offline_within_interval_and_timeout(site):
    house = site(timeout_s=TIMEOUT_S)
    house.come()
    house.wait(60, beat=("pi",))
    assert house.links == [(True, None, False)]
    house.wait(HEARTBEAT_S + TIMEOUT_S)
    assert house.registry.get("pi").online
    house.wait(1)
    assert house.links[-1] == (False, "heartbeat_missed", False)
    snapshot = house.registry.get("pi").snapshot()
    assert (snapshot.online, snapshot.reason) == (False, "heartbeat_missed")
    since = snapshot.since
    house.wait(5)
    house.leave()
    assert house.links[-1] == (False, "heartbeat_missed", False)
    assert house.registry.get("pi").snapshot().since == since


def test_a_device_that_speaks_again_is_online_again(site):
    house = site(timeout_s=TIMEOUT_S)
    house.come()
    house.wait(HEARTBEAT_S + TIMEOUT_S + 1)
    house.presence.heard("pi")
    assert [online for online, _, _ in house.links] == [True, False, True]


def test_any_event_proves_a_device(site):
    house = site(timeout_s=TIMEOUT_S)
    house.come()
    for _ in range(30):
        house.wait(10)
        house.presence.heard("pi")
    assert house.links == [(True, None, False)]


def test_of_a_device_that_promises_no_heartbeats_the_connection_is_the_proof(site):
    house = site(timeout_s=TIMEOUT_S)
    house.come(heartbeat_s=None)
    house.wait(600)
    assert house.links == [(True, None, False)]


def test_a_relay_that_stood_still_blames_nobody(site):
    house = site(timeout_s=TIMEOUT_S)
    house.come()
    house.clock.advance(300)
    house.availability.sweep()
    assert house.links == [(True, None, False)]
    house.wait(HEARTBEAT_S + TIMEOUT_S + 2)
    assert house.links[-1] == (False, "heartbeat_missed", False)


def test_a_wall_clock_that_is_set_proves_nothing(site):
    house = site(timeout_s=TIMEOUT_S)
    house.come()
    house.clock.step(86400)
    house.wait(5)
    house.clock.step(-2 * 86400)
    house.wait(5)
    assert house.links == [(True, None, False)]


def test_after_a_restart_of_the_relay_who_was_there_is_away_for_that_and_others_as_before(site):
    house = site()
    for device in ("a", "b", "c"):
        house.come(device)
    house.leave("b")
    house.beat("c", ending=True)
    house.leave("c")
    house.availability.end()
    house.leave("a")
    house.start_relay()
    reasons = {device.name: device.snapshot().reason for device in house.registry}
    assert reasons == {"a": "relay_restarted", "b": "connection_lost", "c": "ended"}
    house.come("a")
    assert house.registry.get("a").snapshot().reason is None


def test_a_device_that_comes_and_goes_is_told_once_and_again_when_it_is_quiet(site):
    house = site(flapping_changes=6, flapping_window_s=60)
    for _ in range(20):
        house.come()
        house.wait(1)
        house.leave()
        house.wait(1)
    assert len(house.links) == 6
    assert house.links[-1] == (False, "connection_lost", True)
    house.come()
    house.wait(58, beat=("pi",))
    assert len(house.links) == 6
    assert house.registry.get("pi").snapshot().flapping
    house.wait(3, beat=("pi",))
    assert house.links[6:] == [(True, None, False)]
    assert stored(house).online


@given(st.lists(st.floats(0.1, 100), max_size=60))
def test_a_damper_tells_at_most_so_much_and_never_ends_on_a_lie(waits):
    settings = AvailabilitySettings(flapping_changes=4, flapping_window_s=60)
    damper, now, online, told = Damper(settings), 0.0, True, True
    times = []
    for wait in waits:
        for _ in range(int(wait)):
            now += 1
            if damper.ended(now):
                told = online
        online = not online
        if damper.changed(now):
            told = online
            times.append(now)
    assert all(sum(1 for at in times if start <= at < start + 60) <= 5 for start in times)
    for _ in range(61):
        now += 1
        if damper.ended(now):
            told = online
    assert told is online


# --- stale values -----------------------------------------------------------------------------------------------------


def test_a_value_is_stale_by_the_schedule_of_its_own_sensor():
    every_round, slow, unknown = Schedule(), Schedule(), Schedule()
    for step in range(20):
        often = every_round.note(30.0 * step, 30.0)
    for step in range(5):
        seldom = slow.note(300.0 * step, 30.0)
    assert (often, seldom) == (90, 900)
    assert unknown.note(0.0, None) is None
    assert unknown.note(10.0, None) == 30


def test_an_outage_is_no_schedule():
    schedule = Schedule()
    for at in (0.0, 30.0, 60.0, 7260.0, 7290.0):
        after = schedule.note(at, 30.0)
    assert after == 90


def test_a_reading_tells_until_when_it_holds_and_since_when_there_is_none(site):
    house = site()
    house.come()
    house.read(21.0)
    first = house.registry.get("pi").snapshot().readings["temperature"]
    house.wait(10)
    house.read(None)
    later = house.registry.get("pi").snapshot().readings["temperature"]
    assert (first.stale_after_s, first.value_at) == (30, first.taken_at)
    assert (later.value, later.value_at) == (None, first.taken_at)
    house.registry.get("pi").note_value("PM2.5", 4.0, first.taken_at)
    assert house.registry.get("pi").readings["PM2.5"].value_at == first.taken_at
