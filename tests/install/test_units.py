"""The unit files, as systemd itself reads them: they verify without a word, and expose little."""

import configparser
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
MOST_EXPOSED = {"pi-agent.service": 20, "pi-relay.service": 15, "pi-relay@.service": 15, "pi-relay-backup.service": 15}

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes users in a directory of its own, as root")


def laid_down(directory: Path) -> list[Path]:
    """Copies of all units whose programs are there: systemd looks whether they can be run."""
    program = directory / "program"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    units = []
    for unit in [*SERVICES, *SYSTEMD.glob("*.timer")]:
        text = re.sub(r"/opt/breathlight/\S+", str(program), unit.read_text(encoding="utf-8"))
        # A template is verified as one of its instances.
        copy = directory / unit.name.replace("@.", "@5001.")
        copy.write_text(text, encoding="utf-8")
        units.append(copy)
    return units


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "SYSTEMD_LOG_LEVEL": "warning"}
    return subprocess.run(["systemd-analyze", *arguments], env=environ, capture_output=True, text=True, timeout=60)


def section(unit: str, name: str = "Service") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current = ""
    for line in (SYSTEMD / unit).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == name and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@needs_analyze
def test_verify_prints_nothing(tmp_path: Path) -> None:
    done = analyze("verify", "--man=no", *map(str, laid_down(tmp_path)))
    # It exits 0 on bad units: what it prints is the verdict.
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_analyze
def test_verify_would_say_what_is_wrong(tmp_path: Path) -> None:
    unit = next(copy for copy in laid_down(tmp_path) if copy.name == "pi-agent.service")
    unit.write_text(unit.read_text(encoding="utf-8") + "\n[Service]\nWatchdogSecs=1\n", encoding="utf-8")
    assert "WatchdogSecs" in analyze("verify", "--man=no", str(unit)).stderr


@needs_analyze
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_sandbox_is_tight(unit: Path, tmp_path: Path) -> None:
    (copy,) = [copy for copy in laid_down(tmp_path) if copy.name.replace("@5001.", "@.") == unit.name]
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED[unit.name]}", str(copy))
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overall exposure level" in done.stdout + done.stderr


@pytest.mark.parametrize("unit", ["pi-agent.service", "pi-relay.service", "pi-relay@.service"])
def test_a_service_reports_is_watched_and_comes_back_for_ever(unit: str) -> None:
    service = section(unit)
    assert service["Type"] == ["notify"]
    assert service["Restart"] == ["always"]
    assert int(service["WatchdogSec"][0]) <= 30
    assert section(unit, "Unit")["StartLimitIntervalSec"] == ["0"]
    assert service["User"] != ["root"]


def test_a_dead_agent_leaves_safe_outputs_to_another_process() -> None:
    assert section("pi-agent.service")["ExecStopPost"][0].endswith("pi-agent safe --config /etc/breathlight/agent.toml")


def test_the_agent_does_not_wait_for_network_or_clock() -> None:
    assert "After" not in section("pi-agent.service", "Unit")


def test_the_token_is_a_credential() -> None:
    service = section("pi-agent.service")
    assert service["LoadCredential"] == ["token:/etc/breathlight/agent.token"]
    # Without the file the service starts all the same.
    assert service["SetCredential"][0].startswith("token:")


def test_the_agent_sees_the_chips_and_no_other_device() -> None:
    service = section("pi-agent.service")
    assert service["DevicePolicy"] == ["closed"]
    assert service["DeviceAllow"] == ["char-gpiochip rw"]
    assert "PrivateDevices" not in service
    assert "ProtectKernelTunables" not in service


def test_a_worker_is_the_relay_on_a_port_of_its_own() -> None:
    one, many = section("pi-relay.service"), section("pi-relay@.service")
    assert many.pop("ExecStart") == [f"{one.pop('ExecStart')[0]} --port %i"]
    assert one == many


def test_every_restriction_of_the_agent_that_is_left_out_has_its_reason() -> None:
    text = (SYSTEMD / "pi-agent.service").read_text(encoding="utf-8")
    for left_out in ("ProtectKernelTunables=yes", "ProcSubset=pid", "PrivateUsers=yes", "PrivateDevices="):
        assert re.search(rf"^#.*{left_out}", text, re.MULTILINE), left_out


@needs_root
@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_users_and_directories_are_made(tmp_path: Path) -> None:
    for tool, source in (("sysusers", "breathlight.sysusers"), ("tmpfiles", "breathlight.tmpfiles")):
        (tmp_path / f"usr/lib/{tool}.d").mkdir(parents=True)
        shutil.copy(SYSTEMD / source, tmp_path / f"usr/lib/{tool}.d/breathlight.conf")
    (tmp_path / "etc").mkdir()
    sysusers = ["systemd-sysusers", f"--root={tmp_path}", "breathlight.conf"]
    tmpfiles = ["systemd-tmpfiles", f"--root={tmp_path}", "--create", "breathlight.conf"]
    for command in (sysusers, tmpfiles, sysusers, tmpfiles):  # twice: both may run at every boot
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
    uids = {
        line.split(":")[0]: int(line.split(":")[2])
        for line in (tmp_path / "etc/passwd").read_text(encoding="utf-8").splitlines()
    }
    for service in ("agent", "relay"):
        state = (tmp_path / "var/lib/breathlight" / service).stat()
        assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (uids[f"breathlight-{service}"], 0o700)
    assert "gpio:" in (tmp_path / "etc/group").read_text(encoding="utf-8")


def backup(state: Path, program: Path, keep: int) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(state), "BREATHLIGHT_BACKUPS": str(keep)}
    return subprocess.run([program], env=environ, capture_output=True, text=True, timeout=30)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The backup program beside a `pi-relay` that writes a file, or fails when told so."""
    (tmp_path / "share").mkdir()
    (tmp_path / "bin").mkdir()
    program = Path(shutil.copy(SYSTEMD / "pi-relay-backup", tmp_path / "share/backup"))
    relay = tmp_path / "bin/pi-relay"
    relay.write_text(
        '#!/bin/sh\n[ -e "$STATE_DIRECTORY/broken" ] && exit 1\nfor last; do :; done\necho kept > "$last"\n',
        encoding="utf-8",
    )
    relay.chmod(0o755)
    return program


def test_backups_rotate_and_none_goes_before_a_new_one_is_whole(tmp_path: Path, installed: Path) -> None:
    state = tmp_path / "state"
    backups = state / "backups"
    backups.mkdir(parents=True)
    old = [f"relay-2026-01-{day:02d}T03-30-00Z.backup" for day in range(1, 6)]
    for name in old:
        (backups / name).write_text("old", encoding="utf-8")
    (backups / "relay-cut-off.backup.part").write_text("half", encoding="utf-8")
    assert backup(state, installed, 3).returncode == 0
    kept = sorted(file.name for file in backups.iterdir())
    assert kept[:2] == old[-2:]
    assert len(kept) == 3
    assert (backups / kept[-1]).read_text(encoding="utf-8") == "kept\n"

    (state / "broken").touch()
    assert backup(state, installed, 1).returncode != 0
    assert sorted(file.name for file in backups.iterdir()) == kept


def test_the_timer_catches_up() -> None:
    timer = configparser.ConfigParser(strict=False, interpolation=None)
    timer.optionxform = str  # type: ignore[assignment,method-assign]
    timer.read(SYSTEMD / "pi-relay-backup.timer")
    assert timer["Timer"]["Persistent"] == "yes"
    assert timer["Install"]["WantedBy"] == "timers.target"
