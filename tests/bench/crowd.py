"""Many light agents in one process, on raw websockets: they say hello, beat, measure, and answer every command.

They have no pins, no journal and no disk: what a relay needs to serve them is real, what a Pi does is not there. A
command is acked, then answered with the status that it asked for, through a numbered event as an outbox sends it.
Arguments: URL, how many, seconds between two rounds of each. Prints `ready` when all have joined; ends with its input.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402  # after the patch, as everything else
import sys  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import websocket  # noqa: E402

HEAD = "42/pi,"
BEAT_S = 5.0
START_S = 0.002
"""Between two of them that connect."""


class LightAgent:
    """One connection of one device."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._id = 0
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._ws = websocket.create_connection(address, timeout=60)
        self._ws.recv()
        accessories = [{"accessory": "breath_light", "pin": 18}]
        hello = {"device": name, "contract": "1.0", "run": "crowd", "heartbeat_interval_s": BEAT_S}
        self._ws.send(f"40/pi,{json.dumps(hello | {'accessories': accessories})}")
        self._ws.recv()

    def read(self) -> None:
        """Answer until the connection ends."""
        while True:
            frame = self._ws.recv()
            if frame == "2":
                self._ws.send("3")
            elif frame.startswith(HEAD):
                head, _, rest = frame[len(HEAD) :].partition("[")
                self._answer(head, *json.loads(f"[{rest}"))

    def _answer(self, ack: str, event: str, body: dict[str, Any]) -> None:
        if ack:
            self._ws.send(f'43/pi,{ack}[{{"ok":true,"code":"accepted"}}]')
        if body.get("command"):
            on = event.endswith("_on_publish_server")
            self._emit("LED_status_pub_pi", {"status": on, "command": body["command"], "cause": "user"} | self._next())

    def beat(self) -> None:
        """Say that it is alive, for as long as it is."""
        while True:
            self._emit("heartbeat_pub_pi", {"interval_s": BEAT_S}, ack="1")
            gevent.sleep(BEAT_S)

    def measure(self, interval_s: float) -> None:
        """Send a round, again and again."""
        while True:
            gevent.sleep(interval_s)
            data = {"temperature": 21.4, "humidity": 48.2}
            moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
            self._emit("sensor_data_pub_pi", {"datetime": moment, "fail": [], "data": data} | self._next(), ack="2")

    def _next(self) -> dict[str, Any]:
        self._id += 1
        return {"id": self._id, "stream": "crowd"}

    def _emit(self, event: str, body: dict[str, Any], ack: str = "") -> None:
        self._ws.send(f"{HEAD}{ack}{json.dumps([event, body])}")


def main(url: str, count: int, interval_s: float) -> None:
    """Connect all, then serve until standard input ends."""
    agents = []
    for number in range(count):
        agents.append(LightAgent(url, f"crowd-{number:04d}"))
        gevent.sleep(START_S)
    for number, agent in enumerate(agents):
        gevent.spawn(agent.read)
        gevent.spawn_later(BEAT_S * number / count, agent.beat)
        gevent.spawn_later(interval_s * number / count, agent.measure, interval_s)
    print("ready", flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.read)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
