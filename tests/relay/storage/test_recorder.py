"""The log: each event once, in order, acked after COMMIT."""

import gc
import weakref
from collections.abc import Callable

import gevent
import pytest
from sqlalchemy import func, select, update

from server.storage.engine import Database
from server.storage.history import History
from server.storage.recorder import Limits, Recorder
from server.storage.records import Drop
from server.storage.tables import events, hours, marks, minutes, readings, stored_ranges, streams
from shared.errors import Code, Refusal
from shared.settings import SettingsError
from tests.relay.storage.building import START_MS, event, record
from tests.support.clock import FakeClock


def test_an_event_is_in_the_log_when_its_ticket_says_so(database, recorder):
    stored = recorder.submit(event(1))
    assert (stored.duplicate, stored.cursor) == (False, 1)
    assert database.rows(select(events.c.cursor, events.c.id, events.c.body)) == [[1, 1, '{"id":1}']]
    assert database.rows(select(readings.c.taken_at, readings.c.value)) == [[START_MS + 10_000, 1.0]]


def test_a_resend_is_a_duplicate_and_changes_nothing(database, recorder):
    recorder.submit(event(1))
    again = recorder.submit(event(1, body='{"other":1}'))
    assert (again.duplicate, again.cursor) == (True, None)
    assert database.rows(select(events.c.body)) == [['{"id":1}']]


def test_a_resend_that_overtakes_the_commit_waits_for_it_and_is_not_fresh(recorder):
    first, second = recorder.offer(event(1)), recorder.offer(event(1))
    assert (first.fresh, second.fresh) == (True, False)
    assert not first.done
    assert second.wait().duplicate
    assert first.wait().cursor == 1


def test_ids_of_other_devices_and_streams_are_other_events(recorder):
    record(recorder, event(1), event(1, device="other"), event(1, stream="other"))
    assert recorder.cursor == 3


def test_cursors_count_up_in_the_order_of_arrival_without_a_gap(history, recorder):
    record(recorder, *(event(id_, device=f"pi-{id_ % 7}") for id_ in range(1, 200)))
    assert [(row.cursor, row.id) for row in history.replay(0, 1_000)] == [(id_, id_) for id_ in range(1, 200)]


def test_events_that_arrive_in_one_turn_share_a_transaction(database, recorder):
    record(recorder, event(1))
    record(recorder, *(event(id_) for id_ in range(2, 100)))
    # All of one group bear the time at which it began.
    assert len(database.rows(select(events.c.received_at).distinct())) <= 2


def test_seen_knows_what_is_stored_and_what_was_offered(recorder):
    recorder.submit(event(1))
    recorder.offer(event(2))
    assert [recorder.seen("pi", "s", id_) for id_ in (1, 2, 3)] == [True, True, False]
    assert not recorder.seen("nobody", "s", 1)


def test_a_restart_remembers_every_event_whether_folded_or_not(database, clock):
    recorder = Recorder.start(database, clock)
    record(recorder, event(1), event(2))
    recorder.settle()
    record(recorder, event(3), event(7))
    # As after a crash: nothing was settled, the claim ends with the process.
    recorder._claim.release()
    again = Recorder.start(database, clock)
    assert [recorder.seen("pi", "s", id_) for id_ in range(1, 8)] == [True, True, True, False, False, False, True]
    assert again.cursor == 4
    assert again.submit(event(3)).duplicate
    assert again.submit(event(4)).cursor == 5
    again.close()


def test_what_a_crash_left_unfolded_is_folded_once(database, clock):
    recorder = Recorder.start(database, clock)
    record(recorder, *(event(id_) for id_ in range(1, 30)))
    recorder.settle()
    record(recorder, *(event(id_) for id_ in (40, 35, 31)))
    recorder._claim.release()
    again = Recorder.start(database, clock)
    again.settle()
    counted = [database.rows(select(func.sum(table.c.count), func.sum(table.c.total)))[0] for table in (minutes, hours)]
    expected = sum(range(1, 30)) + 40 + 35 + 31
    assert [[int(count), total] for count, total in counted] == [[32, expected], [32, expected]]
    ranges = database.rows(select(stored_ranges.c.first, stored_ranges.c.last).order_by(stored_ranges.c.first))
    assert ranges == [[1, 29], [31, 31], [35, 35], [40, 40]]
    assert database.rows(select(streams.c.late)) == [[2]]
    again.close()


