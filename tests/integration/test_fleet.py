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

from pi_agent.fleet.arguments import EPILOG
from pi_agent.outbox.report import inspect
from tests.support import processes
from tests.support.processes import ROOT, Process, RelayProcess, free_port, wait_for

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


def verified(relay: RelayProcess, device: str, action: str) -> bool:
    """Ask `device` for something; whether the pin was read back, and is as asked."""
    path = f"/api/devices/{device}/commands"
    asked = relay.http("POST", path, {"action": action, "accessory": "breath_light"})[1]["command"]

    def final() -> list[str]:
        states = [result["state"] for result in relay.get(f"/api/commands/{asked}")["results"]]
        return states if set(states) <= {"verified", "failed", "expired", "refused"} else []

    return wait_for("a final result", final) == ["verified"]


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
    cleaned = relay.cli("clean", "--all")
    assert cleaned.returncode == 0, cleaned.stdout
    assert cleaned.stdout.count("✓") == DEVICES
    for action in ("on", "check", "off"):
        assert verified(relay, "calm-0007", action)
    assert relay.http("POST", "/api/devices/calm-0003/restart", {})[0] in (200, 202)
    wait_for("it is back", lambda: verified(relay, "calm-0003", "check"))
    process.popen.send_signal(signal.SIGINT)
    assert process.finish(30) == 0, process.log
    told = summary(process)
    answered, came = map(int, re.findall(r"\d+", told["commands"]))
    assert answered == came >= DEVICES + 4
    assert told["left unsent"] == "0"
    taken, acked = re.findall(r"\d+", told["events"])
    assert taken == acked
    assert_all_stored(relay, tmp_path, "calm")


def test_cuts_kills_faults_and_wrong_clocks_lose_nothing(relay: RelayProcess, tmp_path: Path) -> None:
    bad_days = ["--cut-every", "0.7", "--cut-for", "1", "--kill-every", "0.7", "--sensor-faults", "0.3"]
    process = fleet(
        relay.url,
        *("--devices", str(DEVICES), "--name-prefix", "rough", "--interval", "0.5", "--state", str(tmp_path)),
        *(*bad_days, "--clock-skew", "60", "--duration", "4", "--seed", "3"),
    )
    assert process.finish(40) == 0, process.log
    told = summary(process)
    cut, killed = re.findall(r"\d+", told["faults"])[:2]
    assert int(cut) >= 8
    assert int(killed) >= 3
    assert told["agents that broke"] == "0"
    assert_all_stored(relay, tmp_path, "rough")


def depths(state: Path) -> list[int]:
    return [inspect(state / name / "outbox.db").depth for name in names("left", 2)]


def test_what_was_left_is_sent_first_by_the_next_one_over_the_same_state(relay: RelayProcess, tmp_path: Path) -> None:
    process = fleet(relay.url, "--devices", "2", "--name-prefix", "left", "--interval", "0.2", "--state", str(tmp_path))
    wait_for("both are connected", lambda: connected(relay, "left") == 2)
    os.kill(relay.process.popen.pid, signal.SIGSTOP)
    try:
        process.popen.send_signal(signal.SIGINT)
        # The second one does not wait for the outboxes.
        wait_for("the relay stands still", lambda: sum(depths(tmp_path)) > 0)
        process.popen.send_signal(signal.SIGINT)
        assert process.finish(20) == 1, process.log
    finally:
        os.kill(relay.process.popen.pid, signal.SIGCONT)
    assert "run it again with the same --state, and they are sent first" in process.log
    assert sum(depths(tmp_path)) > 0
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
        added = closed.cli("token", "add", "attic", "--role", "device").stdout
        file = tmp_path / "tokens.txt"
        file.write_text("# one room\n" + re.search(r"bl_\S+", added)[0] + "\n", encoding="utf-8")
        process = fleet(closed.url, "--devices", "1", "--interval", "0.5", "--tokens", str(file), "--duration", "1")
        assert process.finish(30) == 0, process.log
        assert "device online: device=attic" in closed.process.log
        few = fleet(closed.url, "--devices", "2", "--tokens", str(file))
        unknown = fleet(closed.url, "--devices", "1", "--token", "bl_unknown")
        assert few.finish() == 2
        assert "has 1 tokens for 2 devices; on the relay: pi-relay token add" in few.log
        assert unknown.finish() == 3
        assert "does not know this token" in unknown.log
        assert "pi-relay token add NAME --role device" in unknown.log


def test_the_examples_of_the_page_and_of_the_help_run(relay: RelayProcess, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
    lines = set(re.findall(r"pi-agent fleet (--.*?)(?:\s{2,}|\s+#|\s+\||\n)", page + EPILOG))
    assert len(lines) >= 6
    running = []
    for number, line in enumerate(sorted(lines)):
        words = line.split()
        if "--tokens" in words:  # for a relay that wants them, see above
            at = words.index("--tokens")
            del words[at : at + 2]
        # The last of two wins.
        short = ["--devices", "2", "--duration", "1", "--relay", relay.url, "--name-prefix", f"example-{number}"]
        running.append((line, processes.start("pi_agent", ["fleet", *words, *short], {})))
    for line, process in running:
        assert process.finish(60) == 0, (line, process.log)


def test_a_wrong_command_line_and_a_relay_that_is_not_there_say_what_to_do() -> None:
    gone = fleet(f"http://127.0.0.1:{free_port()}", "--devices", "1")
    huge = fleet("http://127.0.0.1:1", "--devices", "100000000")
    wrong = fleet("relay.lan", "--devices", "1")
    named = fleet("http://127.0.0.1:1", "--devices", "1", "--name-prefix", "a b")
    assert gone.finish() == 3
    assert "start one (make run), or name it: --relay http://HOST:PORT" in gone.log
    assert huge.finish() == 2
    assert "open files" in huge.log
    assert " fit; or raise the limit" in huge.log
    assert wrong.finish() == 2
    assert "must look like http://HOST:PORT" in wrong.log
    assert named.finish() == 2
    assert "setting --name-prefix = 'a b': device may have letters" in named.log


def test_in_a_terminal_the_view_is_drawn_in_its_place(relay: RelayProcess) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "pi_agent", "fleet", "--relay", relay.url, "--devices", "2", "--duration", "2"]
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
