"""Bad input: always an answer with a stable code, and the connection lives on."""

from typing import Any

from server.conformance.base import Check, Target, refused, require
from server.conformance.twelve import a_round
from server.conformance.wire import Wire
from shared.contract import door_events, events
from shared.contract.spec import EventSpec, Namespace, Role

GROUP = "bad input"
_PI = events.SENSOR_DATA_PUB_PI.name
_MUCH = 70_000


def checks() -> list[Check]:
    """What is sent is refused; and a wrong body for each event that a relay takes."""
    taken = [spec for spec in events.CATALOGUE + door_events.EVERY_DOOR if spec.subscriber is Role.RELAY]
    return [
        Check(GROUP, "NaN is not JSON", _raw(f'["{_PI}",{{"id":NaN}}]', "malformed")),
        Check(GROUP, "what is no JSON", _raw(f'["{_PI}",{{', "malformed")),
        Check(GROUP, "a list that begins with no name", _raw("[7]", "malformed")),
        Check(GROUP, "an event that there is not", _raw('["no_such_event",{}]', "unknown_event")),
        Check(GROUP, "a name that Socket.IO uses itself", _raw('["disconnect",{}]', "unknown_event")),
        Check(GROUP, "a body that is too long", _raw(f'["{_PI}",{{"fail":["{"x" * _MUCH}"]}}]', "too_large")),
        Check(GROUP, "two bodies", _raw(f'["{_PI}",{{}},{{}}]', "invalid_payload")),
        Check(GROUP, "a field that is missing", _body(id=None)),
        Check(GROUP, "a value out of its range", _body(data={"temperature": 999.0})),
        Check(GROUP, "a wrong time", _body(datetime="yesterday")),
        Check(GROUP, "a refusal that nobody asked for comes as an event", _told),
        Check(GROUP, "binary where there is none", _binary),
        *(Check(GROUP, f"{spec.name} ({spec.namespace}) with a body of another type", _wrong(spec)) for spec in taken),
    ]


def _alive(wire: Wire) -> None:
    require(wire.call(_PI, a_round(1))[0].get("ok") is True, "after that, the connection takes nothing any more")


def _raw(text: str, code: str) -> Any:
    def check(target: Target) -> None:
        with target.agent() as agent:
            refused(agent.call_raw(text)[0], code)
            _alive(agent)

    return check


def _body(**wrong: Any) -> Any:
    def check(target: Target) -> None:
        body = {name: value for name, value in (a_round(1) | wrong).items() if value is not None}
        with target.agent() as agent:
            refused(agent.call(_PI, body)[0], "invalid_payload")
            _alive(agent)

    return check


def _told(target: Target) -> None:
    with target.agent() as agent:
        agent.emit(_PI, {"id": "one"})
        body = agent.event(events.ERROR_PUB_PI)
        require(body.get("code") == "invalid_payload", f"code {body.get('code')!r}")
        require(body.get("event") == _PI, f"it names the event {body.get('event')!r}")
        _alive(agent)


def _binary(target: Target) -> None:
    with target.agent() as agent:
        agent.send(f'451-{Namespace.PI},["{_PI}",{{"_placeholder":true,"num":0}}]')
        agent.send_binary(b"\x00\xff")
        require(agent.event(events.ERROR_PUB_PI).get("code") == "binary_refused", "another code than binary_refused")
        _alive(agent)


def _wrong(spec: EventSpec) -> Any:
    def check(target: Target) -> None:
        if spec.namespace is Namespace.PI:
            connection = target.agent()
        elif spec.namespace is Namespace.CLIENT:
            connection = target.page()
        else:
            connection = target.door("esp32" if spec.publisher is Role.ESP32 else "", target.device_token)
        with connection as wire:
            for body in (7, "text", [1], True):
                answer = wire.call(spec.name, body)[0]
                if answer.get("status") == "error":
                    # The stress monitor's own shape.
                    require(answer.get("code") == "invalid_payload", f"code {answer.get('code')!r}")
                else:
                    refused(answer, "invalid_payload", "forbidden")

    return check
