"""µWebSockets, by `socketify`: as much of Socket.IO as the crowd asks for. Prints `port N`.

It alone runs in an interpreter that has socketify and nothing of ours. It neither decodes nor checks an event: what
comes is framed anew and published to a topic, in C++.
"""

from typing import Any

from socketify import App, OpCode

HELLO = '0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
EVENT = "42/pi,"


def main() -> None:
    """Serve until ended."""
    app = App()

    def upgrade(res: Any, req: Any, context: Any) -> None:
        res.upgrade(req.get_header("sec-websocket-key"), "", "", context, None)

    def message(socket: Any, text: str, _: object) -> None:
        if text.startswith(EVENT):
            number, _, body = text[len(EVENT) :].partition('["sensor_data_pub_pi",')
            app.publish("pages", f'42/client,["sensor_data_pub_client",{body}', OpCode.TEXT)
            socket.send(f'43/pi,{number}[{{"ok":true,"code":"stored"}}]', OpCode.TEXT)
        elif text.startswith("40/client"):
            socket.subscribe("pages")
            socket.send('40/client,{"sid":"x"}', OpCode.TEXT)
        elif text.startswith("40/pi"):
            socket.send('40/pi,{"sid":"x"}', OpCode.TEXT)

    def opened(socket: Any) -> None:
        socket.send(HELLO, OpCode.TEXT)

    served = {"upgrade": upgrade, "open": opened, "message": message, "compression": 0, "max_backpressure": 1 << 20}
    app.ws("/socket.io/", served)
    app.listen({"port": 0, "host": "127.0.0.1"}, lambda config: print(f"port {config.port}", flush=True))
    app.run()


if __name__ == "__main__":
    main()
