"""The fast lane: an event that comes often, from the frame to its handler without a greenlet or a second decoding.

What is not quite as expected is left to the usual lane, which knows an answer to everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.contract.spec import EventSpec, Namespace
from shared.wire import MAX_EVENT_CHARS, StrictJson

Reply = Callable[[Any], None]
"""Takes the values of the ack, an `Ack` or a tuple; call it once, on the hub."""
HotHandler = Callable[[str, Any, Reply | None], bool]
"""Takes (sid, payload, reply or None where no ack is wanted). Must not block. False leaves it to the usual lane."""

_ACK_DIGITS = 15


@dataclass(frozen=True, slots=True)
class _Lane:
    namespace: Namespace
    opening: str
    decode: Callable[[str], tuple[str, Any]]
    handle: HotHandler


class Hot:
    """The hot events, by how their frames begin."""

    def __init__(self) -> None:
        self._lanes: dict[str, list[_Lane]] = {}

    def add(self, spec: EventSpec, handle: HotHandler) -> None:
        """Serve `spec` here."""
        prefix = f"2{spec.namespace}," if spec.namespace != Namespace.ROOT else "2"
        decoder = msgspec.json.Decoder(tuple[str, spec.payload])  # type: ignore[name-defined]
        lane = _Lane(spec.namespace, f'["{spec.name}",', decoder.decode, handle)
        self._lanes.setdefault(prefix, []).append(lane)

    def take(self, message: str, sid_of: Callable[[Namespace], str | None], reply: Callable[[str], None]) -> bool:
        """Handle one Engine.IO message. False where it is for the usual lane.

        `sid_of` finds the sender's sid in a namespace; `reply` sends a message back.
        """
        for prefix, lanes in self._lanes.items():
            if not message.startswith(prefix):
                continue
            start = message.find("[", len(prefix), len(prefix) + _ACK_DIGITS + 1)
            number = message[len(prefix) : start]
            if start < 0 or len(message) - start > MAX_EVENT_CHARS or (number and not _is_number(number)):
                return False
            for lane in lanes:
                if message.startswith(lane.opening, start):
                    return self._serve(lane, message[start:], sid_of(lane.namespace), number, prefix, reply)
        return False

    @staticmethod
    def _serve(lane: _Lane, body: str, sid: str | None, number: str, prefix: str, reply: Callable[[str], None]) -> bool:
        if sid is None:
            return False
        try:
            _, payload = lane.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False

        def answer(values: Any) -> None:
            args = values if isinstance(values, tuple) else (values,)
            reply(f"3{prefix[1:]}{number}{StrictJson.dumps(args)}")

        return lane.handle(sid, payload, answer if number else None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
