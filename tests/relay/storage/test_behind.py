"""What is written behind is written in order, once, and outlives a database that fails for a while."""

import gevent
import pytest
from sqlalchemy import insert, select

from server.settings import RetentionPolicy
from server.storage.alerts import AlertStore, Notification
from server.storage.availability import Availability, AvailabilityStore
from server.storage.behind import WriteBehind
from server.storage.failures import DatabaseFailed, RowRefused
from server.storage.retention import Retention
from server.storage.tables import alert_rules, availability
from shared.contract.payloads import Absence, Alert


def settle(true) -> None:
    for _ in range(500):
        if true():
            return
        gevent.sleep(0.01)
    raise AssertionError("not in time")


def add(name: str):
    return lambda connection: connection.execute(insert(alert_rules).values(name=name, body="{}", made_by="x", at=1))


def names(database) -> list[str]:
    return [name for (name,) in database.rows(select(alert_rules.c.name).order_by(alert_rules.c.name))]


def test_what_comes_in_one_turn_is_one_transaction_told_in_order(database, clock):
    behind, done = WriteBehind(database, clock), []
    for name in "abc":
        behind.submit(add(name), lambda name=name: done.append(name))
    settle(lambda: len(done) == 3)
    assert done == ["a", "b", "c"]
    assert names(database) == ["a", "b", "c"]


@pytest.mark.parametrize("failures", [1, 3])
def test_what_fails_is_tried_again_in_order(database, clock, failures):
    behind, done, left = WriteBehind(database, clock), [], [failures]

    def shaky(connection) -> None:
        if left[0]:
            left[0] -= 1
            raise DatabaseFailed("away")
        add("a")(connection)

    behind.submit(shaky, lambda: done.append("a"))
    behind.submit(add("b"), lambda: done.append("b"))

    def ended() -> bool:
        clock.advance(1)
        behind.tick()
        return len(done) == 2

    settle(ended)
    assert done == ["a", "b"]


@pytest.mark.parametrize("fault", [RowRefused("no such value"), ValueError("ours")])
def test_one_write_that_can_never_be_does_not_hold_up_the_others(database, clock, fault):
    behind, done = WriteBehind(database, clock), []

    def poison(_) -> None:
        raise fault

    behind.submit(add("a"), lambda: done.append("a"))
    behind.submit(poison, lambda: done.append("poison"))
    behind.submit(add("b"), lambda: done.append("b"))
    settle(lambda: len(done) == 2)
    assert done == ["a", "b"]
    assert behind.dropped == 1


def test_when_too_much_waits_the_oldest_goes(database, clock):
    behind = WriteBehind(database, clock, limit=2)
    for name in "abc":
        behind.submit(add(name))
    behind.close()
    assert names(database) == ["b", "c"]
    assert behind.dropped == 1


def test_the_newest_coming_or_going_of_each_device_is_known_and_is_kept(database, clock, recorder):
    store = AvailabilityStore(database)
    changes = [Availability("a", 1, online=True), Availability("a", 2, online=False, reason=Absence.ENDED)]
    database.write(lambda connection: store.put(connection, [*changes, Availability("b", 3, online=True)]))
    Retention(database, clock, RetentionPolicy(), recorder.settle).run()
    assert store.newest() == {"a": changes[1], "b": Availability("b", 3, online=True)}
    assert len(database.rows(select(availability.c.id))) == 2


def test_alerts_and_notifications_come_back_as_they_were(database, clock):
    store = AlertStore(database, clock)
    fields = {"alert": "x1", "rule": "hot", "severity": "warning", "message": "it is hot", "device": "pi"}
    alert = Alert.build(**fields, state="open", opened_at="2026-03-01T12:00:00.000Z")
    news = Notification(1, "x1", "ops", 5, "{}")
    database.write(lambda connection: (store.put(connection, 7, alert), store.put_notification(connection, news)))
    known = store.load()
    assert (known.alerts, known.waiting, known.last_alert, known.last_notification) == ((alert,), (news,), 7, 1)
    closed = Alert.build(
        **fields,
        state="closed",
        opened_at="2026-03-01T12:00:00.000Z",
        closed_at="2026-03-01T13:00:00.000Z",
        closed_by="anna",
    )
    database.write(lambda connection: store.put(connection, 8, closed))
    assert store.page(None, "pi", None, 10) == [(7, closed)]
    assert store.find("x1") == closed
