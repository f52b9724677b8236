"""`pi-relay contract check`: our relay passes, and whatever is broken on purpose is found."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.broken_relay import FAULTS
from tests.support.fake_relay import FakeRelay
from tests.support.processes import RelayProcess, free_port


def looked_at(relay: RelayProcess, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, outcomes, what was said besides."""
    done = relay.cli("contract", "check", relay.url, "--json", *arguments, timeout_s=110)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def by_outcome(outcomes: list[dict[str, Any]], outcome: str) -> set[str]:
    return {one["check"] for one in outcomes if one["outcome"] == outcome}


def test_our_relay_passes_in_demo_mode(relay: RelayProcess) -> None:
    code, outcomes, _ = looked_at(relay)
    assert by_outcome(outcomes, "failed") == set(), outcomes
    assert code == 0
    assert len(outcomes) > 55
    # Of the twelve and the doors nothing is left out.
    assert {one["group"] for one in outcomes if one["outcome"] == "skipped"} == {"access"}
    assert "Traceback" not in relay.process.log
    left = {known["device"] for known in relay.get("/api/devices")["devices"]}
    assert not [name for name in left if name.startswith("contract-check") and not name.endswith("-esp")]


def test_our_relay_passes_with_tokens(tmp_path: Path) -> None:
    with processes.relay(tmp_path, demo=False) as relay:
        operator = relay.cli("token", "add", "ann", "--role", "operator").stdout.strip()
        device = relay.cli("token", "add", "check", "--role", "device").stdout.strip()
        code, outcomes, _ = looked_at(relay, "--token", operator, "--device-token", device)
        assert by_outcome(outcomes, "failed") == set(), outcomes
        assert code == 0
        assert {one["check"] for one in outcomes if one["group"] == "access"} <= by_outcome(outcomes, "passed")
        # Without a token nobody is let in; that is no failure of the relay, and it is said.
        code, outcomes, _ = looked_at(relay)
        assert code == 0
        assert all("token" in one["why"] for one in outcomes if one["outcome"] == "skipped")
        assert len(by_outcome(outcomes, "skipped")) > 40


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_broken_is_found(fault: str, tmp_path: Path) -> None:
    arguments = [fault, "serve", "--demo", "--port", str(port := free_port())]
    process = processes.start("tests.support.broken_relay", arguments, {"STATE_DIRECTORY": str(tmp_path)})
    relay = RelayProcess(process, f"http://127.0.0.1:{port}", tmp_path)
    try:
        processes.wait_for("the relay is ready", lambda: "relay ready" in process.log, processes.START_S)
        for check in FAULTS[fault][1]:
            code, outcomes, _ = looked_at(relay, "--only", check)
            assert code == 1
            assert by_outcome(outcomes, "failed") == {check}
    finally:
        process.stop()


def test_a_relay_that_knows_devices_alone_is_none(tmp_path: Path) -> None:
    fake = FakeRelay()
    try:
        relay = RelayProcess(None, fake.url, tmp_path)  # type: ignore[arg-type]
        code, outcomes, _ = looked_at(relay, "--only", "sensor_data_pub_client")
        assert code == 1
        assert "sensor_data_pub_client" in by_outcome(outcomes, "failed")
        code, outcomes, _ = looked_at(relay, "--only", "stored once")
        assert (code, by_outcome(outcomes, "passed")) == (0, {"it answers", "what comes again is stored once"})
    finally:
        fake.close()


def test_where_nobody_answers_it_says_so_in_one_line(tmp_path: Path) -> None:
    relay = RelayProcess(None, f"http://127.0.0.1:{free_port()}", tmp_path)  # type: ignore[arg-type]
    code, outcomes, said = looked_at(relay)
    assert (code, len(outcomes)) == (3, 1)
    assert "no relay at" in said


def test_for_people_there_is_a_table(relay: RelayProcess) -> None:
    done = relay.cli("contract", "check", relay.url, "--only", "twelve", timeout_s=110)
    assert "✓  sensor_data_pub_pi" in done.stdout
    assert "0 failed" in done.stdout
