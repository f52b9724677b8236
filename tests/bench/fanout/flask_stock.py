"""Flask-SocketIO on gevent as its documentation starts it. Prints `port N`; obeys lines `RATE BURST`."""

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402  # after the patch, as everything else
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from flask import Flask, request  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

from tests.bench.fanout.producer import Switchboard, body, obey  # noqa: E402


def main() -> None:
    """Serve until standard input ends."""
    app = Flask("bench")
    sio = SocketIO(app, async_mode="gevent", cors_allowed_origins="*")

    def show(payload: Any) -> None:
        sio.emit("sensor_data_pub_client", payload, namespace="/client")

    def taken(payload: Any) -> dict[str, Any]:
        show(payload)
        return {"ok": True, "code": "stored", "id": payload["id"]}

    board = Switchboard()

    def device_came() -> None:
        board.device = request.sid

    def switch(body: Any) -> dict[str, Any]:
        command = board.ask(request.sid)
        order = {"accessory": body["accessory"], "status": True, **board.ORDER, "command": command}
        sio.emit("LED_on_publish_server", order, namespace="/pi", to=board.device)
        return {"ok": True, "code": "accepted", "command": command}

    def switched(status: Any) -> None:
        result = {"command": status["command"], "status": status["status"], **board.result()}
        sio.emit("command_result_pub_client", result, namespace="/client", to=board.asker(status["command"]))

    sio.on_event("connect", lambda: None, "/client")
    sio.on_event("connect", device_came, "/pi")
    sio.on_event("sensor_data_pub_pi", taken, "/pi")
    sio.on_event("command_request_client", switch, "/client")
    sio.on_event("LED_status_pub_pi", switched, "/pi")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gevent.spawn(sio.run, app, host="127.0.0.1", port=port)
    gevent.sleep(0.3)
    print(f"port {port}", flush=True)
    obey(lambda number: show(body(number)))


if __name__ == "__main__":
    main()
