"""HTTP requests that only the primary can answer, sent on to it."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from werkzeug.middleware.http_proxy import ProxyMiddleware

from server.security.front import Wsgi
from shared.contract.payloads import Ack
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_HERE = ("/healthz", "/socket.io/")
"""What every worker answers for itself."""
_CONNECTIONS = "/socket.io/"
_PASSED_ON = "HTTP_X_BREATHLIGHT_WORKER"
_TIMEOUT_S = 30


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
        if address is None or _PASSED_ON in environ:
            # Sent on to a worker: whoever did so has not heard yet that another one decides.
            return _unavailable(start_response)
        target = {"target": address, "host": None, "remove_prefix": False, "ssl_context": None}
        proxy = ProxyMiddleware(_never, {}, timeout=_TIMEOUT_S)
        headers = {"X-Breathlight-Worker": self._name}
        return proxy.proxy_to({**target, "headers": headers}, path, "/")(environ, start_response)


def _never(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise NotImplementedError


def _unavailable(start_response: Callable[..., Any]) -> list[bytes]:
    refusal = Refusal(Code.UNAVAILABLE, "this worker has no primary just now; try again, or at another worker")
    body = StrictJson.dumps(Ack.refused(refusal)).encode()
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Retry-After", "1")]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
