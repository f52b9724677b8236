"""Settings of either process: a TOML file, then the environment over it; whatever is unknown or wrong is refused.

A settings class is a tree of msgspec structs with a default for every field. The variable for `relay.url` under the
prefix `PI_AGENT_` is `PI_AGENT_RELAY__URL`. pydantic-settings would let an unknown variable pass.
"""

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)


class SettingsError(ValueError):
    """A setting that cannot be used. The message names the setting, its value and the remedy."""

    def __init__(self, setting: str, value: object, remedy: str) -> None:
        self.setting, self.value, self.remedy = setting, value, remedy
        super().__init__(f"setting {setting} = {_shown(setting, value)}: {remedy}")


def load(
    kind: type[S], file: Path | None, environ: Mapping[str, str], prefix: str, over: Mapping[str, Any] | None = None
) -> S:
    """Read settings of `kind` from `file` (None: none), from the tree `over` it, and over both from the variables of
    `environ` that begin with `prefix`.

    Raises `SettingsError` for an unreadable file, an unknown name, or a value of the wrong type or range.
    """
    tree = _laid_over(_read(file) if file else {}, over or {})
    _refuse_unknown(kind, tree, "")
    for variable, text in sorted(environ.items()):
        if variable.startswith(prefix):
            path = variable.removeprefix(prefix).lower().split("__")
            leaf = _leaf_type(kind, path, variable, text)
            _put(tree, path, _from_text(leaf, text, variable))
    return _checked(kind, tree, "")


def convert(kind: type[S], tree: Mapping[str, Any], name: str) -> S:
    """Settings of `kind` from the table that was read for the setting `name`. Raises `SettingsError` like `load`."""
    _refuse_unknown(kind, tree, f"{name}.")
    return _checked(kind, tree, f"{name}.")


def _checked(kind: type[S], tree: Mapping[str, Any], prefix: str) -> S:
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        setting, value, annotation = _located(str(error), tree, kind)
        raise SettingsError(prefix + setting, value, _remedy(str(error), annotation)) from None


