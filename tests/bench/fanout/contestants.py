"""The servers that are compared: who can take part on this machine, and why the others cannot."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.subjects import NotInstalled, python_with

HERE = Path(__file__).parent
SOCKET_IO = "socket.io@4.8.1"
SOCKETIFY = "socketify==0.0.31"

FLOOR, OURS, STOCK_PATH, TWO = "send() floor", "ours", "ours, stock path", "ours, two workers"
MOSQUITTO, NODE, UWS, FLASK = "mosquitto", "Node socket.io", "µWebSockets", "Flask-SocketIO"


@dataclass(frozen=True)
class Contestant:
    """One kind of server.

    Its command prints `port N`, or `port N M …` where it is several processes and subscribers may come to any of these
    addresses; what its children use is counted with it. `cores` is on how many it may run, from the first on.
    """

    name: str
    command: Sequence[str]
    mqtt: bool = False
    cores: int = 1


def contestants() -> tuple[dict[str, Contestant], list[str]]:
    """Who can take part, by name; and why the others cannot."""
    here: list[Contestant] = []
    absent: list[str] = []
    if (floor := compiled("floor")) is not None:
        here.append(Contestant(FLOOR, [floor]))
    for name, path in ((OURS, "direct"), (STOCK_PATH, "stock")):
        here.append(Contestant(name, [sys.executable, "-m", "tests.bench.fanout.ours", path]))
    if shutil.which("redis-server") is None:
        absent.append(f"{TWO}: redis-server is not installed")
    else:
        here.append(Contestant(TWO, [sys.executable, "-m", "tests.bench.fanout.workers", "2"], cores=2))
    here.append(Contestant(FLASK, [sys.executable, "-m", "tests.bench.fanout.flask_stock"]))
    if (broker := shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")) is None:
        absent.append(f"{MOSQUITTO}: it is not installed")
    else:
        here.append(Contestant(MOSQUITTO, [broker], mqtt=True))
    for name, prepare in ((NODE, _node), (UWS, _socketify)):
        try:
            here.append(Contestant(name, prepare()))
        except NotInstalled as reason:
            absent.append(f"{name}: {reason}")
    return {one.name: one for one in here}, absent


def cache() -> Path:
    """Where what is built or fetched for the bench stays."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    directory = Path(base) / "breathlight-bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def compiler() -> str | None:
    """The machine's compiler of C."""
    return shutil.which("cc") or shutil.which("gcc")


def compiled(name: str) -> str | None:
    """A tool of the bench built from its source in C; None where there is no compiler."""
    with_what, source, program = compiler(), HERE / f"{name}.c", cache() / name
    if with_what is None:
        return None
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        # Whoever runs the older one meanwhile keeps it.
        made = program.with_suffix(f".{os.getpid()}")
        subprocess.run([with_what, "-O2", "-o", str(made), str(source)], check=True)
        made.replace(program)
    return str(program)


def _node() -> list[str]:
    """Node's server, its package fetched once by npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        raise NotInstalled("node is not installed")
    directory = cache() / SOCKET_IO.replace("@", "-")
    if not (directory / "node_modules" / "socket.io").exists():
        if npm is None:
            raise NotInstalled("npm is not installed")
        directory.mkdir(exist_ok=True)
        (directory / "package.json").write_text("{}", encoding="utf-8")
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", SOCKET_IO]
        done = subprocess.run(command, cwd=directory, capture_output=True, timeout=120)
        if done.returncode:
            raise NotInstalled(f"npm could not install {SOCKET_IO}")
    return [node, str(HERE / "node_server.mjs"), str(directory)]


def _socketify() -> list[str]:
    """µWebSockets' server, in an interpreter of its own. Its wheel needs the system's libuv."""
    python = str(python_with([SOCKETIFY]))
    tried = subprocess.run([python, "-c", "import socketify"], capture_output=True, text=True)
    if tried.returncode:
        raise NotInstalled(f"{SOCKETIFY} does not load: {tried.stderr.strip().splitlines()[-1]}")
    return [python, str(HERE / "uws_server.py")]
