"""Socket.IO rooms over the direct path: an event is encoded once, whoever gets it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import socketio

from server.fanout import outgoing
from server.fanout.audiences import Audiences
from server.fanout.batch import Batch
from server.fanout.far import Carrier, Far, Room


@dataclass(frozen=True, slots=True)
class _Beyond:
    """Whom of an audience other workers hold."""

    ones: tuple[Far, ...]
    """Who is told one by one."""
    carriers: tuple[Carrier, ...]
    """Who is told by room."""


class DirectManager(socketio.Manager):  # type: ignore[misc]  # the library is not typed
    """Keeps who is in a room, and resolves them to connections once, not once per event."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self._batch = batch
        self._audiences = Audiences(batch)

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **more: Any,
    ) -> None:
        """See `socketio.Manager`."""
        if callback is not None:
            super().emit(event, data, namespace, room, skip_sid, callback, to, **more)
            return
        wanted = to or room
        existing = self.rooms.get(namespace, {})
        # Rooms that nobody is in make no difference, and no second list.
        names = wanted if isinstance(wanted, list | tuple) else (wanted,)
        rooms = [(namespace, name) for name in names if name in existing]
        skipped = [] if skip_sid is None else skip_sid if isinstance(skip_sid, list) else [skip_sid]
        if skipped:
            audience = self._batch.audience(*self._find(rooms, skipped))
        else:
            audience = self._audiences.get(tuple(rooms), self._find)
        if not audience.to and audience.beyond is None:
            return
        packets = outgoing.packets(event, data, namespace)
        if audience.to:
            self._batch.add(audience, packets)
        if audience.beyond is not None:
            parts = [packet.data for packet in packets]
            for one in audience.beyond.ones:
                one.say(*parts)
            left_out = [existing[None][sid] for sid in skipped if sid in existing[None]]
            for carrier in audience.beyond.carriers:
                carrier.cast(rooms, left_out, parts)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """See `socketio.Manager`."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        self._audiences.changed((namespace, room))
        if room is not None and (far := self._far(sid, namespace, room)) is not None:
            far.carrier.put_in((namespace, room), far.sid)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """See `socketio.Manager`."""
        far = self._far(sid, namespace, room)
        super().basic_leave_room(sid, namespace, room)
        self._audiences.changed((namespace, room))
        if room is not None and far is not None:
            far.carrier.take_out((namespace, room), far.sid)

    def _far(self, sid: str, namespace: str, room: str | None) -> Far | None:
        """The connection of a member that another worker holds and knows nothing of this room. Everybody's own room
        is none of theirs: who is there alone is told alone.
        """
        if room == sid:
            return None
        socket = self.server.eio.sockets.get(self.rooms.get(namespace, {}).get(room, {}).get(sid))
        return socket if type(socket) is Far and not socket.closing else None

    def _find(self, rooms: Iterable[Room], skipped: Sequence[str] = ()) -> tuple[list[Any], _Beyond | None]:
        """Who is in one of the rooms, each once."""
        sockets = self.server.eio.sockets
        here: dict[Any, None] = {}
        alone: dict[Far, None] = {}
        shared: dict[Far, None] = {}
        for namespace, room in rooms:
            for sid, eio_sid in self.rooms[namespace][room].items():
                socket = None if sid in skipped else sockets.get(eio_sid)
                if socket is None:
                    continue
                if type(socket) is not Far:
                    here[socket] = None
                elif room in (sid, None):
                    alone[socket] = None
                else:
                    shared[socket] = None
        if not alone and not shared:
            return list(here), None
        if alone:
            # By room, who is alone in one and with others in another would be told twice.
            return list(here), _Beyond(tuple({**alone, **shared}), ())
        return list(here), _Beyond((), tuple({far.carrier: None for far in shared}))
