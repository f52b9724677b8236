"""Which connections are behind, and how far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from server.fanout.backlog import Backlog
from server.fanout.far import Far
from shared.contract.spec import Namespace

BEHIND_S = 1.0
"""Something waits for that long: a shorter time is nobody's trouble."""


class Lag(Struct, frozen=True, array_like=True, gc=False):
    """How far a connection is behind."""

    sid: str
    """Its Engine.IO session."""
    websocket: bool
    full: bool
    """Nothing more should be sent that cannot be left out."""
    age_s: float
    """For how long something has waited."""
    waiting_events: int
    waiting_bytes: int
    dropped: int
    conflated: int


class Totals(Struct, frozen=True, array_like=True, gc=False):
    """What has become of events for connections that did not keep up, since a process was started."""

    dropped: int = 0
    """Events that were left out, and told so."""
    conflated: int = 0
    """States that a newer one replaced."""
    noticed: int = 0
    """Notices of what was left out."""
    closed: int = 0
    """Connections that were closed because they did not read."""

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.dropped + other.dropped,
            self.conflated + other.conflated,
            self.noticed + other.noticed,
            self.closed + other.closed,
        )


@dataclass(frozen=True)
class Behind:
    """A connection that has not taken what was sent to it."""

    lag: Lag
    joined: tuple[tuple[Namespace, str], ...]
    """Its doors, and its sid in each."""
    address: str


def holder(socket: Any) -> Any:
    """What holds the unsent events of an Engine.IO socket: a wire, or a mailbox."""
    wire = getattr(socket, "wire", None)
    return wire if socket.upgraded and wire is not None else socket.queue


def backlog(socket: Any) -> Backlog[Any] | None:
    """What waits for a connection; None where nothing ever did."""
    found: Backlog[Any] | None = holder(socket).backlog
    return found


def lag(eio_sid: str, socket: Any) -> Lag | None:
    """How far a connection is behind; None where it keeps up. Of one that another worker holds: as that last said."""
    if isinstance(socket, Far):
        return socket.lag
    waiting = backlog(socket)
    if waiting is None or ((age_s := waiting.age_s()) < BEHIND_S and not waiting.full):
        return None
    return Lag(
        sid=eio_sid,
        websocket=bool(socket.upgraded),
        full=waiting.full,
        age_s=age_s,
        waiting_events=holder(socket).unsent,
        waiting_bytes=holder(socket).unsent_bytes,
        dropped=waiting.own.dropped,
        conflated=waiting.own.conflated,
    )


def is_full(socket: Any) -> bool:
    """Whether nothing more should be sent that cannot be left out."""
    if isinstance(socket, Far):
        return socket.lag is not None and socket.lag.full
    waiting = backlog(socket)
    return waiting is not None and waiting.full


def is_light(socket: Any) -> bool:
    """Whether a connection has taken most of what was sent to it."""
    waiting = backlog(socket)
    return waiting is None or waiting.light


def give_up(sockets: Iterable[Any], stalled_s: float) -> None:
    """Give connections up that have taken nothing for so long, while something waits."""
    for socket in sockets:
        wire = getattr(socket, "wire", None)
        if wire is not None and wire.backlog is None:
            # It has always kept up, as nearly all have.
            continue
        waiting = None if isinstance(socket, Far) else backlog(socket)
        if waiting is not None and waiting.stalled_s() >= stalled_s:
            holder(socket).give_up()


def behind(
    sockets: Iterable[tuple[str, Any]],
    environs: Mapping[str, Mapping[str, Any]],
    joined: Mapping[str, tuple[tuple[Namespace, str], ...]],
) -> list[Behind]:
    """Those of `sockets`, by Engine.IO sid, that are behind, the longest first."""
    found = [
        Behind(how, joined.get(eio_sid, ()), str(environs.get(eio_sid, {}).get("REMOTE_ADDR", "")))
        for eio_sid, socket in sockets
        if (how := lag(eio_sid, socket)) is not None and how.age_s >= BEHIND_S
    ]
    return sorted(found, key=lambda one: -one.lag.age_s)
