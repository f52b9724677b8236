"""The HTTP listener: gevent's WSGI server, with patience that ends.

Stock pywsgi waits for ever for a request line, a header or a body that never comes.
"""

import socket
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from server.settings import RelaySettings
from shared.logs import quiet
from shared.settings import SettingsError

IDLE_S = 75.0
HEADERS_S = 10.0
BODY_S = 10.0


class _Patience(WSGIHandler):
    """Closes a connection that keeps the relay waiting."""

    def read_requestline(self) -> str:
        with gevent.Timeout(IDLE_S, TimeoutError()):
            return str(super().read_requestline())

    def read_request(self, raw_requestline: str) -> Any:
        with gevent.Timeout(HEADERS_S, TimeoutError()):
            return super().read_request(raw_requestline)

    def handle_one_request(self) -> Any:
        try:
            more = super().handle_one_request()
            # A connection that was a websocket carries no further request; stock pywsgi waits for one.
            return None if more is True and "Upgrade" in self.headers else more
        except (TimeoutError, ConnectionError):
            # The peer is slow or gone; its connection is closed without a line in the log.
            self.close_connection = True
            return None


def read_body(stream: Any, size: int) -> bytes:
    """A request's body. Raises `TimeoutError` when it does not come in time."""
    with gevent.Timeout(BODY_S, TimeoutError()):
        return bytes(stream.read(size))


def listen(settings: RelaySettings) -> socket.socket:
    """A bound socket. Raises `SettingsError` when the port is taken or the address is not this machine's."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingsError("host", settings.host, f"is no address ({error.strerror})") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it. Without, an event right after an ack waits 40 ms for the peer's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SettingsError("port", settings.port, f"{error.strerror}; choose another one with --port") from None
    listener.listen(1024)
    listener.setblocking(False)  # noqa: FBT003
    return listener


def http_server(listener: socket.socket, app: Any, connections: int) -> WSGIServer:
    """A server for `app` on `listener`, for at most `connections` at a time."""
    server: WSGIServer = WSGIServer(
        listener,
        app,
        handler_class=_Patience,
        log=None,
        # Bad requests are answered; they are no news.
        error_log=quiet("pywsgi.quiet"),
        spawn=Pool(connections),
    )
    return server
