"""One round: a server, a crowd, a pace; and what came of it."""

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from tests.bench.fanout.contestants import CROWD_CORE, Contestant, Server, compiled, pinned

_READY_S = 60
_WARM_S = 0.7


@dataclass(frozen=True)
class Load:
    """What is asked of a server. `wire`: the events come from a producer over the wire that wants acks."""

    name: str
    subscribers: int
    rate: int
    burst: int = 1
    wire: bool = False
    polling: int = 0
    seconds: float = 3.0


@dataclass(frozen=True)
class Outcome:
    """What a round gave."""

    cpu_us: float
    """CPU of the server per delivery."""
    crowd_us: float
    """CPU of the load generator per delivery."""
    share: float
    """Deliveries that came, of those that should have."""
    p50_ms: float
    p99_ms: float
    ack_p99_ms: float
    kb_per_client: float
    wrong: int
    """Gaps, duplicates, reorders, and connections that ended."""


def play(contestant: Contestant, load: Load) -> Outcome:
    """Start a server, connect a crowd, measure, stop both."""
    server = Server(contestant)
    try:
        return _measured(server, load)
    finally:
        server.stop()


def _measured(server: Server, load: Load) -> Outcome:
    mqtt = server.contestant.mqtt
    time.sleep(0.3)
    empty_kb = server.rss_kb()
    crowd = compiled("crowd")
    if crowd is None:
        raise RuntimeError("the load generator needs a C compiler")
    arguments = ["mqtt" if mqtt else "sio", str(server.port), str(load.subscribers), str(load.polling)]
    process = subprocess.Popen(
        [crowd, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pinned(CROWD_CORE),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{server.contestant.name}: not everybody could connect")
        if load.wire or mqtt:
            process.stdin.write(f"produce {load.rate} {load.burst}\n")
            process.stdin.flush()
        else:
            server.tell(f"{load.rate} {load.burst}")
        time.sleep(_WARM_S)
        process.stdin.write(f"measure {load.seconds}\n")
        process.stdin.flush()
        before_s = server.cpu_s()
        seen: dict[str, Any] = json.loads(process.stdout.readline())
        used_s = server.cpu_s() - before_s
        kb = (server.rss_kb() - empty_kb) / load.subscribers
    finally:
        process.terminate()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()
    count = max(1, seen["delivered"])
    return Outcome(
        cpu_us=used_s / count * 1e6,
        crowd_us=seen["cpu_s"] / count * 1e6,
        share=seen["delivered"] / (load.subscribers * load.rate * load.burst * seen["seconds"]),
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        ack_p99_ms=seen["ack_p99_ms"],
        kb_per_client=kb,
        wrong=seen["gaps"] + seen["duplicates"] + seen["reorders"] + seen["closed"],
    )
