"""Bringing a page up to date costs the relay a bounded effort."""

from types import SimpleNamespace
from typing import Any

import pytest

from server.fanout.broadcast import Broadcast
from server.services.replay import LiveFrames, Replay
from shared.errors import Code, Refusal
from tests.support.wire import RecordingEmitter


def test_a_page_has_one_replay_at_a_time() -> None:
    again: list[Code] = []

    def rows(since: int, limit: int) -> list[Any]:
        try:
            replay.answer("page", since, None)
        except Refusal as refusal:
            again.append(refusal.code)
        return []

    recorder: Any = SimpleNamespace(cursor=5)
    history: Any = SimpleNamespace(replay=rows)
    replay = Replay(recorder, history, LiveFrames(), Broadcast(RecordingEmitter()), drained=lambda _: True)
    assert replay.answer("page", 0, None).ok
    assert again == [Code.QUEUE_FULL]
    assert replay.answer("page", 0, None).ok


def test_a_replay_that_failed_does_not_bar_the_next_one() -> None:
    def rows(since: int, limit: int) -> list[Any]:
        raise Refusal(Code.REPLAY_INCOMPLETE)

    recorder: Any = SimpleNamespace(cursor=5)
    history: Any = SimpleNamespace(replay=rows)
    replay = Replay(recorder, history, LiveFrames(), Broadcast(RecordingEmitter()), drained=lambda _: True)
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            replay.answer("page", 0, None)
        assert refused.value.code is Code.REPLAY_INCOMPLETE
