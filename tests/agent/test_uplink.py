"""The uplink's life, turn by turn: connecting, losing, being refused and replaced; and what the relay sends."""

from collections import deque
from collections.abc import Callable

import pytest

from pi_agent.accessories.command import Command
from pi_agent.accessories.commands import Door
from pi_agent.accessories.relay_time import RelayTime
from pi_agent.uplink.inbound import COMMANDS, Inbound
from pi_agent.uplink.link import Answered, Joined, Lost
from pi_agent.uplink.live import LiveLane, LiveSender
from pi_agent.uplink.uplink import Uplink
from pi_agent.uplink.verdict import LinkDown, Token
from shared.contract.events import ACCESSORIES, ERROR_PUB_PI, HEARTBEAT_PUB_PI, LED_STATUS_PUB_PI, SERVER_CLEAN_PUB
from shared.contract.payloads import Action, Cause, ErrorBody, Heartbeat, LightOptions, parse
from shared.errors import Code
from tests.agent.test_uplink_parts import STORED, Shelf, refused, sender
from tests.support.clock import FakeClock


class Cable:
    """A connection in a test's hands."""

    def __init__(self, hello, inbox, receive) -> None:
        self.hello, self.inbox, self.receive = hello, inbox, receive
        self.sent = []
        self.closed = False

    def open(self) -> None:
        pass

    def emit(self, spec, body, token) -> None:
        if self.closed:
            raise LinkDown("closed")
        self.sent.append((spec.name, dict(body), token))

    def close(self) -> None:
        self.closed = True


