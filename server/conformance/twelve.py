"""The mission's twelve events, each once over the wire."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from server.conformance.base import Check, Skipped, Target, fail, require, valid
from server.conformance.wire import NotHeard, Wire
from shared.contract import events
from shared.contract.payloads import Accessory, Action
from shared.contract.spec import EventSpec

GROUP = "the twelve events"
ORIGINAL_ACK = [True, "receive", 200]
ROUND: dict[str, Any] = {
    "datetime": "2026-01-31 23:59:59",
    "data": {"temperature": 21.4, "humidity": None},
    "fail": ["dht"],
}
COMMAND_S = 20.0


def checks() -> list[Check]:
    """One for each event, and what belongs to them."""
    own = {
        events.SENSOR_DATA_PUB_PI: _sensor_data,
        events.SENSOR_DATA_PUB_CLIENT: _sensor_data_shown,
        events.ACCESSORY_STATUS_PUB_CLIENT: _status_shown,
        events.LED_STATUS_PUB_PI: _reported(events.LED_STATUS_PUB_PI),
        events.INFRARED_STATUS_PUB_PI: _reported(events.INFRARED_STATUS_PUB_PI),
        events.MODEL_TRAIN_PUB_PI: _reported(events.MODEL_TRAIN_PUB_PI),
        events.MODEL_TRAIN_PUB_CLIENT: _training_shown,
        events.LED_STATUS_CHECK_PUB_SYSTEM: _sent(
            events.LED_STATUS_CHECK_PUB_SYSTEM, Action.CHECK, Accessory.BREATH_LIGHT
        ),
        events.LED_OFF_PUBLISH_SERVER: _sent(events.LED_OFF_PUBLISH_SERVER, Action.OFF, Accessory.BREATH_LIGHT),
        events.INFRARED_STATUS_CHECK_PUB_SYSTEM: _sent(
            events.INFRARED_STATUS_CHECK_PUB_SYSTEM, Action.CHECK, Accessory.INFRARED_SENSOR
        ),
        events.INFRARED_OFF_PUBLISH_SERVER: _sent(
            events.INFRARED_OFF_PUBLISH_SERVER, Action.OFF, Accessory.INFRARED_SENSOR
        ),
        events.SERVER_CLEAN_PUB: _sent(events.SERVER_CLEAN_PUB, Action.CLEAN, None),
    }
    return [
        *(Check(GROUP, spec.name, own[spec]) for spec in events.THE_TWELVE),
        Check(GROUP, "an original agent gets the original's ack", _original),
        Check(GROUP, "what comes again is stored once", _again),
        Check(GROUP, "a command reaches the device that it is for, alone", _addressed),
    ]


def a_round(number: int = 0, **more: Any) -> dict[str, Any]:
    """The body of one sampling round, of a stream that nobody has used."""
    return {"id": number, **ROUND, "stream": secrets.token_urlsafe(8), **more}


def _sensor_data(target: Target) -> None:
    with target.agent() as agent:
        _is_stored(agent.call(events.SENSOR_DATA_PUB_PI.name, a_round(1)), 1)


def _is_stored(values: list[Any], number: int) -> None:
    require(len(values) == 1 and isinstance(values[0], dict), f"the ack is one object, not {values!r}")
    ack = values[0]
    require(ack.get("ok") is True and ack.get("code") == "stored", f"the ack says {ack!r}, not stored")
    require(ack.get("id") == number, f"the ack names id {ack.get('id')!r}, not {number}")


def _original(target: Target) -> None:
    with target.agent(original=True) as agent:
        values = agent.call(events.SENSOR_DATA_PUB_PI.name, {"id": 1, **ROUND})
        require(values == ORIGINAL_ACK, f"the ack is {values!r}, not {ORIGINAL_ACK!r}")


def _again(target: Target) -> None:
    with target.agent() as agent:
        body = a_round(1)
        _is_stored(agent.call(events.SENSOR_DATA_PUB_PI.name, body), 1)
        ack = agent.call(events.SENSOR_DATA_PUB_PI.name, body)[0]
        require(ack.get("ok") is True and ack.get("code") == "duplicate", f"the second ack says {ack!r}, not duplicate")


@contextmanager
def _both(target: Target) -> Iterator[tuple[Wire, Wire]]:
    """A page that has its snapshot, and a device."""
    with target.page() as page:
        page.event(events.SNAPSHOT_PUB_CLIENT)
        with target.agent() as agent:
            yield page, agent


def _sensor_data_shown(target: Target) -> None:
    with _both(target) as (page, agent):
        body = a_round(1)
        agent.call(events.SENSOR_DATA_PUB_PI.name, body)
        shown = page.event(events.SENSOR_DATA_PUB_CLIENT, lambda seen: seen.get("stream") == body["stream"])
        valid(events.SENSOR_DATA_PUB_CLIENT.payload, shown)
        for name in ("id", "datetime", "fail", "data"):
            require(shown.get(name) == body[name], f"{name} is {shown.get(name)!r}, not {body[name]!r}")


def _reported(spec: EventSpec) -> Any:
    def check(target: Target) -> None:
        with target.agent() as agent:
            ack = agent.call(spec.name, {"status": True})[0]
            require(isinstance(ack, dict) and ack.get("ok") is True, f"the ack says {ack!r}")

    return check


def _status_shown(target: Target) -> None:
    with _both(target) as (page, agent):
        for spec, accessory in (
            (events.LED_STATUS_PUB_PI, Accessory.BREATH_LIGHT),
            (events.INFRARED_STATUS_PUB_PI, Accessory.INFRARED_SENSOR),
        ):
            for status in (True, False):
                agent.call(spec.name, {"status": status})
                shown = page.event(
                    events.ACCESSORY_STATUS_PUB_CLIENT,
                    _is(accessory=accessory, status=status),
                )
                valid(events.ACCESSORY_STATUS_PUB_CLIENT.payload, shown)


def _is(**fields: object) -> Callable[[Any], bool]:
    """Whether a body says this."""
    return lambda seen: all(seen.get(name) == value for name, value in fields.items())


def _training_shown(target: Target) -> None:
    with _both(target) as (page, agent):
        for status in (True, False):
            agent.call(events.MODEL_TRAIN_PUB_PI.name, {"status": status})
            shown = page.event(events.MODEL_TRAIN_PUB_CLIENT, _is(status=status))
            valid(events.MODEL_TRAIN_PUB_CLIENT.payload, shown)
            require(shown.get("accessory") == "face_model", f"accessory is {shown.get('accessory')!r}, not face_model")


def _name_of(page: Wire, agent: Wire) -> str:
    """Under which name the relay knows the device: a round of it tells."""
    body = a_round(1)
    agent.call(events.SENSOR_DATA_PUB_PI.name, body)
    shown = page.event(events.SENSOR_DATA_PUB_CLIENT, lambda seen: seen.get("stream") == body["stream"])
    name = shown.get("device")
    require(isinstance(name, str), "what pages are shown names no device")
    return str(name)


def _sent(spec: EventSpec, action: Action, accessory: str | None) -> Any:
    def check(target: Target) -> None:
        with _both(target) as (page, agent):
            device = _name_of(page, agent)
            wanted = {"device": device, "action": action, "ttl_s": 1, **({"accessory": accessory} if accessory else {})}
            ack = page.call(events.COMMAND_REQUEST_CLIENT.name, wanted)[0]
            require(ack.get("ok") is True and ack.get("command"), f"the command was not taken: {ack!r}")
            body = agent.event(spec)
            valid(spec.payload, body)
            require(body.get("command") == ack["command"], "the event does not carry the command's id")
            final = page.event(
                events.COMMAND_RESULT_PUB_CLIENT,
                lambda seen: (
                    seen.get("command") == ack["command"] and seen.get("state") in ("expired", "failed", "verified")
                ),
                COMMAND_S,
            )
            require(final["state"] != "verified", "it says that a device did it which said nothing")

    return check


def _addressed(target: Target) -> None:
    if target.device_token:
        raise Skipped("one token is one device; this needs two, as in demo mode")
    with _both(target) as (page, agent), target.agent(name=f"{target.device}-b") as other:
        wanted = {"device": _name_of(page, agent), "action": "check", "accessory": Accessory.BREATH_LIGHT, "ttl_s": 1}
        page.call(events.COMMAND_REQUEST_CLIENT.name, wanted)
        agent.event(events.LED_STATUS_CHECK_PUB_SYSTEM)
        try:
            other.event(events.LED_STATUS_CHECK_PUB_SYSTEM, wait_s=0.5)
        except NotHeard:
            return
        fail("another device got it too")
