"""Settings in, open parts out: simulated, replayed or real. Whoever gets the parts does not know which."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

from pi_agent.hardware.base import Light, PartUnavailable, Sensor, Switch, Watcher
from pi_agent.hardware.options import ClimateDriver, HardwareOptions, InfraredDriver, LightDriver, Mode, SwitchOptions
from pi_agent.hardware.real.host import Host
from pi_agent.hardware.real.sysfs import Sysfs
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.parts import ScheduledInfrared, SimulatedClimate, SimulatedLight
from pi_agent.hardware.sim.room import Room, Schedule
from pi_agent.hardware.sim.switch import SimulatedSwitch
from pi_agent.workers import Hire, Worker
from shared.clock import Clock

if TYPE_CHECKING:
    from pi_agent.hardware.real.pins import Pins

log = logging.getLogger(__name__)

_REMEDY = {"replay": "remove that column, or set hardware.host.enabled to false"}
_OTHER_REMEDY = "give one of them a place, as in temperature.attic, or remove it (hardware.climate, hardware.drivers)"
_LIGHT, _INFRARED, _CLIMATE = "light", "infrared", "climate"


@dataclass(frozen=True)
class Parts:
    """The open parts of one Pi."""

    sensors: tuple[Sensor, ...]
    light: Light | None
    infrared: Watcher | None
    switches: Mapping[str, Switch]
    """By the name of their accessory."""
    _opened: ExitStack[None] = field(repr=False)

    def close(self) -> None:
        """Outputs to their state of rest, pins released, the last part opened first. Idempotent; never raises."""
        self._opened.close()


def build_parts(
    options: HardwareOptions,
    clock: Clock,
    switches: Mapping[str, SwitchOptions] = MappingProxyType({}),
    *,
    hire: Hire = Worker,
    faults: Faults | None = None,
    pins: "Pins | None" = None,
    root: Path = Path("/"),
) -> Parts:
    """Open the parts that `options` name, and `switches`. Raises `PartUnavailable`, and leaves nothing open.

    `hire` finds who does the work of parts that are not real.

    For tests: `faults` of the parts that are not real, to inject more while they run; `pins` that are open already;
    the `root` under which drivers find /proc, /sys and /dev.
    """
    opened: ExitStack[None] = ExitStack()
    with opened:
        bench = _Bench(options, switches, clock, opened, hire)
        if options.mode is Mode.REAL:
            _real(bench, pins, Sysfs(root))
        else:
            faults = faults or Faults(clock, options.simulation.seed)
            faults.inject_all(options.simulation.faults)
            (_simulated if options.mode is Mode.SIMULATED else _replayed)(bench, faults)
            _simulated_switches(bench, faults)
        if options.host.enabled:
            bench.sensors.append(bench.keep(Host(root)))
        _check_quantities(bench.sensors)
        log.info(
            "parts open: mode=%s sensors=%s light=%s infrared=%s switches=%s",
            options.mode,
            ",".join(sensor.name for sensor in bench.sensors) or "none",
            bench.light and bench.light.pin,
            bench.infrared and bench.infrared.pin,
            ",".join(bench.opened_switches) or "none",
        )
        parts = (tuple(bench.sensors), bench.light, bench.infrared, bench.opened_switches)
        return Parts(*parts, opened.pop_all())


class _Closes(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closes)


@dataclass
class _Bench:
    """Where parts are put together: what is open, and who has which pin."""

    options: HardwareOptions
    switches: Mapping[str, SwitchOptions]
    clock: Clock
    opened: ExitStack[None]
    hire: Hire = Worker
    opened_switches: dict[str, Switch] = field(default_factory=dict)
    sensors: list[Sensor] = field(default_factory=list)
    light: Light | None = None
    infrared: Watcher | None = None
    holders: dict[int, str] = field(default_factory=dict)

    def claim(self, part: str, gpio: int, setting: str | None = None) -> int:
        """A pin that nobody else on the bench has. It is set in `setting`, by default hardware.PART."""
        if holder := self.holders.get(gpio):
            setting = setting or f"hardware.{part}"
            raise PartUnavailable(part, f"GPIO {gpio} is held by {holder}; set {setting}.gpio to another pin")
        self.holders[gpio] = part
        return gpio

    def keep(self, part: C) -> C:
        """Close `part` with the others."""
        self.opened.callback(part.close)
        return part


def _simulated(bench: _Bench, faults: Faults) -> None:
    climate = bench.options.climate
    room = Room(bench.options.simulation.seed)
    _simulated_light(bench, faults)
    _scheduled_infrared(bench, room.visits, faults)
    if climate.driver is not ClimateDriver.NONE:
        bench.claim(_CLIMATE, climate.gpio)
        bench.sensors.append(bench.keep(SimulatedClimate(climate.driver.part, room, bench.clock, faults)))


def _replayed(bench: _Bench, faults: Faults) -> None:
    # Only a replaying agent loads what reads a recording.
    from pi_agent.hardware import recording
    from pi_agent.hardware.replay import RecordedMotion, ReplayedSensor, Tape

    options = bench.options.replay
    tape = Tape(recording.load(Path(options.file)), options.speed, loop=options.loop)
    _simulated_light(bench, faults)
    if tape.recording.motion is not None:  # else nobody watched: nothing is invented
        _scheduled_infrared(bench, RecordedMotion(tape, tape.recording.motion), faults)
    if tape.recording.columns:
        bench.sensors.append(bench.keep(ReplayedSensor(tape, bench.clock, faults)))


def _simulated_switches(bench: _Bench, faults: Faults) -> None:
    for name, options in bench.switches.items():
        gpio = bench.claim(name, options.gpio, _setting(name))
        bench.opened_switches[name] = bench.keep(SimulatedSwitch(name, gpio, options.safe, faults))


def _setting(switch: str) -> str:
    return f"accessories.{switch}"


def _simulated_light(bench: _Bench, faults: Faults) -> None:
    options = bench.options.light
    if options.driver is not LightDriver.NONE:
        bench.light = bench.keep(SimulatedLight(_LIGHT, bench.claim(_LIGHT, options.gpio), faults))


def _scheduled_infrared(bench: _Bench, schedule: Schedule, faults: Faults) -> None:
    options = bench.options.infrared
    if options.driver is not InfraredDriver.NONE:
        gpio = bench.claim(_INFRARED, options.gpio)
        bench.infrared = bench.keep(ScheduledInfrared(_INFRARED, gpio, schedule, bench.clock, faults, bench.hire))


def _real(bench: _Bench, pins: "Pins | None", sysfs: Sysfs) -> None:
    # The libraries for pins are imported with the drivers, here: a simulated agent starts without them.
    light, infrared = bench.options.light, bench.options.infrared
    if LightDriver.GPIOZERO is light.driver or infrared.driver is not InfraredDriver.NONE or bench.switches:
        if pins is None:
            from pi_agent.hardware.real.pins import open_pins

            pins = open_pins(bench.options.pins, sysfs)
        bench.keep(pins)
    _real_light(bench, pins, sysfs)
    if infrared.driver is InfraredDriver.GPIOZERO and pins is not None:
        from pi_agent.hardware.real.infrared import Infrared

        gpio = bench.claim(_INFRARED, infrared.gpio)
        bench.infrared = bench.keep(
            Infrared(
                *(_INFRARED, gpio, pins, bench.clock),
                active_high=infrared.active_high,
                warm_up_s=infrared.warm_up_s,
                debounce_s=infrared.debounce_s,
            )
        )
    _real_climate(bench, pins, sysfs)
    _further_sensors(bench, sysfs)
    if pins is not None:
        _real_switches(bench, pins)


def _real_switches(bench: _Bench, pins: "Pins") -> None:
    for name, options in bench.switches.items():
        from pi_agent.hardware.real.switch import PinSwitch

        setting = _setting(name)
        gpio = bench.claim(name, options.gpio, setting)
        part = PinSwitch(name, gpio, options.safe, pins, active_high=options.active_high, setting=setting)
        bench.opened_switches[name] = bench.keep(part)


def _real_light(bench: _Bench, pins: "Pins | None", sysfs: Sysfs) -> None:
    options = bench.options.light
    if options.driver is LightDriver.GPIOZERO and pins is not None:
        from pi_agent.hardware.real.led import Led

        gpio = bench.claim(_LIGHT, options.gpio)
        light: Light = Led(_LIGHT, gpio, options.frequency_hz, pins, active_high=options.active_high)
    elif options.driver is LightDriver.PWM:
        from pi_agent.hardware.real.led_pwm import PwmChannel, PwmLed

        channel = PwmChannel(options.pwm_device, options.pwm_channel) if options.pwm_device else None
        gpio = options.gpio if channel else bench.claim(_LIGHT, options.gpio)
        light = PwmLed(
            *(_LIGHT, gpio, options.frequency_hz), active_high=options.active_high, channel=channel, sysfs=sysfs
        )
    else:
        return
    bench.light = bench.keep(light)


def _real_climate(bench: _Bench, pins: "Pins | None", sysfs: Sysfs) -> None:
    options = bench.options.climate
    if options.driver is ClimateDriver.NONE:
        return
    gpio = bench.claim(_CLIMATE, options.gpio)
    if options.driver is ClimateDriver.IIO:
        from pi_agent.hardware.real.dht_iio import DhtIio

        sensor: Sensor = DhtIio(options.driver.part, gpio, bench.clock, sysfs)
    else:
        from pi_agent.hardware.real.dht_adafruit import DhtAdafruit
        from pi_agent.hardware.real.holders import line_holder

        holder = pins.holder if pins else line_holder(None, sysfs)
        sensor = DhtAdafruit(options.driver.part, gpio, bench.clock, holder=holder)
    bench.sensors.append(bench.keep(sensor))


def _further_sensors(bench: _Bench, sysfs: Sysfs) -> None:
    for name, table in bench.options.drivers.items():
        from pi_agent.hardware import drivers

        def claim(gpio: int, name: str = name) -> int:
            return bench.claim(name, gpio, f"hardware.drivers.{name}")

        sensors = drivers.open_driver(name, table, drivers.Bench(bench.clock, sysfs, claim))
        bench.sensors += [bench.keep(sensor) for sensor in sensors]


def _check_quantities(sensors: list[Sensor]) -> None:
    tellers: dict[str, str] = {}
    for sensor in sensors:
        for quantity in sensor.quantities:
            if other := tellers.get(quantity):
                why = f"{quantity} is told by {other} too; {_REMEDY.get(other, _OTHER_REMEDY)}"
                raise PartUnavailable(sensor.name, why)
            tellers[quantity] = sensor.name
    names = [sensor.name for sensor in sensors]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PartUnavailable(twice, "two sensors have this name; remove one of them (hardware.drivers)")
