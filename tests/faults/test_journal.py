"""The journal keeps what was written before a kill, in the order in which it was written."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.journal import Fate, Journal, Key, Pen, read_journal
from tests.support.processes import ROOT

KILLED_IN_THE_NEXT_INSTANT = """
import os, signal, socket, sys
from tests.faults.journal import Pen
pen = Pen(socket.socket(fileno=int(sys.argv[1])))
pen.intent("s", [(id, "motion_pub_pi", "digest", 0) for id in range(1, 1001)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def generator(journal: Journal, program: str) -> int:
    with journal.channel() as channel:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(channel.fileno())], pass_fds=[channel.fileno()], cwd=ROOT
        )
    return process.wait(30)


def test_all_that_was_written_survives_a_kill_in_the_next_instant(tmp_path: Path):
    journal = Journal(tmp_path / "journal", "pi-1")
    assert generator(journal, KILLED_IN_THE_NEXT_INSTANT) == -signal.SIGKILL
    journal.close()
    assert len(journal.book.made) == 1000
    assert {made.fate for made in journal.book.made.values()} == {Fate.UNKNOWN}


def test_the_next_generator_is_read_after_all_of_the_last_one(tmp_path: Path):
    journal = Journal(tmp_path / "journal", "pi-1")
    with journal.channel() as first:
        Pen(first).intent("s", [(1, "motion_pub_pi", "first", 0)])
    with journal.channel() as second:
        pen = Pen(second)
        pen.intent("s", [(1, "motion_pub_pi", "second", 0)])
        pen.committed("s", 1, 1)
        pen.ack("s", 1, "stored")
        pen.note("done")
    journal.close()
    made = journal.book.made[Key("pi-1", "s", 1)]
    assert (made.digest, made.fate) == ("second", Fate.DURABLE)
    assert made.acked_s is not None
    assert journal.book.given_twice == []
    assert [text for _, text in journal.notes] == ["done"]


def test_a_journal_read_from_its_file_says_the_same(tmp_path: Path):
    journal = Journal(tmp_path / "journal", "pi-1")
    with journal.channel() as channel:
        pen = Pen(channel)
        pen.intent("s", [(1, "motion_pub_pi", "digest", 0), (2, "motion_pub_pi", "digest", 0)])
        pen.rolled_back("s", 2, 2)
        pen.ack("s", 1, "duplicate")
    journal.close()
    again = read_journal(tmp_path / "journal")
    assert {key: made.fate for key, made in again.made.items()} == {
        key: made.fate for key, made in journal.book.made.items()
    }
    assert (again.resends, again.acked, again.open) == (1, 1, 0)


def test_who_waits_for_a_moment_is_told_once(tmp_path: Path):
    journal = Journal(tmp_path / "journal", "pi-1")
    seen = journal.at_next("intent")
    with journal.channel() as channel:
        pen = Pen(channel)
        pen.note("not this")
        pen.intent("s", [(1, "motion_pub_pi", "digest", 0)])
    assert seen.wait(5)
    journal.close()


def test_a_line_that_is_none_is_not_overlooked(tmp_path: Path):
    journal = Journal(tmp_path / "journal", "pi-1")
    with journal.channel() as channel:
        channel.send(b'{"kind": "nonsense"}')
    with pytest.raises(ValueError, match="nonsense"):
        journal.close()
