"""Websocket frames: what a client may send comes out as it went in, however cut; the rest ends the connection."""

import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fanout import framing
from server.fanout.framing import BINARY, PING, TEXT, FrameReader, Violation

MASKS = st.one_of(st.just(bytes(4)), st.binary(min_size=4, max_size=4))


def masked(opcode: int, payload: bytes, mask: bytes = b"\x01\x02\x03\x04", *, fin: bool = True) -> bytes:
    """A client's frame, spelled out."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    else:
        head += bytes([0x80 | (126 if size < 65536 else 127)]) + size.to_bytes(2 if size < 65536 else 8, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


messages = st.one_of(
    st.tuples(st.just(TEXT), st.text(max_size=400)),
    st.tuples(st.just(BINARY), st.binary(max_size=400)),
    st.tuples(st.just(PING), st.binary(max_size=125)),
)


@given(
    sent=st.lists(messages, max_size=8), mask=MASKS, cuts=st.lists(st.integers(1, 200), min_size=1), whole=st.booleans()
)
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(
    sent: list[tuple[int, str | bytes]], mask: bytes, cuts: list[int], whole: bool
) -> None:
    stream = b""
    for opcode, payload in sent:
        data = payload.encode() if isinstance(payload, str) else payload
        if whole or opcode == PING or len(data) < 2:
            stream += masked(opcode, data, mask)
        else:
            # In two parts, with a ping between them.
            stream += masked(opcode, data[:1], mask, fin=False) + masked(0, data[1:], mask)
    reader, got, at = FrameReader(), [], 0
    for turn in range(len(stream) + 1):
        step = cuts[turn % len(cuts)]
        got += reader.feed(stream[at : at + step])
        at += step
    assert got == sent


@given(data=st.binary(max_size=300))
def test_noise_is_a_message_a_violation_or_not_complete_and_never_another_error(data: bytes) -> None:
    reader = FrameReader()
    with suppress(Violation):
        for at in range(len(data)):
            for opcode, payload in reader.feed(data[at : at + 1]):
                assert isinstance(payload, str) is (opcode == TEXT)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (framing.text("unmasked"), framing.PROTOCOL_ERROR),
        (masked(0, b"of nothing"), framing.PROTOCOL_ERROR),
        (masked(1, b"a", fin=False) + masked(1, b"b"), framing.PROTOCOL_ERROR),
        (masked(3, b"unknown"), framing.PROTOCOL_ERROR),
        (masked(11, b"unknown"), framing.PROTOCOL_ERROR),
        (masked(9, b"half", fin=False), framing.PROTOCOL_ERROR),
        (masked(9, b"x" * 126), framing.PROTOCOL_ERROR),
        (bytes([0xC1, 0x80]), framing.PROTOCOL_ERROR),
        (masked(1, b"\xff"), framing.BAD_DATA),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(data: bytes, code: int) -> None:
    with pytest.raises(Violation) as broken:
        FrameReader().feed(data)
    assert broken.value.code == code


def test_a_length_is_judged_by_the_head_of_the_frame_before_its_body_comes() -> None:
    with pytest.raises(Violation) as broken:
        FrameReader(limit=1000).feed(masked(1, b"x" * 1001)[:8])
    assert broken.value.code == framing.TOO_BIG


def test_the_parts_of_a_message_are_bounded_together() -> None:
    reader = FrameReader(limit=1000)
    reader.feed(masked(1, b"x" * 600, fin=False))
    with pytest.raises(Violation) as broken:
        reader.feed(masked(0, b"x" * 600))
    assert broken.value.code == framing.TOO_BIG


def test_the_handshake_of_the_standard_is_answered_with_its_proof() -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    environ = {
        "HTTP_SEC_WEBSOCKET_KEY": key,
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_CONNECTION": "keep-alive, Upgrade",
    }
    answer = framing.accept(environ)
    assert answer is not None
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()) in answer
    for name, value in (
        ("HTTP_SEC_WEBSOCKET_KEY", "short"),
        ("HTTP_SEC_WEBSOCKET_KEY", "é"),
        ("HTTP_SEC_WEBSOCKET_VERSION", "8"),
        ("HTTP_CONNECTION", "close"),
    ):
        assert framing.accept({**environ, name: value}) is None
