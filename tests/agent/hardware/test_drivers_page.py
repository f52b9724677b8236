"""docs/drivers.md is true: what it shows is run as its reader would run it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "drivers.md"

OPENS = """
import sys, tomllib
from pathlib import Path
from pi_agent.hardware.factory import build_parts
from pi_agent.settings import read_settings
from shared.clock import SystemClock
settings = read_settings(Path("agent.toml"), {
    "PI_AGENT_HARDWARE__LIGHT__DRIVER": "none", "PI_AGENT_HARDWARE__INFRARED__DRIVER": "none",
    "PI_AGENT_HARDWARE__CLIMATE__DRIVER": "none", "PI_AGENT_HARDWARE__HOST__ENABLED": "false",
})
parts = build_parts(settings.hardware, SystemClock(), root=Path("pi"))
import json
print(json.dumps({sensor.name: dict(sensor.read()) for sensor in parts.sensors}))
parts.close()
"""


@pytest.fixture
def package(tmp_path):
    """The files that the page shows, installed as pip leaves them."""
    for name, body in re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        (tmp_path / name).write_text(body, encoding="utf-8")
    info = tmp_path / "bme280_driver-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bme280-driver\nVersion: 1.0\n", encoding="utf-8")
    point = re.search(r'\[project.entry-points."(\S+)"\]\n(\w+) = "(\S+)"', (tmp_path / "pyproject.toml").read_text())
    (info / "entry_points.txt").write_text(f"[{point[1]}]\n{point[2]} = {point[3]}\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").unlink()  # pytest would take it for its settings
    return tmp_path


def run(package, *words):
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(package)}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=package, env=environ, capture_output=True, text=True, timeout=60)


def test_the_authors_own_tests_pass(package):
    ran = run(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bme280_driver.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "10 passed" in ran.stdout


def test_the_agent_finds_it_by_its_entry_point_and_takes_its_settings(package):
    device = package / "pi/sys/bus/iio/devices/iio:device0"
    device.mkdir(parents=True)
    for name, content in {"name": "bme280", "in_temp_input": "-1500", "in_humidityrelative_input": "80000"}.items():
        (device / name).write_text(f"{content}\n")
    ran = run(package, "-c", OPENS)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"bme280.balcony": {"temperature.balcony": -1.5, "humidity.balcony": 80.0}}


def test_where_the_part_is_missing_its_own_words_are_told(package):
    ran = run(package, "-c", OPENS)
    assert "bme280: the kernel has no BME280; add to /boot/firmware/config.txt" in ran.stderr
