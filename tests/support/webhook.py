"""A receiver of webhooks on loopback, as its owner would write it."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Receiver:
    """Refuses the first `failures` requests. `got` is what came with a good signature (without a secret: anything),
    `bad` how many came otherwise."""

    def __init__(self, secret: str | None, failures: int = 0, answer: tuple[int, dict[str, str]] = (204, {})) -> None:
        self.got: list[dict[str, Any]] = []
        self.deliveries: list[str] = []
        """The delivery number of each request, refused ones too."""
        self.bad = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.deliveries.append(self.headers.get("X-Breathlight-Delivery", ""))
                if not self._signed(body):
                    receiver.bad += 1
                    self._end(401, {})
                elif len(receiver.deliveries) <= failures:
                    self._end(503, {})
                else:
                    receiver.got.append(json.loads(body))
                    self._end(*answer)

            def _signed(self, body: bytes) -> bool:
                if secret is None:
                    return True
                stamp = self.headers.get("X-Breathlight-Timestamp", "")
                wanted = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
                return hmac.compare_digest(f"sha256={wanted}", self.headers.get("X-Breathlight-Signature", ""))

            def do_GET(self) -> None:
                receiver.bad += 1
                self._end(200, {})

            def _end(self, status: int, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?of=house"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
