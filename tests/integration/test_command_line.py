"""The tools outlive the relay they talk to."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from shared.client import Client
from shared.contract.payloads import CommandRequest
from shared.errors import Code, Refusal
from tests.support import processes
from tests.support.processes import ROOT, wait_for
from tests.support.raw import RawClient

ROUND = {"datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 21.0}, "stream": "s"}


def test_watch_goes_on_when_the_relay_comes_back_and_misses_and_repeats_nothing(tmp_path: Path) -> None:
    relay = processes.start_relay(tmp_path)
    arguments = [sys.executable, "-m", "server", "watch", "--json", "--url", relay.url]
    watch = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen: list[dict[str, Any]] = []

    def read() -> None:
        assert watch.stdout is not None
        seen.extend(map(json.loads, iter(watch.stdout.readline, "")))

    reader = threading.Thread(target=read)
    reader.start()

    def ids() -> list[int]:
        return [news["body"]["id"] for news in list(seen) if news["event"] == "sensor_data_pub_client"]

    def send(*numbers: int) -> None:
        with RawClient(relay.url, "/pi", {"device": "p", "contract": "1.0"}) as pi:
            for number in numbers:
                assert pi.call("sensor_data_pub_pi", {**ROUND, "id": number})[0]["ok"]

    try:
        wait_for("it watches", lambda: any(news["event"] == "snapshot_pub_client" for news in seen))
        send(1, 2, 3)
        wait_for("it sees them", lambda: ids() == [1, 2, 3])
        relay.process.kill()
        relay = processes.start_relay(tmp_path, port=relay.port)
        send(4, 5)
        wait_for("it sees what it missed", lambda: len(ids()) >= 5)
        time.sleep(0.3)
        assert ids() == [1, 2, 3, 4, 5]
        assert watch.poll() is None
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 0
    finally:
        watch.kill()
        _, said = watch.communicate()
        reader.join(5)
        relay.process.stop()
    assert said.splitlines() == ["the relay is away, trying again", "the relay is back"]


def test_a_relay_that_dies_with_a_command_is_told_at_once(tmp_path: Path) -> None:
    relay = processes.start_relay(tmp_path)
    with Client(relay.url) as client:
        os.kill(relay.process.popen.pid, signal.SIGSTOP)
        death = threading.Timer(0.3, relay.process.kill)
        death.start()
        began = time.monotonic()
        with pytest.raises(Refusal) as refused:
            client.command(CommandRequest.build(action="clean", all=True))
        assert refused.value.code is Code.UNAVAILABLE
        assert time.monotonic() - began < 5
        death.join()
