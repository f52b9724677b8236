"""A Socket.IO connection spelled out on a raw websocket: what goes over the wire, and nothing that a library mends."""

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import websocket

from shared.contract.spec import EventSpec, Namespace

WAIT_S = 5.0


class NotHeard(Exception):
    """What should have come did not."""


class Wire:
    """One connection in one namespace."""

    def __init__(
        self, url: str, namespace: Namespace, token: str | None = None, hello: Any = None, query: str = ""
    ) -> None:
        """Raises `NotHeard` where it cannot be made; see `admitted` for whether the relay let it in."""
        address = url.replace("http", "ws", 1).rstrip("/") + f"/socket.io/?EIO=4&transport=websocket{query}"
        try:
            self._socket = websocket.create_connection(address, timeout=WAIT_S)
        except (OSError, websocket.WebSocketException) as error:
            raise NotHeard(f"no websocket: {error}") from None
        # The default namespace is written without its name.
        self._head = "" if namespace is Namespace.ROOT else f"{namespace},"
        self._number = 0
        self._kept: list[str] = []
        try:
            self._expect(lambda frame: frame.startswith("0"), "the Engine.IO greeting")
            auth = {**(hello or {}), **({"token": token} if token else {})}
            self.send(f"40{self._head}{json.dumps(auth) if auth else ''}")
            answer = self._expect(lambda frame: frame[:2] in ("40", "44"), "an answer to the connection")
        except NotHeard:
            self.close()
            raise
        self.admitted = answer.startswith("40")
        self.refusal: Any = None if self.admitted else _json(answer[2 + len(self._head) :])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def send(self, frame: str) -> None:
        """A frame as it is. Raises `NotHeard` where the connection has ended."""
        try:
            self._socket.send(frame)
        except (OSError, websocket.WebSocketException) as error:
            raise NotHeard(f"the connection has ended: {error}") from None

    def send_binary(self, data: bytes) -> None:
        """A binary frame."""
        self._socket.send_binary(data)

    def emit(self, event: str, *bodies: Any) -> None:
        """Without asking for an ack."""
        self.send(f"42{self._head}{json.dumps([event, *bodies])}")

    def call(self, event: str, *bodies: Any) -> list[Any]:
        """Ask for the ack; its values."""
        return self.call_raw(json.dumps([event, *bodies]))

    def call_raw(self, text: str) -> list[Any]:
        """The same with a text that need not be JSON."""
        self._number += 1
        head = f"43{self._head}{self._number}["
        self.send(f"42{self._head}{self._number}{text}")
        values: list[Any] = _json(self._expect(lambda frame: frame.startswith(head), "an ack")[len(head) - 1 :])
        return values

    def event(self, spec: EventSpec, fits: Callable[[Any], bool] = lambda _: True, wait_s: float = WAIT_S) -> Any:
        """The body of the next event of this kind that `fits`; what comes before it is forgotten."""
        begin = f"42{self._head}"

        def is_it(frame: str) -> bool:
            if not frame.startswith(begin):
                return False
            values = _json(frame[len(begin) :].lstrip("0123456789"))
            return bool(values[0] == spec.name and fits(values[1] if len(values) > 1 else None))

        frame = self._expect(is_it, spec.name, wait_s)
        return _json(frame[len(begin) :].lstrip("0123456789"))[1]

    def _expect(self, fits: Callable[[str], bool], what: str, wait_s: float = WAIT_S) -> str:
        """The next frame that fits. Others are kept for later."""
        for frame in self._kept:
            if fits(frame):
                self._kept.remove(frame)
                return frame
        deadline = time.monotonic() + wait_s
        while (left_s := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                got = self._socket.recv()
            except websocket.WebSocketTimeoutException:
                break
            except (OSError, websocket.WebSocketException) as error:
                raise NotHeard(f"waiting for {what}, the connection ended: {error}") from None
            if got == "2":
                self.send("3")
            elif isinstance(got, str) and got:
                if fits(got):
                    return got
                self._kept.append(got)
        raise NotHeard(f"no {what} within {wait_s:g} s")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise NotHeard(f"not JSON: {text[:80]!r}") from None
