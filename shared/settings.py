"""Settings of either process: a TOML file, then the environment over it; whatever is unknown or wrong is refused.

A settings class is a tree of msgspec structs with a default for every field. The variable for `relay.url` under the
prefix `PI_AGENT_` is `PI_AGENT_RELAY__URL`. pydantic-settings would let an unknown variable pass.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)


class SettingsError(ValueError):
    """A setting that cannot be used. The message names the setting, its value and the remedy."""

    def __init__(self, setting: str, value: object, remedy: str) -> None:
        self.setting, self.value, self.remedy = setting, value, remedy
        super().__init__(f"setting {setting} = {_shown(setting, value)}: {remedy}")


def load(kind: type[S], file: Path | None, environ: Mapping[str, str], prefix: str) -> S:
    """Read settings of `kind` from `file` (None: none) and from the variables of `environ` that begin with `prefix`.

    Raises `SettingsError` for an unreadable file, an unknown name, or a value of the wrong type or range.
    """
    tree = _read(file) if file else {}
    _refuse_unknown(kind, tree, "")
    for variable, text in sorted(environ.items()):
        if variable.startswith(prefix):
            path = variable.removeprefix(prefix).lower().split("__")
            leaf = _leaf_type(kind, path, variable, text)
            _put(tree, path, _from_text(leaf, text, variable))
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        setting, value = _located(str(error), tree)
        raise SettingsError(setting, value, str(error).split(" - at `")[0]) from None


def names(kind: type[Struct], prefix: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Every setting of `kind` by its dotted name, with its field."""
    for field in msgspec.structs.fields(kind):
        if inner := _struct_of(field.type):
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


def _struct_of(annotation: Any) -> type[Struct] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Struct) else None


def _refuse_unknown(kind: type[Struct], tree: Mapping[str, Any], prefix: str) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name, value in tree.items():
        if name not in fields:
            raise SettingsError(prefix + name, value, _unknown(name, fields))
        inner = _struct_of(fields[name].type)
        if inner and isinstance(value, Mapping):
            _refuse_unknown(inner, value, f"{prefix}{name}.")


def _unknown(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
    return f"there is no such setting; {hint}"


def _leaf_type(kind: type[Struct], path: list[str], variable: str, text: str) -> Any:
    current: Any = kind
    for name in path:
        struct = _struct_of(current)
        fields = {field.name: field.type for field in msgspec.structs.fields(struct)} if struct else {}
        if name not in fields:
            raise SettingsError(variable, text, _unknown(name, fields))
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
        raise SettingsError(variable, text, str(error)) from None


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _located(message: str, tree: Mapping[str, Any]) -> tuple[str, object]:
    """The setting that msgspec's message points at (`… - at `$.relay.url``), and its value."""
    setting = message.partition(" - at `$.")[2].rstrip("`")
    value: Any = tree
    for name in setting.split(".") if setting else []:
        value = value.get(name.split("[")[0]) if isinstance(value, Mapping) else value
    return setting or "(all)", value


def _shown(setting: str, value: object) -> str:
    return "(hidden)" if any(word in setting.lower() for word in ("token", "password", "secret")) else repr(value)
