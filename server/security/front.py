"""What every HTTP request meets first: the Host check, the Origin check, the bound on its body.

In demo mode there are no tokens, so the Host header must name this machine: else a web page anywhere could reach the
relay through a name that its owner resolves to 127.0.0.1 (DNS rebinding).
"""

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from werkzeug.middleware.proxy_fix import ProxyFix

from server.settings import is_loopback
from shared.contract.payloads import Ack
from shared.errors import Code, Refusal
from shared.wire import StrictJson

MAX_BODY_BYTES = 1024 * 1024
FROM_DISK = "file://"
"""What the usual library of an ESP32 says its origin is. A page from a browser's disk says `null`."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_STATUS = {
    Code.HOST_REFUSED: "421 Misdirected Request",
    Code.ORIGIN_REFUSED: "403 Forbidden",
    Code.TOO_LARGE: "413 Content Too Large",
    Code.MALFORMED: "400 Bad Request",
    Code.UNAVAILABLE: "408 Request Timeout",
}


class Front:
    """WSGI middleware around the whole application, Socket.IO included."""

    def __init__(
        self,
        app: Wsgi,
        *,
        demo: bool,
        allowed_hosts: tuple[str, ...],
        allowed_origins: tuple[str, ...],
        read_body: Callable[[Any, int], bytes],
        from_device: Callable[[dict[str, Any]], bool] = lambda _: False,
    ) -> None:
        """`read_body(stream, size)` reads a body within a time limit; it raises `TimeoutError`.

        `from_device(environ)` says whether a request with the origin `file://` comes from a device.
        """
        self._app = app
        self._demo = demo
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._origins = frozenset(origin.lower() for origin in allowed_origins)
        self._read_body = read_body
        self._from_device = from_device

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer what is refused; pass on the rest, with its body in memory."""
        try:
            self._check_host(environ)
            self._check_origin(environ)
            self._bound_body(environ)
        except Refusal as refusal:
            body = StrictJson.dumps(Ack.refused(refusal)).encode()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                # What is left of the request is not read: the connection cannot be used again.
                ("Connection", "close"),
            ]
            start_response(_STATUS[refusal.code], headers)
            return [body]
        # Compressing every message once per client costs more than it saves.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return self._app(environ, start_response)

    def _check_host(self, environ: dict[str, Any]) -> None:
        host = str(environ.get("HTTP_HOST", ""))
        name = (urlsplit(f"//{host}").hostname or "") if _parses(host) else ""
        if self._demo and not is_loopback(name):
            raise Refusal(
                Code.HOST_REFUSED, f"demo mode answers to 127.0.0.1 and localhost alone, not to {host[:100]!r}"
            )
        if self._hosts and name not in self._hosts:
            raise Refusal(Code.HOST_REFUSED, f"{host[:100]!r} is not in the setting allowed_hosts")

    def _check_origin(self, environ: dict[str, Any]) -> None:
        origin = str(environ.get("HTTP_ORIGIN", "")).lower()
        own = f"{environ.get('wsgi.url_scheme', 'http')}://{environ.get('HTTP_HOST', '')}".lower()
        if is_from_disk(environ) and self._from_device(environ):
            return
        if origin and origin != own and origin not in self._origins:
            raise Refusal(Code.ORIGIN_REFUSED, f"{origin[:100]!r} is neither this relay nor in allowed_origins")

    def _bound_body(self, environ: dict[str, Any]) -> None:
        if environ.get("REQUEST_METHOD") in ("GET", "HEAD", "OPTIONS"):
            return
        if "chunked" in str(environ.get("HTTP_TRANSFER_ENCODING", "")).lower():
            raise Refusal(Code.MALFORMED, "send the body with a Content-Length, not in chunks")
        length = str(environ.get("CONTENT_LENGTH") or "0")
        if not length.isdigit():
            raise Refusal(Code.MALFORMED, "Content-Length is not a number")
        if int(length) > MAX_BODY_BYTES:
            raise Refusal(Code.TOO_LARGE, f"a body may have {MAX_BODY_BYTES} bytes")
        try:
            body = self._read_body(environ["wsgi.input"], int(length))
        except (TimeoutError, OSError):
            raise Refusal(Code.UNAVAILABLE, "the body did not arrive in time") from None
        environ["wsgi.input"] = io.BytesIO(body)


def is_from_disk(environ: Mapping[str, Any]) -> bool:
    """Whether a request says that it comes from no web page: see `FROM_DISK`."""
    return str(environ.get("HTTP_ORIGIN", "")).lower() == FROM_DISK


def proxied(app: Wsgi, *, behind_proxy: bool) -> Any:
    """`app`, to which requests come as the proxy in front says that they came to it, where there is one."""
    return ProxyFix(app, x_for=1, x_proto=1) if behind_proxy else app


def _parses(host: str) -> bool:
    try:
        urlsplit(f"//{host}").port  # noqa: B018  # the property parses
    except ValueError:
        return False
    return True
