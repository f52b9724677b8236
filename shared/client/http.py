"""The relay's HTTP API, as a client asks it."""

import http.client
import urllib.error
import urllib.request
from typing import Any

import msgspec

from shared.contract.payloads import Ack, parse
from shared.errors import Code, Refusal

WAIT_S = 60.0


def call(method: str, url: str, path: str, token: str | None, body: Any = None) -> Any:
    """The decoded answer, None where there is no body.

    Raises `Refusal` with what the relay said, or `unavailable` where it said nothing that a relay says.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(url.rstrip("/") + path, data=data, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as response:  # noqa: S310 - the user's own address
            text = response.read()
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.read()) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Refusal(Code.UNAVAILABLE, f"no relay at {url} ({getattr(error, 'reason', error)})") from None
    return msgspec.json.decode(text) if text else None


def _refusal(status: int, text: bytes) -> Refusal:
    try:
        ack = parse(Ack, msgspec.json.decode(text))
    except (msgspec.MsgspecError, Refusal):
        return Refusal(Code.UNAVAILABLE, f"HTTP {status}: the answer is not a relay's")
    return Refusal(ack.code, ack.message or "")
