"""The relay's HTTP API as its own tools use it."""

from typing import Any

from server.cli.options import EXIT_FAILED, EXIT_NO_RELAY, fail
from server.cli.remote import HINTS
from shared.client import http
from shared.errors import Code, Refusal


def call(method: str, url: str, path: str, token: str | None, body: Any = None) -> Any:
    """The decoded answer, None where there is no body. Ends the program with one line when there is none to be had."""
    try:
        return http.call(method, url, path, token, body)
    except Refusal as refusal:
        no_relay = refusal.code in (Code.UNAUTHENTICATED, Code.UNAVAILABLE)
        hint = HINTS.get(refusal.code, "") if no_relay else ""
        fail(f"{refusal.message}{hint} ({refusal.code})", EXIT_NO_RELAY if no_relay else EXIT_FAILED)
