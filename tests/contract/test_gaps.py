"""What the Python client makes of notices, replays and what is new, in whatever order they come: all once, in order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.client.gaps import HELD, Gaps
from shared.contract.events import MOTION_PUB_CLIENT


def frame(number: int, *, replayed: bool = False, committed: int | None = None) -> tuple[Any, Any]:
    """A frame whose own cursor is its number; a live one tells how far the relay had committed when it was sent."""
    body = {"id": number, "stream": "s", "device": "d", "cursor": number if replayed else committed or number - 1}
    return MOTION_PUB_CLIENT, body | ({"replayed": True} if replayed else {})


class Reader:
    """What a program is told, each frame once."""

    def __init__(self) -> None:
        self.gaps = Gaps(None)
        assert not self.gaps.welcomed()
        self.told: list[int] = []

    def take(self, item: tuple[Any, Any]) -> None:
        if self.gaps.take(item):
            self.tell(item)

    def tell(self, item: tuple[Any, Any]) -> None:
        if item[1]["id"] not in self.told:
            self.told.append(item[1]["id"])

    def replay(self, upto: int, hole: range = range(0)) -> bool:
        """All after the cursor, but for what is left out of it again. Whether there must be one more."""
        begun = self.gaps.cursor or 0
        left_out = False
        for number in range(begun + 1, upto + 1):
            if number not in hole:
                self.take(frame(number, replayed=True))
            elif not left_out:
                left_out = True
                assert not self.gaps.missed(number - 1)
        again = self.gaps.replayed(upto)
        for item in self.gaps.release():
            self.tell(item)
        return again


@given(
    before=st.integers(0, 20),
    missed=st.integers(1, 20),
    waiting=st.integers(0, 20),
    later=st.integers(0, 20),
    hole=st.tuples(st.integers(0, 60), st.integers(0, 20)),
)
def test_every_frame_is_told_once_and_in_order(
    before: int, missed: int, waiting: int, later: int, hole: tuple[int, int]
) -> None:
    reader = Reader()
    for number in range(1, before + 1):
        reader.take(frame(number))
    assert reader.gaps.missed(max(0, before - 1))
    newest = before + missed
    for _ in range(waiting):
        newest += 1
        reader.take(frame(newest))
    while reader.replay(newest, range(hole[0], hole[0] + hole[1])):
        hole = (0, 0)
        for _ in range(later):
            newest += 1
            reader.take(frame(newest))
    newest += 1
    reader.take(frame(newest))
    assert reader.told == list(range(1, newest + 1))


def test_until_all_is_there_the_cursor_stays_where_nothing_is_missing() -> None:
    reader = Reader()
    for number in (1, 2, 3):
        reader.take(frame(number))
    reader.gaps.missed(2)
    reader.take(frame(9))
    assert reader.gaps.cursor == 2
    reader.take(frame(3, replayed=True))
    reader.take(frame(4, replayed=True))
    assert reader.gaps.cursor == 4
    reader.gaps.begin_anew()
    assert list(reader.gaps.release()) == []
    assert reader.gaps.cursor == 4


def test_what_was_left_out_of_a_connections_own_replay_is_asked_for_once_its_snapshot_is_there() -> None:
    reader = Reader()
    reader.gaps.begin_anew()
    reader.take(frame(1, replayed=True))
    assert not reader.gaps.missed(1)
    reader.take(frame(5, replayed=True))
    assert reader.gaps.welcomed()
    reader.take(frame(7))
    assert not reader.replay(6)
    assert reader.told == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_held_back_has_a_bound() -> None:
    reader = Reader()
    reader.gaps.missed(0)
    for number in range(1, HELD + 2):
        assert not reader.gaps.overfull
        reader.take(frame(number))
    assert reader.gaps.overfull
