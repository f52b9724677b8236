"""A real relay with one thing broken on purpose: `python -m tests.support.broken_relay FAULT serve …`.

What a suite that looks at relays must notice.
"""

import sys
from collections.abc import Callable
from typing import Any


def _acks_without_codes() -> None:
    from shared.contract.payloads import Ack

    def bare(*_: Any, **__: Any) -> Any:
        return {"ok": False}

    Ack.refused = classmethod(bare)  # type: ignore[method-assign,assignment]


def _takes_nan() -> None:
    import json

    from shared.wire import StrictJson

    StrictJson.loads = staticmethod(json.loads)  # type: ignore[method-assign,assignment]


def _stores_twice() -> None:
    from shared.errors import Code
    from shared.wire import StrictJson

    dumps = StrictJson.dumps

    def forgetful(value: object, **more: object) -> str:
        return dumps(value, **more).replace(f'"code":"{Code.DUPLICATE}"', f'"code":"{Code.STORED}"')

    StrictJson.dumps = staticmethod(forgetful)  # type: ignore[method-assign]


def _loses_the_clean() -> None:
    from server.fanout.broadcast import Broadcast
    from shared.contract.events import SERVER_CLEAN_PUB

    to_device = Broadcast.to_device

    def lossy(self: Broadcast, spec: Any, *args: Any, **more: Any) -> None:
        if spec is not SERVER_CLEAN_PUB:
            to_device(self, spec, *args, **more)

    Broadcast.to_device = lossy  # type: ignore[method-assign]


def _hides_a_route() -> None:
    from server.doors.http import openapi

    document = openapi.document

    def shorter(*args: Any, **more: Any) -> dict[str, Any]:
        whole = document(*args, **more)
        del whole["paths"]["/api/commands/{command}"]
        return whole

    openapi.document = shorter
    import server.doors.http.contract as contract

    contract.document = shorter


def _stands_still() -> None:
    from server.doors.temperature import TemperatureDoor

    TemperatureDoor.tick = lambda self: None  # type: ignore[method-assign]


FAULTS: dict[str, tuple[Callable[[], None], set[str]]] = {
    "acks without codes": (_acks_without_codes, {"a field that is missing", "refusals have a status and a code"}),
    "takes NaN": (_takes_nan, {"NaN is not JSON"}),
    "stores twice": (_stores_twice, {"what comes again is stored once"}),
    "loses the clean": (_loses_the_clean, {"server_clean_pub"}),
    "hides a route": (_hides_a_route, {"the OpenAPI document is served"}),
    "stands still": (_stands_still, {"temperature: once a second"}),
}
"""Each fault, and the checks that must find it."""

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    # As `python -m server` does: before anything else is imported.
    from gevent import monkey

    monkey.patch_all()
    FAULTS[fault][0]()
    from server.__main__ import main

    main()
