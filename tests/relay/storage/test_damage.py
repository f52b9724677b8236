"""Flipped bits are found and located, cost what they hit and nothing else, and do not stop the relay for good."""

import random
import shutil
import sqlite3
from pathlib import Path

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from server.storage import examine as examination
from server.storage.engine import Database, dialect_of
from server.storage.examine import examine
from server.storage.failures import Damaged, DatabaseFailed
from server.storage.history import History
from server.storage.recorder import Recorder
from server.storage.retention import Retention, RetentionPolicy
from server.storage.salvage import mend, salvage
from server.storage.tokens import Tokens
from shared.errors import Refusal
from shared.settings import SettingsError
from tests.relay.storage.building import START_MS, event, record
from tests.support.clock import FakeClock

_EVENTS = 400
_BOTH = examination._both
_OTHER = "(SELECT streams.id FROM streams JOIN devices ON devices.id = device_id WHERE devices.name = 'other')"


def _fill(url: str) -> Path:
    clock = FakeClock()
    database = Database.open(url)
    recorder = Recorder.start(database, clock)
    record(
        recorder,
        *(
            event(id_, device=f"pi-{id_ % 3}", body=f'{{"needle":"n{id_:05d}","x":"{"y" * 150}"}}')
            for id_ in range(1, _EVENTS + 1)
        ),
    )
    Tokens(database, clock).add("kitchen", "device")
    recorder.close()
    database.on_writer(
        lambda link: link.direct(
            lambda connection: connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        )
    )
    database.close()
    path = dialect_of(url).path
    assert path is not None
    return path


def _replace(path: Path, old: bytes, new: bytes) -> None:
    raw = path.read_bytes()
    assert raw.count(old) == 1
    path.write_bytes(raw.replace(old, new))


def test_a_flipped_bit_in_an_event_is_found_and_located(sqlite_url, opened):
    path = _fill(sqlite_url)
    _replace(path, b"n00123", b"n00122")
    report = examine(opened(sqlite_url))
    assert (report.events, report.corrupt, report.lost) == (_EVENTS, 1, 0)
    (row,) = report.corrupt_rows
    assert (row.cursor, row.device, row.stream, row.id) == (123, "pi-0", "s", 123)
    assert not report.sound


@pytest.mark.parametrize("column", ["cursor", "stream_id", "id", "event", "taken_at", "received_at", "body", "hash"])
def test_every_column_of_the_log_is_covered_by_the_hash(database, recorder, column):
    record(recorder, event(1), event(1, device="other"), event(2))
    recorder.settle()
    new = {"cursor": "7", "stream_id": _OTHER, "event": "'x'", "body": "'{}'", "hash": "'x'"}.get(column, "77")
    database.write(lambda connection: connection.execute(text(f"UPDATE events SET {column} = {new} WHERE cursor = 3")))
    report = examine(database)
    assert report.corrupt == 1


def test_a_row_that_is_gone_is_missed(database, recorder):
    record(recorder, *(event(id_) for id_ in range(1, 51)))
    recorder.settle()
    database.write(lambda connection: connection.execute(text("DELETE FROM events WHERE cursor IN (7, 8, 50)")))
    report = examine(database)
    assert (report.lost, report.lost_cursors) == (3, [(7, 8), (50, 50)])


@pytest.mark.parametrize(
    ("statement", "level"),
    [
        ("UPDATE readings SET value = 77 WHERE cursor = 3", {"minute"}),
        ("UPDATE minutes SET high = 1000 WHERE start = (SELECT min(start) FROM minutes)", {"minute", "hour"}),
        ("DELETE FROM minutes WHERE start = (SELECT min(start) FROM minutes)", {"minute", "hour"}),
        ("UPDATE hours SET count = count + 1", {"hour"}),
    ],
)
def test_readings_and_roll_ups_that_do_not_agree_are_located(database, recorder, statement, level):
    record(recorder, *(event(id_) for id_ in range(1, 51)))
    recorder.settle()
    assert examine(database).sound
    database.write(lambda connection: connection.execute(text(statement)))
    report = examine(database)
    assert {wrong.level for wrong in report.rollups} == level
    assert {(wrong.device, wrong.quantity) for wrong in report.rollups} == {("pi", "temperature")}


def test_one_sample_that_says_1970_does_not_make_it_look_at_half_a_century(database, recorder, monkeypatch):
    record(recorder, event(1, taken_at_ms=300_000), *(event(id_) for id_ in range(2, 51)))
    recorder.settle()
    database.write(lambda connection: connection.execute(text("UPDATE minutes SET high = 1000 WHERE start > 300000")))
    looks = []
    monkeypatch.setattr(examination, "_both", lambda *given: looks.append(given) or _BOTH(*given))
    assert {wrong.start_ms > 300_000 for wrong in examine(database).rollups} == {True}
    assert len(looks) == 4


