"""The three kinds of parts, each with the same handles on the world around them."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from gpiozero import PinInvalidState
from gpiozero.pins.mock import MockFactory, MockPWMPin

from pi_agent.hardware.base import Light, Sensor, Watcher
from pi_agent.hardware.factory import Parts, build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    FaultKind,
    HardwareOptions,
    LightDriver,
    LightOptions,
    Mode,
    PinLibrary,
    ReplayOptions,
    SimulatedPart,
)
from pi_agent.hardware.real.pins import open_pins
from pi_agent.hardware.recording import load
from pi_agent.hardware.replay import RecordedMotion, Tape
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.parts import SimulatedLight
from pi_agent.hardware.sim.room import Room, Schedule
from tests.agent.hardware.trees import pwm_tree, write
from tests.conformance import fake_adafruit
from tests.conformance.dht_process import DhtProcess
from tests.support.clock import FakeClock

RECORDING = """time,temperature,humidity,motion
2026-03-01T06:00:00Z,20.1,50.5,0
2026-03-01T06:00:10Z,20.2,50.4,1
2026-03-01T06:00:20Z,20.3,50.3,1
2026-03-01T06:00:30Z,20.4,50.2,0
2026-03-01T06:00:40Z,20.5,50.1,0
"""


class SteppedWatcher(Watcher, Protocol):
    """A watcher whose thread a test can do without."""

    def step(self) -> None: ...


@dataclass
class Rig:
    """Parts, and what somebody in the room can see and do. `move` makes somebody come (True) or go (False)."""

    parts: Parts
    clock: FakeClock
    shines: Callable[[], float]
    move: Callable[[bool], None]
    inject: Callable[[SimulatedPart, FaultKind], None]
    mend: Callable[[], None]
    warm: Callable[[], None]
    """It gets warmer in the room."""

    @property
    def light(self) -> Light:
        assert self.parts.light is not None
        return self.parts.light

    @property
    def infrared(self) -> SteppedWatcher:
        assert self.parts.infrared is not None
        return self.parts.infrared  # type: ignore[return-value]

    @property
    def climate(self) -> Sensor:
        return self.parts.sensors[0]

    def rest(self) -> None:
        """Time passes until every sensor may be read again."""
        self.clock.advance(max(sensor.min_interval_s for sensor in self.parts.sensors) + 0.001)


def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return _scheduled(HardwareOptions(mode=Mode.SIMULATED), lambda options: Room(options.simulation.seed).visits)


def replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    file = tmp_path / "recording.csv"
    file.write_text(RECORDING, encoding="utf-8")
    options = HardwareOptions(mode=Mode.REPLAYED, replay=ReplayOptions(file=str(file), speed=2.5))

    def schedule(options: HardwareOptions) -> Schedule:
        recording = load(file)
        assert recording.motion is not None
        return RecordedMotion(Tape(recording, options.replay.speed, loop=True), recording.motion)

    return _scheduled(options, schedule)


def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    clock = FakeClock()
    dht = DhtProcess(clock, tmp_path, monkeypatch)
    options = HardwareOptions(mode=Mode.REAL, pins=PinLibrary.MOCK)
    pins = open_pins(options.pins)
    factory: MockFactory = pins.factory
    factory.pin_class = BreakablePin
    parts = build_parts(options, clock, pins=pins)
    led, pir = factory.pin(options.light.gpio), factory.pin(options.infrared.gpio)
    clock.advance(options.infrared.warm_up_s)

    def move(comes: bool) -> None:
        if comes:
            pir.drive_high()
        else:
            pir.drive_low()
        clock.advance(options.infrared.debounce_s)

    def inject(part: SimulatedPart, kind: FaultKind) -> None:
        if part is SimulatedPart.CLIMATE:
            message = fake_adafruit.CHECKSUM if kind is FaultKind.TRANSIENT else fake_adafruit.NOT_FOUND
            dht.set(always=RuntimeError(message))
        else:
            pin = led if part is SimulatedPart.LIGHT else pir
            pin.frozen, pin.dead = kind is FaultKind.FROZEN, kind is FaultKind.DEAD

    def mend() -> None:
        led.frozen = led.dead = pir.frozen = pir.dead = False

    def warm() -> None:
        dht.set(always=(25.0, 40.0))

    return Rig(parts, clock, lambda: float(led.state), move, inject, mend, warm)


def by_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Light and climate over the kernel's files; the infrared sensor on a mock pin."""
    clock, sysfs = FakeClock(), pwm_tree(tmp_path)
    monkeypatch.setattr("pi_agent.hardware.factory.Sysfs", lambda root: sysfs)
    files = {"name": "dht11", "in_temp_input": "21300", "in_humidityrelative_input": "48100"}
    for name, content in files.items():
        write(tmp_path, f"sys/bus/iio/devices/iio:device0/{name}", f"{content}\n")
    write(tmp_path, "proc/uptime", "1.00 1.00\n")
    options = HardwareOptions(
        mode=Mode.REAL,
        pins=PinLibrary.MOCK,
        light=LightOptions(driver=LightDriver.PWM),
        climate=ClimateOptions(driver=ClimateDriver.IIO),
    )
    pins = open_pins(options.pins)
    pins.factory.pin_class = BreakablePin
    parts = build_parts(options, clock, pins=pins, root=tmp_path)
    pir = pins.factory.pin(options.infrared.gpio)
    clock.advance(options.infrared.warm_up_s)

    def shines() -> float:
        folder = "sys/class/pwm/pwmchip0/pwm0"
        if sysfs.text(f"{folder}/enable") != "1":
            return 0.0
        return int(sysfs.text(f"{folder}/duty_cycle")) / int(sysfs.text(f"{folder}/period"))

    def move(comes: bool) -> None:
        (pir.drive_high if comes else pir.drive_low)()
        clock.advance(options.infrared.debounce_s)

    def inject(part: SimulatedPart, kind: FaultKind) -> None:
        if part is SimulatedPart.CLIMATE:
            sysfs.fails["in_temp_input"] = errno.EIO if kind is FaultKind.TRANSIENT else errno.ENODEV
        elif part is SimulatedPart.INFRARED:
            pir.frozen, pir.dead = kind is FaultKind.FROZEN, kind is FaultKind.DEAD
        elif kind is FaultKind.FROZEN:
            sysfs.frozen = True
        else:
            sysfs.fails |= {"duty_cycle": errno.EIO, "enable": errno.EIO}

    def mend() -> None:
        pir.frozen = pir.dead = sysfs.frozen = False
        sysfs.fails.clear()

    def warm() -> None:
        write(tmp_path, "sys/bus/iio/devices/iio:device0/in_temp_input", "25000\n")

    return Rig(parts, clock, shines, move, inject, mend, warm)


