"""The supervisor starts again whatever ends, and knows what it ended itself."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.faults.supervisor import Supervised
from tests.support.processes import Process, wait_for

SLEEPER = "import sys, time; print('up', file=sys.stderr, flush=True); time.sleep(60)"


def spawner(program: str):
    return lambda: Process(subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True))


@pytest.fixture
def sleeper() -> Iterator[Supervised]:
    supervised = Supervised("sleeper", spawner(SLEEPER), restart_s=0.01)
    supervised.start()
    running(supervised)
    yield supervised
    supervised.stop(signal.SIGKILL)


def running(supervised: Supervised) -> Process:
    return wait_for("it runs", lambda: (process := supervised.process) and "up" in process.log and process)


def test_what_was_killed_runs_again_and_its_death_was_wanted(sleeper):
    first = running(sleeper)
    assert sleeper.kill()
    wait_for("another one runs", lambda: sleeper.process not in (first, None))
    assert [life.code for life in sleeper.lives[:-1]] == [-signal.SIGKILL]
    assert sleeper.deaths == []


def test_who_ends_by_itself_is_on_record_with_its_last_words():
    program = "import sys; print('the reason', file=sys.stderr); sys.exit(3)"
    supervised = Supervised("faulty", spawner(program), restart_s=0.01)
    supervised.start()
    wait_for("it was started twice", lambda: len(supervised.lives) > 1)
    supervised.stop()
    death = supervised.deaths[0]
    assert (death.code, death.tail) == (3, "the reason")


def test_what_cannot_be_started_is_on_record():
    supervised = Supervised("nothing", lambda: (_ for _ in ()).throw(OSError("no such program")), restart_s=0.01)
    supervised.start()
    wait_for("it was tried twice", lambda: len(supervised.lives) > 1)
    supervised.stop()
    assert supervised.deaths[0].tail == "no such program"


def test_a_frozen_process_dies_when_it_is_killed_and_goes_on_when_it_is_thawed(sleeper):
    first = running(sleeper)
    frozen = sleeper.freeze()
    assert frozen is first
    sleeper.thaw(frozen)
    assert first.popen.poll() is None
    frozen = sleeper.freeze()
    assert sleeper.kill()
    wait_for("another one runs", lambda: sleeper.process not in (first, None))
    sleeper.thaw(frozen)


def test_while_it_is_held_down_nothing_runs(sleeper):
    first = running(sleeper)
    with sleeper.down():
        assert first.popen.poll() == -signal.SIGKILL
        assert sleeper.process is None
        assert not sleeper.kill()
        lives = len(sleeper.lives)
        with pytest.raises(AssertionError):
            wait_for("a new one", lambda: len(sleeper.lives) > lives, timeout_s=0.2)
    running(sleeper)
