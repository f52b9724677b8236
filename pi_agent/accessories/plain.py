"""What is merely on or off: a fan, a relay, a buzzer."""

from pi_agent.accessories.base import Reading
from pi_agent.hardware.base import Switch
from shared.contract.events import accessory_events
from shared.contract.payloads import AccessoryInfo, LightOptions


class PlainSwitch:
    """An accessory that a few lines of the settings define."""

    def __init__(self, name: str, title: str | None, part: Switch) -> None:
        self.name = name
        self._title = title
        self._part = part
        self._wanted: bool | None = None

    def info(self) -> AccessoryInfo:
        """With the title that pages show."""
        return AccessoryInfo.build(
            accessory=self.name,
            pin=self._part.pin,
            sensor=accessory_events(self.name).sensor,
            kind="switch",
            title=self._title,
        )

    def switch(self, on: bool, now_s: float, light: LightOptions | None = None) -> None:  # noqa: ARG002
        """Drive the pin."""
        self._wanted = on
        self._part.set(on)

    def read(self) -> Reading:
        """Read the pin back."""
        status = self._part.is_on()
        return Reading(status=status, follows=self._wanted in (None, status))

    def tick(self, now_s: float) -> float | None:  # noqa: ARG002
        """It stays as it is."""
        return None
