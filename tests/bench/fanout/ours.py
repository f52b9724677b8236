"""The relay's own delivery, bare: the port behind the real listener, without doors and storage, as the peers are.

Arguments: direct or stock. Prints `port N`; obeys lines `RATE BURST` on standard input.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402  # after the patch, as everything else
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from flask import Flask  # noqa: E402

from server import listener  # noqa: E402
from server.fanout.broadcast import EVERY_PAGE  # noqa: E402
from server.fanout.port import Port  # noqa: E402
from server.settings import Fanout, LimitSettings, RelaySettings  # noqa: E402
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


def main(fanout: Fanout) -> None:
    """Serve until standard input ends."""
    sys.setswitchinterval(0.0005)
    port = Port(LimitSettings(connections=20_000), SystemClock(), fanout)
    flask = Flask("bench", static_folder=None)
    port.attach(flask)

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
    bound = listener.listen(RelaySettings(port=0))
    server = listener.http_server(bound, flask, 20_000)
    server.start()
    print(f"port {bound.getsockname()[1]}", flush=True)

    def sweep() -> None:
        while True:
            gevent.sleep(1)
            port.reap()

    gevent.spawn(sweep)
    obey(lambda number: show(parse(ClientSensorData, body(number))))


if __name__ == "__main__":
    main(Fanout(sys.argv[1]))
