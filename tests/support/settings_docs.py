"""Write docs/SETTINGS.md from the settings of both processes: `python -m tests.support.settings_docs [--check]`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from pi_agent import settings as agent
from server import settings as relay
from shared.settings import named_struct_of, names

FILE = Path(__file__).parents[2] / "docs" / "SETTINGS.md"
_HEAD = """# Settings

<!-- Generated from pi_agent/settings.py and server/settings.py by `make contract`; edit them there. -->

Both processes read a TOML file (`--config FILE`) and then the environment, which wins. A name that is unknown, or a
value of the wrong type or range, is refused at the start with its name, its value and the remedy. Tables and lists in a
variable are written as in TOML: `PI_RELAY_GROUPS='{lab = ["pi-1", "pi-2"]}'`.
"""


def text() -> str:
    """The whole file."""
    return "\n".join(
        [
            _HEAD,
            *_table("The agent", agent.AgentSettings, agent.PREFIX),
            "",
            *_table("The relay", relay.RelaySettings, relay.PREFIX),
            "",
        ]
    )


def undocumented() -> list[str]:
    """Settings without a description."""
    return [
        prefix + name
        for kind, prefix in ((agent.AgentSettings, "agent."), (relay.RelaySettings, "relay."))
        for name, field in _all_names(kind)
        if not _description(field.type)
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args(argv).check:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != text():
            print("docs/SETTINGS.md is stale: run `make contract`", file=sys.stderr)
            return 1
        return 0
    FILE.write_text(text(), encoding="utf-8")
    return 0


def _table(title: str, kind: type[msgspec.Struct], prefix: str) -> list[str]:
    rows = [f"## {title}", "", "| setting | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in _all_names(kind):
        variable = prefix + name.upper().replace(".", "__")
        meaning = "; ".join(part for part in (_description(field.type), _bounds(field.type)) if part)
        rows.append(f"| `{name}` | `{variable}` | `{_default(field)}` | {meaning} |")
    return rows


def _all_names(kind: type[msgspec.Struct]) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Every setting, those of a table of named ones as `accessories.NAME.gpio`."""
    for name, field in names(kind):
        yield name, field
        if named := named_struct_of(field.type):
            yield from names(named, f"{name}.NAME.")


def _metas(annotation: Any) -> list[msgspec.Meta]:
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        return [meta for meta in extra if isinstance(meta, msgspec.Meta)] + _metas(inner)
    if get_origin(annotation) in (Union, type(int | None)):
        return [meta for option in get_args(annotation) for meta in _metas(option)]
    return []


def _description(annotation: Any) -> str:
    return next((meta.description for meta in _metas(annotation) if meta.description), "")


def _bounds(annotation: Any) -> str:
    signs = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
    found = [
        f"{sign} {getattr(meta, key):g}"
        for meta in _metas(annotation)
        for key, sign in signs
        if getattr(meta, key) is not None
    ]
    return ", ".join(found)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    return msgspec.json.encode(value).decode() if value is not None else "none"


if __name__ == "__main__":
    sys.exit(main())
