"""A link over a queue that loses, repeats and turns around: what comes through is right, or the link is broken."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.cluster.link import BEAT_S, SILENCE_S, Broken, Link
from server.cluster.messages import Cast, Closed, Entered, Envelope, Message, Opened, Word, decode, encode
from tests.support.clock import FakeClock

WORDS = st.one_of(
    st.builds(Message, st.text(max_size=5), st.text(max_size=9) | st.binary(max_size=9)),
    st.builds(Opened, st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)),
    st.builds(Closed, st.text(max_size=5)),
    st.builds(
        Cast,
        st.tuples(st.tuples(st.text(max_size=3), st.text(max_size=3))),
        st.just(("skipped",)),
        st.tuples(st.text(max_size=9), st.binary(max_size=9)),
    ),
    st.builds(Entered, st.tuples(st.just("/client"), st.text(max_size=3)), st.text(max_size=5)),
)


class Wire:
    """What one end has sent, and the calls that its hub owes it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.owed: list[Callable[[], None]] = []

    def turn(self) -> None:
        while self.owed:
            self.owed.pop(0)()


def end(wire: Wire, clock: FakeClock) -> Link:
    return Link("w", "l", lambda envelope: wire.sent.append(encode(envelope)), wire.owed.append, clock)


@given(WORDS)
def test_every_word_comes_out_as_it_went_in(word: Word) -> None:
    envelope = Envelope("w", "l", 1, (word,))
    assert decode(encode(envelope)) == envelope


@given(st.lists(st.lists(WORDS, min_size=1, max_size=4), max_size=8), st.data())
def test_what_comes_through_is_all_of_it_in_order_or_the_link_is_broken(
    turns: list[list[Word]], data: st.DataObject
) -> None:
    clock, wire = FakeClock(), Wire()
    here, there = end(wire, clock), end(Wire(), clock)
    for words in turns:
        for word in words:
            here.put(word)
        wire.turn()
    # The queue: any of what was sent, as often and in any order.
    whole = st.just(list(wire.sent))
    arrived = data.draw(whole | st.lists(st.sampled_from(wire.sent), max_size=12) if wire.sent else whole)
    said = [word for words in turns for word in words]
    got: list[Word] = []
    try:
        for raw in arrived:
            got += there.take(decode(raw))
    except Broken:
        assert arrived != wire.sent
    assert got == said[: len(got)]
    if arrived == wire.sent:
        assert got == said


def test_what_one_turn_says_goes_out_together() -> None:
    wire = Wire()
    link = end(wire, FakeClock())
    for number in range(3):
        link.put(Closed(str(number)))
    assert wire.sent == []
    wire.turn()
    assert [decode(raw).words for raw in wire.sent] == [(Closed("0"), Closed("1"), Closed("2"))]


def test_somebody_who_has_nothing_to_say_shows_that_he_is_there() -> None:
    clock, wire, other = FakeClock(), Wire(), Wire()
    here, there = end(wire, clock), end(other, clock)
    for second in range(1, 60):
        clock.advance(BEAT_S)
        for link in (here, there):
            link.tick()
        assert (len(wire.sent), len(other.sent)) == (second, second)
        there.take(decode(wire.sent[-1]))
        here.take(decode(other.sent[-1]))


def test_silence_breaks_a_link() -> None:
    clock = FakeClock()
    link = end(Wire(), clock)
    clock.advance(SILENCE_S - 0.1)
    link.tick()
    clock.advance(0.1)
    with pytest.raises(Broken, match="nothing came"):
        link.tick()


def test_a_closed_link_says_nothing_more() -> None:
    clock, wire = FakeClock(), Wire()
    link = end(wire, clock)
    link.put(Closed("a"))
    link.close()
    wire.turn()
    link.put(Closed("b"))
    wire.turn()
    clock.advance(BEAT_S)
    link.tick()
    assert wire.sent == []
