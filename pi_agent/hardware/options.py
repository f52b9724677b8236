"""The settings of the parts. A value that cannot work is refused when it is read, not when a pin is first driven.

Every part has a `driver`, one of which is `none`: a new driver is one more word there and one more file in `real/`.
"""

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from pi_agent.hardware.quality import QualityOptions
from shared.contract.payloads import SafeState

_FIRST_GPIO = 2  # 0 and 1 belong to the EEPROM of an add-on board
_LAST_GPIO = 27
_LAST_HEADER_POSITION = 40


class Mode(StrEnum):
    """Where the parts come from."""

    SIMULATED = "simulated"
    REPLAYED = "replayed"
    REAL = "real"


class PinLibrary(StrEnum):
    """What drives the pins. Named, never guessed: gpiozero would fall back to another one with a mere warning."""

    LGPIO = "lgpio"
    RPIGPIO = "rpigpio"
    MOCK = "mock"


class LightDriver(StrEnum):
    """What makes the light's PWM."""

    GPIOZERO = "gpiozero"
    PWM = "pwm"
    NONE = "none"


class InfraredDriver(StrEnum):
    """What sees the infrared sensor's edges."""

    GPIOZERO = "gpiozero"
    NONE = "none"


class ClimateDriver(StrEnum):
    """What measures temperature and humidity."""

    IIO = "iio"
    DHT22 = "dht22"
    DHT11 = "dht11"
    NONE = "none"

    @property
    def part(self) -> str:
        """What the sensor is called in a round."""
        return "dht" if self is ClimateDriver.IIO else self.value


class SimulatedPart(StrEnum):
    """A part that can be given a fault, as long as it is not real."""

    CLIMATE = "climate"
    INFRARED = "infrared"
    LIGHT = "light"
    SWITCH = "switch"
    """All that the settings define under `accessories`."""


class FaultKind(StrEnum):
    """How a simulated part misbehaves.

    `transient`: a share of its readings fail, the next may succeed. `dead`: it does not answer. `frozen`: it answers,
    but no longer follows: a sensor repeats its last value, an infrared sensor its last state, a pin its level.
    """

    TRANSIENT = "transient"
    DEAD = "dead"
    FROZEN = "frozen"


class _Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all settings of parts have in common."""


Gpio = Annotated[int, Meta(extra_json_schema={"minimum": _FIRST_GPIO, "maximum": _LAST_GPIO})]
"""A BCM number. Its range is checked below: a header position mistaken for it deserves more than a bound."""


def _check_gpio(gpio: int) -> None:
    if not _FIRST_GPIO <= gpio <= _LAST_GPIO:
        hint = " (that is a position on the header)" if _LAST_GPIO < gpio <= _LAST_HEADER_POSITION else ""
        raise ValueError(f"gpio {gpio} cannot be used{hint}; give a BCM number from {_FIRST_GPIO} to {_LAST_GPIO}")


class LightOptions(_Options, frozen=True, kw_only=True):
    """The LED: anode to the pin through a resistor, cathode to ground."""

    driver: Annotated[LightDriver, Meta(description="gpiozero; pwm (hardware PWM by sysfs); none: no light")] = (
        LightDriver.GPIOZERO
    )
    gpio: Annotated[Gpio, Meta(description="BCM number of the pin, 2 to 27")] = 18
    frequency_hz: Annotated[
        int, Meta(ge=50, le=10_000, description="PWM frequency in Hz; slower flickers, faster costs CPU time")
    ] = 100
    active_high: Annotated[
        bool, Meta(description="true: high is bright (cathode to ground); false: low is (anode to 3.3 V)")
    ] = True
    pwm_device: Annotated[
        str, Meta(description="pwm only: the end of another chip's device path, as of a PCA9685; empty: the header's")
    ] = ""
    pwm_channel: Annotated[int, Meta(ge=0, le=63, description="pwm only: the channel of pwm_device")] = 0

    def __post_init__(self) -> None:
        _check_gpio(self.gpio)


class InfraredOptions(_Options, frozen=True, kw_only=True):
    """The infrared sensor: a PIR, or an obstacle module."""

    driver: Annotated[InfraredDriver, Meta(description="gpiozero, or none where there is no infrared sensor")] = (
        InfraredDriver.GPIOZERO
    )
    gpio: Annotated[Gpio, Meta(description="BCM number of the pin, 2 to 27; 3.3 V at most")] = 23
    active_high: Annotated[
        bool, Meta(description="true: high means movement (PIR); false: low does (most obstacle modules)")
    ] = True
    warm_up_s: Annotated[
        float, Meta(ge=0, le=600, description="a real sensor is not believed for so long after the start, in s")
    ] = 30.0
    debounce_s: Annotated[
        float, Meta(ge=0, le=10, description="a state shorter than this is noise to a real sensor, in s")
    ] = 0.05

    def __post_init__(self) -> None:
        _check_gpio(self.gpio)


class ClimateOptions(_Options, frozen=True, kw_only=True):
    """The temperature and humidity sensor."""

    driver: Annotated[
        ClimateDriver,
        Meta(description="iio (the kernel's driver, best for a DHT22); dht22, dht11 (adafruit's library); none"),
    ] = ClimateDriver.DHT22
    gpio: Annotated[Gpio, Meta(description="BCM number of its data pin, 2 to 27")] = 4

    def __post_init__(self) -> None:
        _check_gpio(self.gpio)


class SwitchOptions(_Options, frozen=True, kw_only=True):
    """A part that is on or off: a relay, a fan, a buzzer; through a transistor where it needs more than 16 mA."""

    gpio: Annotated[Gpio, Meta(description="BCM number of the pin, 2 to 27")]
    active_high: Annotated[
        bool, Meta(description="true: high is on; false: low is (most relay boards with optocouplers)")
    ] = True
    safe: Annotated[
        SafeState, Meta(description="off, on or keep: what becomes of it at the start, the end, and when left alone")
    ] = SafeState.OFF

    def __post_init__(self) -> None:
        _check_gpio(self.gpio)


class HostOptions(_Options, frozen=True, kw_only=True):
    """The machine's own readings; real in every mode."""

    enabled: Annotated[bool, Meta(description="measure the machine itself: load, memory, disk, temperature")] = True


