import importlib.metadata
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pi_agent.hardware.base import PartUnavailable
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    InfraredOptions,
    Mode,
    PinLibrary,
)
from pi_agent.hardware.real import pins
from pi_agent.hardware.real.led import Led
from pi_agent.hardware.real.sysfs import Sysfs
from tests.agent.hardware.fake_lgpio import FakeLgpio
from tests.support.clock import FakeClock

PI_5 = {0: "gpio-brcmstb@107d508500", 11: "pinctrl-rp1", 13: "gpio-brcmstb@107d517c20"}
LED, PIR = 18, 23
NOWHERE = Path("/nonexistent")


@pytest.fixture
def lgpio(monkeypatch):
    lgpio = FakeLgpio(dict(PI_5))
    monkeypatch.setitem(sys.modules, "lgpio", lgpio)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: 0xC04170)  # a Pi 5
    monkeypatch.setattr("gpiozero.pins.local.LocalPiFactory.pins", {})
    monkeypatch.setattr("gpiozero.pins.local.LocalPiFactory._reservations", defaultdict(list))
    yield lgpio
    sys.modules.pop("gpiozero.pins.lgpio", None)


def open_lgpio(lgpio, root=NOWHERE):
    return pins.open_pins(PinLibrary.LGPIO, Sysfs(root), lgpio.chips)


def real_parts(lgpio, clock, **options):
    options = HardwareOptions(mode=Mode.REAL, climate=ClimateOptions(driver=ClimateDriver.NONE), **options)
    return build_parts(options, clock, pins=open_lgpio(lgpio))


# The chip


def test_the_chip_is_found_by_its_label_whatever_its_number(lgpio):
    opened = open_lgpio(lgpio)
    assert opened.factory.chip == 11
    opened.close()
    assert lgpio.open_handles == set()


def test_a_chip_that_is_not_ours_to_open_is_passed_over(lgpio):
    lgpio.labels[3] = None
    open_lgpio(lgpio).close()


def test_where_no_chip_is_a_pis_the_error_names_those_that_are_there(lgpio):
    lgpio.labels[11] = "gpio-sim"
    with pytest.raises(PartUnavailable) as refused:
        open_lgpio(lgpio)
    assert "gpiochip11: gpio-sim, gpiochip13: gpio-brcmstb@107d517c20)" in str(refused.value)
    assert "set hardware.mode to simulated" in str(refused.value)
    assert lgpio.open_handles == set()


def test_chips_that_may_not_be_opened_are_a_matter_of_groups(lgpio):
    lgpio.labels[11] = None
    with pytest.raises(PartUnavailable, match=r"gpiochip11: no access.*usermod -aG gpio"):
        open_lgpio(lgpio)


# The library: the named one or none


def test_an_empty_stub_of_lgpio_is_told_apart(monkeypatch):
    monkeypatch.setitem(sys.modules, "lgpio", ModuleType("lgpio"))
    with pytest.raises(PartUnavailable, match=r"empty stub; .* apt install python3-lgpio"):
        pins.open_pins(PinLibrary.LGPIO)


@pytest.mark.parametrize(
    ("library", "module"),
    [
        (PinLibrary.LGPIO, "lgpio"),
        (PinLibrary.RPIGPIO, "gpiozero.pins.rpigpio"),
        (PinLibrary.MOCK, "gpiozero.pins.mock"),
    ],
)
def test_a_missing_library_is_never_replaced_by_another(monkeypatch, library, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PartUnavailable, match=f"{module} cannot be used: .*(install|pip)") as refused:
        pins.open_pins(library)
    assert "\n" not in str(refused.value)


def test_a_working_directory_that_lgpio_cannot_write_is_named(monkeypatch, tmp_path):
    (tmp_path / "lgpio.py").write_text("raise FileNotFoundError(2, 'No such file or directory', '.lgd-nfy-3')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lgpio", raising=False)
    with pytest.raises(PartUnavailable, match="run in a directory that may be written"):
        pins.open_pins(PinLibrary.LGPIO)


@pytest.mark.parametrize(
    ("installed", "kernel", "words"),
    [
        (["RPi.GPIO", "rpi-lgpio"], "6.1.21-v8+", "both installed, under one import name"),
        (["RPi.GPIO"], "6.6.31+rpt-rpi-v8", "RPi.GPIO sees no edges on kernel 6.6.31.*set hardware.pins to lgpio"),
        (["RPi.GPIO"], "6.12.1-v8", "sees no edges"),
        (["RPi.GPIO"], "6.1.21-v8+", "gpiozero.pins.rpigpio cannot be used"),  # it is not really there
        (["rpi-lgpio"], "6.12.1-v8", "gpiozero.pins.rpigpio cannot be used"),
    ],
)
def test_rpigpio_is_refused_where_it_would_fail_later(monkeypatch, tmp_path, installed, kernel, words):
    monkeypatch.setattr(
        importlib.metadata, "distributions", lambda: [SimpleNamespace(metadata={"Name": name}) for name in installed]
    )
    monkeypatch.setitem(sys.modules, "gpiozero.pins.rpigpio", None)
    release = tmp_path / "proc/sys/kernel/osrelease"
    release.parent.mkdir(parents=True)
    release.write_text(f"{kernel}\n")
    with pytest.raises(PartUnavailable, match=words):
        pins.open_pins(PinLibrary.RPIGPIO, Sysfs(tmp_path), list)


