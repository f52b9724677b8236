"""Carries notifications out, in a process of its own: `python -m server.services.alerts.courier`.

It reads one JSON object from its input, writes one JSON list to its output (per letter an error, null where it
arrived), and ends. A slow name server, mail server or library stalls nobody else, and the addresses, which are secrets,
are on no command line.
"""

import hashlib
import hmac
import http.client
import json
import logging
import ssl
import sys
import time
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
_ANSWER_BYTES = 65_536
_REPORT_CHARS = 200


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What a webhook's receiver computes to know that a body is ours, and how old it is.

    HMAC-SHA256 under `secret` of the timestamp, a full stop and the body, in hex.
    """
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def post(url: str, secret: str, letter: dict[str, Any], now_s: float) -> str | None:
    """POST a letter's body once; no redirect is followed. Returns what went wrong, None where it arrived."""
    parts = urlsplit(url)
    body = letter["body"].encode()
    stamp = f"{now_s:.0f}"
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "breathlight",
        "X-Breathlight-Delivery": str(letter["id"]),
        "X-Breathlight-Timestamp": stamp,
        "X-Breathlight-Signature": f"sha256={signature(secret, stamp, body)}",
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(_ANSWER_BYTES)
    except http.client.InvalidURL:
        # Its words hold the address, which is a secret.
        return "InvalidURL"
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"[:_REPORT_CHARS]
    finally:
        connection.close()
    return None if 200 <= answer.status < 300 else f"HTTP {answer.status}"


def tell(url: str, letter: dict[str, Any]) -> str | None:
    """Hand a letter to apprise. Returns what went wrong, None where it arrived."""
    # Imported here: it knows a hundred services, and a webhook needs none of them.
    import apprise

    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]  # a bare listener
    logging.getLogger("apprise").addHandler(handler)
    messenger = apprise.Apprise()
    if not messenger.add(url):
        return "apprise does not know this kind of address"
    kinds = {"info": "info", "warning": "warning", "critical": "failure"}
    arrived = messenger.notify(
        title=letter["title"], body=letter["text"], notify_type=apprise.NotifyType(kinds[letter["severity"]])
    )
    # Its words may hold the address, which is a secret: only what kind of trouble it was is passed on.
    code = next((word.strip(".,") for text in said for word in text.split() if word.startswith("error=")), "")
    return None if arrived else f"apprise could not deliver it {code}".strip()


def main() -> int:
    """Deliver what the input says: `{"webhook" | "apprise": URL, "secret": …, "letters": […]}`."""
    order = json.load(sys.stdin)
    outcomes: list[str | None] = []
    for letter in order["letters"]:
        try:
            if order.get("webhook"):
                outcomes.append(post(order["webhook"], order["secret"], letter, time.time()))
            else:
                outcomes.append(tell(order["apprise"], letter))
        except Exception as error:  # the end of this letter's way; the next may fare better
            outcomes.append(f"{type(error).__name__}"[:_REPORT_CHARS])
    json.dump(outcomes, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
