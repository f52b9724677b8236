"""Take the pictures of docs/images from a running demo: `make screenshot`."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support import browser, processes
from tests.support.processes import ROOT, RelayProcess, wait_for

IMAGES = ROOT / "docs" / "images"
WARM_UP_S = 25
"""So long the simulated room is left alone, that its chart has a line."""

PICTURES = (
    # name, theme, width, height, view, what must be there
    ("page-light", "light", 1280, 900, "", "tile-kitchen-temperature"),
    ("page-dark", "dark", 1280, 900, "", "tile-kitchen-temperature"),
    ("page-phone", "light", 360, 780, "", "tile-kitchen-temperature"),
    ("page-away", "light", 1280, 900, "?device=workshop", "accessory-workshop-breath_light"),
    ("page-log", "light", 1280, 760, "#log/kitchen", "log-lines"),
)


@contextmanager
def scene(state: Path) -> Iterator[RelayProcess]:
    """A kitchen with a fan that a rule turns on when it is warm, and a workshop whose Pi has died with its light on."""
    fan = {"ACCESSORIES__FAN__GPIO": "25", "ACCESSORIES__FAN__TITLE": "Fan"}
    with ExitStack() as running:
        relay = running.enter_context(processes.relay(state / "relay"))
        running.enter_context(processes.agent(state / "kitchen", relay.url, "kitchen", SAMPLE_INTERVAL_S="1", **fan))
        victim = processes.start_agent(state / "workshop", relay.url, "workshop", SAMPLE_INTERVAL_S="1")
        try:
            _light(relay, "kitchen")
            _light(relay, "workshop")
            relay.http("PATCH", "/api/devices/kitchen", {"title": "Kitchen window", "place": "Ground floor"})
            relay.http("PATCH", "/api/devices/workshop", {"title": "Workshop", "place": "Cellar"})
            warm = {"quantity": "temperature", "above": 15, "message": "The kitchen is warm", "devices": ["kitchen"]}
            fan_on = {"command": {"action": "on", "accessory": "fan", "lease_s": 600}}
            relay.http("PUT", "/api/alerts/rules/fan-when-warm", warm | fan_on)
            away = {"offline": True, "severity": "critical", "devices": ["workshop"]}
            relay.http("PUT", "/api/alerts/rules/workshop-offline", away)
            time.sleep(WARM_UP_S)
        finally:
            victim.kill()
        wait_for("the workshop is gone", lambda: not relay.device("workshop")["online"])
        wait_for("both alerts are open", lambda: len(relay.get("/api/alerts?state=open")["alerts"]) > 1, 60)
        off = {"action": "off", "accessory": "breath_light", "queue": True, "ttl_s": 3600}
        relay.http("POST", "/api/devices/workshop/commands", off)
        yield relay


def _light(relay: RelayProcess, name: str) -> None:
    wait_for(f"{name} reports", lambda: relay.device(name).get("accessories"))
    relay.cli("on", "led", "--device", name)


def take(relay: RelayProcess, running: Any, into: Path) -> None:
    """Every picture of `PICTURES`, as a PNG file in `into`."""
    for name, scheme, width, height, view, shown in PICTURES:
        page = running.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1)
        page.goto(f"{relay.url}/{view}")
        page.get_by_test_id(shown).wait_for()
        page.wait_for_timeout(1_500)
        page.screenshot(path=into / f"{name}.png")
        page.close()
        print(into / f"{name}.png")


def main(into: Path = IMAGES) -> int:
    if browser.chromium() is None:
        print("no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, scene(Path(directory)) as relay, browser.launched() as running:
        take(relay, running, into)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
