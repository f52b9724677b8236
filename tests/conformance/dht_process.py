"""The strings of the stand-in for adafruit_dht, which runs where the library does: in a process of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import FakeClock

_LIBRARY = Path(__file__).with_name("dht_library")


class DhtProcess:
    """What the next measurements give, and what has happened over there. Its time is that of `clock`."""

    def __init__(self, clock: FakeClock, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._clock = clock
        self._file, self._log = folder / "state.json", folder / "log"
        self._log.touch()
        self._state: dict[str, Any] = {"always": (21.5, 48.25), "script": [], "told": 0}
        monkeypatch.setenv("PYTHONPATH", str(_LIBRARY))
        monkeypatch.setenv("FAKE_DHT", str(folder))
        advance = clock.advance

        def advanced(seconds: float) -> None:
            advance(seconds)
            self._write()

        monkeypatch.setattr(clock, "advance", advanced)
        self._write()

    def set(self, **state: Any) -> None:
        """`always` or `opening`, `importing`: an outcome; `trouble`: prints, dies, hangs; `helper`; `import_s`."""
        self._state |= {name: _told(value) for name, value in state.items()}
        self._write()

    def script(self, *outcomes: Any) -> None:
        """What the next measurements give: (°C, %RH), or an exception."""
        self._state |= {"script": [_told(outcome) for outcome in outcomes], "told": self.count("measure")}
        self._write()

    def count(self, word: str) -> int:
        """How often something happened: `import`, `measure`, `exit`."""
        return len(self.processes(word))

    def processes(self, word: str) -> list[int]:
        """The ids of the processes in which it happened; of `helper`, those of the helpers."""
        lines = (line.split() for line in self._log.read_text(encoding="utf-8").splitlines())
        return [int(number) for what, number in lines if what == word]

    def _write(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._state | {"now": self._clock.monotonic_ns() / 1e9}), encoding="utf-8")
        fresh.replace(self._file)


def _told(outcome: Any) -> Any:
    return {"raise": type(outcome).__name__, "message": str(outcome)} if isinstance(outcome, BaseException) else outcome


def alive(process: int) -> bool:
    """True while there is such a process, a dead one that nobody reaped apart."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
