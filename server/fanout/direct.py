"""Socket.IO rooms over the direct path: an event is encoded once, whoever gets it."""

from collections import defaultdict
from typing import Any

import socketio

from server.fanout import outgoing
from server.fanout.batch import Audience, Batch


class DirectManager(socketio.Manager):  # type: ignore[misc]  # the library is not typed
    """Keeps who is in a room, and resolves them to connections once, not once per event."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self._batch = batch
        self._members: defaultdict[str, dict[tuple[str | None, ...], Audience]] = defaultdict(dict)
        """By namespace and rooms; what a change of a room makes wrong is thrown away."""

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
        audience = self._resolve(namespace, to or room, skip_sid)
        if not audience.to:
            return
        self._batch.add(audience, outgoing.packets(self.server, event, data, namespace))

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """See `socketio.Manager`."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        self._changed(namespace, room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """See `socketio.Manager`."""
        super().basic_leave_room(sid, namespace, room)
        self._changed(namespace, room)

    def _changed(self, namespace: str, room: str | None) -> None:
        known = self._members[namespace]
        for rooms in [rooms for rooms in known if room in rooms]:
            del known[rooms]

    def _resolve(self, namespace: str, room: Any, skip_sid: Any) -> Audience:
        existing = self.rooms.get(namespace, {})
        wanted = room if isinstance(room, list | tuple) else (room,)
        # Rooms that nobody is in make no difference, and no second list.
        rooms = tuple(name for name in wanted if name in existing)
        skipped = frozenset(skip_sid if isinstance(skip_sid, list) else () if skip_sid is None else (skip_sid,))
        known = self._members[namespace]
        found = known.get(rooms) if not skipped else None
        if found is not None and found.epoch == self._batch.epoch.number:
            return found
        audience = self._batch.audience(self._sessions(existing, rooms, skipped) if found is None else found.to)
        if not skipped and len(audience.to) > 1:
            known[rooms] = audience
        return audience

    def _sessions(
        self, existing: dict[str, dict[str, str]], rooms: tuple[str, ...], skipped: frozenset[str]
    ) -> list[Any]:
        """Who is in one of the rooms, each once."""
        sockets = self.server.eio.sockets
        eio_sids = {eio_sid: None for room in rooms for sid, eio_sid in existing[room].items() if sid not in skipped}
        return [sockets[eio_sid] for eio_sid in eio_sids if eio_sid in sockets]
