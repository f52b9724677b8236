"""A settings file to begin with: every setting, its meaning and its default, all commented out."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Struct

from shared.settings import struct_of

_WIDTH = 118


def example(kind: type[Struct]) -> str:
    """TOML for the settings class `kind`. As it is it sets nothing; with the marks removed it sets the defaults."""
    head = "# Every setting with its default. Remove the # of a line to change it. What is unknown is refused.\n"
    return "\n".join([head, *_table(kind, "")])


def _table(kind: type[Struct], prefix: str) -> Iterator[str]:
    tables = []
    for field in msgspec.structs.fields(kind):
        inner = struct_of(field.type)
        if inner:
            tables.append((f"{prefix}{field.name}", inner))
        else:
            yield from _wrapped(_description(field.type))
            made = field.default_factory is not msgspec.NODEFAULT
            yield f"#{field.name} = {_written(field.default_factory() if made else field.default)}"
    for name, inner in tables:
        yield f"\n[{name}]"
        yield from _table(inner, f"{name}.")


def _written(value: Any) -> str:
    """The default in TOML; where there is none, something to be filled in."""
    if value is None or value is msgspec.NODEFAULT:
        return '"…"'
    # Enums and tables are written as what they stand for.
    value = msgspec.to_builtins(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_written(item)}' for name, item in value.items() if item is not None)}}}"
    return json.dumps(value, ensure_ascii=False)


def _description(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        return next(
            (m.description for m in extra if isinstance(m, msgspec.Meta) and m.description), ""
        ) or _description(inner)
    return next((found for option in get_args(annotation) if (found := _description(option))), "")


def _wrapped(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + len(word) + 1 > _WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    if line != "#":
        yield line
