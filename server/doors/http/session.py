"""Who an HTTP request belongs to, and the page's session: a token asked for once, kept in an HttpOnly cookie."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import body_as
from server.doors.http.describe import EVERYBODY, OPEN, Reply, operation
from server.doors.http.shapes import Session
from server.security.identity import COOKIE, Gatekeeper, Identity, Role, token_from
from shared.contract.payloads import Payload, Text
from shared.errors import Code

_YEAR_S = 365 * 86400
_GROUP = "Session"

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
    @operation("Whom the token, or the cookie, stands for.", Reply(Session), group=_GROUP, roles=EVERYBODY)
    def show() -> Response:
        identity = allow(gatekeeper, *Role)
        return answer({"name": identity.name, "role": identity.role, "demo": gatekeeper.demo})

    @routes.post("/api/session")
    @operation(
        "Change a viewer's or operator's token for a cookie.",
        Reply(
            media=None,
            status=HTTPStatus.NO_CONTENT,
            description="The cookie is set.",
            headers={"Set-Cookie": "HttpOnly, SameSite=Strict."},
        ),
        group=_GROUP,
        roles=OPEN,
        body=Login,
        refusals=(Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.UNAVAILABLE),
        example={"token": "bl_…"},
    )
    def login() -> Response:
        token = body_as(Login).token
        gatekeeper.identify(token, Role.OPERATOR).require(Role.VIEWER, Role.OPERATOR)
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.set_cookie(
            COOKIE, token, max_age=_YEAR_S, httponly=True, samesite="Strict", secure=request.is_secure, path="/"
        )
        return response

    @routes.delete("/api/session")
    @operation("Give the cookie back.", Reply.empty("It is gone."), group=_GROUP, roles=OPEN)
    def logout() -> Response:
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure, path="/")
        return response

    return routes
