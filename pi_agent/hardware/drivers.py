"""Sensors that this product does not know: a driver is a package's entry point in the group `breathlight.drivers`.

Its settings are the table `hardware.drivers.NAME`; where there is one, the driver is imported and opened. The drivers
that come with the product are found in the same way. docs/drivers.md shows how to write one.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from pi_agent.hardware.base import PartUnavailable, Sensor
from pi_agent.hardware.real.sysfs import Sysfs
from shared.clock import Clock
from shared.settings import convert

GROUP: Final = "breathlight.drivers"


class DriverOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of a driver's settings: every field has a default and a description."""


@dataclass(frozen=True)
class Bench:
    """What a driver is given. It takes the time from `clock`, and /sys, /proc and /dev from `sysfs`.

    `claim` takes a GPIO line for the driver; it raises `PartUnavailable` where another part of this Pi has it.
    """

    clock: Clock
    sysfs: Sysfs
    claim: Callable[[int], int]


O = TypeVar("O", bound=DriverOptions)  # noqa: E741 (options)


@dataclass(frozen=True)
class Driver(Generic[O]):
    """What an entry point names: the class of its settings, and the function that opens its sensors.

    `open_sensors` raises `PartUnavailable`, and leaves nothing open then.
    """

    options: type[O]
    open_sensors: Callable[[O, Bench], Sequence[Sensor]]


def open_driver(name: str, table: Mapping[str, Any], bench: Bench) -> Sequence[Sensor]:
    """The open sensors of the driver `name`, set as `table` says.

    Raises `PartUnavailable` for a driver that is not installed or cannot be opened, `SettingsError` for its settings.
    """
    driver = _load(name)
    return driver.open_sensors(convert(driver.options, table, f"hardware.drivers.{name}"), bench)


def _load(name: str) -> Driver[DriverOptions]:
    # Imported here: it loads the mail package, and most agents have no further driver.
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        close = difflib.get_close_matches(name, points, n=1)
        hint = f"did you mean {close[0]}?" if close else f"installed are {', '.join(sorted(points)) or 'none'}"
        raise PartUnavailable(name, f"no driver of this name is installed; {hint} (hardware.drivers)")
    point = points[name]
    try:
        driver = point.load()
    except (ImportError, AttributeError) as error:
        raise PartUnavailable(name, f"{point.value} cannot be imported: {error}; install its package anew") from error
    if not isinstance(driver, Driver):
        raise PartUnavailable(name, f"{point.value} is no Driver; correct the entry point of its package")
    return driver
