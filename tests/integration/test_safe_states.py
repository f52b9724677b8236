"""Accessories of one's own, and what becomes of them when the relay or the link is gone: real processes."""

import json
import re
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from pi_agent.settings import AgentSettings
from shared.contract.events import FURTHER
from tests.support.fake_relay import FakeRelay
from tests.support.fault_proxy import FaultProxy, Flow
from tests.support.processes import ROOT, agent, start_relay, wait_for

pytestmark = pytest.mark.integration

FAN = '{fan = {gpio = 17, title = "Fan", link_loss_s = 2.0}, pump = {gpio = 27}}'
QUICK = {"ACCESSORIES": FAN, "HEARTBEAT_INTERVAL_S": "0.5", "UPLINK__LONGEST_DELAY_S": "1"}


def switch(on: bool, seq: int, relay: FakeRelay, accessory: str = "fan", ttl_s: float = 5.0, **more) -> dict:
    body = {"pin": 17, "mode": "BCM", "code": 200, "accessory": accessory, "status": on, "msg": ""}
    numbered = {"command": f"c{seq}", "ledger": "L", "seq": seq, "ttl_s": ttl_s}
    numbered["expires_ms"] = relay.now_ms() + round(ttl_s * 1000)
    return body | {"type": FURTHER.on_type if on else FURTHER.off_type} | numbered | more


def statuses(relay: FakeRelay, accessory: str = "fan") -> list[dict]:
    return [body for body in relay.of(FURTHER.status.name) if body["accessory"] == accessory]


def answer(relay: FakeRelay, seq: int) -> dict:
    (found, *_) = relay.wait(lambda: [body for body in statuses(relay) if body.get("command") == f"c{seq}"])
    return found


@pytest.fixture
def relay():
    with closing(FakeRelay()) as running:
        yield running


def test_an_accessory_of_ones_own_is_switched_read_back_and_leased(relay, tmp_path) -> None:
    with agent(tmp_path, relay.url, **QUICK) as process:
        relay.wait(lambda: relay.connected)
        infos = {info["accessory"]: info for info in relay.hellos[0]["accessories"]}
        assert (infos["fan"]["kind"], infos["fan"]["title"], infos["fan"]["pin"], infos["fan"]["safe"]) == (
            "switch",
            "Fan",
            17,
            "off",
        )
        assert relay.ask(FURTHER.on.name, switch(True, 1, relay))["code"] == "accepted"
        assert (answer(relay, 1)["status"], answer(relay, 1)["id"] > 0) == (True, True)
        assert relay.ask(FURTHER.on.name, switch(True, 1, relay))["code"] == "duplicate"
        assert relay.ask(FURTHER.on.name, switch(True, 2, relay, "toaster"))["code"] == "unknown_accessory"
        relay.ask(FURTHER.on.name, switch(True, 3, relay, lease_s=1.0))
        assert answer(relay, 3)["lease_left_s"] <= 1
        ended = relay.wait(lambda: [body for body in statuses(relay) if body.get("cause") == "lease"])
        assert ended[0]["status"] is False
        assert process.stop() == 0
    assert relay.of("heartbeat_pub_pi")[-1]["ending"] is True


def test_killing_the_relay_leads_to_the_safe_state_and_its_return_turns_nothing_on(tmp_path) -> None:
    relay = start_relay(tmp_path / "relay")
    port, state = relay.port, relay.state
    with agent(tmp_path / "agent", relay.url, **QUICK) as process:
        wait_for("the fan is known", lambda: "fan" in str(relay.device("pi-1").get("accessories")))
        status, ack = relay.http("POST", "/api/devices/pi-1/commands", {"action": "on", "accessory": "fan"})
        assert status == 202, ack
        wait_for("it runs", lambda: "accessory fan: status=on cause=user" in process.log)
        relay.process.kill()
        wait_for("it goes to its safe state", lambda: "accessory fan: status=off cause=lease" in process.log)
        again = start_relay(state, port=port)
        wait_for("the agent is back", lambda: again.device("pi-1").get("online"), 30)

        def fan() -> list[bool]:
            return [found["status"] for found in again.device("pi-1")["accessories"] if found["accessory"] == "fan"]

        wait_for("the relay knows it", lambda: fan() == [False])
        again.process.stop()


