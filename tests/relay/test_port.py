"""The seams of the libraries: what must never be installed, and what the fan-out relies on."""

import sys
import types
from importlib.machinery import ModuleSpec

import pytest

from server.fanout.versions import refuse_gevent_websocket
from shared.settings import SettingsError


def test_gevent_websocket_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_gevent_websocket()
    module = types.ModuleType("geventwebsocket")
    module.__spec__ = ModuleSpec("geventwebsocket", None)
    monkeypatch.setitem(sys.modules, "geventwebsocket", module)
    with pytest.raises(SettingsError, match="pip uninstall gevent-websocket"):
        refuse_gevent_websocket()
