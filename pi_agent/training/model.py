"""A trained model at rest: JSON numbers, a schema version, the feature list's hash, a SHA-256; never a pickle."""

import math
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from pi_agent.training.features import HASH, NAMES, Features
from pi_agent.training.ridge import Plane
from shared.model_file import ModelRefused, ModelTrouble, require_schema, seal_bytes, unseal_tree

SCHEMA: Final = 1
MOST_BYTES: Final = 256 * 1024

Share = Annotated[float, Meta(ge=0, le=1)]
Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]
Positive = Annotated[float, Meta(ge=0, le=1e9)]


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


def seal(model: ForecastModel) -> bytes:
    """`model` as a file. Raises `ModelRefused` for one that could not be loaded again."""
    body = msgspec.json.encode(model)
    check(msgspec.json.decode(body))
    return seal_bytes(body)


def unseal(data: bytes) -> ForecastModel:
    """The model of a file. Raises `ModelRefused`."""
    return check(unseal_tree(data[: MOST_BYTES + 1]))


def check(tree: object) -> ForecastModel:
    """`tree`, decoded JSON, as a model that this program can serve. Raises `ModelRefused`."""
    require_schema(tree, SCHEMA)
    try:
        model = msgspec.convert(tree, ForecastModel)
    except msgspec.ValidationError as error:
        raise ModelRefused(ModelTrouble.FOREIGN, str(error)) from None
    if model.features != HASH or any(len(horizon.weights) != len(NAMES) for horizon in model.horizons):
        raise ModelRefused(ModelTrouble.OTHER_FEATURES, "it was trained on other features")
    if not all(math.isfinite(horizon.bias) for horizon in model.horizons) or not model.horizons:
        raise ModelRefused(ModelTrouble.FOREIGN, "it forecasts nothing")
    return model