class Rig:
    """An uplink at a relay far away."""

    def __init__(self, url: str = "http://relay:5000") -> None:
        self.clock = FakeClock()
        self.shelf = Shelf(self.clock)
        self.lane = LiveLane(self.clock)
        self.cables: list[Cable] = []
        self.reachable = True
        self.joins = 0
        self.commands: list[Command] = []
        self.code = Code.ACCEPTED
        self.relay_time = RelayTime(self.clock)
        self.doors = 0
        self.proofs = 0
        self.wakes = 0
        self.uplink = Uplink(
            url,
            lambda door: {"device": "pi", "seq": door.seq},
            sender(self.shelf, self.clock),
            LiveSender(self.lane, "pi", self.clock),
            self,
            self.clock,
            on_joined=self.joined,
            dial=self.dial,
        )

    def submit(self, command: Command) -> Code:
        self.commands.append(command)
        return self.code

    # What the uplink sees of the commands.

    def connect(self) -> Door:
        self.doors += 1
        self.relay_time.forget()
        return Door("L", self.doors, self.submit)

    def proven(self) -> None:
        self.proofs += 1

    def wake(self) -> None:
        self.wakes += 1

    # What a test sees.

    def sent(self, cable: "Cable | None" = None) -> list:
        """What was sent, but for heartbeats."""
        return [sent for sent in (cable or self.cable).sent if sent[0] != HEARTBEAT_PUB_PI.name]

    def beats(self) -> list[tuple[dict, Token]]:
        return [(body, token) for name, body, token in self.cable.sent if name == HEARTBEAT_PUB_PI.name]

    def joined(self) -> None:
        self.joins += 1

    def dial(self, url, hello, inbox, receive) -> Cable:
        cable = Cable(hello, inbox, receive)
        if not self.reachable:

            def fail() -> None:
                raise LinkDown("connection refused")

            cable.open = fail
        self.cables.append(cable)
        return cable

    @property
    def cable(self) -> Cable:
        return self.cables[-1]

    def join(self) -> Cable:
        self.uplink.turn()
        self.cable.inbox(Joined(self.cable))
        self.uplink.turn()
        return self.cable

    def run_for(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Turn after turn, each when it is due. Returns how long it took."""
        start = self.clock.monotonic_ns()
        while True:
            due_s = self.uplink.turn()
            elapsed = (self.clock.monotonic_ns() - start) / 1e9
            if elapsed >= seconds or until():
                return elapsed
            self.clock.advance(max(0.01, min(due_s, seconds - elapsed)))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_nothing_is_sent_before_the_relay_admits_the_agent(rig) -> None:
    rig.shelf.add()
    rig.uplink.turn()
    assert rig.cable.sent == []
    assert not rig.uplink.joined
    rig.cable.inbox(Joined(rig.cable))
    rig.uplink.turn()
    assert len(rig.sent()) == 1
    assert rig.uplink.joined
    assert rig.joins == 1


def test_an_unreachable_relay_is_tried_again_at_most_thirty_seconds_apart(rig) -> None:
    rig.reachable = False
    rig.run_for(600)
    assert len(rig.cables) >= 600 / 30
    assert len(rig.cables) < 100


def test_a_relay_that_comes_back_gets_what_was_missed(rig) -> None:
    cable = rig.join()
    rig.shelf.add()
    cable.inbox(Lost(cable, "transport error"))
    rig.uplink.turn()
    assert cable.closed
    took_s = rig.run_for(60, until=lambda: len(rig.cables) == 2)
    assert took_s <= 30
    rig.join()
    assert [body["id"] for _, body, _ in rig.sent()] == [1]


def test_a_crowd_of_agents_does_not_come_back_in_one_instant() -> None:
    delays = []
    for _ in range(40):
        rig = Rig()
        cable = rig.join()
        cable.inbox(Lost(cable, "relay restarts"))
        delays.append(rig.run_for(60, until=lambda rig=rig: len(rig.cables) == 2))
    assert max(delays) - min(delays) > 2


def test_an_agent_beside_its_relay_comes_back_at_once() -> None:
    rig = Rig("http://127.0.0.1:5000")
    cable = rig.join()
    cable.inbox(Lost(cable, "relay restarts"))
    assert rig.run_for(60, until=lambda: len(rig.cables) == 2) <= 1


def test_a_relay_that_admits_nobody_is_given_up_in_time(rig) -> None:
    rig.uplink.turn()
    assert rig.run_for(60, until=lambda: rig.cables[0].closed) <= 20.1


def test_a_slow_relay_has_time_to_admit(rig) -> None:
    rig.uplink.turn()
    rig.clock.advance(15)
    rig.cable.inbox(Joined(rig.cable))
    rig.uplink.turn()
    assert rig.uplink.joined


def test_a_replaced_agent_stays_away_for_long(rig, caplog) -> None:
    cable = rig.join()
    cable.receive(ERROR_PUB_PI.name, ({"code": "replaced", "message": "connected again"},))
    cable.inbox(Lost(cable, "server disconnect"))
    rig.uplink.turn()
    assert rig.run_for(290) >= 290
    assert len(rig.cables) == 1
    rig.run_for(20)
    assert len(rig.cables) == 2
    assert "another program connected as this device" in caplog.text


def test_a_refused_device_waits_and_keeps_everything(rig, caplog) -> None:
    rig.shelf.add()
    rig.uplink.turn()
    rig.cable.inbox(Lost(rig.cable, "No token", "unauthenticated"))
    rig.uplink.turn()
    rig.run_for(29)
    assert len(rig.cables) == 1
    rig.run_for(5)
    assert len(rig.cables) == 2
    assert rig.shelf.depth == 1
    assert "refuses this device" in caplog.text


def test_an_ack_that_refuses_the_connection_ends_it(rig) -> None:
    cable = rig.join()
    rig.shelf.add()
    rig.uplink.turn()
    cable.inbox(Answered(cable, rig.sent()[0][2], refused("unauthenticated", retry=False)))
    rig.uplink.turn()
    assert cable.closed
    assert rig.shelf.depth == 1


def test_what_an_earlier_connection_says_is_ignored(rig) -> None:
    old = rig.join()
    rig.shelf.add()
    rig.uplink.turn()
    token = rig.sent(old)[0][2]
    old.inbox(Lost(old, "gone"))
    rig.run_for(60, until=lambda: len(rig.cables) == 2)
    rig.join()
    old.inbox(Lost(old, "gone again"))
    old.inbox(Answered(old, token, STORED))
    rig.uplink.turn()
    assert rig.uplink.joined
    assert rig.shelf.depth == 1


def test_a_live_status_does_not_wait_behind_a_backlog(rig) -> None:
    for _ in range(500):
        rig.shelf.add()
    rig.join()
    rig.lane.report(LED_STATUS_PUB_PI, {"status": True})
    rig.uplink.turn()
    position = [name for name, _, _ in rig.sent()].index(LED_STATUS_PUB_PI.name)
    assert position <= 4  # the window that was already on its way


def test_losses_are_logged_once_per_change_of_state(rig, caplog) -> None:
    rig.reachable = False
    rig.run_for(300)
    assert caplog.text.count("relay lost") == 1


# --- heartbeats ------------------------------------------------------------------------------------------------------


def alive(relay_ms: int) -> tuple[dict]:
    return ({"ok": True, "code": "accepted", "relay_ms": relay_ms},)


def test_the_first_thing_that_a_relay_hears_is_a_heartbeat_and_then_one_every_ten_seconds(rig) -> None:
    rig.shelf.add()
    cable = rig.join()
    assert cable.sent[0][:2] == (HEARTBEAT_PUB_PI.name, cable.sent[0][1])
    assert parse(Heartbeat, cable.sent[0][1]).interval_s == 10
    rig.run_for(35)
    assert len(rig.beats()) == 4


def test_an_ack_tells_the_latest_that_it_can_be_at_the_relay(rig) -> None:
    cable = rig.join()
    assert rig.relay_time.latest_ms() is None
    rig.clock.advance(0.4)
    cable.inbox(Answered(cable, rig.beats()[0][1], alive(5000)))
    rig.uplink.turn()
    assert rig.relay_time.latest_ms() == pytest.approx(5400)
    rig.clock.advance(2)
    assert rig.relay_time.latest_ms() == pytest.approx(7400)
    assert rig.wakes == 1  # those that waited for it
    assert rig.proofs == 2  # admitted, answered


def test_an_ack_of_an_earlier_heartbeat_that_comes_late_tells_nothing(rig) -> None:
    cable = rig.join()
    rig.run_for(10.5)
    (_, first), (_, second) = rig.beats()
    cable.inbox(Answered(cable, second, alive(20_000)))
    rig.uplink.turn()
    cable.inbox(Answered(cable, first, alive(30_000)))
    rig.uplink.turn()
    assert rig.relay_time.latest_ms() == pytest.approx(20_500)


def test_a_new_connection_knows_nothing_of_the_time_and_takes_a_new_door(rig) -> None:
    cable = rig.join()
    cable.inbox(Answered(cable, rig.beats()[0][1], alive(5000)))
    cable.inbox(Lost(cable, "gone"))
    rig.run_for(60, until=lambda: len(rig.cables) == 2)
    assert rig.relay_time.latest_ms() is None
    assert [cable.hello["seq"] for cable in rig.cables] == [1, 2]


@pytest.mark.parametrize("answer", [refused("unknown_event", retry=False), (True, "receive", 200), ()])
def test_an_older_relay_is_none_the_worse_for_heartbeats(rig, answer) -> None:
    cable = rig.join()
    cable.inbox(Answered(cable, rig.beats()[0][1], answer))
    rig.run_for(25)
    assert rig.uplink.joined
    assert len(rig.beats()) == 3
    assert rig.relay_time.latest_ms() is None


def test_the_last_heartbeat_says_that_the_agent_ends_and_is_waited_for(rig) -> None:
    cable = rig.join()
    emit = cable.emit

    def answering(spec, body, token) -> None:
        emit(spec, body, token)
        cable.inbox(Answered(cable, token, alive(1)))

    cable.emit = answering
    rig.uplink.stop(ending=True)
    deque(rig.uplink.work(), maxlen=0)
    assert cable.closed
    assert rig.beats()[-1][0]["ending"] is True


def test_an_agent_that_breaks_does_not_say_that_it_ends(rig) -> None:
    rig.join()
    rig.uplink.stop()
    deque(rig.uplink.work(), maxlen=0)
    assert not any("ending" in body for body, _ in rig.beats())


# --- what the relay sends --------------------------------------------------------------------------------------------


def body(action: Action, **more) -> dict:
    if action in (Action.CHECK, Action.CLEAN):
        return {"action": action.value, **more}
    base = {"pin": 18, "mode": "BCM", "code": 200, "accessory": "breath_light", "status": action is Action.ON}
    return base | {"type": "BreathLightCloseSuccess", "msg": ""} | more


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_catalogue_is_queued_and_acked_at_once(rig, name) -> None:
    spec, action, accessory = COMMANDS[name]
    named = {"accessory": "fan"} if accessory is None and spec is not SERVER_CLEAN_PUB else {}
    ack = rig.join().receive(name, (body(action, command="c-1", ttl_s=5.0) | named,))
    assert (ack.ok, ack.code, ack.command) == (True, "accepted", "c-1")
    assert rig.commands == [Command(action, accessory or named.get("accessory"), "c-1", ttl_s=5.0)]


def test_a_numbered_command_comes_whole(rig) -> None:
    said = {
        "command": "c-1",
        "ledger": "L",
        "seq": 7,
        "ttl_s": 5.0,
        "expires_ms": 9000,
        "cause": "rule",
        "lease_s": 60.0,
    }
    rig.join().receive(ACCESSORIES["breath_light"].on.name, (body(Action.ON, **said, light={"level": 0.5}),))
    assert rig.commands == [
        Command(
            Action.ON,
            "breath_light",
            "c-1",
            *("L", 7, 60.0, LightOptions.build(level=0.5), 5.0, 9000, Cause.RULE),
        )
    ]


def test_the_original_bodies_are_enough(rig) -> None:
    cable = rig.join()
    for name, original in (
        (SERVER_CLEAN_PUB.name, {"action": "clean"}),
        (ACCESSORIES["breath_light"].check.name, {"action": "check"}),
        (ACCESSORIES["breath_light"].off.name, body(Action.OFF)),
    ):
        assert cable.receive(name, (original,)).ok
    assert [command.id for command in rig.commands] == [None] * 3


def test_an_on_may_carry_a_lease(rig) -> None:
    rig.join().receive(ACCESSORIES["breath_light"].on.name, (body(Action.ON, lease_s=10.0),))
    assert rig.commands[0].lease_s == 10


@pytest.mark.parametrize(
    ("name", "bodies", "code"),
    [
        ("LED_off_publish_server", ({"action": 3},), Code.INVALID_PAYLOAD),
        ("LED_off_publish_server", (), Code.INVALID_PAYLOAD),
        ("LED_off_publish_server", (body(Action.OFF), 2), Code.INVALID_PAYLOAD),
        ("LED_off_publish_server", ("off",), Code.INVALID_PAYLOAD),
        ("server_clean_pub", ({"action": "clean", "command": "not a key!"},), Code.INVALID_PAYLOAD),
        ("accessory_status_check_pub_system", ({"action": "check"},), Code.INVALID_PAYLOAD),
        ("no_such_event", ({},), Code.UNKNOWN_EVENT),
        ("sensor_data_pub_pi", ({},), Code.UNKNOWN_EVENT),
    ],
)
def test_a_bad_command_is_refused_with_its_reason_and_changes_nothing(rig, name, bodies, code) -> None:
    ack = rig.join().receive(name, bodies)
    assert (ack.ok, ack.code) == (False, code)
    assert rig.commands == []


@pytest.mark.parametrize("code", [Code.QUEUE_FULL, Code.UNKNOWN_ACCESSORY])
def test_a_command_that_cannot_be_queued_is_refused(rig, code) -> None:
    rig.code = code
    ack = rig.join().receive(SERVER_CLEAN_PUB.name, ({"action": "clean", "command": "c"},))
    assert (ack.ok, ack.code, ack.retry) == (False, code, code is Code.QUEUE_FULL)


def test_a_refusal_of_the_relay_is_heard() -> None:
    heard: list[ErrorBody] = []
    inbound = Inbound(lambda command: Code.ACCEPTED, heard.append)
    assert inbound.receive(ERROR_PUB_PI.name, ({"code": "too_large", "message": "m", "event": "e"},)) is None
    assert heard[0].code is Code.TOO_LARGE
