"""Loads the Socket.IO client for an agent that runs, and nothing that comes with it and is never used.

Its packages load servers, message queues and asyncio beside the client; the client loads `requests` for the polling
that the uplink never does; and without TLS nobody needs OpenSSL. Together some 8 MB of 35, and 80 ms of the start.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pi_agent.lean import absent, standing_in

_PACKAGES: Final = ("engineio", "socketio")
_TLS: Final = ("wss", "https")


def load_client(*urls: str) -> None:
    """Load what speaks to relays at `urls`. Call it before anything imports the library; later it does nothing.

    Whatever is left out can still be imported by others afterwards, such as a driver that speaks HTTPS.
    """
    if "engineio" in sys.modules or "socketio" in sys.modules:
        return
    with absent("requests"):
        if any(url.partition(":")[0].lower() in _TLS for url in urls):
            _load()
        else:
            with _without_openssl():
                _load()


def _load() -> None:
    for name in _PACKAGES:
        _client_alone(name)
    importlib.import_module("websocket")


def _client_alone(name: str) -> None:
    """The package `name` without what its `__init__` imports, but for its `Client`."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {name!r}", name=name)
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    package.Client = importlib.import_module(f"{name}.client").Client  # type: ignore[attr-defined]


@contextmanager
def _without_openssl() -> Iterator[None]:
    # The client names `ssl` where it turns the check of certificates off, which nobody here does. A build of Python
    # without hashes of its own takes them from OpenSSL.
    own_hashes = importlib.util.find_spec("_sha1") is not None
    with standing_in("ssl"), absent(*(("_hashlib",) if own_hashes else ())):
        # For those who import them later.
        for name in ("hashlib", "hmac"):
            importlib.import_module(name)
        yield
