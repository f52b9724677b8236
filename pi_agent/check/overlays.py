"""The firmware's configuration: overlays that a driver needs, and overlays that take a pin from a part.

Source: /boot/firmware/overlays/README of Raspberry Pi OS, for the names, parameters and default pins.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pi_agent.check.findings import Finding, fail, ok, warn
from pi_agent.check.surroundings import Surroundings
from pi_agent.check.wiring import driver_of, used_pins, where_set
from pi_agent.settings import AgentSettings

_PINS = {
    "dht11": (("gpiopin", 4),),
    "w1-gpio": (("gpiopin", 4),),
    "w1-gpio-pi5": (("gpiopin", 4),),
    "pwm": (("pin", 18),),
    "pwm-2chan": (("pin", 18), ("pin2", 19)),
    "gpio-ir": (("gpio_pin", 18),),
    "gpio-fan": (("gpiopin", 12),),
    "gpio-shutdown": (("gpio_pin", 3),),
    "hifiberry-dac": ((None, 18), (None, 19), (None, 21)),
}
"""Which pins an overlay takes: its parameter with the pin's number, and the default."""

_NEEDED = {"iio": ("dht11",), "pwm": ("pwm", "pwm-2chan"), "ds18b20": ("w1-gpio", "w1-gpio-pi5")}
"""Overlays that a driver needs, one of them."""


@dataclass(frozen=True)
class Overlay:
    """One `dtoverlay=` line."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)

    def pins(self) -> Iterator[int]:
        """The BCM numbers that it takes."""
        for parameter, default in _PINS.get(self.name, ()):
            told = self.parameters.get(parameter, "") if parameter else ""
            yield int(told) if told.isdigit() else default


def parse(text: str, model: str) -> tuple[list[Overlay], dict[str, str]]:
    """The overlays and the `dtparam`s that `text` (a config.txt) gives to the board called `model`."""
    overlays: list[Overlay] = []
    params: dict[str, str] = {}
    applies = True
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            applies = _section_applies(line.strip("[]").lower(), model)
        elif applies and line.startswith("dtoverlay="):
            name, *rest = line.removeprefix("dtoverlay=").replace(":", ",").split(",")
            overlays.append(Overlay(name.strip(), dict(_pair(item) for item in rest)))
        elif applies and line.startswith("dtparam="):
            params |= dict(_pair(item) for item in line.removeprefix("dtparam=").split(","))
        elif applies and "=" in line:
            params |= dict([_pair(line)])
    return overlays, params


def overlays(here: Surroundings, settings: AgentSettings) -> Iterator[Finding]:
    """Does an overlay take a pin of ours; does a driver lack its overlay?"""
    text = here.text(here.boot_config.lstrip("/"))
    if not text:
        return
    found, params = parse(text, here.model)
    troubles = [*_taken(here, settings, found), *_missing(here, settings, found), *_audio(here, found, params)]
    yield from troubles
    if not troubles:
        yield ok("overlays", ", ".join(overlay.name for overlay in found) or "none")


def _taken(here: Surroundings, settings: AgentSettings, found: list[Overlay]) -> Iterator[Finding]:
    used = {gpio: part for part, gpio in used_pins(settings)}
    for overlay in found:
        for gpio in overlay.pins():
            part = used.get(gpio, "")
            table = where_set(settings, part)
            if part and overlay.name not in _NEEDED.get(driver_of(settings, part), ()):
                yield fail(
                    "overlays",
                    f"dtoverlay={overlay.name} takes GPIO {gpio}, which the {part} is set to",
                    f"remove it from {here.boot_config} and restart; or set another gpio under [{table}]",
                )


def _missing(here: Surroundings, settings: AgentSettings, found: list[Overlay]) -> Iterator[Finding]:
    names = {overlay.name for overlay in found}
    for part, gpio in used_pins(settings):
        driver = driver_of(settings, part)
        needed = _NEEDED.get(driver, ())
        if needed and not names.intersection(needed):
            line = f"dtoverlay={needed[0]},{'pin' if driver == 'pwm' else 'gpiopin'}={gpio}"
            line += ",func=2" if driver == "pwm" else ""
            yield fail(
                "overlays",
                f"the driver {driver} of the {part} needs an overlay that is not configured",
                f"echo '{line}' | sudo tee -a {here.boot_config} && sudo reboot",
            )


def _audio(here: Surroundings, found: list[Overlay], params: dict[str, str]) -> Iterator[Finding]:
    audio = params.get("audio") == "on" and not here.model.startswith("Raspberry Pi 5")  # which has none
    if audio and any(overlay.name.startswith("pwm") for overlay in found):
        yield warn(
            "overlays",
            "hardware PWM and the analogue audio use the same circuit; both are on",
            f"sudo sed -i 's/^dtparam=audio=on/#&/' {here.boot_config} && sudo reboot",
        )


def _section_applies(section: str, model: str) -> bool:
    """Whether a `[section]` is for this board; of those that are not about boards, only `[all]` and `[none]` matter."""
    if section.startswith("pi"):
        number = model.removeprefix("Raspberry Pi ")[:1]
        return section.removeprefix("pi")[:1] == number or (section == "pi0" and "Zero" in model)
    return section != "none"


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name.strip(), value.strip()
