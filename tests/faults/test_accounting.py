"""Each of the five zeros can become something else: the accounting is fed doctored databases and doctored journals."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.storage.engine import Database
from server.storage.records import fingerprint as row_hash
from tests.faults.accounting import Account, settle
from tests.faults.fingerprint import fingerprint
from tests.faults.journal import Book, Key
from tests.faults.stored import read_contents

DEVICE, STREAM = "pi-1", "epoch-1"
SAMPLE = "sensor_data_pub_pi"
WALL_MS = 1_772_366_400_000
TAKEN_AT = "2026-03-01T12:00:00.000Z"


def body(id_: int, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "stream": STREAM,
        "device": DEVICE,
        "datetime": "2026-03-01 12:00:00",
        "taken_at": TAKEN_AT,
        "clock": {"boot_id": "boot", "monotonic_ns": 5_000_000 + id_, "synchronised": True},
        "fail": [],
        "data": {"temperature": 20.0 + id_, "humidity": None},
        **more,
    }


class World:
    """A journal of five events, and a database that agrees with it, until somebody doctors one of them."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        Database.open(self.url).close()
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("INSERT INTO devices (id, name, first_seen, last_seen) VALUES (1, ?, 0, 0)", (DEVICE,))
        self.db.execute("INSERT INTO streams (id, device_id, name) VALUES (1, 1, ?)", (STREAM,))
        self.db.execute("INSERT INTO series (id, device_id, quantity) VALUES (1, 1, 'temperature')")
        self.book = Book()
        for id_ in range(1, 6):
            self.make(id_)
            self.line(kind="ack", id=id_, code="stored")
            self.store(id_)

    def line(self, **fields: Any) -> None:
        self.book.take(DEVICE, {"stream": STREAM, **fields}, at_s=1.0)

    def make(
        self, id_: int, *, commit: bool = True, group: str | None = None, event: str = SAMPLE, **more: Any
    ) -> None:
        digest = fingerprint(event, body(id_, **more))
        self.line(kind="intent", group=group or f"g{id_}", events=[[id_, event, digest, WALL_MS]])
        if commit:
            self.line(kind="commit", first=id_, last=id_)

    def store(self, id_: int, **more: Any) -> None:
        text = json.dumps(body(id_, **more))
        cursor = self.db.execute("SELECT coalesce(max(cursor), 0) + 1 FROM events").fetchone()[0]
        digest = row_hash(cursor, DEVICE, STREAM, id_, SAMPLE, WALL_MS, WALL_MS, text)
        row = (cursor, 1, id_, SAMPLE, WALL_MS, WALL_MS, text, digest)
        self.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self.db.execute("INSERT INTO readings VALUES (1, ?, ?, ?)", (WALL_MS, cursor, 20.0 + id_))

    def declare(self, first: int, last: int, reason: str = "disk_full") -> None:
        self.db.execute("INSERT INTO drops VALUES (1, 1, ?, ?, ?)", (first, last, reason))

    def lose(self, id_: int) -> None:
        self.db.execute("DELETE FROM readings WHERE cursor = (SELECT cursor FROM events WHERE id = ?)", (id_,))
        self.db.execute("DELETE FROM events WHERE id = ?", (id_,))

    def rewrite(self, id_: int, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the body of a stored event, and make its row's own hash right again."""
        cursor, text = self.db.execute("SELECT cursor, body FROM events WHERE id = ?", (id_,)).fetchone()
        altered = json.loads(text)
        change(altered)
        text = json.dumps(altered)
        digest = row_hash(cursor, DEVICE, STREAM, id_, SAMPLE, WALL_MS, WALL_MS, text)
        self.db.execute("UPDATE events SET body = ?, hash = ? WHERE id = ?", (text, digest, id_))

    def account(self) -> Account:
        return settle(self.book, read_contents(self.url))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "relay.db")
    with closing(world.db):
        yield world


def only(account: Account, name: str, count: int = 1) -> bool:
    """This count alone is not zero."""
    return account.zeros.counts() == {**dict.fromkeys(account.zeros.counts(), 0), name: count}


def test_where_both_sides_agree_all_five_are_zero(world):
    account = world.account()
    assert account.zeros.all_zero
    assert (account.durable, account.acked, account.stored, account.dropped) == (5, 5, 5, {})


def test_an_acked_event_that_is_not_stored_is_counted(world):
    world.lose(5)
    world.declare(5, 5)
    assert only(world.account(), "acked not stored")


def test_an_ack_for_an_event_that_nobody_made_is_counted(world):
    world.line(kind="ack", id=77, code="stored")
    assert only(world.account(), "acked not stored")


def test_a_stored_event_that_nobody_made_is_counted(world):
    world.store(6)
    assert only(world.account(), "stored not generated")


def test_a_stored_event_whose_commit_was_undone_is_counted(world):
    world.make(6, commit=False)
    world.line(kind="rollback", first=6, last=6)
    world.store(6)
    assert only(world.account(), "stored not generated")


def test_a_key_that_is_stored_twice_is_counted(world):
    # The schema forbids it, so it has to go.
    world.db.execute("DROP VIEW intake")
    world.db.execute("CREATE TABLE loose AS SELECT * FROM events")
    world.db.execute("DROP TABLE events")
    world.db.execute("ALTER TABLE loose RENAME TO events")
    world.store(3)
    assert only(world.account(), "duplicate keys")


