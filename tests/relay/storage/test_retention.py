"""What is old goes, level by level; what the ledger knows stays; and the database has a bound."""

import pytest
from sqlalchemy import func, select

from server.settings import Keep, RetentionPolicy
from server.storage.fold import HOUR_MS, MINUTE_MS
from server.storage.retention import DAY_MS, Retention
from server.storage.space import disk_space
from server.storage.tables import events, hours, minutes, readings, series
from shared.clock import to_ms
from shared.errors import Code, Refusal
from tests.relay.storage.building import event, record

_POLICY = RetentionPolicy(
    readings=Keep(raw_days=1, minute_days=3, hour_days=10),
    quantities={"humidity": Keep(raw_days=5, minute_days=5, hour_days=5)},
    log_days=2,
)


def _days_of_data(recorder, clock, days: int, step_ms: int = HOUR_MS) -> None:
    """Both quantities, from `days` days ago until now; each day's events are received on their day."""
    now = to_ms(clock.now())
    clock.advance(-days * 86_400)
    for number, at in enumerate(range(now - days * DAY_MS, now, step_ms), 1):
        recorder.offer(event(number, taken_at_ms=at, readings={"temperature": 1.0, "humidity": 2.0}))
        if number % 24 == 0:
            recorder.offer(event(number, taken_at_ms=at)).wait()
            clock.advance(86_400 * step_ms * 24 / DAY_MS)
    recorder.submit(event(number))


def _kept(database, table, time, quantity):
    """(how many, the oldest) of one quantity."""
    found = select(func.count(), func.min(time)).select_from(table.join(series)).where(series.c.quantity == quantity)
    return tuple(database.rows(found)[0])


def test_each_level_keeps_its_own_time_and_each_quantity_its_own(database, recorder, clock):
    _days_of_data(recorder, clock, 12)
    now = to_ms(clock.now())
    pruned = Retention(database, clock, _POLICY, recorder.settle).run()
    assert _kept(database, readings, readings.c.taken_at, "temperature") == (24, now - DAY_MS)
    assert _kept(database, minutes, minutes.c.start, "temperature") == (72, now - 3 * DAY_MS)
    assert _kept(database, hours, hours.c.start, "temperature") == (240, now - 10 * DAY_MS)
    assert {_kept(database, table, time, "humidity") for table, time in _LEVELS} == {(120, now - 5 * DAY_MS)}
    assert (pruned.events, pruned.readings) == (240, 11 * 24 + 7 * 24)
    assert database.rows(select(func.count()).select_from(events)) == [[48]]


_LEVELS = ((readings, readings.c.taken_at), (minutes, minutes.c.start), (hours, hours.c.start))


def test_work_is_done_in_slices_and_told(database, recorder, clock, monkeypatch):
    monkeypatch.setattr("server.storage.retention._SLICE", 10)
    _days_of_data(recorder, clock, 12)
    told = []
    whole = Retention(database, clock, _POLICY, recorder.settle).run(lambda *step: told.append(step))
    assert (whole.events, whole.readings) == (240, 11 * 24 + 7 * 24)
    assert sum(step[0] == "removing old events" for step in told) >= 24
    assert ("removing old readings", 2, 2) in told


def test_what_was_removed_stays_a_duplicate_and_is_not_missing(database, history, recorder, clock):
    _days_of_data(recorder, clock, 12)
    Retention(database, clock, _POLICY, recorder.settle).run()
    assert recorder.submit(event(1)).duplicate
    (ledger,) = history.completeness("pi")
    assert (ledger.stored, ledger.missing) == (288, ())


def test_a_replay_from_before_what_was_removed_is_refused(database, history, recorder, clock):
    _days_of_data(recorder, clock, 12)
    Retention(database, clock, _POLICY, recorder.settle).run()
    assert len(history.replay(240, 1_000)) == 48
    with pytest.raises(Refusal) as refused:
        history.replay(239, 1_000)
    assert refused.value.code is Code.REPLAY_INCOMPLETE


def test_the_newest_event_of_each_name_outlives_the_log(database, history, recorder, clock):
    record(recorder, event(1, name="status", readings={}))
    _later(clock, recorder, 100)
    Retention(database, clock, _POLICY, recorder.settle).run()
    assert database.rows(select(func.count()).select_from(events)) == [[1]]
    assert {one.event for one in history.latest_state().events} == {"status", "round"}


def test_a_chart_of_what_was_removed_shows_what_is_left(database, history, recorder, clock):
    _days_of_data(recorder, clock, 12, step_ms=10 * MINUTE_MS)
    now = to_ms(clock.now())
    Retention(database, clock, _POLICY, recorder.settle).run()
    for back, resolution in ((1, "raw"), (2, "minute"), (8, "hour")):
        chart = history.readings("pi", "temperature", now - back * DAY_MS, now - back * DAY_MS + HOUR_MS, 1_000)
        assert (chart.resolution, sum(point.count for point in chart.points)) == (resolution, 6)


def test_a_leap_of_the_clock_removes_nothing_until_a_time_source_confirms_it(database, recorder, clock):
    record(recorder, event(1))
    retention = Retention(database, clock, _POLICY, recorder.settle)
    retention.run()
    clock.is_synchronised = False
    for leap in (100, -200):
        clock.step(leap * 86_400)
        assert "leapt" in retention.run().skipped
    clock.step(200 * 86_400)
    clock.is_synchronised = True
    assert retention.run().skipped == ""
    assert database.rows(select(func.count()).select_from(events)) == [[0]]


def test_a_database_over_its_bound_keeps_less(sqlite_url, opened, clock):
    from server.storage.recorder import Recorder

    database = opened(sqlite_url)
    recorder = Recorder.start(database, clock)
    clock.advance(-9 * 86_400)
    for day in range(10):
        record(
            recorder,
            *(
                event(day * 100 + id_, taken_at_ms=to_ms(clock.now()), body='"' + "x" * 60_000 + '"')
                for id_ in range(1, 61)
            ),
        )
        clock.advance(86_400)
    clock.advance(-86_400)
    policy = RetentionPolicy(log_days=30, max_bytes=16 * 1024 * 1024)
    pruned = Retention(database, clock, policy, recorder.settle).run()
    assert pruned.shortened_to < 0.3
    assert pruned.used_bytes <= policy.max_bytes
    newest = database.rows(select(func.max(events.c.cursor), func.count()))[0]
    assert newest[0] == 600
    assert newest[1] >= 60
    recorder.close()


def test_a_warning_comes_well_before_the_disk_is_full(sqlite_url, opened, monkeypatch):
    database = opened(sqlite_url)
    roomy = disk_space(database, 1)
    assert roomy.free_bytes
    assert "may grow" in disk_space(database, roomy.free_bytes * 2).warning
    monkeypatch.setattr("server.storage.space._LEAST_BYTES", roomy.free_bytes * 2)
    assert "make room" in disk_space(database, 1).warning


def test_the_size_of_a_database_is_known(database, recorder):
    before = disk_space(database, 1).used_bytes
    record(recorder, *(event(id_, body='"' + "x" * 10_000 + '"') for id_ in range(1, 101)))
    assert disk_space(database, 1).used_bytes > before


def _later(clock, recorder, days: int) -> None:
    clock.advance(days * 86_400)
    record(recorder, event(2, taken_at_ms=to_ms(clock.now())))
