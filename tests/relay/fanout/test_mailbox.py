"""A mailbox, as python-engineio empties it: what it holds back it holds in order, and what ends it ends it last."""

from typing import Any

from engineio.packet import MESSAGE, NOOP, Packet
from gevent.queue import Empty
from hypothesis import given
from hypothesis import strategies as st

from server.fanout.backlog import Terms
from server.fanout.mailbox import Mailbox
from server.fanout.outgoing import Outgoing
from shared.contract.door_events import LOG_TELEMETRY_OUT, TEMPERATURE
from shared.contract.spec import EventSpec
from tests.support.clock import FakeClock


def build(events: int = 4, size: int = 1_000) -> tuple[Mailbox, Terms, list[Mailbox]]:
    over: list[Mailbox] = []
    terms = Terms(events, size, FakeClock())
    return Mailbox(terms, over.append), terms, over


def event(spec: EventSpec, text: str) -> Outgoing:
    packet = Outgoing(MESSAGE, text)
    packet.told = (spec.namespace, spec.name, None)
    return packet


def emptied(mailbox: Mailbox) -> list[Any]:
    """As the library polls: all that is there."""
    found = []
    while True:
        try:
            packet = mailbox.get(block=False)
        except Empty:
            return found
        mailbox.task_done()
        found.append(None if packet is None else packet.data)


def test_the_two_packets_of_a_binary_event_come_and_go_together() -> None:
    mailbox, terms, _ = build(events=2)
    for number in range(5):
        mailbox.put(event(LOG_TELEMETRY_OUT, f"51-{number}"))
        mailbox.put(Packet(MESSAGE, bytes([number])))
    notice, *left = emptied(mailbox)
    assert '"missed":3' in notice
    assert left == ["51-3", b"\x03", "51-4", b"\x04"]
    assert terms.tally.dropped == 3


def test_one_that_is_full_of_what_must_come_is_emptied_told_and_ended() -> None:
    mailbox, _, over = build(events=2)
    for number in range(3):
        mailbox.put(Packet(MESSAGE, f"ack {number}"))
    assert over == [mailbox]
    mailbox.put(Packet(MESSAGE, "too late"))
    assert emptied(mailbox) == [None]
    mailbox.tell(Packet(MESSAGE, "why"))
    mailbox.put(None)
    assert emptied(mailbox) == ["why", None]


def test_an_upgrade_takes_the_packets_of_each_message_over() -> None:
    mailbox, _, _ = build()
    mailbox.put(Packet(NOOP))
    mailbox.put(event(LOG_TELEMETRY_OUT, "51-a"))
    mailbox.put(Packet(MESSAGE, b"a"))
    mailbox.put(Packet(MESSAGE, "b"))
    assert [[packet.data for packet in parts] for parts in mailbox.drain()] == [[None], ["51-a", b"a"], ["b"]]
    assert emptied(mailbox) == []


STEPS = st.lists(st.sampled_from(["sample", "state", "binary", "poll", "get"]), max_size=100)


@given(steps=STEPS, events=st.integers(1, 30))
def test_there_is_a_packet_for_everything_that_can_be_taken_and_all_is_in_order(steps: list[str], events: int) -> None:
    mailbox, terms, over = build(events)
    got: list[Any] = []
    for number, step in enumerate(steps):
        if step == "sample":
            mailbox.put(event(LOG_TELEMETRY_OUT, f"2-{number}"))
        elif step == "state":
            mailbox.put(event(TEMPERATURE, f"2-{number}"))
        elif step == "binary":
            mailbox.put(event(LOG_TELEMETRY_OUT, f"51-{number}"))
            mailbox.put(Packet(MESSAGE, b"x"))
        elif step == "poll":
            got += emptied(mailbox)
        elif mailbox.qsize():
            got.append(mailbox.get(block=False).data)
            mailbox.task_done()
    got += emptied(mailbox)
    mailbox.put(None)
    assert emptied(mailbox) == [None]
    assert over == []
    assert mailbox.unsent_bytes == 0
    numbers = [int(text.rpartition("-")[2]) for text in got if isinstance(text, str) and "missed" not in text]
    assert numbers == sorted(numbers)
    sent = sum(step in ("sample", "state", "binary") for step in steps)
    assert len(numbers) == sent - terms.tally.dropped - terms.tally.conflated
    heads = [text for text in got if isinstance(text, str) and text.startswith("51-")]
    assert len([text for text in got if isinstance(text, bytes)]) == len(heads)
