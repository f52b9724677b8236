"""The ledger's table: a row is there once its promise is kept, changes until it has ended, and is found again."""

import pytest
from msgspec.structs import replace

from server.settings import RetentionPolicy
from server.storage.commands import Answer, CommandBook, CommandRow
from server.storage.engine import Database
from server.storage.failures import DatabaseFailed
from server.storage.recorder import Recorder
from server.storage.retention import Retention
from server.storage.tables import commands, marks
from tests.relay.storage.building import START_MS, event, record
from tests.support.clock import FakeClock

REQUEST = '{"action":"off","accessory":"breath_light","device":"pi"}'


def row(id_: int, command: str = "", device: str = "pi", **more: object) -> CommandRow:
    fields = {
        "id": id_,
        "command": command or f"c{id_}",
        "device": device,
        "seq": id_,
        "request": REQUEST,
        "asked_by": "tester",
        "cause": "user",
        "asked_at": START_MS + id_,
        "expires_ms": START_MS + 10_000,
        "state": "sent",
        "code": "accepted",
        "message": "",
        "status": None,
        "times": '{"sent":1}',
        "ended_at": None,
    }
    return CommandRow(**(fields | more))  # type: ignore[arg-type]  # the fields are those of a row


@pytest.fixture
def book(database: Database) -> CommandBook:
    return CommandBook(database)


def test_a_row_that_is_kept_is_found_by_its_command(book: CommandBook) -> None:
    book.keep([row(1, "one"), row(2, "all", "a"), row(3, "all", "b")]).wait()
    assert book.find("one") == [row(1, "one")]
    assert [found.device for found in book.find("all")] == ["a", "b"]
    assert book.find("never") == []
    assert {found.id for found in book.named(["one", "all", "never"])} == {1, 2, 3}


def test_a_row_changes_until_it_has_ended(book: CommandBook) -> None:
    sent, verified = row(1), row(1, state="verified", code="verified", status=0, ended_at=5, message="“grün”")
    promises = [book.keep([sent]), book.keep([verified]), book.keep([replace(verified, state="failed")])]
    promises[0].wait()
    # All that comes while a group is being written is the next one: of each row its newest.
    promises[2].wait()
    assert (book.find("c1")[0].state, book.find("c1")[0].message) == ("failed", "“grün”")
    book.keep([row(2)]).wait()
    book.keep([row(2, state="verified", ended_at=5)]).wait()
    book.keep([row(2, state="failed", ended_at=6)]).wait()
    assert (book.find("c2")[0].state, book.find("c2")[0].ended_at) == ("verified", 5)


def test_the_newest_come_first_and_can_be_chosen(book: CommandBook) -> None:
    book.keep([row(1), row(2, device="hall"), row(3, state="failed", ended_at=9)]).wait()
    assert [found.id for found in book.newest(None, (), 2)] == [3, 2]
    assert [found.id for found in book.newest("pi", (), 9)] == [3, 1]
    assert [found.id for found in book.newest(None, ("sent",), 9)] == [2, 1]


def test_after_a_restart_the_open_ones_their_numbers_and_the_key_are_known(database: Database) -> None:
    book = CommandBook(database)
    first = book.load()
    assert (first.last_id, first.seqs, first.open) == (0, {}, ())
    ended = row(2, state="verified", ended_at=5, seq=7)
    book.keep([row(1), ended, row(3, device="hall")]).wait()
    again = CommandBook(database).load()
    assert (again.key, again.last_id, again.seqs) == (first.key, 3, {"pi": 7, "hall": 3})
    assert again.open == (row(1), row(3, device="hall"))


def test_answers_that_were_stored_since_the_oldest_open_one_are_found(
    book: CommandBook, recorder: Recorder, clock: FakeClock
) -> None:
    body = '{"status":false,"command":"c1"}'
    record(recorder, event(1, name="LED_status_pub_pi", body=body), event(2), event(3, device="hall", body=body))
    book.keep([row(1)]).wait()
    assert book.load().answers == (Answer("pi", "LED_status_pub_pi", body),)


def test_what_came_late_is_noted_once_beside_the_result(book: CommandBook) -> None:
    silent = row(1, state="failed", code="no_answer", ended_at=5)
    book.keep([silent, row(2, state="verified", code="verified", ended_at=5)]).wait()
    book.note_late("c1", "pi", "first", ["no_answer"])
    book.note_late("c1", "pi", "second", ["no_answer"])
    book.note_late("c2", "pi", "the answer, said again", ["no_answer"])
    # One thread writes, in order.
    book.keep([row(3)]).wait()
    assert [found.late for found in book.newest(None, (), 9)] == [None, None, "first"]


def test_a_row_that_could_not_be_written_is_not_promised(book: CommandBook, database: Database) -> None:
    database.write(lambda connection: commands.drop(connection))
    with pytest.raises(DatabaseFailed):
        book.keep([row(1)]).wait()


def test_a_database_without_a_key_numbers_anew(book: CommandBook, database: Database) -> None:
    first = book.load().key
    database.write(lambda connection: connection.execute(marks.delete().where(marks.c.name == "ledger")))
    assert book.load().key != first


def test_retention_removes_what_has_ended_long_ago(book: CommandBook, database: Database, clock: FakeClock) -> None:
    book.keep([row(1, state="failed", ended_at=START_MS), row(2), row(3, state="failed", ended_at=START_MS)]).wait()
    clock.advance(365 * 86400)
    fresh = row(4, state="failed", ended_at=round(clock.now().timestamp() * 1e3))
    book.keep([fresh]).wait()
    Retention(database, clock, RetentionPolicy()).run()
    assert [found.id for found in book.newest(None, (), 9)] == [4, 2]
