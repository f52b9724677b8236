"""A device's history goes on under another name, or goes away; and nothing else does."""

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.storage import transfer
from server.storage.engine import Database
from server.storage.examine import examine
from server.storage.history import History
from server.storage.recorder import Recorder
from server.storage.records import Drop
from shared.errors import Code, Refusal
from tests.relay.storage.building import START_MS, event, record
from tests.support.clock import FakeClock

DAY_MS = 86_400_000


def move(recorder: Recorder, database: Database, source: str, target: str) -> None:
    recorder.rearrange(lambda connection: transfer.move(database.dialect, connection, source, target), source)


def erase(recorder: Recorder, device: str) -> None:
    recorder.rearrange(lambda connection: transfer.erase(connection, device), device)


def points(history: History, device: str) -> list[tuple[int, float]]:
    chart = history.readings(device, "temperature", START_MS, START_MS + 600_000, 2_000)
    return [(point.at_ms, point.mean) for point in chart.points]


def ids(history: History) -> list[tuple[str, str, int]]:
    return [(one.device, one.stream, one.id) for one in history.replay(0, 1_000)]


def test_a_replaced_device_s_history_goes_on_under_the_new_name(database, recorder, history) -> None:
    record(recorder, *(event(id_, "old", "a") for id_ in range(1, 11)))
    record(recorder, *(event(id_, "new", "b", taken_at_ms=START_MS + 200_000 + id_ * 10_000) for id_ in range(1, 6)))
    move(recorder, database, "old", "new")
    assert [device.name for device in history.devices()] == ["new"]
    assert sorted({(device, stream) for device, stream, _ in ids(history)}) == [("new", "a"), ("new", "b")]
    assert len(ids(history)) == 15
    assert [value for _, value in points(history, "new")] == [float(n) for n in (*range(1, 11), *range(1, 6))]
    with pytest.raises(Refusal) as caught:
        points(history, "old")
    assert caught.value.code is Code.UNKNOWN_DEVICE
    assert {ledger.stream: ledger.stored for ledger in history.completeness("new")} == {"a": 10, "b": 5}


def test_what_was_stored_stays_stored_and_new_events_go_on(database, recorder, history) -> None:
    record(recorder, *(event(id_, "old", "a") for id_ in range(1, 4)))
    record(recorder, event(1, "new", "b"))
    move(recorder, database, "old", "new")
    assert recorder.submit(event(2, "new", "a")).duplicate
    assert not recorder.submit(event(4, "new", "a")).duplicate
    assert not recorder.submit(event(2, "new", "b")).duplicate
    # The old name is free again.
    assert not recorder.submit(event(1, "old", "c")).duplicate
    assert [device.name for device in history.devices()] == ["new", "old"]


def test_one_outbox_under_two_names_becomes_one_stream_and_an_event_stored_twice_is_counted_once(
    database, recorder, history, clock
) -> None:
    record(recorder, *(event(id_, "old", "a") for id_ in range(1, 6)))
    record(recorder, *(event(id_, "new", "a") for id_ in range(5, 9)))
    record(recorder, event(9, "old", "a", drop=Drop("a", 20, 21, "age")))
    move(recorder, database, "old", "new")
    assert sorted(id_ for _, _, id_ in ids(history)) == list(range(1, 10))
    (ledger,) = history.completeness("new")
    assert (ledger.stored, ledger.missing) == (9, ((10, 19),))
    chart = history.readings("new", "temperature", START_MS, START_MS + DAY_MS, 2)
    assert sum(point.count for point in chart.points) == 9
    recorder.close()
    # Known by heart as it is on disk.
    again = Recorder.start(database, clock)
    assert again.submit(event(5, "new", "a")).duplicate
    again.close()


def test_fingerprints_fit_the_new_name_and_the_examination_finds_nothing(database, recorder, history) -> None:
    record(recorder, *(event(id_, "old", "a") for id_ in range(1, 50)), *(event(id_, "new", "a") for id_ in (60, 61)))
    move(recorder, database, "old", "new")
    assert len(history.replay(0, 1_000)) == 51
    recorder.settle()
    assert examine(database).sound


def test_a_deleted_device_is_gone_with_its_data_and_cursors_are_not_given_again(
    database, recorder, history, clock
) -> None:
    record(recorder, *(event(id_, "keep", "a") for id_ in range(1, 4)))
    record(recorder, *(event(id_, "gone", "b") for id_ in range(1, 4)))
    before = recorder.cursor
    erase(recorder, "gone")
    assert [device.name for device in history.devices()] == ["keep"]
    assert len(ids(history)) == 3
    assert examine(database).sound
    stored = recorder.submit(event(4, "keep", "a"))
    assert stored.cursor is not None
    assert stored.cursor > before
    recorder.close()
    again = Recorder.start(database, clock)
    assert again.cursor == stored.cursor
    again.close()


def test_what_is_not_there_is_refused_and_nothing_changes(database, recorder, history) -> None:
    record(recorder, event(1, "pi", "a"))
    for work in (partial(move, source="pi", target="none"), partial(move, source="none", target="pi")):
        with pytest.raises(Refusal) as caught:
            work(recorder, database)
        assert caught.value.code is Code.UNKNOWN_DEVICE
    assert ids(history) == [("pi", "a", 1)]
    assert recorder.healthy()
    assert not recorder.submit(event(2, "pi", "a")).duplicate


_IDS = st.sets(st.integers(1, 40), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=_IDS, new=_IDS, same_outbox=st.booleans())
def test_a_move_keeps_every_event_once_and_all_roll_ups_add_up(tmp_path_factory, old, new, same_outbox) -> None:
    clock = FakeClock()
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('move') / 'relay.db'}")
    try:
        recorder = Recorder.start(database, clock)
        other = "a" if same_outbox else "b"
        record(recorder, *(event(id_, "old", "a") for id_ in sorted(old)))
        record(recorder, *(event(id_, "new", other) for id_ in sorted(new)))
        move(recorder, database, "old", "new")
        history = History(database, clock, recorder.settle)
        want = len(old | new) if same_outbox else len(old) + len(new)
        assert len(ids(history)) == want
        for count in (2, 2_000):
            chart = history.readings("new", "temperature", START_MS, START_MS + DAY_MS, count)
            assert sum(point.count for point in chart.points) == want
            total = sum(old | new) if same_outbox else sum(old) + sum(new)
            assert sum(point.mean * point.count for point in chart.points) == pytest.approx(total)
        assert examine(database).sound
        recorder.close()
    finally:
        database.close()
