"""The relay's own delivery, bare: the port behind the real listener, without doors and storage, as the peers are.

Arguments: direct or stock, or primary or carrier with the URL of a Redis. Prints `port N`; obeys lines `RATE BURST` on
standard input.
"""

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402  # after the patch, as everything else
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from flask import Flask  # noqa: E402

from server import listener  # noqa: E402
from server.cluster.carrier import Carrier  # noqa: E402
from server.cluster.primary import Primary  # noqa: E402
from server.fanout.broadcast import EVERY_PAGE  # noqa: E402
from server.fanout.port import Port  # noqa: E402
from server.run import collect_less  # noqa: E402
from server.settings import ClusterSettings, Fanout, LimitSettings, RelaySettings  # noqa: E402
from shared.clock import SystemClock  # noqa: E402
from shared.contract.events import (  # noqa: E402
    COMMAND_REQUEST_CLIENT,
    COMMAND_RESULT_PUB_CLIENT,
    LED_ON_PUBLISH_SERVER,
    LED_STATUS_PUB_PI,
    SENSOR_DATA_PUB_CLIENT,
    SENSOR_DATA_PUB_PI,
)
from shared.contract.payloads import (  # noqa: E402
    AccessoryStatus,
    Ack,
    ClientSensorData,
    CommandRequest,
    CommandResult,
    SensorData,
    SwitchCommand,
    extend,
    parse,
)
from shared.contract.spec import Namespace  # noqa: E402
from shared.errors import Code  # noqa: E402
from shared.wire import Inbound  # noqa: E402
from tests.bench.fanout.producer import Switchboard, body, obey  # noqa: E402

LIMITS = LimitSettings(connections=20_000)


def main(role: str, redis: str) -> None:
    """Serve until standard input ends."""
    sys.setswitchinterval(0.0005)
    if role == "carrier":
        carry(redis)
        return
    bound = listener.listen(RelaySettings(port=0))
    port = Port(LIMITS, SystemClock(), Fanout.DIRECT if role == "primary" else Fanout(role))
    flask = attached(port)
    tend = [port.reap]
    if role == "primary":
        primary = Primary(ClusterSettings(redis=redis), port, SystemClock())
        primary.start(f"http://127.0.0.1:{bound.getsockname()[1]}")
        tend.append(primary.tick)
    served(flask, bound, *tend)
    show = doors(port)
    obey(lambda number: show(parse(ClientSensorData, body(number))))


def carry(redis: str) -> None:
    """Be a worker that carries connections."""
    bound = listener.listen(RelaySettings(port=0))
    settings = RelaySettings(limits=LIMITS, cluster=ClusterSettings(redis=redis), port=bound.getsockname()[1])
    carrier = Carrier(settings, SystemClock(), "carrier")
    flask = attached(carrier.carriage)
    carrier.start()
    while carrier.address is None:
        gevent.sleep(0.05)
        carrier.tick()
    served(flask, bound, carrier.tick)
    obey(lambda _: None)


def attached(port: Port) -> Flask:
    """An application that is nothing but the port."""
    flask = Flask("bench", static_folder=None)
    port.attach(flask)
    return flask


def served(flask: Flask, bound: socket.socket, *tend: Callable[[], None]) -> None:
    """Listen, say where, and do what is to be done every second."""
    listener.http_server(bound, flask, 20_000).start()
    # As the relay does it.
    collect_less()
    print(f"port {bound.getsockname()[1]}", flush=True)

    def sweep() -> None:
        while True:
            gevent.sleep(1)
            for work in tend:
                work()

    gevent.spawn(sweep)


def doors(port: Port) -> Callable[[Any], None]:
    """What the relay does with a reading and a command, bare. Returns what shows an event to all pages."""

    def joined(sid: str, *_: object) -> None:
        port.spawn(port.join, sid, Namespace.CLIENT, EVERY_PAGE)

    def show(payload: Any) -> None:
        port.emit(SENSOR_DATA_PUB_CLIENT, payload, [EVERY_PAGE])

    def taken(payload: SensorData) -> Ack:
        show(extend(ClientSensorData, payload, cursor=payload.id))
        return Ack(ok=True, code=Code.STORED, id=payload.id)

    def at_once(_: str, payload: SensorData, reply: Any) -> None:
        reply(taken(payload))

    board = Switchboard()

    def device_came(sid: str, *_: object) -> None:
        board.device = sid

    def switch(sid: str, inbound: Inbound) -> Ack:
        asked = parse(CommandRequest, inbound.args[0])
        command = board.ask(sid)
        order = {"accessory": asked.accessory, "status": True, **board.ORDER, "command": command}
        port.emit(LED_ON_PUBLISH_SERVER, parse(SwitchCommand, order), [board.device])
        return Ack(ok=True, code=Code.ACCEPTED, command=command)

    def switched(_: str, inbound: Inbound) -> None:
        status = parse(AccessoryStatus, inbound.args[0])
        result = {"command": status.command, "status": status.status, **board.result()}
        port.emit(COMMAND_RESULT_PUB_CLIENT, parse(CommandResult, result), [board.asker(str(status.command))])

    port.on("connect", Namespace.CLIENT, joined)
    port.on("connect", Namespace.PI, device_came)
    port.on(COMMAND_REQUEST_CLIENT.name, Namespace.CLIENT, switch)
    port.on(LED_STATUS_PUB_PI.name, Namespace.PI, switched)
    port.on(SENSOR_DATA_PUB_PI.name, Namespace.PI, lambda _, inbound: taken(parse(SensorData, inbound.args[0])))
    port.hot(SENSOR_DATA_PUB_PI, at_once)
    return show


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
