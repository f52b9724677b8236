import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pi_agent.hardware.base import PartFailed
from pi_agent.hardware.real.host import Host

POWER = ("under_voltage", "under_voltage_seen", "throttled", "throttled_seen")
CARD = "sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa"
DISK = f"{CARD}/block/mmcblk0"
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
    write(
        tmp_path, "proc/self/mountinfo", "21 1 0:20 / /proc rw - proc proc rw\n24 1 179:2 / / rw - ext4 /dev/root rw\n"
    )
    write(tmp_path, f"{DISK}/mmcblk0p2/partition", "2\n")
    wrote(tmp_path, 1_000_000)
    (tmp_path / f"{DISK}/device").symlink_to(tmp_path / CARD)
    write(tmp_path, f"{CARD}/type", "SD\n")
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    (tmp_path / "sys/dev/block/179:2").symlink_to(tmp_path / f"{DISK}/mmcblk0p2")
    return tmp_path


def wrote(root, sectors):
    write(root, f"{DISK}/stat", f"  5000 10 90000 4000  7000 300 {sectors} 9000 0 6000 13000\n")


def test_a_pi_tells_everything(pi):
    reading = Host(pi).read()
    assert reading["cpu_load"] == 0.52
    assert reading["memory_used"] == pytest.approx(25)
    assert reading["uptime"] == 350735.47
    assert reading["cpu_temperature"] == 48.312
    assert [reading[name] for name in POWER] == [0, 0, 0, 0]
    assert 0 <= reading["disk_used"] <= 100


def test_the_disk_is_as_full_as_df_says(pi, monkeypatch):
    disk = SimpleNamespace(f_blocks=1000, f_bfree=300, f_bavail=250)
    monkeypatch.setattr(os, "statvfs", lambda root: disk)
    assert Host(pi).read()["disk_used"] == pytest.approx(100 * 700 / 950)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("50005\n", (1, 1, 1, 1)),  # under-voltage and throttled, now and before
        ("50000\n", (0, 1, 0, 1)),
        ("1\n", (1, 1, 0, 0)),  # now implies seen
        ("4\n", (0, 0, 1, 1)),
        ("a000a\n", (0, 0, 0, 0)),  # frequency caps and soft limits are no throttling
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
    assert [reading[name] for name in POWER] == [1, 1, 1, 1]


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


# The disk


def hours(root, uptime_h):
    write(root, "proc/uptime", f"{uptime_h * 3600:.2f} 1.00\n")


def test_what_is_written_in_a_day_is_measured_over_the_last_day(pi):
    hours(pi, 1)
    host = Host(pi)
    told = []
    for hour in range(2, 80):
        hours(pi, hour)
        per_hour = 2_000_000 if hour <= 40 else 4_000_000  # bytes
        wrote(pi, 1_000_000 + sum(2_000_000 if h <= 40 else 4_000_000 for h in range(2, hour + 1)) // 512)
        told.append((per_hour, host.read()["disk_written_per_day"]))
    assert told[20] == pytest.approx((2_000_000, 48.0), rel=0.05)
    assert told[-1] == pytest.approx((4_000_000, 96.0), rel=0.05)


def test_the_first_minutes_are_not_made_a_day_of(pi):
    host = Host(pi)
    wrote(pi, 1_000_000 + 5_000_000 // 512)
    assert host.read()["disk_written_per_day"] == pytest.approx(24 * 5, rel=0.01)


def test_an_sd_card_tells_nothing_of_its_age(pi):
    assert not {"disk_wear", "disk_end_of_life"} & set(Host(pi).quantities)


@pytest.mark.parametrize(
    ("life_time", "pre_eol", "expected"),
    [
        ("0x01 0x03", "0x01", {"disk_wear": 30, "disk_end_of_life": 0}),
        ("0x0b 0x01", "0x03", {"disk_wear": 110, "disk_end_of_life": 2}),
        ("0x00 0x00", "0x00", {}),  # a device that does not tell
        ("?", "0x02", {"disk_end_of_life": 1}),
    ],
)
def test_an_emmc_tells_its_age(pi, life_time, pre_eol, expected):
    write(pi, f"{CARD}/life_time", f"{life_time}\n")
    write(pi, f"{CARD}/pre_eol_info", f"{pre_eol}\n")
    reading = Host(pi).read()
    assert {name: reading[name] for name in ("disk_wear", "disk_end_of_life") if name in reading} == expected


def test_a_root_that_is_no_disk_tells_nothing_of_one(pi):
    write(pi, "proc/self/mountinfo", "24 1 0:25 / / rw - overlay overlay rw\n")
    assert not [name for name in Host(pi).quantities if name.startswith("disk_") and name != "disk_used"]
