"""Settings, the command line and workers: what surrounds the agent."""

import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import pi_agent.cli
from pi_agent.settings import (
    AgentSettings,
    OutboxOptions,
    RelayOptions,
    outbox_path,
    read_settings,
    read_token,
)
from pi_agent.workers import Worker
from shared import VERSION
from shared.settings import SettingsError, names
from tests.support.clock import FakeClock
from tests.support.outbox import open_outbox, sample


@pytest.fixture
def program(tmp_path, monkeypatch, capsys):
    """`pi-agent` in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PI_AGENT_HARDWARE__MODE", "simulated")
    monkeypatch.setattr(pi_agent.cli.logs, "configure", lambda *_, **__: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = pi_agent.cli.main(arguments)
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


# --- settings --------------------------------------------------------------------------------------------------------


def test_every_setting_is_described() -> None:
    for name, field in names(AgentSettings):
        assert "description=" in repr(field.type), name


def test_the_defaults_are_the_contracts() -> None:
    settings = read_settings(None, {})
    assert (settings.sample_interval_s, settings.status_interval_s) == (30, 10)
    assert settings.relay.url == "http://127.0.0.1:5000"
    assert settings.uplink.longest_delay_s == 30


def test_the_environment_wins_over_the_file(tmp_path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('device = "pi-1"\n[relay]\nurl = "http://a:1"\n')
    settings = read_settings(file, {"PI_AGENT_RELAY__URL": "http://b:2", "OTHER": "x"})
    assert (settings.device, settings.relay.url) == ("pi-1", "http://b:2")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PI_AGENT_RELAY__URL", "relay.local", "http://HOST:PORT"),
        ("PI_AGENT_DEVICE", "my pi", "letters, digits"),
        ("PI_AGENT_SAMPLE_INTERVAL_S", "0", "0.02"),
        ("PI_AGENT_SAMPLE_INTERVAL", "1", "did you mean PI_AGENT_SAMPLE_INTERVAL_S"),
        ("PI_AGENT_OUTBOX__MAX_BYTES", "10", "1048576"),
        ("PI_AGENT_HARDWARE__LIGHT__GPIO", "40", "header"),
        ("PI_AGENT_LOG__LEVEL", "loud", "loud"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line_that_names_it(program, monkeypatch, variable, value, words) -> None:
    monkeypatch.setenv(variable, value)
    code, out, err = program("run")
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


def test_a_token_comes_from_a_setting_or_from_a_file_and_never_from_both(tmp_path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert read_token(RelayOptions(token_file=str(file))) == "s3cret"
    assert read_token(RelayOptions(token="t")) == "t"
    assert read_token(RelayOptions()) is None
    with pytest.raises(ValueError, match="not both"):
        RelayOptions(token="t", token_file="f")


@pytest.mark.parametrize(("content", "token"), [(None, None), ("\n", None), ("s3cret\n", "s3cret")])
def test_a_token_comes_from_systemds_credential_where_nothing_is_set(tmp_path, content, token) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_token(RelayOptions(), environ) == token
    assert read_token(RelayOptions(token="set"), environ) == "set"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_without_a_token_is_refused(tmp_path, content) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"relay\.token_file"):
        read_token(RelayOptions(token_file=str(file)))


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/home/pi"}, "/var/lib/a/outbox.db"),
        ({"XDG_STATE_HOME": "/xdg", "HOME": "/home/pi"}, "/xdg/breathlight/outbox.db"),
        ({"HOME": "/home/pi"}, "/home/pi/.local/state/breathlight/outbox.db"),
    ],
)
def test_the_outbox_is_in_the_state_directory(environ, path) -> None:
    assert outbox_path(OutboxOptions(), environ) == Path(path)
    assert outbox_path(OutboxOptions(path="/data/o.db"), environ) == Path("/data/o.db")


def test_a_hosts_name_becomes_a_devices_name(monkeypatch) -> None:
    for host, name in (("raspberrypi", "raspberrypi"), ("my pi!", "my-pi-"), ("--", "pi"), ("x" * 80, "x" * 63)):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        assert AgentSettings().device_name == name


# --- command line ----------------------------------------------------------------------------------------------------


def test_version_and_help_are_told_without_loading_the_agent(program) -> None:
    assert program("--version") == (0, f"pi-agent {VERSION}\n", "")
    code, out, _ = program("--help")
    assert code == 0
    for words in ("examples:", "pi-agent run", "pi-agent sense", "pi-agent outbox", "exit codes"):
        assert words in out
    probe = "import sys, pi_agent.cli; sys.exit(any(m in sys.modules for m in ('socketio', 'apscheduler', 'gpiozero')))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_sense_reads_every_part_once(program) -> None:
    code, out, err = program("sense", "--json")
    assert (code, err) == (0, "")
    readings = json.loads(out)
    assert 10 < readings["temperature"] < 35
    assert {"humidity", "light", "motion"} <= set(readings)
    code, out, _ = program("sense")
    assert "°C" in out


def test_sense_names_the_part_that_fails(program, monkeypatch) -> None:
    monkeypatch.setenv("PI_AGENT_HARDWARE__SIMULATION__FAULTS", '[{part = "climate", kind = "dead"}]')
    code, out, err = program("sense", "--json")
    assert code == 1
    assert json.loads(out)["temperature"] is None
    assert "does not answer" in json.loads(out)["errors"]["dht22"]
    code, _, err = program("sense")
    assert code == 1
    assert "dht22: " in err


def test_outbox_shows_what_waits(program, tmp_path) -> None:
    code, out, err = program("outbox")
    assert (code, out) == (1, "")
    assert err.startswith("pi-agent: there is no outbox")
    box = open_outbox(tmp_path, FakeClock())
    sample(box)
    sample(box)
    code, out, _ = program("outbox")
    assert code == 0
    assert "2 events" in out
    assert json.loads(program("outbox", "--json")[1])["depth"] == 2
    box.close()


def test_a_second_agent_on_one_outbox_says_so_in_one_line(program, tmp_path) -> None:
    box = open_outbox(tmp_path, FakeClock())
    code, _, err = program("run")
    assert code == 1
    assert "another agent" in err
    assert err.count("\n") == 1
    box.close()


def test_an_outbox_of_a_newer_version_is_one_line(program, tmp_path) -> None:
    open_outbox(tmp_path, FakeClock()).close()
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    code, _, err = program("run")
    assert code == 1
    assert "upgrade" in err


def test_a_wrong_command_or_argument_is_a_usage_error(program) -> None:
    assert program("fly")[0] == 2
    assert program()[0] == 2
    assert program("run", "--speed")[0] == 2
    assert program("run", "--config", "/nowhere.toml")[0] == 2


# --- workers ---------------------------------------------------------------------------------------------------------


def test_a_thread_that_dies_is_trouble(caplog) -> None:
    clock = FakeClock()
    worker = Worker("w", lambda: 1 / 0, clock, 10)
    worker.start()
    assert worker.join(5)
    assert worker.trouble() == "thread w has ended"
    assert "ZeroDivisionError" in caplog.text


def test_a_thread_that_hangs_is_trouble_and_one_that_beats_is_not() -> None:
    clock = FakeClock()
    go, done = threading.Event(), threading.Event()

    def loop():
        go.wait(5)
        yield 0.0
        done.set()
        threading.Event().wait(0.5)

    worker = Worker("w", loop, clock, 10)
    worker.start()
    clock.advance(9)
    assert worker.trouble() is None
    clock.advance(2)
    assert worker.trouble() == "thread w has been silent for 11 s"
    go.set()
    assert done.wait(5)
    assert worker.trouble() is None
    clock.advance(20)
    worker.excuse()
    assert worker.trouble() is None
    assert worker.join(5)
