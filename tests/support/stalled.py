"""A page that stops reading, and a device that goes on sending."""

import socket
import threading
from contextlib import suppress
from typing import Any

import websocket

from tests.support.processes import RelayProcess
from tests.support.raw import RawClient

PADDING = {f"quantity-{number}": 1.5 for number in range(60)}
WIDE = {name: {"state": "failed", "reason": "x" * 200} for name in PADDING}
SMALL: Any = {"sockopt": [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]}
BOUND = 65_536
FRAME = 20_000
"""A round of the tests is shorter."""


def there(client: RawClient) -> bool:
    """It is there, and says so; it only does not read."""
    with suppress(OSError, websocket.WebSocketException):
        client.send("3")
    return True


class Producer:
    """A device that goes on sending rounds and the state of its lamp, until it is told to stop."""

    def __init__(self, relay: RelayProcess, device: str) -> None:
        self.rounds = 0
        self.lamp = False
        self._ended = threading.Event()
        self._client = RawClient(relay.url, "/pi", {"device": device, "contract": "1.0"})
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self.rounds += 1
            body = {"id": self.rounds, "stream": "s", "datetime": "2026-01-31 23:59:59", "fail": [], "data": PADDING}
            assert self._client.call("sensor_data_pub_pi", {**body, "quality": WIDE})[0]["ok"]
            self.lamp = not self.lamp
            assert self._client.call("LED_status_pub_pi", {"status": self.lamp})[0]["ok"]

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(20)
        self._client.close()
