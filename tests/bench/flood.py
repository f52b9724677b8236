"""Many devices in one process that never stop: each has some events in flight all the time, as a full outbox has.

Raw websockets, and no library in between: the server must be what is slow. Every event is a frame of its own, masked
and sent by a system call of its own.
"""

import json
import re
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.support.raw import RawClient

STREAM = "Qk3v9XyZ"
READINGS = {"temperature": 21.4, "humidity": 48.2, "cpu_temperature": 51.2, "cpu_load": 0.31, "memory_used": 41.0}
_ACK = re.compile(rb"43/pi,(\d+)\[(\{[^\]]*\})\]")
_CODE = re.compile(rb'"code":"(\w+)"')
_MASK = 0x5A17C3E9
_BODY = (
    '42/pi,%d["sensor_data_pub_pi",{"id":%d,"device":"pi-%d","stream":"%s","datetime":"%s","taken_at":"%s","fail":[],'
    '"data":%s,'
    '"clock":{"boot_id":"8d1e0f5c-77aa-4a53-bd0e-3d1f0a6a1a11","monotonic_ns":%d,"synchronised":true}}]'
)


@dataclass(frozen=True)
class Flooded:
    """What came of it."""

    acked: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU of the server per event: user and system, all its threads."""


def flood(url: str, devices: int, flight: int, seconds: float, quantities: int, cpu_s: Callable[[], float]) -> Flooded:
    """Keep `flight` events of each device unacked for `seconds`, after a second that does not count.

    Every event has so many `quantities`. `cpu_s` tells what the server has used so far.
    """
    data = json.dumps(dict(list(READINGS.items())[:quantities]))
    crowd = [_Device(url, number, data) for number in range(devices)]
    poll = select.epoll()
    by_descriptor = {one.descriptor: one for one in crowd}
    for one in crowd:
        poll.register(one.descriptor, select.EPOLLIN)
        one.send(flight)
    waits: list[float] = []

    def serve(until: float) -> None:
        while time.perf_counter() < until:
            for descriptor, _ in poll.poll(0.2):
                one = by_descriptor[descriptor]
                answered = one.read()
                waits.extend(answered)
                one.send(len(answered))

    serve(time.perf_counter() + 1.0)
    waits.clear()
    used_s, began_s = cpu_s(), time.perf_counter()
    serve(began_s + seconds)
    used_s, took_s = cpu_s() - used_s, time.perf_counter() - began_s
    poll.close()
    for one in crowd:
        one.close()
    if not waits:
        raise RuntimeError("no event was acked")
    waits.sort()
    return Flooded(
        acked=len(waits),
        seconds=took_s,
        p50_ms=waits[len(waits) // 2] * 1e3,
        p99_ms=waits[len(waits) * 99 // 100] * 1e3,
        cpu_us=used_s / len(waits) * 1e6,
    )


class _Device:
    """One connection. Its ids are as gapless as an outbox's, and so are the acks that it expects."""

    def __init__(self, url: str, number: int, data: str) -> None:
        self._number, self._data = number, data
        self._client = RawClient(url, "/pi", {"device": f"pi-{number}", "contract": "1.0"})
        if not self._client.connected:
            raise RuntimeError(self._client.answer)
        self._socket: socket.socket = self._client.ws.sock
        self._socket.settimeout(10)
        self._id = 0
        self._sent_s: dict[int, float] = {}
        self._left = b""

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    def send(self, count: int) -> None:
        """So many further events."""
        moment = datetime.now(UTC)
        local, taken_at = moment.strftime("%Y-%m-%d %H:%M:%S"), moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        for _ in range(count):
            self._id += 1
            text = _BODY % (self._id, self._id, self._number, STREAM, local, taken_at, self._data, time.monotonic_ns())
            self._sent_s[self._id] = time.perf_counter()
            self._socket.sendall(_masked(text.encode()))

    def read(self) -> list[float]:
        """Take what came; how long each event that was acked has waited, in seconds."""
        data = self._left + self._socket.recv(1 << 16)
        now_s = time.perf_counter()
        if b"\x81\x012" in data:
            self._socket.sendall(_masked(b"3"))
        waits, end = [], 0
        for ack in _ACK.finditer(data):
            code = _CODE.search(ack[2])
            if code is None or code[1] != b"stored":
                raise RuntimeError(f"not stored: {ack[0].decode()}")
            waits.append(now_s - self._sent_s.pop(int(ack[1])))
            end = ack.end()
        self._left = data[end:]
        return waits

    def close(self) -> None:
        self._client.close()


def _masked(payload: bytes) -> bytes:
    """A client's text frame."""
    size = len(payload)
    head = (
        struct.pack("!BBI", 0x81, 0x80 | size, _MASK) if size < 126 else struct.pack("!BBHI", 0x81, 0xFE, size, _MASK)
    )
    mask = (_MASK.to_bytes(4, "big") * (size // 4 + 1))[:size]
    return head + (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
