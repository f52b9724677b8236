"""A model at rest: JSON numbers, a schema version and a SHA-256 over the model's very bytes; never a pickle."""

import hashlib
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct


class ModelTrouble(StrEnum):
    """Why a model file is refused."""

    UNREADABLE = "model_unreadable"
    CORRUPT = "model_corrupt"
    FOREIGN = "model_foreign"
    OTHER_SCHEMA = "model_other_schema"
    OTHER_FEATURES = "model_other_features"


class ModelRefused(Exception):
    """A model that must not serve. `trouble` is stable; the message tells people what is wrong."""

    def __init__(self, trouble: ModelTrouble, message: str) -> None:
        self.trouble = trouble
        super().__init__(f"{trouble}: {message}")


class _Sealed(Struct, frozen=True):
    """The file: the model's very bytes, and their hash."""

    sha256: str
    model: msgspec.Raw


def seal_bytes(body: bytes) -> bytes:
    """The file for a model that is encoded as `body`, JSON."""
    return msgspec.json.encode(_Sealed(hashlib.sha256(body).hexdigest(), msgspec.Raw(body))) + b"\n"


def unseal_tree(data: bytes) -> Any:
    """The model in a file, as decoded JSON. Raises `ModelRefused`: `model_corrupt`, `model_foreign`."""
    try:
        sealed = msgspec.json.decode(data, type=_Sealed)
        body = bytes(sealed.model)
        tree = msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        raise ModelRefused(ModelTrouble.FOREIGN, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelRefused(ModelTrouble.CORRUPT, str(error)) from None
    if hashlib.sha256(body).hexdigest() != sealed.sha256:
        raise ModelRefused(ModelTrouble.CORRUPT, "its SHA-256 is another one")
    return tree


def require_schema(tree: object, known: int) -> None:
    """Refuse a model of another schema than this program knows. Raises `ModelRefused`."""
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if not isinstance(schema, int):
        raise ModelRefused(ModelTrouble.FOREIGN, "it names no schema")
    if schema != known:
        raise ModelRefused(ModelTrouble.OTHER_SCHEMA, f"schema {schema}; this program knows {known}")