@pytest.mark.parametrize("column", ["first", "last", "seal"])
def test_a_damaged_ledger_takes_no_new_event_for_a_duplicate_and_no_old_one_for_new(database, clock, caplog, column):
    recorder = Recorder.start(database, clock)
    record(recorder, *(event(id_) for id_ in range(1, 51)), event(1, device="other"))
    recorder.close()
    change = f"UPDATE stored_ranges SET {column} = {column} + 8 WHERE last = 50"
    database.write(lambda connection: connection.execute(text(change)))
    report = examine(database)
    assert (report.wrong_ranges, report.sound) == (1, False)
    again = Recorder.start(database, clock)
    assert "ledger damaged" in caplog.text
    assert [again.submit(event(id_)).duplicate for id_ in (1, 50, 51, 58)] == [True, True, False, False]
    again.close()


def test_the_examination_tells_what_never_came(database, recorder):
    record(recorder, event(1), event(2), event(5))
    recorder.settle()
    report = examine(database)
    assert (report.sound, report.missing) == (True, 2)
    assert report.streams[0].missing == ((3, 4),)


def test_a_damaged_page_costs_what_is_on_it_and_nothing_else(sqlite_url, clock, tmp_path):
    path = _fill(sqlite_url)
    page = _page_of(path, b"n00200")
    raw = bytearray(path.read_bytes())
    raw[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(raw)

    database = Database.open(sqlite_url)
    report = examine(database)
    assert report.structure
    assert 0 < report.corrupt < 30
    database.close()

    done = mend(path, clock, check=True)
    assert done is not None
    assert done.events + done.corrupt == _EVENTS
    assert done.corrupt == report.corrupt
    assert [path.name for path in tmp_path.glob("relay.db.damaged-*")] != []

    database = Database.open(sqlite_url)
    recorder = Recorder.start(database, clock)
    lost = {cursor for first, last in done.corrupt_cursors for cursor in range(first, last + 1)}
    history = History(database, clock, recorder.settle)
    assert [row.cursor for row in history.replay(0, 1_000)] == [id_ for id_ in range(1, _EVENTS + 1) if id_ not in lost]
    # What was acked and is lost is still not taken for new.
    assert all(recorder.submit(event(id_, device=f"pi-{id_ % 3}")).duplicate for id_ in lost)
    assert recorder.submit(event(_EVENTS + 1)).cursor == _EVENTS + 1
    assert (
        sum(point.count for point in history.readings("pi-1", "temperature", START_MS, START_MS + 10**7, 9).points)
        == 134
    )
    assert [token.name for token in Tokens(database, clock).list()] == ["kitchen"]
    again = examine(database)
    assert (again.corrupt, again.structure, again.lost) == (0, [], len(lost))
    recorder.close()
    database.close()


def test_damage_that_the_relay_meets_is_mended_at_its_next_start(sqlite_url, clock):
    path = _fill(sqlite_url)
    # The last leaf of the unique key: every new event has to go through it.
    root = _root_of(path, "sqlite_autoindex_events_1")
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 4096 : (root - 1) * 4096 + 64] = b"\xee" * 64
    path.write_bytes(raw)
    database = Database.open(sqlite_url)
    with pytest.raises(Refusal) as refused:  # either of the two may meet it first
        recorder = Recorder.start(database, clock)
        try:
            recorder.submit(event(_EVENTS + 1))
        finally:
            assert recorder.damaged
            recorder.close()
    assert isinstance(refused.value, Damaged)
    database.close()

    done = mend(path, clock)
    assert done is not None
    assert (done.events, done.corrupt) == (_EVENTS, 0)
    assert mend(path, clock) is None
    database = Database.open(sqlite_url)
    recorder = Recorder.start(database, clock)
    assert recorder.submit(event(_EVENTS + 1)).cursor == _EVENTS + 1
    recorder.settle()
    assert examine(database).sound
    recorder.close()
    database.close()


def test_a_sound_database_is_left_alone(sqlite_url, clock):
    path = _fill(sqlite_url)
    before = path.read_bytes()
    assert mend(path, clock) is None
    assert mend(path, clock, check=True) is None
    assert path.read_bytes() == before
    assert mend(path.with_name("nowhere.db"), clock, check=True) is None


def test_nothing_is_mended_under_a_running_relay(sqlite_url, opened, clock):
    database = opened(sqlite_url)
    recorder = Recorder.start(database, clock)
    with pytest.raises(SettingsError, match="another relay writes it"):
        mend(dialect_of(sqlite_url).path, clock, check=True)
    recorder.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 40))
