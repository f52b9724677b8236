"""What agent and training process say to each other: one JSON object in, JSON lines out."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from pi_agent.training.climate import Series
from pi_agent.training.model import Finite

LONGEST_LINE: Final = 256 * 1024


class Order(Struct, frozen=True, kw_only=True):
    """What the process is to train on: the fields of a `Series`."""

    start: int
    temperature: tuple[float | None, ...]
    humidity: tuple[float | None, ...]

    @classmethod
    def of(cls, series: Series) -> "Order":
        """The order to train on `series`."""
        return cls(start=series.start, temperature=tuple(series.temperature), humidity=tuple(series.humidity))

    def series(self) -> Series:
        """The series again. Raises `ValueError` where its quantities differ in length."""
        return Series(self.start, self.temperature, self.humidity)


class Progress(Struct, frozen=True, tag="progress"):
    """So much is done, 0 to 1."""

    share: Annotated[float, Meta(ge=0, le=1)]


class Curve(Struct, frozen=True):
    """For the plot: slots, what came, and what had been forecast for them."""

    quantity: str
    points: tuple[tuple[int, Finite, Finite], ...]


class Finished(Struct, frozen=True, tag="finished"):
    """A model, not checked yet, and the most memory that the process held."""

    model: msgspec.Raw
    curves: tuple[Curve, ...]
    peak_rss_bytes: int | None


class Skipped(Struct, frozen=True, tag="skipped"):
    """Nothing to train on; `reason` is stable."""

    reason: str
    message: str
    peak_rss_bytes: int | None


class Failed(Struct, frozen=True, tag="failed"):
    """It did not work; `reason` is stable."""

    reason: str
    message: str


Line = Progress | Finished | Skipped | Failed
