"""Parse what an HTTP request brings, at the edge."""

from typing import TypeVar

from flask import request

from shared.contract.payloads import parse
from shared.wire import StrictJson

T = TypeVar("T")


def body_as(kind: type[T]) -> T:
    """The request's JSON body as `kind`. Raises `Refusal`."""
    return parse(kind, StrictJson.loads(request.get_data()))
