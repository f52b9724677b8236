"""How a connection begins and ends, alike at every Socket.IO door."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from socketio.exceptions import ConnectionRefusedError as Refused

from server.fanout.port import Port
from server.security.front import is_from_disk
from shared.contract.payloads import Ack
from shared.contract.spec import Namespace
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

Connect = Callable[[str, Mapping[str, Any], object], None]


def serve(port: Port, namespace: Namespace, connect: Connect, disconnect: Callable[[str], None]) -> None:
    """Call `connect(sid, environ, auth)` and `disconnect(sid)`; a refusal is told to the peer with its code."""

    def on_connect(sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
        try:
            if namespace is not Namespace.ROOT and is_from_disk(environ):
                raise Refusal(Code.ORIGIN_REFUSED)
            connect(sid, environ, auth)
        except Refusal as refusal:
            log.info("connection refused: namespace=%s from=%s code=%s", namespace, _address(environ), refusal.code)
            raise Refused(refusal.code, Ack.refused(refusal)) from None
        except Exception:
            # The peer must learn that it is not connected; the fault is ours and is logged whole.
            log.exception("connect handler failed: namespace=%s", namespace)
            raise Refused(Code.INTERNAL, Ack.refused(Refusal(Code.INTERNAL))) from None

    def on_disconnect(sid: str, _reason: object = None) -> None:
        disconnect(sid)

    port.on("connect", namespace, on_connect)
    port.on("disconnect", namespace, on_disconnect)


def _address(environ: Mapping[str, Any]) -> str:
    return str(environ.get("REMOTE_ADDR", "?"))
