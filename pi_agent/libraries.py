"""Loads the libraries of an agent that runs, without what comes with them and is never used.

The Socket.IO packages load servers, message queues and asyncio beside the client; the client loads `requests` for the
polling that the uplink never does; APScheduler loads asyncio for one function of it; and without TLS nobody needs
OpenSSL. Together 6 of an agent's 35 MB. Whatever is left out can still be imported by others afterwards, such as a
driver that speaks HTTPS.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, Final

_CLIENTS: Final = ("engineio", "socketio")
_SCHEDULER: Final = ("apscheduler.schedulers.blocking", "apscheduler.executors.pool")
_TLS: Final = ("wss", "https")


def load_libraries(*urls: str) -> None:
    """Load what an agent needs for relays at `urls`. Call it before anything else does; later it does nothing."""
    if not sys.modules.keys().isdisjoint(_CLIENTS):
        return
    with ExitStack() as without:
        without.enter_context(_absent("requests"))
        without.enter_context(_standing_in("asyncio", iscoroutinefunction=inspect.iscoroutinefunction))
        if not any(url.partition(":")[0].lower() in _TLS for url in urls):
            # The client names it where it turns the check of certificates off, which nobody here does.
            without.enter_context(_standing_in("ssl"))
            # A build of Python without hashes of its own takes them from OpenSSL.
            if importlib.util.find_spec("_sha1") is not None:
                without.enter_context(_absent("_hashlib"))
        for name in _CLIENTS:
            _client_alone(name)
        for name in ("websocket", *_SCHEDULER, "hashlib", "hmac"):
            importlib.import_module(name)


def _client_alone(name: str) -> None:
    """The package `name` without what its `__init__` imports, but for its `Client`."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {name!r}", name=name)
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    package.Client = importlib.import_module(f"{name}.client").Client  # type: ignore[attr-defined]


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """As if this module were not installed, unless it is loaded already."""
    with _instead(name, None):
        yield


@contextmanager
def _standing_in(name: str, **contents: Any) -> Iterator[None]:
    """A module with nothing but `contents` instead of this one, unless it is loaded already."""
    module = ModuleType(name)
    vars(module).update(contents)
    with _instead(name, module):
        yield


@contextmanager
def _instead(name: str, module: ModuleType | None) -> Iterator[None]:
    if name in sys.modules:
        yield
        return
    sys.modules[name] = module  # type: ignore[assignment]  # None: cannot be imported
    try:
        yield
    finally:
        del sys.modules[name]
