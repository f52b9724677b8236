"""Several workers of ours behind one queue: a primary, carriers and a Redis, as children of one process.

Arguments: how many workers. Prints `port N M …`, the primary's first; what it reads goes to the primary.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence

from tests.support.processes import free_port


def main(workers: int) -> None:
    """Serve until standard input ends."""
    queue = free_port()
    redis = shutil.which("redis-server") or "redis-server"
    options = ["--port", str(queue), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    children = [subprocess.Popen([redis, *options], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)]
    try:
        while not _listens(queue):
            pass
        started = [_start("primary", queue), *(_start("carrier", queue) for _ in range(workers - 1))]
        children += started
        print("port", *map(_port, started), flush=True)
        primary = started[0].stdin
        assert primary is not None
        for line in sys.stdin:
            primary.write(line)
            primary.flush()
    finally:
        for child in children:
            child.terminate()


def _start(role: str, queue: int) -> "subprocess.Popen[str]":
    command: Sequence[str] = [sys.executable, "-m", "tests.bench.fanout.ours", role, f"redis://127.0.0.1:{queue}/0"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _port(worker: "subprocess.Popen[str]") -> int:
    assert worker.stdout is not None
    return int(worker.stdout.readline().split()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
