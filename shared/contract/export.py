"""Write what is generated from the contract: `python -m shared.contract.export [--check]`.

`docs/EVENTS.md` for people, `docs/schemas/` (JSON Schema 2020-12) for programs, `contract.ts` for the page.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.contract import CONTRACT_VERSION, telemetry_proto
from shared.contract.door_events import EVERY_DOOR
from shared.contract.events import ACCESSORIES, CATALOGUE
from shared.contract.quantities import QUANTITIES
from shared.contract.schemas import EXTRA_TYPES, NOTE, components, schema_files
from shared.contract.spec import EventSpec
from shared.errors import MEANING, RETRYABLE

ROOT = Path(__file__).parents[2]
EVENTS_MD = "docs/EVENTS.md"
SCHEMAS = "docs/schemas"
TYPESCRIPT = "server/dashboard/src/contract.ts"


def generate() -> dict[str, str]:
    """Every generated file: its path below the project's root, and its text."""
    known = components()
    files = {
        EVENTS_MD: _events_md(known),
        TYPESCRIPT: _typescript(known),
        telemetry_proto.PROTO_FILE: telemetry_proto.proto_text(NOTE),
    }
    for name, schema in schema_files().items():
        files[f"{SCHEMAS}/{name}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return files


def stale(root: Path = ROOT) -> list[str]:
    """Paths of generated files that are missing, outdated or no longer generated."""
    files = generate()
    wrong = [path for path, text in files.items() if _read(root / path) != text]
    orphans = [f"{SCHEMAS}/{file.name}" for file in (root / SCHEMAS).glob("*.json")]
    return sorted(wrong + [path for path in orphans if path not in files])


def main(argv: list[str] | None = None) -> int:
    """Write the files, or with `--check` say which are stale (exit code 1)."""
    parser = argparse.ArgumentParser(prog="python -m shared.contract.export", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    outdated = stale()
    if parser.parse_args(argv).check:
        for path in outdated:
            print(f"{path} is stale: run `make contract`", file=sys.stderr)  # noqa: T201
        return 1 if outdated else 0
    files = generate()
    for path in outdated:
        if path in files:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(files[path], encoding="utf-8")
        else:
            (ROOT / path).unlink()
        print(path)  # noqa: T201
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


# --- documentation --------------------------------------------------------------------------------------------------


def _events_md(known: Mapping[str, Any]) -> str:
    lines = [
        "# Events",
        "",
        f"<!-- {NOTE} -->",
        "",
        f"Contract {CONTRACT_VERSION}. System is the agent, Flask the relay. The timeout is how long the publisher",
        "waits for the ack, in seconds. A broadcast reaches every subscriber in the namespace; addressed to one",
        "device it goes to that device alone, under the same name. Unknown fields are ignored; NaN and infinities are",
        "refused. *When slow* is what becomes of an event of the relay whose receiver does not keep up, and by which",
        "fields the newest replaces another one: see [fanout.md](fanout.md).",
        "",
        "## The twelve",
        "",
        *_table([spec for spec in CATALOGUE if not spec.addition]),
        "",
        "## Additions",
        "",
        *_table([spec for spec in CATALOGUE if spec.addition]),
        "",
        "## The other doors",
        "",
        *_table(list(EVERY_DOOR)),
        "",
        "## Bodies",
        "",
        "Fields without a default are required; the original's programs send those alone.",
        "",
    ]
    by_payload: dict[str, list[EventSpec]] = {}
    for spec in CATALOGUE + EVERY_DOOR:
        by_payload.setdefault(spec.payload.__name__, []).append(spec)
    documented = dict.fromkeys([*by_payload, *(kind.__name__ for kind in EXTRA_TYPES), *sorted(known)])
    for name in documented:
        schema = known[name]
        if schema.get("type") == "object":
            lines += _body(name, schema, by_payload.get(name, []))
        elif "enum" in schema:
            lines += [f"### {name}", "", schema.get("description", ""), ""]
            lines += [", ".join(f"`{value}`" for value in schema["enum"]), ""]
    lines += ["## Quantities", "", "| name | title | unit | from | to | decimals |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{q.name}` | {q.title} | {q.unit or '–'} | {q.low:g} | {q.high:g} | {q.decimals} |"
        for q in QUANTITIES.values()
    ]
    lines += ["", "## Codes", "", "| code | meaning | the same again may succeed |", "|---|---|---|"]
    lines += [f"| `{code}` | {text} | {'yes' if code in RETRYABLE else 'no'} |" for code, text in MEANING.items()]
    return "\n".join(lines) + "\n"


def _table(specs: list[EventSpec]) -> list[str]:
    return [
        "| event | namespace | publisher | subscriber | timeout | broadcast | description | body | delivery "
        "| when slow |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {spec.name} | {spec.namespace} | {spec.publisher} | {spec.subscriber} | {_timeout(spec)} "
            f"| {spec.broadcast} | {spec.description} | [{spec.payload.__name__}](#{spec.payload.__name__.lower()}) "
            f"| {spec.delivery.value.partition(':')[0]} | {_when_slow(spec)} |"
            for spec in specs
        ),
    ]


def _when_slow(spec: EventSpec) -> str:
    if spec.when_slow is None:
        return "–"
    by = f" by {', '.join(spec.same_by)}" if spec.same_by else ""
    return spec.when_slow.value.partition(":")[0] + by


def _timeout(spec: EventSpec) -> str:
    return "None" if spec.timeout_s is None else f"{spec.timeout_s:g}"


def _body(name: str, schema: Mapping[str, Any], specs: list[EventSpec]) -> list[str]:
    required = set(schema.get("required", ()))
    lines = [f"### {name}", "", schema.get("description", "").strip(), ""]
    if specs:
        lines += [f"Sent as {', '.join(f'`{spec.name}`' for spec in specs)}.", ""]
    lines += ["| field | type | default | notes |", "|---|---|---|---|"]
    for field, detail in schema.get("properties", {}).items():
        default = "" if field in required else f"`{json.dumps(detail.get('default'), ensure_ascii=False)}`"
        lines.append(f"| `{field}` | {_type_text(detail)} | {default} | {_notes(detail)} |")
    return [*lines, ""]


def _type_text(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type_text(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_text(schema.get('items', {}))}"
    if schema.get("type") == "object":
        return f"object of {_type_text(schema.get('additionalProperties', {}))}"
    return str(schema.get("type", "any"))


def _notes(schema: Mapping[str, Any]) -> str:
    parts = [
        _notes({key: value for key, value in option.items() if key != "description"})
        for option in schema.get("anyOf", ())
    ]
    for key, label in (
        ("description", "{}"),
        ("unit", "unit {}"),
        ("minimum", "≥ {}"),
        ("exclusiveMinimum", "> {}"),
        ("maximum", "≤ {}"),
        ("maxLength", "at most {} characters"),
        ("pattern", "`{}`"),
    ):
        if key in schema:
            value = schema[key]
            text = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(label.format(text.replace("|", "\\|").replace("\n", " ")))
    return "; ".join(part for part in parts if part)


# --- TypeScript -----------------------------------------------------------------------------------------------------


def _typescript(known: Mapping[str, Any]) -> str:
    lines = [f"// {NOTE}", "", f"export const CONTRACT_VERSION = {json.dumps(CONTRACT_VERSION)};", ""]
    for constant, specs in (("EVENTS", CATALOGUE), ("DOOR_EVENTS", EVERY_DOOR)):
        lines += [f"export const {constant} = {{"]
        lines += [f"  {name.upper()}: {json.dumps(name)}," for name in dict.fromkeys(spec.name for spec in specs)]
        lines += ["} as const;", ""]
    lines += ["export interface Quantity {", "  title: string;", "  unit: string;", "  low: number;"]
    lines += ["  high: number;", "  decimals: number;", "}", ""]
    lines += ["export const QUANTITIES: Record<string, Quantity> = {"]
    for quantity in QUANTITIES.values():
        fields = {
            "title": quantity.title,
            "unit": quantity.unit,
            "low": quantity.low,
            "high": quantity.high,
            "decimals": quantity.decimals,
        }
        lines.append(f"  {json.dumps(quantity.name)}: {json.dumps(fields, ensure_ascii=False)},")
    lines += ["};", ""]
    lines.append("/** What *clean* leaves alone. */")
    lines.append(
        "export const SENSOR_ACCESSORIES: readonly string[] = "
        f"{json.dumps([str(name) for name, events in ACCESSORIES.items() if events.sensor])};"
    )
    lines.append("")
    for name, schema in sorted(known.items()):
        if schema.get("description"):
            lines.append(f"/** {' '.join(schema['description'].split())} */")
        if schema.get("type") == "object":
            required = set(schema.get("required", ()))
            lines.append(f"export interface {name} {{")
            for field, detail in schema["properties"].items():
                lines.append(f"  {field}{'' if field in required else '?'}: {_ts(detail)};")
            lines += ["}", ""]
        else:
            lines += [f"export type {name} = {_ts(schema)};", ""]
    return "\n".join(lines)


def _ts(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(_ts(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return f"Array<{_ts(schema.get('items', {}))}>"
    if kind == "object":
        return f"Record<string, {_ts(schema.get('additionalProperties', {}))}>"
    return {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}.get(
        str(kind), "unknown"
    )


if __name__ == "__main__":
    sys.exit(main())
