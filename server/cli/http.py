"""The relay's HTTP API as its own tools use it."""

import urllib.error
import urllib.request
from typing import Any

import msgspec

from server.cli.options import EXIT_FAILED, EXIT_NO_RELAY, fail
from shared.errors import Code

_WAIT_S = 60.0


def call(method: str, url: str, path: str, token: str | None, body: Any = None) -> Any:
    """The decoded answer, None where there is no body. Ends the program with one line when there is none to be had."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(url.rstrip("/") + path, data=data, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_WAIT_S) as response:  # noqa: S310 - the operator's own address
            text = response.read()
    except urllib.error.HTTPError as error:
        with error:
            _refused(error.code, error.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        fail(
            f"no relay at {url} ({reason}): start one with pi-relay serve, or name yours with --url (unavailable)",
            EXIT_NO_RELAY,
        )
    return msgspec.json.decode(text) if text else None


def _refused(status: int, text: bytes) -> None:
    try:
        ack = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        ack = {"code": f"HTTP {status}", "message": "the answer is not a relay's"}
    hint = " Give one with --token or BREATHLIGHT_TOKEN." if ack.get("code") == Code.UNAUTHENTICATED else ""
    fail(
        f"{ack.get('message')}{hint} ({ack.get('code')})",
        EXIT_NO_RELAY if ack.get("code") in (Code.UNAUTHENTICATED, Code.UNAVAILABLE) else EXIT_FAILED,
    )
