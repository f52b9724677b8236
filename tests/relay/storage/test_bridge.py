"""The database works in native threads, and the hub never waits for it."""

import json
import subprocess
import sys

import gevent
import pytest

from server.storage.bridge import Crew, NativeThread, in_thread
from shared.errors import Code, Refusal


@pytest.mark.integration
def test_in_a_patched_process_queries_run_in_native_threads_and_the_hub_goes_on(url):
    done = subprocess.run(
        [sys.executable, "-m", "tests.relay.storage.patched", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["thread_is_patched"], "a threading.Thread would have been a greenlet"
    assert (found["stored"], found["charted"]) == (199, 199)
    assert len(set(found["threads"].values())) == 3, "hub, writer and reader are three threads"
    if url.startswith("sqlite"):
        # A hub of its own would mean that something in the thread waits the patched way. psycopg does, to connect.
        assert found["hubs"] == {"writer": False, "reader": False}
    assert found["took_s"] > 0.05, "the query was not slow enough to tell"
    # On a busy machine a tick may be late; a hub that waited would not have ticked at all.
    assert found["ticks"] > found["took_s"] / 0.005 / 4
    assert found["longest_pause_s"] < found["took_s"] / 2
    assert done.stderr == ""


def test_work_runs_in_order_one_at_a_time():
    order = []
    thread = NativeThread(list, lambda made: order.append(len(made)))
    for number in range(20):
        thread.post(lambda made, number=number: made.append(number) or list(made), order.append)
    assert thread.call(list) == list(range(20))
    thread.close()
    assert [outcome.get() for outcome in order[:-1]] == [list(range(number + 1)) for number in range(20)]
    assert order[-1] == 20
    with pytest.raises(Refusal, match="closed"):
        thread.post(list, print)


def test_an_error_is_raised_where_it_is_waited_for_and_the_thread_lives_on():
    thread = NativeThread(lambda: 1, lambda made: None)
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda one: one / 0)
    assert thread.call(lambda one: one) == 1
    thread.close()
    thread.close()


def test_a_resource_that_cannot_be_made_is_tried_again_by_the_next_work():
    tries = iter([OSError("not yet"), None])

    def make() -> int:
        error = next(tries)
        if error:
            raise error
        return 7

    thread = NativeThread(make, lambda made: None)
    with pytest.raises(OSError, match="not yet"):
        thread.call(lambda made: made)
    assert thread.call(lambda made: made) == 7
    thread.close()


def test_a_crew_refuses_when_too_many_wait(monkeypatch):
    monkeypatch.setattr("server.storage.bridge._CREW_QUEUE", 2)
    crew = Crew([NativeThread(lambda: 1, lambda made: None)])
    gate = in_thread(lambda: __import__("_thread").allocate_lock())
    gate.acquire()
    waiting = [gevent.spawn(crew.call, lambda made: gate.acquire() and gate.release()) for _ in range(3)]
    gevent.sleep(0)
    with pytest.raises(Refusal) as refused:
        crew.call(lambda made: made)
    assert refused.value.code is Code.QUEUE_FULL
    gate.release()
    gevent.joinall(waiting, raise_error=True)
    assert crew.call(lambda made: made) == 1
    crew.close()