def test_whatever_bits_flip_what_is_salvaged_is_what_was_written(seed, flips, tmp_path_factory, master):
    directory = tmp_path_factory.mktemp("damage")
    path = directory / "relay.db"
    shutil.copy(master, path)
    raw = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for _ in range(flips):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)
    done = salvage(path, directory / "saved.db", upto=_EVENTS)
    assert done.events + done.corrupt == _EVENTS
    database = Database.open(f"sqlite:///{directory / 'saved.db'}")
    report = examine(database)
    database.close()
    assert (report.corrupt, report.structure, report.unreadable) == (0, [], [])
    assert report.events == done.events


@pytest.fixture(scope="module")
def master(tmp_path_factory) -> Path:
    return _fill(f"sqlite:///{tmp_path_factory.mktemp('master') / 'relay.db'}")


def test_a_bit_flipped_in_the_write_ahead_log_is_noticed_at_the_next_start(sqlite_url, clock, tmp_path, caplog):
    database = Database.open(sqlite_url)
    recorder = Recorder.start(database, clock)
    for id_ in range(1, 101):
        recorder.submit(event(id_))
    # As a kill leaves it: the log is not yet in the file.
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("relay.db", "relay.db-wal", "relay.db.writer"):
        shutil.copy(tmp_path / name, crashed / name)
    recorder.close()
    database.close()
    wal = bytearray((crashed / "relay.db-wal").read_bytes())
    wal[len(wal) // 2] ^= 1
    (crashed / "relay.db-wal").write_bytes(wal)

    with sqlite3.connect(crashed / "relay.db") as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (left,) = plain.execute("SELECT count(*) FROM events").fetchone()
    plain.close()
    assert 0 < left < 100

    database = Database.open(f"sqlite:///{crashed / 'relay.db'}")
    recorder = Recorder.start(database, clock)
    assert f"cursors={left + 1}-100" in caplog.text
    assert recorder.submit(event(101)).cursor == 101
    recorder.settle()
    report = examine(database)
    assert (report.lost, report.lost_cursors) == (100 - left, [(left + 1, 100)])
    assert report.streams[0].missing == ((left + 1, 100),)
    recorder.close()
    database.close()


def test_rows_that_refer_to_nothing_are_damage_not_a_crash(sqlite_url, opened, clock):
    database = opened(sqlite_url)
    recorder = Recorder.start(database, clock)
    record(recorder, event(1))
    recorder.close()
    statements = ("PRAGMA foreign_keys=OFF", "DELETE FROM devices")
    raw = sqlite3.connect(dialect_of(sqlite_url).path)
    for statement in statements:
        raw.execute(statement)
    raw.commit()
    raw.close()
    with pytest.raises(Damaged, match="refer to"):
        Recorder.start(database, clock)


def test_a_value_whose_type_was_flipped_is_mended_at_the_next_start(sqlite_url, clock):
    path = _fill(sqlite_url)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE stored_ranges SET last = x'00' WHERE stream_id = 1")
    raw.close()
    database = Database.open(sqlite_url)
    with pytest.raises(Damaged):
        Recorder.start(database, clock)
    database.close()
    assert mend(path, clock).corrupt == 0
    database = Database.open(sqlite_url)
    recorder = Recorder.start(database, clock)
    assert all(recorder.submit(event(id_, device=f"pi-{id_ % 3}")).duplicate for id_ in range(1, _EVENTS + 1))
    assert recorder.submit(event(_EVENTS + 1)).cursor == _EVENTS + 1
    recorder.close()
    database.close()


def test_a_cut_file_is_one_line(sqlite_url, opened):
    path = _fill(sqlite_url)
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises((SettingsError, DatabaseFailed)) as refused:
        Recorder.start(opened(sqlite_url), FakeClock())
    assert "\n" not in str(refused.value)


def _page_of(path: Path, needle: bytes) -> int:
    return path.read_bytes().index(needle) // 4096


def _root_of(path: Path, name: str) -> int:
    with sqlite3.connect(path) as plain:
        (root,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    plain.close()
    return int(root)


def test_an_examination_of_a_running_relay_raises_no_false_alarm(database, recorder, clock):
    stop = []

    def busy() -> None:
        for id_ in range(1, 100_000):
            if stop:
                return
            recorder.submit(event(id_, device=f"pi-{id_ % 5}", stream=str(id_ % 5), taken_at_ms=START_MS + id_ * 700))
            if id_ % 50 == 0:
                clock.advance(20)
            if id_ % 400 == 0:
                clock.advance(86_400)
                retention.run()

    retention = Retention(database, clock, RetentionPolicy(log_days=1), recorder.settle)
    writing = gevent.spawn(busy)
    reports = []
    while len(reports) < 5 or recorder.cursor < 500:
        gevent.sleep(0.001)
        reports.append(examine(database))
    stop.append(True)
    writing.get()
    assert [report for report in reports if not report.sound] == []
