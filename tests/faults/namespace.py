"""A network of the agent's own, whose only link can be taken down: a partition as the kernel makes it.

The proxy listens within it. While the link is down packets vanish in both directions, and TCP does what it does then:
it sends again, later and later, and goes on when the link is back.
"""

import ctypes
import os
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.fault_proxy import listen_here

_CLONE_NEWNET = 0x40000000


class NoNamespace(Exception):
    """This machine gives us none; the message says why."""


class Namespace:
    """A network namespace with nothing but a loopback link."""

    def __init__(self, name: str) -> None:
        """Make it. Raises `NoNamespace`."""
        if os.getuid() != 0:
            raise NoNamespace("a network namespace needs root")
        if shutil.which("ip") is None:
            raise NoNamespace("there is no program `ip`; on Debian: apt-get install iproute2")
        self.name = name
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
        if made.returncode != 0:
            raise NoNamespace(f"no network namespace can be made: {made.stderr.strip()}")
        self.within = ("ip", "netns", "exec", name)
        """A command that runs another one in it."""
        self.link("up")

    def link(self, state: str) -> None:
        """Take the link `up` or `down`."""
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", state], check=True)

    def listen(self, port: int) -> socket.socket:
        """A listening socket within."""
        # A socket stays where it was made; a thread that has moved is of no further use here.
        with ThreadPoolExecutor(1) as mover:
            return mover.submit(self._listen, port).result()

    def close(self) -> None:
        """Remove it; what runs in it keeps it alive."""
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def _listen(self, port: int) -> socket.socket:
        with Path(f"/run/netns/{self.name}").open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        return listen_here(port)
