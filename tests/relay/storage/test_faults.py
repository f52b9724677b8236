"""Kills, full disks, servers that go away: what was acked is there, what was not is refused, and it goes on after."""

import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from sqlalchemy import select

from server.settings import RetentionPolicy
from server.storage import reload
from server.storage.engine import Database
from server.storage.examine import examine
from server.storage.fold import Fold
from server.storage.recorder import Limits, Recorder
from server.storage.retention import Retention
from server.storage.space import RESERVE_BYTES
from server.storage.tables import events
from server.storage.tokens import Tokens
from shared.errors import Code, Refusal
from tests.relay.storage.building import event, new_database, record
from tests.relay.storage.cluster import Cluster
from tests.support.clock import FakeClock

_KILLS = 4


@pytest.mark.integration
def test_a_killed_writer_loses_nothing_that_was_acked(url, clock):
    rng = random.Random(20260101)
    acked: set[int] = set()
    first = 1
    for _ in range(_KILLS):
        command = [sys.executable, "-m", "tests.relay.storage.writing", url, str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            lines = rng.randint(20, 400)
            acked |= {int(writer.stdout.readline()) for _ in range(lines)}
            writer.kill()
            # What it had printed before it died was acked too.
            acked |= {int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")}
        first = max(acked) + 100
    database = Database.open(url)
    recorder = Recorder.start(database, clock)
    stored = {id_ for (id_,) in database.rows(select(events.c.id))}
    assert acked <= stored
    assert len(acked) > 50 * _KILLS
    assert all(recorder.submit(event(id_)).duplicate for id_ in rng.sample(sorted(stored), 50))
    recorder.settle()
    report = examine(database)
    assert report.sound, report
    recorder.close()
    database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB; enough for a database without its reserve, and soon full."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a file system of its own needs root")
    path = tmp_path / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(path)], check=False).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_refuses_events_and_they_are_taken_again_when_there_is_room(small_disk, clock):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 5 * 1024 * 1024)
    database = Database.open(f"sqlite:///{small_disk / 'relay.db'}")
    recorder = Recorder.start(database, clock, Limits(pause_s=1))
    tokens = Tokens(database, clock)
    plain = tokens.add("kitchen", "device")
    acked, refused = [], None
    for id_ in range(1, 2_000):
        try:
            recorder.submit(event(id_, body='"' + "x" * 20_000 + '"'))
        except Refusal as refusal:
            refused = refusal
            break
        acked.append(id_)
    assert refused is not None
    assert (refused.code, refused.retry) == (Code.UNAVAILABLE, True)
    assert "disk" in refused.message
    assert "full" in refused.message
    assert not recorder.healthy()
    assert tokens.find(plain).name == "kitchen", "reading goes on"
    with pytest.raises(Refusal):
        recorder.offer(event(5_000))
    ballast.unlink()
    clock.advance(1)
    assert not recorder.submit(event(len(acked) + 1)).duplicate
    assert recorder.healthy()
    recorder.settle()
    report = examine(database)
    assert report.sound, report
    assert report.events == len(acked) + 1
    recorder.close()
    database.close()


def test_the_reserve_lets_retention_clean_a_full_disk(small_disk, clock, monkeypatch):
    monkeypatch.setattr("server.storage.space.RESERVE_BYTES", 2 * 1024 * 1024)
    database = Database.open(f"sqlite:///{small_disk / 'relay.db'}")
    recorder = Recorder.start(database, clock)
    retention = Retention(database, clock, RetentionPolicy(log_days=1), recorder.settle)
    retention.run()
    assert (small_disk / "relay.db.reserve").exists()
    count = 0
    with pytest.raises(Refusal, match="full"):
        for count in range(1, 2_000):
            recorder.submit(event(count, body='"' + "x" * 20_000 + '"'))
    clock.advance(2 * 86_400)
    pruned = retention.run()
    assert pruned.events == count - 1
    record(recorder, *(event(10_000 + id_, body='"' + "x" * 20_000 + '"') for id_ in range(1, 50)))
    assert RESERVE_BYTES >= 16 * 1024 * 1024
    recorder.close()
    database.close()


def test_a_database_that_another_program_locks_refuses_and_then_goes_on(sqlite_url, opened, clock, monkeypatch):
    monkeypatch.setattr("server.storage.sqlite.BUSY_S", 0.1)
    database = opened(sqlite_url)
    recorder = Recorder.start(database, clock)
    record(recorder, event(1))
    other = Database.open(sqlite_url)
    gate = other.thread(writes=True)
    gate.call(lambda link: link.direct(lambda connection: connection.connection.cursor().execute("BEGIN IMMEDIATE")))
    with pytest.raises(Refusal, match="locked") as refused:
        recorder.submit(event(2))
    assert refused.value.code is Code.UNAVAILABLE
    gate.close()
    other.close()
    clock.advance(1)
    late = recorder.offer(event(2))
    assert not late.fresh, "it may have been shown already"
    assert late.wait().cursor == 2
    recorder.close()


