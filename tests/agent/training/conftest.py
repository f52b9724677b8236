"""What tests of learning share."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pi_agent.training import history


@pytest.fixture(autouse=True)
def no_history_stays_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that ends like a power cut leaves its file open; Python 3.13 minds."""
    opened: list[sqlite3.Connection] = []
    connect = history._connect

    def kept(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    monkeypatch.setattr(history, "_connect", kept)
    yield
    for connection in opened:
        connection.close()
