"""What the outbox promises, on a clock that stands still and a disk that fails on demand."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from pi_agent.outbox.files import Files
from pi_agent.outbox.mark import Declaration, Mark, OutboxBusy, Progress
from pi_agent.outbox.report import inspect
from pi_agent.outbox.reserve import Reserve
from pi_agent.outbox.rows import wire_body
from pi_agent.outbox.schema import MIGRATIONS, NewerSchema, migrate
from shared.contract.events import DROP_PUB_PI, LED_STATUS_PUB_PI, MOTION_PUB_PI, SENSOR_DATA_PUB_PI
from shared.contract.payloads import DropReason, parse
from shared.errors import Code, Refusal
from tests.support.clock import FakeClock
from tests.support.outbox import MEBIBYTE, bodies, held, kill, open_outbox, sample


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: FakeClock):
    box = open_outbox(tmp_path, clock)
    box.step()
    yield box
    box.close()


def drops(outbox, clock) -> list[dict]:
    return [
        body for row, body in zip(held(outbox), bodies(outbox, clock), strict=True) if row.event == DROP_PUB_PI.name
    ]


def sql(path: Path, *statements: str) -> None:
    """Change the file behind the outbox's back."""
    with sqlite3.connect(path / "outbox.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


# --- durable, in order, once ------------------------------------------------------------------------------------------


def test_an_event_cannot_be_read_before_its_commit(outbox) -> None:
    sample(outbox, commit=False)
    assert held(outbox) == []
    outbox.step()
    assert [row.id for row in held(outbox)] == [1]


def test_ids_go_on_without_a_gap_after_a_kill(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    sample(box)
    sample(box)
    sample(box, commit=False)
    stream = box.stream
    kill(box)
    again = open_outbox(tmp_path, clock)
    sample(again)
    assert again.stream == stream
    assert [row.id for row in held(again)] == [1, 2, 3]
    again.close()


def test_two_files_have_two_streams(tmp_path, clock) -> None:
    streams = set()
    for name in ("a", "b"):
        box = open_outbox(tmp_path / name, clock)
        streams.add(box.stream)
        box.close()
    assert len(streams) == 2


def test_fast_rounds_share_a_commit_and_are_durable_within_a_second(outbox, clock) -> None:
    sample(outbox)
    longest_s, commits = 0.0, 0
    for _ in range(30):
        clock.advance(0.03)
        sample(outbox, commit=False)
        waits_s = outbox.due_in_s()
        longest_s = max(longest_s, waits_s)
        if waits_s <= 0:
            outbox.step()
            commits += 1
    assert commits == 1
    assert longest_s < 1


def test_a_slow_round_is_committed_at_once(outbox, clock) -> None:
    sample(outbox)
    clock.advance(30)
    sample(outbox, commit=False)
    assert outbox.due_in_s() <= 0


def test_a_state_change_does_not_wait_for_company(outbox, clock) -> None:
    sample(outbox)
    clock.advance(0.01)
    outbox.append(LED_STATUS_PUB_PI, {"status": True})
    assert outbox.due_in_s() <= 0


def test_settled_events_are_forgotten_and_the_rest_is_kept(outbox, clock) -> None:
    for value in range(5):
        sample(outbox, value)
    outbox.settle(outbox.stream, 3)
    assert outbox.depth == 2
    assert outbox.due_in_s() > 1  # it goes with the next commit
    sample(outbox)
    assert [row.id for row in held(outbox)] == [4, 5, 6]
    outbox.settle(outbox.stream, 6)
    clock.advance(31)
    assert outbox.due_in_s() <= 0  # or by itself
    outbox.step()
    assert held(outbox) == []


def test_an_ack_of_another_stream_settles_nothing(outbox) -> None:
    sample(outbox)
    outbox.settle("another", 1)
    outbox.flush()
    assert len(held(outbox)) == 1


def test_every_body_is_what_the_contract_says(outbox, clock) -> None:
    sample(outbox, 21.5)
    outbox.append(LED_STATUS_PUB_PI, {"status": True, "level": 0.5})
    outbox.append(MOTION_PUB_PI, {"motion": True, "count": 3})
    outbox.step()
    specs = (SENSOR_DATA_PUB_PI, LED_STATUS_PUB_PI, MOTION_PUB_PI)
    for spec, body in zip(specs, bodies(outbox, clock), strict=True):
        assert parse(spec.payload, body).stream == outbox.stream
    assert bodies(outbox, clock)[0]["data"] == {"temperature": 21.5}


def test_a_body_that_is_not_the_events_is_refused_at_once(outbox) -> None:
    with pytest.raises(Refusal, match="temperature"):
        sample(outbox, 999.0)
    with pytest.raises(Refusal) as caught:
        outbox.append(LED_STATUS_PUB_PI, {"status": "on"})
    assert caught.value.code is Code.INVALID_PAYLOAD
    outbox.step()
    assert held(outbox) == []


def test_a_second_process_is_told_who_uses_the_outbox(outbox, tmp_path, clock) -> None:
    with pytest.raises(OutboxBusy, match=r"another agent.*outbox\.path"):
        open_outbox(tmp_path, clock)


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_sample_from_before_the_clock_was_set_is_dated_again(outbox, clock) -> None:
    clock.is_synchronised = False
    sample(outbox)
    assert bodies(outbox, clock)[0]["taken_at"] == "2026-03-01T12:00:00.000Z"
    clock.advance(60)
    clock.step(3600 * 24 * 365)
    clock.is_synchronised = True
    (body,) = bodies(outbox, clock)
    assert body["taken_at"] == "2027-03-01T12:00:00.000Z"
    assert body["clock"] == {
        "boot_id": clock.boot_id, "monotonic_ns": 1_000_000_000, "synchronised": False, "redated": True
    }  # fmt: skip


def test_a_sample_of_an_earlier_boot_keeps_the_date_it_had(outbox, clock) -> None:
    clock.is_synchronised = False
    sample(outbox)
    clock.boot_id, clock.is_synchronised = "another-boot", True
    clock.step(1e6)
    (body,) = bodies(outbox, clock)
    assert body["taken_at"] == "2026-03-01T12:00:00.000Z"
    assert "redated" not in body["clock"]


def test_a_sample_is_dated_to_when_it_was_taken_not_to_when_it_was_kept(outbox, clock) -> None:
    taken_ns = clock.monotonic_ns()
    clock.advance(2)
    outbox.append(MOTION_PUB_PI, {"motion": True, "count": 1}, taken_ns)
    outbox.step()
    assert bodies(outbox, clock)[0]["taken_at"] == "2026-03-01T12:00:00.000Z"


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_full_outbox_drops_the_oldest_and_says_which(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock, max_bytes=MEBIBYTE)
    for _ in range(60):
        for _ in range(200):
            sample(box, commit=False)
        box.step()
        clock.advance(1)
    rows, records = held(box), drops(box, clock)
    assert box._files.store.used_bytes() <= MEBIBYTE
    last = max(row.id for row in rows)
    missing = set(range(1, last + 1)) - {row.id for row in rows}
    claimed = {key for body in records for key in range(body["first_id"], body["last_id"] + 1)}
    assert missing <= claimed
    assert claimed - missing <= {row.id for row in rows if row.event == DROP_PUB_PI.name}
    assert sum(body["count"] for body in records) == len(missing)
    assert {body["reason"] for body in records} == {"overflow"}
    assert len(records) < 20  # they do not pile up
    box.close()


def test_the_newest_survive(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock, max_bytes=MEBIBYTE)
    for number in range(6000):
        sample(box, number % 80, commit=number % 200 == 199)
    samples = [body["data"]["temperature"] for body in bodies(box, clock) if "data" in body]
    assert samples == [float(number % 80) for number in range(6000)][-len(samples) :]
    box.close()


def test_events_that_are_too_old_are_dropped_on_record(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock, max_age_s=3600)
    for _ in range(10):
        sample(box)
    clock.advance(1800)
    sample(box)
    clock.advance(1900)
    sample(box)
    (record,) = drops(box, clock)
    assert (record["reason"], record["first_id"], record["last_id"], record["count"]) == ("age", 1, 10, 10)
    assert len(held(box)) == 3
    box.close()


@pytest.mark.parametrize("step_s", [1e9, -1e9])
def test_a_clock_that_jumps_drops_nothing_for_its_age(tmp_path, clock, step_s) -> None:
    box = open_outbox(tmp_path, clock, max_age_s=3600)
    sample(box)
    clock.advance(120)
    clock.step(step_s)
    sample(box)
    assert len(held(box)) == 2
    box.close()


def test_memory_stays_bounded_while_the_disk_takes_nothing_and_the_loss_is_told(outbox, clock, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(outbox._files.store, "append", refuse)
    for _ in range(1500):
        sample(outbox, commit=False)
    outbox.step()
    assert len(outbox._drafts) == 1000
    assert outbox.due_in_s() > 0  # it does not spin
    monkeypatch.undo()
    outbox.flush()
    (record,) = drops(outbox, clock)
    assert (record["reason"], record["count"]) == ("disk_full", 500)
    assert "first_id" not in record
    assert [row.id for row in held(outbox)] == list(range(1, 1002))


def test_a_full_disk_costs_the_reserve_first_then_the_oldest(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock, reserve_bytes=100_000)
    for _ in range(500):
        sample(box, commit=False)
    box.step()
    assert (tmp_path / "outbox.reserve").stat().st_size == 100_000
    store = box._files.store
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(60):
        sample(box, commit=False)
    box.step()
    assert not (tmp_path / "outbox.reserve").exists()
    box.flush()
    records = drops(box, clock)
    assert {record["reason"] for record in records} == {"disk_full"}
    dropped = sum(record["count"] for record in records)
    assert 0 < dropped < 300
    assert sum(row.event == SENSOR_DATA_PUB_PI.name for row in held(box)) == 560 - dropped
    box.close()


def test_the_reserve_is_made_again_and_never_takes_the_last_of_a_disk(tmp_path, monkeypatch) -> None:
    reserve = Reserve(tmp_path / "reserve", 1000)
    reserve.fill()
    assert reserve.spend()
    assert not reserve.spend()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1500))
    reserve.fill()
    assert not (tmp_path / "reserve").exists()
    monkeypatch.undo()
    reserve.fill()
    assert (tmp_path / "reserve").stat().st_size == 1000


# --- what can never be sent ------------------------------------------------------------------------------------------


def test_an_event_that_is_too_long_becomes_a_dead_letter_on_record(outbox, clock, tmp_path) -> None:
    names = [f"quantity-{number}" for number in range(64)]
    quality = {name: {"state": "degraded", "reason": "\x00" * 500} for name in names}
    outbox.append(SENSOR_DATA_PUB_PI, {"data": dict.fromkeys(names), "fail": [], "quality": quality})
    sample(outbox)
    (letter,) = inspect(tmp_path / "outbox.db").dead_letters
    assert (letter.id, letter.code) == (1, "oversize")
    assert [row.id for row in held(outbox)] == [2, 3]
    assert (drops(outbox, clock)[0]["reason"], drops(outbox, clock)[0]["first_id"]) == ("oversize", 1)


def test_a_refused_event_becomes_a_dead_letter_on_record(outbox, clock, tmp_path) -> None:
    for _ in range(3):
        sample(outbox)
    outbox.refuse(held(outbox)[1], "invalid_payload", "no such quantity")
    assert outbox.due_in_s() <= 0
    outbox.step()
    assert [row.id for row in held(outbox)] == [1, 3, 4]
    (record,) = drops(outbox, clock)
    assert (record["id"], record["reason"], record["first_id"], record["last_id"]) == (4, "refused", 2, 2)
    report = inspect(tmp_path / "outbox.db")
    assert [(letter.id, letter.code) for letter in report.dead_letters] == [(2, "invalid_payload")]
    assert report.dropped == {"refused": 1}


def test_a_refused_drop_record_is_not_recorded_without_end(outbox, clock) -> None:
    sample(outbox)
    outbox.refuse(held(outbox)[0], "invalid_payload", "")
    outbox.step()
    outbox.refuse(held(outbox)[0], "unknown_event", "an older relay")
    outbox.step()
    assert held(outbox) == []
    assert outbox.read(0, 10) == []


def test_an_event_that_this_version_does_not_know_does_not_block_the_rest(outbox, clock, tmp_path) -> None:
    sample(outbox)
    sample(outbox)
    unknown = replace(held(outbox)[0], event="retired_pub_pi")
    sql(tmp_path, f"UPDATE event SET event = 'retired_pub_pi', digest = x'{unknown.digest().hex()}' WHERE id = 1")
    assert [row.id for row in outbox.read(0, 10)] == [2]
    outbox.step()
    assert [row.id for row in held(outbox)] == [2, 3]
    assert drops(outbox, clock)[0]["first_id"] == 1


# --- a disk that lies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET fields = CAST(replace(fields, '20', '21') AS BLOB) WHERE id = 2",
        "UPDATE event SET wall_ms = wall_ms + 1 WHERE id = 2",
        "UPDATE event SET event = CAST(x'ff6564' AS TEXT) WHERE id = 2",
        "UPDATE event SET boot_id = 'x' WHERE id = 2",
        "UPDATE event SET digest = x'00' WHERE id = 2",
        "DELETE FROM event WHERE id = 2",
    ],
)
def test_a_damaged_or_missing_row_is_found_and_told_and_the_rest_is_intact(outbox, clock, tmp_path, damage) -> None:
    for _ in range(3):
        sample(outbox)
    sql(tmp_path, damage)
    assert [row.id for row in held(outbox)] == [1, 3]
    outbox.step()
    assert [row.id for row in held(outbox)] == [1, 3, 4]
    (record,) = drops(outbox, clock)
    assert (record["reason"], record["first_id"], record["last_id"], record["count"]) == ("corrupt", 2, 2, 1)
    held(outbox)
    outbox.step()
    assert len(drops(outbox, clock)) == 1  # told once


