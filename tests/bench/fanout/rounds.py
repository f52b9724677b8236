"""One round: a server, a crowd, a pace; and what came of it."""

import json
import resource
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.bench.fanout.contestants import Contestant, compiled
from tests.bench.fanout.servers import CROWD_CORE, Server, settled

_READY_S = 60
_WARM_S = 0.7
_SPARE_FILES = 100


@dataclass(frozen=True)
class Load:
    """What is asked of a server. `rate` is of bursts, a second; `polling` of the subscribers do long polling.

    `wire`: the events come from a producer over the wire that wants acks. `in_flight`: it sends as fast as it may with
    so many on their way to somebody. `commands` a second go from a page to a device and back.
    """

    name: str
    subscribers: int
    rate: int = 0
    burst: int = 1
    wire: bool = False
    polling: int = 0
    in_flight: int = 0
    commands: int = 0
    seconds: float = 3.0


@dataclass(frozen=True)
class Outcome:
    """What a round gave."""

    cpu_us: float
    """CPU of the server per delivery."""
    crowd_us: float
    """CPU of the load generator per delivery."""
    crowd_core: float
    """How much of its core the load generator used: near 1, it is what was measured."""
    waited: float
    """How much of the time the server was ready and had no core: others used it."""
    per_s: float
    """Deliveries per second."""
    share: float | None
    """Deliveries that came, of those that should have; None where as many as possible should."""
    p50_ms: float
    p99_ms: float
    ack_p99_ms: float
    commanded: int
    """Commands whose result came."""
    command_p50_ms: float
    command_p99_ms: float
    kb_per_client: float
    wrong: int
    """Gaps, duplicates, reorders, and connections that ended."""


def play(contestant: Contestant, load: Load) -> Outcome:
    """Start a server, connect a crowd, measure, stop both. Raises `RuntimeError` where that cannot be done."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < load.subscribers + _SPARE_FILES:
        raise RuntimeError(f"a process may open but {files} files here: raise the hard limit (ulimit -Hn)")
    server = Server(contestant)
    try:
        return _measured(server, load)
    finally:
        server.stop()


def _measured(server: Server, load: Load) -> Outcome:
    time.sleep(0.3)
    empty_kb = server.rss_kb()
    mqtt = server.contestant.mqtt
    with crowd("mqtt" if mqtt else "sio", server.ports, load.subscribers, load.polling) as people:
        if load.in_flight:
            people.tell(f"saturate {load.in_flight}")
        elif load.wire or mqtt:
            people.tell(f"produce {load.rate} {load.burst}")
        else:
            server.tell(f"{load.rate} {load.burst}")
        if load.commands:
            people.tell(f"command {load.commands}")
        time.sleep(_WARM_S)
        people.tell(f"measure {load.seconds}")
        ran_s, waited_s = server.used_s()
        seen: dict[str, Any] = json.loads(people.line(load.seconds + _READY_S))
        ran_s, waited_s = (now - before for now, before in zip(server.used_s(), (ran_s, waited_s), strict=True))
        kb = (server.rss_kb() - empty_kb) / load.subscribers
    count = max(1, seen["delivered"])
    due = load.subscribers * load.rate * load.burst * seen["seconds"]
    return Outcome(
        cpu_us=ran_s / count * 1e6,
        crowd_us=seen["cpu_s"] / count * 1e6,
        crowd_core=seen["cpu_s"] / seen["seconds"],
        waited=waited_s / seen["seconds"],
        per_s=seen["delivered"] / seen["seconds"],
        share=seen["delivered"] / due if due else None,
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        ack_p99_ms=seen["ack_p99_ms"],
        commanded=seen["commanded"],
        command_p50_ms=seen["command_p50_ms"],
        command_p99_ms=seen["command_p99_ms"],
        kb_per_client=kb,
        wrong=seen["gaps"] + seen["duplicates"] + seen["reorders"] + seen["closed"],
    )


class Crowd:
    """The load generator, `crowd.c`, with everybody connected."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tell(self, line: str) -> None:
        """Give it an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def line(self, timeout_s: float) -> str:
        """What it says next. Raises `RuntimeError` when it says nothing."""
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not readable or not (line := self._process.stdout.readline()):
            raise RuntimeError("the crowd fell silent: not everybody could connect, or was refused")
        return line


@contextmanager
def crowd(kind: str, ports: list[int], subscribers: int, polling: int = 0) -> Iterator[Crowd]:
    """A crowd on a core of its own, connected to `ports` in turn. `kind` is sio or mqtt."""
    program = compiled("crowd")
    if program is None:
        raise RuntimeError("the load generator needs a C compiler (cc)")
    process = subprocess.Popen(
        [program, kind, ",".join(map(str, ports)), str(subscribers), str(polling)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=settled(CROWD_CORE),
    )
    try:
        people = Crowd(process)
        people.line(_READY_S)
        yield people
    finally:
        process.terminate()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
