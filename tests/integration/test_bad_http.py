"""The HTTP door under Schemathesis, by the relay's own OpenAPI document; and roles, as the document says them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.processes import RelayProcess
from tests.support.raw import RawClient

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection"
)
# They wait half a minute for an agent that is none; what they answer is tested where the agent is.
ASKING = "/(settings|restart|diagnostics|log-level|train)$"
SECONDS = 60
ROUND = {"id": 1, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 21.5}}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """One whose limits are wide, with a device of the documents' name."""
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "100000", "LIMITS__CLIENT_EVENTS_PER_S": "100000"}
    with processes.relay(tmp_path_factory.mktemp("relay"), **limits) as running:
        with RawClient(running.url, "/pi", {"device": "demo-pi", "contract": "1.0"}) as device:
            assert device.call("sensor_data_pub_pi", ROUND)[0]["ok"] is True
            yield running


@pytest.mark.timeout(200)
def test_whatever_is_asked_is_answered_as_documented(relay: RelayProcess, tmp_path: Path) -> None:
    arguments = ["run", f"{relay.url}/api/openapi.json", "--phases", "examples,coverage,fuzzing", "--checks", CHECKS]
    bounds = ["--max-examples", "20", "--max-time", str(SECONDS), "--request-timeout", "10", "--seed", "1"]
    quiet = ["--no-color", "--warnings", "off", "--continue-on-failure", "--exclude-path-regex", ASKING]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *arguments, *bounds, *quiet],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) > 500
    assert "Traceback" not in relay.process.log
    assert relay.get("/healthz")["ok"] is True


def test_every_role_may_do_what_the_document_says_and_no_more(tmp_path: Path) -> None:
    with processes.relay(tmp_path, demo=False) as relay:
        tokens = {
            role: relay.cli("token", "add", role, "--role", role).stdout.strip()
            for role in ("device", "viewer", "operator")
        }
        document = relay.get("/api/openapi.json")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                roles = set(operation["x-roles"])
                for role, token in {**tokens, "nobody": None}.items():
                    status = asked(relay, method, path, operation, token)
                    assert str(status) in operation["responses"] or status == 404, (method, path, role, status)
                    if not roles:
                        assert status != 401 or "session" in path, (method, path, role)
                    elif token is None:
                        assert status == 401, (method, path, status)
                    else:
                        assert (status == 403) is (role not in roles), (method, path, role, status)


def asked(relay: RelayProcess, method: str, path: str, operation: dict[str, Any], token: str | None) -> int:
    """The status where everything that is named does not exist."""
    given = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
    choices = {name: parameter["schema"].get("enum", ["nobody"])[0] for name, parameter in given.items()}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    status, _ = relay.http(method.upper(), path.format(**choices), body, token)
    return status


def test_the_documents_name_the_address_by_which_they_were_asked_for(relay: RelayProcess) -> None:
    assert relay.get("/api/openapi.json")["servers"] == [{"url": relay.url}]
    assert f"http://{relay.get('/api/asyncapi.json')['servers']['relay']['host']}" == relay.url


def test_every_schema_is_served(relay: RelayProcess) -> None:
    names = relay.get("/api/schemas")
    assert "/api/schemas/SensorData.json" in names
    for name in names:
        # Not application/json: its own media type.
        assert json.loads(relay.get(name))["$schema"].startswith("https://json-schema.org/")
    assert relay.http("GET", "/api/schemas/Nothing.json")[1]["code"] == "not_found"