def test_the_ledger_joins_ranges_when_a_hole_is_filled(database, recorder):
    record(recorder, *(event(id_) for id_ in (1, 2, 5, 6, 9)))
    recorder.settle()
    record(recorder, event(4), event(3))
    recorder.settle()
    ranges = database.rows(select(stored_ranges.c.first, stored_ranges.c.last).order_by(stored_ranges.c.first))
    assert ranges == [[1, 6], [9, 9]]


def test_a_resend_stays_a_duplicate_after_its_row_is_gone(database, recorder, clock):
    record(recorder, *(event(id_) for id_ in range(1, 5)))
    recorder.settle()
    database.write(lambda connection: connection.execute(events.delete()))
    recorder.close()
    again = Recorder.start(database, clock)
    assert again.submit(event(2)).duplicate
    assert again.submit(event(5)).cursor == 5
    again.close()


def test_an_event_the_ledger_does_not_know_of_is_found_by_its_key(database, recorder):
    record(recorder, event(1), event(2))
    stream = recorder._ledger.known("pi", "s")
    stream.stored = type(stream.stored)()
    tickets = [recorder.offer(event(id_)) for id_ in (1, 2, 3)]
    assert [ticket.wait().duplicate for ticket in tickets] == [True, True, False]
    assert database.rows(select(events.c.cursor, events.c.id).order_by(events.c.cursor)) == [[1, 1], [2, 2], [3, 3]]


def test_one_event_that_cannot_be_stored_does_not_stop_the_others(recorder):
    bad = event(4, readings={"temperature": float("nan")})
    tickets = [recorder.offer(one) for one in (event(1), event(2), event(3), bad, event(5))]
    outcomes = []
    for ticket in tickets:
        try:
            outcomes.append(ticket.wait().duplicate)
        except Refusal as refusal:
            outcomes.append((refusal.code, refusal.retry))
    assert outcomes == [False, False, False, (Code.INVALID_PAYLOAD, False), False]


def test_a_full_queue_refuses_and_stays_bounded(database, clock):
    recorder = Recorder.start(database, clock, Limits(queue_events=3))
    tickets = [recorder.offer(event(id_)) for id_ in (1, 2, 3)]
    with pytest.raises(Refusal) as refused:
        recorder.offer(event(4))
    assert (refused.value.code, refused.value.retry) == (Code.QUEUE_FULL, True)
    assert [ticket.wait().cursor for ticket in tickets] == [1, 2, 3]
    late = recorder.offer(event(4))
    assert late.fresh, "it was refused before anybody was shown it"
    assert not late.wait().duplicate
    recorder.close()


def test_a_queue_full_of_long_bodies_refuses(database, clock):
    recorder = Recorder.start(database, clock, Limits(queue_bytes=100))
    recorder.offer(event(1, body='"' + "x" * 90 + '"'))
    with pytest.raises(Refusal, match="queue_full"):
        recorder.offer(event(2, body='"' + "x" * 90 + '"'))
    recorder.close()


def test_a_callback_is_told_what_a_waiter_would_be(recorder):
    told = []
    ticket = recorder.offer(event(1))
    ticket.then(told.append)
    ticket.wait()
    ticket.then(told.append)
    gevent.sleep(0)
    assert [outcome.get().cursor for outcome in told] == [1, 1]


def test_a_group_is_told_in_order_and_one_listener_that_fails_costs_no_other_its_word(recorder):
    told = []

    def fails(_):
        raise RuntimeError("its own matter")

    tickets = [recorder.offer(event(id_)) for id_ in range(1, 20)]
    for number, ticket in enumerate(tickets):
        ticket.then(fails if number == 3 else told.append)
    tickets[-1].wait()
    gevent.sleep(0)
    assert [outcome.get().cursor for outcome in told] == [1, 2, 3, *range(5, 20)]


def test_an_event_that_has_been_told_of_goes_without_the_garbage_collector(recorder):
    class Sender:
        """Who waits for an ack."""

    sender = Sender()
    ticket = recorder.offer(event(1))
    ticket.then(lambda _, who=(sender, ticket): None)
    gone = weakref.ref(sender)
    del sender
    gc.disable()
    try:
        ticket.wait()
        gevent.sleep(0)
        del ticket
        assert gone() is None
    finally:
        gc.enable()


def test_closing_stores_what_was_offered(database, clock):
    recorder = Recorder.start(database, clock)
    tickets = [recorder.offer(event(id_)) for id_ in range(1, 50)]
    recorder.close()
    assert all(ticket.done for ticket in tickets)
    assert database.rows(select(func.count()).select_from(events)) == [[49]]
    with pytest.raises(Refusal, match="stopping"):
        recorder.offer(event(50))


