"""Telemetry: packets go from producers to loggers as they came, JSON or protobuf; what is none is refused."""

import json
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import socketio

from shared.contract import telemetry_proto
from shared.contract.door_payloads import TelemetryPacket
from tests.support.processes import ROOT, RelayProcess, wait_for


@contextmanager
def peer(relay: RelayProcess, kind: str | None = None) -> Iterator[tuple[socketio.Client, "queue.SimpleQueue[Any]"]]:
    """A stock client in the default namespace, and what it gets."""
    client, inbox = socketio.Client(reconnection=False), queue.SimpleQueue()
    # The other doors of this namespace tell of themselves too.
    for event in ("log_telemetry", "telemetry_log", "error_pub"):
        client.on(event, lambda body, event=event: inbox.put((event, body)))
    client.connect(relay.url + (f"?type={kind}" if kind else ""), transports=["websocket"])
    try:
        yield client, inbox
    finally:
        client.disconnect()


def packet(source: str, seq: int = 1) -> dict[str, Any]:
    return {"source": source, "seq": seq, "values": {"speed": 1.5}, "colour": "red"}


def test_a_packet_reaches_loggers_as_it_came_under_both_names(relay: RelayProcess) -> None:
    with peer(relay, "logger") as (_, all_), peer(relay) as (producer, own):
        assert producer.call("log_telemetry", packet("lathe"))["ok"] is True
        assert all_.get(timeout=5) == ("log_telemetry", packet("lathe"))
        assert producer.call("telemetry_log", packet("lathe", 2))["ok"] is True
        assert all_.get(timeout=5) == ("telemetry_log", packet("lathe", 2))
        assert own.empty()


def test_a_logger_gets_the_sources_that_it_chose(relay: RelayProcess) -> None:
    with peer(relay, "logger") as (logger, inbox), peer(relay) as (producer, _):
        assert logger.call("telemetry_choose", {"sources": ["mill", "saw"]})["ok"] is True
        for source in ("lathe", "mill", "saw", "lathe"):
            producer.call("log_telemetry", packet(source))
        assert [inbox.get(timeout=5)[1]["source"] for _ in range(2)] == ["mill", "saw"]
        assert logger.call("telemetry_choose", {})["ok"] is True
        producer.call("log_telemetry", packet("lathe"))
        assert inbox.get(timeout=5)[1]["source"] == "lathe"


def test_protobuf_goes_through_byte_by_byte_and_not_to_pages(relay: RelayProcess) -> None:
    body = telemetry_proto.encode(TelemetryPacket.build(source="lathe", seq=7, values={"speed": 2.5}))
    with peer(relay, "logger") as (_, inbox), peer(relay) as (_, page), peer(relay) as (producer, _):
        assert producer.call("log_telemetry", body)["ok"] is True
        assert inbox.get(timeout=5) == ("log_telemetry", body)
        # The page sees the text that comes after it.
        producer.call("log_telemetry", packet("lathe"))
        assert page.get(timeout=5) == ("log_telemetry", packet("lathe"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xff\xff", "invalid_payload"),
        (b"\x0a" + b"\x01" * 70_000, "too_large"),
        ({"source": 5}, "invalid_payload"),
        ({"source": "x", "values": {"speed": "fast"}}, "invalid_payload"),
        ("text", "invalid_payload"),
        ({"source": "x", "blob": b"bytes within"}, "binary_refused"),
    ],
)
def test_what_is_no_packet_is_refused_and_the_connection_lives_on(relay: RelayProcess, body: Any, code: str) -> None:
    with peer(relay, "logger") as (_, inbox), peer(relay) as (producer, errors):
        if code == "binary_refused":
            producer.emit("log_telemetry", body)
            assert errors.get(timeout=5)[1]["code"] == code
        else:
            assert producer.call("log_telemetry", body)["code"] == code
        assert producer.call("log_telemetry", packet("after"))["ok"] is True
        assert inbox.get(timeout=5)[1]["source"] == "after"


def test_a_text_in_place_of_the_binary_body_is_refused_and_the_connection_lives_on(relay: RelayProcess) -> None:
    with peer(relay) as (producer, errors):
        producer.eio.send('51-["log_telemetry",{"_placeholder":true,"num":0}]')
        producer.eio.send('2["log_telemetry",{}]')
        assert errors.get(timeout=5)[1]["code"] == "malformed"
        assert producer.call("log_telemetry", packet("after"))["ok"] is True


def test_the_two_programs_find_each_other(relay: RelayProcess) -> None:
    command = [sys.executable, "-m", "server", "telemetry", "log", "--source", "x", "--count", "3", "--json"]
    logger = subprocess.Popen([*command, "--url", relay.url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:

        def produced() -> bool:
            done = relay.cli("telemetry", "produce", "--source", "x", "--count", "2", "--interval", "0.01")
            assert done.returncode == 0, done.stderr
            binary = relay.cli(
                *("telemetry", "produce", "--source", "x", "--count", "2", "--interval", "0.01"),
                *("--format", "protobuf"),
            )
            assert binary.returncode == 0, binary.stderr
            return logger.poll() is not None

        wait_for("the logger has three", produced)
        lines = (logger.stdout.read() if logger.stdout else "").splitlines()
        assert [json.loads(line)["source"] for line in lines] == ["x"] * 3
    finally:
        if logger.poll() is None:
            logger.kill()
        logger.wait()
        if logger.stdout:
            logger.stdout.close()
