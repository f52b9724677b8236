"""`arduinoWebSockets` on an ESP32, byte for byte as its source does it, over a raw TCP socket.

It imports nothing of the project. What it does otherwise than a browser is what the relay must bear with.
"""

import base64
import hashlib
import json
import os
import socket
import struct
from typing import Any

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
BODY_BYTES = 256


class Refused(Exception):
    """The library would give up, or try again without end. `status` is the answer's."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        super().__init__(f"{status} {body!r}")


class Esp32:
    """One connection. `url` is what a sketch gives to `begin`; `headers` what it gives to `setExtraHeaders`."""

    def __init__(
        self, port: int, url: str = "/socket.io/?type=esp32", headers: str = "Origin: file://", host: str = "127.0.0.1"
    ) -> None:
        self.url, self.headers, self.host = url, headers, f"{host}:{port}"
        self.tcp = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.sid = ""

    # --- the handshake ------------------------------------------------------------------------------------------

    def connect(self) -> "Esp32":
        """Poll for a session, upgrade on the same connection, probe, and confirm without waiting."""
        self.poll()
        self.upgrade(self.sid)
        self.text("2probe")
        self.text("5")
        return self

    def poll(self) -> None:
        self._request(f"{self.url}&transport=polling", "Connection: keep-alive\r\n")
        status, headers = self._head()
        # One read of what is there, of 256 bytes at most; the session must be in it.
        body = self._available()[:BODY_BYTES]
        at = body.find(b'"sid":"')
        if status != 200 or at < 0:
            raise Refused(status, headers, body)
        self.sid = body[at + 7 :].split(b'"', 1)[0].decode()
        self.unread = b""

    def upgrade(self, sid: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._request(
            f"{self.url}&transport=websocket&sid={sid}",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: arduino\r\n",
        )
        status, headers = self._head()
        accept = base64.b64encode(hashlib.sha1((key + _ACCEPT).encode()).digest()).decode()
        upgraded = (
            status == 101
            # Compared whole: "keep-alive, Upgrade" would not do.
            and headers.get("connection", "").lower() == "upgrade"
            and headers.get("upgrade", "").lower() == "websocket"
            and headers.get("sec-websocket-accept") == accept
        )
        if not upgraded:
            raise Refused(status, headers, self._available())

    def _request(self, url: str, more: str) -> None:
        extra = f"{self.headers}\r\n" if self.headers else ""
        request = (
            f"GET {url} HTTP/1.1\r\nHost: {self.host}\r\n{more}{extra}User-Agent: arduino-WebSocket-Client\r\n\r\n"
        )
        self.tcp.sendall(request.encode())

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self.unread:
            self._more()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status[9:12]), {name.lower(): value for name, value in headers.items()}

    def _available(self) -> bytes:
        if not self.unread:
            self._more()
        return self.unread

    def _more(self) -> None:
        data = self.tcp.recv(4096)
        if not data:
            raise ConnectionError("the relay closed the connection")
        self.unread += data

    # --- frames -------------------------------------------------------------------------------------------------

    def text(self, text: str) -> None:
        """`sendTXT`: header and payload in one segment, masked with zero."""
        payload = text.encode()
        self.tcp.sendall(self._frame_head(TEXT, len(payload)) + payload)

    def send_event(self, payload: str) -> None:
        """`sendEVENT`: the header, `42` and the payload, each in a segment of its own."""
        body = payload.encode()
        for part in (self._frame_head(TEXT, len(body) + 2), b"42", body):
            self.tcp.sendall(part)

    def ping(self) -> None:
        """The heartbeat of its websocket layer, every 60 s."""
        self.tcp.sendall(self._frame_head(PING, 0))

    @staticmethod
    def _frame_head(opcode: int, length: int) -> bytes:
        size = bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126]) + struct.pack(">H", length)
        return bytes([0x80 | opcode]) + size + b"\0\0\0\0"

    def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        while True:
            if len(self.unread) >= 2:
                size, at = self.unread[1], 2
                if size == 126 and len(self.unread) >= 4:
                    size, at = struct.unpack(">H", self.unread[2:4])[0], 4
                if (size < 126 or at == 4) and len(self.unread) >= at + size:
                    opcode, payload = self.unread[0] & 15, self.unread[at : at + size]
                    self.unread = self.unread[at + size :]
                    return opcode, payload
            self._more()

    def receive(self) -> str:
        """The next text that a sketch would see or the library would note. Pings are answered."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                raise ConnectionError(f"the relay closed the websocket: {payload!r}")
            if opcode != TEXT:
                continue
            if payload == b"2":
                self.text("3")
                continue
            return payload.decode()

    def until(self, beginning: str) -> str:
        """The rest of the next text that begins so."""
        while not (text := self.receive()).startswith(beginning):
            pass
        return text[len(beginning) :]

    def event(self, name: str) -> Any:
        """The body of the next event of this name."""
        while (found := json.loads(self.until("42")))[0] != name:
            pass
        return found[1]

    def close(self) -> None:
        self.tcp.close()

    def __enter__(self) -> "Esp32":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
