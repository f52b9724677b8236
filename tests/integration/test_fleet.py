"""`pi-agent fleet` against a real relay: nothing is lost, every command is answered, whatever is cut or killed."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pi_agent.outbox.report import inspect
from tests.support import processes
from tests.support.fake_relay import free_port
from tests.support.processes import ROOT, Process, RelayProcess, wait_for

pytestmark = pytest.mark.integration

DEVICES = 20


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with processes.relay(tmp_path_factory.mktemp("relay")) as running:
        yield running


def fleet(url: str, *arguments: str) -> Process:
    """A fleet that tells its summary on standard error."""
    return processes.start("pi_agent", ["fleet", "--relay", url, "--json", "--start-per-s", "50", *arguments], {})


def summary(process: Process) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in process.lines if "  " in line)


def connected(relay: RelayProcess, prefix: str) -> int:
    devices = relay.get("/api/devices")["devices"]
    return sum(device["online"] and device["device"].startswith(prefix) for device in devices)


def names(prefix: str, count: int = DEVICES) -> list[str]:
    return [f"{prefix}-{number:04d}" for number in range(1, count + 1)]


def assert_all_stored(relay: RelayProcess, state: Path, prefix: str) -> None:
    """Every id that any outbox has given away is stored by the relay, and no outbox holds anything back."""
    for name in names(prefix):
        kept = inspect(state / name / "outbox.db")
        assert (kept.depth, kept.dropped) == (0, {}), name
        [stream] = relay.get(f"/api/devices/{name}/ledger")["streams"]
        assert (stream["stream"], stream["missing"], stream["dropped"]) == (kept.stream, [], []), name
        assert stream["stored"] == stream["highest"] == kept.next_id - 1 > 3, name


def test_all_rounds_are_stored_and_every_device_answers_commands(relay: RelayProcess, tmp_path: Path) -> None:
    process = fleet(
        relay.url, "--devices", str(DEVICES), "--name-prefix", "calm", "--interval", "0.5", "--state", str(tmp_path)
    )
    wait_for("all are connected", lambda: connected(relay, "calm") == DEVICES)
    switched = relay.cli("on", "led", "--device", "calm-0007")
    assert switched.returncode == 0, switched.stdout
    cleaned = relay.cli("clean", "--all")
    assert cleaned.returncode == 0, cleaned.stdout
    assert cleaned.stdout.count("✓") == DEVICES
    checked = relay.cli("check", "led", "--device", "calm-0007", "--json")
    assert checked.returncode == 0, checked.stdout
    restarted = relay.cli("device", "restart", "calm-0003")
    assert restarted.returncode == 0, restarted.stdout + restarted.stderr
    process.popen.send_signal(signal.SIGINT)
    assert process.finish(30) == 0, process.log
    told = summary(process)
    assert told["commands"] == f"{DEVICES + 2} of {DEVICES + 2} answered"
    assert told["left unsent"] == "0"
    taken, acked = re.findall(r"\d+", told["events"])
    assert taken == acked
    assert_all_stored(relay, tmp_path, "calm")


def test_cuts_kills_faults_and_wrong_clocks_lose_nothing(relay: RelayProcess, tmp_path: Path) -> None:
    bad_days = ["--cut-every", "0.7", "--cut-for", "1", "--kill-every", "0.7", "--sensor-faults", "0.3"]
    process = fleet(
        relay.url,
        *("--devices", str(DEVICES), "--name-prefix", "rough", "--interval", "0.5", "--state", str(tmp_path)),
        *(*bad_days, "--clock-skew", "60", "--duration", "6", "--seed", "3"),
    )
    assert process.finish(40) == 0, process.log
    told = summary(process)
    cut, killed = re.findall(r"\d+", told["faults"])[:2]
    assert int(cut) >= 10
    assert int(killed) >= 5
    assert told["agents that broke"] == "0"
    assert_all_stored(relay, tmp_path, "rough")


def test_what_was_left_is_sent_first_by_the_next_one_over_the_same_state(relay: RelayProcess, tmp_path: Path) -> None:
    port = relay.port
    process = fleet(relay.url, "--devices", "2", "--name-prefix", "left", "--interval", "0.2", "--state", str(tmp_path))
    wait_for("both are connected", lambda: connected(relay, "left") == 2)
    os.kill(relay.process.popen.pid, signal.SIGSTOP)
    try:
        process.popen.send_signal(signal.SIGINT)
        # The second one does not wait for the outboxes.
        wait_for("a moment", lambda: process.popen.send_signal(signal.SIGINT) or process.popen.poll() is not None, 20)
        assert process.finish(20) == 1, process.log
    finally:
        os.kill(relay.process.popen.pid, signal.SIGCONT)
    assert "run it again with the same --state, and they are sent first" in process.log
    assert sum(inspect(tmp_path / name / "outbox.db").depth for name in names("left", 2)) > 0
    assert relay.port == port
    again = fleet(
        relay.url,
        *("--devices", "2", "--name-prefix", "left", "--interval", "0.2", "--state", str(tmp_path), "--duration", "2"),
    )
    assert again.finish(30) == 0, again.log
    for name in names("left", 2):
        [stream] = relay.get(f"/api/devices/{name}/ledger")["streams"]
        assert stream["missing"] == []
        assert stream["stored"] == inspect(tmp_path / name / "outbox.db").next_id - 1


def test_outside_demo_mode_each_token_is_a_device(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay", demo=False) as closed:
        tokens = [closed.cli("token", "add", name, "--role", "device").stdout for name in ("attic", "cellar")]
        viewer = closed.cli("token", "add", "ann", "--role", "viewer").stdout
        found = [re.search(r"bl_\S+", text)[0] for text in (*tokens, viewer)]
        file = tmp_path / "tokens.txt"
        file.write_text("# two rooms\n" + "\n".join(found[:2]) + "\n", encoding="utf-8")
        count = ["--devices", "2", "--interval", "0.5"]
        process = fleet(closed.url, *count, "--tokens", str(file), "--duration", "2")
        assert process.finish(30) == 0, process.log
        devices = closed.http("GET", "/api/devices", token=found[2])[1]["devices"]
        assert {device["device"] for device in devices} == {"attic", "cellar"}

        few = fleet(closed.url, "--devices", "3", "--tokens", str(file))
        assert few.finish() == 2
        assert "has 2 tokens for 3 devices; on the relay: pi-relay token add" in few.log
        unknown = fleet(closed.url, "--devices", "1", "--token", "bl_unknown")
        assert unknown.finish() == 3
        assert "does not know this token" in unknown.log
        assert "pi-relay token add NAME --role device" in unknown.log


def test_a_wrong_command_line_and_a_relay_that_is_not_there_say_what_to_do() -> None:
    gone = fleet(f"http://127.0.0.1:{free_port()}", "--devices", "1")
    assert gone.finish() == 3
    assert "start one (make run), or name it: --relay http://HOST:PORT" in gone.log
    huge = fleet("http://127.0.0.1:1", "--devices", "100000000")
    assert huge.finish() == 2
    assert "open files" in huge.log
    assert " fit; or raise the limit" in huge.log
    wrong = fleet("relay.lan", "--devices", "1")
    assert wrong.finish() == 2
    assert "must look like http://HOST:PORT" in wrong.log


def test_in_a_terminal_the_view_is_drawn_in_its_place(relay: RelayProcess) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "pi_agent", "fleet", "--relay", relay.url, "--devices", "2", "--duration", "3"]
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "90"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=slave, stderr=slave) as process:
        os.close(slave)
        drawn = b""
        while chunk := _read(master):
            drawn += chunk
        assert process.wait(20) == 0
    os.close(master)
    text = drawn.decode()
    assert "2 connected, 0 connecting, 0 cut, 0 down" in text
    assert "\x1b[9F" in text
    assert "\x1b[?25l" in text
    assert "\x1b[?25h" in text
    assert "\x1b[1m" not in text


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other end is closed
        return b""
