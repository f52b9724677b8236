"""The relay is asked over HTTP whether it is there and knows this device: a running agent keeps its place."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pi_agent.check import network
from pi_agent.check.findings import Finding, State
from pi_agent.settings import AgentSettings, RelayOptions

WHO = {
    "device": '{"name": "kitchen", "role": "device", "demo": false}',
    "viewer": '{"name": "ann", "role": "viewer", "demo": false}',
}


class Relay:
    """Answers as a relay does; `health` is the status of /healthz, `demo` opens it to everybody."""

    def __init__(self) -> None:
        self.health, self.body, self.demo = 200, '{"ok": true, "version": "9.9"}', False
        self.asked: list[str] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                relay.asked.append(self.path)
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if self.path == "/healthz":
                    self.answer(relay.health, relay.body)
                elif relay.demo:
                    self.answer(200, '{"name": "demo", "role": "operator", "demo": true}')
                else:
                    self.answer(200 if token in WHO else 401, WHO.get(token, "{}"))

            def answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def ask(self, token: str | None = None, scheme: str = "http") -> dict[str, Finding]:
        url = f"{scheme}://127.0.0.1:{self.server.server_port}/"
        settings = AgentSettings(device="kitchen", relay=RelayOptions(url=url, token=token))
        return {finding.name: finding for finding in network.relay(settings)}


@pytest.fixture
def relay() -> Iterator[Relay]:
    running = Relay()
    yield running
    running.close()


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_known_device_is_well(relay: Relay, scheme: str) -> None:
    found = relay.ask("device", scheme)
    assert [finding.state for finding in found.values()] == [State.OK, State.OK]
    assert "version 9.9" in found["relay"].words
    assert "kitchen" in found["token"].words
    # Nothing else is asked: no connection that would displace the agent's own.
    assert relay.asked == ["/healthz", "/api/session"]


@pytest.mark.parametrize(
    ("token", "words"),
    [("nobody", "does not know this token"), (None, "a device without one"), ("viewer", "ann, a viewer")],
)
def test_another_token_is_told_with_the_way_to_one(relay: Relay, token: str | None, words: str) -> None:
    finding = relay.ask(token)["token"]
    assert finding.state is State.FAIL
    assert words in finding.words
    assert "pi-relay token add kitchen --role device" in (finding.remedy or "")


def test_a_demo_needs_no_token(relay: Relay) -> None:
    relay.demo = True
    assert relay.ask()["token"].state is State.OK


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (503, "{}", "cannot store events"),
        (404, "", "is this a relay?"),
        (200, "<html>", "does not answer as a relay"),
        (200, "[1]", "does not answer as a relay"),
    ],
)
def test_what_is_no_well_relay_is_told(relay: Relay, status: int, body: str, words: str) -> None:
    relay.health, relay.body = status, body
    found = relay.ask("device")
    assert found["relay"].state is State.FAIL
    assert words in found["relay"].words
    assert "token" not in found


def test_where_nothing_listens_the_port_is_named(relay: Relay) -> None:
    settings = AgentSettings(relay=RelayOptions(url="http://127.0.0.1:1"))
    (finding,) = network.relay(settings)
    assert "nothing listens on port 1" in finding.words


def test_a_name_that_nobody_knows_is_told() -> None:
    (finding,) = network.relay(AgentSettings(relay=RelayOptions(url="http://relay.invalid:5000")))
    assert finding.state is State.FAIL
    assert "relay.invalid" in finding.words
