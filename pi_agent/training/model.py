"""A trained model at rest: JSON numbers, a schema version, the feature list's hash, a SHA-256; never a pickle."""

import hashlib
import math
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from pi_agent.training.features import HASH, NAMES, Features
from pi_agent.training.ridge import Plane

SCHEMA: Final = 1
MOST_BYTES: Final = 256 * 1024

Share = Annotated[float, Meta(ge=0, le=1)]
Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]
Positive = Annotated[float, Meta(ge=0, le=1e9)]


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


class Horizon(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one quantity is forecast one time ahead. All but weights and gate in the quantity's unit."""

    quantity: str
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    gate: Share
    """How much of the forecast change is believed; 0: the value stays what it is."""
    bias: Finite
    weights: tuple[Finite, ...]
    """One per feature, in the feature list's order."""
    low: Annotated[float, Meta(ge=-1e9, le=0)]
    """The band about the forecast, downwards."""
    high: Positive
    mae: Positive
    """Mean absolute error on the newest two days, of a fit that had not seen them."""
    mae_persistence: Positive
    """The same, had each value stayed what it was."""


class ForecastModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A forecaster of temperature and humidity."""

    schema: int
    features: str
    slot: Annotated[int, Meta(ge=0)]
    """The first slot that training has not seen."""
    samples: Annotated[int, Meta(ge=0)]
    days: Positive
    horizons: tuple[Horizon, ...]

    def forecast(self, features: Features, index: int) -> "list[Forecast]":
        """What comes after element `index`; empty where too much of the recent course is missing."""
        row = features.row(index)
        if row is None:
            return []
        found = []
        for horizon in self.horizons:
            level = features.level(horizon.quantity, index)
            if level is None:
                continue
            value = level + horizon.gate * Plane(horizon.bias, horizon.weights).at(row) if horizon.gate else level
            found.append(Forecast(horizon.quantity, horizon.minutes, value, value + horizon.low, value + horizon.high))
        return found


class Forecast(Struct, frozen=True):
    """One quantity some minutes ahead, with the band in which nine of ten values lie, in its unit."""

    quantity: str
    minutes: int
    value: float
    low: float
    high: float


class _Sealed(Struct, frozen=True):
    """The file: the model's very bytes, and their hash."""

    sha256: str
    model: msgspec.Raw


def seal(model: ForecastModel) -> bytes:
    """`model` as a file. Raises `ModelRefused` for one that could not be loaded again."""
    body = msgspec.json.encode(model)
    check(msgspec.json.decode(body))
    return msgspec.json.encode(_Sealed(hashlib.sha256(body).hexdigest(), msgspec.Raw(body))) + b"\n"


def unseal(data: bytes) -> ForecastModel:
    """The model of a file. Raises `ModelRefused`."""
    try:
        sealed = msgspec.json.decode(data[: MOST_BYTES + 1], type=_Sealed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        trouble = ModelTrouble.FOREIGN if isinstance(error, msgspec.ValidationError) else ModelTrouble.CORRUPT
        raise ModelRefused(trouble, str(error)) from None
    if hashlib.sha256(bytes(sealed.model)).hexdigest() != sealed.sha256:
        raise ModelRefused(ModelTrouble.CORRUPT, "its SHA-256 is another one")
    return check(msgspec.json.decode(bytes(sealed.model)))


def check(tree: object) -> ForecastModel:
    """`tree`, decoded JSON, as a model that this program can serve. Raises `ModelRefused`."""
    schema = tree.get("schema") if isinstance(tree, dict) else None
    if not isinstance(schema, int):
        raise ModelRefused(ModelTrouble.FOREIGN, "it names no schema")
    if schema != SCHEMA:
        raise ModelRefused(ModelTrouble.OTHER_SCHEMA, f"schema {schema}; this program knows {SCHEMA}")
    try:
        model = msgspec.convert(tree, ForecastModel)
    except msgspec.ValidationError as error:
        raise ModelRefused(ModelTrouble.FOREIGN, str(error)) from None
    if model.features != HASH or any(len(horizon.weights) != len(NAMES) for horizon in model.horizons):
        raise ModelRefused(ModelTrouble.OTHER_FEATURES, "it was trained on other features")
    if not all(math.isfinite(horizon.bias) for horizon in model.horizons) or not model.horizons:
        raise ModelRefused(ModelTrouble.FOREIGN, "it forecasts nothing")
    return model
