"""The Python client against real relays: typed, gapless over restarts, commands to their end."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.client import Client, Event
from shared.contract.payloads import (
    ClientSensorData,
    CommandResult,
    CommandState,
    ErrorBody,
    Snapshot,
)
from shared.errors import Code, Refusal
from tests.support import processes
from tests.support.processes import ROOT, RelayProcess, wait_for
from tests.support.raw import RawClient

PAGE = (ROOT / "docs" / "client-python.md").read_text(encoding="utf-8")
AGENT = {"device": "raw", "contract": "1.0"}
ROUND = {"datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 21.0}, "stream": "s"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RelayProcess]:
    with (
        processes.relay(tmp_path / "relay") as relay,
        processes.agent(tmp_path / "agent", relay.url, "demo-pi"),
    ):
        wait_for("it reports", lambda: relay.device("demo-pi").get("accessories"))
        yield relay


def test_the_example_of_the_page_runs(house: RelayProcess) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"BREATHLIGHT_URL": house.url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "demo-pi online" in done.stdout
    assert "demo-pi verified True" in done.stdout
    assert "points in °C" in done.stdout
    assert "'temperature':" in done.stdout


def test_it_needs_nothing_of_the_relay_or_the_agent() -> None:
    script = """
import sys
import shared.client
heavy = {"server", "pi_agent", "flask", "gevent", "sqlalchemy", "typer", "rich", "google"}
assert not heavy & {name.partition(".")[0] for name in sys.modules}, heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_events_are_typed_and_a_command_is_followed_to_what_the_pin_reads(house: RelayProcess) -> None:
    with Client(house.url) as relay:
        assert [known.device for known in relay.snapshot().devices] == ["demo-pi"]
        assert relay.command(device="demo-pi", action="on", accessory="breath_light")["demo-pi"].status is True
        asked = relay.ask(device="demo-pi", action="off", accessory="breath_light")
        steps = [result.state for result in asked.news()]
        assert steps[-1] is CommandState.VERIFIED
        kinds = {type(event.body) for event in take(relay, 30)}
        assert {Snapshot, ClientSensorData, CommandResult} <= kinds
        assert relay.history("demo-pi", "temperature").unit == "°C"
        with pytest.raises(Refusal) as refused:
            relay.history("nobody", "temperature")
        assert refused.value.code is Code.UNKNOWN_DEVICE
        with pytest.raises(Refusal) as refused:
            relay.ask(device="nobody", action="clean")
        assert refused.value.code is Code.UNKNOWN_DEVICE


def take(relay: Client, count: int) -> list[Event]:
    taken = []
    for event in relay.events(timeout_s=10):
        taken.append(event)
        if len(taken) == count:
            break
    return taken


def rounds(events: list[Event]) -> list[int]:
    return [event.body.id for event in events if isinstance(event.body, ClientSensorData)]


def test_over_kills_of_the_relay_every_round_comes_once(tmp_path: Path) -> None:
    """Thirty rounds, the relay killed after each ten, some sent while the client is away."""
    relay = processes.start_relay(tmp_path)
    seen: list[Event] = []
    with Client(relay.url) as client:
        reader = threading.Thread(target=lambda: seen.extend(client.events(timeout_s=20)))
        reader.start()
        for batch in range(3):
            with RawClient(relay.url, "/pi", AGENT) as device:
                for number in range(batch * 10, batch * 10 + 10):
                    assert device.call("sensor_data_pub_pi", {**ROUND, "id": number})[0]["ok"] is True
            relay.process.kill()
            relay = processes.start_relay(tmp_path, port=relay.port)
        with RawClient(relay.url, "/pi", AGENT) as device:
            device.call("sensor_data_pub_pi", {**ROUND, "id": 30})
        wait_for("the last one is there", lambda: 30 in live(seen, client), 30)
        client.close()
        reader.join(20)
    assert rounds(seen) == list(range(31))
    relay.process.stop()


def live(seen: list[Event], client: Client) -> set[int]:
    # `extend` appends each event as it comes.
    return set(rounds(list(seen)))