class BreakablePin(MockPWMPin):
    """A pin that can stop to follow, or to work at all."""

    frozen = False
    dead = False

    def _set_state(self, value: float) -> None:
        self._check()
        if not self.frozen:
            super()._set_state(value)

    def _set_frequency(self, value: int | None) -> None:
        self._check()
        if self.frozen:
            self._frequency = value
        else:
            super()._set_frequency(value)

    def _get_state(self) -> float:
        self._check()
        return super()._get_state()

    def _check(self) -> None:
        if self.dead:
            raise PinInvalidState("the line does not answer")


def _scheduled(options: HardwareOptions, make_schedule: Callable[[HardwareOptions], Schedule]) -> Rig:
    clock = FakeClock()
    faults, schedule, start_ns = Faults(clock), make_schedule(options), clock.monotonic_ns()
    parts = build_parts(options, clock, faults=faults)
    light = parts.light
    assert isinstance(light, SimulatedLight)

    def move(comes: bool) -> None:
        while schedule.active(clock.monotonic_ns() - start_ns) != comes:
            edge = schedule.next_edge(clock.monotonic_ns() - start_ns)
            assert edge is not None
            clock.mono_ns = start_ns + edge[1]

    return Rig(
        *(parts, clock, lambda: light.shines, move, lambda part, kind: faults.inject(part, kind), faults.clear),
        warm=lambda: clock.advance(6 * 3600 + 4),
    )


KINDS: dict[str, Callable[[Path, pytest.MonkeyPatch], Rig]] = {
    "simulated": simulated,
    "replayed": replayed,
    "real on mock pins": real,
    "real by the kernel's files": by_the_kernel,
}
