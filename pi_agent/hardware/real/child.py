"""A helper process that answers a line with a line, and is killed when it does not."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Sequence
from time import monotonic
from typing import IO, cast

_MOST_BYTES = 65_536
_GRACE_S = 0.5
_LAST_BREATH_S = 3.0
_NOT_ITS_OWN = ("PI_AGENT_", "CREDENTIALS_", "NOTIFY_", "WATCHDOG_")
"""Variables that are the agent's alone: its settings, among them the token, and its talk with systemd."""


class ChildLost(Exception):
    """The process has ended, or answers too late. The message says which; it has been killed."""


class Child:
    """One such process, in a session of its own, with what it starts itself.

    It is executed, never merely forked: lgpio's threads and pipes would not survive that. It ends with its stdin, so
    also when the agent is killed.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start it. Raises `OSError`."""
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(_NOT_ITS_OWN)},
        )
        self._stdin, self._stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._killing = threading.Lock()
        self._unread = b""

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its group."""
        return self._process.pid

    def ask(self, limit_s: float) -> bytes:
        """Send an empty line; the line that answers it. Raises `ChildLost`."""
        try:
            os.write(self._stdin.fileno(), b"\n")
        except (OSError, ValueError):  # ValueError: stdin was closed by `kill`, on another thread
            raise self._lost() from None
        return self.line(limit_s)

    def line(self, limit_s: float) -> bytes:
        """The next line. Raises `ChildLost` when none comes in time."""
        if (line := self.poll(limit_s)) is None:
            self.kill()
            raise ChildLost(f"did not answer within {limit_s:g} s and was killed")
        return line

    def poll(self, limit_s: float) -> bytes | None:
        """The next line; None when none comes in time, and the process goes on. Raises `ChildLost` when it ended."""
        deadline_s = monotonic() + limit_s
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline_s - monotonic()))
            if not ready:
                return None
            more = os.read(self._stdout.fileno(), _MOST_BYTES)
            if not more or len(self._unread) > _MOST_BYTES:
                raise self._lost()
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def kill(self) -> None:
        """End it and all that it started: its stdin is closed, which lets it tidy up; then by force. Never raises."""
        with self._killing:
            if self._process.returncode is not None:
                return  # reaped: its id may be another's by now
            with contextlib.suppress(OSError):
                self._stdin.close()
            with contextlib.suppress(OSError):
                self._await_end(_GRACE_S)
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def _await_end(self, limit_s: float) -> None:
        """Wait a little for the process to end, without reaping it: until then its id names it and its group."""
        handle = os.pidfd_open(self.pid)
        try:
            select.select([handle], [], [], limit_s)
        finally:
            os.close(handle)

    def release(self) -> None:
        """After `kill`: close what is left, once nobody reads any more."""
        self._stdout.close()

    def _lost(self) -> ChildLost:
        # It is ending: its own exit code says more than the signal that would follow.
        with contextlib.suppress(OSError):
            self._await_end(_LAST_BREATH_S)
        self.kill()
        code = self._process.returncode
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return ChildLost(f"ended {how}")
