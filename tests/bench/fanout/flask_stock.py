"""Flask-SocketIO on gevent as its documentation starts it. Prints `port N`; obeys lines `RATE BURST`."""

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402  # after the patch, as everything else
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

from tests.bench.fanout.producer import body, obey  # noqa: E402


def main() -> None:
    """Serve until standard input ends."""
    app = Flask("bench")
    sio = SocketIO(app, async_mode="gevent", cors_allowed_origins="*")

    def show(payload: Any) -> None:
        sio.emit("sensor_data_pub_client", payload, namespace="/client")

    def taken(payload: Any) -> dict[str, Any]:
        show(payload)
        return {"ok": True, "code": "stored", "id": payload["id"]}

    for namespace in ("/client", "/pi"):
        sio.on_event("connect", lambda: None, namespace)
    sio.on_event("sensor_data_pub_pi", taken, "/pi")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gevent.spawn(sio.run, app, host="127.0.0.1", port=port)
    gevent.sleep(0.3)
    print(f"port {port}", flush=True)
    obey(lambda number: show(body(number)))


if __name__ == "__main__":
    main()