@pytest.mark.parametrize("good", [0, 3])
def test_a_fault_of_the_program_leaves_nobody_waiting(sqlite_url, opened, clock, monkeypatch, good):
    recorder = Recorder.start(opened(sqlite_url), clock, Limits(pause_s=0))
    record(recorder, event(1))
    add, left = Fold.add, iter(range(good))

    def faulty_add(*arguments) -> None:
        if next(left, None) is None:
            raise ZeroDivisionError("division by zero")
        add(*arguments)

    with monkeypatch.context() as faulty:
        faulty.setattr(Fold, "add", faulty_add)
        tickets = [recorder.offer(event(id_)) for id_ in range(2, 8)]
        with gevent.Timeout(10):
            for ticket in tickets:
                with pytest.raises(Refusal, match="division by zero"):
                    ticket.wait()
    assert recorder.waiting == 0
    # They were committed all the same, and who sends them again is told so.
    assert [recorder.submit(event(id_)).duplicate for id_ in range(2, 9)] == [True] * 6 + [False]
    recorder.close()


def test_who_is_refused_and_sends_again_at_once_is_answered_too(sqlite_url, opened, clock, monkeypatch):
    database = opened(sqlite_url)
    recorder = Recorder.start(database, clock, Limits(pause_s=0))
    record(recorder, event(1))
    broken = [True]
    take_in = database.dialect.take_in

    def fail_at_first(*arguments) -> None:
        if broken:
            raise sqlite3.OperationalError("disk I/O error")
        take_in(*arguments)

    def load(*arguments):
        if broken:
            raise sqlite3.OperationalError("disk I/O error")
        return original_load(*arguments)

    original_load = reload.load
    monkeypatch.setattr(database.dialect, "take_in", fail_at_first)
    monkeypatch.setattr(reload, "load", load)
    tries = []

    def sender(id_: int) -> None:
        for attempt in itertools.count(1):
            try:
                recorder.submit(event(id_))
            except Refusal:
                if attempt == 5:
                    broken.clear()
            else:
                tries.append(attempt)
                return

    with gevent.Timeout(10):
        gevent.joinall([gevent.spawn(sender, id_) for id_ in range(2, 12)], raise_error=True)
    assert len(tries) == 10
    assert recorder.cursor == 11
    recorder.close()


@pytest.mark.postgres
@pytest.mark.integration
def test_a_killed_server_loses_nothing_that_was_acked_and_is_used_again_when_it_is_back(clock, request):
    from tests.relay.storage.cluster import programs

    if programs() is None:
        pytest.skip("no PostgreSQL server program on this machine (Debian: postgresql)")
    server = Cluster(programs())
    try:
        _outage(server, clock)
    finally:
        server.close()


def _outage(server: Cluster, clock: FakeClock) -> None:
    database = Database.open(server.database("relay"))
    recorder = Recorder.start(database, clock)
    record(recorder, *(event(id_) for id_ in range(1, 100)))
    on_the_way = [recorder.offer(event(id_)) for id_ in range(100, 120)]
    server.kill()
    refused = {}
    for ticket in on_the_way:
        try:
            ticket.wait()
        except Refusal as refusal:
            refused[ticket.event.id] = (refusal.code, refusal.retry)
    assert set(refused.values()) == {(Code.UNAVAILABLE, True)}
    clock.advance(1)
    with pytest.raises(Refusal):
        recorder.submit(event(200))
    assert not recorder.healthy()
    server.start()
    clock.advance(1)
    for id_ in [*sorted(refused), 200]:
        recorder.submit(event(id_))
    assert recorder.healthy()
    # Each of them once, whether the commit that nobody answered had succeeded or not.
    stored = [id_ for (id_,) in database.rows(select(events.c.id))]
    assert sorted(stored) == [*range(1, 120), 200]
    recorder.settle()
    assert examine(database).sound
    recorder.close()
    database.close()


@pytest.mark.postgres
def test_a_connection_that_the_server_ends_is_made_anew(cluster, clock):
    database = Database.open(new_database(cluster))
    recorder = Recorder.start(database, clock)
    record(recorder, event(1))

    def end_all(connection) -> None:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).all()

    gevent.joinall([gevent.spawn(database.rows, select(events.c.id)) for _ in range(2)], raise_error=True)
    other = database.thread(writes=True)
    other.call(lambda link: link.transaction(end_all))
    other.close()
    assert len(database.rows(select(events.c.id))) == 1, "reading goes on as if nothing had been"
    with pytest.raises(Refusal):
        recorder.submit(event(2))
    clock.advance(1)
    assert recorder.submit(event(2)).cursor == 2
    recorder.close()
    database.close()
