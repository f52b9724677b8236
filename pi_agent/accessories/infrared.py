"""The infrared watch."""

from collections.abc import Callable

from pi_agent.accessories.base import Reading
from pi_agent.hardware.base import Watcher
from shared.contract.events import ACCESSORIES
from shared.contract.payloads import Accessory, AccessoryInfo, LightOptions

MotionListener = Callable[[bool, int, int], None]
"""Called with: a movement begins (or ends); how many began since the start; the monotonic time in ns."""


class InfraredWatch:
    """The infrared sensor. On means *watching*; movements are told as they happen, on the part's thread."""

    name: str = Accessory.INFRARED_SENSOR

    def __init__(self, watcher: Watcher, on_motion: MotionListener) -> None:
        self._watcher = watcher
        self._on_motion = on_motion
        self._count = 0
        self._wanted = False

    def info(self) -> AccessoryInfo:
        """*Clean* leaves it alone."""
        return AccessoryInfo.build(
            accessory=self.name,
            pin=self._watcher.pin,
            sensor=ACCESSORIES[self.name].sensor,
            kind="infrared_watch",
            title="Infrared watch",
        )

    def switch(self, on: bool, now_s: float, light: LightOptions | None = None) -> None:  # noqa: ARG002
        """Begin or stop to watch."""
        self._wanted = on
        if on:
            self._watcher.start(self._edge)
        else:
            self._watcher.stop()

    def read(self) -> Reading:
        """Whether the part watches."""
        watching = self._watcher.watching()
        return Reading(status=watching, follows=watching is self._wanted)

    def tick(self, now_s: float) -> float | None:  # noqa: ARG002
        """The part has a thread of its own."""
        return None

    def _edge(self, active: bool, monotonic_ns: int) -> None:
        self._count += active
        self._on_motion(active, self._count, monotonic_ns)
