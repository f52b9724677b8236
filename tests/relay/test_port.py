"""The seams of the libraries: what must never be installed, and what the fan-out relies on."""

import logging
import sys
import types
from importlib.machinery import ModuleSpec

import pytest
from engineio import Server
from engineio.socket import Socket

from server.fanout import versions
from server.fanout.versions import KNOWN, direct_is_known, refuse_gevent_websocket
from shared.settings import SettingsError


def test_gevent_websocket_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_gevent_websocket()
    module = types.ModuleType("geventwebsocket")
    module.__spec__ = ModuleSpec("geventwebsocket", None)
    monkeypatch.setitem(sys.modules, "geventwebsocket", module)
    with pytest.raises(SettingsError, match="pip uninstall gevent-websocket"):
        refuse_gevent_websocket()


def test_the_installed_versions_are_known_to_work() -> None:
    assert direct_is_known()


@pytest.mark.parametrize("package", KNOWN)
@pytest.mark.parametrize("found", ["1.0", "999.1.2", "2027.1rc1"])
def test_with_other_versions_the_stock_path_serves_and_the_log_says_so(
    package: str, found: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed = versions.version
    monkeypatch.setattr(versions, "version", lambda name: found if name == package else installed(name))
    with caplog.at_level(logging.WARNING):
        assert not direct_is_known()
    assert f"package={package} version={found}" in caplog.text


def test_every_name_that_the_direct_path_relies_on_is_there() -> None:
    """By name, so that a new version of a library that lacks one fails here and not on a wire."""
    server, socket = Server(async_mode="gevent"), Socket(Server(async_mode="gevent"), "sid")
    for name in ("sockets", "handlers", "_async", "_trigger_event", "ping_interval", "reason"):
        assert hasattr(server, name), name
    for name in ("queue", "connected", "upgraded", "upgrading", "closing", "closed", "last_ping", "schedule_ping"):
        assert hasattr(socket, name), name
    for name in ("_upgrade_websocket", "check_ping_timeout", "receive", "poll", "close", "send"):
        assert callable(getattr(socket, name)), name