def test_a_cursor_of_before_brings_what_came_since(tmp_path: Path) -> None:
    with (
        processes.relay(tmp_path) as relay,
        RawClient(relay.url, "/pi", AGENT) as device,
    ):
        device.call("sensor_data_pub_pi", {**ROUND, "id": 0})
        with Client(relay.url) as client:
            take(client, 1)
            cursor = client.cursor
        for number in range(1, 4):
            device.call("sensor_data_pub_pi", {**ROUND, "id": number})
        with Client(relay.url, since=cursor) as client:
            assert rounds(take(client, 4)) == [1, 2, 3]
        with Client(relay.url, since=10**9) as client:
            [first] = take(client, 1)
        assert isinstance(first.body, ErrorBody)
        assert first.body.code is Code.REPLAY_INCOMPLETE


def test_a_reader_that_is_slow_misses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.inbox.Inbox.__init__.__defaults__", (5,))
    with (
        processes.relay(tmp_path) as relay,
        RawClient(relay.url, "/pi", AGENT) as device,
    ):
        with Client(relay.url) as client:
            client.snapshot()
            take(client, 1)
            for number in range(40):
                device.call("sensor_data_pub_pi", {**ROUND, "id": number})
            wait_for("it is full", lambda: not client.connected)
            seen: list[int] = []
            # It is given up again and again, and waits longer each time that this happens before it has begun.
            for event in client.events(timeout_s=30):
                seen += rounds([event])
                if len(seen) == 40:
                    break
    assert seen == list(range(40))


READER = """
import sys
from shared.client import Client
from shared.contract.payloads import ClientSensorData

with Client(sys.argv[1]) as relay:
    relay.snapshot()
    print("joined", flush=True)
    for event in relay.events(timeout_s=30):
        if isinstance(event.body, ClientSensorData):
            print(event.body.id, flush=True)
            if "last" in event.body.data:
                break
"""


@pytest.mark.parametrize("fanout", ["direct", "stock"])
def test_a_client_that_stood_still_asks_for_what_was_left_out_for_it(fanout: str, tmp_path: Path) -> None:
    """Its process is stopped until the relay has dropped some of what it was to get."""
    quality = {f"q-{number}": {"state": "failed", "reason": "x" * 480} for number in range(64)}
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "100000", "LIMITS__MAILBOX_BYTES": "500000"}
    with (
        processes.relay(tmp_path, FANOUT=fanout, **limits) as relay,
        RawClient(relay.url, "/pi", AGENT) as device,
        subprocess.Popen(
            [sys.executable, "-c", READER, relay.url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as reader,
    ):
        assert reader.stdout is not None
        assert reader.stdout.readline() == "joined\n"
        sent = 0

        def more(data: dict[str, float], **rest: Any) -> None:
            nonlocal sent
            sent += 1
            assert device.call("sensor_data_pub_pi", {**ROUND, "id": sent, "data": data, **rest})[0]["ok"] is True

        def dropped() -> bool:
            [line] = [one for one in relay.get("/metrics").splitlines() if one.startswith("breathlight_samples_dr")]
            return float(line.split()[1]) >= 10

        for _ in range(3):
            more({"temperature": 21.0})
        reader.send_signal(signal.SIGSTOP)
        try:
            for _ in range(1_500):
                more({"temperature": 21.0}, quality=quality)
                if sent % 20 == 0 and dropped():
                    break
        finally:
            reader.send_signal(signal.SIGCONT)
        for _ in range(20):
            more({"temperature": 21.0})
        more({"last": 1.0})
        out, _ = reader.communicate(timeout=60)
    assert [int(line) for line in out.splitlines()] == list(range(1, sent + 1))


def test_a_token_that_is_none_is_refused_with_its_code(tmp_path: Path) -> None:
    with processes.relay(tmp_path, demo=False) as relay:
        with pytest.raises(Refusal) as refused:
            Client(relay.url, "bl_wrong")
        assert refused.value.code is Code.UNAUTHENTICATED
    with pytest.raises(Refusal) as refused:
        Client(relay.url)
    assert refused.value.code is Code.UNAVAILABLE
