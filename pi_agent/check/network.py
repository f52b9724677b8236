"""The relay: does it answer, and does it know this device? Asked over HTTP, so that a running agent keeps its place."""

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from pi_agent.check.findings import Finding, fail, ok
from pi_agent.settings import AgentSettings, read_token
from shared.settings import SettingsError

_TIMEOUT_S = 5.0
_LONGEST = 65_536


def relay(settings: AgentSettings) -> Iterator[Finding]:
    """Is the relay there, and is the token one of its devices'?"""
    url = settings.relay.url.replace("ws", "http", 1) if settings.relay.url.startswith("ws") else settings.relay.url
    url = url.rstrip("/")
    try:
        health = _get(f"{url}/healthz", None)
    except urllib.error.HTTPError as error:
        with error:
            yield _unwell(url, error)
        return
    except (OSError, ValueError) as error:
        yield _unreachable(url, error)
        return
    yield ok("relay", f"{url} answers, version {health.get('version', 'unknown')}")
    yield _token(settings, url)


def _token(settings: AgentSettings, url: str) -> Finding:
    device = settings.device_name
    add = f"on the relay: pi-relay token add {device} --role device; then put it into /etc/breathlight/agent.token"
    try:
        token = read_token(settings.relay)
        who = _get(f"{url}/api/session", token)
    except SettingsError as error:
        return fail("token", str(error), add)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 401:
                return fail(
                    "token", f"the relay does not know {'this token' if token else 'a device without one'}", add
                )
            return fail("token", f"the relay cannot say whether it is valid (HTTP {error.code})", "try again later")
    except (OSError, ValueError) as error:
        return fail("token", f"the relay did not answer: {_said(error)}", "try again later")
    if who.get("demo"):
        return ok("token", "none is needed, the relay is in demo mode")
    role, name = who.get("role"), who.get("name")
    if role != "device":
        return fail("token", f"this is the token of {name}, a {role}; an agent needs a device's", add)
    return ok("token", f"valid, for the device {name}")


def _get(url: str, token: str | None) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (http or https, as the settings made sure)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (the same)
        body = json.loads(answer.read(_LONGEST))
    if not isinstance(body, dict):
        raise ValueError("not the answer of a relay")
    return body


def _unwell(url: str, error: urllib.error.HTTPError) -> Finding:
    if error.code == 503:
        return fail("relay", f"{url} answers, but cannot store events", "on the relay: journalctl -u pi-relay -n 20")
    return fail(
        "relay", f"{url} answers with HTTP {error.code}: is this a relay?", "look at url under [relay], host and port"
    )


def _unreachable(url: str, error: OSError | ValueError) -> Finding:
    parts = urlsplit(url)
    host = parts.hostname or ""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, socket.gaierror):
        return fail(
            "relay", f"nobody here knows the name {host}", f"getent hosts {host}; or write its IP address into url"
        )
    if isinstance(reason, ConnectionRefusedError):
        return fail(
            "relay",
            f"{host} is there, but nothing listens on port {parts.port or 80}",
            'on the relay: systemctl status pi-relay, and host = "0.0.0.0" in its relay.toml',
        )
    if isinstance(reason, ssl.SSLError):
        return fail("relay", f"the certificate of {host} is not accepted: {_said(reason)}", "look at url under [relay]")
    if isinstance(reason, ValueError):
        return fail("relay", f"{url} does not answer as a relay does", "look at url under [relay], host and port")
    return fail(
        "relay",
        f"{url} does not answer ({_said(reason)}); readings wait on this Pi until it does",
        f"ping -c 3 {host}; then on the relay: systemctl status pi-relay",
    )


def _said(error: object) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
