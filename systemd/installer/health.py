"""Does a service that was just started work? systemd's word, its watchdog, and for a relay its own."""

import json
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from place import Place
from system import say

_LATE = 3
_PERIOD_S = 0.5


def check(place: Place) -> str | None:
    """What is wrong with the service, None where it is well. Takes some seconds, in which a bad one falls over."""
    if place.systemctl is None:
        return None
    trouble = _watch(place, place.systemctl)
    if trouble is None and place.service.name == "relay":
        trouble = _ask_relay(place)
    if trouble:
        return "\n".join([trouble, *_log(place)])
    say(f"{place.service.unit} is ready, and feeds its watchdog")
    return None


def _watch(place: Place, systemctl: str) -> str | None:
    first = _state(place, systemctl)
    if first["ActiveState"] != "active":
        return f"{place.service.unit} did not start: {first['ActiveState']} ({first['Result']})"
    end_s, fed = time.monotonic() + place.watch_s, False
    # A busy machine may be late with the first feeding, but not with all of them.
    last_s = end_s + _LATE * place.watch_s
    while time.monotonic() < (end_s if fed else last_s):
        time.sleep(_PERIOD_S)
        now = _state(place, systemctl)
        if now["ActiveState"] != "active" or now["MainPID"] != first["MainPID"]:
            return f"{place.service.unit} started, and ended again: {now['ActiveState']} ({now['Result']})"
        fed = fed or now["WatchdogTimestampMonotonic"] != first["WatchdogTimestampMonotonic"]
    return None if fed else f"{place.service.unit} does not feed its watchdog"


def _state(place: Place, systemctl: str) -> Mapping[str, str]:
    wanted = ("ActiveState", "Result", "MainPID", "WatchdogTimestampMonotonic")
    command = [systemctl, "show", place.service.unit, f"--property={','.join(wanted)}"]
    told = subprocess.run(command, capture_output=True, text=True).stdout  # noqa: S603 (our own words)
    return dict.fromkeys(wanted, "unknown") | dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def _ask_relay(place: Place) -> str | None:
    url = f"{_address(place.config)}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (http, on this machine)
            well = bool(json.load(answer)["ok"])
    except (OSError, ValueError, KeyError) as error:
        return f"the relay runs, but {url} says: {error}"
    return None if well else f"the relay runs, but {url} says that it is not well"


def _address(config: Path) -> str:
    with config.open("rb") as file:
        settings = tomllib.load(file)
    host = settings.get("host", "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 (compared, not bound)
    return f"http://{host}:{settings.get('port', 5000)}"


def _log(place: Place) -> list[str]:
    command = ["journalctl", "--unit", place.service.unit, "--lines=12", "--no-pager", "--output=cat"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()  # noqa: S603 (our own words)
    except OSError:
        return []
