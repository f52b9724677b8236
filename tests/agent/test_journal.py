"""The journal of commands: bounded, damaged, set aside."""

import pytest

from pi_agent.accessories.journal import KEPT, Intent, Journal, Outcome
from shared.errors import Code
from tests.support.clock import FakeClock


def intent(number: int, accessory: str = "fan", ledger: str = "L") -> Intent:
    return Intent(f"c{number}", accessory, "on", ledger, number)


def outcome(number: int, accessory: str = "fan", fault: Code | None = None) -> Outcome:
    return Outcome(f"c{number}", accessory, status=True, fault=fault)


@pytest.fixture
def reopen(tmp_path):
    """The journal as the next process finds it: nothing is flushed or closed in order."""
    opened: list[Journal] = []

    def again() -> Journal:
        if opened:
            opened.pop().close()
        opened.append(Journal(tmp_path / "commands.db", FakeClock()))
        return opened[0]

    yield again
    for journal in opened:
        journal.close()


def test_what_was_begun_and_what_came_of_it_outlive_the_process(reopen) -> None:
    journal = reopen()
    assert journal.begin([intent(1), intent(1, "pump"), intent(2)])
    journal.finish([outcome(1, fault=Code.READBACK_DIFFERS)])
    for found in (journal, reopen(), reopen()):
        assert [found.known(f"c{number}") for number in (1, 2, 3)] == [True, True, False]
        assert found.outcomes("c1") == []  # the pump's is still to come
        assert [(left.id, left.accessory, left.seq) for left in found.unanswered()] == [
            ("c1", "pump", 1),
            ("c2", "fan", 2),
        ]
        assert (found.taken("L", "fan"), found.taken("L", "pump"), found.taken("M", "fan")) == (2, 1, -1)
        assert found.latest() == ("L", 2)
    found.finish([outcome(1, "pump")])
    assert reopen().outcomes("c1") == [outcome(1, fault=Code.READBACK_DIFFERS), outcome(1, "pump")]


def test_it_is_bounded_and_keeps_what_still_needs_an_answer(reopen, tmp_path) -> None:
    journal = reopen()
    journal.begin([intent(0)])
    for number in range(1, KEPT + 200):
        journal.begin([intent(number)])
        journal.finish([outcome(number)])
    for found in (journal, reopen()):
        assert [left.id for left in found.unanswered()] == ["c0"]
        assert not found.known("c50")
        assert found.known(f"c{KEPT + 199}")
        assert found.taken("L", "fan") == KEPT + 199
        assert len(found._known) <= KEPT + 1
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3 * 2**20


def test_of_many_relays_the_last_ones_are_remembered(reopen) -> None:
    journal = reopen()
    for number in range(10):
        journal.begin([Intent(f"c{number}", "fan", "on", f"L{number}", 5)])
    journal.begin([Intent("again", "fan", "on", "L7", 6)])
    for found in (journal, reopen()):
        assert [found.taken(f"L{number}", "fan") for number in (5, 6, 7, 8, 9)] == [-1, 5, 6, 5, 5]
        assert found.latest() == ("L7", 6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"not a database" * 100,
        lambda raw: raw[:300],
        lambda raw: raw[:1024] + bytes(len(raw) - 1024),
        lambda raw: raw.replace(b"superseded", b"supersedet"),
    ],
    ids=["other", "cut", "zeros", "word"],
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begins(reopen, tmp_path, caplog, damage) -> None:
    journal = reopen()
    journal.begin([intent(1), Intent("c2", "fan", "on", "L", 2, Code.SUPERSEDED)])
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = tmp_path / "commands.db"
    journal.close()
    file.write_bytes(damage(file.read_bytes()))
    found = reopen()
    assert "journal of commands damaged, set aside" in caplog.text
    assert (found.unanswered(), found.latest(), found.known("c1")) == ([], None, False)
    assert found.begin([intent(3)])
    assert [aside.name for aside in tmp_path.glob("commands.db.damaged-*")]
    assert [left.id for left in reopen().unanswered()] == ["c3"]


def test_a_file_that_is_damaged_while_it_is_used_is_replaced_by_what_is_in_memory(reopen, tmp_path, caplog) -> None:
    journal = reopen()
    journal.begin([intent(number) for number in range(1, 5)])
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "commands.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 20_000)
    journal._db.execute("PRAGMA cache_size = 0")
    journal.finish([outcome(1)])
    assert journal.begin([intent(5)])
    assert "set aside" in caplog.text
    found = reopen()
    assert [left.id for left in found.unanswered()] == ["c2", "c3", "c4", "c5"]
    assert found.taken("L", "fan") == 5


def test_as_many_damaged_files_are_kept_as_people_look_at(reopen, tmp_path) -> None:
    for _ in range(6):
        reopen().close()
        (tmp_path / "commands.db").write_bytes(b"damaged" * 1000)
    reopen()
    assert len(list(tmp_path.glob("commands.db.damaged-*"))) == 3


def test_a_directory_that_cannot_be_written_is_an_error_in_one_line(tmp_path) -> None:
    (tmp_path / "commands.db").mkdir()
    with pytest.raises(OSError, match=r"commands\.db"):
        Journal(tmp_path / "commands.db", FakeClock())
