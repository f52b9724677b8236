"""What `arduinoWebSockets`, the usual Socket.IO client of an ESP32, does otherwise than the protocol says.

Read from its source (SocketIOclient.cpp, WebSocketsClient.cpp of version 2): it names an Engine.IO version only where
the sketch does, it joins no namespace unless the sketch sends `40`, and a refused upgrade is tried again at once, on
the same connection, without end.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

USER_AGENT = "arduino-WebSocket-Client"
JOIN = "0"
"""The Socket.IO packet that it may leave out: into the default namespace, with what its headers say."""
USHER_S = 2.0
"""So long after it came it is let in unasked."""
_PATH = "/socket.io/"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_arduino(environ: Mapping[str, Any]) -> bool:
    """Whether a request comes from that library."""
    return str(environ.get("HTTP_USER_AGENT", "")).startswith(USER_AGENT)


def is_esp32(environ: Mapping[str, Any]) -> bool:
    """Whether a request is for the door of ESP32s, `?type=esp32`, or comes from that library."""
    return is_arduino(environ) or parse_qs(str(environ.get("QUERY_STRING", ""))).get("type") == ["esp32"]


def joins_unasked(environ: Mapping[str, Any], message: str | bytes) -> bool:
    """Whether a Socket.IO message is an event in the default namespace of somebody who may not know to join it."""
    return message[:1] == "2" and message[1:2] != "/" and is_esp32(environ)


def joins_again(environ: Mapping[str, Any], message: str | bytes) -> bool:
    """Whether a sketch joins once more, as it was told that it joined: any answer would be told it as an error."""
    return message in (JOIN, f"{JOIN}/") and is_arduino(environ)


def served(app: Wsgi) -> Wsgi:
    """`app`, in which a missing Engine.IO version means 4, and a refused upgrade ends the TCP connection."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not str(environ.get("PATH_INFO", "")).startswith(_PATH):
            return app(environ, start_response)
        query = str(environ.get("QUERY_STRING", ""))
        if "EIO" not in parse_qs(query, keep_blank_values=True):
            environ["QUERY_STRING"] = f"{query}&EIO=4"
        if "HTTP_UPGRADE" not in environ:
            return app(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return app(environ, start)

    return serve