@pytest.mark.parametrize("cut", ["hold", "refuse"])
def test_cutting_the_link_leads_to_the_safe_state(relay, tmp_path, cut) -> None:
    with FaultProxy(relay.port) as proxy, agent(tmp_path, proxy.url, **QUICK) as process:
        relay.wait(lambda: relay.connected)
        relay.ask(FURTHER.on.name, switch(True, 1, relay))
        assert answer(relay, 1)["status"] is True
        relay.ask(FURTHER.on.name, switch(True, 2, relay, "pump"))
        if cut == "hold":  # no end of the connection is seen: only that nothing answers
            proxy.shape(up=Flow(hold=True), down=Flow(hold=True))
        else:
            proxy.refuse()
            proxy.reset()
        wait_for("it goes to its safe state", lambda: "accessory fan: status=off cause=lease" in process.log)
        assert "accessory pump: status=off cause=lease" not in process.log  # it may run on
        proxy.clear()
        relay.wait(lambda: [body for body in statuses(relay) if body.get("cause") == "lease" and "id" in body], 30)
        assert process.stop() == 0


def test_a_process_that_dies_between_intent_and_answer_says_so_when_it_comes_back(relay, tmp_path) -> None:
    """Killed by the part itself as the pin moves: the intent is on disk, the answer is not."""
    script = """
import os, signal, sys
sys.argv = ["pi-agent", "run"]
from pi_agent.cli import main
from pi_agent.hardware.sim.switch import SimulatedSwitch
plain = SimulatedSwitch.set
def deadly(self, on):
    plain(self, on)
    if on:
        os.kill(os.getpid(), signal.SIGKILL)
SimulatedSwitch.set = deadly
sys.exit(main())
"""
    environ = {
        "STATE_DIRECTORY": str(tmp_path),
        "PI_AGENT_RELAY__URL": relay.url,
        "PI_AGENT_DEVICE": "pi-1",
        "PI_AGENT_HARDWARE__MODE": "simulated",
        **{f"PI_AGENT_{name}": value for name, value in QUICK.items()},
    }
    victim = subprocess.Popen([sys.executable, "-c", script], env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        relay.wait(lambda: relay.connected, 20)
        relay.send(FURTHER.on.name, switch(True, 7, relay))
        victim.wait(10)
    finally:
        victim.kill()
        victim.wait()
    with agent(tmp_path, relay.url, **QUICK):
        found = answer(relay, 7)
        assert (found["fault"]["code"], found["cause"], found["status"]) == ("interrupted", "restart", False)
        assert (relay.hellos[-1]["ledger"], relay.hellos[-1]["seq"]) == ("L", 7)
        assert relay.hellos[-1]["run"] != relay.hellos[0]["run"]
        assert relay.ask(FURTHER.on.name, switch(True, 7, relay))["code"] == "duplicate"
        assert [body["status"] for body in statuses(relay)] == [False] * len(statuses(relay))


def test_a_command_that_ended_while_the_link_was_held_is_not_executed(relay, tmp_path) -> None:
    with FaultProxy(relay.port) as proxy, agent(tmp_path, proxy.url, **QUICK) as process:
        relay.wait(lambda: relay.connected)
        relay.wait(lambda: len(relay.of("heartbeat_pub_pi")) > 2)
        proxy.shape(down=Flow(hold=True))
        relay.send(FURTHER.on.name, switch(True, 1, relay, ttl_s=0.5))
        time.sleep(0.8)
        proxy.clear()
        assert answer(relay, 1)["fault"]["code"] == "expired"
        assert "accessory fan: status=on" not in process.log


def test_every_example_of_the_documentation_is_taken_by_an_agent(relay, tmp_path) -> None:
    text = (ROOT / "docs" / "accessories.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 3
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.toml"
        file.write_text(example, encoding="utf-8")
        with agent(tmp_path / str(number), relay.url, f"pi-{number}", **_config(file)) as process:
            hello = relay.wait(lambda number=number: [h for h in relay.hellos if h["device"] == f"pi-{number}"])[0]
            said = {info["accessory"] for info in hello["accessories"]}
            assert set(_accessories_in(example)) <= said
            assert process.stop() == 0, process.log


def _accessories_in(example: str) -> list[str]:
    return re.findall(r"^\[accessories\.(\w+)\]", example, re.MULTILINE)


def _config(file: Path) -> dict[str, str]:
    """The settings of a file as variables: an agent of a test is set by those."""

    def flat(tree: dict, prefix: str = "") -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in tree.items():
            if isinstance(value, dict):
                found |= flat(value, f"{prefix}{name}__")
            else:
                found[f"{prefix}{name}".upper()] = json.dumps(value) if not isinstance(value, str) else value
        return found

    return flat(tomllib.loads(file.read_text(encoding="utf-8")))


def test_the_documentation_names_every_setting_of_an_accessory() -> None:
    text = (ROOT / "docs" / "accessories.md").read_text(encoding="utf-8")
    options = AgentSettings.__annotations__["accessories"].__args__[0].__args__[1]
    assert [name for name in options.__struct_fields__ if f"`{name}`" not in text] == []
