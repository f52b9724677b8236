"""The OpenAPI 3.1 document: what the routes of this relay say of themselves, in one piece.

Bodies are the contract's own JSON Schemas; a refusal is an `Ack` whose codes are named for each status.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from server.doors.http.describe import JSON, Operation, Query, Reply, described
from server.rules import RuleName
from shared import VERSION
from shared.contract import CONTRACT_VERSION
from shared.contract.payloads import Ack, DeviceId, Key
from shared.errors import MEANING, Code

_REF = "#/components/schemas/{name}"
_PATH_KINDS: Mapping[str, Any] = {"device": DeviceId, "alert": Key, "command": Key, "name": RuleName, "schema": Key}
_EXAMPLES = {
    "device": "demo-pi",
    "command": "COMMAND",
    "alert": "ALERT",
    "name": "too-warm",
    "schema": "CommandRequest",
}
_WORD = re.compile(r"<(?:(\w+)(?:\((.*?)\))?:)?(\w+)>")
_NOT_API = {"static"}
_ABOUT = f"""The HTTP side of a Breathlight relay; contract {CONTRACT_VERSION}. What is live comes over Socket.IO: see
`/api/asyncapi.json`. A refusal is a JSON object with a stable `code`; `retry` says whether the same again may succeed.

Give a token as `Authorization: Bearer bl_…`, or change it for a cookie at `/api/session`. In demo mode none is needed.
"""


def routes(app: Flask) -> Iterator[tuple[Rule, str, Operation | None]]:
    """Every route and method that the relay serves, and what is said of it."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint not in _NOT_API and not rule.websocket:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, described(app.view_functions[rule.endpoint])


def document(app: Flask, server_url: str, *, demo: bool) -> dict[str, Any]:
    """The document of `app`, whose own address is `server_url`."""
    known = [(rule, method, operation) for rule, method, operation in routes(app) if operation is not None]
    kinds = _Kinds(known)
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, operation in known:
        path = _WORD.sub(r"{\3}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(rule, method, operation, kinds, demo=demo)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "Breathlight relay", "version": VERSION, "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": server_url.rstrip("/")}],
        "tags": [{"name": group} for group in dict.fromkeys(operation.group for _, _, operation in known)],
        "paths": paths,
        "components": {
            "schemas": kinds.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of `pi-relay token add`."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "breathlight"},
            },
        },
        "x-codes": {str(code): meaning for code, meaning in MEANING.items()},
    }


class _Kinds:
    """The schemas of all types that the operations name, each of them once."""

    def __init__(self, known: list[tuple[Rule, str, Operation]]) -> None:
        wanted: list[Any] = [Ack, *_PATH_KINDS.values()]
        for _, _, operation in known:
            wanted += [query.kind for query in operation.query] + list(operation.path.values())
            wanted += [reply.body for reply in operation.replies if reply.body is not None]
            wanted += [kind for kind in (operation.body, operation.refused_with) if kind is not None]
        schemas, self.components = msgspec.json.schema_components(wanted, ref_template=_REF)
        self._schemas = list(zip(wanted, schemas, strict=True))
        for component in self.components.values():
            if "description" in component:
                component["description"] = inspect.cleandoc(component["description"])

    def of(self, kind: Any) -> Any:
        """The schema of a type that some operation names."""
        return next(schema for wanted, schema in self._schemas if wanted is kind or wanted == kind)


def _operation(rule: Rule, method: str, operation: Operation, kinds: _Kinds, *, demo: bool) -> dict[str, Any]:
    roles = ", ".join(operation.roles) or "everybody"
    said: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", method.lower() + _WORD.sub(r"by_\3", rule.rule)).strip("_"),
        "summary": operation.summary,
        "description": f"For {roles}.",
        "tags": [operation.group],
        "security": ([{}] if demo or not operation.roles else [])
        + ([{"bearer": []}, {"cookie": []}] if operation.roles else []),
        "x-roles": [str(role) for role in operation.roles],
        "x-download": operation.download,
    }
    if parameters := [*_path(rule, operation, kinds), *(_query(query, kinds) for query in operation.query)]:
        said["parameters"] = parameters
    if operation.body is not None:
        example = {} if operation.example is None else {"example": operation.example}
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": kinds.of(operation.body), **example}}}
    said["responses"] = _responses(operation, kinds, named=bool(rule.arguments))
    return said


def _path(rule: Rule, operation: Operation, kinds: _Kinds) -> Iterator[dict[str, Any]]:
    for converter, choices, name in _WORD.findall(rule.rule):
        if converter == "any":
            names = [choice.strip(" '\"") for choice in choices.split(",")]
            schema: Any = {"type": "string", "enum": names}
            example = names[0]
        elif converter == "path":
            schema, example = {"type": "string"}, "index.js"
        else:
            schema, example = kinds.of(operation.path.get(name, _PATH_KINDS[name])), _EXAMPLES[name]
        yield {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def _query(query: Query, kinds: _Kinds) -> dict[str, Any]:
    schema = kinds.of(query.kind)
    return {
        "name": query.name,
        "in": "query",
        "description": query.description,
        "required": query.required,
        "schema": {"type": "array", "items": schema} if query.many else schema,
        **({"style": "form", "explode": True} if query.many else {}),
        **({} if query.example is None else {"example": [query.example] if query.many else query.example}),
    }


def _responses(operation: Operation, kinds: _Kinds, *, named: bool) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for reply in operation.replies:
        _reply(reply, responses, kinds)
    for status, codes in operation.codes(named=named).items():
        text = " ".join(f"`{code}`: {MEANING[code]}" for code in codes)
        entry = responses.setdefault(str(status), {"description": text})
        content = entry.setdefault("content", {})
        shapes = [content[JSON]["schema"]] if JSON in content else []
        shapes += [] if operation.refused_with is None else [kinds.of(operation.refused_with)]
        content[JSON] = {"schema": {"anyOf": [*shapes, _refusal(codes)]} if shapes else _refusal(codes)}
    return responses


def _reply(reply: Reply, responses: dict[str, Any], kinds: _Kinds) -> None:
    response = responses.setdefault(str(int(reply.status)), {"description": reply.description})
    if reply.headers:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in reply.headers.items()
        }
    if reply.media is not None:
        schema = {"type": "string"} if reply.body is None else kinds.of(reply.body)
        response.setdefault("content", {})[reply.media] = {"schema": schema}


def _refusal(codes: list[Code]) -> dict[str, Any]:
    named = {"ok": {"const": False}, "code": {"enum": [str(code) for code in codes]}}
    return {"allOf": [{"$ref": _REF.format(name="Ack")}, {"properties": named, "required": ["message"]}]}
