"""The breathing light."""

import math

from pi_agent.accessories.base import Reading
from pi_agent.hardware.base import HardwareError, Light
from shared.contract.events import ACCESSORIES
from shared.contract.payloads import Accessory, AccessoryInfo

_FAINTEST = 0.02
"""Between two breaths it glows on, so that a light that is on always reads back as on."""
_TOLERANCE = 0.03
"""How far a read-back may be from what was set: coarse PWM."""


class BreathingLight:
    """A light that swells and fades while it is on. The curve is even to the eye: gamma over a cosine.

    Between two frames nothing runs; while it is off there are no frames.
    """

    name: str = Accessory.BREATH_LIGHT

    def __init__(self, light: Light, *, period_s: float, gamma: float, max_level: float, frames_per_s: float) -> None:
        self._light = light
        self._period_s = period_s
        self._gamma = gamma
        self._max_level = max_level
        self._frame_s = 1 / frames_per_s
        self._on_since_s: float | None = None
        self._set = 0.0

    def info(self) -> AccessoryInfo:
        """The relay shows the pin."""
        return AccessoryInfo.build(accessory=self.name, pin=self._light.pin, sensor=ACCESSORIES[self.name].sensor)

    def switch(self, on: bool, now_s: float) -> None:
        """Begin to breathe, or go dark."""
        if not on:
            self._on_since_s = None
            self._drive(0.0)
        elif self._on_since_s is None:
            self._drive(self.level_at(0.0))
            self._on_since_s = now_s

    def read(self) -> Reading:
        """The brightness at this moment, as the part has it."""
        level = min(1.0, max(0.0, self._light.level()))
        follows = (level > 0) is (self._set > 0) and abs(level - self._set) <= _TOLERANCE
        return Reading(status=level > 0, level=round(level, 3), follows=follows)

    def tick(self, now_s: float) -> float | None:
        """Set the level of this frame."""
        if self._on_since_s is None:
            return None
        try:
            self._drive(self.level_at(now_s - self._on_since_s))
        except HardwareError:
            self._on_since_s = None
            raise
        return now_s + self._frame_s

    def level_at(self, elapsed_s: float) -> float:
        """The brightness so long after the light was turned on."""
        swell = (1 - math.cos(2 * math.pi * elapsed_s / self._period_s)) / 2
        return _FAINTEST + (self._max_level - _FAINTEST) * math.pow(swell, self._gamma)

    def _drive(self, level: float) -> None:
        self._set = level
        self._light.set_level(level)
