"""The HTTP listener: gevent's WSGI server, with patience that ends.

Stock pywsgi waits for ever for a request line, a header or a body that never comes.
"""

import errno
import logging
import resource
import socket
from contextlib import suppress
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from server.fanout.session import SOCKET, TARGET
from server.settings import RelaySettings
from shared.logs import quiet
from shared.settings import SettingsError

log = logging.getLogger(__name__)

IDLE_S = 75.0
HEADERS_S = 10.0
BODY_S = 10.0
_OTHER_FILES = 60
"""What the relay keeps open beside its connections."""


class _Patience(WSGIHandler):
    """Closes a connection that keeps the relay waiting."""

    server: "_Server"

    def read_requestline(self) -> str:
        self.server.idle.add(self.socket)
        try:
            with gevent.Timeout(IDLE_S, TimeoutError()):
                return str(super().read_requestline())
        finally:
            self.server.idle.discard(self.socket)

    def read_request(self, raw_requestline: str) -> Any:
        try:
            with gevent.Timeout(HEADERS_S, TimeoutError()):
                complete = super().read_request(raw_requestline)
        except OSError:
            # Stock pywsgi takes a ValueError for the peer's fault, and anything else for its own, with a traceback.
            raise ValueError("the headers did not come") from None
        # A length that is told twice is read one way here and another way by a proxy.
        return complete and len(self.headers.get_all("Content-Length", [])) <= 1

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[SOCKET] = self.socket
        environ[TARGET] = self.path
        self.wsgi_input = _Rest(self, self.wsgi_input)  # type: ignore[assignment]  # all that is asked of it
        return environ

    def handle_one_request(self) -> Any:
        try:
            more = super().handle_one_request()
            # A connection that was a websocket carries no further request; stock pywsgi waits for one.
            return None if more is True and "Upgrade" in self.headers else more
        except (TimeoutError, ConnectionError):
            # The peer is slow or gone; its connection is closed without a line in the log.
            self.close_connection = True
            return None


class _Server(WSGIServer):
    """Stops at once where nobody is being served."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.idle: set[Any] = set()
        """Connections that are kept open for a request that may never come."""

    def stop(self, timeout: float | None = None) -> None:
        self.close()
        for peer in tuple(self.idle):
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        super().stop(timeout)


class _Rest:
    """What the application has left of a request's body. Stock pywsgi waits for ever to see the end of it."""

    def __init__(self, handler: _Patience, body: Any) -> None:
        self._handler = handler
        self._body = body

    def _discard(self) -> None:
        try:
            with gevent.Timeout(BODY_S, TimeoutError()):
                self._body._discard()  # noqa: SLF001
        except TimeoutError:
            self._handler.close_connection = True


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
        if error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(
                "host", settings.host, "is not an address of this machine; use one of its own"
            ) from None
        raise SettingsError("port", settings.port, f"{error.strerror}; choose another one with --port") from None
    listener.listen(1024)
    listener.setblocking(False)  # noqa: FBT003
    return listener


def _affordable(connections: int) -> int:
    """As many of `connections` as this process may have files for: a websocket takes two."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OTHER_FILES
    if files < wanted:
        files = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    affordable = max(1, min(connections, (files - _OTHER_FILES) // 2))
    if affordable < connections:
        log.warning("fewer connections than set: connections=%d set=%d open_files=%d", affordable, connections, files)
    return affordable


def http_server(listener: socket.socket, app: Any, connections: int) -> WSGIServer:
    """A server for `app` on `listener`, for at most `connections` at a time; further ones wait."""
    server: WSGIServer = _Server(
        listener,
        app,
        handler_class=_Patience,
        log=None,
        # Bad requests are answered; they are no news.
        error_log=quiet("pywsgi.quiet"),
        spawn=Pool(_affordable(connections)),
    )
    return server
