"""Identities and the one seam that finds them. Pairing, people and TLS certificates come in here later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from werkzeug.http import parse_cookie

from shared.errors import Code, Refusal

COOKIE = "breathlight"


class Role(StrEnum):
    """What a token is for."""

    DEVICE = "device"
    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Identity:
    """Who is at the other end. `token` is the token's row in the database; None in demo mode."""

    name: str
    role: Role
    token: int | None = None

    def require(self, *roles: Role) -> None:
        """Raises `Refusal` with `forbidden` unless the role is one of `roles`."""
        if self.role not in roles:
            raise Refusal(
                Code.FORBIDDEN, f"{self.name!r} is a {self.role}; this needs a token with the role {' or '.join(roles)}"
            )


FindToken = Callable[[str], Identity | None]
"""Look a token up. It may block the caller, so it runs where blocking is allowed."""


class Gatekeeper:
    """Tells who a connection or request belongs to."""

    def __init__(self, find: FindToken, *, demo: bool) -> None:
        self._find = find
        self.demo = demo

    def identify(self, token: str | None, demo_role: Role) -> Identity:
        """The owner of `token`. Without one, demo mode gives `demo_role`.

        Raises `Refusal` with `unauthenticated`.
        """
        if self.demo:
            return Identity("demo", demo_role)
        identity = self._find(token) if token else None
        if identity is None:
            raise Refusal(Code.UNAUTHENTICATED)
        return identity


def token_from(environ: Mapping[str, Any], auth: str | None = None) -> str | None:
    """The token that a connection carries: Socket.IO `auth.token`, a bearer header, or the page's cookie."""
    if auth:
        return auth
    scheme, _, credentials = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    # Not http.cookies: it forgets all that follows a cookie it cannot read, and other programs at this host set theirs.
    return parse_cookie(environ.get("HTTP_COOKIE")).get(COOKIE)
