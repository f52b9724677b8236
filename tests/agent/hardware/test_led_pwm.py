"""The light on sysfs hardware PWM, over trees of files whose kernel refuses what the real one refuses."""

import errno
import threading

import pytest

from pi_agent.hardware.base import PartFailed, PartUnavailable
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    InfraredDriver,
    InfraredOptions,
    LightDriver,
    LightOptions,
    Mode,
)
from pi_agent.hardware.real import led_pwm
from pi_agent.hardware.real.led_pwm import PwmChannel, PwmLed
from tests.agent.hardware.trees import pwm_overlay, pwm_tree, write
from tests.support.clock import FakeClock

PI_5_PWM = "platform/axi/1000120000.pcie/1f00098000.pwm"


def opened(sysfs, gpio=18, **more):
    return PwmLed("light", gpio, 100, sysfs=sysfs, pause=lambda _: None, **more)


def channel(root, number=0, chip=0):
    folder = root / f"sys/class/pwm/pwmchip{chip}/pwm{number}"
    return {file.name: file.read_text().strip() for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("device", "gpio", "number"),
    [
        ("platform/soc/fe20c000.pwm", 18, 0),
        ("platform/soc/fe20c000.pwm", 12, 0),
        ("platform/soc/3f20c000.pwm", 19, 1),
        (PI_5_PWM, 18, 2),
        (PI_5_PWM, 13, 1),
    ],
)
def test_chip_and_channel_are_found_by_device_path_and_pin(tmp_path, device, gpio, number):
    light = opened(pwm_tree(tmp_path, device, files=2), gpio)
    assert (light.pin, light.level()) == (gpio, 0)
    light.set_level(0.25)
    assert channel(tmp_path, number, chip=2) == {
        "duty_cycle": "2500000",
        "period": "10000000",
        "enable": "1",
        "polarity": "normal",
    }
    assert light.level() == 0.25


def test_it_starts_no_thread_whatever_the_level(tmp_path):
    before = threading.active_count()
    light = opened(pwm_tree(tmp_path))
    light.set_level(0.5)
    assert threading.active_count() == before


def test_off_is_a_disabled_channel_and_a_closed_one_is_given_back(tmp_path):
    sysfs = pwm_tree(tmp_path)
    light = opened(sysfs)
    light.set_level(1)
    light.set_level(0)
    assert (channel(tmp_path)["enable"], channel(tmp_path)["duty_cycle"]) == ("0", "0")
    light.set_level(0.3)
    sysfs.lines.clear()
    light.close()
    light.close()
    assert sysfs.lines == [("duty_cycle", "0"), ("enable", "0"), ("unexport", "0")]


def test_an_inverted_light_is_dark_while_its_channel_is_enabled_and_stays_so(tmp_path):
    light = opened(pwm_tree(tmp_path), active_high=False)
    dark = {"duty_cycle": "0", "period": "10000000", "enable": "1", "polarity": "inversed"}
    assert channel(tmp_path) == dark
    light.set_level(0.5)
    assert light.level() == 0.5
    light.close()
    assert channel(tmp_path) == dark


def test_a_channel_that_a_killed_agent_left_bright_is_off_when_opened_again(tmp_path):
    sysfs = pwm_tree(tmp_path)
    opened(sysfs, active_high=False).set_level(1)  # never closed, with another polarity and a longer period
    light = PwmLed("light", 18, 1000, sysfs=sysfs)
    assert light.level() == 0
    assert channel(tmp_path) == {"duty_cycle": "0", "period": "1000000", "enable": "0", "polarity": "normal"}


def test_the_level_is_what_the_channel_says_not_what_was_asked(tmp_path):
    light = opened(pwm_tree(tmp_path))
    light.set_level(0.5)
    write(tmp_path, "sys/class/pwm/pwmchip0/pwm0/duty_cycle", "1000000\n")
    assert light.level() == 0.1
    write(tmp_path, "sys/class/pwm/pwmchip0/pwm0/enable", "0\n")
    assert light.level() == 0


def test_a_channel_that_is_taken_away_has_failed(tmp_path):
    sysfs = pwm_tree(tmp_path)
    light = opened(sysfs)
    sysfs.write("sys/class/pwm/pwmchip0/unexport", "0")
    for call in (light.level, lambda: light.set_level(0.5), lambda: light.set_level(0)):
        with pytest.raises(PartFailed, match="pwmchip0/pwm0"):
            call()
    light.close()