# Who holds a pin


def test_a_pin_that_another_program_holds_is_unavailable_and_its_holder_named(lgpio):
    lgpio.lines[LED].user = "1-wire"
    with pytest.raises(PartUnavailable) as refused:
        real_parts(lgpio, FakeClock())
    assert refused.value.part == "light"
    expected = "light: GPIO 18 is held by 1-wire; free it, or set hardware.light.gpio to another pin"
    assert str(refused.value) == expected


def test_a_part_that_cannot_be_opened_leaves_no_other_open(lgpio):
    lgpio.lines[PIR].user = "spi0 CS0"
    with pytest.raises(PartUnavailable, match="infrared: GPIO 23 is held by spi0 CS0"):
        real_parts(lgpio, FakeClock())
    assert lgpio.open_handles == set()
    assert lgpio.lines[LED].mode == "input"


def test_a_pin_that_fails_for_another_reason_says_which(lgpio, monkeypatch):
    def fails(handle, gpio, flags=0):
        raise lgpio.error("bad GPIO number")

    lgpio.gpio_claim_input = fails
    with pytest.raises(PartUnavailable, match=r"GPIO 18 cannot be opened: bad GPIO number; check hardware.light.gpio"):
        real_parts(lgpio, FakeClock())


# What reaches the lines


def test_off_is_a_low_line_without_pwm(lgpio):
    opened = open_lgpio(lgpio)
    light = Led("light", LED, 100, opened)
    line = lgpio.lines[LED]
    assert (line.mode, line.level, line.pwm) == ("output", 0, None)
    light.set_level(0.3)
    assert line.pwm == (100, 30)
    assert light.level() == 0.3
    light.set_level(0)
    assert (line.level, line.pwm) == (0, None)
    light.set_level(1)
    assert line.pwm == (100, 100)
    light.close()
    assert (line.mode, line.level, line.pwm) == ("input", 0, None)
    opened.close()


def test_off_is_read_from_the_line_itself(lgpio):
    opened = open_lgpio(lgpio)
    light = Led("light", LED, 100, opened)
    light.set_level(0)
    lgpio.lines[LED].level = 1  # shorted to 3.3 V
    assert light.level() == 1
    opened.close()


@pytest.mark.parametrize("active_high", [True, False])
def test_edges_of_either_polarity_reach_the_listener(lgpio, active_high):
    clock, told = FakeClock(), []
    inactive = 0 if active_high else 1
    lgpio.lines[PIR].level = inactive
    parts = real_parts(lgpio, clock, infrared=InfraredOptions(active_high=active_high, warm_up_s=0, debounce_s=0.05))
    parts.infrared.start(lambda active, at_ns: told.append((active, at_ns)))
    expected = []
    for level in (1 - inactive, inactive):
        expected.append((level != inactive, clock.monotonic_ns()))
        lgpio.edge(PIR, level)
        clock.advance(0.05)
        parts.infrared.step()
        assert parts.infrared.active() is (level != inactive)
    assert told == expected
    parts.close()
    assert lgpio.open_handles == set()


def test_a_glitch_is_nobody(lgpio):
    clock, told = FakeClock(), []
    parts = real_parts(lgpio, clock, infrared=InfraredOptions(warm_up_s=0, debounce_s=0.05))
    parts.infrared.start(lambda active, at_ns: told.append(active))
    for level in (1, 0, 1, 0):
        lgpio.edge(PIR, level)
        clock.advance(0.02)
        parts.infrared.step()
    clock.advance(1)
    parts.infrared.step()
    assert told == []
    parts.close()


def test_a_cold_sensor_is_not_believed(lgpio):
    clock, told = FakeClock(), []
    parts = real_parts(lgpio, clock, infrared=InfraredOptions(warm_up_s=30, debounce_s=0.05))
    warm_ns = clock.monotonic_ns() + 30 * 10**9
    parts.infrared.start(lambda active, at_ns: told.append((active, at_ns)))
    for level in (1, 0, 1):
        lgpio.edge(PIR, level)
        clock.advance(5)
        parts.infrared.step()
        assert parts.infrared.active() is False
    assert told == []
    clock.advance(30)
    parts.infrared.step()
    assert told == [(True, warm_ns)]
    assert parts.infrared.active() is True
    parts.close()


def test_a_watched_pin_that_became_an_output_is_no_longer_watched(lgpio):
    parts = real_parts(lgpio, FakeClock())
    parts.infrared.start(lambda active, at_ns: None)
    lgpio.lines[PIR].mode = "output"
    with pytest.raises(OSError, match="somebody made its pin an output"):
        parts.infrared.watching()
    parts.close()


def test_a_light_that_is_bright_when_low_is_off_when_high(lgpio):
    opened = open_lgpio(lgpio)
    light = Led("light", LED, 100, opened, active_high=False)
    line = lgpio.lines[LED]
    assert (line.mode, line.level, light.level()) == ("output", 1, 0)
    light.set_level(1)
    assert (line.pwm, light.level()) == ((100, 0), 1)
    light.set_level(0)
    assert (line.level, line.pwm) == (1, None)
    light.close()
    opened.close()
