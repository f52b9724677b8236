"""The servers that are compared, each a process of its own on a core of its own."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ROOT

HERE = Path(__file__).parent
SERVER_CORE, CROWD_CORE = 0, 1
SOCKET_IO = "socket.io@4.8.1"


def cache() -> Path:
    """Where what is built or fetched for the bench stays."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    directory = Path(base) / "breathlight-bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def compiled(name: str) -> str | None:
    """A tool of the bench built from its source in C; None where there is no compiler."""
    compiler, source = shutil.which("cc") or shutil.which("gcc"), HERE / f"{name}.c"
    if compiler is None:
        return None
    program = cache() / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return str(program)


def pinned(core: int) -> Callable[[], None] | None:
    """For a child: to stay on one core, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {cores[core]})


@dataclass(frozen=True)
class Contestant:
    """One kind of server."""

    name: str
    command: Sequence[str]
    mqtt: bool = False


class Server:
    """A running one."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        command = list(contestant.command)
        if contestant.mqtt:
            self.port, config = _free_port(), cache() / f"mosquitto-{os.getpid()}.conf"
            config.write_text(
                f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n", encoding="utf-8"
            )
            command += ["-c", str(config)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=pinned(SERVER_CORE),
        )
        if not contestant.mqtt:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            found = re.match(r"port (\d+)", line)
            if not found:
                raise RuntimeError(f"{contestant.name} did not start")
            self.port = int(found[1])

    def tell(self, line: str) -> None:
        """Set the pace of its own producer."""
        if not self.contestant.mqtt:
            assert self.process.stdin is not None
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def cpu_s(self) -> float:
        """Seconds on a core so far, of all its threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def rss_kb(self) -> int:
        """What it keeps in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]  # it is always there

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def contestants() -> tuple[list[Contestant], list[str]]:
    """Who can take part on this machine, and why the others cannot."""
    here, absent = [], []
    if (floor := compiled("floor")) is not None:
        here.append(Contestant("send() floor", [floor]))
    here.append(Contestant("ours", [sys.executable, "-m", "tests.bench.fanout.ours", "direct"]))
    broker = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if broker is None:
        absent.append("mosquitto is not installed")
    else:
        here.append(Contestant("mosquitto", [broker], mqtt=True))
    node, package = shutil.which("node"), _socket_io()
    if node is None or package is None:
        absent.append("Node socket.io: node or npm is missing, or the registry is out of reach")
    else:
        here.append(Contestant("Node socket.io", [node, str(HERE / "node_server.mjs"), str(package)]))
    here.append(Contestant("ours, stock path", [sys.executable, "-m", "tests.bench.fanout.ours", "stock"]))
    here.append(Contestant("Flask-SocketIO", [sys.executable, "-m", "tests.bench.fanout.flask_stock"]))
    return here, absent


def _socket_io() -> Path | None:
    """The npm package, installed once."""
    directory = cache() / SOCKET_IO.replace("@", "-")
    if (directory / "node_modules" / "socket.io").exists():
        return directory
    npm = shutil.which("npm")
    if npm is None:
        return None
    directory.mkdir(exist_ok=True)
    (directory / "package.json").write_text("{}", encoding="utf-8")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", SOCKET_IO]
    done = subprocess.run(command, cwd=directory, capture_output=True, timeout=120)
    return directory if done.returncode == 0 else None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
