"""The composition root: how an agent ends, and that an answer does not wait behind a backlog."""

import signal
import socket
import threading
import time

import msgspec
import pytest

from pi_agent.accessories.command import Command
from pi_agent.app import Agent, build_agent
from pi_agent.hardware.base import PartUnavailable
from pi_agent.hardware.options import HardwareOptions, Mode
from pi_agent.settings import AgentSettings, RelayOptions, UplinkOptions
from shared.clock import SystemClock
from shared.contract.payloads import Action
from tests.support.outbox import sample
from tests.support.processes import free_port

LIGHT = "breath_light"


def simulated(url: str | None = None, **more) -> AgentSettings:
    return AgentSettings(
        sample_interval_s=0.1,
        status_interval_s=0.2,
        hardware=HardwareOptions(mode=Mode.SIMULATED),
        relay=RelayOptions(url=url or f"http://127.0.0.1:{free_port()}"),
        uplink=UplinkOptions(window=8),
        **more,
    )


@pytest.fixture(autouse=True)
def own_signals():
    """The agent takes SIGTERM and SIGINT; the test run wants them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def agent(tmp_path):
    return build_agent(simulated(), {"STATE_DIRECTORY": str(tmp_path)}, SystemClock())


def stop_after(agent: Agent, seconds: float) -> None:
    timer = threading.Timer(seconds, agent.request_stop)
    timer.daemon = True
    timer.start()


def test_an_agent_that_is_told_to_end_ends_with_everything_off_and_on_disk(agent) -> None:
    lamp = agent._parts.light
    agent._commands.submit(Command(Action.ON, LIGHT))
    stop_after(agent, 0.5)
    assert agent.run() == 0
    assert agent.ended
    assert lamp.shines == 0
    assert not [thread for thread in threading.enumerate() if thread.name in ("outbox", "commands", "uplink", "jobs")]


@pytest.mark.parametrize("part", ["_uplink", "_commands", "_outbox", "_schedule"])
def test_a_thread_that_dies_ends_the_process_with_an_error_and_outputs_off(tmp_path, monkeypatch, caplog, part) -> None:
    names = {"_uplink": "Uplink", "_commands": "Commands", "_outbox": "Outbox", "_schedule": "Planner"}

    def die(self, *_: object) -> None:
        raise RuntimeError("wires crossed")

    monkeypatch.setattr(f"pi_agent.app.{names[part]}.work", die)
    agent = build_agent(simulated(), {"STATE_DIRECTORY": str(tmp_path)}, SystemClock())
    lamp = agent._parts.light
    stop_after(agent, 10)
    assert agent.run() == 1
    assert lamp.shines == 0
    assert "wires crossed" in caplog.text
    assert "agent ends: thread" in caplog.text


def test_a_job_that_raises_ends_the_process_with_an_error(agent, monkeypatch, caplog) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(agent._commands, "want_report", fail)
    stop_after(agent, 10)
    assert agent.run() == 1
    assert "job status failed" in caplog.text


def test_a_relay_that_answers_nothing_cannot_hold_the_end_up(tmp_path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        agent = build_agent(simulated(url), {"STATE_DIRECTORY": str(tmp_path)}, SystemClock())
        stop_after(agent, 0.5)
        began = time.monotonic()
        assert agent.run() == 0
        assert time.monotonic() - began < 5
    assert not agent.ended  # its thread waits for the handshake; the program leaves it behind
    agent._talker.join(10)
    agent._outbox.close()


def test_an_answer_does_not_wait_behind_a_backlog(agent) -> None:
    agent._commands.begin()
    agent._commands.submit(Command(Action.ON, LIGHT, id="c1"))
    agent._commands.step()
    assert agent._lane.take(set()) is None  # the change itself is the answer
    for _ in range(20):
        sample(agent._outbox)
    agent._commands.submit(Command(Action.OFF, LIGHT, id="c2"))
    agent._commands.step()
    assert agent._lane.take(set()).fields["command"] == "c2"
    agent._outbox.step()
    changes = [row for row in agent._outbox.read(0, 100) if b'"command":"c2"' in row.fields]
    assert len(changes) == 1  # and it is on record all the same
    agent._parts.close()
    agent._outbox.close()


def test_a_part_that_cannot_be_opened_lets_the_outbox_go(tmp_path) -> None:
    settings = simulated()
    options = HardwareOptions(
        mode=Mode.REPLAYED, replay=msgspec.structs.replace(settings.hardware.replay, file="/no.csv")
    )
    broken = msgspec.structs.replace(settings, hardware=options)
    with pytest.raises((PartUnavailable, OSError)):
        build_agent(broken, {"STATE_DIRECTORY": str(tmp_path)}, SystemClock())
    again = build_agent(settings, {"STATE_DIRECTORY": str(tmp_path)}, SystemClock())
    again._parts.close()
    again._outbox.close()
