"""Websocket frames (RFC 6455), the side of a server: what goes out is unmasked and whole, what comes in is judged.

No input or output here, and no extension: one that compresses would do so once per client.
"""

import base64
import hashlib
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any, Final

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

NORMAL, GOING_AWAY, PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1000, 1001, 1002, 1007, 1009
"""Why a connection is closed, as it is told to the peer."""

FRAME_BYTES: Final = 1024 * 1024
"""A longer websocket message ends the connection: there is nobody to answer who could have sent it by accident."""

_CONTINUATION = 0
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_CONTROL_BYTES = 125
_MASK_BYTES = 4
_NO_MASK = bytes(_MASK_BYTES)
_WHOLE_TEXT = _FIN | TEXT
_SHORT_TEXTS = tuple(bytes((_WHOLE_TEXT, size)) for size in range(_TWO_BYTES))
"""How a text message begins, by its size."""
_SHORTEST = 2 + 2 + _MASK_BYTES
"""Bytes that the head of any frame of up to 64 KiB has at most."""
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16


class Violation(Exception):
    """A peer broke the protocol. `code` is what it is told."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole message, unmasked as a server sends it."""
    size = len(payload)
    if size < _TWO_BYTES:
        return bytes((_FIN | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((_FIN | opcode, _TWO_BYTES)) + size.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, _EIGHT_BYTES)) + size.to_bytes(8, "big") + payload


def text(message: str) -> bytes:
    """A text message."""
    return frame(TEXT, message.encode())


def texts(messages: Iterable[str]) -> bytes:
    """Text messages, one after the other."""
    frames = bytearray()
    for message in messages:
        payload = message.encode()
        if (size := len(payload)) < _TWO_BYTES:
            # A call for each would take longer than the rest.
            frames += _SHORT_TEXTS[size]
            frames += payload
        else:
            frames += frame(TEXT, payload)
    return bytes(frames)


def close(code: int) -> bytes:
    """A goodbye."""
    return frame(CLOSE, code.to_bytes(2, "big"))


def length(data: bytes, at: int) -> int:
    """How long the frame of `frame` is that begins at `at`, its head included."""
    size = data[at + 1]
    if size < _TWO_BYTES:
        return 2 + size
    head = 4 if size == _TWO_BYTES else 10
    return head + int.from_bytes(data[at + 2 : at + head], "big")


def accept(environ: Mapping[str, Any]) -> bytes | None:
    """The answer to a handshake in a WSGI environ, None where it is no handshake of version 13."""
    key = str(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")).strip().encode("latin-1", "replace")
    tokens = {token.strip().lower() for token in str(environ.get("HTTP_CONNECTION", "")).split(",")}
    try:
        complete = len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (NotBase64, ValueError):
        return None
    if not complete or "upgrade" not in tokens or str(environ.get("HTTP_SEC_WEBSOCKET_VERSION", "")).strip() != "13":
        return None
    proof = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    # `upgrade` to the letter: arduinoWebSockets compares it so.
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "
        + proof
        + b"\r\n\r\n"
    )


class FrameReader:
    """Puts the messages of one peer together. A frame's length is judged by its head, before its body is waited for."""

    __slots__ = ("_buffer", "_kind", "_limit", "_need", "_parts")

    def __init__(self, limit: int = FRAME_BYTES) -> None:
        self._limit = limit
        self._buffer = b""
        self._need = 0
        self._kind = _CONTINUATION
        self._parts = b""

    def feed(self, data: bytes) -> list[tuple[int, str | bytes]]:
        """Take what the socket gave; returns whole messages as (opcode, payload). Text is a `str`.

        Raises `Violation`; the messages before it in the same data are lost with the connection.
        """
        messages: list[tuple[int, str | bytes]] = []
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return messages
            data = self._buffer
        at = end = 0
        size = len(data)
        while at < size:
            # Nearly all that comes is a whole message of text, and not long: that much is judged here.
            length = data[at + 1] ^ _MASKED if size - at >= _SHORTEST and data[at] == _WHOLE_TEXT else _EIGHT_BYTES
            body = at + 2 + _MASK_BYTES
            if length == _TWO_BYTES:
                length, body = data[at + 2] << 8 | data[at + 3], body + 2
            elif length > _TWO_BYTES:
                body = 0
            if body and self._kind == _CONTINUATION and length <= self._limit:
                if (end := body + length) > size:
                    break
                messages.append((TEXT, _text_of(_unmasked(data[body - _MASK_BYTES : body], data[body:end]))))
            else:
                if (end := self._frame_end(data, at)) > size:
                    break
                if (message := self._take(data, at, end)) is not None:
                    messages.append(message)
            at = end
        self._buffer, self._need = data[at:], end - at
        return messages

    def _frame_end(self, data: bytes, at: int) -> int:
        """Where the frame at `at` ends, or as much of its head as must come first."""
        if len(data) < at + 2:
            return at + 2
        first, size = data[at], data[at + 1] & _LENGTH
        if not data[at + 1] & _MASKED:
            raise Violation(PROTOCOL_ERROR, "a client's frame is masked")
        if first & _RESERVED:
            raise Violation(PROTOCOL_ERROR, "no extension was agreed upon")
        head = 2
        if size >= _TWO_BYTES:
            head = 4 if size == _TWO_BYTES else 10
            if len(data) < at + head:
                return at + head
            size = int.from_bytes(data[at + 2 : at + head], "big")
        if first & CLOSE and (size > _CONTROL_BYTES or not first & _FIN):
            raise Violation(PROTOCOL_ERROR, "a control frame is short and whole")
        if size + len(self._parts) > self._limit:
            raise Violation(TOO_BIG, f"a message may have {self._limit} bytes")
        return at + head + _MASK_BYTES + size

    def _take(self, data: bytes, at: int, end: int) -> tuple[int, str | bytes] | None:
        first, size = data[at], data[at + 1] & _LENGTH
        body = at + (2 if size < _TWO_BYTES else 4 if size == _TWO_BYTES else 10) + _MASK_BYTES
        payload = _unmasked(data[body - _MASK_BYTES : body], data[body:end])
        opcode = first & _OPCODE
        if opcode & CLOSE:
            if opcode not in (CLOSE, PING, PONG):
                raise Violation(PROTOCOL_ERROR, "an unknown control frame")
            return opcode, payload
        if opcode == _CONTINUATION:
            if self._kind == _CONTINUATION:
                raise Violation(PROTOCOL_ERROR, "a continuation of nothing")
            payload, opcode = self._parts + payload, self._kind
        elif self._kind != _CONTINUATION:
            raise Violation(PROTOCOL_ERROR, "a message inside a message")
        elif opcode not in (TEXT, BINARY):
            raise Violation(PROTOCOL_ERROR, "an unknown kind of message")
        if not first & _FIN:
            self._kind, self._parts = opcode, payload
            return None
        self._kind, self._parts = _CONTINUATION, b""
        return opcode, payload if opcode == BINARY else _text_of(payload)


def _text_of(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation(BAD_DATA, "text is UTF-8") from None


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    if mask == _NO_MASK or not payload:
        return payload
    size = len(payload)
    whole = (mask * (size // _MASK_BYTES + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(whole, "little")).to_bytes(size, "little")
