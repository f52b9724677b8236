"""Install, upgrade, rollback and uninstall into a root of their own, with a program that can be made bad.

The installer is the real one, and so are pip and the environments; the program is small, and systemd is played.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BACKEND = """
import zipfile

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(directory, config_settings=None, metadata_directory=None):
    from pathlib import Path
    name = "breathlight-VERSION-py3-none-any.whl"
    info = "breathlight-VERSION.dist-info"
    with zipfile.ZipFile(Path(directory) / name, "w") as wheel:
        for package in ("pi_agent", "server", "shared"):
            for file in sorted(Path(package).glob("*.py")):
                wheel.write(file)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: breathlight\\nVersion: VERSION\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\\npi-agent = pi_agent.__main__:main\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
PROGRAM = """
import os, socket, sys, time

def tell(what):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(what, os.environ["NOTIFY_SOCKET"])

def main():
    mood = "MOOD"
    if mood == "exits at once":
        return 3
    if mood == "is never ready":
        time.sleep(600)
    tell(b"READY=1")
    if mood == "falls over soon":
        time.sleep(1.5)
        return 4
    while True:
        time.sleep(0.2)
        if mood != "starves its watchdog":
            tell(b"WATCHDOG=1")
"""
EXAMPLE = """
def example(kind):
    return "[relay]\\n#url = 'x'\\n[hardware.light]\\n[hardware.infrared]\\n[hardware.climate]\\n"
"""


