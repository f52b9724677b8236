"""Outside demo mode every connection needs a token, and the token says what it may do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import RelayProcess, start, wait_for
from tests.support.raw import RawClient


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with processes.relay(tmp_path_factory.mktemp("closed"), demo=False) as relay:
        yield relay


@pytest.fixture(scope="module")
def tokens(closed: RelayProcess) -> dict[str, str]:
    made = {}
    for name, role in (("kitchen", "device"), ("ann", "viewer"), ("bob", "operator")):
        done = closed.cli("token", "add", name, "--role", role)
        assert done.returncode == 0, done.stderr
        made[role] = done.stdout.strip()
    return made


def code_of(client: RawClient) -> str:
    assert client.answer.startswith("44")
    return str(json.loads(client.answer[client.answer.index("{") :])["data"]["code"])


@pytest.mark.parametrize("namespace", ["/pi", "/client"])
@pytest.mark.parametrize("auth", [None, {}, {"token": "bl_wrong"}])
def test_without_a_good_token_nothing_opens(closed: RelayProcess, namespace: str, auth: object) -> None:
    with RawClient(closed.url, namespace, auth) as client:
        assert code_of(client) == "unauthenticated"


def test_a_token_opens_its_own_door_alone(closed: RelayProcess, tokens: dict[str, str]) -> None:
    for namespace, role in (("/pi", "viewer"), ("/pi", "operator"), ("/client", "device")):
        with RawClient(closed.url, namespace, {"token": tokens[role]}) as client:
            assert code_of(client) == "forbidden"


def test_a_device_has_the_name_of_its_token(closed: RelayProcess, tokens: dict[str, str]) -> None:
    with RawClient(closed.url, "/pi", {"token": tokens["device"], "device": "impostor", "contract": "1.0"}) as device:
        assert device.connected
        snapshot = closed.get("/api/devices", token=tokens["viewer"])
        assert [known["device"] for known in snapshot["devices"]] == ["kitchen"]


def test_a_viewer_sees_and_does_not_command(closed: RelayProcess, tokens: dict[str, str]) -> None:
    request = {"action": "off", "accessory": "breath_light", "device": "kitchen"}
    with RawClient(closed.url, "/client", {"token": tokens["viewer"]}) as viewer:
        assert viewer.event("snapshot_pub_client")["role"] == "viewer"
        assert viewer.call("command_request_client", request)[0]["code"] == "forbidden"
    assert closed.http("POST", "/api/devices/kitchen/commands", request, tokens["viewer"])[0] == 403
    refused = closed.cli("off", "led", "--all", token=tokens["viewer"])
    assert (refused.returncode, "forbidden" in refused.stderr) == (1, True)


def test_a_bearer_header_opens_a_socket_too(closed: RelayProcess, tokens: dict[str, str]) -> None:
    header = [f"Authorization: Bearer {tokens['operator']}"]
    with RawClient(closed.url, "/client", header=header) as client:
        assert client.event("snapshot_pub_client")["role"] == "operator"


def test_http_needs_a_token_too(closed: RelayProcess, tokens: dict[str, str]) -> None:
    assert closed.http("GET", "/api/devices")[0] == 401
    assert closed.http("GET", "/metrics")[0] == 401
    assert closed.http("GET", "/metrics", token=tokens["device"])[0] == 403
    assert closed.http("GET", "/metrics", token=tokens["viewer"])[0] == 200
    assert closed.http("GET", "/healthz")[0] == 200


def test_the_page_keeps_its_token_in_a_cookie_that_scripts_cannot_read(
    closed: RelayProcess, tokens: dict[str, str]
) -> None:
    import urllib.request

    assert closed.http("POST", "/api/session", {"token": "bl_wrong"})[0] == 401
    assert closed.http("POST", "/api/session", {"token": tokens["device"]})[0] == 403
    body = json.dumps({"token": tokens["operator"]}).encode()
    with urllib.request.urlopen(urllib.request.Request(closed.url + "/api/session", data=body, method="POST")) as made:
        cookie = made.headers["Set-Cookie"]
    assert made.status == 204
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    with RawClient(closed.url, "/client", cookie=cookie.partition(";")[0]) as page:
        assert page.event("snapshot_pub_client")["role"] == "operator"


def test_a_revoked_token_opens_nothing_and_its_connections_end(closed: RelayProcess) -> None:
    token = closed.cli("token", "add", "leaver", "--role", "viewer").stdout.strip()
    with RawClient(closed.url, "/client", {"token": token}) as client:
        assert client.connected
        assert closed.cli("token", "revoke", "leaver").returncode == 0
        assert client.event("error_pub", 20)["code"] == "unauthenticated"
    with RawClient(closed.url, "/client", {"token": token}) as client:
        assert code_of(client) == "unauthenticated"


def test_tokens_are_listed_without_their_secrets(closed: RelayProcess, tokens: dict[str, str]) -> None:
    listed = closed.cli("token", "list", "--json").stdout
    assert {json.loads(line)["name"] for line in listed.splitlines()} >= {"kitchen", "ann", "bob"}
    assert not any(token in listed for token in tokens.values())
    database = (closed.state / "relay.db").read_bytes() + (closed.state / "relay.db-wal").read_bytes()
    assert not any(token.encode() in database for token in tokens.values())


def test_two_tokens_of_one_name_are_refused(closed: RelayProcess, tokens: dict[str, str]) -> None:
    assert tokens
    again = closed.cli("token", "add", "kitchen", "--role", "viewer")
    assert (again.returncode, again.stdout) == (1, "")


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--host", "0.0.0.0", "--demo"]])
def test_an_open_bind_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    refused = start("server", ["serve", "--port", "0", *arguments], {"STATE_DIRECTORY": str(tmp_path)})
    assert refused.finish() == 2
    assert "setting host" in refused.log


def test_an_open_bind_without_any_token_is_refused(tmp_path: Path) -> None:
    arguments = ["serve", "--port", "0", "--host", "0.0.0.0", "--insecure-lan"]
    refused = start("server", arguments, {"STATE_DIRECTORY": str(tmp_path)})
    assert refused.finish() == 2
    assert "pi-relay token add" in refused.log


def test_an_agent_with_a_token_connects(closed: RelayProcess, tmp_path: Path, tokens: dict[str, str]) -> None:
    token = closed.cli("token", "add", "garage", "--role", "device").stdout.strip()
    with processes.agent(tmp_path, closed.url, RELAY__TOKEN=token):
        snapshot = wait_for(
            "it reports",
            lambda: [
                known
                for known in closed.get("/api/devices", token=tokens["viewer"])["devices"]
                if known["device"] == "garage" and known.get("readings")
            ],
        )
    assert len(snapshot) == 1
