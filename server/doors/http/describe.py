"""What an operation of the HTTP API is: said beside its handler, read by the OpenAPI document.

A route without `@operation` fails a test, as does a described one that answers otherwise than it says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

from server.doors.http.answers import STATUS
from server.security.identity import Role
from shared.errors import Code

View = TypeVar("View", bound=Callable[..., Any])

JSON: Final = "application/json"
VIEWERS: Final = (Role.VIEWER, Role.OPERATOR)
OPERATORS: Final = (Role.OPERATOR,)
EVERYBODY: Final = tuple(Role)
OPEN: Final[tuple[Role, ...]] = ()
"""No token is asked for."""

_EVERYWHERE = (Code.HOST_REFUSED, Code.ORIGIN_REFUSED, Code.INTERNAL)
_WITH_TOKEN = (Code.UNAUTHENTICATED, Code.UNAVAILABLE)
_WITH_BODY = (Code.MALFORMED, Code.INVALID_PAYLOAD, Code.TOO_LARGE)
_STATUS: Mapping[Code, int] = {
    **STATUS,
    Code.HOST_REFUSED: HTTPStatus.MISDIRECTED_REQUEST,
    Code.ORIGIN_REFUSED: HTTPStatus.FORBIDDEN,
}
_ATTRIBUTE = "operation"


@dataclass(frozen=True)
class Query:
    """A parameter after the `?`. `kind` is what msgspec can describe; `many` may come several times."""

    name: str
    kind: Any
    description: str
    required: bool = False
    many: bool = False
    example: str | None = None


@dataclass(frozen=True)
class Reply:
    """One answer that is no refusal. `body` is what msgspec can describe; None: there is none, or it is a text."""

    body: Any = None
    media: str | None = JSON
    status: int = HTTPStatus.OK
    description: str = "What was asked for."
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, description: str) -> "Reply":
        """Done, and nothing to say."""
        return cls(media=None, status=HTTPStatus.NO_CONTENT, description=description)


@dataclass(frozen=True)
class Operation:
    """One method of one route."""

    summary: str
    group: str
    roles: tuple[Role, ...]
    replies: tuple[Reply, ...]
    query: tuple[Query, ...] = ()
    path: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the path whose type is not that of their name."""
    body: Any = None
    refusals: tuple[Code, ...] = ()
    """Beside those that every operation of its kind may give."""
    refused_with: Any = None
    """What the handler's own refusals look like, where a system of the mission expects another shape than an ack."""
    example: Any = None
    """A body that does something harmless."""
    download: bool = False
    """Larger than one wants to look at."""

    def codes(self, *, named: bool) -> dict[int, list[Code]]:
        """Every code by which it may refuse, by status. `named`: its path has parameters."""
        codes = [*_EVERYWHERE, *self.refusals]
        if named:
            codes.append(Code.NOT_FOUND)
        if self.roles:
            codes += _WITH_TOKEN
            if set(self.roles) != set(Role):
                codes.append(Code.FORBIDDEN)
        if self.body is not None:
            codes += _WITH_BODY
        if self.query:
            codes.append(Code.INVALID_PAYLOAD)
        by_status: dict[int, list[Code]] = {}
        for code in sorted(set(codes)):
            by_status.setdefault(int(_STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)), []).append(code)
        return dict(sorted(by_status.items()))


def operation(
    summary: str, *replies: Reply, group: str, roles: tuple[Role, ...], **more: Any
) -> Callable[[View], View]:
    """Describe the view below. `more` are further fields of `Operation`."""

    def describe(view: View) -> View:
        setattr(view, _ATTRIBUTE, Operation(summary, group, roles, replies or (Reply(),), **more))
        return view

    return describe


def described(view: Callable[..., Any]) -> Operation | None:
    """What was said of a view; None where nothing was."""
    found = getattr(view, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None