def names(kind: type[Struct], prefix: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Every setting of `kind` by its dotted name, with its field."""
    for field in msgspec.structs.fields(kind):
        if inner := struct_of(field.type):
            yield from names(inner, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            "--config", str(file), f"cannot be read ({error.strerror}); name an existing file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("--config", str(file), f"is not TOML: {error}") from None


def _laid_over(tree: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(tree)
    for name, value in over.items():
        known = result.get(name)
        nested = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[name] = _laid_over(known, value) if nested else value  # type: ignore[arg-type]  # both are mappings
    return result


def struct_of(annotation: Any) -> type[Struct] | None:
    """The settings class that `annotation` is; None for a single setting."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Struct) else None


def named_struct_of(annotation: Any) -> type[Struct] | None:
    """The settings class of each entry where `annotation` is a table of named ones, such as accessories; else None."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return struct_of(get_args(annotation)[1]) if get_origin(annotation) is dict else None


def _refuse_unknown(kind: type[Struct], tree: Mapping[str, Any], prefix: str) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name, value in tree.items():
        if name not in fields:
            raise SettingsError(prefix + name, value, _unknown(name, fields))
        inner, named = struct_of(fields[name].type), named_struct_of(fields[name].type)
        if inner and isinstance(value, Mapping):
            _refuse_unknown(inner, value, f"{prefix}{name}.")
        elif named and isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(item, Mapping):
                    _refuse_unknown(named, item, f"{prefix}{name}.{key}.")


def _unknown(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
    return f"there is no such setting; {hint}"


def _leaf_type(kind: type[Struct], path: list[str], variable: str, text: str) -> Any:
    current: Any = kind
    for name in path:
        if named := named_struct_of(current):
            current = named
            continue
        struct = struct_of(current)
        fields = {field.name: field.type for field in msgspec.structs.fields(struct)} if struct else {}
        if name not in fields:
            head = variable[: len(variable) - len(variable.rpartition("__")[2])] if len(path) > 1 else ""
            head = head or variable[: len(variable) - len("__".join(path))]
            raise SettingsError(variable, text, _unknown(variable, {head + known.upper() for known in fields}))
        current = fields[name]
    return current


def _from_text(leaf: Any, text: str, variable: str) -> Any:
    """The value that `text` stands for. Tables and lists are written as in TOML."""
    if text[:1] in ("[", "{") and leaf is not str:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(variable, text, f"is not TOML: {error}") from None
    # msgspec reads text strictly for `str | None` and leniently for numbers and booleans.
    wanted = leaf if text or str not in (leaf, *get_args(leaf)) else str
    try:
        return msgspec.to_builtins(msgspec.convert(text, wanted, strict=False))
    except msgspec.ValidationError as error:
        raise SettingsError(variable, text, _remedy(str(error), leaf)) from None


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _located(message: str, tree: Mapping[str, Any], kind: type[Struct]) -> tuple[str, object, Any]:
    """The setting that msgspec's message points at (`… - at `$.relay.url``), its value, and what it should be."""
    setting = message.partition(" - at `$.")[2].rstrip("`")
    value: Any = tree
    annotation: Any = kind
    for name in setting.replace("[...]", "[]").split(".") if setting else []:
        bare, _, place = name.partition("[")
        value = value.get(bare) if isinstance(value, Mapping) else value
        struct = struct_of(annotation)
        fields = {field.name: field.type for field in msgspec.structs.fields(struct)} if struct else {}
        annotation = fields.get(bare)
        if isinstance(value, list) and (number := place.rstrip("]")).isdecimal():
            value, annotation = value[int(number)], _item(annotation)
        elif place and (named := named_struct_of(annotation)) and isinstance(value, Mapping):
            key = next((key for key, item in value.items() if not _fits(item, named)), "")
            setting = setting.replace(f"{bare}[...]", f"{bare}.{key}")
            value, annotation = value.get(key), named
    return setting or "(all)", value, annotation


def _fits(value: object, kind: type[Struct]) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _item(annotation: Any) -> Any:
    """The settings class that the items of a list have, None where they are of another kind."""
    if struct := struct_of(annotation):
        return struct
    return next((found for inner in get_args(annotation) if (found := _item(inner))), None)


def _remedy(message: str, annotation: Any) -> str:
    """The validator's message without its place, and what to write instead."""
    message = message.split(" - at `")[0]
    if message.startswith("Invalid enum value") and (choices := _choices(annotation)):
        return f"choose one of {', '.join(choices)}"
    for wanted, example in (
        ("Expected `array`", 'write a list: ["a", "b"]'),
        ("Expected `object`", 'write a table: {name = "value"}'),
        ("Expected `bool`", "write true or false"),
        ("Expected `float`", "write a number"),
        ("Expected `int`", "write a whole number"),
    ):
        if message.startswith(wanted):
            return f"{message}; {example}"
    return message


def _choices(annotation: Any) -> list[str]:
    """The words of an enum, also inside `Annotated` and unions."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(choice.value) for choice in annotation]
    return [choice for inner in get_args(annotation) for choice in _choices(inner)]


def shown(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of settings as it may be shown: `(hidden)` stands for each secret that is set."""

    def plain(value: object) -> object:
        if isinstance(value, _Hidden):
            return repr(value)
        if isinstance(value, Mapping):
            return {name: plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return {name: None if value is None else plain(_redacted(name, value)) for name, value in tree.items()}


def _shown(setting: str, value: object) -> str:
    return repr(_redacted(setting, value))


def _redacted(name: str, value: object) -> object:
    """`value` without what must not be shown: a table may hold a secret too."""
    if value is not None and any(
        word in name.lower() for word in ("token", "password", "secret", "webhook", "apprise")
    ):
        return _Hidden()
    if isinstance(value, Mapping):
        return {inner: _redacted(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(name, item) for item in value]
    return value


class _Hidden:
    """Stands for a secret in a message."""

    def __repr__(self) -> str:
        return "(hidden)"
