"""Which connections are behind, and how far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.fanout.backlog import Backlog
from shared.contract.spec import Namespace

BEHIND_S = 1.0
"""Something waits for that long: a shorter time is nobody's trouble."""


@dataclass(frozen=True)
class Behind:
    """A connection that has not taken what was sent to it."""

    joined: tuple[tuple[Namespace, str], ...]
    """Its doors, and its sid in each."""
    address: str
    websocket: bool
    age_s: float
    """Since when something waits."""
    waiting_events: int
    waiting_bytes: int
    dropped: int
    conflated: int


def holder(socket: Any) -> Any:
    """What holds the unsent events of an Engine.IO socket: a wire, or a mailbox."""
    wire = getattr(socket, "wire", None)
    return wire if socket.upgraded and wire is not None else socket.queue


def backlog(socket: Any) -> Backlog[Any] | None:
    """What waits for a connection; None where nothing ever did."""
    found: Backlog[Any] | None = holder(socket).backlog
    return found


def is_full(socket: Any) -> bool:
    """Whether nothing more should be sent that cannot be left out."""
    waiting = backlog(socket)
    return waiting is not None and waiting.full


def is_light(socket: Any) -> bool:
    """Whether a connection has taken most of what was sent to it."""
    waiting = backlog(socket)
    return waiting is None or waiting.light


def give_up(sockets: Iterable[Any], stalled_s: float) -> None:
    """Give connections up that have taken nothing for so long, while something waits."""
    for socket in sockets:
        waiting = backlog(socket)
        if waiting is not None and waiting.stalled_s() >= stalled_s:
            holder(socket).give_up()


def behind(
    sockets: Iterable[tuple[str, Any]],
    environs: Mapping[str, Mapping[str, Any]],
    joined: Mapping[str, tuple[tuple[Namespace, str], ...]],
) -> list[Behind]:
    """Those of `sockets`, by Engine.IO sid, that are behind, the longest first."""
    found = [
        Behind(
            joined=joined.get(eio_sid, ()),
            address=str(environs.get(eio_sid, {}).get("REMOTE_ADDR", "")),
            websocket=bool(socket.upgraded),
            age_s=age_s,
            waiting_events=holder(socket).unsent,
            waiting_bytes=holder(socket).unsent_bytes,
            dropped=waiting.own.dropped,
            conflated=waiting.own.conflated,
        )
        for eio_sid, socket in sockets
        if (waiting := backlog(socket)) is not None and (age_s := waiting.age_s()) >= BEHIND_S
    ]
    return sorted(found, key=lambda one: -one.age_s)
