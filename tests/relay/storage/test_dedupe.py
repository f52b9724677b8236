"""Whatever is sent how often, in whatever order, over restarts: each event once, and the ledger knows."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from server.settings import RetentionPolicy
from server.storage.engine import Database
from server.storage.history import History
from server.storage.recorder import Recorder
from server.storage.records import Drop
from server.storage.tables import events
from tests.relay.storage.building import event, new_database
from tests.support.clock import FakeClock

_IDS = st.integers(1, 12)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(["a", "b"]), _IDS),
        st.tuples(st.just("drop"), st.sampled_from(["a", "b"]), _IDS),
        st.sampled_from([("settle",), ("restart",), ("crash",), ("prune",)]),
    ),
    max_size=30,
)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_each_event_is_stored_once_over_resends_crashes_and_retention(kind, request, steps):
    clock = FakeClock()
    drop_ids = iter(range(1000, 2000))
    stored: set[tuple[str, int]] = set()
    order: list[tuple[str, int]] = []
    with tempfile.TemporaryDirectory() as directory:
        sqlite = f"sqlite:///{Path(directory) / 'relay.db'}"
        url = sqlite if kind == "sqlite" else new_database(request.getfixturevalue("cluster"))
        database = Database.open(url)
        try:
            recorder = Recorder.start(database, clock)
            for action, *what in steps:
                if action == "send":
                    stream, id_ = what
                    outcome = recorder.submit(event(id_, stream=stream))
                    assert outcome.duplicate is ((stream, id_) in stored)
                    order += [] if outcome.duplicate else [(stream, id_)]
                    stored.add((stream, id_))
                elif action == "drop":
                    stream, first = what
                    number = next(drop_ids)
                    told = event(number, stream="told", readings={}, drop=Drop(stream, first, first + 1, "age"))
                    recorder.submit(told)
                    order.append(("told", number))
                elif action == "settle":
                    recorder.settle()
                elif action == "prune":
                    recorder.settle()
                    database.write(lambda connection: connection.execute(events.delete()))
                else:
                    recorder.close() if action == "restart" else recorder._claim.release()
                    recorder = Recorder.start(database, clock)
            assert recorder.cursor == len(order)
            logged = dict(database.rows(select(events.c.cursor, events.c.id)))
            assert all(order[cursor - 1][1] == id_ for cursor, id_ in logged.items())
            _check_ledger(History(database, clock, recorder.settle), stored)
            recorder.close()
        finally:
            database.close()


def _check_ledger(history: History, stored: set[tuple[str, int]]) -> None:
    for ledger in history.completeness("pi") if stored else ():
        if ledger.stream == "told":
            continue
        ids = {id_ for stream, id_ in stored if stream == ledger.stream}
        missing = {id_ for first, last in ledger.missing for id_ in range(first, last + 1)}
        dropped = {id_ for drop in ledger.dropped for id_ in range(drop.first, drop.last + 1)}
        assert ledger.stored == len(ids)
        assert not missing & dropped
        assert missing | dropped == set(range(1, ledger.highest + 1)) - ids


def test_the_policy_of_a_default_installation_keeps_a_year_of_minutes():
    assert RetentionPolicy().keep("temperature").minute_days == 365
