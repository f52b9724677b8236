"""A real browser for tests and pictures of the page, where there is one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.processes import ROOT

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
)
PATIENCE_MS = 20_000
"""How long a page may take to show what it must: machines are noisy, and what is right at last is right."""


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def built() -> bool:
    """Whether the page has been built."""
    return (ROOT / "server/dashboard/static/index.html").exists()


@contextmanager
def launched() -> Iterator[Any]:
    """A running browser without a window."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield running
        running.close()


def watched(context: Any) -> Any:
    """A new tab that collects what its console calls an error, in `errors`."""
    tab = context.new_page()
    tab.errors = []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.on("console", lambda message: tab.errors.append(message.text) if message.type == "error" else None)
    return tab
