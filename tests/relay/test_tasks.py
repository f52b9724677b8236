"""The relay's own tasks: one that dies ends the process, and not as if all were well."""

from gevent.event import Event

from server.run import every


def test_a_task_that_fails_stops_the_relay_and_says_so() -> None:
    stopping = Event()

    def work() -> None:
        raise RuntimeError("damaged")

    task = every(0.001, work, stopping)
    assert stopping.wait(5)
    assert task.get(timeout=5) is False


def test_a_task_ends_well_when_the_relay_stops() -> None:
    stopping = Event()
    task = every(0.001, lambda: None, stopping)
    stopping.set()
    assert task.get(timeout=5) is True