class ReplayOptions(_Options, frozen=True, kw_only=True):
    """Recorded readings, for the mode `replayed`."""

    file: Annotated[
        str, Meta(description="CSV: a column `time`, then quantities by name; `motion` (0 or 1) if there is one")
    ] = ""
    speed: Annotated[float, Meta(gt=0, le=100_000, description="how many times faster than it was recorded")] = 1.0
    loop: Annotated[bool, Meta(description="true: begin again at the end; false: the parts fail there")] = True


class FaultOptions(_Options, frozen=True, kw_only=True):
    """One fault of one simulated part, at a time counted from the start."""

    part: Annotated[SimulatedPart, Meta(description="climate, infrared, light or switch")] = SimulatedPart.CLIMATE
    kind: Annotated[FaultKind, Meta(description="transient, dead or frozen")] = FaultKind.TRANSIENT
    share: Annotated[float, Meta(gt=0, le=1, description="of a transient fault: how many of the readings fail")] = 1.0
    after_s: Annotated[float, Meta(ge=0, le=1e9, description="when it begins, in s from the start")] = 0.0
    for_s: Annotated[float, Meta(gt=0, le=1e9, description="how long it lasts, in s; without it, for ever")] | None = (
        None
    )

    def __post_init__(self) -> None:
        if self.share != 1 and self.kind is not FaultKind.TRANSIENT:
            raise ValueError(f"share belongs to a transient fault; a {self.kind} part is so all the time: leave it out")


class SimulationOptions(_Options, frozen=True, kw_only=True):
    """The simulated room."""

    seed: Annotated[int, Meta(ge=0, le=2**53, description="the same seed gives the same weather and visitors")] = 1
    faults: Annotated[
        tuple[FaultOptions, ...], Meta(max_length=64, description="faults of simulated or replayed parts, to try them")
    ] = ()
    past_days: Annotated[
        float,
        Meta(ge=0, le=30, description="days before the start that the simulated room is remembered of, to learn from"),
    ] = 0.0


class HardwareOptions(_Options, frozen=True, kw_only=True):
    """All parts of one Pi."""

    mode: Annotated[
        Mode, Meta(description="real; simulated and replayed parts are for trying out, and pages say so")
    ] = Mode.REAL
    pins: Annotated[
        PinLibrary, Meta(description="lgpio; rpigpio (RPi.GPIO, no Pi 5); mock (no pins at all, to try the real mode)")
    ] = PinLibrary.LGPIO
    light: LightOptions = LightOptions()
    infrared: InfraredOptions = InfraredOptions()
    climate: ClimateOptions = ClimateOptions()
    host: HostOptions = HostOptions()
    drivers: Annotated[
        dict[str, dict[str, Any]],
        Meta(
            max_length=16, description="further sensors, real mode only: a table of settings by driver, docs/drivers.md"
        ),
    ] = {}
    quality: QualityOptions = QualityOptions()
    replay: ReplayOptions = ReplayOptions()
    simulation: SimulationOptions = SimulationOptions()

    def __post_init__(self) -> None:
        if self.mode is Mode.REPLAYED and not self.replay.file:
            raise ValueError("mode replayed needs a recording: set replay.file to a CSV file")
        if self.mode is Mode.REAL and self.simulation.faults:
            raise ValueError("simulation.faults cannot be given to real parts; remove them, or set mode to simulated")
        if self.mode is not Mode.SIMULATED and self.simulation.past_days:
            raise ValueError(
                f"simulation.past_days = {self.simulation.past_days:g} would invent a past for mode {self.mode}; "
                "remove it, or set mode to simulated"
            )
