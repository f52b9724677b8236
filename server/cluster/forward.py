"""HTTP requests that only the primary can answer, sent on to it as they came.

Not by Werkzeug's ProxyMiddleware: that encodes a path anew, answers in HTML, and ends a cut answer as if it were whole.
"""

import http.client
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from server.fanout.session import TARGET
from server.security.front import Wsgi
from shared.contract.payloads import Ack
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_CONNECTIONS = "/socket.io/"
_HERE = ("/healthz", _CONNECTIONS)
"""What every worker answers for itself."""
_BY = "X-Breathlight-Worker"
"""A header: who has sent a request on."""
_OF_THE_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding")
) | {"upgrade", "content-length", "expect"}
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
_TIMEOUT_S = 30
_CHUNK = 64 * 1024


class Forward:
    """WSGI middleware of a worker that carries connections."""

    def __init__(self, app: Wsgi, primary: Callable[[], str | None], name: str) -> None:
        """`primary` tells where the primary is, None while there is none; `name` is this worker's."""
        self._app = app
        self._primary = primary
        self._name = name

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer here, send on, or say that neither can be done."""
        path = str(environ.get("PATH_INFO", ""))
        address = self._primary()
        if path.startswith(_HERE) and (address is not None or not path.startswith(_CONNECTIONS)):
            return self._app(environ, start_response)
        if address is None or _environ_name(_BY) in environ:
            # Sent on to a worker: whoever did so has not heard yet that another one decides.
            return _unavailable(start_response)
        try:
            answer = self._ask(address, environ)
        except (OSError, http.client.HTTPException):
            return _unavailable(start_response)
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_THE_HOP]
        if (length := answer.getheader("Content-Length")) is not None:
            headers.append(("Content-Length", length))
        start_response(f"{answer.status} {answer.reason}", headers)
        return _body(answer)

    def _ask(self, address: str, environ: dict[str, Any]) -> http.client.HTTPResponse:
        primary = urlsplit(address)
        connection = http.client.HTTPConnection(primary.hostname or "", primary.port or 80, timeout=_TIMEOUT_S)
        method = str(environ["REQUEST_METHOD"])
        body = b"" if method in _WITHOUT_BODY else environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        connection.putrequest(method, str(environ[TARGET]), skip_host=True, skip_accept_encoding=True)
        for name, value in (*_headers(environ), (_BY, self._name), ("Connection", "close")):
            connection.putheader(name, value)
        if method not in _WITHOUT_BODY:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return connection.getresponse()


def _headers(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The request's own, but those between two hops alone."""
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-").title()
        if (key.startswith("HTTP_") or key == "CONTENT_TYPE") and value and name.lower() not in _OF_THE_HOP:
            yield name, str(value)


def _body(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Piece by piece. One that is cut raises, and so ends the answer to our peer without its end."""
    try:
        while piece := answer.read(_CHUNK):
            yield piece
    finally:
        answer.close()


def _environ_name(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def _unavailable(start_response: Callable[..., Any]) -> list[bytes]:
    refusal = Refusal(Code.UNAVAILABLE, "this worker has no primary just now; try again, or at another worker")
    body = StrictJson.dumps(Ack.refused(refusal)).encode()
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Retry-After", "1")]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
