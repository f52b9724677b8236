"""What a check is, what it checks, and what came of it."""

import http.client
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from msgspec import Struct

from server.conformance.wire import NotHeard, Wire
from shared.contract import CONTRACT_VERSION
from shared.contract.payloads import Payload, parse
from shared.contract.spec import Namespace
from shared.errors import Code, Refusal

_WAIT_S = 15.0


class Failed(Exception):
    """The relay does otherwise than the contract says."""


class Skipped(Exception):
    """It cannot be told here; the message says what is missing."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one check."""

    group: str
    check: str
    outcome: str
    """passed, failed or skipped."""
    why: str = ""
    took_ms: float = 0.0


@dataclass(frozen=True)
class Check:
    """One thing that the contract says. `run` returns, or raises `Failed`, `Skipped`, `NotHeard`."""

    group: str
    name: str
    run: Callable[["Target"], None]


@dataclass
class Target:
    """The relay that is looked at, and who we are there."""

    url: str
    token: str | None = None
    """An operator's."""
    device_token: str | None = None
    device: str = field(default_factory=lambda: f"contract-check-{secrets.token_hex(3)}")
    """The name under which the device appears, where no token decides it."""

    @property
    def is_open(self) -> bool:
        """Whether it asks for no token: demo mode."""
        with Wire(self.url, Namespace.CLIENT) as page:
            return page.admitted

    @contextmanager
    def page(self) -> Iterator[Wire]:
        """A page of an operator."""
        with Wire(self.url, Namespace.CLIENT, self.token) as page:
            if not page.admitted:
                _not_admitted(page, "an operator's token: --token")
            yield page

    @contextmanager
    def agent(self, *, original: bool = False, name: str | None = None) -> Iterator[Wire]:
        """A device; `original`: as a program that knows the original contract alone. Its name may change by that."""
        hello = {} if original else {"device": name or self.device, "contract": CONTRACT_VERSION}
        with Wire(self.url, Namespace.PI, self.device_token, hello) as agent:
            if not agent.admitted:
                _not_admitted(agent, "a device's token of its own: --device-token")
            yield agent

    @contextmanager
    def door(self, kind: str = "", token: str | None = None) -> Iterator[Wire]:
        """A connection in the default namespace."""
        query = f"&type={kind}" if kind else ""
        with Wire(self.url, Namespace.ROOT, token or self.token, query=query) as door:
            if not door.admitted:
                _not_admitted(door, "a token")
            yield door

    def http(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Status, and the body where it is JSON."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        token = token or self.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url.rstrip("/") + path, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_WAIT_S) as response:  # noqa: S310 - the user's own address
                return response.status, _decoded(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())
        except (OSError, http.client.HTTPException) as error:
            raise NotHeard(f"{method} {path}: {error}") from None


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _not_admitted(wire: Wire, needed: str) -> NoReturn:
    """Raises `Skipped` where a token would help, else `Failed`."""
    why = str(wire.refusal)[:160]
    if any(code in why for code in (Code.UNAUTHENTICATED, Code.FORBIDDEN)):
        raise Skipped(f"needs {needed} ({why})")
    raise Failed(f"the connection was refused: {why}")


def fail(message: str) -> NoReturn:
    """Raises `Failed`."""
    raise Failed(message[:300])


def require(what: object, message: str) -> None:
    """Raises `Failed` unless `what` holds."""
    if not what:
        fail(message)


def valid(kind: type[Payload], body: Any) -> None:
    """Raises `Failed` unless `body` is one of `kind`."""
    try:
        parse(kind, body)
    except Refusal as refusal:
        fail(f"the body is no {kind.__name__}: {refusal.message}")


def refused(answer: Any, *codes: str) -> None:
    """Raises `Failed` unless `answer` is a refusal with one of the codes, and says why."""
    require(isinstance(answer, dict) and answer.get("ok") is False, f"not refused: {answer!r}")
    require(answer.get("code") in codes, f"code {answer.get('code')!r} instead of {' or '.join(codes)}")
    require(answer.get("message"), "the refusal has no message")