def test_two_relays_cannot_write_one_database(url, recorder, clock, opened: Callable[[str], Database]):
    other = opened(url)
    with pytest.raises(SettingsError, match="another relay writes it"):
        Recorder.start(other, clock)


def test_a_device_has_a_bound_on_its_streams(recorder, monkeypatch):
    monkeypatch.setattr("server.storage.ledger.MAX_STREAMS", 2)
    record(recorder, event(1, stream="a"), event(1, stream="b"))
    with pytest.raises(Refusal) as refused:
        recorder.offer(event(1, stream="c"))
    assert refused.value.code is Code.INVALID_PAYLOAD


def test_quantities_past_the_bound_stay_in_the_body_and_get_no_chart(database, recorder, monkeypatch):
    monkeypatch.setattr("server.storage.registry.MAX_SERIES", 3)
    record(recorder, event(1, readings={"a": 1.0, "b": 2.0, "c": 3.0}), event(2, readings={"d": 4.0}))
    assert recorder.cursor == 2
    assert len(database.rows(select(readings.c.value))) == 3


def test_what_is_derived_is_saved_after_a_while(database, clock):
    recorder = Recorder.start(database, clock, Limits(fold_s=15))
    record(recorder, event(1))
    recorder.tick()
    assert _folded(database) == 0
    clock.advance(15)
    recorder.tick()
    record(recorder, event(2))
    assert _folded(database) == 1
    recorder.close()
    assert _folded(database) == 2


def test_a_drop_is_recorded_with_its_reason(history, recorder):
    record(recorder, event(1), event(2), event(8, drop=Drop("s", 3, 6, "overflow")))
    (ledger,) = history.completeness("pi")
    assert ledger.missing == ((7, 7),)
    assert [(drop.first, drop.last, drop.reason) for drop in ledger.dropped] == [(3, 6, "overflow")]


def test_a_drop_may_be_of_an_older_stream(history, recorder):
    record(recorder, event(1, stream="old"), event(1, stream="new", drop=Drop("old", 2, 4, "corrupt")))
    old = next(ledger for ledger in history.completeness("pi") if ledger.stream == "old")
    assert (old.highest, old.missing, old.dropped[0].reason) == (4, (), "corrupt")


def test_a_database_that_lost_its_tail_is_noticed_and_no_cursor_is_given_twice(sqlite_url, opened, clock, caplog):
    database = opened(sqlite_url)
    recorder = Recorder.start(database, clock)
    record(recorder, *(event(id_) for id_ in range(1, 11)))
    recorder.close()
    # What one flipped bit in the write-ahead log does: the last transactions were never there.
    database.write(lambda connection: connection.execute(events.delete().where(events.c.cursor > 6)))
    database.write(lambda connection: connection.execute(update(marks).where(marks.c.name == "folded").values(value=6)))
    again = Recorder.start(database, clock)
    assert "cursors=7-10" in caplog.text
    assert again.submit(event(11)).cursor == 11
    again.close()


def test_what_a_device_says_of_itself_is_kept(history, recorder, clock):
    recorder.introduce("pi", {"version": "1"})
    record(recorder, event(1))
    clock.advance(5)
    recorder.introduce("pi", {"version": "2"})
    record(recorder, event(2))
    (device,) = history.devices()
    assert (device.name, device.info) == ("pi", {"version": "2"})
    assert device.last_seen_ms - device.first_seen_ms == 5_000


def _folded(database: Database) -> int:
    rows = database.rows(select(marks.c.value).where(marks.c.name == "folded"))
    return rows[0][0] if rows else 0


def test_the_newest_event_is_the_one_with_the_highest_id_not_the_one_that_came_last(
    history: History, recorder: Recorder
):
    record(recorder, event(1), event(5), event(3))
    state = history.latest_state()
    assert [one.id for one in state.events] == [5]
    assert [(last.value, last.cursor) for last in state.readings] == [(5.0, 2)]
    record(recorder, event(1, stream="new card"))
    assert [one.stream for one in history.latest_state().events] == ["new card"]


def test_fake_clocks_are_what_received_at_comes_from(history: History, recorder: Recorder, clock: FakeClock):
    record(recorder, event(1))
    assert history.replay(0, 1)[0].received_at == "2026-03-01T12:00:00.000Z"
