"""Keeps a process running, as systemd does: whenever it ends it is started again, and why it ended is on record."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.processes import Process

_TAIL_LINES = 12


@dataclass
class Life:
    """One process from start to end."""

    began_s: float
    ended_s: float | None = None
    code: int | None = None
    """Its exit code; minus the signal's number where one killed it."""
    wanted: bool = False
    """We ended it."""
    lines: list[str] = field(default_factory=list)
    """What it said, line by line."""

    @property
    def tail(self) -> str:
        """Its last words."""
        return "\n".join(self.lines[-_TAIL_LINES:])

    def said(self, words: str) -> bool:
        """Whether a line of it has these words."""
        return any(words in line for line in self.lines)


class Supervised:
    """One program. Signals go to the process that runs at that moment; where none does, nothing happens."""

    def __init__(self, name: str, spawn: Callable[[], Process], restart_s: float = 0.2) -> None:
        """`spawn` starts the program; it may raise `OSError`, which counts as a life that ended at once."""
        self.name = name
        self.lives: list[Life] = []
        self._spawn = spawn
        self._restart_s = restart_s
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._stopping = threading.Event()
        self._held = threading.Event()
        self._idle = threading.Event()
        """Held, and nothing runs."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Keep it running from now on."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"supervise-{self.name}", daemon=True)
        self._thread.start()

    @property
    def process(self) -> Process | None:
        """The process that runs now."""
        return self._process

    def kill(self) -> bool:
        """`kill -9`. False where nothing ran."""
        return self._signal(signal.SIGKILL, wanted=True)

    def terminate(self) -> bool:
        """Ask it to end; it is started again."""
        return self._signal(signal.SIGTERM, wanted=True)

    def freeze(self) -> Process | None:
        """SIGSTOP. Returns what was frozen, for `thaw`."""
        frozen = self._process
        return frozen if self._signal(signal.SIGSTOP, wanted=False) else None

    def thaw(self, frozen: Process | None) -> None:
        """SIGCONT to what `freeze` returned, if it is still there."""
        if frozen is not None:
            # `Popen.send_signal` asks first whether the process has ended.
            with suppress(ProcessLookupError):
                frozen.popen.send_signal(signal.SIGCONT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> Life | None:
        """End it for good; returns its last life."""
        self._stopping.set()
        self._signal(signal.SIGCONT, wanted=False)
        self._signal(how, wanted=True)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        return self.lives[-1] if self.lives else None

    def down(self) -> "_Down":
        """A context in which it does not run: killed before, started again after."""
        return _Down(self)

    @property
    def deaths(self) -> list[Life]:
        """Lives that ended though nobody asked for it."""
        return [life for life in self.lives if life.ended_s is not None and not life.wanted]

    def _signal(self, number: signal.Signals, *, wanted: bool) -> bool:
        with self._lock:
            process = self._process
            if process is None or process.popen.poll() is not None:
                return False
            if wanted:
                self.lives[-1].wanted = True
            with suppress(ProcessLookupError):
                process.popen.send_signal(number)
            return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._held.is_set():
                self._idle.set()
                self._stopping.wait(0.02)
                continue
            self._idle.clear()
            self._live()
            self._stopping.wait(self._restart_s)

    def _live(self) -> None:
        life = Life(time.monotonic())
        self.lives.append(life)
        try:
            process = self._spawn()
        except OSError as error:
            life.ended_s, life.lines = time.monotonic(), [str(error)]
            return
        life.lines = process.lines
        with self._lock:
            self._process = process
            if self._stopping.is_set():
                life.wanted = True
                process.popen.terminate()
        process.popen.wait()
        with self._lock:
            self._process = None
        life.ended_s = time.monotonic()
        life.code = process.finish()

    def _hold(self) -> None:
        self._idle.clear()
        self._held.set()
        while not self._idle.wait(0.02):
            self.kill()

    def _release(self) -> None:
        self._held.clear()


@dataclass(frozen=True)
class _Down:
    supervised: Supervised

    def __enter__(self) -> None:
        self.supervised._hold()

    def __exit__(self, *_: object) -> None:
        self.supervised._release()
