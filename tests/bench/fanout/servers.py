"""A contestant that runs: pinned, with as many open files as may be, its CPU and memory as the kernel counts them."""

import os
import re
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.fanout.contestants import Contestant, cache
from tests.support.processes import ROOT, free_port

SERVER_CORE, CROWD_CORE = 0, 1


def settled(first: int, count: int = 1) -> Callable[[], None]:
    """For a child: to stay on `count` cores from the `first` on, where there are two; to open what files it may."""
    cores = sorted(os.sched_getaffinity(0))

    def settle() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[first : first + count])

    return settle


class Server:
    """A running contestant. Raises `RuntimeError` where it does not start, with its last words."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        command = list(contestant.command)
        if contestant.mqtt:
            self.ports, config = [free_port()], cache() / f"mosquitto-{os.getpid()}.conf"
            lines = f"listener {self.ports[0]} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            config.write_text(lines, encoding="utf-8")
            command += ["-c", str(config)]
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=settled(SERVER_CORE, contestant.cores),
                start_new_session=True,
            )
            if not contestant.mqtt:
                assert self.process.stdout is not None
                found = re.match(r"port ([\d ]+)$", self.process.stdout.readline())
                if not found:
                    self.stop()
                    errors.seek(0)
                    said = errors.read().strip().splitlines() or ["nothing was said"]
                    raise RuntimeError(f"{contestant.name} did not start: {said[-1]}")
                self.ports = [int(port) for port in found[1].split()]

    def tell(self, line: str) -> None:
        """Set the pace of its own producer."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def used_s(self) -> tuple[float, float]:
        """Seconds on a core so far, and ready but waiting for one; of all its threads and children."""
        tasks = (task for pid in _family(self.process.pid) for task in Path(f"/proc/{pid}/task").iterdir())
        ran, waited, _ = map(
            sum, zip(*(map(int, (task / "schedstat").read_text().split()) for task in tasks), strict=True)
        )
        return ran / 1e9, waited / 1e9

    def rss_kb(self) -> int:
        """What it and its children keep in memory."""
        statuses = (Path(f"/proc/{pid}/status").read_text() for pid in _family(self.process.pid))
        return sum(int(found[1]) for status in statuses if (found := re.search(r"VmRSS:\s+(\d+)", status)))

    def stop(self) -> None:
        """End it, with its children."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def _family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))
