"""Socket.IO rooms on the stock path: each packet knows which event it is, for the time that it may have to wait."""

from typing import Any

import socketio

from server.fanout import outgoing


class StockManager(socketio.Manager):  # type: ignore[misc]  # the library is not typed
    """Sends as the library does."""

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
        if namespace not in self.rooms:
            return
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        packets = outgoing.packets(event, data, namespace)
        for sid, eio_sid in self.get_participants(namespace, to or room):
            if sid not in skipped:
                for packet in packets:
                    self.server._send_eio_packet(eio_sid, packet)  # noqa: SLF001
