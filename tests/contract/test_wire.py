"""The packet that trusts nobody: whatever arrives becomes an event, or a refusal that says why."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from socketio import packet as stock

from shared.errors import Code, Refusal
from shared.wire import MAX_EVENT_CHARS, NOT_AN_EVENT, RESERVED_EVENTS, Inbound, JsonPacket, StrictJson, StrictPacket


def decoded(text: str) -> StrictPacket:
    return StrictPacket(encoded_packet=text)


def refusal(text: str) -> Refusal:
    packet = decoded(text)
    assert packet.packet_type == stock.EVENT
    name, inbound = packet.data
    assert name == NOT_AN_EVENT
    assert inbound.refusal is not None
    return inbound.refusal


@given(st.text(max_size=300))
@example("")
@example("2")
@example("2/pi,")
@example("2[]")
@example('2["connect",{}]')
@example("2" + "[" * 2000)
@example("2" + "9" * 99 + '["a"]')
@example("59-")
@example("\x00")
def test_nothing_that_a_peer_sends_raises(text: str) -> None:
    packet = decoded(text)
    assert packet.packet_type in (stock.CONNECT, stock.DISCONNECT, stock.EVENT, stock.ACK)
    if packet.packet_type == stock.EVENT:
        name, inbound = packet.data
        assert isinstance(name, str)
        assert isinstance(inbound, Inbound)
    if packet.packet_type == stock.ACK:
        assert isinstance(packet.data, list)


@pytest.mark.parametrize("body", ["NaN", "Infinity", "-Infinity", "1e999", "{", "[1,]", "'a'", "\\ud800"])
def test_only_strict_json_is_json(body: str) -> None:
    assert refusal(f'2/pi,["sensor_data_pub_pi",{{"data":{{"temperature":{body}}}}}]').code is Code.MALFORMED


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_a_reserved_name_is_no_event(name: str) -> None:
    assert refusal(f"2/client,{json.dumps([name, {}])}").code is Code.UNKNOWN_EVENT


def test_binary_is_refused_before_its_attachments_come() -> None:
    assert refusal('51-/pi,["sensor_data_pub_pi",{"_placeholder":true,"num":0}]').code is Code.BINARY_REFUSED


def test_an_event_over_the_limit_is_refused_by_its_length_alone() -> None:
    fits = json.dumps(["a", "x" * (MAX_EVENT_CHARS - 9)])
    assert decoded(f"2{fits}").data[0] == "a"
    assert refusal(f"2{fits[:-2]}yyyyyyyyyyyyyyyyyyyyyyyy").code is Code.TOO_LARGE


def test_what_a_relay_says_of_a_thousand_devices_may_be_long() -> None:
    text = json.dumps(["snapshot_pub_client", "x" * 2 * MAX_EVENT_CHARS])
    assert JsonPacket(encoded_packet=f"2{text}").data[0] == "snapshot_pub_client"


def test_a_refused_event_keeps_its_ack_id_and_namespace_so_that_it_can_be_answered() -> None:
    packet = decoded('2/pi,17["a",NaN]')
    assert (packet.namespace, packet.id) == ("/pi", 17)
    assert packet.data[1].wants_ack


@given(
    st.lists(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists), max_size=3)
)
def test_an_event_keeps_its_arguments(args: list[object]) -> None:
    sent = JsonPacket(packet_type=stock.EVENT, namespace="/pi", id=4, data=["some_event", *args]).encode()
    name, inbound = decoded(sent).data
    assert name == "some_event"
    assert inbound == Inbound(tuple(args), wants_ack=True)


def test_a_connect_packet_that_is_no_json_does_not_look_like_one_without_auth() -> None:
    assert decoded("0/pi,{bad").data == ["malformed"]


def test_strict_json_refuses_what_is_too_deep() -> None:
    with pytest.raises(Refusal) as refused:
        StrictJson.loads("[" * 20_000)
    assert refused.value.code is Code.MALFORMED