def test_an_id_that_is_given_to_a_second_event_is_counted(world):
    world.make(3, group="later")
    world.line(kind="ack", id=3, code="duplicate")
    assert only(world.account(), "duplicate keys")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["data"].update(temperature=99.0),
        lambda body: body["data"].pop("humidity"),
        lambda body: body.update(fail=["dht"]),
        lambda body: body.update(quality={"humidity": {"state": "failed"}}),
        lambda body: body["clock"].update(monotonic_ns=1),
        lambda body: body.pop("clock"),
        lambda body: body.update(taken_at="2026-03-01T12:00:00.001Z"),
    ],
    ids=["value", "null", "fail", "quality", "clock", "no clock", "time"],
)
def test_an_event_that_is_stored_other_than_it_was_made_is_counted(world, change):
    world.rewrite(2, change)
    assert only(world.account(), "hash mismatch")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = replace(body, '22.0', '22.5') WHERE id = 2",
        "UPDATE readings SET value = 1 WHERE cursor = 2",
        "DELETE FROM readings WHERE cursor = 2",
        "UPDATE events SET taken_at = taken_at + 1 WHERE id = 2",
    ],
    ids=["row hash", "reading", "no reading", "time column"],
)
def test_a_row_that_does_not_agree_with_itself_is_counted(world, statement):
    world.db.execute(statement)
    assert only(world.account(), "hash mismatch")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("device"),
        lambda body: body.update(invented_by_a_newer_version=[1]),
        lambda body: body["data"].update(temperature=22),
        lambda body: body.update(quality={}),
    ],
    ids=["device", "unknown field", "22 for 22.0", "default"],
)
def test_what_may_change_in_transit_is_not_counted(world, change):
    world.rewrite(2, change)
    assert world.account().zeros.all_zero


def test_a_time_stamp_that_was_corrected_is_right_only_where_the_body_says_so(world):
    def redate(body: dict[str, Any]) -> None:
        body["taken_at"] = "2026-03-01T13:00:00.000Z"

    world.db.execute("UPDATE events SET taken_at = taken_at + 3600000 WHERE id = 2")
    world.db.execute("UPDATE readings SET taken_at = taken_at + 3600000 WHERE cursor = 2")
    world.rewrite(2, redate)
    digest = row_hash(2, DEVICE, STREAM, 2, SAMPLE, WALL_MS + 3_600_000, WALL_MS, _text(world, 2))
    world.db.execute("UPDATE events SET hash = ? WHERE id = 2", (digest,))
    assert only(world.account(), "hash mismatch")
    world.rewrite(2, lambda body: body["clock"].update(redated=True))
    digest = row_hash(2, DEVICE, STREAM, 2, SAMPLE, WALL_MS + 3_600_000, WALL_MS, _text(world, 2))
    world.db.execute("UPDATE events SET hash = ? WHERE id = 2", (digest,))
    assert world.account().zeros.all_zero


def _text(world: World, id_: int) -> str:
    return str(world.db.execute("SELECT body FROM events WHERE id = ?", (id_,)).fetchone()[0])


def test_a_durable_event_that_is_neither_stored_nor_declared_lost_is_counted(world):
    world.make(6)
    assert only(world.account(), "missing without record")


def test_an_id_that_the_journal_never_saw_is_missing_as_well(world):
    world.make(7)
    world.store(7)
    assert only(world.account(), "missing without record")


def test_a_loss_that_is_declared_is_no_silent_one(world):
    world.make(6)
    world.declare(6, 6, "overflow")
    account = world.account()
    assert account.zeros.all_zero
    assert account.dropped == {"overflow": 1}


def test_an_event_whose_commit_was_hit_by_a_kill_may_be_stored_or_not(world):
    world.make(6, commit=False)
    assert world.account().zeros.all_zero
    assert world.account().unknown == 1
    world.store(6)
    assert world.account().zeros.all_zero


def test_it_was_durable_where_the_next_process_goes_on_behind_it(world):
    world.make(6, commit=False)
    world.make(7)
    world.store(7)
    assert only(world.account(), "missing without record")


def test_it_was_not_durable_where_the_next_process_gives_its_id_again(world):
    world.make(6, commit=False, data={"temperature": 1.0})
    world.make(6, group="next process")
    world.store(6)
    assert world.account().zeros.all_zero


def test_the_event_that_has_the_id_now_is_the_one_that_must_be_stored(world):
    world.make(6, commit=False, data={"temperature": 1.0})
    world.make(6, group="next process")
    world.store(6, data={"temperature": 1.0})
    assert only(world.account(), "hash mismatch")


def test_within_one_transaction_later_ids_prove_nothing(world):
    world.make(6, commit=False, group="one")
    world.make(7, commit=False, group="one")
    assert world.account().zeros.all_zero
    assert world.account().unknown == 2


def test_an_ack_proves_that_the_event_was_durable(world):
    world.make(6, commit=False)
    world.line(kind="ack", id=6, code="stored")
    assert world.account().zeros.counts()["acked not stored"] == 1
    assert world.book.made[Key(DEVICE, STREAM, 6)].fate == "durable"
