"""What every request meets first."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.security.front import MAX_BODY_BYTES, Front
from server.security.identity import Gatekeeper, Identity, Role, token_from
from server.security.rate import RateLimit
from server.settings import RelaySettings, is_loopback, load
from shared.clock import monotonic_s
from shared.errors import Code, Refusal
from shared.settings import SettingsError
from tests.support.clock import FakeClock


def request(front_options: dict[str, Any] | None = None, **environ: Any) -> tuple[str, dict[str, Any]]:
    """The status that the front gives, "passed" where it lets a request through, and the environ that passed."""
    seen: dict[str, Any] = {"status": "passed"}

    def inner(environ: dict[str, Any], _: object) -> list[bytes]:
        seen.update(environ)
        return []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        seen["status"], seen["headers"] = status, dict(headers)

    options: dict[str, Any] = {
        "demo": False,
        "allowed_hosts": (),
        "allowed_origins": (),
        "read_body": lambda stream, size: stream.read(size),
    }
    front = Front(inner, **{**options, **(front_options or {})})
    base = {"REQUEST_METHOD": "GET", "HTTP_HOST": "127.0.0.1:5000", "wsgi.url_scheme": "http"}
    list(front({**base, **environ}, start_response))
    return str(seen["status"]), seen


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000", "LOCALHOST", "[::1]:5000", "127.1.2.3"])
def test_demo_mode_answers_to_this_machine(host: str) -> None:
    assert request({"demo": True}, HTTP_HOST=host)[0] == "passed"


@pytest.mark.parametrize(
    "host", ["evil.example:5000", "192.168.1.9", "", "localhost.evil.example", "[::1", "127.0.0.1:x"]
)
def test_demo_mode_answers_to_no_other_name(host: str) -> None:
    assert request({"demo": True}, HTTP_HOST=host)[0] == "421 Misdirected Request"


def test_with_tokens_the_host_is_free_unless_it_is_set() -> None:
    assert request(HTTP_HOST="relay.lan")[0] == "passed"
    assert request({"allowed_hosts": ("relay.lan",)}, HTTP_HOST="relay.lan:80")[0] == "passed"
    assert request({"allowed_hosts": ("relay.lan",)}, HTTP_HOST="other.lan")[0] == "421 Misdirected Request"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "file://", "https://127.0.0.1:5000", "http://127.0.0.1"]
)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert request(HTTP_ORIGIN=origin)[0] == "403 Forbidden"


def test_the_own_origin_and_those_in_the_settings_pass() -> None:
    assert request(HTTP_ORIGIN="http://127.0.0.1:5000")[0] == "passed"
    assert request({"allowed_origins": ("https://board.lan",)}, HTTP_ORIGIN="https://board.lan")[0] == "passed"


def test_the_origin_of_an_esp32_s_library_passes_for_a_device_alone() -> None:
    asked: list[str] = []

    def from_device(environ: dict[str, Any]) -> bool:
        asked.append(environ["HTTP_ORIGIN"])
        return bool(environ.get("HTTP_AUTHORIZATION"))

    options = {"from_device": from_device}
    assert request(options, HTTP_ORIGIN="file://")[0] == "403 Forbidden"
    assert request(options, HTTP_ORIGIN="file://", HTTP_AUTHORIZATION="Bearer x")[0] == "passed"
    assert request(options, HTTP_ORIGIN="null", HTTP_AUTHORIZATION="Bearer x")[0] == "403 Forbidden"
    assert asked == ["file://"] * 2


def test_a_body_is_bounded_before_it_is_read() -> None:
    body = io.BytesIO(b"x" * 10)
    status, seen = request(REQUEST_METHOD="POST", CONTENT_LENGTH="10", **{"wsgi.input": body})
    assert (status, seen["wsgi.input"].read()) == ("passed", b"x" * 10)
    too_long = str(MAX_BODY_BYTES + 1)
    assert request(REQUEST_METHOD="POST", CONTENT_LENGTH=too_long)[0] == "413 Content Too Large"
    assert request(REQUEST_METHOD="POST", CONTENT_LENGTH="-1")[0] == "400 Bad Request"
    assert request(REQUEST_METHOD="POST", HTTP_TRANSFER_ENCODING="chunked")[0] == "400 Bad Request"


def test_a_body_that_does_not_come_is_answered_and_closed() -> None:
    def never(stream: object, size: int) -> bytes:
        raise TimeoutError

    status, seen = request(
        {"read_body": never}, REQUEST_METHOD="POST", CONTENT_LENGTH="5", **{"wsgi.input": io.BytesIO()}
    )
    assert (status, seen["headers"]["Connection"]) == ("408 Request Timeout", "close")


def test_compression_is_never_offered_to_a_websocket() -> None:
    _, seen = request(HTTP_SEC_WEBSOCKET_EXTENSIONS="permessage-deflate")
    assert "HTTP_SEC_WEBSOCKET_EXTENSIONS" not in seen


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({}, None),
        ({"HTTP_AUTHORIZATION": "Bearer abc"}, "abc"),
        ({"HTTP_AUTHORIZATION": "bearer  abc "}, "abc"),
        ({"HTTP_AUTHORIZATION": "Basic abc"}, None),
        ({"HTTP_COOKIE": "a=b; breathlight=abc"}, "abc"),
        ({"HTTP_COOKIE": "=;;\x00"}, None),
        ({"HTTP_COOKIE": 'settings={"of":"another program"}; breathlight=abc'}, "abc"),
    ],
)
def test_a_token_comes_in_a_header_or_the_cookie(environ: dict[str, str], token: str | None) -> None:
    assert token_from(environ) == token
    assert token_from(environ, "from-auth") == "from-auth"


def test_only_a_known_token_opens_and_only_for_its_role() -> None:
    known = {"t": Identity("ann", Role.VIEWER, 1)}
    gatekeeper = Gatekeeper(known.get, demo=False)
    assert gatekeeper.identify("t", Role.OPERATOR).name == "ann"
    for wrong in (None, "", "x"):
        with pytest.raises(Refusal) as refused:
            gatekeeper.identify(wrong, Role.OPERATOR)
        assert refused.value.code is Code.UNAUTHENTICATED
    with pytest.raises(Refusal) as refused:
        known["t"].require(Role.OPERATOR)
    assert refused.value.code is Code.FORBIDDEN


def test_the_rate_limit_is_per_connection() -> None:
    limit = RateLimit(1, FakeClock())
    for _ in range(10):
        limit.hit("a")
    with pytest.raises(Refusal) as refused:
        limit.hit("a")
    assert refused.value.code is Code.RATE_LIMITED
    assert refused.value.retry
    limit.hit("b")


@given(st.lists(st.floats(0, 4), max_size=120))
def test_no_ten_seconds_see_twice_the_limit_and_who_waits_is_let_in(pauses: list[float]) -> None:
    clock, taken = FakeClock(), []
    limit = RateLimit(1, clock)
    for pause in pauses:
        clock.advance(pause)
        try:
            limit.hit("a")
        except Refusal:
            continue
        taken.append(monotonic_s(clock))
    for at in taken:
        # The window before counts as if its events were spread over it.
        assert sum(at <= other < at + 10 for other in taken) < 20
    clock.advance(20)
    for _ in range(10):
        limit.hit("a")


def test_those_who_came_long_ago_are_forgotten() -> None:
    clock = FakeClock()
    limit = RateLimit(1, clock)
    for number in range(100):
        limit.hit(f"s{number}")
        clock.advance(1)
    assert len(limit._counts) + len(limit._before) <= 21


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"PI_RELAY_DEMO": "true", "PI_RELAY_HOST": "0.0.0.0"}, "demo mode is open"),
        ({"PI_RELAY_HOST": "0.0.0.0"}, "--insecure-lan"),
        ({"PI_RELAY_HOST": "relay.lan"}, "--insecure-lan"),
    ],
)
def test_an_open_door_is_never_opened_by_accident(environ: dict[str, str], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        load(None, environ)


def test_the_database_lies_in_the_state_directory(tmp_path: Any) -> None:
    settings = RelaySettings()
    assert settings.database_url({"STATE_DIRECTORY": str(tmp_path / "s")}) == f"sqlite:///{tmp_path}/s/relay.db"
    assert (tmp_path / "s").is_dir()
    assert is_loopback("localhost")
