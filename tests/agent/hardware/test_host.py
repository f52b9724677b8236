import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pi_agent.hardware.base import PartFailed
from pi_agent.hardware.real.host import Host

POWER = ("under_voltage", "under_voltage_seen", "throttled")
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


def write(root: Path, name: str, text: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")
    return file


@pytest.fixture
def pi(tmp_path):
    """The files of a Pi 4, as its kernel writes them."""
    write(tmp_path, "proc/loadavg", "0.52 0.58 0.59 1/176 12345\n")
    write(tmp_path, "proc/uptime", "350735.47 234388.90\n")
    write(
        tmp_path,
        "proc/meminfo",
        "MemTotal:  2000000 kB\nMemFree:  100000 kB\nMemAvailable:  1500000 kB\nHugePages_Total:  0\n",
    )
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312\n")
    write(tmp_path, FIRMWARE, "0\n")
    return tmp_path


def test_a_pi_tells_everything(pi):
    reading = Host(pi).read()
    assert reading["cpu_load"] == 0.52
    assert reading["memory_used"] == pytest.approx(25)
    assert reading["uptime"] == 350735.47
    assert reading["cpu_temperature"] == 48.312
    assert [reading[name] for name in POWER] == [0, 0, 0]
    assert 0 <= reading["disk_used"] <= 100


def test_the_disk_is_as_full_as_df_says(pi, monkeypatch):
    disk = SimpleNamespace(f_blocks=1000, f_bfree=300, f_bavail=250)
    monkeypatch.setattr(os, "statvfs", lambda root: disk)
    assert Host(pi).read()["disk_used"] == pytest.approx(100 * 700 / 950)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("50005\n", (1, 1, 1)),  # under-voltage and throttled, now and before
        ("50000\n", (0, 1, 0)),
        ("1\n", (1, 1, 0)),  # now implies seen
        ("e0008\n", (0, 0, 0)),  # frequency caps and soft limits are no throttling
    ],
)
def test_the_firmwares_flags_are_decoded(pi, flags, expected):
    write(pi, FIRMWARE, flags)
    reading = Host(pi).read()
    assert tuple(reading[name] for name in POWER) == expected


def test_an_under_voltage_once_seen_stays_seen_though_the_kernel_clears_it(pi):
    host = Host(pi)
    seen = []
    for flags in ("0", "10000", "0"):
        write(pi, FIRMWARE, flags)
        seen.append(host.read()["under_voltage_seen"])
    assert seen == [0, 1, 1]


def test_a_pi_5_has_the_flags_elsewhere(pi):
    (pi / FIRMWARE).unlink()
    write(pi, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "50005\n")
    reading = Host(pi).read()
    assert [reading[name] for name in POWER] == [1, 1, 1]


def test_without_the_flags_the_voltage_sensor_is_asked(pi):
    (pi / FIRMWARE).unlink()
    write(pi, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    write(pi, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    alarm = write(pi, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    host = Host(pi)
    assert host.read()["under_voltage"] == 1
    alarm.write_text("0\n", encoding="ascii")
    reading = host.read()
    assert (reading["under_voltage"], reading["under_voltage_seen"]) == (0, 1)
    assert "throttled" not in reading


def test_a_pc_tells_its_cpu_by_its_sensor_chip_and_no_power_flags(pi):
    (pi / FIRMWARE).unlink()
    write(pi, "sys/class/thermal/thermal_zone0/type", "iwlwifi_1\n")
    write(pi, "sys/class/hwmon/hwmon0/name", "nvme\n")
    write(pi, "sys/class/hwmon/hwmon0/temp1_input", "99000\n")
    write(pi, "sys/class/hwmon/hwmon1/name", "k10temp\n")
    write(pi, "sys/class/hwmon/hwmon1/temp1_input", "51500\n")
    reading = Host(pi).read()
    assert reading["cpu_temperature"] == 51.5
    assert not set(POWER) & set(reading)


def test_what_a_machine_cannot_tell_is_not_among_its_quantities(tmp_path):
    write(tmp_path, "proc/uptime", "1.00 1.00\n")
    write(tmp_path, "proc/meminfo", "garbage\n")
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")  # with no temperature in it
    host = Host(tmp_path)
    assert set(host.quantities) == set(host.read()) == {"uptime", "disk_used"}


def test_what_was_there_at_the_start_and_is_gone_is_a_failure(pi):
    host = Host(pi)
    (pi / "sys/class/thermal/thermal_zone0/temp").unlink()
    with pytest.raises(PartFailed, match="host: cpu_temperature can no longer be read"):
        host.read()


def test_this_very_machine_can_be_read():
    host = Host()
    reading = host.read()
    assert {"cpu_load", "memory_used", "disk_used", "uptime"} <= set(reading)
    assert all(math.isfinite(value) for value in reading.values())
