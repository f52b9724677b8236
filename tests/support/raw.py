"""A Socket.IO client spelled out on a raw websocket. It imports nothing of the project."""

import json
import time
from typing import Any

import websocket


class RawClient:
    """One connection in one namespace. `received` keeps every frame."""

    def __init__(self, url: str, namespace: str, auth: Any = None, query: str = "", **options: Any) -> None:
        address = url.replace("http", "ws", 1) + f"/socket.io/?EIO=4&transport=websocket{query}"
        self.ws = websocket.create_connection(address, timeout=10, **options)
        self.namespace = namespace
        self.received: list[str] = []
        self.opened = json.loads(self.frame()[1:])
        if namespace:
            self.ws.send(f"40{namespace},{json.dumps(auth) if auth is not None else ''}")
            self.answer = self.frame()

    @property
    def connected(self) -> bool:
        return self.answer.startswith(f"40{self.namespace},")

    def frame(self, timeout_s: float = 10) -> str:
        """The next frame; pings are answered. Raises when the connection ends or nothing comes."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.ws.settimeout(max(0.01, deadline - time.monotonic()))
            frame = self.ws.recv()
            if frame == "2":
                self.ws.send("3")
                continue
            if not frame:
                raise ConnectionError("the relay closed the connection")
            self.received.append(frame)
            return frame

    def send(self, text: str) -> None:
        """A frame as it is."""
        self.ws.send(text)

    def emit(self, event: str, body: Any, ack: int | None = None) -> None:
        number = "" if ack is None else str(ack)
        self.ws.send(f"42{self.namespace},{number}{json.dumps([event, body])}")

    def call(self, event: str, body: Any, ack: int = 7) -> list[Any]:
        """Emit, and wait for the ack's values."""
        self.emit(event, body, ack)
        return self.acked(ack)

    def acked(self, ack: int = 7) -> list[Any]:
        head = f"43{self.namespace},{ack}"
        while not (frame := self.frame()).startswith(head):
            pass
        return json.loads(frame[len(head) :])

    def event(self, name: str, timeout_s: float = 10) -> Any:
        """The body of the next event of this name."""
        head = f"42{self.namespace},"
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            frame = self.frame(deadline - time.monotonic())
            if frame.startswith(head):
                # An event that asks for an ack has a number before its list.
                got, *args = json.loads(frame[len(head) :].lstrip("0123456789"))
                if got == name:
                    return args[0]
        raise AssertionError(f"no {name} within {timeout_s:g} s")

    def close(self) -> None:
        self.ws.shutdown()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
