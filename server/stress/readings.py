"""A reading of a wearer, what is in range, and why the model says `unknown`."""

import math
from enum import StrEnum
from typing import Final, NamedTuple

SIGNALS: Final = ("hr", "temp", "eda")

HR_BPM: Final = (30.0, 220.0)
TEMP_C: Final = (15.0, 45.0)
"""Of skin: a sensor that was taken off falls to the room's temperature."""
EDA_US: Final = (1e-4, 100.0)
"""In µS. Electrodes that do not touch read 0."""


class Reason(StrEnum):
    """Why a prediction is `unknown`."""

    WARMING_UP = "warming_up"
    """The first six minutes of a wearer: there is no baseline yet."""
    GAP = "gap"
    """Readings were missing; the window fills anew, after a long gap the baseline too."""
    OUT_OF_RANGE = "out_of_range"
    """A value is missing, not a number, or none that a worn sensor gives."""
    CONSTANT = "constant"
    """Heart rate or EDA did not move for a whole window: the sensor is stuck, not the wearer calm."""
    LATE = "late"
    """The reading is older than the last one; it is left out."""
    CLOCK_STEP = "clock_step"
    """The clock of the readings was set back; baseline and window begin anew."""
    SENSOR_CHANGED = "sensor_changed"
    """The wearer has another sensor; baseline and window begin anew."""
    NO_MODEL = "no_model"
    """No model could be loaded."""


class Reading(NamedTuple):
    """One reading of one wearer.

    `wearer` is whom the baseline belongs to, `sensor` what measured; where only a device is known, both are its name.
    `at_s` is the time of measurement in seconds, of any epoch: only differences count. `hr` in bpm, `temp` of the
    skin in °C, `eda` in µS; None where the sensor failed.
    """

    wearer: str
    sensor: str
    at_s: float
    hr: float | None
    temp: float | None
    eda: float | None


def in_range(reading: Reading) -> bool:
    """Whether all three signals are numbers that a worn sensor gives, and the time is a number."""
    values = (reading.hr, reading.temp, reading.eda)
    ranges = (HR_BPM, TEMP_C, EDA_US)
    return math.isfinite(reading.at_s) and all(
        # A comparison with NaN is false.
        value is not None and low <= value <= high
        for value, (low, high) in zip(values, ranges, strict=True)
    )
