"""The JSON Schemas (2020-12) of every body, made of the structs themselves."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from shared.contract import payloads
from shared.contract.door_events import EVERY_DOOR
from shared.contract.events import CATALOGUE
from shared.contract.spec import EventSpec

NOTE: Final = "Generated from shared/contract by `make contract`; edit it there."
EXTRA_TYPES: Final = (payloads.Ack, payloads.PiHello, payloads.ClientHello)
"""Bodies of no event."""


def every_event() -> tuple[EventSpec, ...]:
    """Every event of every Socket.IO door."""
    return CATALOGUE + EVERY_DOOR


def body_types() -> list[type]:
    """The types of all bodies, by name."""
    kinds = {spec.payload for spec in every_event()} | set(EXTRA_TYPES)
    return sorted(kinds, key=lambda kind: kind.__name__)


def components(ref_template: str = "#/$defs/{name}") -> dict[str, Any]:
    """The schemas of all bodies and their parts, by name."""
    _, found = msgspec.json.schema_components(body_types(), ref_template=ref_template)
    for schema in found.values():
        if "description" in schema:
            # Python 3.13 takes the indentation out of a docstring; the files are the same whoever writes them.
            schema["description"] = inspect.cleandoc(schema["description"])
    # Defaults are tuples there, and lists in JSON.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return plain


def schema_files() -> dict[str, dict[str, Any]]:
    """For each body a schema that stands alone, with just the definitions that it needs."""
    known = components()
    return {kind.__name__: _standalone(kind.__name__, known) for kind in body_types()}


def _standalone(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    needed: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in needed:
            needed[current] = known[current]
            waiting.extend(_references(known[current]))
    body = needed.pop(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": NOTE,
        **body,
        **({"$defs": dict(sorted(needed.items()))} if needed else {}),
    }


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _references(value)
