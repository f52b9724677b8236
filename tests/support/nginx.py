"""The real nginx with the configuration that we ship, on free ports."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT, free_port, wait_for

SHIPPED = ROOT / "systemd/nginx/breathlight.conf"
_PORTS = ("5000", "5001", "5002")

_AROUND = """
daemon off;
pid {here}/nginx.pid;
error_log {here}/error.log notice;
events {{ worker_connections 4096; }}
http {{
    access_log {here}/access.log;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    include {here}/breathlight.conf;
}}
"""


def configuration(port: int, workers: Sequence[int]) -> str:
    """What is shipped, for these ports; a port that it names and nobody has is left to be dead."""
    of = {**dict(zip(_PORTS, map(str, workers), strict=True)), "listen 80": f"listen 127.0.0.1:{port}"}
    # In one go: a port that was put in may have the digits of the next one.
    return re.sub(r"listen 80\b|\b500[0-2]\b", lambda known: of[known[0]], SHIPPED.read_text(encoding="utf-8"))


@contextmanager
def nginx(directory: Path, workers: Sequence[int]) -> Iterator[str]:
    """A running nginx before these workers; the address."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("no nginx on this machine (Debian: nginx)")
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (directory / "breathlight.conf").write_text(configuration(port, workers), encoding="utf-8")
    around = _AROUND.format(here=directory)
    (directory / "nginx.conf").write_text(around, encoding="utf-8")
    command = [program, "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")]
    running = subprocess.Popen(command)

    def listens() -> bool:
        assert running.poll() is None, (directory / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for("nginx listens", listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)
