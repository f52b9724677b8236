"""The contract as this relay serves it: documents for programs, the page that shows them, the browser's client."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, request

from server.doors.http.answers import answer
from server.doors.http.describe import OPEN, Reply, operation
from server.doors.http.openapi import document
from shared.contract.schemas import schema_files
from shared.errors import Code, Refusal

_GROUP = "Contract"


def contract_routes(asyncapi: Callable[[str], dict[str, Any]], *, demo: bool) -> Blueprint:
    """`/api/openapi.json`, `/api/asyncapi.json`, `/api/schemas`. `asyncapi(host)` makes the document of the events."""
    routes = Blueprint("contract", __name__)
    schemas = schema_files()

    @routes.get("/api/openapi.json")
    @operation("This document.", Reply(dict[str, Any]), group=_GROUP, roles=OPEN)
    def openapi() -> Response:
        return answer(document(current_app, request.host_url, demo=demo))

    @routes.get("/api/asyncapi.json")
    @operation("The events, as an AsyncAPI 3 document.", Reply(dict[str, Any]), group=_GROUP, roles=OPEN)
    def events() -> Response:
        return answer(asyncapi(request.host))

    @routes.get("/api/schemas")
    @operation("The names of all JSON Schemas.", Reply(list[str]), group=_GROUP, roles=OPEN)
    def names() -> Response:
        return answer([f"/api/schemas/{name}.json" for name in schemas])

    @routes.get("/api/schemas/<schema>.json")
    @operation(
        "The JSON Schema (2020-12) of one body.",
        Reply(dict[str, Any], media="application/schema+json"),
        group=_GROUP,
        roles=OPEN,
        refusals=(Code.NOT_FOUND,),
    )
    def schema(schema: str) -> Response:
        if schema not in schemas:
            raise Refusal(Code.NOT_FOUND, f"there is no schema {schema[:64]!r}; see /api/schemas")
        return answer(schemas[schema], media="application/schema+json")

    return routes
