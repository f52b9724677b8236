"""Which leg of which part goes to which position of the 40-pin header.

Sources: the pin-out of the Raspberry Pi's 40-pin header; the data sheets of the parts.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from pi_agent.hardware.options import SwitchOptions
from pi_agent.settings import AgentSettings

_ROWS: Final = (
    ("3.3 V", "5 V"),
    ("GPIO 2", "5 V"),
    ("GPIO 3", "ground"),
    ("GPIO 4", "GPIO 14"),
    ("ground", "GPIO 15"),
    ("GPIO 17", "GPIO 18"),
    ("GPIO 27", "ground"),
    ("GPIO 22", "GPIO 23"),
    ("3.3 V", "GPIO 24"),
    ("GPIO 10", "ground"),
    ("GPIO 9", "GPIO 25"),
    ("GPIO 11", "GPIO 8"),
    ("ground", "GPIO 7"),
    ("GPIO 0", "GPIO 1"),
    ("GPIO 5", "ground"),
    ("GPIO 6", "GPIO 12"),
    ("GPIO 13", "ground"),
    ("GPIO 19", "GPIO 16"),
    ("GPIO 26", "GPIO 20"),
    ("ground", "GPIO 21"),
)
"""The header as it lies on the board: the odd positions left, 1 and 2 at the end of the card slot."""

HEADER: Final = dict(enumerate((what for row in _ROWS for what in row), 1))
"""What each of the positions 1 to 40 is."""

_FAR_SIDE = 8
"""For so many positions of distance a wire rather stays on its side."""
_POSITIONS: Final = {int(what.split()[1]): place for place, what in HEADER.items() if what.startswith("GPIO")}


class Leg(Struct, frozen=True):
    """One leg of a part, and what it needs: `signal` (the configured pin), `rx`, or a kind of power."""

    name: str
    to: str
    volts: float
    through: str = ""


class Wire(Struct, frozen=True):
    """One wire. `volts` is the most that is ever on it; `through` is what sits in it."""

    part: str
    leg: str
    position: int
    to: str
    gpio: int | None
    volts: float
    through: str = ""


_LED = (Leg("LED, long leg", "signal", 3.3, "330 Ω"), Leg("LED, short leg", "ground", 0))
_PIR = (Leg("PIR, VCC", "5 V", 5), Leg("PIR, OUT", "signal", 3.3), Leg("PIR, GND", "ground", 0))
# Its output is as high as its supply: never 5 V.
_OBSTACLE = (
    Leg("IR module, VCC", "3.3 V", 3.3),
    Leg("IR module, OUT", "signal", 3.3),
    Leg("IR module, GND", "ground", 0),
)
_DHT = (
    Leg("DHT, 1 VCC", "3.3 V", 3.3),
    Leg("DHT, 2 DATA", "signal", 3.3, "10 kΩ to 3.3 V"),
    Leg("DHT, 4 GND", "ground", 0),
)
_LED_TO_POWER = (Leg("LED, short leg", "signal", 3.3, "330 Ω"), Leg("LED, long leg", "3.3 V", 3.3))
# Of the board or transistor stage; what it switches has a supply of its own.
_SWITCH = (Leg("switch, IN", "signal", 3.3), Leg("switch, GND", "ground", 0))
_DS18B20 = (
    Leg("DS18B20, VDD", "3.3 V", 3.3),
    Leg("DS18B20, DQ", "signal", 3.3, "4.7 kΩ to 3.3 V"),
    Leg("DS18B20, GND", "ground", 0),
)

_PMS5003 = (
    Leg("PMS5003, 1 VCC", "5 V", 5),
    Leg("PMS5003, 5 TXD", "signal", 3.3),
    Leg("PMS5003, 2 GND", "ground", 0),
)
_DRIVERS: Final = {"ds18b20": (4, _DS18B20), "pms5003": (15, _PMS5003)}
"""Parts whose pin the system gives: that of the 1-Wire overlay by default, and the serial line's RXD."""


def used_pins(settings: AgentSettings) -> list[tuple[str, int]]:
    """The parts that hang on a pin, each with its BCM number, in the order of the settings."""
    hardware = settings.hardware
    pins = [
        (part, options.gpio)
        for part, options in (
            ("light", hardware.light),
            ("infrared", hardware.infrared),
            ("climate", hardware.climate),
        )
        if options.driver.value != "none" and not getattr(options, "pwm_device", "")
    ]
    pins += [(name, options.gpio) for name, options in switches(settings).items()]
    return pins + [(name, _DRIVERS[name][0]) for name in hardware.drivers if name in _DRIVERS]


def switches(settings: AgentSettings) -> Mapping[str, SwitchOptions]:
    """The accessories that are on or off, by name."""
    return settings.accessories


def driver_of(settings: AgentSettings, part: str) -> str:
    """The word that the settings have for the driver of `part`."""
    options = getattr(settings.hardware, part, None)
    return str(options.driver.value) if options else part


def where_set(settings: AgentSettings, part: str) -> str:
    """The table of the settings that the pin of `part` is in."""
    if part in switches(settings):
        return f"accessories.{part}"
    return f"hardware.drivers.{part}" if part in settings.hardware.drivers else f"hardware.{part}"


def position_of(gpio: int) -> int:
    """Where on the header a BCM number is. Raises `KeyError` for one that is not there."""
    return _POSITIONS[gpio]


def wires(settings: AgentSettings) -> list[Wire]:
    """Every wire of the configured parts. Power and ground are taken at the nearest free position."""
    taken = {position_of(gpio) for _, gpio in used_pins(settings)}
    found = []
    for part, gpio in used_pins(settings):
        for leg in _legs(settings, part):
            signal = leg.to == "signal"
            position = position_of(gpio) if signal else _nearest(leg.to, position_of(gpio), taken)
            taken.add(position)
            found.append(
                Wire(part, leg.name, position, HEADER[position], gpio if signal else None, leg.volts, leg.through)
            )
    return found


def _legs(settings: AgentSettings, part: str) -> Iterable[Leg]:
    hardware = settings.hardware
    if part in hardware.drivers:
        return _DRIVERS[part][1]
    if part == "light":
        return _LED if hardware.light.active_high else _LED_TO_POWER
    if part == "infrared":
        return _PIR if hardware.infrared.active_high else _OBSTACLE
    return _DHT if part == "climate" else _SWITCH


def _nearest(kind: str, position: int, taken: set[int]) -> int:
    """The free position of this kind nearest on the header; where all are taken, the nearest is shared."""
    every = [place for place, what in HEADER.items() if what == kind]
    free = [place for place in every if place not in taken] or every
    # On the same side of the header where that is not far off: wires that do not cross are easier to check.
    return min(free, key=lambda place: abs(place - position) + _FAR_SIDE * ((place - position) % 2))
