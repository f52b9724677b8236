"""The HTTP side: what its own document says, and what every relay answers."""

import re
from typing import Any

from server.conformance.base import Check, Skipped, Target, refused, require, valid
from server.conformance.twelve import a_round
from shared.contract import events
from shared.contract.payloads import CommandResult, DeviceSnapshot, Snapshot

GROUP = "HTTP"
_DOCUMENT = "/api/openapi.json"
_NOBODY = "nobody-of-this-name"


def checks() -> list[Check]:
    """Resources, refusals, and each operation that only reads."""
    return [
        Check(GROUP, "/healthz is open and well", _health),
        Check(GROUP, "a device that reported is there", _device),
        Check(GROUP, "a command is on record", _command),
        Check(GROUP, "refusals have a status and a code", _refusals),
        Check(GROUP, "a body that is no JSON is refused", _malformed),
        Check(GROUP, "the OpenAPI document is served", _document),
        Check(GROUP, "the AsyncAPI document has every event", _events),
        Check(GROUP, "what only reads answers as the document says", _reads),
    ]


def _health(target: Target) -> None:
    status, body = target.http("GET", "/healthz", token="")
    require(status == 200 and body.get("ok") is True, f"{status}: {body!r}")


def _reported(target: Target) -> str:
    """A device that has just reported; its name."""
    with target.page() as page, target.agent() as agent:
        body = a_round(1)
        agent.call(events.SENSOR_DATA_PUB_PI.name, body)
        shown = page.event(events.SENSOR_DATA_PUB_CLIENT, lambda seen: seen.get("stream") == body["stream"])
        return str(shown.get("device"))


def _device(target: Target) -> None:
    name = _reported(target)
    status, body = target.http("GET", "/api/devices")
    require(status == 200, f"/api/devices: {status}")
    valid(Snapshot, body)
    require(name in [known["device"] for known in body["devices"]], f"{name} is not in /api/devices")
    status, body = target.http("GET", f"/api/devices/{name}")
    require(status == 200, f"/api/devices/{name}: {status}")
    valid(DeviceSnapshot, body)


def _command(target: Target) -> None:
    name = _reported(target)
    with target.agent():
        wanted = {"action": "check", "accessory": "breath_light", "ttl_s": 1}
        status, ack = target.http("POST", f"/api/devices/{name}/commands", wanted)
        require(status == 202 and ack.get("command"), f"{status}: {ack!r}")
        status, body = target.http("GET", f"/api/commands/{ack['command']}")
    require(status == 200 and body.get("results"), f"{status}: {body!r}")
    for result in body["results"]:
        valid(CommandResult, result)


def _refusals(target: Target) -> None:
    for method, path, body, expected, code in (
        ("GET", f"/api/devices/{_NOBODY}", None, 404, "unknown_device"),
        ("GET", f"/api/commands/{_NOBODY}", None, 404, "unknown_command"),
        ("GET", "/api/no-such-thing", None, 404, "not_found"),
        ("POST", "/healthz", {}, 405, "method_not_allowed"),
        ("POST", f"/api/devices/{_NOBODY}/commands", {"action": "explode"}, 422, "invalid_payload"),
    ):
        status, answer = target.http(method, path, body)
        if status in (401, 403):
            raise Skipped("needs an operator's token: --token")
        require(status == expected, f"{method} {path}: {status} instead of {expected}")
        refused(answer, code)


def _malformed(target: Target) -> None:
    for text in (b"{", b'{"action": NaN}', b"\xff"):
        status, answer = target.http("POST", f"/api/devices/{_NOBODY}/commands", text)
        if status in (401, 403):
            raise Skipped("needs an operator's token: --token")
        require(status == 400, f"{text!r}: {status} instead of 400")
        refused(answer, "malformed")


def _served(target: Target) -> dict[str, Any]:
    status, body = target.http("GET", _DOCUMENT)
    require(status == 200 and isinstance(body, dict) and "paths" in body, f"{_DOCUMENT}: {status}")
    document: dict[str, Any] = body
    return document


def _document(target: Target) -> None:
    document = _served(target)
    require(str(document.get("openapi", "")).startswith("3.1"), f"it is OpenAPI {document.get('openapi')!r}")
    for path in ("/healthz", "/api/devices", "/api/devices/{device}/commands", "/api/commands/{command}"):
        require(path in document["paths"], f"it does not have {path}")


def _events(target: Target) -> None:
    status, body = target.http("GET", "/api/asyncapi.json")
    require(status == 200 and isinstance(body, dict), f"{status}")
    names = {message.get("name") for message in body["components"]["messages"].values()}
    missing = sorted({spec.name for spec in events.THE_TWELVE} - names)
    require(not missing, f"missing: {missing}")


def _reads(target: Target) -> None:
    """With names that there are not: an answer that is documented, and its own code for a refusal."""
    for path, methods in _served(target)["paths"].items():
        operation = methods.get("get")
        if operation is None or operation.get("x-download"):
            continue
        asked = re.sub(r"\{(\w+)\}", _NOBODY, path)
        query = [p for p in operation.get("parameters", ()) if p["in"] == "query" and p.get("required")]
        asked += "?" + "&".join(f"{p['name']}={p.get('example', 'x')}" for p in query) if query else ""
        status, body = target.http("GET", asked)
        require(str(status) in operation["responses"], f"GET {asked}: {status} is not in the document")
        if status >= 400 and isinstance(body, dict) and "ok" in body:
            require(isinstance(body.get("code"), str) or status == 503, f"GET {asked}: {status} without a code")