def test_the_files_of_a_fresh_channel_belong_to_the_group_a_moment_later(tmp_path, monkeypatch):
    sysfs, waited = pwm_tree(tmp_path), []
    monkeypatch.setattr(sysfs, "writable", lambda file: sum(waited) >= 0.3)
    PwmLed("light", 18, 100, sysfs=sysfs, pause=waited.append)
    assert 0.3 <= sum(waited) < 0.4


# What is missing, in words


def test_without_a_chip_the_overlay_line_is_named(tmp_path):
    with pytest.raises(PartUnavailable, match=r"config.txt: dtoverlay=pwm,pin=13,func=4 .*then reboot"):
        opened(pwm_tree(tmp_path, "platform/soc/other.pwm"), gpio=13)


def test_a_pin_without_hardware_pwm_is_refused_with_those_that_have_it(tmp_path):
    with pytest.raises(PartUnavailable, match=r"GPIO 17 has no hardware PWM; .* one of 12, 13, 18, 19"):
        opened(pwm_tree(tmp_path), gpio=17)


@pytest.mark.parametrize("pi_5", [False, True])
def test_an_overlay_for_another_pin_is_told(tmp_path, pi_5):
    sysfs = pwm_tree(tmp_path, PI_5_PWM if pi_5 else "platform/soc/fe20c000.pwm")
    pwm_overlay(tmp_path, (12, 13), pi_5=pi_5)
    with pytest.raises(PartUnavailable, match=r"the PWM overlay is for GPIO 12 and 13; set hardware.light.gpio"):
        opened(sysfs)
    opened(sysfs, gpio=12).close()


def test_the_analogue_sound_holds_the_pwm_of_an_old_pi(tmp_path):
    sysfs = pwm_tree(tmp_path, "platform/soc/3f20c000.pwm")
    write(tmp_path, "proc/asound/cards", " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n")
    with pytest.raises(PartUnavailable, match=r"held by the analogue sound; in config.txt set dtparam=audio=off"):
        opened(sysfs)


def test_a_pi_4_has_another_pwm_for_its_sound(tmp_path):
    write(tmp_path, "proc/asound/cards", " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n")
    opened(pwm_tree(tmp_path)).close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EBUSY, "channel 0 of .* is held by the kernel"),
        (errno.EACCES, "usermod -aG gpio"),
        (errno.ENODEV, "cannot be had: No such device"),
    ],
)
def test_a_channel_that_cannot_be_had_says_why(tmp_path, code, words):
    sysfs = pwm_tree(tmp_path)
    sysfs.fails["export"] = code
    with pytest.raises(PartUnavailable, match=words):
        opened(sysfs)


def test_files_that_stay_anothers_are_a_matter_of_groups(tmp_path, monkeypatch):
    sysfs = pwm_tree(tmp_path)
    monkeypatch.setattr(sysfs, "writable", lambda file: False)
    with pytest.raises(PartUnavailable, match=r"duty_cycle may not be written; .*usermod -aG gpio"):
        opened(sysfs)


def test_a_pwm_that_cannot_be_inverted_says_so(tmp_path):
    sysfs = pwm_tree(tmp_path)
    opened(sysfs)
    (tmp_path / "sys/class/pwm/pwmchip0/pwm0/polarity").unlink()
    with pytest.raises(PartUnavailable, match=r"set hardware.light.active_high to true"):
        opened(sysfs, active_high=False)


# Other chips


def test_a_chip_that_is_not_the_headers_is_named_by_its_device_path(tmp_path):
    sysfs = pwm_tree(tmp_path, "platform/soc/fe804000.i2c/i2c-1/1-0040")
    light = opened(sysfs, channel=PwmChannel("i2c-1/1-0040", 15))
    light.set_level(0.5)
    assert light.pin is None
    assert channel(tmp_path, 15)["duty_cycle"] == "5000000"
    with pytest.raises(PartUnavailable, match=r"ends with 1-0041 \(there is: 1-0040\); correct hardware.light.pwm_dev"):
        opened(sysfs, channel=PwmChannel("1-0041", 15))


def test_the_settings_choose_it(tmp_path, monkeypatch):
    sysfs = pwm_tree(tmp_path)
    monkeypatch.setattr("pi_agent.hardware.factory.Sysfs", lambda root: sysfs)
    options = HardwareOptions(
        mode=Mode.REAL,
        light=LightOptions(driver=LightDriver.PWM, frequency_hz=500),
        infrared=InfraredOptions(driver=InfraredDriver.NONE),
        climate=ClimateOptions(driver=ClimateDriver.NONE),
    )
    parts = build_parts(options, FakeClock(), root=tmp_path)  # needs no library for pins
    assert isinstance(parts.light, led_pwm.PwmLed)
    parts.light.set_level(1)
    assert channel(tmp_path)["period"] == "2000000"
    parts.close()
