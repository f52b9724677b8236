"""Parse what an HTTP request brings, at the edge."""

import re
from typing import Annotated, Any, TypeVar

from flask import request
from msgspec import Meta

from shared.contract.payloads import DeviceId, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

T = TypeVar("T")

Moment = Annotated[
    str,
    Meta(
        description="ISO 8601 with a zone",
        examples=["2026-01-31T12:00:00Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
"""A time in a query."""


def body_as(kind: type[T]) -> T:
    """The request's JSON body as `kind`. Raises `Refusal`."""
    return parse(kind, StrictJson.loads(request.get_data()))


def number(name: str, default: int) -> int:
    """A whole number in the request's query. Raises `Refusal`."""
    text = request.args.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        raise Refusal(Code.INVALID_PAYLOAD, f"{name}={text[:40]!r} is no number")
    return int(text)


def device_wanted() -> str | None:
    """The device that the request's query names; None where it names none. Raises `Refusal`."""
    name = request.args.get("device")
    return None if name is None else parse(DeviceId, name)


def fields(example: str) -> dict[str, Any]:
    """The request's JSON body, where it must be an object of any fields. Raises `Refusal`, showing an `example`."""
    body = StrictJson.loads(request.get_data())
    if not isinstance(body, dict):
        raise Refusal(Code.INVALID_PAYLOAD, f"the body is an object: {example}")
    return body
