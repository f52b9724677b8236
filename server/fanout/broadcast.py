"""Who gets what, in the contract's terms."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from shared.contract.payloads import Payload
from shared.contract.spec import EventSpec, Namespace

EVERY_PAGE = "pages"
"""The room of pages that see all devices."""


def page_room(device: str) -> str:
    """The room of pages that asked for one device alone."""
    return f"pages:{device}"


class Emitter(Protocol):
    """What can put an event on the wire. `to` are rooms or sids of the event's namespace; it never blocks."""

    def emit(
        self, spec: EventSpec, payload: Payload, to: Sequence[str], acked: Callable[..., None] | None = None
    ) -> None:
        """Send one event to each of `to`, once. `acked` gets the arguments of the ack.

        Raises `Refusal` with `queue_full` for a command to a connection that does not take what is sent to it.
        """

    def reaches(self, namespace: str, to: Sequence[str]) -> bool:
        """Whether anybody is in one of the rooms `to`."""

    def close(self, spec: EventSpec, sid: str, payload: Payload) -> None:
        """Send a last event to `sid`, then end its connection."""


class Broadcast:
    """Delivery to pages and to devices."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self.listeners: list[Callable[[EventSpec, Payload, str | None], None]] = []
        """Told of each event that goes to pages, with its device. Must not block."""

    def watched(self, device: str) -> bool:
        """Whether anybody sees what goes to pages of `device`; else it need not be made."""
        return bool(self.listeners) or self._emitter.reaches(Namespace.CLIENT, (EVERY_PAGE, page_room(device)))

    def to_pages(self, spec: EventSpec, payload: Payload, device: str | None) -> None:
        """An event of `device` to every page that sees it; of no device: to those that see all."""
        for listen in self.listeners:
            listen(spec, payload, device)
        self._emitter.emit(spec, payload, [EVERY_PAGE, *([page_room(device)] if device is not None else [])])

    def to_rooms(self, spec: EventSpec, payload: Payload, *rooms: str) -> None:
        """An event of another door to everyone in one of `rooms`, once."""
        self._emitter.emit(spec, payload, rooms)

    def to_page(self, spec: EventSpec, payload: Payload, sid: str) -> None:
        """An event to one page alone."""
        self._emitter.emit(spec, payload, [sid])

    def to_device(
        self, spec: EventSpec, payload: Payload, session: str, acked: Callable[[Any], None] | None = None
    ) -> None:
        """A command to one device's connection. `acked` gets what the device answers, None for an empty ack.

        Raises `Refusal` with `queue_full` where the connection does not take what is sent to it.
        """
        answered = (lambda *args: acked(args[0] if args else None)) if acked else None
        self._emitter.emit(spec, payload, [session], answered)

    def dismiss(self, spec: EventSpec, payload: Payload, sid: str) -> None:
        """Tell a connection why, then end it."""
        self._emitter.close(spec, sid, payload)
