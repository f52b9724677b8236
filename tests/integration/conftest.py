"""Every test here drives real processes over loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import browser as browsers
from tests.support import processes
from tests.support.processes import Process, RelayProcess

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """A relay in demo mode, shared by the tests of a module."""
    with processes.relay(tmp_path_factory.mktemp("relay")) as running:
        yield running


@pytest.fixture(scope="module")
def agent(relay: RelayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulated agent `pi-1` at that relay."""
    with processes.agent(tmp_path_factory.mktemp("agent"), relay.url) as running:
        processes.wait_for("the agent reports", lambda: relay.device("pi-1").get("accessories"))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    with browsers.launched() as running:
        yield running
