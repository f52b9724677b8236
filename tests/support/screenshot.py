"""Take the pictures of docs/images from a running demo: `make screenshot`."""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support import processes
from tests.support.processes import ROOT, wait_for

IMAGES = ROOT / "docs" / "images"
WARM_UP_MS = 25_000


def main() -> int:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        state = Path(directory)
        with (
            processes.relay(state / "relay") as relay,
            processes.agent(state / "agent", relay.url, "kitchen", SAMPLE_INTERVAL_S="1"),
        ):
            wait_for("the agent reports", lambda: relay.device("kitchen").get("accessories"))
            relay.cli("on", "led", "--device", "kitchen")
            relay.cli("on", "infrared", "--device", "kitchen")
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
            for name, scheme, width, height in (
                ("page-light", "light", 1280, 860),
                ("page-dark", "dark", 1280, 860),
                ("page-phone", "light", 360, 780),
            ):
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1
                )
                page.goto(relay.url)
                page.get_by_test_id("tile-kitchen-temperature").wait_for()
                page.wait_for_timeout(WARM_UP_MS if name == "page-light" else 1_500)
                page.screenshot(path=IMAGES / f"{name}.png")
                print(IMAGES / f"{name}.png")
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
