"""Who is asked whether he is there, and who is parted with, in made-up time."""

from typing import Any

import pytest

from server.fanout import path as path_module
from server.fanout.path import Path

INTERVAL_S, PATIENCE_S = 10.0, 20.0


class Session:
    """A connection that answers pings, or not."""

    def __init__(self, path: Path, due: float, *, answers: bool) -> None:
        self.due, self._path, self._answers = due, path, answers
        self.asked: list[float] = []
        self.ended: float | None = None
        self._waits = False

    def ping(self) -> None:
        self.asked.append(path_module.time())
        self._waits = not self._answers
        if self._answers:
            self.due = path_module.time() + INTERVAL_S
            self._path.pings.append(self)  # type: ignore[arg-type]

    def part_if_silent(self) -> None:
        if self._waits:
            self.ended = path_module.time()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(path_module, "time", lambda: at[0])
    return at


def made(sockets: dict[str, Any]) -> Path:
    unused: Any = None
    return Path(
        terms=unused,
        websockets={},
        room=lambda: True,
        overflowed=unused,
        hot=unused,
        after_hot=unused,
        batch=unused,
        sockets=sockets,
        environs={},
        patience_s=PATIENCE_S,
    )


def test_who_does_not_answer_is_parted_with_when_his_time_is_over_and_nobody_else(now: list[float]) -> None:
    path = made({})
    lively, dead = Session(path, 1010.0, answers=True), Session(path, 1010.5, answers=False)
    path.pings.extend((lively, dead))  # type: ignore[arg-type]
    for _ in range(60):
        path.ping()
        now[0] += 1
    assert lively.asked == [1010.0, 1020.0, 1030.0, 1040.0, 1050.0]
    assert lively.ended is None
    assert dead.asked == [1011.0]
    assert dead.ended == 1032.0


def test_who_has_ended_is_forgotten(now: list[float]) -> None:
    sockets: dict[str, Any] = {"gone": object(), "here": object()}
    path = made(sockets)
    path.ended.extend(("gone", "never seen"))
    path.ping()
    assert set(sockets) == {"here"}
