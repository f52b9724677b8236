"""Sites, closed when their test has ended."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.relay.alerts.site_rig import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(alerts: dict[str, Any] | None = None, **availability: Any) -> Site:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(Site(directory, alerts, **availability))
        return made[-1]

    yield make
    for one in made:
        one.close()
