"""A relay that says what a test tells it to: the built page in a browser, in states that real devices rarely reach.

It answers HTTP and Socket.IO inside the browser's own network layer, so no port is opened and nothing is sent anywhere.
"""

import json
import mimetypes
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.processes import ROOT

STATIC = ROOT / "server" / "dashboard" / "static"
ORIGIN = "http://page.test"

Answer = Callable[[str, Mapping[str, list[str]], Any], tuple[int, Any] | None]
"""`(method and path, query, body)` to a status and a body; None: there is no such resource."""


class ScriptedRelay:
    """One browser context's relay. `snapshot` is told to every page that joins."""

    def __init__(self, context: Any, snapshot: Mapping[str, Any], answer: Answer | None = None) -> None:
        self.snapshot = dict(snapshot)
        self.commands: list[dict[str, Any]] = []
        """The requests that pages have sent, oldest first."""
        self.ack: Callable[[dict[str, Any]], dict[str, Any]] = self._accept
        self.replays: list[int] = []
        """The cursors from which pages wanted all again."""
        self.replay: Callable[[int], list[tuple[str, Mapping[str, Any]]]] = lambda _: []
        """What came after a cursor."""
        self.requests: list[tuple[str, Any]] = []
        """The HTTP requests that change something: method and path, and the body."""
        self._answer = answer
        self._sockets: list[Any] = []
        context.route(f"{ORIGIN}/**", self._http)
        context.route_web_socket(lambda url: "/socket.io/" in url, self._join)

    def tell(self, event: str, body: Mapping[str, Any]) -> None:
        """Send an event to every page."""
        for socket in self._sockets:
            socket.send("42/client," + json.dumps([event, body]))

    def cut(self) -> None:
        """Close every connection, as a relay that ends does."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close()

    def _accept(self, request: dict[str, Any]) -> dict[str, Any]:
        number = len(self.commands)
        devices = [one["device"] for one in self.snapshot["devices"] if request.get("device") in (None, one["device"])]
        return {"ok": True, "code": "accepted", "command": f"c{number}", "devices": devices}

    def _join(self, socket: Any) -> None:
        self._sockets.append(socket)
        socket.on_message(lambda text: self._hear(socket, text))
        opened = {"sid": "s", "upgrades": [], "pingInterval": 600_000, "pingTimeout": 600_000, "maxPayload": 1_000_000}
        socket.send("0" + json.dumps(opened))

    def _hear(self, socket: Any, text: str) -> None:
        if text.startswith("40/client,"):
            socket.send('40/client,{"sid":"c"}')
            socket.send("42/client," + json.dumps(["snapshot_pub_client", self.snapshot]))
        elif text.startswith("42/client,"):
            head, _, rest = text.removeprefix("42/client,").partition("[")
            event, body = json.loads("[" + rest)
            if event == "command_request_client":
                self.commands.append(body)
                socket.send(f"43/client,{head}" + json.dumps([self.ack(body)]))
            elif event == "replay_request_client":
                self.replays.append(body["since"])
                for again in self.replay(body["since"]):
                    socket.send("42/client," + json.dumps(again))
                answer = {"ok": True, "code": "accepted", "cursor": body["since"]}
                socket.send(f"43/client,{head}" + json.dumps([answer]))

    def _http(self, route: Any) -> None:
        url = urlsplit(route.request.url)
        if not url.path.startswith("/api/"):
            self._file(route, url.path)
            return
        method = route.request.method
        body = route.request.post_data_json if route.request.post_data else None
        name = f"{method} {url.path}"
        if method != "GET":
            self.requests.append((name, body))
        found = self._answer(name, parse_qs(url.query), body) if self._answer else None
        if found is None and url.path.endswith("/readings"):
            found = 200, {"unit": "", "points": [], "gaps": []}
        status, answer = found or (404, {"ok": False, "code": "not_found", "message": f"no {name} here"})
        route.fulfill(status=status, content_type="application/json", body=json.dumps(answer))

    def _file(self, route: Any, path: str) -> None:
        file = STATIC / (path.lstrip("/") or "index.html")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if file.is_file():
            route.fulfill(status=200, content_type=kind, body=file.read_bytes())
        else:
            route.fulfill(status=404, body="")