def test_a_row_that_is_damaged_while_it_waits_for_its_ack_is_told_too(outbox, clock, tmp_path) -> None:
    sample(outbox)
    sample(outbox)
    assert len(held(outbox)) == 2
    sql(tmp_path, "UPDATE event SET digest = x'00' WHERE id = 1")
    assert [row.id for row in outbox.rows([1, 2])] == [2]
    outbox.settle(outbox.stream, 1)
    outbox.step()
    assert drops(outbox, clock)[0]["first_id"] == 1


def test_lost_commits_never_give_an_id_away_twice(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    sample(box)
    box._files.store.checkpoint()
    shutil.copy(tmp_path / "outbox.db", tmp_path / "earlier")
    for _ in range(4):
        sample(box)
    kill(box)
    (tmp_path / "outbox.db").unlink()
    (tmp_path / "earlier").rename(tmp_path / "outbox.db")
    again = open_outbox(tmp_path, clock)
    sample(again)
    assert [row.id for row in held(again)] == [1, 6, 7]
    (record,) = drops(again, clock)
    assert (record["reason"], record["first_id"], record["last_id"]) == ("corrupt", 2, 5)
    again.close()


def test_a_flipped_bit_in_the_log_is_noticed_though_sqlite_says_nothing(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    for _ in range(10):
        sample(box)
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"outbox.db{suffix}", tmp_path / f"copy{suffix}")
    shutil.copy(tmp_path / "outbox.mark", tmp_path / "copy.mark")
    box.close()
    log = bytearray((tmp_path / "copy-wal").read_bytes())
    log[len(log) // 2] ^= 0x10
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    (crashed / "outbox.db-wal").write_bytes(log)
    (tmp_path / "copy").rename(crashed / "outbox.db")
    (tmp_path / "copy.mark").rename(crashed / "outbox.mark")
    again = open_outbox(crashed, clock)
    ids = [row.id for row in held(again)]
    (record,) = drops(again, clock)
    lost = set(range(1, 11)) - set(ids)
    assert lost
    assert lost == set(range(record["first_id"], record["last_id"] + 1))
    again.close()


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_damaged_file_is_set_aside_and_the_new_stream_says_what_is_lost(tmp_path, clock, size) -> None:
    box = open_outbox(tmp_path, clock)
    for _ in range(20):
        sample(box)
    box.settle(box.stream, 4)
    box.flush()
    old = box.stream
    box.close()
    file = tmp_path / "outbox.db"
    file.write_bytes(b"not a database, " * (size // 16))
    again = open_outbox(tmp_path, clock)
    sample(again)
    assert again.stream != old
    (record,) = drops(again, clock)
    assert (record["of_stream"], record["first_id"], record["last_id"], record["count"]) == (old, 5, 20, 16)
    assert [row.id for row in held(again)] == [1, 2]
    if size:
        assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 1
    again.close()


def test_a_bad_page_costs_its_own_rows_and_the_rest_goes_on_in_the_same_stream(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    for _ in range(1000):
        sample(box, commit=False)
    box.step()
    stream = box.stream
    box._files.store.checkpoint()
    file = tmp_path / "outbox.db"
    middle = file.stat().st_size // 2 // 1024 * 1024
    with file.open("r+b") as raw:
        raw.seek(middle)
        raw.write(b"\xff" * 3072)
    assert held(box) == []  # the sender finds it
    box.step()
    clock.advance(1)
    sample(box)
    held(box)
    box.step()
    assert box.stream == stream
    ids = [row.id for row in held(box)]
    lost = set(range(1, 1001)) - set(ids)
    assert 0 < len(lost) < 30
    assert ids[-1] >= 1002  # no id is given away twice
    told = {key for body in drops(box, clock) for key in range(body["first_id"], body["last_id"] + 1)}
    assert told == lost
    box.close()


def test_a_damaged_place_in_the_stream_is_noticed_and_nothing_passes_for_settled(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    for _ in range(5):
        sample(box)
    old = box.stream
    box.close()
    sql(tmp_path, "UPDATE stream SET low = 4")
    again = open_outbox(tmp_path, clock)
    (record,) = drops(again, clock)
    assert (record["of_stream"], record["first_id"], record["last_id"]) == (old, 1, 5)
    again.close()


def test_a_page_that_the_writer_meets_first_is_no_different(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    for _ in range(1000):
        sample(box, commit=False)
    box.step()
    box._files.store.checkpoint()
    file = tmp_path / "outbox.db"
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size - 2048)
        raw.write(b"\xff" * 2048)
    box._files.store._db.execute("PRAGMA cache_size = 0")
    clock.advance(1)
    sample(box)
    held(box)
    box.step()
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) >= 1
    present = {row.id for row in held(box)}
    told = {key for body in drops(box, clock) for key in range(body["first_id"], body["last_id"] + 1)}
    assert set(range(1, max(present) + 1)) == present | told
    assert len(present) > 900
    box.close()


def test_damaged_files_do_not_pile_up(tmp_path, clock) -> None:
    for _ in range(6):
        (tmp_path / "outbox.db").write_bytes(b"garbage " * 100)
        open_outbox(tmp_path, clock).close()
        clock.advance(1)
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 3


def test_a_deleted_file_is_missed(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    sample(box)
    box.close()
    (tmp_path / "outbox.db").unlink()
    again = open_outbox(tmp_path, clock)
    assert drops(again, clock)[0]["first_id"] == 1
    again.close()


def spans(box, clock) -> set[tuple]:
    """What is declared lost: the stream where it is another one, first and last id."""
    return {(record.get("of_stream"), record["first_id"], record["last_id"]) for record in drops(box, clock)}


def test_what_was_declared_lost_is_declared_again_where_the_record_is_lost_as_well(tmp_path, clock) -> None:
    lost = []
    for number in range(3):
        box = open_outbox(tmp_path, clock)
        for _ in range(number + 1):
            sample(box)
        lost.append((box.stream, box._files.store.progress.next_id - 1))
        kill(box)
        (tmp_path / "outbox.db").unlink()
    again = open_outbox(tmp_path, clock)
    assert spans(again, clock) == {(stream, 1, last) for stream, last in lost}
    again.close()


def test_a_drop_record_that_is_damaged_is_made_again(outbox, clock, tmp_path) -> None:
    for _ in range(3):
        sample(outbox)
    sql(tmp_path, "DELETE FROM event WHERE id = 2")
    held(outbox)
    outbox.step()
    assert spans(outbox, clock) == {(None, 2, 2)}
    sql(tmp_path, "UPDATE event SET digest = x'00' WHERE id = 4")
    held(outbox)
    outbox.step()
    assert spans(outbox, clock) == {(None, 2, 2), (None, 4, 4)}


def test_a_drop_record_that_a_commit_lost_is_made_again(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    for _ in range(3):
        sample(box)
    box._files.store.checkpoint()
    shutil.copy(tmp_path / "outbox.db", tmp_path / "earlier")
    sql(tmp_path, "DELETE FROM event WHERE id = 2")
    held(box)
    box.step()
    box.settle(box.stream, 3)
    sample(box)
    kill(box)
    (tmp_path / "earlier").rename(tmp_path / "outbox.db")
    again = open_outbox(tmp_path, clock)
    assert (None, 2, 2) in spans(again, clock)
    again.close()


def test_a_drop_record_that_the_relay_has_is_not_made_again(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    sample(box)
    kill(box)
    (tmp_path / "outbox.db").unlink()
    box = open_outbox(tmp_path, clock)
    box.settle(box.stream, 1)
    sample(box)
    stream = box.stream
    kill(box)
    (tmp_path / "outbox.db").unlink()
    again = open_outbox(tmp_path, clock)
    assert spans(again, clock) == {(stream, 2, 2)}
    again.close()


def test_of_very_many_declarations_the_newest_are_kept(tmp_path) -> None:
    mark = Mark(tmp_path / "mark")
    declared = [Declaration(id_, "s" * 64, 1, 2**52, 2**52, DropReason.OVERFLOW) for id_ in range(1, 200)]
    mark.write(Progress("s", 200, 1), declared)
    assert 20 < len(mark.declared()) < 199
    assert mark.declared() == declared[-len(mark.declared()) :]
    assert (tmp_path / "mark").stat().st_size == 4096
    mark.write(Progress("s", 201, 1), [])
    assert mark.declared() == []
    mark.close()


def test_a_damaged_mark_says_nothing_and_breaks_nothing(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    sample(box)
    box.close()
    (tmp_path / "outbox.mark").write_bytes(b"\x00" * 4096)
    again = open_outbox(tmp_path, clock)
    assert [row.id for row in held(again)] == [1]
    again.close()


# --- versions, and what people see -----------------------------------------------------------------------------------


def test_a_file_of_a_newer_version_is_left_alone(tmp_path, clock) -> None:
    open_outbox(tmp_path, clock).close()
    sql(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(NewerSchema, match=r"schema 99.*upgrade"):
        Files(tmp_path / "outbox.db", clock)
    assert not list(tmp_path.glob("*.damaged*"))


def test_an_older_file_is_brought_forward_with_its_rows(tmp_path, clock) -> None:
    box = open_outbox(tmp_path, clock)
    sample(box)
    box.close()
    db = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    migrate(db, (*MIGRATIONS, "ALTER TABLE event ADD COLUMN priority INTEGER DEFAULT 7;"))
    assert db.execute("SELECT id, priority FROM event").fetchall() == [(1, 7)]
    assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    db.close()


def test_a_migration_that_fails_changes_nothing(tmp_path, clock) -> None:
    open_outbox(tmp_path, clock).close()
    db = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, (*MIGRATIONS, "CREATE TABLE one (a); CREATE TABLE event (a);"))
    if db.in_transaction:
        db.execute("ROLLBACK")
    assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'one'").fetchall()
    db.close()


def test_the_report_is_read_beside_the_running_agent(outbox, tmp_path, clock) -> None:
    sample(outbox)
    clock.advance(60)
    sample(outbox)
    report = inspect(tmp_path / "outbox.db")
    assert (report.depth, report.next_id, report.oldest_taken_at) == (2, 3, "2026-03-01T12:00:00.000Z")
    assert report.stream == outbox.stream


def test_a_report_without_an_outbox_says_what_to_do(tmp_path) -> None:
    with pytest.raises(OSError, match="there is no outbox"):
        inspect(tmp_path / "outbox.db")


def test_a_resent_row_is_the_same_row(outbox, clock) -> None:
    sample(outbox)
    (row,) = held(outbox)
    first = wire_body(row, "pi", clock)
    clock.advance(3600)
    assert wire_body(outbox.rows([1])[0], "pi", clock) == first


def test_a_receipt_comes_back_when_its_event_is_on_disk_and_before_it_can_go(outbox) -> None:
    kept = []
    outbox.on_kept = lambda receipts: kept.append((list(receipts), len(held(outbox))))
    outbox.append(SENSOR_DATA_PUB_PI, {"data": {}, "fail": []}, receipt="first")
    sample(outbox, commit=False)
    assert kept == []
    outbox.step()
    assert kept == [(["first"], 2)]
    sample(outbox)
    assert len(kept) == 1


def test_a_receipt_of_an_event_that_memory_had_to_give_up_comes_with_the_record_of_it(outbox, monkeypatch) -> None:
    kept = []
    outbox.on_kept = kept.extend
    monkeypatch.setattr("pi_agent.outbox.outbox._MOST_DRAFTS", 3)
    for number in range(5):
        outbox.append(SENSOR_DATA_PUB_PI, {"data": {}, "fail": []}, receipt=number)
    outbox.step()
    assert kept == [0, 1, 2, 3, 4]
