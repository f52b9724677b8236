"""Readings of the past, as `GET /api/devices/{id}/readings` gives them."""

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from shared.clock import iso_utc


class Point(Struct, frozen=True):
    """One bucket of a chart: when it begins, and the values in it. Null where the sensor failed."""

    at_ms: int
    mean: float | None
    low: float | None
    high: float | None


class Gap(Struct, frozen=True):
    """A time of which no readings are known, and why."""

    from_ms: int
    to_ms: int
    cause: str = ""
    reason: str = ""


class History(Struct, frozen=True):
    """A span of one quantity. Times are milliseconds since 1970, UTC."""

    unit: str
    points: tuple[Point, ...]
    gaps: tuple[Gap, ...]


def path(device: str, quantity: str, start: datetime | None, end: datetime | None, points: int) -> str:
    """Where it is asked for; by default the last 24 hours. `start` and `end` have a zone."""
    query = {"quantity": quantity, "points": str(points)}
    query |= {"from": iso_utc(start)} if start else {}
    query |= {"to": iso_utc(end)} if end else {}
    return f"/api/devices/{quote(device, safe='')}/readings?{urlencode(query)}"


def history(body: Any) -> History:
    """What the relay answered."""
    return History(
        unit=body.get("unit", ""),
        points=tuple(Point(*point) for point in body["points"]),
        gaps=tuple(Gap(*gap) for gap in body["gaps"]),
    )
