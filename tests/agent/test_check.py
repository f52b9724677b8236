"""`pi-agent check` on trees of a Pi 3, 4, 5 and a PC: what is wrong is said in words, with what mends it."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pi_agent import cli
from pi_agent.check import report
from pi_agent.check.findings import Finding, State
from pi_agent.check.surroundings import Surroundings
from pi_agent.hardware.real.chips import Chip, Line
from tests.support.clock import FakeClock

PI_3 = ("Raspberry Pi 3 Model B Plus Rev 1.3", "pinctrl-bcm2835", 54)
PI_4 = ("Raspberry Pi 4 Model B Rev 1.4", "pinctrl-bcm2711", 58)
PI_5 = ("Raspberry Pi 5 Model B Rev 1.0", "pinctrl-rp1", 54)

SOUND = {"lgpio": "0.2.2.0", "rpi-lgpio": "0.6"}


class House:
    """A machine on disk, to be made wrong in one way by each test."""

    def __init__(self, root: Path, model: str = "", label: str = "", lines: int = 54) -> None:
        self.root = root
        self.clock = FakeClock()
        self.held: dict[int, str] = {}
        self.packages: dict[str, str] = dict(SOUND)
        self.modules = {"lgpio", "_lgpio"}
        self.labels: list[str | None] = ["raspberrypi-exp-gpio", label] if label else []
        self.lines = lines
        self.changes: dict[str, Any] = {"machine": "aarch64" if model else "x86_64"}
        self.settings: dict[str, str] = {
            "PI_AGENT_RELAY__URL": "http://127.0.0.1:1",
            "STATE_DIRECTORY": str(root / "state"),
        }
        self.put("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
        self.put("etc/group", "root:x:0:\ngpio:x:986:breathlight-agent\n")
        if model:
            self.put("proc/device-tree/model", model + "\0")
            self.put("boot/firmware/config.txt", "dtparam=audio=on\n[all]\n")
        (root / "state").mkdir()

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def line(self, offset: int) -> Line | None:
        if offset >= self.lines:
            return None
        return Line(offset in self.held, self.held.get(offset, ""))

    def look(self, config: Path | None = None, **settings: str) -> dict[str, Finding]:
        here = Surroundings(
            root=self.root,
            clock=self.clock,
            environ={**self.settings, **{f"PI_AGENT_{name}": value for name, value in settings.items()}},
            **{
                "user": "breathlight-agent",
                "groups": frozenset({"gpio"}),
                "bits": 64,
                "python": (3, 13),
                "version_of": self.packages.get,
                "has_module": self.modules.__contains__,
                "chips": lambda dev: [
                    Chip(dev / f"gpiochip{n}", label, self.line) for n, label in enumerate(self.labels)
                ],
                **self.changes,
            },
        )
        self.findings = report.check(here, config)
        # Of several under one name the worst is looked at.
        order = list(State)
        return {f.name: f for f in sorted(self.findings, key=lambda f: order.index(f.state))}


@pytest.fixture(params=[PI_3, PI_4, PI_5], ids=["pi-3", "pi-4", "pi-5"])
def pi(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(tmp_path, *request.param)


@pytest.fixture
def pi_4(tmp_path: Path) -> House:
    return House(tmp_path, *PI_4)


@pytest.fixture
def pc(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_sound_pi_has_nothing_to_mend_but_its_relay(pi: House) -> None:
    found = pi.look()
    assert [finding.name for finding in pi.findings if finding.state is not State.OK] == ["relay"]
    assert {"machine", "system", "python", "settings", "groups", "library", "overlays", "chip", "clock", "disk"} <= set(
        found
    )
    assert found["GPIO 18"].words == "light, position 12: free"
    assert found["chip"].words.startswith("gpiochip1 is pinctrl-")


def test_a_pc_that_simulates_is_not_asked_for_pins(pc: House) -> None:
    found = pc.look(HARDWARE__MODE="simulated")
    assert found["machine"].state is State.OK
    assert not {"chip", "library", "groups"} & set(found)


def test_a_pc_with_real_parts_is_told_what_it_lacks(pc: House) -> None:
    found = pc.look()
    assert found["machine"].state is State.WARN
    assert found["chip"].state is State.FAIL
    assert "simulated" in found["chip"].remedy


def wrong(state: State, name: str, words: str, remedy: str) -> Callable[[Mapping[str, Finding]], None]:
    def judge(found: Mapping[str, Finding]) -> None:
        finding = found[name]
        assert finding.state is state, finding
        assert words in finding.words
        assert remedy in (finding.remedy or "")

    return judge


MISHAPS: dict[str, tuple[Callable[[House], Any], Callable[[Mapping[str, Finding]], None]]] = {
    "a 32-bit system": (
        lambda pi: pi.changes.update(bits=32),
        wrong(State.FAIL, "system", "32-bit system on a 64-bit kernel", "Raspberry Pi OS Lite (64-bit)"),
    ),
    "an old Python": (
        lambda pi: pi.changes.update(python=(3, 9)),
        wrong(State.FAIL, "python", "3.9", "PYTHON=python3.13"),
    ),
    "not in the group": (
        lambda pi: pi.changes.update(user="ann", groups=frozenset({"ann"})),
        wrong(State.FAIL, "groups", "ann is not in the group gpio", "sudo usermod -aG gpio ann"),
    ),
    "no group": (
        lambda pi: pi.put("etc/group", "root:x:0:\n"),
        wrong(State.WARN, "groups", "no group gpio", "make install-agent"),
    ),
    "a chip that may not be opened": (
        lambda pi: pi.labels.__setitem__(slice(None), [None, None]),
        wrong(State.FAIL, "chip", "gpiochip0 (no access)", "sudo pi-agent check"),
    ),
    "the empty stub": (
        lambda pi: (pi.modules.discard("_lgpio"), pi.packages.update(lgpio="0.0.0.2")),
        wrong(State.FAIL, "library", "empty stub", "apt install -y python3-lgpio"),
    ),
    "no library": (
        lambda pi: pi.modules.clear(),
        wrong(State.FAIL, "library", "not installed", "python3-lgpio"),
    ),
    "both libraries under one name": (
        lambda pi: pi.packages.update({"RPi.GPIO": "0.7.1"}),
        wrong(State.FAIL, "RPi.GPIO", "both installed", "apt purge python3-rpi.gpio"),
    ),
    "a pin of the 1-Wire driver": (
        lambda pi: pi.held.update({4: "onewire@0"}) or pi.put("boot/firmware/config.txt", ""),
        lambda found: None,
    ),
    "a pin that another program holds": (
        lambda pi: pi.held.update({18: "fan-control"}),
        wrong(State.FAIL, "GPIO 18", "held by fan-control", "[hardware.light]"),
    ),
    "a pin that another agent's library holds": (
        lambda pi: pi.held.update({23: "lg"}),
        wrong(State.FAIL, "GPIO 23", "held by lg", "ps ax"),
    ),
    "an overlay on our pin": (
        lambda pi: pi.put("boot/firmware/config.txt", "dtoverlay=w1-gpio\n"),
        wrong(State.FAIL, "overlays", "w1-gpio takes GPIO 4, which the climate", "config.txt"),
    ),
    "an overlay on our pin by parameter": (
        lambda pi: pi.put("boot/firmware/config.txt", "dtoverlay=gpio-fan,gpiopin=18,temp=60000 # cool\n"),
        wrong(State.FAIL, "overlays", "gpio-fan takes GPIO 18, which the light", "hardware.light"),
    ),
    "the clock": (
        lambda pi: setattr(pi.clock, "is_synchronised", False),
        wrong(State.WARN, "clock", "nobody has set it", "timedatectl"),
    ),
    "too little voltage": (
        lambda pi: pi.put("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
        wrong(State.FAIL, "power", "too low right now", "supply"),
    ),
    "too little voltage before": (
        lambda pi: pi.put("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n"),
        wrong(State.WARN, "power", "since the start", "supply"),
    ),
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_mishap_is_named_with_its_remedy(mishap: str, pi_4: House) -> None:
    spoil, judge = MISHAPS[mishap]
    spoil(pi_4)
    judge(pi_4.look())


def test_what_the_running_agent_holds_is_its_own(pi_4: House) -> None:
    pi_4.put("proc/4711/cmdline", "/opt/breathlight/agent/current/bin/python\0/opt/b/bin/pi-agent\0run\0")
    pi_4.held = {18: "lg", 23: "lg", 4: "somebody"}
    found = pi_4.look()
    assert "held by the running agent (process 4711)" in found["GPIO 18"].words
    assert found["GPIO 4"].state is State.FAIL


def test_an_overlay_for_another_board_is_not_ours(pi_4: House) -> None:
    pi_4.put(
        "boot/firmware/config.txt", "[pi5]\ndtoverlay=w1-gpio\n[none]\ndtoverlay=pwm\n[all]\ndtoverlay=vc4-kms-v3d\n"
    )
    assert pi_4.look()["overlays"].words == "vc4-kms-v3d"


def test_hardware_pwm_and_analogue_audio_exclude_each_other_but_on_a_pi_5(pi: House) -> None:
    pi.put("boot/firmware/config.txt", "dtparam=audio=on\ndtoverlay=pwm,pin=12,func=4\n")
    expected = State.OK if "Pi 5" in pi.root.joinpath("proc/device-tree/model").read_text() else State.WARN
    assert pi.look()["overlays"].state is expected


def test_rpi_gpio_cannot_drive_a_pi_5(pi: House) -> None:
    pi.packages = {"RPi.GPIO": "0.7.1"}
    expected = State.FAIL if "Pi 5" in pi.root.joinpath("proc/device-tree/model").read_text() else State.OK
    assert pi.look(HARDWARE__PINS="rpigpio")["library"].state is expected


def test_wrong_settings_do_not_hide_the_machine(pi_4: House, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("[relay]\nurls = 'x'\n", encoding="utf-8")
    found = pi_4.look(config)
    assert "relay.urls" in found["settings"].words
    assert found["machine"].state is State.OK
    assert not report.passed(pi_4.findings)


def test_a_state_directory_that_may_not_be_written_is_told(pi_4: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "cannot be written" in pi_4.look()["disk"].words


def test_the_table_puts_the_remedy_below_and_colours_only_a_terminal(pi_4: House) -> None:
    pi_4.look()
    plain = list(report.lines(pi_4.findings, colours=False))
    assert "\x1b" not in "".join(plain)
    at = next(number for number, line in enumerate(plain) if line.startswith("✗ relay"))
    assert plain[at + 1].strip().startswith("→ ")
    assert "\x1b[31m✗" in "".join(report.lines(pi_4.findings, colours=True))

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert report.coloured(Terminal(), {})
    assert not report.coloured(Terminal(), {"NO_COLOR": "1"})
    assert not report.coloured(io.StringIO(), {})


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_exit_code_tells_whether_something_must_be_mended(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PI_AGENT_HARDWARE__MODE", "simulated")
    monkeypatch.setenv("PI_AGENT_RELAY__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert cli.main(["check", *(["--json"] if form == "json" else [])]) == 1
    out = capsys.readouterr().out
    if form == "json":
        answer = json.loads(out)
        assert answer["ok"] is False
        assert {"name", "state", "words", "remedy"} == set(answer["findings"][0])
    else:
        assert "1 to mend" in out


def test_settings_that_cannot_be_read_are_a_finding_of_the_program_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert cli.main(["check", "--config", str(tmp_path / "none.toml")]) == 1
    assert "✗ settings" in capsys.readouterr().out
