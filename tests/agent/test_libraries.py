"""What an agent that runs has loaded, and what it has not. Each in an interpreter of its own."""

import json
import subprocess
import sys

import pytest

from tests.support.processes import ROOT

NEVER = ["requests", "asyncio", "multiprocessing", "socketio.server", "engineio.server", "numpy", "sklearn", "pydantic"]
OPENSSL = ["_ssl", "_hashlib"]


def loaded(url: str, after: str = "") -> set[str]:
    """The modules of a process that is ready to build an agent for a relay at `url`."""
    code = f"""
import json, sys
from pi_agent.jobs.library import load_scheduler
from pi_agent.libraries import load_libraries
load_scheduler()
load_libraries({url!r})
import pi_agent.app
names = list(sys.modules)
{after}
print(json.dumps(names))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("url", ["http://relay.lan:5000", "ws://relay.lan:5000"])
def test_without_tls_neither_openssl_nor_anything_unused_is_loaded(url):
    assert not loaded(url) & {*NEVER, *OPENSSL}


@pytest.mark.parametrize("url", ["https://relay.lan", "WSS://relay.lan"])
def test_with_tls_the_websocket_client_has_openssl_and_nothing_unused_is_loaded(url):
    after = "import websocket._http; assert websocket._http.HAVE_SSL"
    names = loaded(url, after)
    assert "_ssl" in names
    assert not names & set(NEVER)


def test_a_driver_may_use_what_the_client_does_without():
    after = """
import asyncio, ssl, http.client, multiprocessing, hashlib, hmac, secrets
ssl.create_default_context()
assert asyncio.run(asyncio.sleep(0, "slept")) == "slept"
assert asyncio.sslproto.ssl is ssl
assert hashlib.sha256(b"x").hexdigest().startswith("2d711642")
assert hmac.compare_digest("a", "a") and hmac.new(b"k", b"m", "sha256").hexdigest()
try:
    import requests
except ModuleNotFoundError as absent:
    assert absent.name == "requests"
"""
    loaded("http://relay.lan:5000", after)


def test_the_schedule_works_without_asyncio():
    after = """
import threading, time
from pi_agent.jobs.schedule import Schedule
from shared.clock import SystemClock
ran = threading.Event()
schedule = Schedule(SystemClock())
schedule.every(0.05, "job", ran.set)
threading.Thread(target=lambda: list(schedule.planner.work()), daemon=True).start()
assert ran.wait(10)
ran.clear()
assert ran.wait(10)
schedule.stop()
assert schedule.trouble() is None
"""
    assert "asyncio" not in loaded("http://relay.lan", after)


def test_a_library_that_is_loaded_already_is_left_as_it_is():
    code = """
import socketio
from pi_agent.libraries import load_libraries
load_libraries("http://relay.lan")
assert socketio.Server
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
