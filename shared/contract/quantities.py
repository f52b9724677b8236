"""Every kind of value this product knows, once: its unit, its possible range and how precisely it is told."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Quantity:
    """A kind of value. A reading outside `low`..`high` is a fault of the sensor, never a reading."""

    name: str
    title: str
    unit: str
    low: float
    high: float
    decimals: int = 1


TEMPERATURE: Final = Quantity("temperature", "Temperature", "°C", -40, 80)
HUMIDITY: Final = Quantity("humidity", "Humidity", "%RH", 0, 100)

QUANTITIES: Final[dict[str, Quantity]] = {
    quantity.name: quantity
    for quantity in (
        TEMPERATURE,
        HUMIDITY,
        Quantity("PM1.0", "PM1.0", "µg/m³", 0, 1000),
        Quantity("PM2.5", "PM2.5", "µg/m³", 0, 1000),
        Quantity("PM10", "PM10", "µg/m³", 0, 1000),
        Quantity("cpu_temperature", "CPU temperature", "°C", -40, 125),
        Quantity("cpu_load", "CPU load, 1 min", "", 0, 10_000, decimals=2),
        Quantity("memory_used", "Memory used", "%", 0, 100),
        Quantity("disk_used", "Disk used", "%", 0, 100),
        Quantity("uptime", "Uptime", "s", 0, 1e10, decimals=0),
        Quantity("under_voltage", "Under-voltage now", "", 0, 1, decimals=0),
        Quantity("under_voltage_seen", "Under-voltage since boot", "", 0, 1, decimals=0),
        Quantity("throttled", "CPU throttled now", "", 0, 1, decimals=0),
        Quantity("throttled_seen", "CPU throttled since boot", "", 0, 1, decimals=0),
        Quantity("disk_written_per_day", "Written to the disk per day", "MB", 0, 1e9),
        Quantity("disk_wear", "Disk life time used", "%", 0, 160, decimals=0),
        # Wearers, through the door of the stress monitor.
        Quantity("heart_rate", "Heart rate", "1/min", 0, 300),
        Quantity("skin_temperature", "Skin temperature", "°C", -40, 125, decimals=2),
        Quantity("eda", "Electrodermal activity", "µS", 0, 1000, decimals=3),
        Quantity("stress", "Probability of stress", "", 0, 1, decimals=3),
        # MQTT sensors, by the names that their original gave them.
        Quantity("aqi", "Air quality index", "", 0, 500, decimals=0),
        Quantity("eco2", "Equivalent CO₂", "ppm", 0, 100_000, decimals=0),
        Quantity("tvoc", "Volatile organic compounds", "ppb", 0, 100_000, decimals=0),
        Quantity("coPpm", "Carbon monoxide", "ppm", 0, 1e6, decimals=2),
        Quantity("ch4Ppm", "Methane", "ppm", 0, 1e6, decimals=2),
        Quantity("lpgPpm", "Liquefied petroleum gas", "ppm", 0, 1e6, decimals=2),
        Quantity("co2", "Carbon dioxide", "ppm", 0, 1e6, decimals=2),
        Quantity("alcohol", "Alcohol", "ppm", 0, 1e6, decimals=2),
        Quantity("toluene", "Toluene", "ppm", 0, 1e6, decimals=2),
        Quantity("acetone", "Acetone", "ppm", 0, 1e6, decimals=2),
        Quantity("flameDetected", "Flame detected", "", 0, 1, decimals=0),
        Quantity("flameIntensity", "Flame intensity", "", 0, 1e6, decimals=0),
        Quantity("disk_end_of_life", "Disk near its end: 0 no, 1 soon, 2 now", "", 0, 15, decimals=0),
    )
}

ANY_LOW: Final = -1e12
ANY_HIGH: Final = 1e12
"""Bounds of a quantity that is not in the table: it is passed on, without a unit."""


def known(name: str) -> Quantity | None:
    """The quantity of that name. One that is measured in several places has a label behind a dot: `temperature.attic`.

    None where the table has no such quantity: it is passed on, without a unit.
    """
    return QUANTITIES.get(name) or QUANTITIES.get(name.rpartition(".")[0])


def problem(name: str, value: float) -> str | None:
    """Why `value` cannot be a reading of quantity `name`, or None where it can."""
    quantity = known(name)
    if quantity is not None and quantity.low <= value <= quantity.high:
        return None
    low, high, unit = (quantity.low, quantity.high, quantity.unit) if quantity else (ANY_LOW, ANY_HIGH, "")
    if low <= value <= high:
        return None
    return f"`{name}` is {value:g}{unit}, outside {low:g} to {high:g}"