class House:
    """A checkout, and a root to install it into."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.source = directory / "source"
        self.systemd = directory / "systemd"
        for place in (self.root, self.systemd, self.source / ".locks", self.source / "docs"):
            place.mkdir(parents=True)
        shutil.copytree(PROJECT / "systemd", self.source / "systemd", ignore=shutil.ignore_patterns("__pycache__"))
        (self.source / ".locks/pi.txt").touch()
        (self.source / "docs/pi.md").touch()
        for file in ("README.md", "LICENSE"):
            (self.source / file).touch()
        for package in ("pi_agent", "server", "shared"):
            (self.source / package).mkdir()
            (self.source / package / "__init__.py").touch()
        (self.source / "shared/example.py").write_text(EXAMPLE, encoding="utf-8")
        (self.source / "pi_agent/settings.py").write_text("AgentSettings = None\n", encoding="utf-8")
        (self.source / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["shared"]\n'
            '[project]\nname = "breathlight"\nversion = "0"\n',
            encoding="utf-8",
        )
        self.write("1.0.0")

    def write(self, version: str, mood: str = "works") -> None:
        """The checkout is now another version."""
        (self.source / "shared/__init__.py").write_text(f'VERSION = "{version}"\n', encoding="utf-8")
        (self.source / "shared/backend.py").write_text(BACKEND.replace("VERSION", version), encoding="utf-8")
        (self.source / "pi_agent/__main__.py").write_text(PROGRAM.replace("MOOD", mood), encoding="utf-8")

    @property
    def environ(self) -> dict[str, str]:
        fakes = {
            "SYSTEMCTL": str(Path(__file__).with_name("fake_systemctl.py")),
            "FAKE_SYSTEMD": str(self.systemd),
            "FAKE_ROOT": str(self.root),
        }
        return {**os.environ, **fakes}

    def command(self, action: str, *options: str) -> list[str]:
        return [
            sys.executable,
            "-B",
            str(self.source / "systemd/installer"),
            action,
            "agent",
            "--root",
            str(self.root),
            "--watch=2.2",
            *options,
        ]

    def run(self, action: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(action, *options),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def home(self) -> Path:
        return self.root / "opt/breathlight/agent"

    def link(self, name: str) -> str:
        """The version that a link leads to."""
        return (self.home / name).readlink().name.partition("-")[0]

    @property
    def state(self) -> dict[str, str]:
        return json.loads((self.systemd / "pi-agent.service.json").read_text(encoding="utf-8"))

    def running(self) -> str:
        """The version of the running process."""
        command = Path(f"/proc/{self.state['MainPID']}/cmdline").read_text(encoding="utf-8").split("\0")
        # Started by way of the link: where that led then, the process's own interpreter tells.
        return Path(command[0]).parents[1].name.partition("-")[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.run("uninstall")


def test_install_upgrade_and_rollback(house: House) -> None:
    first = house.run("install", "--relay=http://relay.lan:5000")
    assert first.returncode == 0, first.stdout + first.stderr
    assert house.state["ActiveState"] == "active"
    assert (house.link("current"), house.running()) == ("1.0.0", "1.0.0")
    settings = house.root / "etc/breathlight/agent.toml"
    assert 'url = "http://relay.lan:5000"' in settings.read_text(encoding="utf-8")
    settings.write_text(settings.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")

    again = house.run("install")
    assert again.returncode == 0
    assert "is there already" in again.stdout
    assert len(list(house.home.glob("1.0.0-*"))) == 1

    house.write("1.1.0")
    assert house.run("install").returncode == 0
    assert (house.link("current"), house.link("previous"), house.running()) == ("1.1.0", "1.0.0", "1.1.0")
    assert settings.read_text(encoding="utf-8").endswith("# mine\n")

    assert house.run("rollback").returncode == 0
    assert (house.link("current"), house.running()) == ("1.0.0", "1.0.0")


@pytest.mark.parametrize("mood", ["falls over soon", "starves its watchdog"])
def test_an_upgrade_that_does_not_work_is_taken_back(house: House, mood: str) -> None:
    assert house.run("install").returncode == 0
    house.write("1.1.0", mood)
    failed = house.run("install")
    assert failed.returncode == 1
    assert "1.0.0" in failed.stdout
    assert "works again" in failed.stdout
    assert (house.link("current"), house.running()) == ("1.0.0", "1.0.0")
    assert house.state["ActiveState"] == "active"


def test_a_first_install_that_does_not_work_says_so_and_stays(house: House) -> None:
    house.write("1.0.0", "exits at once")
    failed = house.run("install")
    assert failed.returncode == 1
    assert "no earlier release" in failed.stdout
    assert house.link("current") == "1.0.0"


def test_a_terminated_upgrade_is_taken_back(house: House) -> None:
    assert house.run("install").returncode == 0
    house.write("1.1.0")
    upgrade = subprocess.Popen(house.command("install"), env=house.environ, stdout=subprocess.DEVNULL)
    while house.link("current") != "1.1.0":
        assert upgrade.poll() is None
        time.sleep(0.02)
    upgrade.send_signal(signal.SIGTERM)
    assert upgrade.wait(60) == 1
    assert (house.link("current"), house.running()) == ("1.0.0", "1.0.0")


def test_a_killed_installer_leaves_a_whole_release_and_the_next_one_finishes(house: House) -> None:
    assert house.run("install").returncode == 0
    dice = random.Random(7)
    for number in range(4):
        house.write(f"1.{number + 1}.0")
        upgrade = subprocess.Popen(
            house.command("install"), env=house.environ, stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(dice.uniform(0.1, 6.0))
        os.killpg(upgrade.pid, signal.SIGKILL)
        upgrade.wait()
        current = house.home / "current"
        assert (current / "release.json").exists()
        assert (current / "bin/pi-agent").exists()
    done = house.run("install")
    assert done.returncode == 0, done.stdout
    assert (house.link("current"), house.running()) == ("1.4.0", "1.4.0")
    # Nothing half-made is left, and of the old ones only some.
    left = [path for path in house.home.iterdir() if not path.is_symlink()]
    assert all((path / "release.json").exists() for path in left)
    assert len(left) <= 4


def test_uninstall_keeps_data_and_settings_and_purge_does_not(house: House) -> None:
    assert house.run("install").returncode == 0
    kept = house.root / "var/lib/breathlight/agent/outbox.db"
    kept.write_text("events", encoding="utf-8")
    assert house.run("uninstall").returncode == 0
    assert kept.read_text(encoding="utf-8") == "events"
    assert (house.root / "etc/breathlight/agent.toml").exists()
    for gone in ("opt/breathlight/agent", "etc/systemd/system/pi-agent.service", "usr/local/bin/pi-agent"):
        assert not (house.root / gone).exists(), gone
    calls = (house.systemd / "calls").read_text(encoding="utf-8")
    assert "stop pi-agent.service" in calls
    assert "disable --quiet pi-agent.service" in calls

    assert house.run("uninstall", "--purge=1").returncode == 0
    assert not kept.exists()
    assert not (house.root / "etc/breathlight/agent.toml").exists()


def test_two_installers_do_not_meet(house: House) -> None:
    first = subprocess.Popen(house.command("install"), env=house.environ, stdout=subprocess.DEVNULL)
    while not (house.root / "opt/breathlight/.lock").exists():
        time.sleep(0.02)
    time.sleep(0.3)
    second = house.run("install")
    assert (second.returncode, "another installer" in second.stdout) == (1, True)
    assert first.wait(60) == 0


def test_rolling_back_from_nothing_is_refused_in_words(house: House) -> None:
    refused = house.run("rollback")
    assert refused.returncode == 1
    assert "no other release" in refused.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may install into the system")
def test_the_system_itself_needs_root(house: House) -> None:
    done = subprocess.run(house.command("install")[:-3], env=house.environ, capture_output=True, text=True)
    assert (done.returncode, "sudo make install-agent" in done.stdout) == (1, True)
