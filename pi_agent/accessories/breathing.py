"""The breathing light."""

import math

from pi_agent.accessories.base import Reading
from pi_agent.hardware.base import HardwareError, Light
from shared.contract.events import ACCESSORIES
from shared.contract.payloads import Accessory, AccessoryInfo, LightOptions

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
        self._usual = _Breath(max_level, period_s, gamma)
        self._breath = self._usual
        self._frame_s = 1 / frames_per_s
        self._on_since_s: float | None = None
        self._set = 0.0

    def info(self) -> AccessoryInfo:
        """The relay shows the pin."""
        return AccessoryInfo.build(
            accessory=self.name,
            pin=self._light.pin,
            sensor=ACCESSORIES[self.name].sensor,
            kind="breathing_light",
            title="Breathing light",
        )

    def switch(self, on: bool, now_s: float, light: LightOptions | None = None) -> None:
        """Begin to breathe, as `light` and the settings say, or go dark. A breath that is under way goes on."""
        if not on:
            self._on_since_s = None
            self._drive(0.0)
            return
        before, self._breath = self._breath, self._usual.with_options(light)
        if self._on_since_s is None:
            self._drive(self.level_at(0.0))
            self._on_since_s = now_s
        elif before.period_s != self._breath.period_s:
            # As far into the new breath as it was into the old one: no jump in brightness.
            done = (now_s - self._on_since_s) / before.period_s % 1
            self._on_since_s = now_s - done * self._breath.period_s

    def read(self) -> Reading:
        """The brightness at this moment, as the part has it."""
        level = min(1.0, max(0.0, self._light.level()))
        follows = (level > 0) is (self._set > 0) and abs(level - self._set) <= _TOLERANCE
        how = None if self._on_since_s is None else self._breath.options()
        return Reading(status=level > 0, level=round(level, 3), light=how, follows=follows)

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
        breath = self._breath
        swell = (1 - math.cos(2 * math.pi * elapsed_s / breath.period_s)) / 2
        return _FAINTEST + (breath.max_level - _FAINTEST) * math.pow(swell, breath.gamma)

    def _drive(self, level: float) -> None:
        self._set = level
        self._light.set_level(level)


class _Breath:
    """How it breathes."""

    def __init__(self, max_level: float, period_s: float, gamma: float) -> None:
        self.max_level, self.period_s, self.gamma = max_level, period_s, gamma

    def with_options(self, options: LightOptions | None) -> "_Breath":
        wanted = options or LightOptions()
        return _Breath(
            self.max_level if wanted.level is None else wanted.level,
            self.period_s if wanted.period_s is None else wanted.period_s,
            self.gamma if wanted.gamma is None else wanted.gamma,
        )

    def options(self) -> LightOptions:
        return LightOptions.build(level=self.max_level, period_s=self.period_s, gamma=self.gamma)
