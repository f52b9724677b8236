"""One database per test, of each kind there is."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.storage.engine import Database
from server.storage.history import History
from server.storage.recorder import Limits, Recorder
from server.storage.records import Drop, Event
from tests.relay.storage.cluster import Cluster, programs
from tests.support.clock import FakeClock

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    bin_ = programs()
    if bin_ is None:
        pytest.skip("no PostgreSQL server program on this machine (Debian: postgresql)")
    server = Cluster(bin_)
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'relay.db'}"
    server: Cluster = request.getfixturevalue("cluster")
    return server.database(f"test{os.getpid()}_{next(_numbers)}")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'relay.db'}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def opened() -> Iterator[Callable[..., Database]]:
    """Opens databases, and closes them when the test has ended."""
    all_: list[Database] = []

    def open_(url: str) -> Database:
        all_.append(Database.open(url))
        return all_[-1]

    yield open_
    for database in all_:
        database.close()


@pytest.fixture
def database(url: str, opened: Callable[..., Database]) -> Database:
    return opened(url)


@pytest.fixture
def recorder(database: Database, clock: FakeClock) -> Iterator[Recorder]:
    started = Recorder.start(database, clock)
    yield started
    started.close()


@pytest.fixture
def history(database: Database, recorder: Recorder, clock: FakeClock) -> History:
    return History(database, clock, recorder.settle)


def event(id_: int, device: str = "pi", stream: str = "s", name: str = "round", **more: object) -> Event:
    """Round number `id_`: ten seconds after the one before it, its number being its temperature."""
    fields: dict[str, object] = {
        "taken_at_ms": START_MS + id_ * 10_000,
        "body": f'{{"id":{id_}}}',
        "readings": {"temperature": float(id_)},
    }
    return Event(device=device, stream=stream, id=id_, event=name, **(fields | more))  # type: ignore[arg-type]


def record(recorder: Recorder, *events: Event) -> None:
    """Store all of `events`."""
    for ticket in [recorder.offer(one) for one in events]:
        ticket.wait()


__all__ = ["START_MS", "Drop", "Limits", "event", "record"]
