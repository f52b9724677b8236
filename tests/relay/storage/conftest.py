"""One database per test, of each kind there is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.storage.engine import Database
from server.storage.history import History
from server.storage.recorder import Recorder
from tests.relay.storage.building import MIGRATED, new_database
from tests.relay.storage.cluster import Cluster, programs
from tests.support.clock import FakeClock


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    bin_ = programs()
    if bin_ is None:
        pytest.skip("no PostgreSQL server program on this machine (Debian: postgresql)")
    server = Cluster(bin_)
    # The schema is made once and copied.
    Database.open(server.database(MIGRATED)).close()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'relay.db'}"
    return new_database(request.getfixturevalue("cluster"))


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
