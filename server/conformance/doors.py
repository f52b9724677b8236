"""The other doors: stress monitor, temperature page, telemetry, MQTT sensors; and who is let in where."""

import secrets

from server.conformance.base import Check, Skipped, Target, require, valid
from server.conformance.wire import NotHeard, Wire
from shared.contract import door_events as doors
from shared.contract import events
from shared.contract.spec import Namespace

GROUP = "the other doors"
ACCESS = "access"
_OWN = "needs a token of a device that is behind no other door: --device-token"
_READING = {"hr": 71.0, "temp": 33.1, "eda": 0.4}


def checks() -> list[Check]:
    """Each door's events once, and that a token's role is what counts."""
    return [
        Check(GROUP, "stress monitor: a reading is judged, stored and shown", _stress),
        Check(GROUP, "stress monitor: the same over HTTP", _stress_http),
        Check(GROUP, "stress monitor: history, ping, health, alerts", _stress_page),
        Check(GROUP, "temperature: once a second", _temperature),
        Check(GROUP, "telemetry: from a producer to loggers", _telemetry),
        Check(GROUP, "MQTT sensors: connectionInfo and /websocket/status", _mqtt),
        Check(ACCESS, "nobody gets in without a token", _closed),
        Check(ACCESS, "a token that is none is refused with its code", _wrong),
        Check(ACCESS, "a device's token commands nothing", _device),
    ]


def _stress(target: Target) -> None:
    with target.door("frontend") as page, target.door("esp32", target.device_token) as device:
        device.emit(doors.ESP32_SENSOR_DATA.name, {**_READING, "device_id": f"{target.device}-esp"})
        answer = device.event(doors.DATA_RECEIVED)
        if answer.get("code") in ("forbidden", "conflict"):
            raise Skipped(_OWN)
        valid(doors.DATA_RECEIVED.payload, answer)
        require(answer["status"] == "success" and answer.get("stress_prediction"), f"it says {answer!r}")
        shown = page.event(doors.NEW_SENSOR_DATA, lambda seen: seen.get("id") == answer.get("record_id"))
        valid(doors.NEW_SENSOR_DATA.payload, shown)
        require({name: shown[name] for name in _READING} == _READING, f"it shows {shown!r}")
        device.emit(doors.ESP32_SENSOR_DATA.name, {"hr": "high"})
        answer = device.event(doors.DATA_RECEIVED)
        require(answer.get("status") == "error" and answer.get("code") == "invalid_payload", f"it says {answer!r}")


def _stress_http(target: Target) -> None:
    body = {**_READING, "device_id": f"{target.device}-esp"}
    status, answer = target.http("POST", "/api/esp32/data", body, target.device_token)
    if status in (401, 403, 409):
        raise Skipped(_OWN)
    require(status == 200 and answer.get("status") == "success", f"{status}: {answer!r}")
    valid(doors.DATA_RECEIVED.payload, answer)
    status, answer = target.http("POST", "/api/esp32/data", {"hr": "high"}, target.device_token)
    require(status == 422 and answer.get("code") == "invalid_payload", f"{status}: {answer!r}")


def _stress_page(target: Target) -> None:
    with target.door("frontend") as page:
        for asked, answered in (
            (doors.FRONTEND_REQUEST_HISTORY, doors.HISTORY_DATA),
            (doors.PING, doors.PONG),
            (doors.HEALTH_CHECK, doors.HEALTH_STATUS),
            (doors.FRONTEND_SUBSCRIBE_ALERTS, doors.ALERTS_SUBSCRIBED),
        ):
            page.emit(asked.name, {"limit": 5} if asked is doors.FRONTEND_REQUEST_HISTORY else {})
            valid(answered.payload, page.event(answered))


def _temperature(target: Target) -> None:
    with target.door() as page:
        for _ in range(3):
            valid(doors.TEMPERATURE.payload, page.event(doors.TEMPERATURE, wait_s=2.5))


def _telemetry(target: Target) -> None:
    source = f"check-{secrets.token_hex(3)}"
    with target.door("logger") as logger, target.door("", target.device_token) as producer:
        packet = {"source": source, "values": {"rpm": 1480.5}, "of our own": [1, None]}
        ack = producer.call(doors.LOG_TELEMETRY.name, packet)[0]
        if ack.get("code") == "forbidden":
            raise Skipped("needs a device's token of its own: --device-token")
        require(ack.get("ok") is True, f"the ack says {ack!r}")
        seen = logger.event(doors.LOG_TELEMETRY_OUT, lambda body: body.get("source") == source)
        require(seen == packet, f"the packet came as {seen!r}")
        require(logger.call(doors.TELEMETRY_CHOOSE.name, {"sources": ["another"]})[0].get("ok") is True, "no choice")
        producer.call(doors.LOG_TELEMETRY.name, packet)
        try:
            logger.event(doors.LOG_TELEMETRY_OUT, lambda body: body.get("source") == source, wait_s=0.5)
        except NotHeard:
            return
        require(what=False, message="a logger that chose another source got the packet")


def _mqtt(target: Target) -> None:
    with target.door() as page:
        valid(doors.CONNECTION_INFO.payload, page.event(doors.CONNECTION_INFO))
        status, body = target.http("GET", "/websocket/status")
        require(status == 200 and body.get("success") is True, f"{status}: {body!r}")
        require(body.get("connectedClients", 0) >= 1, f"connectedClients is {body.get('connectedClients')!r}")


def _closed(target: Target) -> None:
    if target.is_open:
        raise Skipped("demo mode: it asks for no token")
    for namespace in Namespace:
        with Wire(target.url, namespace) as wire:
            require(not wire.admitted, f"{namespace} let somebody in without a token")
            require("unauthenticated" in str(wire.refusal), f"{namespace} refuses with {wire.refusal!r}")


def _wrong(target: Target) -> None:
    if target.is_open:
        raise Skipped("demo mode: it asks for no token")
    with Wire(target.url, Namespace.CLIENT, "bl_wrong") as wire:
        require(not wire.admitted and "unauthenticated" in str(wire.refusal), f"{wire.refusal!r}")


def _device(target: Target) -> None:
    if target.is_open or not target.device_token:
        raise Skipped("needs a device's token, and a relay that is not in demo mode")
    with Wire(target.url, Namespace.CLIENT, target.device_token) as wire:
        if not wire.admitted:
            return
        ack = wire.call(events.COMMAND_REQUEST_CLIENT.name, {"all": True, "action": "clean"})[0]
        require(ack.get("code") == "forbidden", f"a device's token commanded: {ack!r}")
