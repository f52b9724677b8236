"""Who an HTTP request belongs to, and the page's session: a token asked for once, kept in an HttpOnly cookie."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import body_as
from server.security.identity import COOKIE, Gatekeeper, Identity, Role, token_from
from shared.contract.payloads import Payload, Text

_YEAR_S = 365 * 86400

Allow = Callable[..., Identity]


class Login(Payload, frozen=True, kw_only=True):
    """The body of `POST /api/session`."""

    token: Text


def allow(gatekeeper: Gatekeeper, *roles: Role) -> Identity:
    """The owner of the running request. Raises `Refusal` where it has no token, or its role is not one of `roles`."""
    identity = gatekeeper.identify(token_from(request.environ), Role.OPERATOR)
    identity.require(*roles)
    return identity


def session_routes(gatekeeper: Gatekeeper) -> Blueprint:
    """`/api/session`: who am I, log in, log out."""
    routes = Blueprint("session", __name__)

    @routes.get("/api/session")
    def show() -> Response:
        identity = allow(gatekeeper, *Role)
        return answer({"name": identity.name, "role": identity.role, "demo": gatekeeper.demo})

    @routes.post("/api/session")
    def login() -> Response:
        token = body_as(Login).token
        gatekeeper.identify(token, Role.OPERATOR).require(Role.VIEWER, Role.OPERATOR)
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.set_cookie(
            COOKIE, token, max_age=_YEAR_S, httponly=True, samesite="Strict", secure=request.is_secure, path="/"
        )
        return response

    @routes.delete("/api/session")
    def logout() -> Response:
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure, path="/")
        return response

    return routes
